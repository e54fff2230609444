"""Events: built from pieces, folded into parts, closed, stored and sent."""

import dataclasses
import itertools
import json

import pytest
from ag_ui.core import events as agui
from ag_ui.core import types as agui_types
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from pydantic import TypeAdapter

from chat.events import (
    EVENTS,
    TERMINAL,
    Approval,
    Custom,
    DeltaCleaner,
    EventBuilder,
    Finish,
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
    Usage,
    Withdraw,
    clean_text,
    closing_events,
    continues,
    fold,
    from_json,
    join_deltas,
    pack,
    text_of,
    to_json,
    unpack,
    without_steps,
)
from chat.parts import to_agui_messages

# The same cases in every run: a change is to blame for what breaks. Raise max_examples to search for more.
any_case = settings(max_examples=200, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
agui_event = TypeAdapter(agui.Event)
agui_message = TypeAdapter(agui_types.Message)


def events_of(*pieces):
    """The events of these pieces, also those that end what they leave open."""
    builder = EventBuilder("m")
    log = [event for piece in pieces for event in builder.feed(piece)]
    return [*log, *closing_events(log)]


def is_agui(event):
    """It is an AG-UI 1.0 event, and says nothing that AG-UI does not know."""
    wire = json.loads(to_json(event))
    read = agui_event.validate_python(wire)
    assert read.model_extra == {}
    assert json.loads(read.model_dump_json(by_alias=True)) == wire
    return True


def check(log):
    """What AG-UI asks of an order of events: nothing is said in what is not open, and all that is opened is closed."""
    texts, thoughts, messages, calls, ended = set(), set(), set(), set(), set()
    for event in log:
        match event:
            case TextMessageStart():
                assert not texts and not messages
                texts.add(event.message_id)
            case TextMessageContent():
                assert event.message_id in texts
                assert event.delta
            case TextMessageEnd():
                texts.remove(event.message_id)
            case ReasoningStart():
                assert not texts and not thoughts and event.message_id not in ended
                thoughts.add(event.message_id)
            case ReasoningMessageStart():
                assert event.message_id in thoughts
                messages.add(event.message_id)
            case ReasoningMessageContent():
                assert event.message_id in messages
                assert event.delta
            case ReasoningMessageEnd():
                messages.remove(event.message_id)
            case ReasoningEnd():
                assert event.message_id not in messages
                thoughts.remove(event.message_id)
                ended.add(event.message_id)
            case ToolCallStart():
                assert not texts and not thoughts
                assert event.tool_call_id not in calls | ended
                calls.add(event.tool_call_id)
            case ToolCallArgs():
                assert event.tool_call_id in calls
                assert event.delta
            case ToolCallEnd():
                calls.remove(event.tool_call_id)
                ended.add(event.tool_call_id)
            case ToolCallResult():
                assert event.tool_call_id in ended
                assert event.message_id not in ended
                ended.add(event.message_id)
    assert not texts | thoughts | messages | calls


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


# Clean characters -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "deltas, result",
    [
        (["abc"], ["abc"]),
        (["日本", "🙂"], ["日本", "🙂"]),
        (["\ud83d\ude42"], ["🙂"]),
        (["a\ud83d", "\ude42b"], ["a", "🙂b"]),
        (["\ud83d", "", "\ude42"], ["", "", "🙂"]),
        (["\ud83d", "a"], ["", "\ufffda"]),
        (["\ud83d", "\ud83d", "\ude42"], ["", "\ufffd", "🙂"]),
        (["\ude42"], ["\ufffd"]),
        (["a\0b", "\0"], ["ab", ""]),
        (["\0\ud83d", "\0\ude42"], ["", "\ufffd\ufffd"]),
        (["\ufeffa"], ["\ufeffa"]),
        (["a\ud83d"], ["a"]),
    ],
)
def test_delta_cleaner_joins_pairs_and_replaces_unpaired_surrogates(deltas, result):
    cleaner = DeltaCleaner()
    assert [cleaner(delta) for delta in deltas] == result


def test_surrogate_of_the_reasoning_is_not_joined_with_the_text():
    assert fold(events_of(Reasoning("a\ud83d"), Text("\ude42b"))) == [
        {"type": "reasoning", "text": "a"},
        {"type": "text", "text": "\ufffdb"},
    ]


characters = some.text(
    some.one_of(some.characters(codec=None, exclude_categories=()), some.sampled_from("\0\ud83d\ude42a"))
)


@any_case
@given(characters)
def test_clean_text_can_be_stored_and_stays_clean(text):
    result = clean_text(text)
    assert "\0" not in result
    assert result.encode().decode() == result == clean_text(result)


@any_case
@given(some.text(some.characters(codec="utf-8", exclude_characters="\0")), some.data())
def test_delta_cleaner_keeps_valid_text_wherever_it_is_split(text, data):
    units = text.encode("utf-16-le")  # the most that a server can split: between the halves of a pair
    cuts = sorted(data.draw(some.sets(some.integers(0, len(units) // 2), max_size=10)))
    places = [0, *(cut * 2 for cut in cuts), len(units)]
    deltas = [units[a:b].decode("utf-16-le", "surrogatepass") for a, b in itertools.pairwise(places)]
    cleaner = DeltaCleaner()
    assert "".join(cleaner(delta) for delta in deltas) == text


# Any run at all -------------------------------------------------------------------------------------------------------

ids = some.sampled_from(["a", "b", "c", "\ud800", "\0"])
pieces = some.lists(
    some.one_of(
        some.builds(Text, characters),
        some.builds(Reasoning, characters),
        some.builds(ToolCallStart, ids, characters),
        some.builds(ToolCallArgs, ids, characters),
        some.builds(ToolCallEnd, ids),
        some.builds(ToolCallResult, ids, characters, metadata=some.sampled_from([None, {"error": True}])),
        some.builds(Usage, some.none() | some.integers(0, 2**53 - 1)),
        some.builds(Finish, characters),
    ),
    max_size=30,
)


@any_case
@given(pieces)
def test_events_close_everything_they_open(pieces):
    check(events_of(*pieces))


@any_case
@given(pieces, some.integers(0, 100))
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
    said = [value for event in log for value in dataclasses.asdict(event).values() if type(value) is str]
    assert all(clean_text(value) == value for value in said)
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
    said = sum(len(part["text"]) for part in parts if part["type"] != "tool_call")
    said += sum(len(call[key] or "") for call in calls for key in ("id", "name", "arguments", "result", "error"))
    assert builder.length == said
    assert builder.shown == bool(parts)


# Folding and writing down ---------------------------------------------------------------------------------------------


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
    said = {event.message_id for event in log if hasattr(event, "message_id")}
    assert {message["id"] for message in to_agui_messages("m", "assistant", fold(log))} == said


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
def test_withdrawal_of_what_is_not_open_makes_no_event(part_type):
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
