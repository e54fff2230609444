"""Bursts: what arrives in one turn of the event loop is begun over several, for everybody else's sake."""

import asyncio
from collections import Counter, deque

from ..per_loop import PerLoop
from .base import Application, address_of

MAX_STARTS = 8  # of an address in one turn; each takes about 0.3 ms until it waits for something


def spread_bursts(application: Application) -> Application:
    """Begins few requests and sockets of an address in each turn of the loop.

    A client may open a thousand connections at once. All of their requests would begin in the same turn, and tokens and
    heartbeats of everybody would come after them. Nobody waits who sends no burst.
    """

    async def wrapped(scope, receive, send):
        starts = _starts.get()
        if not starts.begin(address_of(scope)):
            await starts.wait(address_of(scope))
        await application(scope, receive, send)

    return wrapped


class Starts:
    """The requests that begin in this turn of one event loop, and those that wait for a later one."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._counts: Counter[str] = Counter()  # address -> begun in this turn
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}
        self._has_next_turn = False

    def begin(self, address: str) -> bool:
        """Counts a request and returns True, unless it has to wait."""
        if self._counts[address] >= MAX_STARTS or address in self._waiting:
            return False
        self._counts[address] += 1
        self._expect_next_turn()
        return True

    async def wait(self, address: str) -> None:
        turn: asyncio.Future[None] = self._loop.create_future()
        self._waiting.setdefault(address, deque()).append(turn)
        self._expect_next_turn()
        await turn

    def _expect_next_turn(self) -> None:
        if not self._has_next_turn:
            self._has_next_turn = True
            self._loop.call_soon(self._next_turn)

    def _next_turn(self) -> None:
        self._has_next_turn = False
        self._counts.clear()
        for address in list(self._waiting):
            line = self._waiting[address]
            while line and self._counts[address] < MAX_STARTS:
                turn = line.popleft()
                if not turn.done():  # cancelled
                    turn.set_result(None)
                    self._counts[address] += 1
            if not line:
                del self._waiting[address]
        if self._counts:
            self._expect_next_turn()


_starts = PerLoop(Starts)
