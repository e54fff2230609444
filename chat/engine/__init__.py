"""The life of a run: start, follow, cancel, recover.

A run belongs to the process and not to a request. Each event loop has one Engine, made at its first use; the servers
that tell us when they start and stop (see chat.server) make it early and let it leave in order.
"""

import asyncio
import weakref

from . import log
from .runner import Engine

_engines = weakref.WeakKeyDictionary()


def here():
    """The engine of the running event loop."""
    loop = asyncio.get_running_loop()
    if loop not in _engines:
        _engines[loop] = Engine()
    return _engines[loop]


async def start(run):
    """Take on a queued run: it begins when it has a slot, and goes on whoever watches."""
    await here().start(run)


async def cancel(run):
    """Stop a run; what was written stays. Does nothing to a run that is over."""
    await here().cancel(run)


def follow(run, after=0):
    """Read a run's events from any position until it ends: see `log.follow`."""
    return log.follow(here(), run, after)


async def leave():
    """End this loop's engine in order; nothing of it is left."""
    engine = _engines.pop(asyncio.get_running_loop(), None)
    if engine:
        await engine.leave()
