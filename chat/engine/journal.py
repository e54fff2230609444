"""The journal: group commit of all live runs' events, and the recovery of runs whose process died.

One transaction per tick holds the new events of every live run of the process, and the runs that end settle in the
same transaction. What a tick could not write stays in memory and is tried again at the next one.
"""

import asyncio
import logging
from datetime import timedelta

from django.conf import settings
from django.db import OperationalError, connection, transaction
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy

from .. import events
from ..models import Attachment, Conversation, Run, RunEvent, Worker
from .speech import INTERRUPTED

TICK = 0.1  # seconds; what a kill can cost
LONG_TICK = 0.5  # seconds; where there is much to write, writing is to take a fifth of the time, the streams the rest
ROWS = 400  # a second, where that many runs stream: a row costs the same, however many events of its run it holds
PATIENCE = 1  # seconds until a commit that failed is tried again
ADOPT_AFTER = 2  # seconds that a queued run belongs to the process that accepted it
FORGET = timedelta(hours=1)  # how long a temporary conversation rests before it is gone, if its page did not say so
KEEP = timedelta(days=1)  # how long the events of an ended run stay; later readers get a snapshot instead
MAX_ATTEMPTS = 3  # a run that takes its process down with it is not begun for ever
# Readers may have seen more than the journal of a dead process holds. The lost events keep their numbers, so that
# nobody takes what recovery writes for what was lost: it goes on this far behind, where no reader can have been.
LOST = 1_000_000
UNWRITABLE = ("internal", gettext_lazy("Something went wrong on our side. The answer so far is kept."))

logger = logging.getLogger(__name__)


class Journal:
    """Writes what the live runs say. `desk` runs a function in the journal's own database thread."""

    def __init__(self, worker_id, live, desk):
        self.worker_id, self.live, self.desk = worker_id, live, desk
        self.settling = []  # (live run, parts, terminal event, future)
        self.wanted = asyncio.Event()

    async def keep(self):
        """Commit a tick at a time, for ever; a run that ends does not wait for it."""
        now = asyncio.get_running_loop().time
        due = now()
        while True:
            await self._next_tick(due)
            began = now()
            try:
                if began >= due:
                    rows = await self.commit(self.live)
                    due = now() + pause(now() - began, rows)
                else:
                    await self.commit({live.run.pk: live for live, *_ in self.settling})
            except Exception:
                logger.exception("The journal could not be written; trying again")
                await asyncio.sleep(PATIENCE)

    async def _next_tick(self, due):
        """Wait for something to write; then for the rest of the tick, unless a run waits to be settled."""
        if not self.live:
            await self.wanted.wait()
        while not self.settling and (wait := due - asyncio.get_running_loop().time()) > 0:
            self.wanted.clear()
            try:
                await asyncio.wait_for(self.wanted.wait(), wait)
            except TimeoutError:
                break
        self.wanted.clear()

    def settle(self, live, parts, terminal):
        """A future that tells, after the commit, whether this process ended the run."""
        future = asyncio.get_running_loop().create_future()
        self.settling.append((live, parts, terminal, future))
        self.wanted.set()
        return future

    async def commit(self, runs):
        """Write what is new of these, by id, and end those of them that are to end; returns how many rows it made."""
        settling = self.settling[:]
        ending = {live.run.pk: terminal for live, _, terminal, _ in settling}
        batch = []  # (log, run id, its events that are not written yet)
        for run_id, live in runs.items():
            news = live.log.events[live.log.journaled :]
            if run_id in ending:
                news.append(ending[run_id])
            if news:
                batch.append((live.log, run_id, news))
        if not batch:
            return 0
        ends = {live.run.pk: (live.run, parts) for live, parts, *_ in settling}
        won, unwritable = await self.desk(self._write, batch, ends)
        for log, run_id, news in batch:
            log.journaled += len(news)
            if run_id in unwritable:
                self.live[run_id].stop("lost")
        self.settling = self.settling[len(settling) :]
        for live, _, _, future in settling:
            if not future.done():
                future.set_result(live.run.pk in won)
        return len(batch)

    def _write(self, batch, ending):
        """Write it all in one transaction; tells which runs ended here, and which could not be written and ended so."""
        try:
            return self._write_together(batch, ending), set()
        except OperationalError:  # the database is away or busy: nothing is wrong with what we write
            raise
        except Exception:
            logger.exception("The journal holds something that the database refuses; writing run by run")
        won, unwritable = set(), set()
        for entry in batch:
            try:
                won |= self._write_together([entry], ending)
            except OperationalError:
                raise
            except Exception:
                unwritable.add(entry[1])
                logger.exception("Run %s cannot be written and ends as it is in the journal", entry[1])
                with transaction.atomic():
                    if run := Run.objects.filter(pk=entry[1], worker_id=self.worker_id, status=Run.IN_PROGRESS).first():
                        interrupt(run, UNWRITABLE)
        return won, unwritable

    def _write_together(self, batch, ending):
        rows = [(run_id.hex, log.journaled + 1, events.pack(news)) for log, run_id, news in batch]
        mine = {"status": Run.IN_PROGRESS, "worker_id": self.worker_id}
        with transaction.atomic():
            self._insert(rows)
            ends = [ending[run_id] for _, run_id, _ in batch if run_id in ending]
            return {run.pk for run, parts in ends if run.settle(parts, was=mine)}

    def _insert(self, rows):
        """All rows in one statement, which costs a fortieth of one per row, and only for runs that are still ours.

        A process that was taken for dead, or whose conversation was deleted, so writes nothing behind another's back.
        """
        lock = ""
        if connection.vendor == "postgresql":
            lock = "FOR SHARE OF run"  # else a run could stop being ours between this look and the commit
            source = "json_array_elements(%s::json) AS e(value)"
            run_id, seq, data = "(value->>0)::uuid", "(value->>1)::int", "value->>2"
            me = self.worker_id
        else:
            source = "json_each(%s)"
            run_id, seq, data = (f"json_extract(value, '$[{place}]')" for place in range(3))
            me = self.worker_id.hex
        rows = [f'["{run_id}",{seq},{data}]' for run_id, seq, data in rows]
        with connection.cursor() as cursor:
            cursor.execute(
                f"INSERT INTO chat_runevent (run_id, seq, data) SELECT run.id, {seq}, {data} "
                f"FROM {source} JOIN chat_run run ON run.id = {run_id} "
                f"WHERE run.worker_id = %s AND run.status = 'in_progress' {lock}",
                [f"[{','.join(rows)}]", me],
            )


