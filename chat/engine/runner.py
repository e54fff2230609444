"""One asyncio task per run, from the history to the finished row, and what a process does for all its runs."""

import asyncio
import contextvars
import copy
import dataclasses
import io
import logging
import uuid
from collections.abc import Coroutine, Mapping
from typing import Any

from django.conf import settings
from django.db import InterfaceError, OperationalError, transaction
from django.utils.translation import gettext

from .. import broadcast, events, hooks, images, providers
from ..errors import Refused
from ..executors import DatabaseThread
from ..models import Attachment, Conversation, Ending, Run, wakeups
from ..tools import Context, Tool
from . import heartbeat
from .dispatch import Dispatch
from .heartbeat import Heartbeat
from .history import turns_before
from .journal import Journal
from .local_dispatch import LocalDispatch
from .log import Log
from .queue_dispatch import QueueDispatch
from .recovery import recover, recover_own
from .relay import make_relay
from .remote_logs import RemoteLogs
from .reply import LOST, ReplyWriter, build_prompt, with_revision
from .retention import prune
from .server_load import server_of_run
from .temporary import TemporaryConversations
from .time_limits import TimeLimits
from .titles import Titles
from .wakeup_listener import Listener
from .window import Prompt

PRUNE_INTERVAL = 600  # seconds
READER_WAKE_INTERVAL = 2.5  # seconds between wake-ups of quiet readers, so that none sends nothing for 15 s
RETRY_DELAY = 1  # seconds until a conversation is read again, after the database was away
STOP_TIMEOUT = 5  # seconds that stopped runs have at shutdown to store what they wrote

# What a process does for each value of RUNNER.
DISPATCH = {"embedded": LocalDispatch, "web": Dispatch, "worker": QueueDispatch, "both": QueueDispatch}

logger = logging.getLogger(__name__)


