"""The open connections of a server: how many there are, from which addresses, and which of them are idle.

A connection is idle until the head of a request has arrived, and again after the response. When there are too many,
the one that has been idle for longest is closed to make room for a new one. Idle connections have no timers of their
own: a sweep looks at the oldest once a second.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from enum import Enum
from typing import Protocol

from .addresses import network_of

SWEEP_INTERVAL = 1  # seconds
RESERVE = 64  # connections beyond the limit, which may only ask for /health
RESERVE_IDLE_TIMEOUT = 2  # seconds


class Connection(Protocol):
    def abort(self) -> None:
        """Closes the connection at once."""

    def has_unsent(self) -> bool:
        """Whether part of a response has not been sent yet, because the client does not read it."""


class Admission(Enum):
    OPEN = "open"
    RESERVE = "reserve"  # for /health only
    REFUSED = "refused"


class Connections:
    """At most `limit` connections, and at most `limit_per_address` of an address that is not a proxy (`is_proxy`).

    An idle connection is closed after `idle_timeout` seconds, or after `send_timeout` while its client is still reading
    the response. For one event loop.
    """

    def __init__(
        self,
        limit: int,
        limit_per_address: int,
        *,
        idle_timeout: float,
        send_timeout: float,
        is_proxy: Callable[[str], bool] = lambda address: False,
    ) -> None:
        self.limit = limit
        self.limit_per_address = limit_per_address
        self.idle_timeout = idle_timeout
        self.send_timeout = send_timeout
        self._is_proxy = is_proxy
        self._addresses: dict[Connection, str] = {}
        self._counts: Counter[str] = Counter()  # by address
        self._idle: dict[Connection, float] = {}  # -> since when, the oldest first
        self._idle_by_address: dict[str, dict[Connection, None]] = {}
        self._reserve: dict[Connection, float] = {}  # -> since when
        self._sweeper: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._addresses)

    def admit(self, connection: Connection, address: str) -> Admission:
        """Counts a new connection, closing an idle one if there is no room. A refused one is not counted."""
        key = network_of(address)
        if not self._is_proxy(address) and self._counts[key] >= self.limit_per_address:
            if not self._close_oldest(self._idle_by_address.get(key, {})):
                self._forget_empty(key)
                return Admission.REFUSED
        if len(self._addresses) - len(self._reserve) >= self.limit and not self._close_oldest(self._idle):
            if len(self._reserve) >= RESERVE:
                self._forget_empty(key)
                return Admission.REFUSED
            self._add(connection, key)
            self._reserve[connection] = asyncio.get_running_loop().time()
            return Admission.RESERVE
        self._add(connection, key)
        self.set_idle(connection)
        return Admission.OPEN

    def add(self, connection: Connection, address: str) -> None:
        """Counts a connection that takes the place of one just discarded."""
        self._add(connection, network_of(address))

    def _add(self, connection: Connection, key: str) -> None:
        self._addresses[connection] = key
        self._counts[key] += 1
        if self._sweeper is None:
            self._sweeper = asyncio.get_running_loop().call_later(SWEEP_INTERVAL, self._sweep)

    def set_idle(self, connection: Connection) -> None:
        if connection not in self._addresses or connection in self._reserve:
            return
        self._idle.pop(connection, None)  # to the end
        self._idle[connection] = asyncio.get_running_loop().time()
        self._idle_by_address.setdefault(self._addresses[connection], {})[connection] = None

    def set_busy(self, connection: Connection) -> None:
        if self._idle.pop(connection, None) is not None:
            key = self._addresses[connection]
            others = self._idle_by_address[key]
            del others[connection]
            if not others:
                del self._idle_by_address[key]

    def discard(self, connection: Connection) -> None:
        key = self._addresses.get(connection)
        if key is None:
            return
        self.set_busy(connection)
        self._reserve.pop(connection, None)
        del self._addresses[connection]
        self._counts[key] -= 1
        self._forget_empty(key)

    def _forget_empty(self, key: str) -> None:
        if not self._counts[key]:
            del self._counts[key]  # otherwise, the counter would grow with every new address

    def _close_oldest(self, connections: dict) -> bool:
        oldest = next(iter(connections), None)
        if oldest is None:
            return False
        self._close(oldest)
        return True

    def _close(self, connection: Connection) -> None:
        self.discard(connection)
        connection.abort()

    def _sweep(self) -> None:
        now = asyncio.get_running_loop().time()
        late = []
        for connection, since in self._idle.items():
            if now - since < self.idle_timeout:
                break
            if now - since >= self.send_timeout or not connection.has_unsent():
                late.append(connection)
        late += [connection for connection, since in self._reserve.items() if now - since >= RESERVE_IDLE_TIMEOUT]
        for connection in late:
            self._close(connection)
        self._sweeper = None
        if self._addresses:
            self._sweeper = asyncio.get_running_loop().call_later(SWEEP_INTERVAL, self._sweep)
