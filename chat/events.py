"""What can happen in a run: small frozen values with AG-UI 1.0's names, and `fold`, which makes a message of them.

A provider says pieces (`Text`, `Reasoning`, tool call events, `Usage`, `Finish`); the `Narrator` turns them into
events, so that whatever is started is ended and every delta is clean; `fold` turns events into a message's parts.
Standard library only: this file is read by models, engine, providers and doors alike.
"""

import json
import re
from dataclasses import dataclass, fields
from typing import Any

MAX_REPLY = 2_000_000  # characters of one reply; a model that goes on beyond it is cut off as at its own length limit

_encode = json.JSONEncoder(separators=(",", ":")).encode  # ASCII escapes: no reader of lines can cut inside a frame
_quote = json.encoder.encode_basestring_ascii


# Events ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RunStarted:
    thread_id: str
    run_id: str
    type = "RUN_STARTED"


@dataclass(frozen=True, slots=True)
class TextMessageStart:
    message_id: str
    role: str = "assistant"
    type = "TEXT_MESSAGE_START"


@dataclass(slots=True)  # there is one for each token, and a frozen one takes three times as long to make
class TextMessageContent:
    message_id: str
    delta: str
    type = "TEXT_MESSAGE_CONTENT"


@dataclass(frozen=True, slots=True)
class TextMessageEnd:
    message_id: str
    type = "TEXT_MESSAGE_END"


@dataclass(frozen=True, slots=True)
class ReasoningStart:
    message_id: str
    timestamp: int | None = None  # milliseconds since 1970, as everywhere in AG-UI
    type = "REASONING_START"


@dataclass(frozen=True, slots=True)
class ReasoningMessageStart:
    message_id: str
    role: str = "reasoning"
    type = "REASONING_MESSAGE_START"


@dataclass(frozen=True, slots=True)
class ReasoningMessageContent:
    message_id: str
    delta: str
    type = "REASONING_MESSAGE_CONTENT"


@dataclass(frozen=True, slots=True)
class ReasoningMessageEnd:
    message_id: str
    type = "REASONING_MESSAGE_END"


@dataclass(frozen=True, slots=True)
class ReasoningEnd:
    message_id: str
    timestamp: int | None = None
    type = "REASONING_END"


@dataclass(frozen=True, slots=True)
class ToolCallStart:
    tool_call_id: str
    tool_call_name: str
    parent_message_id: str | None = None
    timestamp: int | None = None
    type = "TOOL_CALL_START"


@dataclass(frozen=True, slots=True)
class ToolCallArgs:
    tool_call_id: str
    delta: str
    type = "TOOL_CALL_ARGS"


@dataclass(frozen=True, slots=True)
class ToolCallEnd:
    tool_call_id: str
    type = "TOOL_CALL_END"


@dataclass(frozen=True, slots=True)
class ToolCallResult:
    tool_call_id: str
    content: str
    message_id: str = ""
    metadata: dict | None = None  # {"error": true} when the tool failed and content is the sentence that says why
    timestamp: int | None = None
    type = "TOOL_CALL_RESULT"


@dataclass(frozen=True, slots=True)
class MessagesSnapshot:
    messages: list
    type = "MESSAGES_SNAPSHOT"


@dataclass(frozen=True, slots=True)
class Custom:
    name: str
    value: Any
    type = "CUSTOM"


@dataclass(frozen=True, slots=True)
class RunFinished:
    thread_id: str
    run_id: str
    outcome: dict
    result: dict | None = None
    usage: list | None = None
    type = "RUN_FINISHED"


@dataclass(frozen=True, slots=True)
class RunError:
    message: str
    code: str
    usage: list | None = None
    type = "RUN_ERROR"


EVENTS = {cls.type: cls for cls in list(globals().values()) if isinstance(cls, type) and hasattr(cls, "type")}
TERMINAL = {RunFinished.type, RunError.type}
SHOWN = {cls.type for cls in (TextMessageContent, ReasoningMessageContent, ToolCallStart, ToolCallArgs, ToolCallResult)}
STEPS = {name for name in EVENTS if name.startswith(("REASONING_", "TOOL_CALL_"))}  # the way to the answer


