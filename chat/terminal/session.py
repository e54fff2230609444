"""A conversation as the terminal has it: unsaved in memory, or saved as on the site."""

import asyncio
import contextlib
import enum
import os
import uuid
from collections.abc import AsyncGenerator, Iterable, Iterator
from contextlib import aclosing
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import close_old_connections

from .. import engine, events
from ..engine.runner import Engine
from ..errors import Refused
from ..models import Assistant, Conversation, Message, Run
from ..tools import Context, Tool

MAX_HISTORY_ITEMS = 100  # of a user's questions, for the arrow keys


class Decision(enum.Enum):
    """The user's answer to the question whether a tool may run; `ALWAYS`: in this conversation."""

    NO = "no"
    YES = "yes"
    ALWAYS = "always"


Decisions = list[tuple[dict[str, Any], Decision]]  # AG-UI interrupts, each with its answer
Events = AsyncGenerator[events.Event, None]


class Session(Protocol):
    """One conversation. All but `questions` runs in the event loop."""

    @property
    def questions(self) -> Iterable[str]:
        """What the user asked lately, oldest first."""

    def begin(self) -> None:
        """An answer is about to be asked for; `stop` then stops that one, even before it has begun."""

    def ask(self, text: str) -> Events:
        """Yields the events of the answer."""

    def resume(self, decisions: Decisions) -> Events:
        """Yields the events of what follows the user's decisions."""

    def stop(self) -> None:
        """Stops the answer."""

    def leave(self) -> None:
        """Gives the answer up because the process ends."""

    def advice(self, error_code: str) -> str:
        """Returns what those who run the site can do about an error, or nothing. Sync."""


def open_session(
    *, assistant: str | None, model: str | None, user: str | None, conversation: uuid.UUID | None
) -> Session:
    """The session that the command's options describe, or Refused."""
    time_zone = local_time_zone()
    if user is None:
        if conversation:
            raise Refused("--conversation needs --user.")
        unsaved = Assistant() if model and not assistant else Assistant.objects.pick(assistant)
        return UnsavedSession(unsaved, model or unsaved.model, time_zone)
    if model:
        raise Refused("--model cannot be used with --user, because a saved conversation belongs to an assistant.")
    User = get_user_model()
    owner = User.objects.filter(**{User.USERNAME_FIELD: user}, is_active=True).first()
    if owner is None:
        raise Refused(f"There is no active user “{user}”.")
    row = None
    if conversation:
        visible = Conversation.objects.visible_to(owner).select_related("assistant")
        row = visible.filter(pk=conversation).first()
        if row is None:
            raise Refused(f"{user} has no conversation {conversation}.")
    if assistant or row is None:
        Assistant.objects.pick(assistant)  # refused now, not at the first question
    return SavedSession(owner, row, assistant, time_zone)


def local_time_zone() -> str:
    """The name of the machine's time zone, as far as it can be told; else UTC."""
    machine = os.path.realpath("/etc/localtime").partition("zoneinfo/")[2]
    for name in (settings.TERMINAL_TIME_ZONE.removeprefix(":"), machine):
        with contextlib.suppress(Exception):  # of many kinds, for names that are none
            return ZoneInfo(name).key
    return "UTC"


class UnsavedSession:
    """A conversation that lives in this object alone."""

    questions = ()

    def __init__(self, assistant: Assistant, model_id: str, time_zone: str) -> None:
        self.assistant = assistant
        self.model_id = model_id
        self.context = Context(time_zone=time_zone)
        self.turns: list[tuple[str, list]] = []
        self.allowed_tools: dict[str, str] = {}  # key -> version
        self.task: asyncio.Task | None = None
        self.is_stopped = False

    def begin(self) -> None:
        self.task = None
        self.is_stopped = False

    async def ask(self, text: str) -> Events:
        self.turns.append(("user", [{"type": "text", "text": text}]))
        async for event in self._generate({}):
            yield event

    async def resume(self, decisions: Decisions) -> Events:
        for interrupt, decision in decisions:
            if decision is Decision.ALWAYS:
                about = interrupt["metadata"]
                self.allowed_tools[about["toolKey"]] = about["toolVersion"]
        by_call = {interrupt["toolCallId"]: decision is not Decision.NO for interrupt, decision in decisions}
        async for event in self._generate(by_call):
            yield event

    def stop(self) -> None:
        self.is_stopped = True
        if self.task:
            self.task.cancel()

    leave = stop  # nothing could continue it later

    def advice(self, error_code: str) -> str:
        return engine.advice(error_code, self.model_id, self.assistant.params)

    async def _is_allowed(self, tool: Tool) -> bool:
        return self.allowed_tools.get(tool.key) == tool.version

    async def _generate(self, decisions: dict[str, bool]) -> Events:
        task = asyncio.current_task()
        assert task is not None
        self.task = task
        log: list[events.Event] = []
        if self.is_stopped:
            task.cancel()
        generated = engine.generate_unsaved(
            self.assistant,
            self.model_id,
            list(self.turns),
            context=self.context,
            decisions=decisions,
            is_allowed=self._is_allowed,
        )
        try:
            async with aclosing(generated):
                async for _, event in generated:
                    log.append(event)
                    yield event
        except asyncio.CancelledError:
            task.uncancel()
            yield events.RunFinished("", "", {"type": "cancelled"})
        finally:
            self.task = None
            self.turns.append(("assistant", events.fold([*log, *events.closing_events(log)])))


