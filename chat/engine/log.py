"""The live log of a run in memory: append to it, follow it, wake those who wait for it.

Readers keep a cursor, not a queue. A wake-up carries no data; the log does. A reader that lags reads more at once:
consecutive deltas that wait for it leave as one event whose number is the last of them.

Stored events are read from the database, new ones from a log in memory: the run's own if this process writes it, else
one that remote_logs fills.
"""

import asyncio
import uuid
from collections.abc import AsyncGenerator, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from asgiref.sync import sync_to_async
from django.db import close_old_connections
from django.db.models import Subquery

from .. import events, outages
from ..models import Message, ReadPosition, Run, RunEvent
from ..parts import to_agui_messages

if TYPE_CHECKING:
    from .runner import Engine, LiveRun

OUTAGE_DELAY = 1  # second until a database that could not be read is asked again
MAX_ROWS_PER_QUERY = 200
MAX_DELTA_CHARS = 64_000  # of a delta that is joined from several
MAX_SNAPSHOT_LENGTH = 10_000_000  # characters; older messages are left out
MAX_EVENTS_PER_TURN = 1000  # of a replay, before it lets other tasks have the loop; a millisecond

NOTHING_READ = ReadPosition()
Numbered: TypeAlias = tuple[int, events.Event]


class Log:
    """The events of one live run, from seq 1. `ended` without a terminal event means: no longer written here."""

    __slots__ = ("_loop", "_readers", "_seen", "ended", "events", "journaled")

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()  # kept: asking for it costs a system call
        self.events: list[events.Event] = []
        self._readers: list[asyncio.Future] = []
        self.journaled = 0  # how many of the events are in the database
        self._seen = 0  # how many events there were at the last `wake_if_quiet`
        self.ended = False

    def __len__(self) -> int:
        return len(self.events)

    def append(self, event: events.Event) -> None:
        self.events.append(event)
        if self._readers:
            self.wake()

    def end(self) -> None:
        self.ended = True
        self.wake()

    def wake(self) -> None:
        """Wakes every reader, whether there are new events or not."""
        readers, self._readers = self._readers, []
        for reader in readers:
            if not reader.done():
                reader.set_result(None)

    def wake_if_quiet(self) -> None:
        """Wakes the readers if no event was appended since the last call."""
        if self._seen == len(self.events):
            self.wake()
        self._seen = len(self.events)

    def next_wake(self) -> asyncio.Future:
        """A future of the next wake-up, one for each reader."""
        reader = self._loop.create_future()
        self._readers.append(reader)
        return reader

    def next_events(self, cursor: int) -> Iterable[Numbered]:
        """The next (seq, event) behind the cursor: nearly always one, and this is called for each token."""
        if len(self.events) == cursor + 1:
            return ((cursor + 1, self.events[cursor]),)
        end = cursor - cursor % MAX_EVENTS_PER_TURN + MAX_EVENTS_PER_TURN
        return _join(enumerate(self.events[cursor:end], cursor + 1))


@dataclass(slots=True)
class Stored:
    """What the database holds of a run behind a position: some of it, or all if `is_complete`, up to `position`."""

    numbered: list[Numbered] = field(default_factory=list)
    position: ReadPosition = NOTHING_READ
    is_complete: bool = True


async def follow(engine: "Engine", run: Run, after: int = 0) -> AsyncGenerator[tuple[int, events.Event | None], None]:
    """Reads a run's events behind position `after`, stored ones first, then each new one until the run ends.

    Yields (seq, event), and (position, None) at intervals while nothing happens, so that the transport can send a
    keepalive. While the database is away, waits for it. Ends after the terminal event, or without one when the run is
    deleted or this process shuts down; the reader then reconnects. A position that the log does not reach, and any
    position in a run that was started again, gets RUN_STARTED, MESSAGES_SNAPSHOT and what comes after; the reader
    replaces what it had.
    """
    cursor, attempt = after, run.attempts
    is_lost = after > 0 and attempt > 1  # the position may be one of an earlier attempt
    while not engine.is_shutting_down:
        try:
            live = live_run(engine, run)
            if live is None:
                stored_run = await Run.objects.filter(pk=run.pk).afirst()  # the status before the events
                if stored_run is None:
                    return
                run = stored_run
            current = live.run if live else run
            if current.attempts > attempt:
                is_lost = cursor > 0 and current.attempts > 1
                attempt = current.attempts
            if current.is_open and (is_lost or (live and cursor > len(live.log))):
                replacement = await snapshot(run)
                is_lost, cursor = False, 1
                for event in replacement:
                    yield cursor, event
            log = live.log if live else engine.remote_logs.open(run, cursor)
            if log is None:
                stored = await _read(run, None if is_lost else cursor, attempt)
                for seq, event in stored.numbered:
                    cursor = seq
                    yield seq, event
                    if event.type in events.TERMINAL:
                        return
                log = engine.remote_logs.open(run, cursor, stored) if stored.is_complete else None
                if log is None:
                    continue
            with engine.remote_logs.reading(log):
                while not engine.is_shutting_down:
                    if cursor >= len(log.events):
                        if log.ended:
                            break
                        await log.next_wake()
                        if cursor >= len(log.events) and not log.ended:
                            yield cursor, None
                        continue
                    for seq, event in log.next_events(cursor):
                        cursor = seq
                        yield seq, event
                        if event.type in events.TERMINAL:
                            return
                    if cursor % MAX_EVENTS_PER_TURN == 0:
                        await asyncio.sleep(0)
        except outages.DATABASE_ERRORS as error:
            if outages.outage(error) is None:
                raise
            yield cursor, None
            await _wait_after_outage()


