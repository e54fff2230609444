"""Answers of a provider to a scripted upstream, with an engine and without."""

import asyncio
from contextlib import aclosing

from chat import engine
from chat.events import EventBuilder, closing_events, fold, text_of
from chat.providers import ProviderError, Request, openai
from tests.waiting import wait_for_run, wait_until


class Said:
    """What the provider said to one question, without an engine: `parts`, the `builder`, the `error` that ended it."""

    async def listen(self, params, turns=None, model="scripted"):
        self.builder, self.error, log = EventBuilder("m"), None, []
        turns = turns or [("user", [{"type": "text", "text": "Hi"}])]
        try:
            async with aclosing(openai.reply(Request(model, turns, params=params))) as pieces:
                async for piece in pieces:
                    log += self.builder.feed(piece)
        except ProviderError as error:
            self.error = error
        self.parts = fold([*log, *closing_events(log)])
        self.text = text_of(self.parts)
        return self


async def nothing_under_way(upstream):
    async with asyncio.timeout(1):
        await wait_until(lambda: upstream.answering == 0)


async def shown(run, text):
    """Wait until a reader saw this."""
    async with asyncio.timeout(10):
        async for _, event in engine.follow(run):
            if event and text in getattr(event, "delta", ""):
                return


async def end(run):
    """(status, error code, text) of the run once it is over; whatever was begun is ended and the rows say the same."""
    told = [event for _, event in await wait_for_run(run)]
    assert fold(told) == run.message.parts
    assert closing_events(told) == []
    assert bool(run.error_message) == (run.status in ("failed", "interrupted"))
    return run.status, run.error_code, run.message.text


async def wait_until_closed(request):
    """The client closed the connection by itself, and soon."""
    async with asyncio.timeout(1):
        await request.closed.wait()
