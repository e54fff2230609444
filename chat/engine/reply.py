"""Writes one reply: what a provider yields becomes events in a log. Timeouts, retries and the ending; no rows."""

import asyncio
import itertools
import logging
import time
import uuid
from collections.abc import Iterable
from contextlib import aclosing
from datetime import datetime
from typing import Any

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext, ngettext

from .. import events, hooks, providers
from ..models import Assistant, Ending, Run, interrupts_for
from .log import Log
from .reply_images import ReplyImages, Save
from .time_limits import SilenceTimer, TimeLimits
from .window import Prompt

USAGE_TIMEOUT = 5  # seconds after the finish reason; some servers then neither send the usage nor close
CONTINUE_PROMPT = (
    "Your answer broke off. Go on exactly where it ends, without repeating anything and without a remark about it."
)
ANSWER_PROMPT = "You have thought about this, but have not answered. Your thoughts were:\n\n%s\n\nAnswer now."
REVISION_PROMPT = "\n\n(You have already answered this:\n\n%s\n\nAnswer it anew. %s)"
MAX_THOUGHTS_LENGTH = 20_000  # characters of them, the last ones
# After these a tool runs, or the model reads and thinks again, so that the limit for the first token counts.
BEFORE_LONG_PAUSE = {events.ToolCallEnd, events.ToolCallResult, events.Usage}
OTHER_REASONS = {"length", "content_filter", "tool_calls"}  # finish reasons that say themselves why there is no text
# The third reason to stop, beside Run.CANCELLED and Run.INTERRUPTED (this process shuts down): not ours any more.
LOST = "lost"

Error = tuple[str, Any]  # a code and the sentence for the user, which may be a lazy translation
INTERRUPTED_ERROR: Error = ("interrupted", Ending.INTERRUPTED)

logger = logging.getLogger(__name__)


def build_request(
    assistant: Assistant,
    model_id: str,
    turns: list[providers.Turn],
    additions: Iterable[hooks.Addition] = (),
    **fields: Any,
) -> providers.Request:
    """What to ask this model for that assistant; `turns` are (role, parts) from the oldest to the question.

    If they end in an answer, the model is asked to continue it. What it is sent alternates between the two roles.
    `additions` are those of chat.hooks.
    """
    provider, _, model = model_id.partition(":")
    additions = list(additions)
    tools = _tools(assistant, additions)
    turns = _remembered(assistant, tools, turns)
    turns = providers.alternating(turns if fields.get("decisions") else _with_prompt(turns))
    instructions = [assistant.system_prompt, *(addition.instructions for addition in additions)]
    return providers.Request(
        model,
        turns,
        provider,
        system_prompt="\n\n".join(filter(None, instructions)),
        params=assistant.params,
        tools=tools,
        ask_first=assistant.ask_first,
        ask_every_time=assistant.ask_every_time,
        max_model_calls=assistant.max_model_calls,
        **fields,
    )


def build_prompt(
    assistant: Assistant,
    model_id: str,
    turns: list[providers.Turn],
    additions: Iterable[hooks.Addition] = (),
    *,
    is_cut: bool = False,
    shown_images: int | None = None,
    **fields: Any,
) -> Prompt:
    """Returns what a run asks: the request of `build_request`, and shorter ones for a model that it is too long for.

    `is_cut`: older turns of the conversation were left out already. `shown_images`: as in `History`.
    """
    additions = list(additions)
    remembered = _remembered(assistant, _tools(assistant, additions), turns)
    return Prompt(
        lambda kept: build_request(assistant, model_id, kept, additions, **fields),
        remembered,
        assistant.context_window,
        is_cut or len(remembered) < len(turns),
        shown_images,
    )


def _tools(assistant: Assistant, additions: list[hooks.Addition]) -> list[str]:
    return list(dict.fromkeys([*assistant.tools, *(name for addition in additions for name in addition.tools)]))


def _remembered(assistant: Assistant, tools: list[str], turns: list[providers.Turn]) -> list[providers.Turn]:
    """Returns the last turns, as many as the assistant remembers."""
    max_turns = assistant.memory_turns or (assistant.TURNS_WITH_TOOLS if tools else None)
    questions = [index for index, (role, _) in enumerate(turns) if role == "user"]
    return turns[questions[-max_turns:][0] :] if max_turns and questions else turns


