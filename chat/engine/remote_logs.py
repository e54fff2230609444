"""The logs of runs that other processes write and readers here follow: one query per tick fills all of them.

A reader first reads what the database holds. Then it follows the run's log in memory, like one that is written here.
The first reader of a run opens its log, and the last one to leave closes it; the query runs while a log is open.

With a relay, the events come sooner from there. What comes twice is left out, and nothing is added behind a gap, so the
query then adds only what the relay has lost, and is less frequent while that is nothing.
"""

import asyncio
import logging
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from .. import events
from ..executors import DatabaseThread
from ..models import ReadPosition, Run, RunEvent
from .log import Log, Stored, live_run
from .relay import Entry, Position

if TYPE_CHECKING:
    from .runner import Engine

# Seconds between two queries; more where one takes long, so that they take half of the time at most.
POLL_INTERVAL = 0.1
RELAYED_POLL_INTERVAL = 0.5  # while the relay has brought everything before
RETRY_DELAY = 1  # seconds after a query that failed
MAX_EVENTS_PER_QUERY = 10_000  # after an outage, say; in equal shares for all runs
MIN_EVENTS_PER_RUN = 50  # of a query; more than nearly all runs have in a tick
MAX_LOGS_PER_TURN = 16  # that wake their readers before other tasks have the loop; about a millisecond

News: TypeAlias = tuple[str | None, int | None, list["Row"]]  # status and attempts: None if the run was deleted

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the journal: `length` is that of its text, `seq` the number of the first of its events."""

    seq: int
    length: int
    events: Sequence[events.Event]

    @property
    def position(self) -> ReadPosition:
        return ReadPosition(self.seq + len(self.events) - 1, self.seq, self.length)


class RemoteLog(Log):
    """A log of events from behind position `start`. Those before it are None, and no reader here asks for them."""

    __slots__ = ("attempts", "gap", "position", "readers", "run_id", "start")

    def __init__(self, run: Run, position: ReadPosition) -> None:
        super().__init__()
        self.run_id = run.pk
        self.attempts = run.attempts
        self.position = position  # up to which the rows have been read
        self.start = position.seq
        self.readers = 0
        self.gap = -1  # how many events there were when the relay had none that follow
        self.events += [None] * self.start  # type: ignore[list-item]  # 8 bytes each; the index stays the number

    @property
    def relay_position(self) -> Position:
        """Behind what the relay continues the log."""
        return self.run_id, self.attempts or 1, len(self.events)

    @property
    def has_gap(self) -> bool:
        """Whether only the journal can continue the log."""
        return self.gap == len(self.events)

    def add(self, seq: int, new: Sequence[events.Event]) -> bool:
        """Appends those of these consecutive events that are not known yet; returns False if others are missing before.

        `seq` is the number of the first. The terminal event ends the log.
        """
        known = len(self.events) - (seq - 1)
        if known < 0:
            return False
        if fresh := new[known:]:
            self.events.extend(fresh)
            self.ended = fresh[-1].type in events.TERMINAL
            self.wake()
        return True

    def take(self, status: str | None, attempts: int | None, rows: Sequence[Row]) -> None:
        """Adds what the database holds; ends the log if that does not continue it."""
        if (self.attempts, attempts) == (0, 1):  # it waited for its first claim
            self.attempts = 1
        if (self.attempts, attempts) == (1, 0):  # read before that claim, of which the relay has told meanwhile
            return
        is_repeated = self.attempts != attempts or (status == Run.QUEUED and self.events)
        size = len(self.events)
        is_continued = not is_repeated
        for row in rows:
            is_continued = is_continued and self.add(row.seq, row.events)
            if is_continued:
                self.position = row.position
        has_all = status not in Run.OPEN and len(self.events) == size
        if not self.ended and (has_all or not is_continued):
            self.end()

    def is_outdated(self, run: Run, cursor: int, stored: Stored | None) -> bool:
        """Whether the run was started again since: its row says so, or the rows behind which the log began are gone."""
        if self.attempts != run.attempts:
            return self.attempts < run.attempts and not self.is_of(run)
        return self.start > cursor and stored is not None and not stored.numbered

    def is_of(self, run: Run) -> bool:
        """Whether this is the attempt that the run's row tells of. One that waited for its first has it meanwhile."""
        return self.attempts == run.attempts or (self.attempts, run.attempts) == (0, 1)