async def _wait_after_outage() -> None:
    await asyncio.sleep(OUTAGE_DELAY)
    await sync_to_async(close_old_connections)()  # otherwise done between requests


def live_run(engine: "Engine", run: Run) -> "LiveRun | None":
    """Returns the run if this process writes it. One that has ended is read from the database, where all of it is."""
    live = engine.live.get(run.pk)
    return live if live and live.run.is_open else None


def _join(numbered: Iterable[Numbered]) -> Iterator[Numbered]:
    """The same events with consecutive deltas of one text as one."""
    deltas: list[events.Event] = []
    length = last = 0
    for seq, event in numbered:
        if deltas and (length >= MAX_DELTA_CHARS or not events.continues(deltas[0], event)):
            yield last, events.join_deltas(deltas)
            deltas, length = [], 0
        deltas.append(event)
        length += len(getattr(event, "delta", ""))
        last = seq
    if deltas:
        yield last, events.join_deltas(deltas)


async def _read(run: Run, after: int | None, attempt: int) -> Stored:
    """Returns the next stored events, or of an ended run that has none what replaces them. `after` None: it is lost."""
    stored = Stored() if after is None else await _stored(run.pk, after, attempt, must_reach=not run.is_open)
    if not stored.numbered and not run.is_open:
        stored.numbered = await _replacement(run)
    return stored


@sync_to_async
def _stored(run_id: uuid.UUID, after: int, attempt: int, must_reach: bool) -> Stored:
    """The next stored events.

    None are returned once the run was started again, as its numbers then mean other events; nor, with `must_reach`, if
    the log has no event at position `after`.
    """
    rows = RunEvent.objects.filter(run_id=run_id, run__attempts=attempt)
    row_of_position = rows.filter(seq__lte=max(after, 1)).order_by("-seq").values("seq")[:1]
    numbered: list[Numbered] = []
    position, count = NOTHING_READ, 0
    for seq, data in rows.filter(seq__gte=Subquery(row_of_position)).values_list("seq", "data")[:MAX_ROWS_PER_QUERY]:
        numbered += enumerate(events.unpack(data), seq)
        position = ReadPosition(numbered[-1][0], seq, len(data))
        count += 1
    if must_reach and after and all(seq != after for seq, _ in numbered):
        return Stored()
    new = _join((seq, event) for seq, event in numbered if seq > after)
    return Stored(list(new), position, count < MAX_ROWS_PER_QUERY)


async def _replacement(run: Run) -> list[Numbered]:
    """What a reader of an ended run gets in place of a log that does not hold its position."""
    started, messages = await snapshot(run)
    assert run.last_seq is not None  # a constraint of the database
    return [(1, started), (run.last_seq - 1, messages), (run.last_seq, run.terminal_event())]


@sync_to_async
def snapshot(run: Run) -> list[events.Event]:
    """RUN_STARTED and the branch up to the reply; the reply itself is in it only when the run has ended."""
    run = Run.objects.select_related("message").get(pk=run.pk)
    branch = run.message.branch()
    if run.is_open:
        branch = branch[:-1]
    branch = _newest(branch)
    messages = [message for row in branch for message in to_agui_messages(str(row.pk), row.role, row.parts)]
    return [events.RunStarted(str(run.conversation_id), str(run.pk)), events.MessagesSnapshot(messages)]


def _newest(branch: list[Message]) -> list[Message]:
    """Returns as much of the end of a branch as fits into a snapshot."""
    length = 0
    for index in range(len(branch) - 1, -1, -1):
        length += len(branch[index].text)
        if length > MAX_SNAPSHOT_LENGTH:
            return branch[index + 1 :]
    return branch
