"""The event loop beside the terminal."""

import asyncio
import queue
import threading
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from concurrent import futures
from contextlib import aclosing
from typing import Any, Self

from asgiref.sync import sync_to_async
from django.db import connections

from .. import engine
from ..events import Event

IDLE_INTERVAL = 1  # second


class LoopThread(threading.Thread):
    """An event loop in a thread of its own while a `with` block runs; the engine is shut down in order at its end."""

    def __enter__(self) -> Self:
        self._ready = threading.Event()
        self.start()
        self._ready.wait()
        return self

    def __exit__(self, *error: object) -> None:
        self.call(self._done.set)
        self.join()

    def run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._done = asyncio.Event()
        self._ready.set()
        await self._done.wait()
        await engine.shut_down()
        await sync_to_async(connections.close_all)()

    def call(self, function: Callable[[], Any]) -> None:
        """Calls the function in the loop, without waiting for it."""
        self._loop.call_soon_threadsafe(function)

    def spawn(self, work: Coroutine[Any, Any, None]) -> futures.Future:
        return asyncio.run_coroutine_threadsafe(work, self._loop)


class EventReader:
    """Iterates in this thread over events that the loop produces. Leaving its `with` block waits for the last one."""

    def __init__(self, loop: LoopThread, events: AsyncGenerator[Event, None]) -> None:
        self._queue: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        self._task = loop.spawn(self._pump(events))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type | None, *error: object) -> None:
        futures.wait([self._task])
        if kind is None:
            self._task.result()

    def __iter__(self) -> Iterator[Event | None]:
        """Yields the events, and None after each second without any."""
        while True:
            try:
                event = self._queue.get(timeout=IDLE_INTERVAL)
            except queue.Empty:
                yield None
                continue
            if event is None:
                return
            yield event

    async def _pump(self, events: AsyncGenerator[Event, None]) -> None:
        """Queues the events, and None at the end, however that comes."""
        try:
            async with aclosing(events):
                async for event in events:
                    self._queue.put(event)
        finally:
            self._queue.put(None)