def camel(name):
    return re.sub(r"_(\w)", lambda match: match[1].upper(), name)


_wire_names = {cls: [(field.name, camel(field.name)) for field in fields(cls)] for cls in EVENTS.values()}
_own_names = {wire: name for names in _wire_names.values() for name, wire in names}


def to_dict(event):
    """The event as AG-UI's JSON object; what is None is left out."""
    wire = {"type": event.type}
    for name, camel in _wire_names[type(event)]:
        value = getattr(event, name)
        if value is not None:
            wire[camel] = value
    return wire


def to_json(event):
    if type(event) is TextMessageContent:  # nearly all events are this one
        return f'{{"type":"TEXT_MESSAGE_CONTENT","messageId":"{event.message_id}","delta":{_quote(event.delta)}}}'
    return _encode(to_dict(event))


def from_json(text):
    return _of_wire(json.loads(text))


def _of_wire(wire):
    cls = EVENTS[wire.pop("type")]
    return cls(**{_own_names[name]: value for name, value in wire.items()})


def pack(told):
    """Consecutive events as one JSON array, in which a bare string is one more delta of the text before it."""
    packed, before = [], None
    for event in told:
        packed.append(_quote(event.delta) if _goes_on(before, event) else to_json(event))
        before = event
    return f"[{','.join(packed)}]"


def unpack(text):
    """The events that `pack` made this of."""
    told = []
    for wire in json.loads(text):
        told.append(_of_wire(wire) if type(wire) is dict else type(told[-1])(told[-1].message_id, wire))
    return told


def without_steps(event):
    """What of this event a reader of the answer alone is told: the event, a snapshot with answers only, or None."""
    if type(event) is MessagesSnapshot:
        answers = [message for message in event.messages if message["role"] not in ("reasoning", "tool")]
        return MessagesSnapshot([{k: v for k, v in message.items() if k != "toolCalls"} for message in answers])
    return None if event.type in STEPS else event


def joined(first, second):
    """Both as one event where they are consecutive deltas of one text, else None."""
    return type(first)(first.message_id, first.delta + second.delta) if _goes_on(first, second) else None


def _goes_on(first, second):
    kind = type(second)
    if kind is type(first) and (kind is TextMessageContent or kind is ReasoningMessageContent):
        return first.message_id == second.message_id
    return False


# From events to a message ---------------------------------------------------------------------------------------------


def fold(events):
    """The parts of the message that these events tell, in order; unfinished events give unfinished parts.

    `{"type": "text", "text"}`, `{"type": "reasoning", "text"}`,
    `{"type": "tool_call", "id", "name", "arguments": JSON text, "result": text or None, "error": text or None}`,
    `{"type": "tool_result", "id", "result", "error"}` of a call that an earlier message made and the person allowed.
    A person's message may also hold `{"type": "image", "id", "media_type", "width", "height"}` and
    `{"type": "document", "name", "text"}`, which no event tells.
    Reasoning and tool calls have `"seconds"` where their events tell the time at both ends.
    """
    parts, calls, pieces = [], {}, None
    thoughts, begun = {}, {}  # a thought's id -> its part; what began -> when, in milliseconds
    for event in events:
        match event:
            case TextMessageStart():
                parts.append({"type": "text", "text": []})
                pieces = parts[-1]["text"]
            case ReasoningMessageStart():
                parts.append({"type": "reasoning", "text": []})
                pieces, thoughts[event.message_id] = parts[-1]["text"], parts[-1]
            case ReasoningStart():
                begun[event.message_id] = event.timestamp
            case ReasoningEnd() if event.message_id in thoughts:
                _timed(thoughts[event.message_id], begun.get(event.message_id), event.timestamp)
            case TextMessageContent() | ReasoningMessageContent():
                pieces.append(event.delta)
            case ToolCallStart():
                call = {"type": "tool_call", "id": event.tool_call_id, "name": event.tool_call_name}
                calls[event.tool_call_id] = call | {"arguments": [], "result": None, "error": None}
                parts.append(calls[event.tool_call_id])
                begun[event.tool_call_id] = event.timestamp
            case ToolCallArgs():
                calls[event.tool_call_id]["arguments"].append(event.delta)
            case ToolCallResult():
                call = calls.get(event.tool_call_id)
                if call is None:
                    call = {"type": "tool_result", "id": event.tool_call_id, "result": None, "error": None}
                    parts.append(call)
                failed = bool(event.metadata and event.metadata.get("error"))
                call["error" if failed else "result"] = event.content
                _timed(call, begun.get(event.tool_call_id), event.timestamp)
    for part in parts:
        if key := {"tool_call": "arguments", "text": "text", "reasoning": "text"}.get(part["type"]):
            part[key] = "".join(part[key])
    return parts


