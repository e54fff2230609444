"""A bounded queue from code that cannot `yield` to the one reader of its pieces."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from contextlib import suppress
from dataclasses import fields, replace
from typing import Any

from ..events import Finish, Piece, Reasoning, Text, ToolCallArgs, ToolCallEnd, ToolCallResult, ToolCallStart, Usage

MAX_UNREAD = 64  # pieces; senders then wait. With so many the reader is never idle
MAX_UNREAD_IN_LOOP = 10_000  # for code in the reader's thread that cannot wait: longer than any answer, a few megabytes
READER_TIMEOUT = 60  # seconds without a single piece read, after which a blocked thread gives up
PIECES: tuple[Any, ...] = (
    Text,
    Reasoning,
    ToolCallStart,
    ToolCallArgs,
    ToolCallEnd,
    ToolCallResult,
    Usage,
    Finish,
)


class Stopped(BaseException):
    """Nobody reads any more: the run was stopped or is over. Clean up and let it pass.

    Not an Exception, so that `except Exception` does not take it for a failure and continue.
    """


class Bridge:
    """A bounded queue. It is read with `async for`, in the event loop that made it; anyone may `send`.

    `send` takes text or a piece of chat.events, and waits while more than MAX_UNREAD are unread:

    - in another thread the call blocks;
    - in the reader's loop a coroutine awaits what it returns;
    - other code in that loop's thread cannot wait. It may be MAX_UNREAD_IN_LOOP pieces ahead of the reader; one more
      raises asyncio.QueueFull.

    `close()` and `fail(error)` end it, from anywhere; the first end counts. The reader still gets what was sent
    before, then the end or the error. From then on, or if the reader leaves first, `send` raises Stopped, also where
    it is waiting. No thread waits forever, not even for a loop that was closed or is blocked.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._pieces: list[Piece] = []
        self._ended = False
        self._error: BaseException | None = None
        self._state = threading.Condition()  # guards all of this; threads wait in it for room
        self._readable = asyncio.Event()  # the reader waits for it
        self._writable = asyncio.Event()  # coroutines wait for it

    @property
    def ended(self) -> bool:
        return self._ended

    def send(self, content: object) -> "Sent":
        piece = to_piece(content)
        with self._state:
            if self._ended:
                raise Stopped
            if self._is_in_loop() and len(self._pieces) >= MAX_UNREAD_IN_LOOP:
                raise asyncio.QueueFull("send() is called without `await`, and faster than the pieces are read.")
            self._pieces.append(piece)
            try:
                self._set(self._readable)
            except RuntimeError:  # the loop is closed
                self._ended = True
                raise Stopped from None
            if self._is_in_loop():
                return Sent(self._wait_for_room)
            while len(self._pieces) > MAX_UNREAD and not self._ended:
                if not self._state.wait(READER_TIMEOUT):
                    self.fail(RuntimeError("The reader is blocked."))
            if self._ended:
                raise Stopped
        return Sent()

    def keep_alive(self) -> "Sent":
        """Sends an empty text, for which the engine waits on without showing anything."""
        return self.send("")

    def close(self) -> None:
        self.fail(None)

    def fail(self, error: BaseException | None) -> None:
        with self._state:
            if not self._ended:
                self._ended = True
                self._error = error
                self._state.notify_all()
                with suppress(RuntimeError):  # the loop is closed: nobody waits in it
                    self._set(self._readable)
                    self._set(self._writable)

    async def __aiter__(self) -> AsyncGenerator[Piece, None]:
        try:
            while pieces := await self._take():
                for piece in pieces:
                    yield piece
        finally:
            self.close()

    async def _take(self) -> list[Piece]:
        """Returns all unread pieces, or the next one; none at the end."""
        await asyncio.sleep(0)  # threads may send so fast that there is always a piece, but others need the loop, too
        while True:
            with self._state:
                if self._pieces or self._ended:
                    pieces = self._pieces
                    self._pieces = []
                    self._state.notify_all()
                    self._writable.set()
                    break
                self._readable.clear()
            await self._readable.wait()
        if self._error and not pieces:
            raise self._error
        return pieces

    async def _wait_for_room(self) -> None:
        while True:
            with self._state:
                if self._ended:
                    raise Stopped
                if len(self._pieces) <= MAX_UNREAD:
                    return
                self._writable.clear()
            await self._writable.wait()

    def _set(self, event: asyncio.Event) -> None:
        """Sets an event of the loop, from any thread. Requires `_state`, which also guards its clearing."""
        if self._is_in_loop():
            event.set()
        elif not event.is_set():
            self._loop.call_soon_threadsafe(event.set)

    def _is_in_loop(self) -> bool:
        return threading.get_ident() == self._thread


class Sent:
    """The result of `send`. In the reader's loop, awaiting it waits for room; elsewhere `send` has waited already."""

    __slots__ = ("wait",)

    def __init__(self, wait: Callable[[], Coroutine[Any, Any, None]] | None = None) -> None:
        self.wait = wait

    def __await__(self) -> Generator[Any, None, None]:
        if self.wait:
            yield from self.wait().__await__()


def to_piece(content: object) -> Piece:
    """Returns the piece; raises TypeError for anything the engine cannot use."""
    if isinstance(content, str):
        return Text(content)
    kind: Any = type(content)
    if kind not in PIECES:
        raise TypeError(f"send() takes text or a piece of chat.events, not {kind.__name__}.")
    piece: Any = content
    for field in fields(piece):
        if not isinstance(value := getattr(piece, field.name), field.type):  # type: ignore[arg-type]
            raise TypeError(f"{kind.__name__}({field.name}=…) cannot be {type(value).__name__}.")
    if kind is ToolCallResult and piece.metadata:  # becomes JSON, and nothing else in it is read
        return replace(piece, metadata={"error": True} if piece.metadata.get("error") else None)
    return piece
