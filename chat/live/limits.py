"""How many event streams and sockets may be open: of one user, and of everyone together."""

from contextlib import AsyncExitStack
from typing import Any

from django.conf import settings

from ..per_loop import PerLoop
from ..slots import Slots

streams = PerLoop(lambda: Slots(settings.MAX_STREAMS, settings.MAX_STREAMS_PER_USER))
sockets = PerLoop(lambda: Slots(settings.MAX_SOCKETS, settings.MAX_SOCKETS_PER_USER))


async def hold_stream(scope: dict[str, Any], user_id: Any) -> None:
    """Counts a request as one of the user's streams until it has ended. Raises Refused.

    chat.asgi gives each request the stack that ends with it; a response that is never sent would end nothing.
    """
    stack: AsyncExitStack | None = scope.get("stack")
    if stack is not None:
        await stack.enter_async_context(streams.get().hold(user_id))
