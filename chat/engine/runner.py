"""One asyncio task per run: history -> provider -> log -> settled rows; and the line in which runs wait for a slot."""

import asyncio
import contextvars
import functools
import logging
import uuid
from collections import Counter
from contextlib import aclosing

from channels.layers import get_channel_layer
from django.conf import settings
from django.db import close_old_connections, connection, transaction
from django.utils import timezone

from .. import events, providers
from ..models import Run
from ..threads import database_thread
from . import journal
from .log import Log

FIRST_TOKEN = 60  # seconds; reasoning models think before they speak
BETWEEN_TOKENS = 30
AFTER_FINISH = 5  # for the usage; some servers then neither say more nor close
RUN_LIMIT = 600
RETRIES = 2  # before the first delta only
LONGEST_WAIT = 10  # seconds that a provider's Retry-After is obeyed; longer ones fail at once
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
        """Take on a queued run and let its conversation's other readers know."""
        self._queue(run)
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

    def _queue(self, run):
        if run.pk not in self.live:
            self.live[run.pk] = self.line[run.pk] = LiveRun(self, run)
        self._advance()

    def _advance(self):
        """Give free slots to those who wait, first come first served, within each person's bound."""
        for run_id, live in list(self.line.items()):
            if self.leaving or self.busy.total() >= settings.MAX_RUNS:
                return
            if self.busy[live.person] < settings.MAX_RUNS_PER_USER:
                del self.line[run_id]
                self.busy[live.person] += 1
                self._spawn(self._slot(live))

    async def _slot(self, live):
        try:
            await live.go()
        finally:
            self.busy -= Counter([live.person])
            self.forget(live)
            if live.is_ours:  # what others wait for may be there now
                held, self.held = self.held, []
                for run in held:
                    self._queue(run)
            elif live.waits:
                self.held.append(live.run)
            self._advance()

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


