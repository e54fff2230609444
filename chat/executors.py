"""Threads: for database work, with a connection each, and for functions that may never return."""

import asyncio
import os
import threading
from collections import Counter, deque
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple, ParamSpec, TypeVar

from django.db import close_old_connections, connection

NICENESS = 10  # added; SQLite works inside the process, and without this every stream would wait while it commits
SLOW_NICENESS = 15  # added, for what computes for long: the threads that others wait for go first
# Linux compares the threads of all processes. Several sites in as many processes, as in tests, would keep each other's
# threads waiting for seconds.
lowers_priority = True

NOBODY = object()  # no owner of a queue

P = ParamSpec("P")
R = TypeVar("R")


def database_executor(name: str, niceness: int = NICENESS) -> ThreadPoolExecutor:
    """Returns an executor of one thread, which yields to the event loop where both want the same core (on Linux)."""
    return ThreadPoolExecutor(1, name, initializer=_lower_priority, initargs=(niceness,))


def _lower_priority(niceness: int) -> None:
    if not lowers_priority:
        return
    try:
        thread = threading.get_native_id()
        os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + niceness)
    except (AttributeError, OSError):  # not on this system, or not allowed here
        pass


class DatabaseThread:
    """One thread for database work with a connection of its own."""

    def __init__(self, name: str) -> None:
        self._executor = database_executor(name)

    async def run(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Returns `function(*args, **kwargs)`; it runs to its end even when the caller is cancelled."""

        def with_connection() -> R:
            close_old_connections()
            return function(*args, **kwargs)

        return await asyncio.shield(asyncio.get_running_loop().run_in_executor(self._executor, with_connection))

    async def close(self) -> None:
        """Closes the connection after the work that is queued, and ends the thread."""
        self._executor.submit(lambda: connection.close())  # looked up in that thread: it is the thread's own
        await asyncio.to_thread(self._executor.shutdown)


class Call(NamedTuple):
    """A call in a DaemonPool."""

    future: Future
    function: Callable[[], Any]
    owner: Hashable


class DaemonPool:
    """At most `max_threads` threads at a time, one for each call; further calls are queued.

    A thread cannot be stopped: one that overruns keeps its place until it returns. So an owner, such as a user, has at
    most `max_per_owner` threads, and the queued calls of different owners take turns; calls without an owner are not
    limited. These are daemon threads, unlike those of the standard library's pool, so that the process can exit without
    them. None is kept for later.
    """

    def __init__(self, name: str, max_threads: int, max_per_owner: int | None = None) -> None:
        self.name = name
        self.free = max_threads
        self.max_per_owner = max_per_owner or max_threads
        self.threads_of: Counter[Hashable] = Counter()  # owner -> threads in use
        self.queues: dict[Hashable, deque[Call]] = {}  # owner -> calls; the owner whose turn is next comes first
        self.lock = threading.Lock()

    def submit(self, function: Callable[[], Any], owner: Hashable = None) -> Future:
        """The result of `function()` as a Future; if cancelled while queued, the function is not called at all."""
        call = Call(Future(), function, owner)
        with self.lock:
            if not self.free or not self._has_room(owner):
                self._enqueue(call)
                return call.future
            self.free -= 1
            self.threads_of[owner] += 1
        try:
            threading.Thread(target=self._work, args=(call,), name=self.name, daemon=True).start()
        except RuntimeError:  # the system has no room for another thread
            with self.lock:
                self._release(owner)
                self.free += 1
            raise
        return call.future

    def _work(self, first: Call) -> None:
        call: Call | None = first
        while call is not None:
            if call.future.set_running_or_notify_cancel():
                try:
                    result = call.function()
                except BaseException as error:
                    call.future.set_exception(error)
                else:
                    call.future.set_result(result)
            with self.lock:
                self._release(call.owner)
                call = self._next()
                if call is None:
                    self.free += 1
                else:
                    self.threads_of[call.owner] += 1

    def _has_room(self, owner: Hashable) -> bool:
        return owner is None or self.threads_of[owner] < self.max_per_owner

    def _release(self, owner: Hashable) -> None:
        self.threads_of[owner] -= 1
        if not self.threads_of[owner]:
            del self.threads_of[owner]

    def _enqueue(self, call: Call) -> None:
        queue = self.queues.setdefault(call.owner, deque())
        while queue and queue[0].future.cancelled():  # behind threads that never return, nobody else would remove them
            queue.popleft()
        queue.append(call)

    def _next(self) -> Call | None:
        """Takes the next call from the queue of the first owner that may have another thread."""
        owner = next(filter(self._has_room, self.queues), NOBODY)
        if owner is NOBODY:
            return None
        queue = self.queues.pop(owner)
        call = queue.popleft()
        if queue:
            self.queues[owner] = queue  # at the end: the others are next
        return call
