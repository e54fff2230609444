"""How many event streams and sockets may be open, and how many calls of one user are worked on at a time.

More calls wait in line, so that a burst delays nobody else. Commands over a socket are calls.
"""

from contextlib import AsyncExitStack
from typing import Any

from django.conf import settings

from ..per_loop import PerLoop
from ..slots import Slots

MAX_REQUESTS = 1_000
MAX_WAITING = 3_000
MAX_WAITING_PER_USER = 300
WAIT_TIMEOUT = 30  # seconds

streams = PerLoop(lambda: Slots(settings.MAX_STREAMS, settings.MAX_STREAMS_PER_USER))
sockets = PerLoop(lambda: Slots(settings.MAX_SOCKETS, settings.MAX_SOCKETS_PER_USER))
user_slots = PerLoop(
    lambda: Slots(
        MAX_REQUESTS,
        settings.MAX_REQUESTS_PER_USER,
        max_waiting=MAX_WAITING,
        max_waiting_per_key=MAX_WAITING_PER_USER,
        wait_timeout=WAIT_TIMEOUT,
    )
)


async def hold_stream(scope: dict[str, Any], user_id: Any) -> None:
    """Counts a request as one of the user's streams until it has ended. Raises Refused.

    chat.asgi gives each request the stack that ends with it; a response that is never sent would end nothing.
    """
    stack: AsyncExitStack | None = scope.get("stack")
    if stack is not None:
        await stack.enter_async_context(streams.get().hold(user_id))