def _timed(part, begun, ended):
    if begun is not None and ended is not None:
        part["seconds"] = max(0, ended - begun) / 1000


ENDS = {
    TextMessageStart: TextMessageEnd,
    ReasoningStart: ReasoningEnd,
    ReasoningMessageStart: ReasoningMessageEnd,
    ToolCallStart: ToolCallEnd,
}


def closing(events):
    """The events that end whatever these leave open, the last opened first."""
    left_open = {}
    for event in events:
        kind = type(event)
        if kind in ENDS:
            id = event.tool_call_id if kind is ToolCallStart else event.message_id
            left_open[ENDS[kind], id] = None
        elif kind in ENDS.values():
            id = event.tool_call_id if kind is ToolCallEnd else event.message_id
            left_open.pop((kind, id), None)
    return [end(id) for end, id in reversed(left_open)]


def messages_of(message_id, role, parts):
    """A message of ours as the AG-UI messages of a MESSAGES_SNAPSHOT; an empty reply gives one with empty content."""
    if role == "user":
        return [{"id": message_id, "role": "user", "content": text_of(parts)}]
    thoughts = [part["text"] for part in parts if part["type"] == "reasoning"]
    calls = [part for part in parts if part["type"] == "tool_call"]
    answered = [part for part in parts if part["type"] in ("tool_call", "tool_result")]
    told = [
        {"id": f"{message_id}:reasoning:{number}", "role": "reasoning", "content": text}
        for number, text in enumerate(thoughts, 1)
    ]
    answer = {"id": message_id, "role": "assistant", "content": text_of(parts)}
    if calls:
        answer["toolCalls"] = [
            {"id": c["id"], "type": "function", "function": {"name": c["name"], "arguments": c["arguments"]}}
            for c in calls
        ]
    results = []
    for call in answered:
        if call["result"] is not None or call["error"] is not None:
            result = {"id": f"{message_id}:tool:{call['id']}", "role": "tool", "toolCallId": call["id"]}
            result["content"] = call["result"] if call["error"] is None else call["error"]
            results.append(result | ({"error": call["error"]} if call["error"] else {}))
    return [*told, answer, *results]


def text_of(parts):
    """What a person reads first: the text parts alone."""
    return "".join(part["text"] for part in parts if part["type"] == "text")


# What a provider says -------------------------------------------------------------------------------------------------


@dataclass(slots=True)  # as TextMessageContent
class Text:
    delta: str


@dataclass(frozen=True, slots=True)
class Reasoning:
    delta: str


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one model call, as the vendor counts them; None means not told."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    total_tokens: int | None = None
    reasoning_tokens: int | None = None
    cached_input_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Finish:
    """The model said that it is done, and why: OpenAI's `stop`, `length`, `content_filter`, `tool_calls`."""

    reason: str


@dataclass(frozen=True, slots=True)
class Approval:
    """The run cannot go on before the person allows this tool call; `message` asks for it."""

    tool_call_id: str
    message: str


class Cleaner:
    """Makes one stream of deltas fit for every database and encoder: whole characters, no NUL.

    A surrogate pair that was split between two deltas is joined; a lonely half becomes U+FFFD, or nothing at the end.
    """

    __slots__ = ("half",)

    def __init__(self):
        self.half = ""

    def __call__(self, delta):
        if not self.half and delta.isascii():
            return delta.replace("\0", "") if "\0" in delta else delta
        delta, self.half = self.half + delta, ""
        if delta and "\ud800" <= delta[-1] <= "\udbff":
            delta, self.half = delta[:-1], delta[-1]
        return clean(delta)


