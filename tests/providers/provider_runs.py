"""Replies of a provider to a scripted upstream's answers, with an engine and without."""

from contextlib import aclosing

from chat import engine
from chat.events import EventBuilder, closing_events, fold, text_of
from chat.providers import ProviderError, Request, openai
from tests.waiting import hang_timeout, wait_for_run, wait_until


class ProviderReply:
    """A reply read without an engine: its `parts` and `text`, the `builder`, and the `error` that ended it, or None."""

    async def read(self, params, turns=None, model="scripted", provider=openai):
        self.builder, self.error, log = EventBuilder("m"), None, []
        turns = turns or [("user", [{"type": "text", "text": "Hi"}])]
        try:
            async with aclosing(provider.reply(Request(model, turns, params=params))) as pieces:
                async for piece in pieces:
                    log += self.builder.feed(piece)
        except ProviderError as error:
            self.error = error
        self.parts = fold([*log, *closing_events(log)])
        self.text = text_of(self.parts)
        return self


async def wait_until_idle(upstream):
    await wait_until(lambda: upstream.answering == 0)


async def wait_until_shown(run, text):
    """Waits until a follower has received this text."""
    async with hang_timeout():
        async for _, event in engine.follow(run):
            if event and text in getattr(event, "delta", ""):
                return


async def outcome_of(run):
    """Waits for the run's end, and checks that its events are closed and agree with its rows.

    Returns its status, error code and text.
    """
    events = [event for _, event in await wait_for_run(run)]
    assert fold(events) == run.message.parts
    assert closing_events(events) == []
    assert bool(run.error_message) == (run.status in ("failed", "interrupted"))
    return run.status, run.error_code, run.message.text


async def wait_until_closed(request):
    """Waits until the client closes the connection."""
    async with hang_timeout():
        await request.closed.wait()
