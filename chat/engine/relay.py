"""The relay: what runs write goes at once to the processes that follow them. The journal is the truth, not the relay.

The process of a run gives the relay the run's new events every few hundredths of a second, whether they are in the
journal or not. A process with readers asks for those of all runs that it follows, and adds them to their logs (see
remote_logs). What the relay has lost is missing there until the journal has it: nothing is added behind a gap.

No run waits for the relay. While its server is away, readers have what the journal has, and what was written meanwhile
is not sent later.
"""

import asyncio
import logging
import uuid
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from django.conf import settings

from .. import events
from ..models import Run

if TYPE_CHECKING:
    from .remote_logs import RemoteLogs
    from .runner import Engine, LiveRun

WRITE_INTERVAL = 0.02  # seconds between two writes of all runs
READ_INTERVAL = 0.025  # seconds between two reads for all logs
RETRY_DELAY = 1  # seconds after a failure
MAX_DATA_LENGTH = 16_000  # characters of an entry; readers get what is longer from the journal
# A process that stood still for longer may have been taken for dead, and has to ask whether its runs are still its own.
STALL_TIMEOUT = 1  # seconds; a heartbeat's interval
MAX_ENTRIES_PER_TURN = 16  # whose readers wake before other tasks have the loop

Position: TypeAlias = tuple[uuid.UUID, int, int]  # a run, its attempt, and the number of the last known event

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Entry:
    """Consecutive events of one attempt of a run, as JSON; `first` and `last` are their numbers."""

    run_id: uuid.UUID
    attempt: int
    first: int
    last: int
    data: str


class Transport(Protocol):
    """What carries the entries. Each method raises what it likes if that fails, within about a second."""

    async def write(self, entries: Sequence[Entry]) -> None:
        """Adds entries, each behind the others of its run.

        Leaves out those of an attempt after which another one has written, and those that a write has added before.
        """

    async def read(self, positions: Sequence[Position]) -> Sequence[Entry]:
        """Returns entries that end behind these positions, in the order of each run; none, if there are none yet."""

    async def close(self) -> None: ...


class Writing:
    """A run that this process writes, and how many of its events the relay had."""

    __slots__ = ("count", "live")

    def __init__(self, live: "LiveRun") -> None:
        self.live = live
        self.count = 0

    def take(self) -> Entry | None:
        """Returns what is new, and counts it as sent."""
        log, first = self.live.log, self.count + 1
        new = log.events[self.count :]
        self.count = len(log.events)
        data = events.pack(new) if new else ""
        if not new or len(data) > MAX_DATA_LENGTH:
            return None
        return Entry(self.live.run.pk, self.live.run.attempts, first, self.count, data)


class Relay:
    """The two loops of a process: one while it writes runs, one while readers here follow runs of other processes."""

    def __init__(self, engine: "Engine", transport: Transport) -> None:
        self.engine = engine
        self.transport = transport
        self._failing: set[str] = set()  # of "writing" and "reading"; each failure is logged once
        self._runs: dict[uuid.UUID, Writing] = {}
        self._writing: asyncio.Task | None = None
        self._stalled_at = 0.0  # loop time
        self._reading: asyncio.Task | None = None

    def add(self, live: "LiveRun") -> None:
        """Sends this run's events, from the first on, until its log ends."""
        self._runs[live.run.pk] = Writing(live)
        if self._writing is None:
            self._writing = self.engine.spawn(self._write_forever())

    def read_for(self, logs: "RemoteLogs") -> None:
        """Fills these logs for as long as there are any."""
        if self._reading is None:
            self._reading = self.engine.spawn(self._read_forever(logs))

    async def close(self) -> None:
        await self.transport.close()

    async def _write_forever(self) -> None:
        now = asyncio.get_running_loop().time
        pause, last_turn = WRITE_INTERVAL, now()
        try:
            while self._runs:
                await asyncio.sleep(pause)
                if now() - last_turn > pause + STALL_TIMEOUT:
                    self._stalled_at = now()
                last_turn = now()
                pause = await self._attempt("writing", self.write(), WRITE_INTERVAL)
        finally:
            self._writing = None

    async def write(self) -> None:
        """Sends what is new of all runs that are ours, and forgets those that have ended."""
        if self.engine.confirmed_at < self._stalled_at:
            return
        entries = [entry for each in self._runs.values() if not each.live.is_lost and (entry := each.take())]
        for run_id in [run_id for run_id, each in self._runs.items() if each.live.log.ended]:
            del self._runs[run_id]
        if entries:
            await self.transport.write(entries)

    async def send_end(self, run: Run) -> None:
        """Sends the end of a run whose process died. If that still lives, nothing that it sends is taken any more."""
        seq = run.last_seq or 0
        end = Entry(run.pk, run.attempts, seq, seq, events.pack([run.terminal_event()]))
        await self._attempt("writing", self.transport.write([end]), WRITE_INTERVAL)

    async def _read_forever(self, logs: "RemoteLogs") -> None:
        pause = READ_INTERVAL
        try:
            while logs.logs:
                await asyncio.sleep(pause)
                pause = await self._attempt("reading", self.read(logs), READ_INTERVAL)
        finally:
            self._reading = None

    async def read(self, logs: "RemoteLogs") -> None:
        """Adds what other processes have sent to the logs here, but to none that waits for the journal."""
        positions = [log.relay_position for log in logs.logs.values() if not log.has_gap]
        if not positions:
            return
        for number, entry in enumerate(await self.transport.read(positions), 1):
            logs.add(entry)
            if number % MAX_ENTRIES_PER_TURN == 0:
                await asyncio.sleep(0)

    @property
    def is_sending(self) -> bool:
        """Whether what is written here can reach other processes; the journal is then less urgent."""
        return "writing" not in self._failing

    async def _attempt(self, kind: str, work: Coroutine[Any, Any, None], interval: float) -> float:
        """Returns the seconds until the next attempt: the rest of the interval, and half of it at least."""
        now = asyncio.get_running_loop().time
        began = now()
        try:
            await work
        except Exception as error:
            if kind not in self._failing:
                logger.warning("The relay fails at %s, so readers wait for the journal: %s", kind, error)
            self._failing.add(kind)
            return RETRY_DELAY
        if kind in self._failing:
            logger.info("The relay works again at %s", kind)
            self._failing.discard(kind)
        return max(interval - (now() - began), interval / 2)


def make_relay(engine: "Engine") -> Relay | None:
    """Returns the relay of this process; None without `REDIS_URL`. Its package is loaded only with it."""
    if not settings.REDIS_URL:
        return None
    from .redis_streams import RedisStreams

    return Relay(engine, RedisStreams(settings.REDIS_URL))
