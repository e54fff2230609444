"""One event -> one frame; the response with its headers."""

import asyncio
import logging
from contextlib import aclosing

from django.http import StreamingHttpResponse
from django.utils.translation import gettext

from .events import to_json

RETRY = 1000  # milliseconds after which a browser whose connection broke comes back
SILENCE = 12  # seconds; a comment goes out at the first look around after them, so before 15. Proxies cut at 30-60

HEADERS = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-store, no-transform",
    "X-Accel-Buffering": "no",
    "Content-Encoding": "identity",
}

logger = logging.getLogger(__name__)


def frame(seq, event):
    return f"id: {seq}\ndata: {to_json(event)}\n\n".encode("ascii")


class EventStream(StreamingHttpResponse):
    """Django closes what it iterates over when the client goes: these are the frames themselves, not two generators
    around them that would leave them to the garbage collector."""

    def __init__(self, frames, **kwargs):
        super().__init__(frames, **kwargs)
        self.frames = frames

    def __aiter__(self):
        return self.frames


def response(frames, headers=None):
    return EventStream(frames, headers=HEADERS | (headers or {}))


async def frames(following, admission):
    """The frames of what `following` yields, until it ends or the pass that `admission` gives is no longer valid.

    Never raises: a body that ends without a terminal event tells the reader to come back, and on some servers an
    exception here would tell it nothing at all.
    """
    now = asyncio.get_running_loop().time
    yield f"retry: {RETRY}\n".encode("ascii")  # a field of the first frame, whenever that comes
    spoke = now()
    try:
        with admission as admitted:
            async with aclosing(following):
                async for seq, event in following:
                    if not admitted.valid:
                        return
                    if event is not None:
                        yield frame(seq, event)
                        spoke = now()
                    elif now() - spoke > SILENCE:
                        yield b": still here\n\n"
                        spoke = now()
    except Exception:
        logger.exception("A stream broke off")


def position(header, query):
    """Where a reader says it stopped, from `Last-Event-ID` or `?after=`; 0 is the beginning. Raises ValueError."""
    told = header if header is not None else query
    if told is None or told == "":
        return 0
    if not (told.isascii() and told.isdigit() and len(told) <= 10):
        raise ValueError(gettext("The position must be a whole number, the id of the last event seen."))
    return int(told)
