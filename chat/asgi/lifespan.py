"""Start and shutdown with the server."""

import asyncio
import gc
import signal
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from .. import engine
from ..engine.warm_up import warm_up
from .base import Receive, Scope, Send

WARM_UP_TIMEOUT = 10  # seconds; the rest is loaded while requests are served already


async def lifespan(scope: Scope, receive: Receive, send: Send) -> None:
    """Starts the engine with the server, and shuts it down before the server ends."""
    await receive()
    _begin_shutdown_at_signals(asyncio.get_running_loop(), engine.current())
    async with warm_process():
        await send({"type": "lifespan.startup.complete"})
        await receive()
    await engine.shut_down()
    await send({"type": "lifespan.shutdown.complete"})


@asynccontextmanager
async def warm_process() -> AsyncIterator[None]:
    """Loads what the first answers need, for up to WARM_UP_TIMEOUT, and keeps the event loop free of long pauses."""
    warming = asyncio.create_task(warm_up())
    await asyncio.wait([warming], timeout=WARM_UP_TIMEOUT)  # before what is loaded is frozen
    _keep_the_loop_responsive()
    try:
        yield
    finally:
        warming.cancel()


def warm_up_in_background() -> None:
    """Loads what the first answers need while the server starts: for Daphne, which does not tell us that it does."""
    threading.Thread(target=lambda: asyncio.run(warm_up()), daemon=True).start()


def _keep_the_loop_responsive() -> None:
    """Keeps the garbage collector from walking all that was imported, which stops every stream for 50 ms at a time."""
    gc.collect()
    gc.freeze()
    # Events live as long as their run: looking at all of them often finds nothing, and at many of them takes long.
    gc.set_threshold(5_000, 5, 200)
    sys.setswitchinterval(0.0005)  # seconds that the event loop waits for a database thread in Python code


def _begin_shutdown_at_signals(loop: asyncio.AbstractEventLoop, running_engine) -> None:
    """Lets readers go at SIGTERM and SIGINT already: servers wait for them before they send `lifespan.shutdown`."""
    if threading.current_thread() is not threading.main_thread():
        return
    for number in (signal.SIGTERM, signal.SIGINT):
        previous = signal.getsignal(number)

        def handle(signum, frame, previous=previous):
            loop.call_soon_threadsafe(running_engine.begin_shutdown)
            if callable(previous):
                previous(signum, frame)

        signal.signal(number, handle)
