"""Requests of one address enter the site a few at a time, and the others wait in line.

A client may send hundreds at once. Each would run through the middleware and queue for a database thread in the same
turns of the event loop, and everybody else's requests, tokens and heartbeats would come after them.

A request has its turn until its response begins, or until it waits for something of its own (`release`). It never waits
for both: one that waits for an answer, a password check or its user's other calls would keep the turn from the others
of its address.

A large response stays in memory until its client has read it, so an address has few of these at a time.
"""

from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any

from django.http import JsonResponse
from django.utils.decorators import async_only_middleware

from .addresses import network_of
from .errors import Refused
from .per_loop import PerLoop
from .slots import Slots

MAX_PER_ADDRESS = 4
MAX_WAITING = 10_000  # more than there are connections
LARGE_BYTES = 200_000  # of a response; the page has 30 kB
MAX_LARGE = 200
MAX_LARGE_PER_ADDRESS = 20
READINESS_PATH = "/health/ready"  # tells what a new request would meet, also where all requests hang

turns = PerLoop(lambda: Slots(MAX_WAITING, MAX_PER_ADDRESS, max_waiting=MAX_WAITING, max_waiting_per_key=MAX_WAITING))
large_responses = PerLoop(lambda: Slots(MAX_LARGE, MAX_LARGE_PER_ADDRESS))


def hold_turn(address: str) -> AbstractAsyncContextManager[None]:
    """Waits for a turn of this address, which lasts while the block runs."""
    return turns.get().hold(network_of(address))


@async_only_middleware
def take_turns(get_response):
    """Lets a request in when it is its turn."""

    async def middleware(request):
        if scope_of(request).get("has_slot") or request.path == READINESS_PATH:  # of a slow kind: see chat.asgi.threads
            return await get_response(request)
        address = request.META.get("REMOTE_ADDR") or ""
        async with AsyncExitStack() as request.turn:
            await request.turn.enter_async_context(hold_turn(address))
            response = await get_response(request)
            try:
                await _hold_while_sent(request, response, address)
            except Refused as error:
                return _refusal(error)
            return response

    return middleware


def scope_of(request) -> dict[str, Any]:
    """Returns the request's ASGI scope; an empty one of a request from Django's test client, which has none."""
    return getattr(request, "scope", {})


async def _hold_while_sent(request, response, address):
    """Counts a large response until it has been sent. Raises Refused if the address has too many that it does not read.

    chat.asgi gives each request the stack that ends with it.
    """
    request_end = scope_of(request).get("stack")
    if request_end is not None and not response.streaming and len(response.content) > LARGE_BYTES:
        await request_end.enter_async_context(large_responses.get().hold(network_of(address)))


def _refusal(error):
    content = {"error": {"code": error.code, "message": str(error.message)}}
    return JsonResponse(content, status=error.status, headers={"Retry-After": str(error.retry_after)})


async def release(request) -> None:
    """Gives the request's turn back before its response begins."""
    turn = getattr(request, "turn", None)
    if turn:
        await turn.aclose()
