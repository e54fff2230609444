"""Responses whose client stops reading."""

import asyncio

from .base import Application, Message, Send

SEND_TIMEOUT = 120  # seconds that a client may leave the next bytes unread


def limit_send_time(application: Application) -> Application:
    """Ends a response whose client reads nothing for SEND_TIMEOUT seconds; uvicorn would wait forever."""

    async def wrapped(scope, receive, send):
        timer = SendTimer(send)
        try:
            await application(scope, receive, timer.send)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or not timer.has_cancelled(task):
                raise
            task.uncancel()
        finally:
            timer.close()

    return wrapped


class SendTimer:
    """One timer per connection, moved only when it fires: the usual send costs two attributes."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._loop = asyncio.get_running_loop()
        self._started_at: float | None = None  # while a send is under way
        # Django sends a whole response in one task of its own, which ends the response.
        self._sender: asyncio.Task | None = None
        self._cancelled: asyncio.Task | None = None
        self._timer = self._loop.call_later(SEND_TIMEOUT / 2, self._check)

    async def send(self, message: Message) -> None:
        if self._sender is None:
            self._sender = asyncio.current_task()
        self._started_at = self._loop.time()
        await self._send(message)
        self._started_at = None

    def _check(self) -> None:
        if self._sender and self._started_at is not None and self._loop.time() - self._started_at > SEND_TIMEOUT:
            self._cancelled = self._sender
            self._sender.cancel()
        else:
            self._timer = self._loop.call_later(SEND_TIMEOUT / 2, self._check)

    def has_cancelled(self, task: asyncio.Task) -> bool:
        return self._cancelled is task

    def close(self) -> None:
        self._timer.cancel()  # which also lets go of `_check`, and so of this object
