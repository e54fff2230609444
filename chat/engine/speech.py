"""What a provider says, told into a log: the clocks, the second tries and the end of one reply. Touches no rows."""

import asyncio
import itertools
import json
import logging
import time
from contextlib import aclosing

from django.utils import timezone
from django.utils.translation import gettext, gettext_lazy

from .. import events, providers
from ..models import Run
from .log import Log

FIRST_TOKEN = 60  # seconds; reasoning models think before they speak, and so do they after a tool's result
BETWEEN_TOKENS = 30
AFTER_FINISH = 5  # for the usage; some servers then neither say more nor close
RUN_LIMIT = 600
GO_ON = "Your answer broke off. Go on exactly where it ends, without repeating anything and without a remark about it."
AT_WORK = {events.ToolCallEnd, events.ToolCallResult, events.Usage}  # after these a tool runs, or the model thinks anew
INTERRUPTED = ("interrupted", gettext_lazy("The server stopped while this answer was being written."))

logger = logging.getLogger(__name__)


def request(assistant, model_id, turns, wishes="", **fields):
    """What to ask this model for that assistant; `turns` are (role, parts) from the oldest to the question.

    Where they end in an answer, it is asked to go on. `wishes` is what the person wants every assistant to know.
    """
    provider, _, model = model_id.partition(":")
    shown = assistant.memory_turns or (assistant.TURNS_WITH_TOOLS if assistant.tools else None)
    if shown:
        asked = [place for place, (role, _) in enumerate(turns) if role == "user"]
        turns = turns[asked[-shown:][0] :]
    turns = [(role, [_read(part) for part in parts]) for role, parts in turns]
    if turns[-1][0] == "assistant" and not fields.get("answers"):
        turns.append(("user", [{"type": "text", "text": GO_ON}]))
    instructions = "\n\n".join(filter(None, [assistant.system_prompt, wishes]))
    return providers.Request(
        model,
        turns,
        provider,
        system_prompt=instructions,
        params=assistant.params,
        tools=assistant.tools,
        ask_first=assistant.ask_first,
        max_model_calls=assistant.max_model_calls,
        **fields,
    )


def _read(part):
    """The part as a model reads it: a document is text with its name around it."""
    if part["type"] != "document":
        return part
    return {"type": "text", "text": f"<document name={json.dumps(part['name'])}>\n{part['text']}\n</document>\n\n"}


class Speech:
    """One reply while it is being written. `name` is for our own log; `answers` are the request's."""

    def __init__(self, name, message_id, answers=()):
        self.name = name
        self.log = Log()
        self.narrator = events.Narrator(message_id, lambda: time.time_ns() // 1_000_000, answers)
        self.first_token_at = None
        self.ending = None  # why it is to stop: Run.CANCELLED, Run.INTERRUPTED (we leave) or "lost" (not ours any more)
        self.task = None  # that gives it
        self.speaking = False
        self.patience = FIRST_TOKEN  # seconds that the provider may be silent now

    def stop(self, ending):
        """Stop it at the next chance: at once while the provider speaks, else before or after."""
        if self.ending is None:
            self.ending = ending
            if self.speaking:
                self.task.cancel()

    async def give(self, model_id, request):
        """Let the provider speak into the log; how it ended as (status, (code, sentence) or None)."""
        self.task = asyncio.current_task()
        try:
            async with asyncio.timeout(RUN_LIMIT) as limit:
                await self._ask(model_id, request)
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
            logger.exception("Run %s failed", self.name)
            return Run.FAILED, ("internal", gettext("Something went wrong on our side. The answer so far is kept."))
        if self.narrator.finish_reason:
            return Run.COMPLETED, None
        if self.ending == Run.CANCELLED:
            return Run.CANCELLED, None
        return Run.INTERRUPTED, INTERRUPTED

    def conclude(self, run, status, error):
        """End what is open, and in memory the run; gives the event that is then to end the log."""
        for event in events.closing(self.log.events):
            self.log.append(event)
        run.end(
            status,
            error=error,
            finish_reason=self.narrator.finish_reason,
            usage=[self._counted(usage, run.model) for usage in self.narrator.usage],
            last_seq=len(self.log) + 1,
            first_token_at=self.first_token_at,
            approvals=self.narrator.approvals if status == Run.COMPLETED else (),
        )
        return run.terminal_event()

    def _counted(self, usage, model_id):
        provider, _, model = model_id.partition(":")
        counts = {name: getattr(usage, name) for name in events.Usage.__slots__}
        return {"provider": provider, "model": model} | {name: n for name, n in counts.items() if n is not None}

    def _late(self, whole_run):
        if whole_run:
            return gettext("The answer took longer than %(minutes)s minutes.") % {"minutes": RUN_LIMIT // 60}
        if self.narrator.shown:
            return gettext("The model said nothing more for %(seconds)s seconds.") % {"seconds": self.patience}
        return gettext("The model did not begin to answer within %(seconds)s seconds.") % {"seconds": FIRST_TOKEN}

    async def _ask(self, model_id, request):
        """Ask the provider; again, at most twice, where that may help and nothing was shown yet."""
        self.speaking = True
        try:
            if self.ending:
                raise asyncio.CancelledError
            reply, _ = providers.find(model_id, request.tools)
            for attempt in itertools.count():
                try:
                    return await self._hear(reply, request)
                except providers.ProviderError as error:
                    pause = error.pause(attempt)
                    if pause is None or self.narrator.shown or self.narrator.finish_reason:
                        raise
                    logger.info("Run %s: %s Asking again in %s s", self.name, error, pause)
                await asyncio.sleep(pause)
        finally:
            self.speaking = False

    async def _hear(self, reply, request):
        narrator, log, now = self.narrator, self.log, asyncio.get_running_loop().time
        async with asyncio.timeout(FIRST_TOKEN) as clock, aclosing(reply(request)) as pieces:
            set_for = clock.when()
            async for piece in pieces:
                for event in narrator.tell(piece):
                    log.append(event)
                patience = BETWEEN_TOKENS if narrator.shown and type(piece) not in AT_WORK else FIRST_TOKEN
                due = now() + (AFTER_FINISH if narrator.finish_reason else patience)
                if abs(due - set_for) > BETWEEN_TOKENS / 10:  # each time would be a tenth of a token's cost
                    clock.reschedule(due)
                    set_for = due
                    self.patience = patience
                if self.first_token_at is None and narrator.shown:
                    self.first_token_at = timezone.now()
                if narrator.length > events.MAX_REPLY:
                    narrator.finish_reason = "length"
                    return
        if not narrator.finish_reason:
            raise providers.ProviderError(
                gettext("The model stopped before its answer was complete."),
                "broken_off",
                broken_off=True,
                retryable=True,
            )
