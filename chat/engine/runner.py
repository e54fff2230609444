"""One asyncio task per run: history -> speech -> settled rows; and the line in which runs wait for a slot."""

import asyncio
import base64
import contextvars
import copy
import functools
import logging
import uuid
from collections import Counter

from channels.layers import get_channel_layer
from django.conf import settings
from django.db import close_old_connections, connection, transaction

from .. import events, news, providers
from ..models import Assistant, Preferences, Run
from ..threads import database_thread
from . import journal, speech, titles

PRUNE_EVERY = 600  # seconds
LOOK_AROUND = 2.5  # seconds between wakes of all readers, so that none is silent for 15 s

logger = logging.getLogger(__name__)


class Engine:
    """The runs of one process: at most MAX_RUNS at a time, MAX_RUNS_PER_USER of one person; the others wait in line."""

    def __init__(self):
        self.worker_id = uuid.uuid4()
        self.live = {}  # run id -> LiveRun, in the order of arrival; those in `line` wait for a slot
        self.line = {}
        self.held = []  # queued runs that build on an answer that is still being written
        self.ends = 0  # how many runs have ended here
        self.leaving = False
        self.busy = Counter()  # person's id -> runs that have a slot
        self.tasks = set()
        # Two threads with a database connection each, whatever the number of runs: a long commit delays no claim.
        self.desks = [database_thread("runs"), database_thread("journal")]
        self.journal = journal.Journal(self.worker_id, self.live, functools.partial(self.desk, 1))
        self.pulse = journal.Pulse(self.worker_id)
        for chore in (self.journal.keep(), self._watch(), self._prune(), self._wake_readers()):
            self._spawn(chore)

    async def desk(self, number, function, *args):
        """Run a database function to its end in that thread, also when the caller is cancelled."""

        def with_connection():
            close_old_connections()
            return function(*args)

        return await asyncio.shield(asyncio.get_running_loop().run_in_executor(self.desks[number], with_connection))

    async def start(self, run):
        """Take on a run that was made just now and let its conversation's other readers know."""
        self._queue(copy.copy(run), is_fresh=True)  # the caller's own stays as it is
        await news.spread(run.conversation.owner_id, run.conversation_id)
        await get_channel_layer().group_send(
            f"conversation.{run.conversation_id}", {"type": "run.created", "run_id": str(run.pk)}
        )

    async def cancel(self, run):
        """Stop it wherever it is; a run that is over stays as it is."""
        live = self.live.get(run.pk)
        if live and live.is_ours:
            live.stop(Run.CANCELLED)
        elif await self.desk(0, run.cancel_in_line):
            if live := self.line.pop(run.pk, None):
                self.forget(live)
        elif live := self.live.get(run.pk):  # it was claimed while we asked
            live.stop(Run.CANCELLED)
        else:
            ask = Run.objects.filter(pk=run.pk, status=Run.IN_PROGRESS).update
            await self.desk(0, functools.partial(ask, cancel_requested=True))

    async def leave(self):
        """Say goodbye to the readers, give live runs SHUTDOWN_GRACE seconds, then end them here and now."""
        self.say_goodbye()
        ends = [live.task for live in self.live.values() if live.is_ours]
        if ends:
            await asyncio.wait(ends, timeout=settings.SHUTDOWN_GRACE)
        for live in list(self.live.values()):
            live.stop(Run.INTERRUPTED)
        if ends:
            await asyncio.wait(ends, timeout=5)
        for task in list(self.tasks):
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        for desk in self.desks:
            desk.submit(lambda: connection.close())  # that thread's own connection
            await asyncio.to_thread(desk.shutdown)
        await providers.close()

    def say_goodbye(self):
        self.leaving = True
        for live in self.live.values():
            live.log.wake()

    def forget(self, live):
        """It is over, or another's: readers go on in the database."""
        self.live.pop(live.run.pk, None)
        live.log.end()

    def _queue(self, run, is_fresh=False):
        if run.pk not in self.live:
            self.live[run.pk] = self.line[run.pk] = LiveRun(self, run)
        self._advance(run.pk if is_fresh else None)

    def _advance(self, fresh=None):
        """Give free slots to those who wait, first come first served, within each person's bound.

        `fresh` is the id of a run that was made just now: it is as this process knows it.
        """
        for run_id, live in list(self.line.items()):
            if self.leaving or self.busy.total() >= settings.MAX_RUNS:
                return
            if self.busy[live.person] < settings.MAX_RUNS_PER_USER:
                del self.line[run_id]
                self.busy[live.person] += 1
                self._spawn(self._slot(live, run_id == fresh))

    async def _slot(self, live, is_fresh):
        ends = self.ends
        try:
            await live.go(is_fresh)
        finally:
            self.busy -= Counter([live.person])
            self.forget(live)
            if live.is_ours:
                self._spawn(self._after(live))
                # what others wait for may be there now
                self.ends += 1
                held, self.held = self.held, []
                for run in held:
                    self._queue(run)
            elif live.waits and self.ends == ends:
                self.held.append(live.run)
            elif live.waits:  # what it waits for may have ended since it looked
                self._queue(live.run)
            self._advance()

    async def _after(self, live):
        """Tell the person's pages of the end, and give a conversation that is new a title."""
        await news.spread(live.person, live.run.conversation_id)
        if await titles.give(self.desk, live):
            await news.spread(live.person, live.run.conversation_id)

    def _spawn(self, work):
        """A task that belongs to nobody's request: its own context, a strong reference, its failure in the log."""
        task = asyncio.get_running_loop().create_task(work, context=contextvars.Context())
        self.tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task):
        self.tasks.discard(task)
        if not task.cancelled() and task.exception():
            logger.error("A task of the engine failed", exc_info=task.exception())

    async def _watch(self):
        """Beat, stop what another process wants stopped, recover what the dead left, take on what nobody begins."""
        while True:
            try:
                ours = [live for live in self.live.values() if live.is_ours]
                stop, mine, left = await self.desk(0, self.pulse.beat, max(0, settings.MAX_RUNS - len(self.live)))
                for live in ours:
                    if live.run.pk in stop:
                        live.stop(Run.CANCELLED)
                    elif live.run.pk not in mine:
                        live.stop("lost")
                for run in left:
                    self._queue(run)
                if self.pulse.gone:
                    await self.desk(0, journal.recover, self.pulse.gone)
            except Exception:
                logger.exception("The heartbeat failed; trying again")
            await asyncio.sleep(journal.Pulse.BEAT)

    async def _prune(self):
        while True:
            try:
                more = await self.desk(0, journal.prune)
            except Exception:
                logger.exception("Old events could not be deleted; trying again")
                more = 0
            await asyncio.sleep(1 if more else PRUNE_EVERY)

    async def _wake_readers(self):
        while True:
            await asyncio.sleep(LOOK_AROUND)
            for live in list(self.live.values()):
                live.log.wake_if_quiet()


