"""Turns the events of a run into OpenAI's chunks and completions."""

import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractContextManager, aclosing, nullcontext
from time import monotonic
from typing import Any

from django.utils.translation import gettext

from chat import engine, events
from chat.api_keys import invalid_key
from chat.errors import Refused
from chat.live.sse import KEEPALIVE_DELAY
from chat.models import Run

from .errors import error_body, run_error

DONE = b"data: [DONE]\n\n"
KEEPALIVE = b": still here\n\n"
PASSED_FINISH_REASONS = {"length", "content_filter"}  # others become "stop": the client has no tool calls to answer


class Completion:
    """One answer: its identity, and what has been read of it.

    `chunks` streams it, and `read` waits for all of it. `session_watch` is that of the request: reading ends when its
    key is no longer valid.
    """

    def __init__(self, run: Run, model: str, session_watch: AbstractContextManager[Any], *, is_stored: bool) -> None:
        self.run = run
        self.model = model
        self.is_stored = is_stored
        self.id = f"chatcmpl-{run.pk.hex}"
        self.created = int(run.created_at.timestamp())
        self.finish_reason = "stop"
        self.usage: dict[str, Any] = usage_of(None)
        self._session_watch = session_watch

    async def chunks(self, include_usage: bool) -> AsyncGenerator[bytes]:
        """Yields the frames of the stream. Raises Refused if the run fails before there is anything to yield."""
        start = self._chunk({"role": "assistant", "content": ""})
        has_started = False
        text_head, reasoning_head, tail = self._delta_frames()
        last_sent_at = monotonic()
        try:
            async with aclosing(self._deltas()) as deltas:
                async for kind, delta in deltas:
                    if delta:
                        head = text_head if kind is events.TextMessageContent else reasoning_head
                        frame = head + events.quote(delta).encode("ascii") + tail
                    elif monotonic() - last_sent_at > KEEPALIVE_DELAY:
                        frame = KEEPALIVE
                    else:
                        continue
                    last_sent_at = monotonic()
                    yield frame if has_started else start + frame
                    has_started = True
        except Refused as error:
            if not has_started:
                raise
            yield f"data: {json.dumps(error_body(error))}\n\n".encode("ascii") + DONE
            return
        end = self._chunk({}, self.finish_reason)
        if include_usage:
            end += _frame(self._object("chat.completion.chunk", [], usage=self.usage))
        yield (end if has_started else start + end) + DONE

    async def read(self) -> dict[str, Any]:
        """Returns the completion when it is complete. Raises Refused if the run fails."""
        texts: list[str] = []
        thoughts: list[str] = []
        async with aclosing(self._deltas()) as deltas:
            async for kind, delta in deltas:
                (texts if kind is events.TextMessageContent else thoughts).append(delta)
        message: dict[str, Any] = {"role": "assistant", "content": "".join(texts), "refusal": None}
        if any(thoughts):
            message["reasoning_content"] = "".join(thoughts)
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": self.finish_reason}
        return self._object("chat.completion", [choice], usage=self.usage)

    async def _deltas(self) -> AsyncGenerator[tuple[type | None, str]]:
        """Yields (kind, text) of the answer and its thoughts, and (None, "") at intervals while nothing comes.

        A run that is not stored is stopped when its reader leaves. Raises Refused if the run ends without an answer, if
        the API key ends (401) or if the server restarts (503).
        """
        new_text = events.AnswerText(str(self.run.message_id))
        with (
            nullcontext(engine.Hold()) if self.is_stored else engine.hold_temporary(self.run) as hold,
            self._session_watch as session,
        ):
            async with aclosing(engine.follow(self.run)) as numbered_events:
                async for _, event in numbered_events:
                    if not session.is_valid:
                        raise invalid_key()
                    kind = type(event)
                    if kind is events.ReasoningMessageContent:
                        yield kind, event.delta  # type: ignore[union-attr]
                    elif event is None:
                        yield None, ""
                    elif text := new_text(event):
                        yield events.TextMessageContent, text
                    elif event.type in events.TERMINAL:
                        hold.has_ended = True
                        self._end(event)
                        return
        raise Refused(gettext("The server is restarting. Send the request again."), "restarting", 503)

    def _end(self, event: events.Event) -> None:
        """Notes how the run ended. Raises Refused unless it is an answer."""
        match event:
            case events.RunError():
                raise run_error(event.message, event.code)
            case events.RunFinished(outcome={"type": "cancelled"}):
                raise Refused(gettext("The answer was stopped."), "cancelled")
            case events.RunFinished(outcome={"type": "interrupt"}):
                raise Refused(gettext("The assistant wants to use a tool that needs your approval."), "needs_approval")
            case events.RunFinished():
                reason = (event.result or {}).get("finishReason")
                self.finish_reason = reason if reason in PASSED_FINISH_REASONS else "stop"
                self.usage = usage_of(event.usage)

    def _delta_frames(self) -> tuple[bytes, bytes, bytes]:
        """Returns the bytes before the delta in a text's frame and in a thought's, and those after it in both.

        So a delta costs no encoding of a whole chunk. A null character marks its place.
        """
        text, tail = self._chunk({"content": "\0"}).split(b'"\\u0000"')
        return text, self._chunk({"reasoning_content": "\0"}).split(b'"\\u0000"')[0], tail

    def _chunk(self, delta: Mapping[str, Any], finish_reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        return _frame(self._object("chat.completion.chunk", [choice]))

    def _object(self, kind: str, choices: list[Any], **more: Any) -> dict[str, Any]:
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model, "choices": choices, **more}


def _frame(chunk: Mapping[str, Any]) -> bytes:
    return f"data: {json.dumps(chunk, separators=(',', ':'))}\n\n".encode("ascii")


def usage_of(calls: list[dict[str, Any]] | None) -> dict[str, Any]:
    """Returns OpenAI's usage of all model calls together; what no provider has counted is 0."""

    def total(name: str) -> int:
        return sum(call.get(name) or 0 for call in calls or ())

    prompt, completion = total("inputTokens"), total("outputTokens")
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": total("totalTokens") or prompt + completion,
        "prompt_tokens_details": {"cached_tokens": total("cachedInputTokens")},
        "completion_tokens_details": {"reasoning_tokens": total("reasoningTokens")},
    }