class RemoteLogs:
    """The logs of a process that are open: at most one for each run, and none for a run that it writes itself."""

    def __init__(self, engine: "Engine") -> None:
        self.engine = engine
        self.logs: dict[uuid.UUID, RemoteLog] = {}
        self.database = DatabaseThread("remote-logs")
        self._filling: asyncio.Task | None = None
        self._has_gap = asyncio.Event()  # a log waits for the next query
        self._relay_was_first = False  # with all that the last query has found

    def open(self, run: Run, cursor: int, stored: Stored | None = None) -> RemoteLog | None:
        """Returns the log in which a reader at this position continues; it has to be `reading` in the same turn.

        None means that the reader has to look at the database first, or again. `stored` is what it has found there,
        up to the end: where that ends, a log can begin.
        """
        if self.engine.is_shutting_down or live_run(self.engine, run) or not run.is_open:
            return None
        log = self.logs.get(run.pk)
        if log is not None and log.is_outdated(run, cursor, stored):
            self.end(run.pk)
            log = None
        if log is None:
            return self._begin(run, stored.position) if stored else None
        return log if log.is_of(run) and log.start <= cursor else None

    def _begin(self, run: Run, position: ReadPosition) -> RemoteLog:
        log = self.logs[run.pk] = RemoteLog(run, position)
        if self._filling is None:
            self._filling = self.engine.spawn(self._fill_forever())
        if self.engine.relay:
            self.engine.relay.read_for(self)
        return log

    def add(self, entry: Entry) -> None:
        """Adds events from the relay to the log that they continue."""
        log = self.logs.get(entry.run_id)
        if log is None:
            return
        if (log.attempts, entry.attempt) == (0, 1):
            log.attempts = 1
        if log.attempts != entry.attempt:  # it was started again, which the next query tells
            return
        if not log.add(entry.first, events.unpack(entry.data)):
            log.gap = len(log.events)
            self._has_gap.set()
        if log.ended:
            del self.logs[entry.run_id]

    def end(self, run_id: uuid.UUID) -> None:
        """Sends the readers of a run away: they look again where it is written."""
        log = self.logs.pop(run_id, None)
        if log is not None:  # an empty one is false
            log.end()

    @contextmanager
    def reading(self, log: Log) -> Iterator[None]:
        """Counts a reader of a log; one without readers is forgotten. A log that is written here needs none."""
        if not isinstance(log, RemoteLog):
            yield
            return
        log.readers += 1
        try:
            yield
        finally:
            log.readers -= 1
            if not log.readers and self.logs.get(log.run_id) is log:
                del self.logs[log.run_id]

    async def _fill_forever(self) -> None:
        """Fills the logs once a tick for as long as there are any. Their first readers have just read the database."""
        now = asyncio.get_running_loop().time
        pause = POLL_INTERVAL
        try:
            while self.logs:
                await self._sleep(pause)
                began = now()
                try:
                    has_more = await self.fill()
                    took = now() - began
                    interval = RELAYED_POLL_INTERVAL if self._relay_was_first else POLL_INTERVAL
                    pause = took if has_more else max(interval - took, took)
                except Exception:
                    logger.exception("The runs of other processes could not be read; trying again")
                    pause = RETRY_DELAY
        finally:
            self._filling = None

    async def _sleep(self, seconds: float) -> None:
        """Sleeps that long, but no longer than POLL_INTERVAL where a log has a gap."""
        await asyncio.sleep(min(seconds, POLL_INTERVAL))
        if seconds > POLL_INTERVAL:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds - POLL_INTERVAL):
                    await self._has_gap.wait()
        self._has_gap.clear()

    async def fill(self) -> bool:
        """Adds to each log what the database has; returns whether it may have more at once."""
        logs = list(self.logs.values())
        if not logs:
            return False
        reach = max(MIN_EVENTS_PER_RUN, MAX_EVENTS_PER_QUERY // len(logs))
        positions = [(log.run_id, log.attempts, log.position) for log in logs]
        found = await self.database.run(_read, positions, reach)
        has_more, count = False, 0
        for number, (log, (run_id, _, position)) in enumerate(zip(logs, positions, strict=True)):
            if number and number % MAX_LOGS_PER_TURN == 0:
                await asyncio.sleep(0)
            if run_id in found and self.logs.get(run_id) is log:  # it may have been closed meanwhile
                count -= len(log.events)
                log.take(*found[run_id])
                count += len(log.events)
                has_more = has_more or log.position.seq - position.seq >= reach
                if log.ended:
                    del self.logs[run_id]
        self._relay_was_first = self.engine.relay is not None and not count
        return has_more


def _read(positions: Iterable[tuple[uuid.UUID, int, ReadPosition]], reach: int) -> dict[uuid.UUID, News]:
    """Returns what is new in the database behind these positions, by run. Sync.

    A run whose events this process cannot read looks like a deleted one: a newer process may write other types.
    """
    found: dict[uuid.UUID, News] = {}
    for run in RunEvent.objects.read_many(positions, reach):
        try:
            rows = [Row(seq, len(data), events.unpack(data)) for seq, data in run.rows]
        except Exception:
            logger.exception("The events of run %s cannot be read", run.run_id)
            found[run.run_id] = (None, None, [])
        else:
            found[run.run_id] = (run.status, run.attempts, rows)
    return found
