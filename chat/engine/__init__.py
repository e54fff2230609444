"""The life of a run: start, follow, cancel, recover.

A run belongs to the process and not to a request. Each event loop has one Engine, made at its first use; the servers
that tell us when they start and stop (see chat.server) make it early and let it leave in order.
"""

import asyncio
import contextvars
import uuid
import weakref
from contextlib import aclosing

from .. import events, providers
from ..models import Run
from . import log, speech
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


def follow(run, after=0, steps=True):
    """Read a run's events from any position until it ends: see `log.follow`. Without `steps`: the answer alone."""
    told = log.follow(here(), run, after)
    return told if steps else _answer_alone(told)


async def _answer_alone(told):
    async with aclosing(told):
        async for seq, event in told:
            yield seq, event and events.without_steps(event)


async def unkept(assistant, model_id, turns, **fields):
    """Let a model answer with nothing kept: yields its events like `follow`, and stops it when the reader leaves.

    `turns` are (role, parts) from the oldest to the question, `fields` more of `providers.Request`.
    """
    run = Run(conversation_id=uuid.uuid4(), message_id=uuid.uuid4(), model=model_id)
    live = speech.Speech(run.pk, str(run.message_id), fields.get("answers", ()))
    live.log.append(events.RunStarted(str(run.conversation_id), str(run.pk)))
    request = speech.request(assistant, model_id, turns, **fields)

    async def speak():
        try:
            live.log.append(live.conclude(run, *await live.give(model_id, request)))
        finally:
            live.log.end()  # whatever happens, nobody waits for more

    task = asyncio.get_running_loop().create_task(speak(), context=contextvars.Context())
    try:
        seq = 0
        while not task.done() or seq < len(live.log):
            while seq < len(live.log):
                seq += 1
                yield seq, live.log.events[seq - 1]
            if not task.done():
                await live.log.next_wake()
    finally:
        live.stop(Run.CANCELLED)
        await task


async def leave():
    """End this loop's engine in order; nothing of it is left."""
    engine = _engines.pop(asyncio.get_running_loop(), None)
    if engine:
        await engine.leave()
    else:
        await providers.close()  # what is not kept needs no engine