class LiveRun(speech.Speech):
    """A run that this process writes."""

    def __init__(self, engine, run):
        super().__init__(run.pk, str(run.message_id), run.answers)
        self.engine, self.run = engine, run
        self.person = run.conversation.owner_id
        self.is_ours = False  # once claimed
        self.waits = False  # it could not be claimed yet

    async def go(self, is_fresh):
        request = await self.engine.desk(0, self._claim, is_fresh)
        if request is None:
            return
        self.task, self.is_ours = asyncio.current_task(), True
        self.engine.journal.wanted.set()
        self.log.append(events.RunStarted(str(self.run.conversation_id), str(self.run.pk)))
        with self.run.in_its_language():
            status, error = await self.give(self.run.model, request)
            await self._settle(status, error)

    def _claim(self, is_fresh):
        """What to ask the provider, if the run is now ours; sync, in the desk's thread. What waited is read anew."""
        runs = Run.objects.select_related("conversation", "message__parent", "assistant")
        run = self.run if is_fresh else runs.filter(pk=self.run.pk).first()
        if run is None:
            return None
        if not run.claim(self.engine.worker_id):
            self.waits = Run.objects.filter(pk=run.pk, status=Run.QUEUED).exists()
            return None
        self.run = run
        turns = [(message.role, _with_images(message)) for message in run.message.branch()[:-1]]
        wishes = Preferences.objects.filter(person_id=self.person).values_list("instructions", flat=True)
        context = providers.Context(run.conversation.owner_id, run.time_zone or "UTC", str(run.conversation_id))
        return speech.request(
            run.assistant or Assistant(), run.model, turns, next(iter(wishes), ""), context=context, answers=run.answers
        )

    async def _settle(self, status, error):
        run = self.run
        if self.ending == "lost":
            return
        silent = not self.narrator.shown and run.is_repeatable
        if self.ending == Run.INTERRUPTED and silent and await self.engine.desk(0, self._hand_back):
            return
        terminal = self.conclude(run, status, error)
        if await self.engine.journal.settle(self, events.fold(self.log.events), terminal):
            self.log.append(terminal)

    def _hand_back(self):
        with transaction.atomic():
            return self.run.hand_back(self.engine.worker_id)


def _with_images(message):
    """The message's parts as a model is shown them: images with their data. Sync."""
    if not any(part["type"] == "image" for part in message.parts):
        return message.parts
    data = {str(row.pk): base64.b64encode(row.data).decode() for row in message.attachments.all()}
    return [
        part | {"data": data[part["id"]]} if part["type"] == "image" else part
        for part in message.parts
        if part["type"] != "image" or part["id"] in data
    ]
