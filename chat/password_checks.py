"""Limits how many passwords are checked at a time.

A check computes for a third of a second, on purpose. It has threads of its own: a hundred attempts would otherwise hold
those that serve everybody's requests. An address has one check at a time, so it cannot keep others from logging in.
"""

import re
from collections import deque
from concurrent.futures import ThreadPoolExecutor

from asgiref.sync import ThreadSensitiveContext, sync_to_async
from django.contrib.auth.forms import AuthenticationForm
from django.db import close_old_connections
from django.shortcuts import render
from django.utils.decorators import async_only_middleware

from . import address_limits
from .addresses import network_of
from .errors import Refused
from .executors import SLOW_NICENESS, database_executor
from .per_loop import PerLoop
from .slots import Slots

LOGIN_PATHS = re.compile(r"/(accounts|admin)/login/")
OTHER_PATHS = re.compile(r"/accounts/password/|/admin/(password_change/|auth/user/(add/|\d+/password/))")
THREADS = 2  # the checks of one address leave one of them to others
MAX_WAITING = 200
MAX_WAITING_PER_ADDRESS = 10
WAIT_TIMEOUT = 20  # seconds


def make_threads() -> deque[ThreadPoolExecutor]:
    return deque(database_executor(f"password-{number}", SLOW_NICENESS) for number in range(THREADS))


class PasswordChecks:
    """The slots of one event loop, and the threads that nobody has at the moment."""

    threads = make_threads()

    def __init__(self) -> None:
        self.slots = Slots(
            THREADS,
            1,
            max_waiting=MAX_WAITING,
            max_waiting_per_key=MAX_WAITING_PER_ADDRESS,
            wait_timeout=WAIT_TIMEOUT,
        )

    async def run(self, get_response, request):
        """Returns the response, made in one of the threads. Raises Refused."""
        address = network_of(request.META.get("REMOTE_ADDR", ""))
        self.slots.refuse_if_full(address)  # before the slot is given back: a hundred refusals are work, too
        await address_limits.release_address_slot(request)
        async with self.slots.hold(address):
            thread = self.threads.popleft()
            try:
                async with ThreadSensitiveContext(executor=thread):
                    await sync_to_async(close_old_connections)()
                    try:
                        return await get_response(request)
                    finally:
                        await sync_to_async(close_old_connections)()
            finally:
                self.threads.append(thread)


checks = PerLoop(PasswordChecks)


@async_only_middleware
def limit_password_checks(get_response):
    """Lets a request that checks or sets a password wait for its turn, or answers that too many do."""

    async def middleware(request):
        is_login = LOGIN_PATHS.fullmatch(request.path)
        if request.method != "POST" or not (is_login or OTHER_PATHS.fullmatch(request.path)):
            return await get_response(request)
        try:
            return await checks.get().run(get_response, request)
        except Refused as error:
            return await sync_to_async(_refusal)(request, error, is_login)

    return middleware


def _refusal(request, error, is_login):
    """Returns the page with what was typed, but for the password."""
    context = {"message": error.message}
    if is_login:
        context["form"] = AuthenticationForm(request, initial={"username": request.POST.get("username", "")})
        context["next"] = request.POST.get("next", "")
    template = "registration/login.html" if is_login else "refused.html"
    response = render(request, template, context, status=error.status)
    response["Retry-After"] = str(error.retry_after)
    return response
