"""A run's answer as plain text: for scripts that print what they read, as it comes."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from django.utils.translation import gettext

from .. import engine, events
from ..models import Run

HEADERS = {
    "Content-Type": "text/plain; charset=utf-8",
    "Cache-Control": "no-store, no-transform",
    "X-Accel-Buffering": "no",
    "Content-Encoding": "identity",
}


async def chunks(run: Run, session_watch: Any) -> AsyncGenerator[bytes]:
    """Yields the answer in UTF-8, each piece as soon as it is there; nothing if the run ends without any text.

    If a run that wrote text does not complete, a sentence in brackets follows that says why: the text alone would look
    complete.
    """
    new_text = events.AnswerText(str(run.message_id))
    followed = engine.follow(run, 0, False)
    has_text = False
    end = None
    with session_watch as session:
        async with aclosing(followed):
            async for _, event in followed:
                if not session.is_valid:
                    break
                if event is None:
                    continue
                end = event
                if text := new_text(event):
                    has_text = True
                    yield text.encode()
    if has_text and (note := _note(end)):
        yield f"\n\n[{note}]\n".encode()


def _note(end: events.Event | None) -> str:
    """Returns what the text does not say of the end of the run, or an empty string."""
    match end:
        case events.RunError():
            return end.message
        case events.RunFinished(outcome={"type": "cancelled"}):
            return gettext("The answer was stopped.")
        case events.RunFinished(outcome={"type": "interrupt"}):
            return gettext("The answer continues when you have allowed or declined the tool calls.")
        case events.RunFinished():
            return ""
    return gettext("The answer continues on the server: fetch this run again in a moment.")