class SavedSession:
    """A user's conversation, as on the site; `conversation` is None until the first question."""

    def __init__(self, user: Any, conversation: Conversation | None, assistant: str | None, time_zone: str) -> None:
        self.user = user
        self.conversation = conversation
        self.assistant = assistant
        self.time_zone = time_zone
        self.run: Run | None = None
        self.previous: Run | None = None
        self.engine: Engine | None = None
        self.is_stopped = False
        self.is_leaving = False
        self.cancelling: asyncio.Future | None = None  # kept, so that the task is not collected

    @property
    def questions(self) -> Iterator[str]:
        mine = Message.objects.visible_to(self.user).filter(role=Message.USER)
        return reversed(mine.order_by("-created_at").values_list("text", flat=True)[:MAX_HISTORY_ITEMS])

    def begin(self) -> None:
        self.previous = self.run
        self.run = None
        self.is_stopped = False

    async def ask(self, text: str) -> Events:
        await sync_to_async(close_old_connections)()  # the line may have been typed for an hour
        if self.conversation is None:
            run = await Conversation.begin(self.user, text, self.assistant, time_zone=self.time_zone)
        else:  # read again: its page may have changed it meanwhile
            rows = Conversation.objects.select_related("assistant")
            conversation = await rows.filter(pk=self.conversation.pk).afirst() or self.conversation
            run = await conversation.ask(text, assistant=self.assistant, time_zone=self.time_zone)
        self.conversation = run.conversation
        async for event in self._follow(run):
            yield event

    async def resume(self, decisions: Decisions) -> Events:
        await sync_to_async(close_old_connections)()
        assert self.previous is not None
        waiting = await Run.objects.aget(pk=self.previous.pk)
        run = await waiting.resume(
            {interrupt["id"]: decision is not Decision.NO for interrupt, decision in decisions},
            [interrupt["id"] for interrupt, decision in decisions if decision is Decision.ALWAYS],
        )
        async for event in self._follow(run):
            yield event

    def stop(self) -> None:
        self.is_stopped = True
        if self.run:
            self.cancelling = asyncio.ensure_future(engine.cancel(self.run))

    def leave(self) -> None:
        """As when a server stops: what is written is kept, and another process takes on what has not begun."""
        self.is_leaving = True
        if self.engine:
            self.engine.begin_shutdown()

    def advice(self, error_code: str) -> str:
        run = self.run
        return engine.advice(error_code, run.model, run.assistant.params) if run and run.assistant else ""

    async def _follow(self, run: Run) -> Events:
        if self.engine is None:
            # Runs of other conversations may need what only the site has. A title would come after the command ended.
            adopts = {"conversation_id": run.conversation_id}
            self.engine = engine.set_up(adopts, gives_titles=False, runner="embedded")
        if self.is_leaving:
            self.engine.begin_shutdown()
        self.run = run
        if run.is_new:
            await engine.start(run)
        if self.is_stopped:
            await engine.cancel(run)
        new_text = events.AnswerText(str(run.message_id))
        followed = engine.follow(run)
        async with aclosing(followed):
            async for _, event in followed:
                if event is None:
                    continue
                text = new_text(event)
                if isinstance(event, events.MessagesSnapshot):  # another process took over: show what is new in it
                    event = events.TextMessageContent(str(run.message_id), text)
                yield event