def clean(text):
    """The text with surrogate pairs joined, lonely halves replaced and NUL removed."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").replace("\0", "")


class Narrator:
    """Tells a run as events: `tell(piece)` for each piece of the provider. The end is told with `closing`.

    Opens and closes messages around their deltas, keeps usage and finish reason, and knows whether a person has seen
    anything yet (`shown`) and how much (`length`, characters). `clock()` gives milliseconds since 1970, for how long
    thoughts and tools took; `answers` are the calls of earlier messages whose results this message may tell.
    """

    def __init__(self, message_id, clock=lambda: None, answers=()):
        self.message_id = message_id
        self.clock = clock
        self.finish_reason = None
        self.usage = []
        self.approvals = []
        self.shown = False
        self.length = 0
        self._open = None  # the kind of message that is open: Text, Reasoning or None
        self._calls = {}  # open tool calls: id -> Cleaner of its arguments
        self._known = set(answers)  # tool calls that were started
        self._answered = set()  # tool calls that have their result
        self._thoughts = 0
        self._heard = None  # the kind of the last delta
        self._clean = Cleaner()  # of that kind

    def tell(self, piece):
        """The events that this piece makes, in order; often one, sometimes none."""
        kind = type(piece)
        if kind is Text or kind is Reasoning:
            if kind is not self._heard and piece.delta:  # half a character of the one is not completed by the other
                self._heard, self._clean = kind, Cleaner()
            delta = self._clean(piece.delta)
            if not delta:
                return ()
            self.length += len(delta)
            if self._open is kind:
                return (self._delta(delta),)
            return (*self._close_text(), *self._start(kind), self._delta(delta))
        if kind is Usage:
            self.usage.append(piece)
            return ()
        if kind is Finish:
            self.finish_reason = clean(piece.reason)[:50]
            return ()
        if kind is Approval:
            self.approvals.append(piece)
            return ()
        return list(self._tool(piece))

    def _start(self, kind):
        self._open, self.shown = kind, True
        if kind is Text:
            return [TextMessageStart(self.message_id)]
        self._thoughts += 1
        return [ReasoningStart(self._thought, self.clock()), ReasoningMessageStart(self._thought)]

    @property
    def _thought(self):
        return f"{self.message_id}:reasoning:{self._thoughts}"

    def _delta(self, delta):
        if self._open is Text:
            return TextMessageContent(self.message_id, delta)
        return ReasoningMessageContent(self._thought, delta)

    def _close_text(self):
        if self._open is None:
            return []
        kind, self._open = self._open, None
        if kind is Text:
            return [TextMessageEnd(self.message_id)]
        return [ReasoningMessageEnd(self._thought), ReasoningEnd(self._thought, self.clock())]

    def _tool(self, piece):
        call = clean(piece.tool_call_id)
        match piece:
            case ToolCallStart() if call not in self._known:
                yield from self._close_text()
                name = clean(piece.tool_call_name)
                self._known.add(call)
                self._calls[call] = Cleaner()
                self.shown = True
                self.length += len(call) + len(name)
                yield ToolCallStart(call, name, self.message_id, self.clock())
            case ToolCallArgs() if call in self._calls:
                delta = self._calls[call](piece.delta)
                self.length += len(delta)
                if delta:
                    yield ToolCallArgs(call, delta)
            case ToolCallEnd() if call in self._calls:
                del self._calls[call]
                yield ToolCallEnd(call)
            case ToolCallResult() if call in self._known - self._answered:
                yield from self._close_text()
                if call in self._calls:
                    yield from self._tool(ToolCallEnd(call))
                self._answered.add(call)
                content = clean(piece.content)
                self.shown = True
                self.length += len(content)
                message_id = f"{self.message_id}:tool:{call}"
                yield ToolCallResult(call, content, message_id, piece.metadata, self.clock())