class Engine:
    """The runs of one process: at most MAX_RUNS at a time, MAX_RUNS_PER_USER of one user; further runs are queued.

    `adopts` is a filter of the queued runs of other processes that this one takes over; None: all of them. `runner` is
    what this process does, if not what the setting RUNNER says.
    """

    def __init__(
        self, adopts: Mapping[str, Any] | None = None, gives_titles: bool = True, runner: str | None = None
    ) -> None:
        self.process_id = uuid.uuid4()
        self.titles = Titles(self) if gives_titles else None
        self.live: dict[uuid.UUID, LiveRun] = {}  # queued or in progress here, in the order of arrival
        self.is_shutting_down = False
        self.confirmed_at = 0.0  # loop time of the last heartbeat that told which runs are ours
        self.tasks: set[asyncio.Task] = set()
        self.hook_tasks: set[asyncio.Task] = set()  # those of them that call the RUN_ENDED hooks
        # Four database threads, whatever the number of runs. The journal has one. A long conversation takes a while to
        # read, and much that is old to delete, for which no other run and no heartbeat waits.
        self.database_thread = DatabaseThread("runs")
        self.history_thread = DatabaseThread("history")
        self.retention_thread = DatabaseThread("retention")
        self.run_in_database = self.database_thread.run
        self.journal = Journal(self.process_id, self.live)
        self.heartbeat = Heartbeat(self.process_id, adopts)
        self.remote_logs = RemoteLogs(self)
        self.relay = make_relay(self)
        self.temporary = TemporaryConversations(self)
        self.dispatch = DISPATCH[runner or settings.RUNNER](self)
        handlers = {
            wakeups.RUN_QUEUED: lambda payload: self.dispatch.on_run_queued(),
            wakeups.CANCEL_REQUESTED: self._on_cancel_requested,
        }
        self.listener = Listener(self.spawn, handlers, on_connect=self.dispatch.on_run_queued)
        chores = [self.journal.write_forever(), self._beat(), self._prune(), self._wake_readers()]
        for chore in (*chores, self.temporary.sweep_forever()):
            self.spawn(chore)

    async def start(self, run: Run) -> None:
        """Takes on a run that was made just now and tells the other readers of its conversation."""
        self.dispatch.submit(copy.copy(run))  # the caller's own object stays as it is
        await broadcast.notify_user(run.conversation.owner_id, run.conversation_id)
        await broadcast.announce_run(run)

    async def cancel(self, run: Run) -> None:
        """Stops the run in whichever process it is; a run that has ended stays as it is."""
        live = self.live.get(run.pk)
        if live and live.is_claimed and live.reply.stop_reason != Run.INTERRUPTED:  # which may be handed back
            live.stop(Run.CANCELLED)
        elif not await self._cancel_queued(run):
            # It was claimed meanwhile, another process has it, it has ended, or its message was withdrawn.
            if (live := self.live.get(run.pk)) and live.has_begun:
                live.stop(Run.CANCELLED)
            self.dispatch.withdraw(run)
            if not await self.run_in_database(run.request_cancel):
                await self._cancel_queued(run)  # it may have been handed back in between

    async def _cancel_queued(self, run: Run) -> bool:
        """Cancels the run if it is still queued; returns whether it was."""
        if not await self.run_in_database(run.cancel_queued):
            return False
        self.call_end_hooks(run)
        self.dispatch.withdraw(run)
        await self._notify_owner(run)
        return True

    async def shut_down(self) -> None:
        """Sends the readers away, gives live runs SHUTDOWN_GRACE seconds, then interrupts them."""
        self.begin_shutdown()
        tasks = [live.reply.task for live in self.live.values() if live.is_claimed and live.reply.task]
        if tasks:
            await asyncio.wait(tasks, timeout=settings.SHUTDOWN_GRACE)
        for live in list(self.live.values()):
            live.stop(Run.INTERRUPTED)
        if tasks:
            await asyncio.wait(tasks, timeout=STOP_TIMEOUT)
        if self.hook_tasks:
            await asyncio.wait(self.hook_tasks, timeout=STOP_TIMEOUT)
        for task in list(self.tasks):
            task.cancel()
        if self.tasks:
            _, left = await asyncio.wait(self.tasks, timeout=STOP_TIMEOUT)
            if left:  # a team's own code may catch the cancellation
                logger.error("These tasks do not end: %s", ", ".join(sorted(map(repr, left))))
        await self.database_thread.close()
        await self.history_thread.close()
        await self.retention_thread.close()
        await self.journal.database.close()
        await self.remote_logs.database.close()
        if self.relay:
            await self.relay.close()
        await broadcast.close()
        await providers.close()

    def begin_shutdown(self) -> None:
        """From now on no run starts, and the readers leave to come back in another process."""
        self.is_shutting_down = True
        for log in self._logs():
            log.wake()

    def _logs(self) -> list[Log]:
        """The logs that readers here follow."""
        return [*(live.log for live in self.live.values()), *self.remote_logs.logs.values()]

    def call_end_hooks(self, run: Run) -> None:
        """Calls the RUN_ENDED hooks in a task of their own, after the commit that ended the run."""
        if settings.RUN_ENDED:
            task = self.spawn(hooks.call_end_hooks(run, self.run_in_database))
            self.hook_tasks.add(task)
            task.add_done_callback(self.hook_tasks.discard)

    def add(self, run: Run) -> "LiveRun":
        """Counts a queued run among those that are executed here, or will be."""
        if self.titles:
            self.titles.give_way(run)
        live = self.live[run.pk] = LiveRun(self, run)
        self.remote_logs.end(run.pk)  # its readers come here
        return live

    def release(self, live: "LiveRun") -> None:
        """Forgets a run that has ended or that another process has. Its readers continue from the database."""
        self.live.pop(live.run.pk, None)
        live.log.end()
        if live.is_claimed:
            self.spawn(self._after_end(live))

    async def _after_end(self, live: "LiveRun") -> None:
        """Tells the user's pages of the end, and gives a new conversation a title."""
        await broadcast.notify_user(live.user_id, live.run.conversation_id)
        if self.titles:
            await self.titles.add(live)

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task:
        """A task that belongs to no request: with a context of its own, a strong reference, its failure in the log."""
        task = asyncio.get_running_loop().create_task(work, context=contextvars.Context())
        self.tasks.add(task)
        task.add_done_callback(self._task_done)
        return task

    def _task_done(self, task: asyncio.Task) -> None:
        self.tasks.discard(task)
        if not task.cancelled() and task.exception():
            logger.error("A task of the engine failed", exc_info=task.exception())

    async def _beat(self) -> None:
        """Sends the heartbeat at intervals.

        Each time, stops runs that another process asked to cancel, queues unclaimed runs, and recovers the runs of dead
        processes and those that this one does not know it has.
        """
        while True:
            try:
                claimed = [live for live in self.live.values() if live.is_claimed]
                began = asyncio.get_running_loop().time()
                beat = await self.run_in_database(self.heartbeat.beat, self.dispatch.adoption_limit)
                self.listener.set_active(self.dispatch.needs_wakeups(self.heartbeat.has_peers))
                is_relayed = self.relay is not None and self.relay.is_sending
                self.journal.set_has_peers(self.heartbeat.has_peers and not is_relayed)
                for live in claimed:
                    if live.run.pk in beat.to_stop:
                        live.stop(Run.CANCELLED)
                    elif live.run.pk not in beat.ours:
                        live.stop(LOST)
                self.confirmed_at = began
                self.dispatch.on_beat(beat.unclaimed)
                if forgotten := beat.ours - self.live.keys():
                    for run in await self.run_in_database(recover_own, forgotten, self.process_id):
                        await self._on_recovered(run)
                if self.heartbeat.dead:
                    for run in await self.run_in_database(recover, self.heartbeat.dead):
                        await self._on_recovered(run)
            except Exception:
                logger.exception("The heartbeat failed; trying again")
            await asyncio.sleep(heartbeat.HEARTBEAT_INTERVAL)

    def _on_cancel_requested(self, run_id: str) -> None:
        if live := self.live.get(uuid.UUID(run_id)):
            live.stop(Run.CANCELLED)

    async def _on_recovered(self, run: Run) -> None:
        self.call_end_hooks(run)
        if self.relay:
            self.spawn(self.relay.send_end(run))
        await self._notify_owner(run)

    async def _notify_owner(self, run: Run) -> None:
        """Tells the user's pages that a run has ended which this process did not write."""
        owners = Conversation.objects.filter(pk=run.conversation_id).values_list("owner_id", flat=True)
        owner_id = await self.run_in_database(owners.first)
        if owner_id is not None:
            await broadcast.notify_user(owner_id, run.conversation_id)

    async def _prune(self) -> None:
        while True:
            try:
                deleted = await self.retention_thread.run(prune)
            except Exception:
                logger.exception("Old events could not be deleted; trying again")
                deleted = 0
            await asyncio.sleep(1 if deleted else PRUNE_INTERVAL)

    async def _wake_readers(self) -> None:
        while True:
            await asyncio.sleep(READER_WAKE_INTERVAL)
            for log in self._logs():
                log.wake_if_quiet()


