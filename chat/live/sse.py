"""Server-sent events: a frame for each event, and the response with its headers."""

import asyncio
import logging
from contextlib import aclosing

from asgiref.sync import sync_to_async
from django.http import StreamingHttpResponse
from django.utils.translation import gettext

from ..events import MessagesSnapshot, to_json

RETRY_DELAY = 1000  # milliseconds until a browser whose connection broke connects again
KEEPALIVE_DELAY = 12  # seconds of silence; the next wake-up then sends a comment, before 15. Proxies cut at 30-60
MAX_POSITION_DIGITS = 10

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
    """Iterates over the frames themselves, so that Django closes them when the client disconnects. By default Django
    wraps them in two generators, which would leave that to the garbage collector."""

    def __init__(self, frames, **kwargs):
        super().__init__(frames, **kwargs)
        self.frames = frames

    def __aiter__(self):
        return self.frames


def response(frames, headers=None):
    return EventStream(frames, headers=HEADERS | (headers or {}))


async def frames(numbered_events, session_watch):
    """Yields the frames of (seq, event) pairs until they end or the SessionCheck of `session_watch` is no longer valid.

    Never raises: a body without a terminal event makes the reader reconnect, and on some servers the reader would
    notice nothing of an exception.
    """
    now = asyncio.get_running_loop().time
    yield f"retry: {RETRY_DELAY}\n".encode("ascii")  # a field of the first frame, whenever that comes
    last_sent_at = now()
    try:
        with session_watch as session:
            async with aclosing(numbered_events):
                async for seq, event in numbered_events:
                    if not session.is_valid:
                        return
                    if event is not None:
                        is_large = type(event) is MessagesSnapshot
                        yield await sync_to_async(frame)(seq, event) if is_large else frame(seq, event)
                        last_sent_at = now()
                    elif now() - last_sent_at > KEEPALIVE_DELAY:
                        yield b": still here\n\n"
                        last_sent_at = now()
    except Exception:
        logger.exception("An event stream failed")


def parse_position(header, query):
    """Returns the seq of the last event that the reader has, from `Last-Event-ID` or `?after=`; 0 is the beginning.

    Raises ValueError.
    """
    position = header if header is not None else query
    if position is None or position == "":
        return 0
    if not (position.isascii() and position.isdigit() and len(position) <= MAX_POSITION_DIGITS):
        raise ValueError(gettext("The position must be a whole number: the id of the last event received."))
    return int(position)
