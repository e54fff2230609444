"""Events, built from the pieces of an answer and its steps."""

import pytest

from chat.events import (
    Approval,
    Custom,
    EventBuilder,
    Finish,
    MessagesSnapshot,
    Reasoning,
    ReasoningEnd,
    ReasoningMessageContent,
    ReasoningMessageEnd,
    ReasoningMessageStart,
    ReasoningStart,
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
    closing_events,
    fold,
    from_json,
    to_json,
    without_steps,
)
from chat.parts import to_agui_messages
from tests.events.event_logs import agui_event, agui_message, check, events_of

# Telling --------------------------------------------------------------------------------------------------------------


def test_text_is_opened_and_closed():
    assert events_of(Text("one"), Text(" two"), Finish("stop")) == [
        TextMessageStart("m"),
        TextMessageContent("m", "one"),
        TextMessageContent("m", " two"),
        TextMessageEnd("m"),
    ]


def test_reasoning_has_a_new_id_each_time():
    result = events_of(Reasoning("a"), Text("b"), Reasoning("c"))
    assert result == [
        ReasoningStart("m:reasoning:1"),
        ReasoningMessageStart("m:reasoning:1"),
        ReasoningMessageContent("m:reasoning:1", "a"),
        ReasoningMessageEnd("m:reasoning:1"),
        ReasoningEnd("m:reasoning:1"),
        TextMessageStart("m"),
        TextMessageContent("m", "b"),
        TextMessageEnd("m"),
        ReasoningStart("m:reasoning:2"),
        ReasoningMessageStart("m:reasoning:2"),
        ReasoningMessageContent("m:reasoning:2", "c"),
        ReasoningMessageEnd("m:reasoning:2"),
        ReasoningEnd("m:reasoning:2"),
    ]
    assert [part["text"] for part in fold(result)] == ["a", "b", "c"]


def test_tool_call_interrupts_the_text():
    result = events_of(
        Text("a"), ToolCallStart("c", "clock"), ToolCallArgs("c", "{}"), ToolCallResult("c", "now"), Text("b")
    )
    assert result == [
        TextMessageStart("m"),
        TextMessageContent("m", "a"),
        TextMessageEnd("m"),
        ToolCallStart("c", "clock", "m"),
        ToolCallArgs("c", "{}"),
        ToolCallEnd("c"),
        ToolCallResult("c", "now", "m:tool:c"),
        TextMessageStart("m"),
        TextMessageContent("m", "b"),
        TextMessageEnd("m"),
    ]
    assert fold(result) == [
        {"type": "text", "text": "a"},
        {"type": "tool_call", "id": "c", "name": "clock", "arguments": "{}", "result": "now", "error": None},
        {"type": "text", "text": "b"},
    ]


def test_tool_calls_can_be_open_side_by_side():
    result = events_of(
        *(ToolCallStart("a", "f"), ToolCallStart("b", "g")),
        *(ToolCallArgs("b", "2"), ToolCallArgs("a", "1")),
        *(ToolCallResult("b", "no", metadata={"error": True}), ToolCallResult("a", "yes")),
    )
    check(result)
    assert [(part["arguments"], part["result"], part["error"]) for part in fold(result)] == [
        ("1", "yes", None),
        ("2", None, "no"),
    ]


@pytest.mark.parametrize(
    "piece",
    [
        ToolCallArgs("x", "1"),
        ToolCallEnd("x"),
        ToolCallResult("x", "1"),
        Text(""),
        Reasoning(""),
        Text("\0"),
        Text("\ud83d"),
    ],
)
def test_meaningless_piece_makes_no_event(piece):
    builder = EventBuilder("m")
    assert list(builder.feed(piece)) == []
    assert builder.shown is False
    assert builder.length == 0


def test_tool_call_starts_and_is_answered_once():
    start, answer = ToolCallStart("c", "f"), ToolCallResult("c", "1")
    result = events_of(start, start, answer, answer, start, ToolCallArgs("c", "late"), ToolCallEnd("c"))
    assert [event.type for event in result] == ["TOOL_CALL_START", "TOOL_CALL_END", "TOOL_CALL_RESULT"]


def test_usage_and_finish_are_kept_and_make_no_event():
    builder = EventBuilder("m")
    for piece in (Usage(1, 2, 3), Usage(4), Finish("stop")):
        assert list(builder.feed(piece)) == []
    assert builder.usage == [Usage(1, 2, 3), Usage(4)]
    assert builder.finish_reason == "stop"
    builder.feed(Finish("a\0\ud83d" + "b" * 100))
    assert builder.finish_reason == "a\ufffd" + "b" * 48


def test_length_counts_everything_that_a_model_writes():
    builder = EventBuilder("m")
    pieces = [Text("12"), Reasoning("345"), ToolCallStart("c", "f"), ToolCallArgs("c", "67"), ToolCallResult("c", "8")]
    lengths = []
    for piece in pieces:
        list(builder.feed(piece))
        lengths.append(builder.length)
    assert lengths == [2, 5, 7, 9, 10]