class LiveRun:
    """A run that this process writes."""

    def __init__(self, engine, run):
        self.engine, self.run = engine, run
        self.person = run.conversation.owner_id
        self.is_ours = False  # once claimed
        self.waits = False  # it could not be claimed yet
        self.log = Log()
        self.narrator = events.Narrator(str(run.message_id))
        self.first_token_at = None
        self.ending = None  # why it is to stop: Run.CANCELLED, Run.INTERRUPTED (we leave) or "lost" (not ours any more)
        self.speaking = False

    async def go(self):
        request = await self.engine.desk(0, self._claim)
        if request is None:
            return
        self.task, self.is_ours = asyncio.current_task(), True
        self.engine.journal.wanted.set()
        self.log.append(events.RunStarted(str(self.run.conversation_id), str(self.run.pk)))
        status, error = await self._speak(request)
        await self._settle(status, error)

    def stop(self, ending):
        """Stop it at the next chance: at once while the provider speaks, else before or after."""
        if self.ending is None:
            self.ending = ending
            if self.speaking:
                self.task.cancel()

    def _claim(self):
        """What to ask the provider, if the run is now ours; sync, in the desk's thread."""
        run = Run.objects.select_related("conversation", "message__parent", "assistant").filter(pk=self.run.pk).first()
        if run is None:
            return None
        if not run.claim(self.engine.worker_id):
            self.waits = Run.objects.filter(pk=run.pk, status=Run.QUEUED).exists()
            return None
        self.run = run
        assistant = run.assistant
        turns = [(message.role, message.parts) for message in run.message.branch()[:-1]]
        if assistant and assistant.memory_turns:
            asked = [place for place, (role, _) in enumerate(turns) if role == "user"]
            turns = turns[asked[-assistant.memory_turns :][0] :]
        return providers.Request(
            model=run.model.partition(":")[2],
            turns=turns,
            system_prompt=assistant.system_prompt if assistant else "",
            params=assistant.params if assistant else {},
            tools=assistant.tools if assistant else [],
        )

    async def _speak(self, request):
        """Let the provider speak into the log; how it ended as (status, (code, sentence) or None)."""
        try:
            async with asyncio.timeout(RUN_LIMIT) as limit:
                await self._ask(request)
        except asyncio.CancelledError:
            if self.ending is None:
                raise
            asyncio.current_task().uncancel()
        except providers.ProviderError as error:
            if not self.narrator.finish_reason:
                return Run.INTERRUPTED if error.broken_off else Run.FAILED, (error.code, str(error))
        except TimeoutError:
            if not self.narrator.finish_reason:
                status = Run.INTERRUPTED if self.narrator.shown else Run.FAILED
                return status, ("timeout", self._late(limit.expired()))
        except Exception:
            logger.exception("Run %s failed", self.run.pk)
            return Run.FAILED, ("internal", "Something went wrong on our side. The answer so far is kept.")
        if self.narrator.finish_reason:
            return Run.COMPLETED, None
        if self.ending == Run.CANCELLED:
            return Run.CANCELLED, None
        return Run.INTERRUPTED, journal.INTERRUPTED

    def _late(self, whole_run):
        if whole_run:
            return f"The answer took longer than {RUN_LIMIT // 60} minutes."
        if self.narrator.shown:
            return f"The model said nothing more for {BETWEEN_TOKENS} seconds."
        return f"The model did not begin to answer within {FIRST_TOKEN} seconds."

    async def _ask(self, request):
        """Ask the provider; again, at most twice, where that may help and nothing was shown yet."""
        self.speaking = True
        try:
            if self.ending:
                raise asyncio.CancelledError
            reply, _ = providers.find(self.run.model)
            for attempt in range(RETRIES + 1):
                try:
                    return await self._hear(reply, request)
                except providers.ProviderError as error:
                    wait = error.retry_after if error.retry_after is not None else 0.5 * 2**attempt
                    spoke = self.narrator.shown or self.narrator.finish_reason
                    if spoke or not error.retryable or attempt == RETRIES or wait > LONGEST_WAIT:
                        raise
                    logger.info("Run %s: %s Asking again in %s s", self.run.pk, error, wait)
                await asyncio.sleep(wait)
        finally:
            self.speaking = False

    async def _hear(self, reply, request):
        narrator, log, now = self.narrator, self.log, asyncio.get_running_loop().time
        async with asyncio.timeout(FIRST_TOKEN) as clock, aclosing(reply(request)) as pieces:
            async for piece in pieces:
                for event in narrator.tell(piece):
                    log.append(event)
                due = now() + (AFTER_FINISH if narrator.finish_reason else BETWEEN_TOKENS)
                if abs(due - clock.when()) > BETWEEN_TOKENS / 30:  # each time would be a tenth of a token's cost
                    clock.reschedule(due)
                if self.first_token_at is None and narrator.shown:
                    self.first_token_at = timezone.now()
                if narrator.length > events.MAX_REPLY:
                    narrator.finish_reason = "length"
                    return
        if not narrator.finish_reason:
            raise providers.ProviderError(
                "The model stopped before its answer was complete.", "broken_off", broken_off=True, retryable=True
            )

    async def _settle(self, status, error):
        run, narrator = self.run, self.narrator
        if self.ending == "lost":
            return
        if self.ending == Run.INTERRUPTED and not narrator.shown and await self.engine.desk(0, self._hand_back):
            return
        for event in events.closing(self.log.events):
            self.log.append(event)
        run.end(
            status,
            error=error,
            finish_reason=narrator.finish_reason,
            usage=[self._counted(usage) for usage in narrator.usage],
            last_seq=len(self.log) + 1,
            first_token_at=self.first_token_at,
        )
        terminal = run.terminal_event()
        if await self.engine.journal.settle(self, events.fold(self.log.events), terminal):
            self.log.append(terminal)

    def _hand_back(self):
        with transaction.atomic():
            return self.run.hand_back(self.engine.worker_id)

    def _counted(self, usage):
        provider, _, model = self.run.model.partition(":")
        counts = {name: getattr(usage, name) for name in events.Usage.__slots__}
        return {"provider": provider, "model": model} | {name: n for name, n in counts.items() if n is not None}
