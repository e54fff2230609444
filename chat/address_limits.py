"""Limits how many requests of one address are in Django at a time; the others wait in line.

A client may send hundreds at once. All of them would run through the middleware and queue for a database thread in the
same turns of the event loop, and everybody else's requests, tokens and heartbeats would come after them.

A request holds a slot of its address until its response begins, or until it has to wait for something else: a reply, a
password check or its user's other calls. It then gives the slot back first (`release_address_slot`), for the other
requests of its address. Users who share an address, as those of an office do, take turns.

A large response stays in memory until its client has read it, so an address has few of these at a time.
"""

from contextlib import AbstractAsyncContextManager, AsyncExitStack, ExitStack
from typing import Any

from django.conf import settings
from django.http import JsonResponse
from django.utils.decorators import async_only_middleware

from .addresses import network_of
from .errors import Refused, to_json_at
from .per_loop import PerLoop
from .slots import Slots

MAX_PER_ADDRESS = 4
MAX_REQUESTS = 10_000  # of all addresses, in Django or in line: more than there are connections
LARGE_BYTES = 200_000  # of a response; the HTML of a page has about 30,000
MAX_LARGE = 200
MAX_LARGE_PER_ADDRESS = 20
READINESS_PATH = "/health/ready"  # must answer even if all requests of an address hang

address_slots = PerLoop(
    lambda: Slots(MAX_REQUESTS, MAX_PER_ADDRESS, max_waiting=MAX_REQUESTS, max_waiting_per_key=MAX_REQUESTS)
)
large_responses = PerLoop(lambda: Slots(MAX_LARGE, MAX_LARGE_PER_ADDRESS))


def hold_address_slot(address: str, session: str = "") -> AbstractAsyncContextManager[None]:
    """Waits for a slot of this address and holds it while the block runs. Sessions of one address take turns."""
    return address_slots.get().hold(network_of(address), member=session)


@async_only_middleware
def limit_requests_per_address(get_response):
    """Passes a request on as soon as its address has a free slot."""

    async def middleware(request):
        response = await pass_on(request)
        note_answer(scope_of(request))
        return response

    async def pass_on(request):
        if scope_of(request).get("has_slot") or request.path == READINESS_PATH:  # has_slot: see chat.asgi.threads
            return await get_response(request)
        address = request.META.get("REMOTE_ADDR") or ""
        async with AsyncExitStack() as request.address_slot:
            session = request.COOKIES.get(settings.SESSION_COOKIE_NAME) or request.META.get("HTTP_AUTHORIZATION", "")
            await request.address_slot.enter_async_context(hold_address_slot(address, session))
            response = await get_response(request)
            try:
                await _hold_while_sent(request, response, address)
            except Refused as error:
                headers = {"Retry-After": str(error.retry_after)}
                return JsonResponse(to_json_at(request.path, error), status=error.status, headers=headers)
            return response

    return middleware


def note_answer(scope: dict[str, Any]) -> None:
    """Notes that a request has its response or a socket its user: see chat.asgi.bursts, which counts the others."""
    unanswered: ExitStack | None = scope.get("unanswered")
    if unanswered is not None:
        unanswered.close()


def scope_of(request) -> dict[str, Any]:
    """Returns the request's ASGI scope; an empty one for Django's test client, whose requests have none."""
    return getattr(request, "scope", {})


async def _hold_while_sent(request, response, address):
    """Counts a large response until it has been sent. Raises Refused if the address has too many that it does not read.

    chat.asgi gives each request the stack that ends with it.
    """
    request_end = scope_of(request).get("stack")
    if request_end is not None and not response.streaming and len(response.content) > LARGE_BYTES:
        await request_end.enter_async_context(large_responses.get().hold(network_of(address)))


async def release_address_slot(request) -> None:
    """Gives the slot of the request's address back before its response begins."""
    slot = getattr(request, "address_slot", None)
    if slot:
        await slot.aclose()