def pause(took, rows):
    """Seconds from a tick that took so many and wrote so many rows to the next."""
    return max(TICK, min(max(4 * took, rows / ROWS), LONG_TICK))


class Pulse:
    """This process's heartbeat, and what it sees of the others at each beat. Sync; one transaction a beat.

    Another process counts as gone when its count has stood still through `STILL` beats of ours. No clock is compared,
    and a database that was away stops everybody's count alike.
    """

    BEAT = 1  # seconds
    STILL = 3

    def __init__(self, worker_id):
        self.worker_id = worker_id
        self.adopts = {}  # what the queued runs that it takes on have to be like
        self.seen = {}  # another process's id -> (its count, how many of our beats it stood still)

    def beat(self, room):
        """Returns (runs of ours that somebody wants stopped, runs of ours all told, queued runs that nobody begins).

        `room`: how many queued runs we could take.
        """
        with transaction.atomic():
            if not Worker.objects.filter(pk=self.worker_id).update(beat=F("beat") + 1, seen_at=timezone.now()):
                Worker.objects.create(pk=self.worker_id)
            counts = dict(Worker.objects.exclude(pk=self.worker_id).values_list("id", "beat"))
            live = list(Run.objects.filter(status=Run.IN_PROGRESS).values_list("id", "worker_id", "cancel_requested"))
            left = Run.objects.filter(status=Run.QUEUED, created_at__lt=timezone.now() - timedelta(seconds=ADOPT_AFTER))
            left = list(left.filter(**self.adopts).select_related("conversation").order_by("created_at")[:room])
        for worker_id in {worker_id for _, worker_id, _ in live} - {self.worker_id}:
            counts.setdefault(worker_id, None)
        self.seen = {
            worker_id: (count, self.seen[worker_id][1] + 1 if self.seen.get(worker_id, (...,))[0] == count else 0)
            for worker_id, count in counts.items()
        }
        mine = {run_id: stop for run_id, worker_id, stop in live if worker_id == self.worker_id}
        return {run_id for run_id, stop in mine.items() if stop}, set(mine), left

    @property
    def gone(self):
        return [worker_id for worker_id, (_, still) in self.seen.items() if still >= self.STILL]


def recover(gone):
    """End, or begin again, what the processes that are gone left open; each run in a transaction of its own. Sync."""
    left = Run.objects.filter(status=Run.IN_PROGRESS, worker_id__in=gone)
    for run_id in list(left.values_list("id", flat=True)):
        with transaction.atomic():
            run = left.select_for_update().filter(pk=run_id).first()
            if run:
                interrupt(run, INTERRUPTED)
    Worker.objects.filter(pk__in=gone).delete()


def interrupt(run, error):
    """End a run by its journal: `interrupted` with what it had said, or back in line if it had said nothing."""
    told = run.events.told()
    shown = any(event.type in events.SHOWN for _, event in told)
    if run.attempts < MAX_ATTEMPTS and not run.cancel_requested and not shown and run.is_repeatable:
        return run.hand_back(run.worker_id)
    was = {"status": Run.IN_PROGRESS, "worker_id": run.worker_id}
    known = told[-1][0] if told else 0
    log = [event for _, event in told]
    rest = [] if log else [events.RunStarted(str(run.conversation_id), str(run.pk))]
    rest += events.closing(log)
    last_seq = known + (LOST if log else 0) + len(rest) + 1
    with run.in_its_language():
        if run.cancel_requested:
            run.end(Run.CANCELLED, last_seq=last_seq)
        else:
            run.end(Run.INTERRUPTED, error=error, last_seq=last_seq)
        rest.append(run.terminal_event())
    if run.settle(events.fold(log), was):
        RunEvent.write(run.pk, rest, after=last_seq - len(rest))


def prune():
    """Let go of some that is over: events of runs that ended long ago, conversations that were deleted or temporary,
    images that were never sent.

    Tells how many. Sync.
    """
    old = RunEvent.objects.filter(run__finished_at__lt=timezone.now() - KEEP)
    runs = list(old.order_by().values_list("run_id", flat=True).distinct()[:500])
    RunEvent.objects.filter(run_id__in=runs).delete()
    gone = Q(deleted_at__lt=timezone.now() - timedelta(seconds=settings.UNDO_SECONDS))
    gone |= Q(is_temporary=True, updated_at__lt=timezone.now() - FORGET)
    rows = list(Conversation.objects.filter(gone).exclude(runs__status__in=Run.OPEN)[:50])
    for row in rows:
        row.delete()
    unsent, _ = Attachment.objects.filter(message=None, created_at__lt=timezone.now() - KEEP).delete()
    return len(runs) + len(rows) + unsent
