"""Limits how much of some work is under way at a time: for everyone together, and for each user or address."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable
from contextlib import asynccontextmanager

from django.utils.translation import gettext_lazy

from .errors import Refused
from .fair_queue import FairQueue, Ticket

RETRY_DELAY = 2  # seconds that a refused client is asked to wait


class Slots:
    """At most `total` holders at a time, and at most `per_key` of them with the same key (a user, an address).

    Others wait in line: at most `max_waiting` in all and `max_waiting_per_key` of one key, for at most `wait_timeout`
    seconds. A free slot goes to the one who has waited longest among those whose key may have another, so a key that
    has its share delays nobody else. Where a key has several members (the users of an address), they take turns. The
    defaults let nobody wait.

    For one event loop; takes no locks.
    """

    def __init__(
        self,
        total: int,
        per_key: int,
        *,
        max_waiting: int = 0,
        max_waiting_per_key: int = 0,
        wait_timeout: float | None = None,
    ) -> None:
        self.total = total
        self.per_key = per_key
        self.max_waiting = max_waiting
        self.max_waiting_per_key = max_waiting_per_key
        self.wait_timeout = wait_timeout
        self.in_use = 0
        self.held: Counter[Hashable] = Counter()  # by key
        self._lines: dict[Hashable, FairQueue] = {}  # by key
        self.waiting = 0

    @asynccontextmanager
    async def hold(
        self, key: Hashable, on_wait: Callable[[], Awaitable[object]] | None = None, *, member: Hashable = None
    ) -> AsyncIterator[None]:
        """Holds a slot while the block runs. `on_wait` is called before it waits in line for one.

        Raises Refused: with 429 if this key has too many already, with 503 if everyone together has or if none became
        free in time.
        """
        await self._acquire(key, member, on_wait)
        try:
            yield
        finally:
            self._release(key)

    def refuse_if_full(self, key: Hashable) -> None:
        """Raises Refused if this key could not even wait for a slot."""
        if not self._is_free_for(key):
            self._refuse_if_line_is_full(key)

    async def _acquire(self, key: Hashable, member: Hashable, on_wait: Callable[[], Awaitable[object]] | None) -> None:
        if self._is_free_for(key):
            return self._take(key)
        self._refuse_if_line_is_full(key)
        ticket: Ticket = asyncio.get_running_loop().create_future()
        self._lines.setdefault(key, FairQueue()).add(ticket, member)
        self.waiting += 1
        try:
            async with asyncio.timeout(self.wait_timeout):
                if on_wait:
                    await on_wait()
                await ticket
        except BaseException as error:  # a timeout, or the client has gone
            if ticket in self._lines.get(key, ()):
                self._lines[key].remove(ticket)
                self._has_left_line(key)
            else:  # the slot was given at the same moment
                self._release(key)
            if isinstance(error, TimeoutError):
                raise _busy() from None
            raise

    def _is_free_for(self, key: Hashable) -> bool:
        return self.in_use < self.total and self.held[key] < self.per_key

    def _take(self, key: Hashable) -> None:
        self.in_use += 1
        self.held[key] += 1

    def _has_left_line(self, key: Hashable) -> None:
        if not self._lines[key]:
            del self._lines[key]
        self.waiting -= 1

    def _refuse_if_line_is_full(self, key: Hashable) -> None:
        if self.held[key] + len(self._lines.get(key, ())) >= self.per_key + self.max_waiting_per_key:
            raise too_many_requests()
        if self.waiting >= self.max_waiting:
            raise _busy()

    def _release(self, key: Hashable) -> None:
        had_room = self.in_use < self.total
        self.in_use -= 1
        self.held[key] -= 1
        if not self.held[key]:
            del self.held[key]  # otherwise, the counter would grow with every new key
        # Where there was room before, only this key may have more than it had.
        keys = [key] if had_room else self._lines
        heads = [head for waiting_key in keys if (head := self._head(waiting_key))]
        if heads:
            _, ticket, next_key = min(heads, key=lambda head: head[0])
            self._lines[next_key].take(ticket)
            self._has_left_line(next_key)
            self._take(next_key)
            ticket.set_result(None)

    def _head(self, key: Hashable) -> tuple[int, Ticket, Hashable] | None:
        """Returns the number, the ticket and the key of the next in line; None if this key has its share."""
        line = self._lines.get(key)
        first = line.first() if line and self._is_free_for(key) else None
        return (*first, key) if first else None


def too_many_requests() -> Refused:
    sentence = gettext_lazy("You have too many requests in progress. Try again in a moment.")
    return Refused(sentence, "too_many_requests", 429, retry_after=RETRY_DELAY)


def _busy() -> Refused:
    return Refused(gettext_lazy("The server is busy. Try again in a moment."), "busy", 503, retry_after=RETRY_DELAY)
