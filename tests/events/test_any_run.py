"""What holds for the events of any run at all."""

import dataclasses
import json

from hypothesis import given, strategies

from chat.events import (
    EventBuilder,
    Finish,
    MessagesSnapshot,
    Reasoning,
    ReasoningMessageContent,
    Text,
    TextMessageContent,
    ToolCallArgs,
    ToolCallEnd,
    ToolCallResult,
    ToolCallStart,
    Usage,
    clean_text,
    closing_events,
    continues,
    fold,
    from_json,
    join_deltas,
    pack,
    to_json,
    unpack,
)
from chat.parts import to_agui_messages
from tests.events.event_logs import any_case, characters, check, events_of, is_agui

ids = strategies.sampled_from(["a", "b", "c", "\ud800", "\0"])
pieces = strategies.lists(
    strategies.one_of(
        strategies.builds(Text, characters),
        strategies.builds(Reasoning, characters),
        strategies.builds(ToolCallStart, ids, characters),
        strategies.builds(ToolCallArgs, ids, characters),
        strategies.builds(ToolCallEnd, ids),
        strategies.builds(ToolCallResult, ids, characters, metadata=strategies.sampled_from([None, {"error": True}])),
        strategies.builds(Usage, strategies.none() | strategies.integers(0, 2**53 - 1)),
        strategies.builds(Finish, characters),
    ),
    max_size=30,
)


@any_case
@given(pieces)
def test_events_close_everything_they_open(pieces):
    check(events_of(*pieces))


@any_case
@given(pieces, strategies.integers(0, 100))
def test_closing_events_close_everything_wherever_the_log_stops(pieces, place):
    log = events_of(*pieces)[:place]
    check([*log, *closing_events(log)])
    assert closing_events([*log, *closing_events(log)]) == []


@any_case
@given(pieces)
def test_run_can_be_stored_and_sent_whatever_its_pieces(pieces):
    log = events_of(*pieces)
    wire = [to_json(event) for event in log]
    assert [from_json(data) for data in wire] == log
    assert all(data.isascii() and "\n" not in data for data in wire)
    assert unpack(pack(log)) == log
    assert pack(log).isascii()
    strings = [value for event in log for value in dataclasses.asdict(event).values() if type(value) is str]
    assert all(clean_text(value) == value for value in strings)
    parts = fold(log)
    assert fold(map(from_json, wire)) == parts
    assert json.loads(json.dumps(parts)) == parts
    json.dumps(parts, ensure_ascii=False).encode()  # no half characters
    assert all(is_agui(event) for event in log)
    result = to_agui_messages("m", "assistant", parts)
    assert is_agui(MessagesSnapshot(result))


@any_case
@given(pieces)
def test_joined_deltas_fold_to_the_same_parts(pieces):
    log, short = events_of(*pieces), []
    for event in log:
        if short and continues(short[-1], event):
            short[-1] = join_deltas([short[-1], event])
        else:
            short.append(event)
    check(short)
    assert fold(short) == fold(log)


@any_case
@given(pieces)
def test_fold_keeps_every_delta_in_order(pieces):
    log = events_of(*pieces)
    parts, builder = fold(log), EventBuilder("m")
    for kind, content in (("text", TextMessageContent), ("reasoning", ReasoningMessageContent)):
        assert "".join(part["text"] for part in parts if part["type"] == kind) == "".join(
            event.delta for event in log if type(event) is content
        )
    for piece in pieces:
        list(builder.feed(piece))
    calls = [part for part in parts if part["type"] == "tool_call"]
    length = sum(len(part["text"]) for part in parts if part["type"] != "tool_call")
    length += sum(len(call[key] or "") for call in calls for key in ("id", "name", "arguments", "result", "error"))
    assert builder.length == length
    assert builder.shown == bool(parts)
