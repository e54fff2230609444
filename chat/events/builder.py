"""From the pieces that a provider yields to the events of a run."""

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from .limits import LimitExceeded, Limits
from .text import DeltaCleaner, clean_text
from .types import (
    CONTEXT_TRIMMED,
    FILE_TRIMMED,
    IMAGE,
    IMAGES_TRIMMED,
    PART_WITHDRAWN,
    Approval,
    ContextTrimmed,
    Custom,
    Event,
    FileTrimmed,
    Finish,
    ImagesTrimmed,
    Piece,
    Reasoning,
    ReasoningEnd,
    ReasoningMessageContent,
    ReasoningMessageEnd,
    ReasoningMessageStart,
    ReasoningStart,
    ResumeState,
    StoredImage,
    Text,
    TextMessageContent,
    TextMessageEnd,
    TextMessageStart,
    ToolCallArgs,
    ToolCallEnd,
    ToolCallResult,
    ToolCallStart,
    Usage,
    Withdraw,
)

IMAGE_FIELDS = ("id", "media_type", "width", "height")  # of a part
MAX_COUNT = 2**53  # of tokens: beyond it JavaScript cannot tell two numbers apart


class EventBuilder:
    """Builds the events of one run: `feed(piece)` for each piece of the provider, then `closing_events` ends the log.

    Opens and closes messages around their deltas, keeps usage and finish reason, and knows whether the reader has seen
    anything yet (`shown`) and how much (`length`, characters). `clock()` returns milliseconds since 1970, from which
    the durations of reasoning and tools are computed. `resumed_calls` are the ids of calls in earlier messages whose
    results this message may hold. More than `limits` allow raises LimitExceeded.
    """

    def __init__(
        self,
        message_id: str,
        clock: Callable[[], int | None] = lambda: None,
        resumed_calls: Iterable[str] = (),
        limits: Limits = Limits(),  # noqa: B008  # it cannot be changed
    ) -> None:
        self.message_id = message_id
        self.clock = clock
        self.limits = limits
        self.finish_reason: str | None = None
        self.usage: list[Usage] = []
        self.approvals: list[Approval] = []
        self.resume_state: list[dict[str, Any]] = []
        self.shown = False
        self.length = 0
        self._open: type | None = None  # the kind of message that is open: Text, Reasoning or None
        self._parts = 0
        self._tool_calls = 0
        self._arguments: dict[str, DeltaCleaner] = {}  # open tool call -> cleaner of its arguments
        self._arguments_length: dict[str, int] = {}  # tool call -> characters
        self._known = set(resumed_calls)  # tool calls that were started
        self._answered: set[str] = set()  # tool calls that have their result
        self._reasonings = 0
        self._last_kind: type | None = None  # of the deltas: Text or Reasoning
        self._clean = DeltaCleaner()  # for that kind

    def feed(self, piece: Piece) -> Sequence[Event]:
        """Returns the events that this piece makes, in order; often one, sometimes none."""
        kind = type(piece)
        if kind is Text or kind is Reasoning:
            delta = piece.delta  # type: ignore[union-attr]  # comparing `kind` costs half of what mypy could follow
            if kind is not self._last_kind and delta:  # half a character of one kind never completes in the other
                self._last_kind = kind
                self._clean = DeltaCleaner()
            delta = self._clean(delta)
            if not delta:
                return ()
            self.length += len(delta)
            if self._open is kind:
                return (self._delta(delta),)
            self._count_part()
            return (*self._close_text(), *self._start(kind), self._delta(delta))
        if isinstance(piece, Usage):
            if len(self.usage) < self.limits.parts:
                self.usage.append(_valid_counts(piece))
            return ()
        if isinstance(piece, Withdraw):
            return self._withdraw(piece.part_type)
        if isinstance(piece, Finish):
            self.finish_reason = clean_text(piece.reason)[:50]
            return ()
        if isinstance(piece, Approval):
            self.approvals.append(piece)
            return ()
        if isinstance(piece, ContextTrimmed):
            return (Custom(CONTEXT_TRIMMED, {"kept": piece.kept}),)
        if isinstance(piece, FileTrimmed):
            return (Custom(FILE_TRIMMED, dataclasses.asdict(piece)),)
        if isinstance(piece, ImagesTrimmed):
            return (Custom(IMAGES_TRIMMED, {"shown": piece.shown}),)
        if isinstance(piece, ResumeState):
            self.resume_state = piece.value
            return ()
        if isinstance(piece, StoredImage):
            self._count_part()
            self.shown = True
            return (*self._close_text(), Custom(IMAGE, {name: piece.part[name] for name in IMAGE_FIELDS}))
        return list(self._tool(piece))

    def _count_part(self) -> None:
        self._parts += 1
        if self._parts > self.limits.parts:
            raise LimitExceeded("MAX_REPLY_PARTS", self.limits.parts)

    def _count_tool_call(self) -> None:
        self._count_part()
        self._tool_calls += 1
        if self._tool_calls > self.limits.tool_calls:
            raise LimitExceeded("MAX_TOOL_CALLS", self.limits.tool_calls)

    def _count_arguments(self, call: str, delta: str) -> None:
        length = self._arguments_length.get(call, 0) + len(delta)
        self._arguments_length[call] = length
        if length > self.limits.arguments_length:
            raise LimitExceeded("MAX_TOOL_ARGUMENTS_LENGTH", self.limits.arguments_length)

    def _start(self, kind: type) -> list[Event]:
        self._open = kind
        self.shown = True
        if kind is Text:
            return [TextMessageStart(self.message_id)]
        self._reasonings += 1
        return [ReasoningStart(self._reasoning_id, self.clock()), ReasoningMessageStart(self._reasoning_id)]

    @property
    def _reasoning_id(self) -> str:
        return f"{self.message_id}:reasoning:{self._reasonings}"

    def _delta(self, delta: str) -> Event:
        if self._open is Text:
            return TextMessageContent(self.message_id, delta)
        return ReasoningMessageContent(self._reasoning_id, delta)

    def _close_text(self) -> list[Event]:
        if self._open is None:
            return []
        kind = self._open
        self._open = None
        if kind is Text:
            return [TextMessageEnd(self.message_id)]
        return [ReasoningMessageEnd(self._reasoning_id), ReasoningEnd(self._reasoning_id, self.clock())]

    def _withdraw(self, part_type: str) -> list[Event]:
        """Takes back the part that is open. Only `fold` knows its length, which goes on counting."""
        if self._open is not (Text if part_type == "text" else Reasoning):
            return []
        return [*self._close_text(), Custom(PART_WITHDRAWN, {"type": part_type})]

    def _tool(self, piece: Any) -> Iterator[Event]:
        call = clean_text(piece.tool_call_id)
        match piece:
            case ToolCallStart() if call not in self._known:
                self._count_tool_call()
                yield from self._close_text()
                name = clean_text(piece.tool_call_name)
                self._known.add(call)
                self._arguments[call] = DeltaCleaner()
                self.shown = True
                self.length += len(call) + len(name)
                yield ToolCallStart(call, name, self.message_id, self.clock())
            case ToolCallArgs() if call in self._arguments:
                self._count_arguments(call, piece.delta)
                delta = self._arguments[call](piece.delta)
                self.length += len(delta)
                if delta:
                    yield ToolCallArgs(call, delta)
            case ToolCallEnd() if call in self._arguments:
                del self._arguments[call]
                yield ToolCallEnd(call)
            case ToolCallResult() if call in self._known - self._answered:
                yield from self._close_text()
                if call in self._arguments:
                    yield from self._tool(ToolCallEnd(call))
                self._answered.add(call)
                content = clean_text(piece.content)
                self.shown = True
                self.length += len(content)
                message_id = f"{self.message_id}:tool:{call}"
                yield ToolCallResult(call, content, message_id, piece.metadata, self.clock())


def _valid_counts(usage: Usage) -> Usage:
    """Returns the usage without counts that are no numbers of tokens."""
    counts = (getattr(usage, name) for name in Usage.__slots__)
    return Usage(*(count if type(count) is int and 0 <= count < MAX_COUNT else None for count in counts))
