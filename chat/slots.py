"""Limits how much of some work is under way at a time: for everyone together, and for each user or address."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager

from django.utils.translation import gettext_lazy

from .errors import Refused

RETRY_DELAY = 2  # seconds that a refused client is asked to wait


class Slots:
    """At most `total` holders at a time, and at most `per_key` of them with the same key (a user, an address).

    Others wait in line: at most `max_waiting` in all and `max_waiting_per_key` of one key, for at most `wait_timeout`
    seconds. A free slot goes to the one who has waited longest among those whose key may have another, so a key that
    has its share delays nobody else. The defaults let nobody wait.

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
        self._waiting: dict[asyncio.Future[None], Hashable] = {}  # in the order of their arrival
        self._waiting_of: Counter[Hashable] = Counter()  # by key

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    @asynccontextmanager
    async def hold(self, key: Hashable) -> AsyncIterator[None]:
        """Holds a slot while the block runs.

        Raises Refused: with 429 if this key has too many already, with 503 if everyone together has or if none became
        free in time.
        """
        await self._acquire(key)
        try:
            yield
        finally:
            self._release(key)

    async def _acquire(self, key: Hashable) -> None:
        if self._is_free_for(key):
            return self._take(key)
        self._refuse_if_full(key)
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[turn] = key
        self._waiting_of[key] += 1
        try:
            async with asyncio.timeout(self.wait_timeout):
                await turn
        except BaseException as error:  # a timeout, or the client has gone
            if turn in self._waiting:
                self._leave_line(turn)
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

    def _leave_line(self, turn: asyncio.Future[None]) -> None:
        key = self._waiting.pop(turn)
        self._waiting_of[key] -= 1
        if not self._waiting_of[key]:
            del self._waiting_of[key]

    def _refuse_if_full(self, key: Hashable) -> None:
        if self.held[key] + self._waiting_of[key] >= self.per_key + self.max_waiting_per_key:
            sentence = gettext_lazy("You have too many requests in progress. Try again in a moment.")
            raise Refused(sentence, "too_many_requests", 429, retry_after=RETRY_DELAY)
        if len(self._waiting) >= self.max_waiting:
            raise _busy()

    def _release(self, key: Hashable) -> None:
        self.in_use -= 1
        self.held[key] -= 1
        if not self.held[key]:
            del self.held[key]  # keys are endless, memory is not
        for turn, waiting_key in self._waiting.items():
            if not turn.done() and self._is_free_for(waiting_key):  # done: cancelled, and about to leave the line
                self._leave_line(turn)
                self._take(waiting_key)
                turn.set_result(None)
                return


def _busy() -> Refused:
    return Refused(gettext_lazy("The server is busy. Try again in a moment."), "busy", 503, retry_after=RETRY_DELAY)
