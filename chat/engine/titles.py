"""A title for a conversation after its first answer, by the model that gave it; on failure the first words stay.

A title is worth less than an answer. It is asked for while its user has no answer of that server in progress, and gives
way when they send the next question. A self-hosted server may process only one request at a time: there, it also waits
for the answers of others and gives way to their questions, unless the server was seen to write that many answers at
once. A title that gave way is asked for again after them. The request ends when the title's line does.
"""

import asyncio
import logging
import uuid
from collections import Counter
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.conf import settings

from .. import broadcast, events, providers
from ..models import Assistant, Conversation, Message, Run
from ..outages import DATABASE_ERRORS
from ..providers import Server
from .reply import build_request
from .server_load import ServerLoad, server_of_run
from .title_text import MAX_TITLE_READ, read_title

if TYPE_CHECKING:
    from .runner import Engine, LiveRun

TITLE_TIMEOUT = 30  # seconds
MAX_EXCERPT_CHARS = 2_000  # of the question and of the answer, as the model is shown them
MAX_TITLE_TOKENS = 1_000  # with the thoughts before it, where the server accepts a limit
MAX_THOUGHT_LENGTH = 20_000  # characters that the model may think about a title
MAX_TITLES = 20  # requests for titles at a time in this process
MAX_WAITING_TITLES = 1_000  # the oldest of more is not given
MAX_SAVE_DELAY = 60  # seconds between attempts to store a title while the database is away
TITLE_PROMPT = (
    "Give the conversation below a title of two to six words, in the language of its first message. "
    "Answer with the title alone: no quotation marks, no full stop, no explanation."
)
# Params of an assistant that are for its answers: with them, the model would write no line of text.
PARAMS_OF_ANSWERS = {"response_format", "format", "tools", "tool_choice", "functions", "function_call", "modalities"}
MAX_ANSWERS_BEFORE = 20  # messages above an answer among which an earlier answer is looked for

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Job:
    """A conversation that gets a title."""

    conversation_id: uuid.UUID
    user_id: int
    model: str
    request: providers.Request
    question: str
    answer: str
    server: Server

    @property
    def occupies(self) -> tuple[int, Server]:
        return self.user_id, self.server


class Titles:
    """The titles that one process has to give."""

    def __init__(self, engine: "Engine") -> None:
        self.engine = engine
        self.waiting: dict[uuid.UUID, Job] = {}  # conversation's id -> its job
        self.running: dict[asyncio.Task, Job] = {}
        self.load = ServerLoad()

    async def add(self, live: "LiveRun") -> None:
        """Called with each run that has ended: it may need a title, and others may have waited for its end."""
        question = await self._first_question(live.run)
        if question and (job := _job(live, question)):
            self._wait(job)
        self._start_waiting()

    def give_way(self, run: Run) -> None:
        """Called with each new run: requests for titles that keep its server from it end, to be made later."""
        if not self.running:
            return
        server = server_of_run(run)
        asked = self._asked()
        for task, job in list(self.running.items()):
            is_in_the_way = job.occupies == (run.conversation.owner_id, server)
            if is_in_the_way or (job.server == server and asked[server] >= self.load.capacity(server)):
                asked[job.server] -= 1
                del self.running[task]
                self._wait(job)
                task.cancel()

    def _asked(self) -> Counter[Server]:
        """Returns for how many answers and titles each server is being asked."""
        return self.load.observe(self.engine.live.values()) + Counter(job.server for job in self.running.values())

    def _wait(self, job: Job) -> None:
        self.waiting[job.conversation_id] = job
        if len(self.waiting) > MAX_WAITING_TITLES:
            del self.waiting[next(iter(self.waiting))]

    def _start_waiting(self) -> None:
        """Many titles may wait beside many runs, and each end of a run leads here: both are gone through only once."""
        if not self.waiting or not self._may_start():
            return
        busy = {(live.user_id, live.server) for live in self.engine.live.values()}
        asked = self._asked()
        for job in list(self.waiting.values()):
            if job.occupies not in busy and asked[job.server] < self.load.capacity(job.server):
                asked[job.server] += 1
                self._start(job)
                if not self._may_start():
                    return

    def _may_start(self) -> bool:
        return len(self.running) < MAX_TITLES and not self.engine.is_shutting_down

    def _start(self, job: Job) -> None:
        del self.waiting[job.conversation_id]
        task = self.engine.spawn(self._give(job))
        self.running[task] = job
        task.add_done_callback(self._on_end)

    def _on_end(self, task: asyncio.Task) -> None:
        self.running.pop(task, None)
        self._start_waiting()

    async def _first_question(self, run: Run) -> Message | None:
        """Returns the question of a run whose conversation now gets a title, or None if it gets none."""
        question = run.message.parent
        if question is None or not _may_need_title(run):
            return None
        if question.parent_id is None:
            return question
        try:
            return await self.engine.run_in_database(_first_question_above, run.message)
        except DATABASE_ERRORS as error:
            logger.warning("Whether a conversation needs a title cannot be read: %s", error)
            return None

    async def _give(self, job: Job) -> None:
        if title := await _ask(job):
            # The model is free again, so that the next question of this user has nothing to cancel.
            self.running.pop(asyncio.current_task(), None)  # type: ignore[arg-type]
            if await self._save(job, title):
                await broadcast.notify_user(job.user_id, job.conversation_id)

    async def _save(self, job: Job, title: str) -> bool:
        """Returns whether the conversation has the title now. Waits for a database that is away."""
        unnamed = Conversation.objects.filter(pk=job.conversation_id, title_by="text")
        delay = 1
        while True:
            try:
                return await self.engine.run_in_database(unnamed.update, title=title, title_by="assistant") == 1
            except DATABASE_ERRORS as error:
                logger.warning("A title could not be stored; trying again: %s", error)
            await asyncio.sleep(delay)
            delay = min(2 * delay, MAX_SAVE_DELAY)