class LiveRun:
    """A run that this process writes, or will write once it has a slot.

    It ends in five steps, of which the last three are one transaction and what follows it:

    1. the reply ends with an Ending (`ReplyWriter.generate`);
    2. the closing events and the terminal event are made (`_finish`);
    3. the journal queues them (`Journal.finish`);
    4. its next commit writes them and finishes the row, if the row is still ours (`Run.finish`);
    5. the terminal event goes out to the readers (`_finish`).
    """

    def __init__(self, engine: Engine, run: Run) -> None:
        self.engine = engine
        self.run = run
        self.server = server_of_run(run)
        self.reply = ReplyWriter(run.pk, str(run.message_id), run.decisions, self._save_image)
        self.log = self.reply.log
        self.user_id = run.conversation.owner_id
        self.has_begun = False  # it has a slot
        self.is_claimed = False
        self.is_lost = False  # it is not ours any more, or cannot be written
        self.is_ending = False  # its end is with the journal, which knows whether it is ours
        self.is_blocked = False  # an answer before this one has to end first
        self.is_taken = False  # another process has claimed it, or it has ended
        self.failure: Ending | None = None  # there is nothing to ask the provider

    def stop(self, reason: str) -> None:
        if reason == LOST and not self.is_ending:
            self.is_lost = True
        self.reply.stop(reason)

    async def execute(self, is_fresh: bool) -> None:
        """Claims the run and writes its reply. `is_fresh`: the row is known as it is, and need not be read again."""
        if not await self.engine.run_in_database(self._claim, is_fresh):
            return
        self.reply.task = asyncio.current_task()
        self.is_claimed = True
        self.engine.journal.wake()
        if self.engine.relay:
            self.engine.relay.add(self)
        self.log.append(events.RunStarted(str(self.run.conversation_id), str(self.run.pk)))
        with self.run.in_its_language():
            prompt = await self._prepare()
            await self._finish(self.failure or await self._generate(prompt))

    async def _generate(self, prompt: Prompt) -> Ending:
        return await self.reply.generate(self.run.model, prompt, TimeLimits(self.run.assistant))

    async def _save_image(self, data: bytes) -> dict[str, Any]:
        """Stores an image that the model made, re-encoded like an upload, and returns its part. Raises Refused."""
        fields = await images.reduce(self.user_id, io.BytesIO(data))
        row = await self.engine.run_in_database(
            Attachment.objects.save_new, self.user_id, message_id=self.run.message_id, **fields
        )
        return row.as_part()

    def _claim(self, is_fresh: bool) -> bool:
        """Returns whether the run is now ours. Sync. A run that was queued is read again."""
        runs = Run.objects.select_related("conversation", "message__parent", "assistant")
        run = self.run if is_fresh else runs.filter(pk=self.run.pk).first()
        if run is None or not run.claim(self.engine.process_id):
            self.is_blocked = Run.objects.filter(pk=self.run.pk, status=Run.QUEUED).exists()
            self.is_taken = not self.is_blocked
            return False
        self.run, self.server = run, server_of_run(run)
        return True

    async def _prepare(self) -> Prompt:
        """Returns what to ask the provider. While the database is away, waits for it."""
        while not self.reply.stop_reason:
            try:
                return await self.engine.history_thread.run(self._prompt)
            except (OperationalError, InterfaceError):
                logger.warning("The conversation of run %s cannot be read; trying again", self.run.pk)
                await asyncio.sleep(RETRY_DELAY)
            except Exception:
                logger.exception("The conversation of run %s cannot be read", self.run.pk)
                self.failure = self._internal_failure()
                break
        return Prompt(lambda turns: providers.Request(self.run.model, turns), [])  # is not sent

    def _prompt(self) -> Prompt:
        """Returns what to ask the provider. Sync."""
        run = self.run
        additions = [*self._additions(), *run.given_additions()]
        assistant = run.answering_assistant()
        history = turns_before(run.message, assistant.memory_turns, run.shows_images_of)
        turns = history.turns
        if run.instruction and run.revises:
            turns = with_revision(turns, run.revises.answer_text(), run.instruction)
        context = Context(run.conversation.owner_id, run.time_zone or "UTC", str(run.conversation_id))
        return build_prompt(
            assistant,
            run.model,
            turns,
            additions,
            is_cut=history.is_cut,
            shown_images=history.shown_images,
            context=context,
            decisions=run.decisions,
            is_allowed=self._is_allowed,
            resume_state=run.resumes.resume_state if run.resumes and run.resumes.model == run.model else [],
        )

    async def _is_allowed(self, tool: Tool) -> bool:
        """Returns whether the owner has allowed this tool; False while the database is away, so that they are asked."""
        try:
            return await self.engine.run_in_database(self.run.conversation.allows_tool, tool.key, tool.version)
        except (OperationalError, InterfaceError):
            return False

    def _additions(self) -> list[hooks.Addition]:
        with self.run.in_its_language():
            try:
                return hooks.request_additions(self.run)
            except Refused as error:
                self.failure = Ending.with_error(Run.FAILED, (error.code, error.message))
            except (OperationalError, InterfaceError):  # is waited for
                raise
            except Exception:
                logger.exception("A REQUEST_CONTEXT hook failed for run %s", self.run.pk)
                self.failure = self._internal_failure()
        return []

    def _internal_failure(self) -> Ending:
        return Ending.with_error(Run.FAILED, ("internal", gettext("Something went wrong on our side. Try again.")))

    async def _finish(self, ending: Ending) -> None:
        if self.is_lost:
            return
        can_start_again = not self.reply.builder.shown and self.run.is_repeatable
        if self.reply.stop_reason == Run.INTERRUPTED and can_start_again:
            if await self.engine.run_in_database(self._requeue):
                return
            if await self.engine.run_in_database(self._is_to_be_cancelled):
                ending = dataclasses.replace(ending, status=Run.CANCELLED, error_code="", error_message="")
        self.reply.close()
        terminal = self.run.terminal_event(ending)
        self.is_ending = True
        if await self.engine.journal.finish(self, ending, events.fold(self.log.events), terminal):
            self.log.append(terminal)
            self.engine.call_end_hooks(self.run)

    def _requeue(self) -> bool:
        with transaction.atomic():
            return self.run.requeue(self.engine.process_id)

    def _is_to_be_cancelled(self) -> bool:
        """Returns whether a cancel has come after this process began to stop the run. Sync."""
        return Run.objects.filter(pk=self.run.pk, cancel_requested=True).exists()