def with_revision(turns: list[providers.Turn], answer: str, instruction: str) -> list[providers.Turn]:
    """Returns the turns with the request to answer the question, in which they end, as the instruction says.

    It is part of the question, so that the number of turns is that of the conversation's messages.
    """
    if not turns or turns[-1][0] != "user":
        return turns
    role, parts = turns[-1]
    return [*turns[:-1], (role, [*parts, {"type": "text", "text": REVISION_PROMPT % (answer, instruction)}])]


def _with_prompt(turns: list[providers.Turn]) -> list[providers.Turn]:
    """Returns the turns with what asks for the rest of the answer in which they end; unchanged without one.

    An answer without content has no rest: its question is asked again, with the thoughts about it if there are some.
    """
    turns = list(turns)
    thoughts = ""
    while turns and turns[-1][0] == "assistant":
        parts = turns[-1][1]
        if thoughts or providers.has_content(parts):
            break
        thoughts = "\n\n".join(part["text"] for part in parts if part["type"] == "reasoning").strip()
        turns.pop()
    if thoughts:
        prompt = ANSWER_PROMPT % thoughts[-MAX_THOUGHTS_LENGTH:]
    elif turns and turns[-1][0] == "assistant":
        prompt = CONTINUE_PROMPT
    else:
        return turns
    return [*turns, ("user", [{"type": "text", "text": prompt}])]