def _may_need_title(run: Run) -> bool:
    """Whether nobody has named the conversation of this completed answer, and its model can."""
    if not settings.AUTO_TITLES or run.status != Run.COMPLETED or run.assistant is None:
        return False
    if run.conversation.title_by != "text" or run.conversation.is_temporary:
        return False
    return providers.is_language_model(run.model)


def _first_question_above(reply: Message) -> Message | None:
    """Returns the question of this answer, or None if another answer comes before it. Sync."""
    path = reply.path_to_root(MAX_ANSWERS_BEFORE + 2)[1:]
    if len(path) > MAX_ANSWERS_BEFORE:
        return None
    rows = Message.objects.in_bulk(path)
    answered = set(Run.objects.filter(message_id__in=path, status=Run.COMPLETED).values_list("message_id", flat=True))
    if any(id in answered and row.text for id, row in rows.items()):
        return None
    return next((rows[id] for id in path if id in rows and rows[id].role == Message.USER), None)


def _job(live: "LiveRun", question: Message) -> Job | None:
    """Returns what to ask for the title of this run's conversation, or None if the answer has no text."""
    run = live.run
    answer = events.text_of(events.fold(live.log.events))
    if not answer or run.assistant is None:
        return None
    excerpt = f"{question.text[:MAX_EXCERPT_CHARS]}\n\n---\n\n{answer[:MAX_EXCERPT_CHARS]}"
    turns: list[tuple[str, list]] = [("user", [{"type": "text", "text": excerpt}])]
    params = {name: value for name, value in run.assistant.params.items() if name not in PARAMS_OF_ANSWERS}
    params = providers.with_output_limit(run.model, params, MAX_TITLE_TOKENS)
    namer = Assistant(system_prompt=TITLE_PROMPT, params=params)
    request = build_request(namer, run.model, turns)
    return Job(
        run.conversation_id,
        live.user_id,
        run.model,
        request,
        question.text[:MAX_EXCERPT_CHARS],
        answer[:MAX_EXCERPT_CHARS],
        live.server,
    )


async def _ask(job: Job) -> str:
    """Returns the model's title, or "" if it gives none. Stops reading as soon as the title is known."""
    reply, _ = providers.resolve(job.model)
    text = ""
    thought_length = 0
    try:
        async with asyncio.timeout(TITLE_TIMEOUT), aclosing(reply(job.request)) as pieces:
            async for piece in pieces:
                is_whole = False
                match piece:
                    case events.Text():
                        text += piece.delta[:MAX_TITLE_READ]
                    case events.Withdraw(part_type="text"):
                        text = ""
                    case events.Reasoning():
                        thought_length += len(piece.delta)
                    case events.Finish():
                        is_whole = piece.reason == "stop"
                        text = text if is_whole else ""
                title = read_title(text, is_whole, job.question, job.answer)
                if title is not None:
                    return title
                if thought_length > MAX_THOUGHT_LENGTH or isinstance(piece, events.Finish):
                    break
    except (TimeoutError, providers.ProviderError) as error:
        logger.info("There is no title from %s: %s", job.model, error)
    return ""
