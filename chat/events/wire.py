"""Events as JSON: one event on the wire, and a row of events in the journal."""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import fields
from typing import Any

from .types import (
    EVENTS,
    PART_WITHDRAWN,
    STEPS,
    Custom,
    Event,
    MessagesSnapshot,
    ReasoningMessageContent,
    TextMessageContent,
)

_encode = json.JSONEncoder(separators=(",", ":")).encode  # ASCII only, so that nothing in a frame is read as a line end
# What json.dumps does to a str, at a quarter of its cost. It is undocumented, so json.dumps stands in if it goes.
quote = getattr(json.encoder, "encode_basestring_ascii", json.dumps)


def camel(name: str) -> str:
    """The name in camelCase."""
    return re.sub(r"_(\w)", lambda match: match[1].upper(), name)


_wire_names = {cls: [(field.name, camel(field.name)) for field in fields(cls)] for cls in EVENTS.values()}
_field_names = {wire_name: name for names in _wire_names.values() for name, wire_name in names}


def to_dict(event: Event) -> dict[str, Any]:
    """The event as AG-UI's JSON object; fields that are None are left out."""
    wire: dict[str, Any] = {"type": event.type}
    for name, wire_name in _wire_names[type(event)]:
        value = getattr(event, name)
        if value is not None:
            wire[wire_name] = value
    return wire


def to_json(event: Event) -> str:
    if type(event) is TextMessageContent:  # nearly every event is one of these
        return f'{{"type":"TEXT_MESSAGE_CONTENT","messageId":"{event.message_id}","delta":{quote(event.delta)}}}'
    return _encode(to_dict(event))


def from_json(text: str) -> Event:
    return _from_dict(json.loads(text))


def _from_dict(wire: dict[str, Any]) -> Event:
    cls = EVENTS[wire.pop("type")]
    return cls(**{_field_names[name]: value for name, value in wire.items()})


def pack(events: Iterable[Any]) -> str:
    """Returns consecutive events as one JSON array, in which a bare string is another delta of the event before it."""
    packed = []
    previous = None
    for event in events:
        packed.append(quote(event.delta) if continues(previous, event) else to_json(event))
        previous = event
    return f"[{','.join(packed)}]"


def unpack(text: str) -> list[Event]:
    """Returns the events that `pack` was given."""
    events: list[Any] = []
    for wire in json.loads(text):
        if type(wire) is dict:
            events.append(_from_dict(wire))
        else:
            previous = events[-1]
            events.append(type(previous)(previous.message_id, wire))
    return events


def without_steps(event: Event) -> Event | None:
    """Returns the event for a reader of the answer alone, or None if it is part of a step before the answer.

    A snapshot keeps its answers and loses reasoning and tool calls.
    """
    if type(event) is MessagesSnapshot:
        answers = [message for message in event.messages if message["role"] not in ("reasoning", "tool")]
        return MessagesSnapshot([{k: v for k, v in message.items() if k != "toolCalls"} for message in answers])
    is_withdrawn_step = type(event) is Custom and event.name == PART_WITHDRAWN and event.value["type"] == "reasoning"
    return None if event.type in STEPS or is_withdrawn_step else event


def join_deltas(deltas: Sequence[Any]) -> Event:
    """Returns deltas of one text as one event."""
    first = deltas[0]
    return type(first)(first.message_id, "".join(event.delta for event in deltas)) if len(deltas) > 1 else first


def continues(first: Any, second: Any) -> bool:
    """Returns whether the second event is a delta of the text of which the first is one."""
    kind = type(second)
    if kind is type(first) and (kind is TextMessageContent or kind is ReasoningMessageContent):
        return first.message_id == second.message_id
    return False
