"""The live log of a run in memory, and reading it: append, follow; who waits for which run.

Readers keep a cursor, not a queue. A wake-up carries no data; the log does. Whoever lags reads more at once:
consecutive deltas that wait for it leave as one event whose number is the last of them.
"""

import asyncio

from asgiref.sync import sync_to_async
from django.db.models import Subquery

from .. import events
from ..models import Run, RunEvent

POLL = 0.25  # seconds between looks into the database, for a run that another process writes
CHUNK = 200  # rows read from the database at a time
LARGEST = 64_000  # characters of one joined delta
BREATH = 200  # events after which a replay lets others have the loop


class Log:
    """The events of one live run, from seq 1. `ended` without a terminal event means that it is no longer ours."""

    __slots__ = ("_loop", "_seen", "_waiting", "ended", "events", "journaled")

    def __init__(self):
        self._loop = asyncio.get_running_loop()  # kept: to ask for it costs a system call
        self.events, self._waiting = [], []
        self.journaled = 0  # how many of the events are in the database
        self._seen = 0  # how many there were at the last look around
        self.ended = False

    def __len__(self):
        return len(self.events)

    def append(self, event):
        self.events.append(event)
        if self._waiting:
            self.wake()

    def end(self):
        self.ended = True
        self.wake()

    def wake(self):
        """Let every reader look, whether there is news or not."""
        waiting, self._waiting = self._waiting, []
        for reader in waiting:
            if not reader.done():
                reader.set_result(None)

    def wake_if_quiet(self):
        """Let the readers look if nothing was said since this was called last."""
        if self._seen == len(self.events):
            self.wake()
        self._seen = len(self.events)

    def next_wake(self):
        """To be awaited; one for each reader."""
        reader = self._loop.create_future()
        self._waiting.append(reader)
        return reader


async def follow(engine, run, after=0):
    """Read a run's events behind position `after`, stored ones first, then each new one until the run ends.

    Yields (seq, event); and (position, None) at every quiet pulse, so that a door can say that it is alive. Ends after
    the terminal event, or without one when the run is gone or this process is leaving: the reader then comes back.
    A position that the log does not reach, and any position in a run that had to be begun again, gets RUN_STARTED,
    MESSAGES_SNAPSHOT and what comes after; the reader replaces what it had.
    """
    cursor, attempt = after, run.attempts
    lost = cursor and attempt > 1  # nobody knows which attempt the position is of
    while not engine.leaving:
        live = engine.live.get(run.pk)  # listen first, read the log second: nothing falls between
        if live is None:
            run = await Run.objects.filter(pk=run.pk).afirst()  # the state first, for the same reason
            if run is None:
                return
        now = live.run if live else run
        if now.attempts > attempt:
            lost, attempt = cursor > 0 and now.attempts > 1, now.attempts
        if now.is_open and (lost or (live and cursor > len(live.log))):
            lost, cursor = False, 1
            for event in await snapshot(run):
                yield cursor, event
        if live:
            log, told = live.log, live.log.events
            while not engine.leaving:
                news = len(told) - cursor
                if news <= 0:
                    if log.ended:
                        break
                    await log.next_wake()
                    if cursor == len(told) and not log.ended:
                        yield cursor, None
                    continue
                # Nearly always it is one event, and each call here is made for each token.
                for cursor, event in [(cursor + 1, told[cursor])] if news == 1 else _joined(_numbered(told, cursor)):
                    yield cursor, event
                    if event.type in events.TERMINAL:
                        return
                    if cursor % BREATH == 0:
                        await asyncio.sleep(0)
            continue
        stored = []
        if not lost:
            stored, reached = await _stored(run.pk, cursor, attempt)
            if not (reached or run.is_open) and cursor == after:
                stored, lost = [], True
        for cursor, event in _joined(stored):
            yield cursor, event
            if event.type in events.TERMINAL:
                return
        if not stored and not run.is_open:
            started, messages = await snapshot(run)
            yield 1, started
            yield run.last_seq - 1, messages
            yield run.last_seq, run.terminal_event()
            return
        if not stored:
            yield cursor, None
            await asyncio.sleep(POLL)


def _numbered(told, cursor):
    return enumerate(told[cursor:], cursor + 1)


def _joined(numbered):
    """The same events with consecutive deltas of one text as one."""
    held = None
    for seq, event in numbered:
        if held is None:
            held = seq, event
            continue
        both = events.joined(held[1], event) if len(getattr(held[1], "delta", "")) < LARGEST else None
        if both is None:
            yield held
            held = seq, event
        else:
            held = seq, both
    if held is not None:
        yield held


@sync_to_async
def _stored(run_id, after, attempt):
    """The next stored events, and whether the log reaches position `after`.

    There are none once the run was begun again: its numbers then mean other events.
    """
    rows = RunEvent.objects.filter(run_id=run_id, run__attempts=attempt)
    holds = rows.filter(seq__lte=max(after, 1)).order_by("-seq").values("seq")[:1]  # the row of that event
    told = rows.filter(seq__gte=Subquery(holds))[:CHUNK].told()
    return [(seq, event) for seq, event in told if seq > after], not after or any(seq == after for seq, _ in told)


@sync_to_async
def snapshot(run):
    """RUN_STARTED and the branch up to the reply; the reply itself is in it only when the run is over."""
    run = Run.objects.select_related("message").get(pk=run.pk)
    branch = run.message.branch()
    if run.is_open:
        branch = branch[:-1]
    messages = [told for row in branch for told in events.messages_of(str(row.pk), row.role, row.parts)]
    return [events.RunStarted(str(run.conversation_id), str(run.pk)), events.MessagesSnapshot(messages)]
