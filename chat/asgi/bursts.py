"""Spreads bursts: requests of one address that arrive together begin over several turns of the event loop.

A session that has many requests without an answer is refused more of them before Django sees them, which costs a
thirtieth: 0.06 ms.
"""

import asyncio
from collections import Counter
from contextlib import ExitStack

from ..fair_queue import FairQueue, Ticket
from ..live.consumers import TOO_MANY
from ..per_loop import PerLoop
from ..slots import too_many_requests
from .base import Application, Receive, Scope, Send, address_of, send_error, session_of

MAX_STARTS = 8  # of one address in one turn; each takes about 0.3 ms until it first awaits something
MAX_UNANSWERED = 100  # requests and sockets of one session


def spread_bursts(application: Application) -> Application:
    """Lets at most MAX_STARTS requests and sockets of an address begin in each turn of the loop.

    A client may open a thousand connections at once. All of their requests would begin in the same turn, and the
    tokens and heartbeats of all other users would come after them. A client that sends no burst does not wait.
    Users who share an address take turns.
    """

    async def wrapped(scope, receive, send):
        ours, session = starts.get(), session_of(scope)
        if not ours.begin(address_of(scope)):
            await ours.wait(address_of(scope), session)
        if ours.unanswered[session] >= MAX_UNANSWERED:
            return await _refuse(scope, receive, send)
        with ExitStack() as scope["unanswered"]:
            ours.count_unanswered(session, scope["unanswered"])  # until address_limits.note_answer
            await application(scope, receive, send)

    return wrapped


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})  # without it, the client would get a 403 and no code
        return await send({"type": "websocket.close", "code": TOO_MANY})
    await send_error(scope, send, too_many_requests())


class Starts:
    """The requests that begin in this turn of one event loop, and those that wait for a later one."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._counts: Counter[str] = Counter()  # address -> begun in this turn
        self._waiting: dict[str, FairQueue] = {}  # by address
        self._has_next_turn = False
        self.unanswered: Counter[bytes] = Counter()  # by session

    def count_unanswered(self, session: bytes, stack: ExitStack) -> None:
        """Counts a request of this session until the stack is closed."""
        if session:
            self.unanswered[session] += 1
            stack.callback(self._answered, session)

    def _answered(self, session: bytes) -> None:
        self.unanswered[session] -= 1
        if not self.unanswered[session]:
            del self.unanswered[session]  # sessions are endless, memory is not

    def begin(self, address: str) -> bool:
        """Counts a request and returns True, unless it has to wait."""
        if self._counts[address] >= MAX_STARTS or address in self._waiting:
            return False
        self._counts[address] += 1
        self._schedule_next_turn()
        return True

    async def wait(self, address: str, session: bytes) -> None:
        start: Ticket = self._loop.create_future()
        queue = self._waiting.setdefault(address, FairQueue())
        queue.add(start, session)
        self._schedule_next_turn()
        try:
            await start
        except asyncio.CancelledError:
            if start in queue:
                queue.remove(start)
                if not queue:
                    del self._waiting[address]
            raise

    def _schedule_next_turn(self) -> None:
        if not self._has_next_turn:
            self._has_next_turn = True
            self._loop.call_soon(self._next_turn)

    def _next_turn(self) -> None:
        self._has_next_turn = False
        self._counts.clear()
        for address in list(self._waiting):
            queue = self._waiting[address]
            while self._counts[address] < MAX_STARTS and (first := queue.first()):
                queue.take(first[1])
                first[1].set_result(None)
                self._counts[address] += 1
            if not queue:
                del self._waiting[address]
        if self._counts:
            self._schedule_next_turn()


starts = PerLoop(Starts)
