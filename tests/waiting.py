"""Waiting for runs, and for whatever else happens elsewhere. Each wait fails after a while."""

import asyncio
import inspect
from contextlib import asynccontextmanager

from asgiref.sync import ThreadSensitiveContext, sync_to_async
from django.db import connection

from chat import engine
from chat.models import Run
from tests.timeouts import HANG_TIMEOUT

ENGINE_THREADS = ("runs", "history", "retention", "journal")  # which query the database at intervals


def hang_timeout():
    """`async with hang_timeout():` fails if the block hangs. It does not say how fast the block has to be."""
    return asyncio.timeout(HANG_TIMEOUT)


async def wait_for_run(run):
    """Wait for the run's end. Returns its events as (seq, event)."""
    async with hang_timeout():
        seen = [(seq, event) async for seq, event in engine.follow(run) if event]
    await run.arefresh_from_db(from_queryset=Run.objects.select_related("conversation", "message"))
    return seen


async def wait_until(condition):
    """Wait for a change that another task or thread makes: `condition()`, or what it awaits, becomes true."""
    async with hang_timeout():
        while True:
            result = condition()
            if inspect.isawaitable(result):
                result = await result
            if result:
                return
            await asyncio.sleep(0.01)


async def wait_for_text(run):
    """Wait until a follower has received the first text of this run."""
    async with hang_timeout():
        async for _, event in engine.follow(run):
            if event and event.type == "TEXT_MESSAGE_CONTENT":
                return


async def wait_for_delta(run, text):
    """Waits until the reply holds this text."""
    async with hang_timeout():
        async for _, event in engine.follow(run):
            if event and text in getattr(event, "delta", ""):
                return


@asynccontextmanager
async def count_turns():
    """A list that grows by one whenever other tasks have the loop."""
    turns = []

    async def count():
        while True:
            await asyncio.sleep(0)
            turns.append(None)

    counting = asyncio.create_task(count())
    yield turns
    counting.cancel()


async def run_together(*calls):
    """Run the calls at the same time, each with a database thread of its own as on a server. Returns their results."""

    async def run(call):
        async with ThreadSensitiveContext():
            try:
                return await call
            finally:
                await sync_to_async(lambda: connection.close())()

    return await asyncio.gather(*map(run, calls))
