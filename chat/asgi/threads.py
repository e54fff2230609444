"""Threads for the database work of requests and sockets: a few for most of them, separate ones for slow requests."""

import itertools
import re
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import AsyncExitStack
from dataclasses import dataclass

from asgiref.sync import ThreadSensitiveContext
from django.conf import settings

from ..errors import Refused
from ..executors import database_executor
from ..per_loop import PerLoop
from ..slots import Slots
from .base import Application, Receive, Scope, Send, address_of, send_error

READ_THREADS = 8  # for requests that only read
WRITE_THREADS = 4  # for other requests, and for sockets
UNSAFE_METHODS = {"POST", "PUT", "PATCH", "DELETE"}
MAX_SLOW = 16  # requests of one slow kind at a time; more wait
MAX_SLOW_PER_ADDRESS = 8
MAX_WAITING = 200
MAX_WAITING_PER_ADDRESS = 50
WAIT_TIMEOUT = 30  # seconds


def _threads(name: str, count: int) -> Iterator[Executor]:
    return itertools.cycle([database_executor(f"{name}-{number}") for number in range(count)])


@dataclass(frozen=True, slots=True)
class SlowRequests:
    """A kind of request that may take long: its paths, its threads, and how many of it there are at a time."""

    paths: re.Pattern[str]
    threads: Iterator[Executor]
    slots: PerLoop[Slots]


def _slow(name: str, thread_count: int, pattern: str) -> SlowRequests:
    def make_slots() -> Slots:
        return Slots(
            MAX_SLOW,
            MAX_SLOW_PER_ADDRESS,
            max_waiting=MAX_WAITING,
            max_waiting_per_key=MAX_WAITING_PER_ADDRESS,
            wait_timeout=WAIT_TIMEOUT,
        )

    return SlowRequests(re.compile(pattern), _threads(name, thread_count), PerLoop(make_slots))


def share_database_threads(application: Application) -> Application:
    """Gives every connection one of a few threads for its database work.

    Django by itself keeps a thread and a connection for each open response: 1,000 readers would be 1,000 of both.
    The admin, exports and uploads, whose work takes seconds, have threads of their own, so that nobody waits for them.
    So do requests that may write, since in SQLite they may wait for a lock that reading does not need.

    Slow requests also wait in line while too many of their kind are under way, and are refused if the line is full or
    their turn does not come in time.
    """
    reads, writes = _threads("database", READ_THREADS), _threads("write", WRITE_THREADS)
    kinds = [
        _slow("admin", 2, r"/admin/(?!login/)"),
        _slow("export", 1, r"/api/(.*/)?export$"),
        _slow("upload", 2, "|".join(f"{re.escape(path)}$" for path in settings.LARGER_BODIES)),
    ]

    async def wrapped(scope, receive, send):
        for kind in kinds:
            if kind.paths.match(scope["path"]):
                return await _run_slow(kind, application, scope, receive, send)
        may_write = scope.get("method") in UNSAFE_METHODS or scope.get("type") == "websocket"
        async with ThreadSensitiveContext(executor=next(writes if may_write else reads)):
            await application(scope, receive, send)

    return wrapped


async def _run_slow(kind: SlowRequests, application: Application, scope: Scope, receive: Receive, send: Send) -> None:
    async with AsyncExitStack() as stack:
        try:
            await stack.enter_async_context(kind.slots.get().hold(address_of(scope)))
        except Refused as error:
            return await send_error(scope, send, error)
        await stack.enter_async_context(ThreadSensitiveContext(executor=next(kind.threads)))
        await application({**scope, "has_slot": True}, receive, send)