# Steps on the way to an answer ----------------------------------------------------------------------------------------


def events_at(times, *pieces):
    """The events of these pieces, with a clock that shows these milliseconds one after the other."""
    builder = EventBuilder("m", iter(times).__next__)
    log = [event for piece in pieces for event in builder.feed(piece)]
    return [*log, *closing_events(log)]


def test_parts_have_durations():
    call = [ToolCallStart("c", "clock"), ToolCallEnd("c"), ToolCallResult("c", "noon")]
    log = events_at([1_000, 3_500, 4_000, 4_250], Reasoning("hm"), *call, Text("Noon."))
    for event in log:
        agui_event.validate_json(to_json(event))
        assert from_json(to_json(event)) == event
    thought, used, answer = fold(log)
    assert (thought["seconds"], used["seconds"]) == (2.5, 0.25)
    assert answer == {"type": "text", "text": "Noon."}


def test_part_that_was_cut_has_no_duration():
    thought, used = fold(events_at([1, 2, 3], Reasoning("hm"), ToolCallStart("c", "clock")))
    assert thought["seconds"] == 0.001
    assert "seconds" not in used
    assert "seconds" not in fold(events_at([1], Reasoning("hm")))[0]


def test_duration_is_never_negative():
    assert fold(events_at([5_000, 1_000], Reasoning("hm"), Text("a")))[0]["seconds"] == 0


def test_result_for_an_earlier_message_is_a_part_of_its_own():
    builder = EventBuilder("m", resumed_calls={"c": True})
    pieces = [ToolCallResult("c", "Paid."), ToolCallResult("c", "Paid twice."), ToolCallResult("x", "?"), Text("Done.")]
    log = [event for piece in pieces for event in builder.feed(piece)]
    parts = fold(log)
    assert parts[0] == {"type": "tool_result", "id": "c", "result": "Paid.", "error": None}
    assert parts[1:] == [{"type": "text", "text": "Done."}]
    answer, result = to_agui_messages("m", "assistant", parts)
    assert (result["role"], result["toolCallId"], result["content"]) == ("tool", "c", "Paid.")
    assert "toolCalls" not in answer
    for message in (answer, result):
        agui_message.validate_python(message)


def test_result_of_a_refused_call_has_the_reason():
    result = ToolCallResult("c", "No.", metadata={"error": True})
    parts = fold(event for event in EventBuilder("m", resumed_calls=["c"]).feed(result))
    assert parts == [{"type": "tool_result", "id": "c", "result": None, "error": "No."}]


def test_approvals_are_kept_and_make_no_event():
    builder = EventBuilder("m")
    assert builder.feed(Approval("c", "May it?")) == ()
    assert builder.approvals == [Approval("c", "May it?")]


def test_text_that_was_a_thought_is_withdrawn():
    log = events_of(Text("hm"), Withdraw("text"), Reasoning("hm"), Text("Hello"), Finish("stop"))
    assert log[:4] == [
        TextMessageStart("m"),
        TextMessageContent("m", "hm"),
        TextMessageEnd("m"),
        Custom("part_withdrawn", {"type": "text"}),
    ]
    assert fold(log) == [{"type": "reasoning", "text": "hm"}, {"type": "text", "text": "Hello"}]
    answer = [without_steps(event) for event in log]
    assert fold(filter(None, answer)) == [{"type": "text", "text": "Hello"}]


def test_thought_that_was_the_answer_is_withdrawn():
    log = events_of(Text("one"), Reasoning("two"), Withdraw("reasoning"), Text("two"), Finish("stop"))
    assert fold(log) == [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]
    answer = [event for event in log if without_steps(event)]
    assert [event.type for event in answer].count("CUSTOM") == 0
    assert fold(answer) == fold(log)


@pytest.mark.parametrize("part_type", ["text", "reasoning"])
def test_withdrawal_of_a_part_that_is_not_open_makes_no_event(part_type):
    builder = EventBuilder("m")
    assert builder.feed(Withdraw(part_type)) == []
    builder.feed(ToolCallStart("c", "clock"))
    assert builder.feed(Withdraw(part_type)) == []


def test_without_steps_leaves_the_answer_alone():
    log = events_of(Reasoning("hm"), ToolCallStart("c", "clock"), ToolCallResult("c", "noon"), Text("Noon."))
    assert [event.type for event in log if without_steps(event)] == [
        "TEXT_MESSAGE_START",
        "TEXT_MESSAGE_CONTENT",
        "TEXT_MESSAGE_END",
    ]
    messages = [
        *to_agui_messages("q", "user", [{"type": "text", "text": "?"}]),
        *to_agui_messages("m", "assistant", fold(log)),
    ]
    assert [message["role"] for message in messages] == ["user", "reasoning", "assistant", "tool"]
    question, answer = without_steps(MessagesSnapshot(messages)).messages
    assert (question["content"], answer["content"]) == ("?", "Noon.")
    assert "toolCalls" not in answer
