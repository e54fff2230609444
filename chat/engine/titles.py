"""A title for a conversation after its first answer, by the model that gave it; on failure the first words stay.

A title is worth less than an answer. It is asked for while its user has no answer of that model in progress, and gives
way when they send the next question: a server of one's own may have room for one request only. It is then asked for
after that answer.
"""

import asyncio
import logging
import uuid
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.conf import settings

from .. import broadcast, events, providers
from ..models import Assistant, Conversation, Message, Run
from ..outages import DATABASE_ERRORS
from .reply import build_request

if TYPE_CHECKING:
    from .runner import Engine, LiveRun

TITLE_TIMEOUT = 30  # seconds
MAX_TITLE_CHARS = 80
MAX_EXCERPT_CHARS = 2_000  # of the question and of the answer, as the model is shown them
MAX_TITLE_READ = 1_000  # characters of the model's answer; a line that long is no title
MAX_THOUGHT_LENGTH = 20_000  # characters that the model may think about a title
MAX_TITLES = 20  # requests for titles at a time in this process
MAX_WAITING_TITLES = 1_000  # the oldest of more is not given
MAX_SAVE_DELAY = 60  # seconds between attempts to store a title while the database is away
TITLE_PROMPT = (
    "Give the conversation below a title of two to six words, in the language of its first message. "
    "Answer with the title alone: no quotation marks, no full stop, no explanation."
)
SURROUNDINGS = " #*_`\"'“”„「」『』《》.。"

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Job:
    """A conversation that gets a title."""

    conversation_id: uuid.UUID
    user_id: int
    model: str
    request: providers.Request


class Titles:
    """The titles that one process has to give."""

    def __init__(self, engine: "Engine") -> None:
        self.engine = engine
        self.waiting: dict[uuid.UUID, Job] = {}  # conversation's id -> its job
        self.running: dict[asyncio.Task, Job] = {}

    def add(self, live: "LiveRun") -> None:
        """Called with each run that has ended: it may need a title, and others may have waited for its end."""
        if job := _job(live):
            self._wait(job)
        self._start_waiting()

    def give_way(self, run: Run) -> None:
        """Called with each new run: a request for a title that its user's model works on ends, to be made later."""
        for task, job in self.running.items():
            if (job.user_id, job.model) == (run.conversation.owner_id, run.model):
                self._wait(job)
                task.cancel()

    def _wait(self, job: Job) -> None:
        self.waiting[job.conversation_id] = job
        if len(self.waiting) > MAX_WAITING_TITLES:
            del self.waiting[next(iter(self.waiting))]

    def _start_waiting(self) -> None:
        busy = {(live.user_id, live.run.model) for live in self.engine.live.values()} if self.waiting else set()
        for job in list(self.waiting.values()):
            if len(self.running) >= MAX_TITLES or self.engine.is_shutting_down:
                return
            if (job.user_id, job.model) not in busy:
                del self.waiting[job.conversation_id]
                task = self.engine.spawn(self._give(job))
                self.running[task] = job
                task.add_done_callback(self._on_end)

    def _on_end(self, task: asyncio.Task) -> None:
        self.running.pop(task, None)
        self._start_waiting()

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


def _job(live: "LiveRun") -> Job | None:
    """Returns what to ask for the title of this run's conversation, or None if it needs none."""
    run = live.run
    question = run.message.parent
    assistant = run.assistant
    if question is None or assistant is None or not _wants_title(run, question):
        return None
    answer = events.text_of(events.fold(live.log.events))
    if not answer:
        return None
    excerpt = f"{question.text[:MAX_EXCERPT_CHARS]}\n\n---\n\n{answer[:MAX_EXCERPT_CHARS]}"
    turns: list[tuple[str, list]] = [("user", [{"type": "text", "text": excerpt}])]
    namer = Assistant(system_prompt=TITLE_PROMPT, params=assistant.params)
    return Job(run.conversation_id, live.user_id, run.model, build_request(namer, run.model, turns))


async def _ask(job: Job) -> str:
    """Returns the model's title, or an empty text. Stops reading after the first line."""
    reply, _ = providers.resolve(job.model)
    text = ""
    thought_length = 0
    try:
        async with asyncio.timeout(TITLE_TIMEOUT), aclosing(reply(job.request)) as pieces:
            async for piece in pieces:
                match piece:
                    case events.Text():
                        text += piece.delta[:MAX_TITLE_READ]
                        start, newline, _ = text.lstrip(SURROUNDINGS + "\n").partition("\n")
                        if newline:
                            return tidy(start)
                    case events.Reasoning():
                        thought_length += len(piece.delta)
                    case events.Finish():
                        return tidy(text) if piece.reason == "stop" else ""
                if len(text) >= MAX_TITLE_READ or thought_length > MAX_THOUGHT_LENGTH:
                    return ""
    except (TimeoutError, providers.ProviderError) as error:
        logger.info("There is no title from %s: %s", job.model, error)
    return ""


def _wants_title(run: Run, question: Message) -> bool:
    """Whether this was the first answer of a conversation that nobody has named."""
    if not settings.AUTO_TITLES or run.status != Run.COMPLETED or question.parent_id is not None:
        return False
    if run.conversation.title_by != "text" or run.conversation.is_temporary:
        return False
    return providers.is_language_model(run.model)


def tidy(text: str) -> str:
    """The first line with words in it, without quotation marks, Markdown and a full stop around it."""
    text = events.clean_text(text[:MAX_TITLE_READ])
    line = next((line for line in text.splitlines() if line.strip(SURROUNDINGS)), "")
    words = line.strip(SURROUNDINGS).removeprefix("Title:").split()
    return events.shorten(" ".join(words).strip(SURROUNDINGS), MAX_TITLE_CHARS)