class ReplyWriter:
    """Writes one reply into a log. `decisions` are those of the request."""

    def __init__(
        self, run_id: uuid.UUID, message_id: str, decisions: Iterable[str] = (), save_image: Save | None = None
    ) -> None:
        self.run_id = run_id
        self.message_id = message_id
        self.log = Log()
        self.builder = events.EventBuilder(message_id, lambda: time.time_ns() // 1_000_000, decisions, _limits())
        self.images = ReplyImages(save_image, self._text)
        self.first_token_at: datetime | None = None
        self.stop_reason: str | None = None  # Run.CANCELLED, Run.INTERRUPTED or LOST
        self.task: asyncio.Task | None = None  # that generates
        self.is_generating = False
        self.kept: int | None = None  # messages of the conversation that the model is sent; None: all
        self.trimmed_files: list[dict[str, Any]] = []  # what the readers were told of files
        self.limits = TimeLimits()
        self.silence = self.limits.first_token  # the limit that the provider's silence has now

    def stop(self, reason: str) -> None:
        """Stops at the next chance: at once while the provider answers, else before or after."""
        if self.stop_reason is None:
            self.stop_reason = reason
            if self.is_generating and self.task:
                self.task.cancel()

    async def generate(self, model_id: str, prompt: Prompt, limits: TimeLimits) -> Ending:
        """Writes the provider's reply into the log and returns how it ended.

        Raises CancelledError only if the task was cancelled by something other than `stop`.
        """
        self.task = asyncio.current_task()
        self.limits = limits
        try:
            async with asyncio.timeout(limits.run.seconds) as timeout:
                await self._ask(model_id, prompt)
        except asyncio.CancelledError:
            if self.stop_reason is None:
                raise
            if self.task:
                self.task.uncancel()
        except providers.ProviderError as error:
            if not self.builder.finish_reason:
                status = Run.INTERRUPTED if error.broken_off else Run.FAILED
                return self._ending(model_id, status, (error.code, error))
        except TimeoutError:
            if not self.builder.finish_reason:
                status = Run.INTERRUPTED if self.builder.shown else Run.FAILED
                return self._ending(model_id, status, ("timeout", self._timeout_sentence(timeout.expired())))
        except events.LimitExceeded as error:
            logger.warning("Run %s was ended, because it exceeded %s", self.run_id, error)
            status = Run.INTERRUPTED if self.builder.shown else Run.FAILED
            return self._ending(model_id, status, ("too_long", _limit_message(error)))
        except Exception:
            logger.exception("Run %s failed (message %s)", self.run_id, self.message_id)
            sentence = gettext("Something went wrong on our side. The answer so far has been saved.")
            return self._ending(model_id, Run.FAILED, ("internal", sentence))
        if self.builder.finish_reason:
            return self._ending(model_id, Run.COMPLETED)
        if self.stop_reason == Run.CANCELLED:
            return self._ending(model_id, Run.CANCELLED)
        return self._ending(model_id, Run.INTERRUPTED, INTERRUPTED_ERROR)

    def close(self) -> None:
        """Ends in the log what is still open, so that the terminal event can follow."""
        for event in events.closing_events(self.log.events):
            self.log.append(event)

    def _ending(self, model_id: str, status: str, error: Error | None = None) -> Ending:
        approvals = self.builder.approvals if status == Run.COMPLETED else []
        return Ending.with_error(
            status,
            error,
            finish_reason=self._finish_reason(status),
            usage=[_counts(usage, model_id) for usage in self.builder.usage],
            interrupts=interrupts_for(self.run_id, approvals),
            resume_state=self.builder.resume_state if approvals else [],
            first_token_at=self.first_token_at,
        )

    def _finish_reason(self, status: str) -> str:
        """Returns why the model stopped; `no_answer` if it just stopped after thoughts or tools, or said nothing."""
        reason = self.builder.finish_reason or ""
        if status != Run.COMPLETED or self.builder.approvals or reason in OTHER_REASONS:
            return reason
        parts = events.fold(self.log.events)
        return reason if providers.has_content(parts, with_calls=False) else Ending.NO_ANSWER

    def _text(self) -> str:
        return "".join(event.delta for event in self.log.events if type(event) is events.TextMessageContent)

    def _timeout_sentence(self, is_run_timeout: bool) -> str:
        """Returns the sentence for the user, with the name of the setting for those who run the site."""
        limit = self.limits.run if is_run_timeout else self.silence
        if is_run_timeout and self.builder.shown:
            sentence = ngettext(
                "The answer was cut short: it took longer than %(seconds)s second (%(setting)s).",
                "The answer was cut short: it took longer than %(seconds)s seconds (%(setting)s).",
                limit.seconds,
            )
        elif is_run_timeout:
            sentence = ngettext(
                "The model did not begin its answer within %(seconds)s second (%(setting)s).",
                "The model did not begin its answer within %(seconds)s seconds (%(setting)s).",
                limit.seconds,
            )
        elif self.builder.shown:
            sentence = ngettext(
                "The model stopped responding: it sent nothing for %(seconds)s second (%(setting)s).",
                "The model stopped responding: it sent nothing for %(seconds)s seconds (%(setting)s).",
                limit.seconds,
            )
        else:
            sentence = ngettext(
                "The model did not start answering: it sent nothing for %(seconds)s second (%(setting)s).",
                "The model did not start answering: it sent nothing for %(seconds)s seconds (%(setting)s).",
                limit.seconds,
            )
        return sentence % {"seconds": f"{limit.seconds:,}", "setting": limit.place}

    async def _ask(self, model_id: str, prompt: Prompt) -> None:
        """Asks the provider. As long as nothing was shown, asks at most twice again where that may help, and with fewer
        turns if the request is too long.
        """
        self.is_generating = True
        try:
            if self.stop_reason:
                raise asyncio.CancelledError
            await providers.load(model_id)
            reply, _ = providers.resolve(model_id, prompt.request.tools)
            await prompt.look_up()
            prompt.fit()
            if prompt.shown_images is not None:
                self._append([events.ImagesTrimmed(prompt.shown_images)])
            retries = itertools.count()
            while True:
                self._announce(prompt)
                try:
                    return await self._consume(reply, prompt.request)
                except providers.ProviderError as error:
                    if self.builder.shown or self.builder.finish_reason:
                        raise
                    if isinstance(error, providers.ContextOverflow) and prompt.shorten(error):
                        logger.info("Run %s: asking with the last %s messages", self.run_id, prompt.kept)
                        continue
                    delay = error.pause(next(retries))
                    if delay is None:
                        raise
                    logger.info("Run %s: %s Asking again in %s s", self.run_id, error, delay)
                await asyncio.sleep(delay)
        finally:
            self.is_generating = False
            if self.builder.usage:
                prompt.correct(self.builder.usage[0].input_tokens)

    def _announce(self, prompt: Prompt) -> None:
        """Tells the readers what the model is sent, if it is not the whole conversation with its files."""
        if prompt.kept and prompt.kept != self.kept:
            self.kept = prompt.kept
            self._append([events.ContextTrimmed(prompt.kept)])
        for file in prompt.trimmed_files:
            if file not in self.trimmed_files:
                self.trimmed_files.append(file)
                self._append([events.FileTrimmed(**file)])

    def _append(self, pieces: Iterable[events.Piece]) -> None:
        for piece in pieces:
            for event in self.builder.feed(piece):
                self.log.append(event)

    async def _consume(self, reply, request: providers.Request) -> None:
        """Appends the events of each piece of one provider call; ends one that is silent for too long."""
        builder = self.builder
        log = self.log
        max_length = settings.MAX_REPLY_LENGTH
        limits = self.limits
        activity = request.activity
        self.silence = limits.first_token
        now = time.monotonic
        images = self.images
        try:
            async with SilenceTimer(activity, self.silence) as timer, aclosing(reply(request)) as pieces:
                async for piece in pieces:
                    activity.last_at = now()  # mark() would cost twice as much
                    kind = type(piece)
                    if images.is_open or kind is events.GeneratedImage or (kind is events.Text and "!" in piece.delta):
                        self._append(await images.read(piece))
                        activity.last_at = now()  # the model has no part in how long storing takes
                    else:
                        for event in builder.feed(piece):
                            log.append(event)
                    is_long = not builder.shown or kind in BEFORE_LONG_PAUSE
                    limit = limits.first_token if is_long else limits.silence
                    if limit is not self.silence:
                        self.silence = limit
                        timer.set_limit(limit)
                    if builder.finish_reason:
                        timer.end_within(USAGE_TIMEOUT)
                    if self.first_token_at is None and builder.shown:
                        self.first_token_at = timezone.now()
                    if builder.length > max_length:
                        builder.finish_reason = "length"
                        return
        finally:
            self._append(images.close())
        if not builder.finish_reason:
            raise providers.ProviderError(
                gettext("The model stopped before its answer was complete."),
                "broken_off",
                broken_off=True,
                retryable=True,
            )


def _limits() -> events.Limits:
    return events.Limits(settings.MAX_TOOL_CALLS, settings.MAX_TOOL_ARGUMENTS_LENGTH, settings.MAX_REPLY_PARTS)


def _limit_message(error: events.LimitExceeded) -> str:
    """Returns the sentence for the user, with the name of the setting for those who run the site."""
    sentences = {
        "MAX_REPLY_PARTS": ngettext(
            "The answer was cut short: it has more than %(limit)s step (%(setting)s).",
            "The answer was cut short: it has more than %(limit)s steps (%(setting)s).",
            error.value,
        ),
        "MAX_TOOL_CALLS": ngettext(
            "The answer was cut short: the model made more than %(limit)s tool call (%(setting)s).",
            "The answer was cut short: the model made more than %(limit)s tool calls (%(setting)s).",
            error.value,
        ),
        "MAX_TOOL_CALLS_PER_TURN": ngettext(
            "The answer was cut short: the model made more than %(limit)s tool call at once (%(setting)s).",
            "The answer was cut short: the model made more than %(limit)s tool calls at once (%(setting)s).",
            error.value,
        ),
        "MAX_TOOL_ARGUMENTS_LENGTH": ngettext(
            "The answer was cut short: the arguments of a tool call have more than %(limit)s character (%(setting)s).",
            "The answer was cut short: the arguments of a tool call have more than %(limit)s characters (%(setting)s).",
            error.value,
        ),
    }
    return sentences[error.setting] % {"limit": f"{error.value:,}", "setting": error.setting}


def _counts(usage: events.Usage, model_id: str) -> dict[str, Any]:
    """One model call's usage as the row keeps it, without the counts that the provider did not give."""
    provider, _, model = model_id.partition(":")
    counts = {name: getattr(usage, name) for name in events.Usage.__slots__}
    return {"provider": provider, "model": model} | {name: count for name, count in counts.items() if count is not None}
