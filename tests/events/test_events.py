"""Events: folded into parts, closed, stored and sent."""

import dataclasses
import json

import pytest

from chat.events import (
    EVENTS,
    TERMINAL,
    Custom,
    MessagesSnapshot,
    Reasoning,
    ReasoningEnd,
    ReasoningMessageContent,
    ReasoningMessageEnd,
    ReasoningMessageStart,
    ReasoningStart,
    RunError,
    RunFinished,
    RunStarted,
    Text,
    TextMessageContent,
    TextMessageEnd,
    TextMessageStart,
    ToolCallArgs,
    ToolCallEnd,
    ToolCallResult,
    ToolCallStart,
    closing_events,
    continues,
    fold,
    from_json,
    join_deltas,
    pack,
    text_of,
    to_json,
    unpack,
)
from chat.parts import to_agui_messages
from tests.events.event_logs import events_of, is_agui


def test_fold_of_an_unfinished_run_has_unfinished_parts():
    log = [
        TextMessageStart("m"),
        TextMessageContent("m", "a"),
        TextMessageEnd("m"),
        ToolCallStart("c", "f"),
        ToolCallArgs("c", "{"),
    ]
    assert fold(log) == [
        {"type": "text", "text": "a"},
        {"type": "tool_call", "id": "c", "name": "f", "arguments": "{", "result": None, "error": None},
    ]
    assert fold([]) == []
    assert fold([TextMessageStart("m")]) == [{"type": "text", "text": ""}]


def test_closing_events_close_the_last_opened_first():
    log = [ToolCallStart("c", "f"), ReasoningStart("r"), ReasoningMessageStart("r")]
    assert closing_events(log) == [ReasoningMessageEnd("r"), ReasoningEnd("r"), ToolCallEnd("c")]
    assert closing_events([TextMessageStart("m"), TextMessageEnd("m"), TextMessageStart("m")]) == [TextMessageEnd("m")]


def test_join_deltas_needs_consecutive_deltas_of_one_text():
    text, thought = TextMessageContent("m", "a"), ReasoningMessageContent("r", "a")
    for first, second in (text, TextMessageContent("m", "b")), (thought, ReasoningMessageContent("r", "b")):
        assert continues(first, second)
        assert join_deltas([first, second, second]) == dataclasses.replace(first, delta="abb")
    assert not continues(text, TextMessageContent("n", "b"))
    assert not continues(text, thought)
    assert not continues(ToolCallArgs("c", "a"), ToolCallArgs("c", "b"))
    assert not continues(TextMessageStart("m"), TextMessageStart("m"))


def test_pack_writes_a_following_delta_as_a_bare_string():
    text = [TextMessageContent("m", delta) for delta in ("a", '"é"', "c")]
    thought = [ReasoningMessageContent("r", "d"), ReasoningMessageContent("r", "e")]
    log = [RunStarted("t", "r"), *text, *thought, TextMessageContent("n", "f"), TextMessageContent("m", "g")]
    packed = json.loads(pack(log))
    assert [type(wire) for wire in packed] == [dict, dict, str, str, dict, str, dict, dict]
    assert unpack(pack(log)) == log
    assert unpack(pack([])) == []


USAGE = [{"provider": "openai", "model": "x", "inputTokens": 1, "outputTokens": 2, "totalTokens": 3}]
ONE_OF_EACH = [
    RunStarted("t", "r"),
    TextMessageStart("m"),
    TextMessageContent("m", 'a "b" \\ \n\r\u2028\x7f日本🙂</script>'),
    TextMessageEnd("m"),
    ReasoningStart("m:reasoning:1"),
    ReasoningMessageStart("m:reasoning:1"),
    ReasoningMessageContent("m:reasoning:1", "日本"),
    ReasoningMessageEnd("m:reasoning:1"),
    ReasoningEnd("m:reasoning:1"),
    ToolCallStart("c", "clock", "m"),
    ToolCallArgs("c", '{"a": 1}'),
    ToolCallEnd("c"),
    ToolCallResult("c", "now", "m:tool:c"),
    ToolCallResult("c", "It broke.", "m:tool:c", {"error": True}),
    MessagesSnapshot([{"id": "m", "role": "user", "content": "Hi"}]),
    Custom("notice", {"a": [None]}),
    RunFinished("t", "r", {"type": "success"}, {"finishReason": "length", "notice": "Too long."}, USAGE),
    RunFinished("t", "r", {"type": "cancelled"}),
    RunFinished("t", "r", {"type": "interrupt", "interrupts": [{"id": "i", "reason": "approval"}]}),
    RunError("It broke.", "overloaded", USAGE),
]


@pytest.mark.parametrize("event", ONE_OF_EACH, ids=lambda event: event.type)
def test_event_is_valid_agui_and_survives_the_wire(event):
    assert is_agui(event)
    assert from_json(to_json(event)) == event
    assert to_json(event).isascii()


def test_event_types_are_all_tested():
    assert {type(event) for event in ONE_OF_EACH} == set(EVENTS.values())
    assert TERMINAL == {"RUN_FINISHED", "RUN_ERROR"}
    assert all(dataclasses.is_dataclass(kind) for kind in EVENTS.values())


def test_wire_omits_fields_that_are_none():
    assert json.loads(to_json(RunFinished("t", "r", {"type": "success"}))) == {
        "type": "RUN_FINISHED",
        "threadId": "t",
        "runId": "r",
        "outcome": {"type": "success"},
    }


def test_agui_messages_of_a_reply_with_steps():
    call = {"type": "tool_call", "name": "clock", "arguments": "{}", "result": None, "error": None}
    parts = [
        {"type": "reasoning", "text": "hm"},
        call | {"id": "a", "result": "now"},
        {"type": "text", "text": "It is "},
        call | {"id": "b", "error": "It broke."},
        call | {"id": "c"},
        {"type": "text", "text": "now."},
    ]
    result = to_agui_messages("m", "assistant", parts)
    assert [(message["id"], message["role"], message["content"]) for message in result] == [
        ("m:reasoning:1", "reasoning", "hm"),
        ("m", "assistant", "It is now."),
        ("m:tool:a", "tool", "now"),
        ("m:tool:b", "tool", "It broke."),
    ]
    assert [call["id"] for call in result[1]["toolCalls"]] == ["a", "b", "c"]
    assert "error" not in result[2]
    assert result[3]["error"] == "It broke."
    assert is_agui(MessagesSnapshot(result))
    assert len({message["id"] for message in result}) == len(result)


def test_agui_messages_of_a_question_and_of_an_empty_reply():
    question = to_agui_messages("q", "user", [{"type": "text", "text": "Hi"}])
    assert question == [{"id": "q", "role": "user", "content": "Hi"}]
    reply = to_agui_messages("m", "assistant", [])
    assert reply == [{"id": "m", "role": "assistant", "content": ""}]
    assert is_agui(MessagesSnapshot([*question, *reply]))
    assert text_of([]) == ""


def test_agui_message_ids_are_those_of_the_events():
    log = events_of(
        Reasoning("a"), Text("b"), Reasoning("c"), ToolCallStart("x", "f"), ToolCallResult("x", "1"), Text("d")
    )
    message_ids = {event.message_id for event in log if hasattr(event, "message_id")}
    assert {message["id"] for message in to_agui_messages("m", "assistant", fold(log))} == message_ids
