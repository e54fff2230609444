"""The life of a run: start, follow, cancel, recover.

A run belongs to the process and not to a request. Each event loop has one Engine, made at its first use; the servers
that tell us when they start and stop (see chat.asgi.lifespan) make it early and shut it down in order.
"""

import asyncio
import contextvars
import uuid
from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractContextManager, aclosing
from typing import Any, TypeAlias

from .. import events, providers
from ..models import Assistant, Run
from ..per_loop import PerLoop
from ..providers import advice as advice  # for staff, by error code, model and params
from . import log
from .reply import ReplyWriter, build_prompt
from .runner import Engine
from .temporary import Hold as Hold
from .time_limits import TimeLimits

_engines = PerLoop(Engine)

Followed: TypeAlias = AsyncGenerator[tuple[int, events.Event | None], None]


def current() -> Engine:
    """The engine of the running event loop."""
    return _engines.get()


def set_up(adopts: Mapping[str, Any] | None = None, gives_titles: bool = True, runner: str | None = None) -> Engine:
    """Makes the running loop's engine with these options (see Engine), before its first use."""
    return _engines.set(Engine(adopts, gives_titles, runner))


async def start(run: Run) -> None:
    """Takes on a queued run: it begins when it has a slot, and goes on whether anybody follows it or not."""
    await current().start(run)


async def cancel(run: Run) -> None:
    """Stops a run; what was written stays. Does nothing to a run that has ended."""
    await current().cancel(run)


def keep(conversation_id: uuid.UUID) -> None:
    """Keeps a temporary conversation for another half minute: a page shows it."""
    current().temporary.keep(conversation_id)


def hold_temporary(run: Run) -> AbstractContextManager[Hold]:
    """Keeps the temporary conversation of this run while the block runs. Then stops the run, and deletes it soon.

    The block sets `has_ended` of what it gets once it has seen the run's end.
    """
    return current().temporary.hold(run)


async def param_names(assistant: Assistant) -> Mapping[str, str]:
    """Returns which of OpenAI's parameters the assistant's model takes from a request, and how its provider calls them.

    Empty if its provider cannot be used: the run then says why.
    """
    await providers.load(assistant.model)
    try:
        return providers.param_names(assistant.model, bool(assistant.tools))
    except (providers.ProviderError, ImportError):
        return {}


def follow(run: Run, after: int = 0, steps: bool = True) -> Followed:
    """Reads a run's events from any position until it ends: see `log.follow`. Without `steps`: the answer alone."""
    followed = log.follow(current(), run, after)
    return followed if steps else _without_steps(followed)


async def _without_steps(followed):
    async with aclosing(followed):
        async for seq, event in followed:
            yield seq, event and events.without_steps(event)


async def generate_unsaved(
    assistant: Assistant, model_id: str, turns: list[tuple[str, list]], **fields: Any
) -> AsyncGenerator[tuple[int, events.Event], None]:
    """Lets a model answer without storing anything: yields its events like `follow`, and stops it with the reader.

    `turns` are (role, parts) from the oldest to the question, `fields` more of `providers.Request`.
    """
    run = Run(conversation_id=uuid.uuid4(), message_id=uuid.uuid4(), model=model_id)
    reply = ReplyWriter(run.pk, str(run.message_id), fields.get("decisions", ()))
    reply.log.append(events.RunStarted(str(run.conversation_id), str(run.pk)))
    prompt = build_prompt(assistant, model_id, turns, **fields)

    async def write() -> None:
        try:
            ending = await reply.generate(model_id, prompt, TimeLimits(assistant))
            reply.close()
            reply.log.append(run.terminal_event(ending))
        finally:
            reply.log.end()  # whatever happens, no reader waits for more

    task = asyncio.get_running_loop().create_task(write(), context=contextvars.Context())
    try:
        seq = 0
        while not task.done() or seq < len(reply.log):
            while seq < len(reply.log):
                seq += 1
                yield seq, reply.log.events[seq - 1]
            if not task.done():
                await reply.log.next_wake()
    finally:
        reply.stop(Run.CANCELLED)
        await task


async def shut_down() -> None:
    """Ends the running loop's engine in order; nothing of it is left."""
    engine = _engines.pop()
    if engine:
        await engine.shut_down()
    else:
        await providers.close()  # unsaved replies need no engine
