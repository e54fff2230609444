"""The journal: group commit of all live runs' events.

One transaction per tick holds the new events of every live run of the process, and the runs that end are finished in
the same transaction. What a tick could not write stays in memory and is tried again at the next one.
"""

import asyncio
import logging
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db import transaction
from django.utils.translation import gettext_lazy

from .. import events
from ..executors import DatabaseThread
from ..models import Ending, Run, RunEvent
from ..outages import outage
from .recovery import interrupt
from .reply import LOST, Error

if TYPE_CHECKING:
    from .runner import LiveRun

TICK_INTERVAL = 0.1  # seconds between commits: what a killed process loses
# Where there is much to write, writing takes a fifth of the time and the streams have the rest. A row costs the same,
# however many events of its run it holds, so fewer and longer rows cost less.
MAX_TICK_INTERVAL = 0.5  # seconds
MAX_ROWS_PER_SECOND = 400
MAX_ROWS_PER_SECOND_WITH_PEERS = 2000  # readers on other processes wait for the commit
RETRY_DELAY = 1  # seconds after a commit that failed
UNWRITABLE_ERROR: Error = (
    "internal",
    gettext_lazy("Something went wrong on our side. The answer so far has been saved."),
)

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class PendingEnd:
    """A run that ends with the next commit."""

    live: "LiveRun"
    ending: Ending
    parts: list
    terminal: events.Event
    ended_here: asyncio.Future  # after the commit: whether this process ended the run


@dataclass(slots=True)
class Entry:
    """What one commit writes of one run."""

    live: "LiveRun"
    events: list[events.Event]
    finish: PendingEnd | None

    @property
    def run_id(self) -> uuid.UUID:
        return self.live.run.pk


class Journal:
    """Writes the events of the live runs, in a database thread of its own: a long commit delays no claim."""

    def __init__(self, process_id: uuid.UUID, live: Mapping[uuid.UUID, "LiveRun"]) -> None:
        self.process_id = process_id
        self.live = live
        self.database = DatabaseThread("journal")
        self.max_rows_per_second = MAX_ROWS_PER_SECOND
        self.finishing: list[PendingEnd] = []
        self._wanted = asyncio.Event()

    def wake(self) -> None:
        """There is something to write."""
        self._wanted.set()

    def set_has_peers(self, has_peers: bool) -> None:
        """Writes more often while there are other processes, whose readers learn of events by their rows."""
        self.max_rows_per_second = MAX_ROWS_PER_SECOND_WITH_PEERS if has_peers else MAX_ROWS_PER_SECOND

    async def write_forever(self) -> None:
        """Commits once a tick; a run that ends does not wait for the tick."""
        now = asyncio.get_running_loop().time
        due = now()
        while True:
            await self._next_tick(due)
            began = now()
            try:
                if began >= due:
                    rows = await self.commit(self.live)
                    due = now() + pause(now() - began, rows, self.max_rows_per_second)
                else:
                    await self.commit({item.live.run.pk: item.live for item in self.finishing})
            except Exception:
                logger.exception("The journal could not be written; trying again")
                await asyncio.sleep(RETRY_DELAY)

    async def _next_tick(self, due: float) -> None:
        """Waits for something to write, then for the rest of the tick unless a run is to be finished."""
        if not self.live:
            await self._wanted.wait()
        while not self.finishing and (wait := due - asyncio.get_running_loop().time()) > 0:
            self._wanted.clear()
            try:
                async with asyncio.timeout(wait):
                    await self._wanted.wait()
            except TimeoutError:
                break
        self._wanted.clear()

    def finish(self, live: "LiveRun", ending: Ending, parts: list, terminal: events.Event) -> "asyncio.Future[bool]":
        """Queues the end of a run; the future says after the commit whether this process ended it."""
        item = PendingEnd(live, ending, parts, terminal, asyncio.get_running_loop().create_future())
        self.finishing.append(item)
        self.wake()
        return item.ended_here

    async def commit(self, runs: Mapping[uuid.UUID, "LiveRun"]) -> int:
        """Writes the new events of these runs, finishes those that are to end, and returns the number of rows."""
        finishing = self.finishing[:]
        finish_of = {item.live.run.pk: item for item in finishing}
        batch = []
        for run_id, live in runs.items():
            new = live.log.events[live.log.journaled :]
            item = finish_of.get(run_id)
            if item:
                new.append(item.terminal)
            if new:
                batch.append(Entry(live, new, item))
        if not batch:
            return 0
        finished, unwritable = await self.database.run(self._write, batch)
        for entry in batch:
            entry.live.log.journaled += len(entry.events)
            if entry.run_id in unwritable:
                entry.live.stop(LOST)
                if run := unwritable[entry.run_id]:
                    entry.live.engine.call_end_hooks(run)
        self.finishing = self.finishing[len(finishing) :]
        for item in finishing:
            if not item.ended_here.done():
                item.ended_here.set_result(item.live.run.pk in finished)
        return len(batch)

    def _write(self, batch: list[Entry]) -> tuple[set[uuid.UUID], dict[uuid.UUID, Run | None]]:
        """Writes the batch in one transaction.

        Returns the runs that it finished, and those that could not be written, with the row where it was ended with
        what was stored.
        """
        try:
            return self._write_together(batch), {}
        except Exception as error:
            if outage(error):  # nothing is wrong with what we write
                raise
            logger.exception("The database refuses something in this commit; writing run by run")
        finished: set[uuid.UUID] = set()
        unwritable: dict[uuid.UUID, Run | None] = {}
        for entry in batch:
            try:
                finished |= self._write_together([entry])
            except Exception as error:
                if outage(error):
                    raise
                logger.exception("Run %s cannot be written and ends as it is in the journal", entry.run_id)
                unwritable[entry.run_id] = self._interrupt(entry.run_id)
        return finished, unwritable

    def _write_together(self, batch: list[Entry]) -> set[uuid.UUID]:
        rows = [(entry.run_id, entry.live.log.journaled + 1, events.pack(entry.events)) for entry in batch]
        finished = set()
        with transaction.atomic():
            RunEvent.objects.append_many(rows, self.process_id)
            for entry in batch:
                if entry.finish and self._finish(entry, entry.finish):
                    finished.add(entry.run_id)
        return finished

    def _finish(self, entry: Entry, item: PendingEnd) -> bool:
        last_seq = entry.live.log.journaled + len(entry.events)
        return entry.live.run.finish(item.ending, item.parts, last_seq=last_seq, process_id=self.process_id)

    def _interrupt(self, run_id: uuid.UUID) -> Run | None:
        with transaction.atomic():
            ours = Run.objects.filter(pk=run_id, process_id=self.process_id, status=Run.IN_PROGRESS)
            run = ours.first()
            return run if run and interrupt(run, UNWRITABLE_ERROR) else None


def pause(seconds: float, rows: int, max_rows_per_second: int) -> float:
    """Seconds from a commit that took that long for that many rows to the next."""
    return max(TICK_INTERVAL, min(max(4 * seconds, rows / max_rows_per_second), MAX_TICK_INTERVAL))
