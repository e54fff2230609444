"""From events to the parts of a message, and the events that close what is still open."""

from collections.abc import Iterable
from typing import Any

from . import types
from .types import (
    Custom,
    Event,
    ReasoningEnd,
    ReasoningMessageContent,
    ReasoningMessageEnd,
    ReasoningMessageStart,
    ReasoningStart,
    TextMessageContent,
    TextMessageEnd,
    TextMessageStart,
    ToolCallArgs,
    ToolCallEnd,
    ToolCallResult,
    ToolCallStart,
)

Part = dict[str, Any]  # see chat.parts

ENDS: dict[type, type] = {
    TextMessageStart: TextMessageEnd,
    ReasoningStart: ReasoningEnd,
    ReasoningMessageStart: ReasoningMessageEnd,
    ToolCallStart: ToolCallEnd,
}
# Kind of part -> its field that holds a list of deltas until `fold` has read all events and joins them.
DELTA_FIELDS = {"text": "text", "reasoning": "text", "tool_call": "arguments"}


def fold(events: Iterable[Event]) -> list[Part]:
    """Returns the parts of the message that these events describe, in order; unfinished events give unfinished parts.

    `{"type": "text", "text"}`, `{"type": "reasoning", "text"}`,
    `{"type": "tool_call", "id", "name", "arguments": JSON text, "result": text or None, "error": text or None}`,
    `{"type": "tool_result", "id", "result", "error"}` for a call of an earlier message that the user allowed,
    `{"type": "image", "id", "media_type", "width", "height"}` for an image that the model made.
    `{"type": "context_trimmed", "kept"}` if the model was sent only so many messages, by the last event that says so.
    `{"type": "images_trimmed", "shown"}` if from now on it is sent only so many images.
    `{"type": "file_trimmed", "name", "unit", "count", "shown"}` if it was sent only so many units of a file.
    Reasoning and tool calls also have `"seconds"` if the events carry the time at both ends. `chat.parts` has all
    kinds, also those that a user sends.
    """
    parts: list[Part] = []
    deltas: list[str] = []  # of the text or reasoning that is open
    reasonings: dict[str, Part] = {}  # message id -> part
    calls: dict[str, Part] = {}  # tool call id -> part
    part: Part
    started: dict[str, int | None] = {}  # id -> time of its first event, in milliseconds
    for event in events:
        match event:
            case TextMessageStart():
                deltas = []
                parts.append({"type": "text", "text": deltas})
            case ReasoningMessageStart():
                deltas = []
                part = {"type": "reasoning", "text": deltas}
                parts.append(part)
                reasonings[event.message_id] = part
            case ReasoningStart():
                started[event.message_id] = event.timestamp
            case ReasoningEnd() if event.message_id in reasonings:
                _set_seconds(reasonings[event.message_id], started.get(event.message_id), event.timestamp)
            case TextMessageContent() | ReasoningMessageContent():
                deltas.append(event.delta)
            case ToolCallStart():
                part = {"type": "tool_call", "id": event.tool_call_id, "name": event.tool_call_name}
                part |= {"arguments": [], "result": None, "error": None}
                parts.append(part)
                calls[event.tool_call_id] = part
                started[event.tool_call_id] = event.timestamp
            case ToolCallArgs():
                calls[event.tool_call_id]["arguments"].append(event.delta)
            case ToolCallResult():
                answered = calls.get(event.tool_call_id)
                if answered is None:
                    answered = {"type": "tool_result", "id": event.tool_call_id, "result": None, "error": None}
                    parts.append(answered)
                failed = bool(event.metadata and event.metadata.get("error"))
                answered["error" if failed else "result"] = event.content
                _set_seconds(answered, started.get(event.tool_call_id), event.timestamp)
            case Custom():
                _add_custom(parts, event)
    for part in parts:
        if field := DELTA_FIELDS.get(part["type"]):
            part[field] = "".join(part[field])
    return parts


def _add_custom(parts: list[Part], event: Custom) -> None:
    match event.name:
        case types.PART_WITHDRAWN:
            _withdraw(parts, event.value["type"])
        case types.CONTEXT_TRIMMED | types.IMAGES_TRIMMED:
            trimmed = next((part for part in parts if part["type"] == event.name), None)
            if trimmed is None:
                parts.append({"type": event.name, **event.value})
            else:
                trimmed.update(event.value)
        case types.FILE_TRIMMED:
            name = event.value["name"]
            known = (part for part in parts if part["type"] == event.name and part["name"] == name)
            if (trimmed := next(known, None)) is None:
                parts.append({"type": event.name, **event.value})
            else:
                trimmed.update(event.value)
        case types.IMAGE:
            parts.append({"type": event.name, **event.value})


def _withdraw(parts: list[Part], part_type: str) -> None:
    """Removes the last part of this type."""
    for index in range(len(parts) - 1, -1, -1):
        if parts[index]["type"] == part_type:
            del parts[index]
            return


def _set_seconds(part: Part, started: int | None, ended: int | None) -> None:
    if started is not None and ended is not None:
        part["seconds"] = max(0, ended - started) / 1000


def closing_events(events: Iterable[Event]) -> list[Event]:
    """Returns the events that end whatever these leave open, the last opened first."""
    open_ends: dict[tuple[type, str], None] = {}
    for event in events:
        kind = type(event)
        if kind in ENDS:
            open_ends[ENDS[kind], _id_of(event)] = None
        elif kind in ENDS.values():
            open_ends.pop((kind, _id_of(event)), None)
    return [end(id) for end, id in reversed(open_ends)]


def _id_of(event: Any) -> str:
    return event.tool_call_id if isinstance(event, ToolCallStart | ToolCallEnd) else event.message_id


def text_of(parts: Iterable[Part]) -> str:
    """Returns the text parts alone: the answer without the steps before it."""
    return "".join(part["text"] for part in parts if part["type"] == "text")
