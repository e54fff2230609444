"""What can happen in a run: telling it, folding it, ending it, and writing it down."""

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
    Cleaner,
    Custom,
    Finish,
    MessagesSnapshot,
    Narrator,
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
    clean,
    closing,
    fold,
    from_json,
    joined,
    messages_of,
    pack,
    text_of,
    to_json,
    unpack,
    without_steps,
)

# The same cases in every run: a change is to blame for what breaks. Raise max_examples to search for more.
any_case = settings(max_examples=200, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
agui_event = TypeAdapter(agui.Event)
agui_message = TypeAdapter(agui_types.Message)


def tell(*pieces):
    """The events of these pieces, also those that end what they leave open."""
    narrator = Narrator("m")
    log = [event for piece in pieces for event in narrator.tell(piece)]
    return [*log, *closing(log)]


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


def test_a_text_is_opened_and_closed():
    assert tell(Text("one"), Text(" two"), Finish("stop")) == [
        TextMessageStart("m"),
        TextMessageContent("m", "one"),
        TextMessageContent("m", " two"),
        TextMessageEnd("m"),
    ]


def test_thoughts_have_an_id_of_their_own_each_time():
    told = tell(Reasoning("a"), Text("b"), Reasoning("c"))
    assert told == [
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
    assert [part["text"] for part in fold(told)] == ["a", "b", "c"]


def test_a_tool_call_interrupts_the_text():
    told = tell(Text("a"), ToolCallStart("c", "clock"), ToolCallArgs("c", "{}"), ToolCallResult("c", "now"), Text("b"))
    assert told == [
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
    assert fold(told) == [
        {"type": "text", "text": "a"},
        {"type": "tool_call", "id": "c", "name": "clock", "arguments": "{}", "result": "now", "error": None},
        {"type": "text", "text": "b"},
    ]


def test_tool_calls_may_go_side_by_side():
    told = tell(
        *(ToolCallStart("a", "f"), ToolCallStart("b", "g")),
        *(ToolCallArgs("b", "2"), ToolCallArgs("a", "1")),
        *(ToolCallResult("b", "no", metadata={"error": True}), ToolCallResult("a", "yes")),
    )
    check(told)
    assert [(part["arguments"], part["result"], part["error"]) for part in fold(told)] == [
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
def test_what_means_nothing_makes_no_event(piece):
    narrator = Narrator("m")
    assert list(narrator.tell(piece)) == []
    assert narrator.shown is False
    assert narrator.length == 0


def test_a_tool_call_begins_and_is_answered_once():
    start, answer = ToolCallStart("c", "f"), ToolCallResult("c", "1")
    told = tell(start, start, answer, answer, start, ToolCallArgs("c", "late"), ToolCallEnd("c"))
    assert [event.type for event in told] == ["TOOL_CALL_START", "TOOL_CALL_END", "TOOL_CALL_RESULT"]


def test_usage_and_finish_are_kept_and_make_no_event():
    narrator = Narrator("m")
    for piece in (Usage(1, 2, 3), Usage(4), Finish("stop")):
        assert list(narrator.tell(piece)) == []
    assert narrator.usage == [Usage(1, 2, 3), Usage(4)]
    assert narrator.finish_reason == "stop"
    narrator.tell(Finish("a\0\ud83d" + "b" * 100))
    assert narrator.finish_reason == "a\ufffd" + "b" * 48


def test_it_counts_whatever_a_model_can_make_long():
    narrator = Narrator("m")
    pieces = [Text("12"), Reasoning("345"), ToolCallStart("c", "f"), ToolCallArgs("c", "67"), ToolCallResult("c", "8")]
    lengths = []
    for piece in pieces:
        list(narrator.tell(piece))
        lengths.append(narrator.length)
    assert lengths == [2, 5, 7, 9, 10]


# Clean characters -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "deltas, told",
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
def test_cleaning(deltas, told):
    clean = Cleaner()
    assert [clean(delta) for delta in deltas] == told


def test_half_a_character_of_a_thought_is_not_completed_by_the_text():
    assert fold(tell(Reasoning("a\ud83d"), Text("\ude42b"))) == [
        {"type": "reasoning", "text": "a"},
        {"type": "text", "text": "\ufffdb"},
    ]


characters = some.text(
    some.one_of(some.characters(codec=None, exclude_categories=()), some.sampled_from("\0\ud83d\ude42a"))
)


@any_case
@given(characters)
def test_clean_text_can_be_stored_and_stays_clean(text):
    told = clean(text)
    assert "\0" not in told
    assert told.encode().decode() == told == clean(told)


@any_case
@given(some.text(some.characters(codec="utf-8", exclude_characters="\0")), some.data())
def test_good_text_comes_through_however_it_is_cut(text, data):
    units = text.encode("utf-16-le")  # the most that a server can split: between the halves of a pair
    cuts = sorted(data.draw(some.sets(some.integers(0, len(units) // 2), max_size=10)))
    places = [0, *(cut * 2 for cut in cuts), len(units)]
    deltas = [units[a:b].decode("utf-16-le", "surrogatepass") for a, b in itertools.pairwise(places)]
    cleaner = Cleaner()
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
def test_whatever_is_started_is_ended(pieces):
    check(tell(*pieces))


@any_case
@given(pieces, some.integers(0, 100))
def test_whatever_is_started_is_ended_wherever_it_stops(pieces, place):
    log = tell(*pieces)[:place]
    check([*log, *closing(log)])
    assert closing([*log, *closing(log)]) == []


@any_case
@given(pieces)
def test_any_run_can_be_stored_and_sent(pieces):
    log = tell(*pieces)
    wire = [to_json(event) for event in log]
    assert [from_json(data) for data in wire] == log
    assert all(data.isascii() and "\n" not in data for data in wire)
    assert unpack(pack(log)) == log
    assert pack(log).isascii()
    said = [value for event in log for value in dataclasses.asdict(event).values() if type(value) is str]
    assert all(clean(value) == value for value in said)
    parts = fold(log)
    assert fold(map(from_json, wire)) == parts
    assert json.loads(json.dumps(parts)) == parts
    json.dumps(parts, ensure_ascii=False).encode()  # no half characters
    assert all(is_agui(event) for event in log)
    told = messages_of("m", "assistant", parts)
    assert is_agui(MessagesSnapshot(told))


@any_case
@given(pieces)
def test_joined_deltas_tell_the_same(pieces):
    log, short = tell(*pieces), []
    for event in log:
        both = joined(short[-1], event) if short else None
        short[-1:] = [*short[-1:], event] if both is None else [both]
    check(short)
    assert fold(short) == fold(log)


@any_case
@given(pieces)
def test_the_message_holds_every_delta_in_order(pieces):
    log = tell(*pieces)
    parts, narrator = fold(log), Narrator("m")
    for kind, content in (("text", TextMessageContent), ("reasoning", ReasoningMessageContent)):
        assert "".join(part["text"] for part in parts if part["type"] == kind) == "".join(
            event.delta for event in log if type(event) is content
        )
    for piece in pieces:
        list(narrator.tell(piece))
    calls = [part for part in parts if part["type"] == "tool_call"]
    said = sum(len(part["text"]) for part in parts if part["type"] != "tool_call")
    said += sum(len(call[key] or "") for call in calls for key in ("id", "name", "arguments", "result", "error"))
    assert narrator.length == said
    assert narrator.shown == bool(parts)


# Folding and writing down ---------------------------------------------------------------------------------------------


def test_an_unfinished_run_gives_unfinished_parts():
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


def test_the_last_opened_is_ended_first():
    log = [ToolCallStart("c", "f"), ReasoningStart("r"), ReasoningMessageStart("r")]
    assert closing(log) == [ReasoningMessageEnd("r"), ReasoningEnd("r"), ToolCallEnd("c")]
    assert closing([TextMessageStart("m"), TextMessageEnd("m"), TextMessageStart("m")]) == [TextMessageEnd("m")]


def test_only_consecutive_deltas_of_one_text_are_joined():
    text, thought = TextMessageContent("m", "a"), ReasoningMessageContent("r", "a")
    assert joined(text, TextMessageContent("m", "b")) == TextMessageContent("m", "ab")
    assert joined(thought, ReasoningMessageContent("r", "b")) == ReasoningMessageContent("r", "ab")
    assert joined(text, TextMessageContent("n", "b")) is None
    assert joined(text, thought) is None
    assert joined(ToolCallArgs("c", "a"), ToolCallArgs("c", "b")) is None
    assert joined(TextMessageStart("m"), TextMessageStart("m")) is None


def test_a_delta_that_goes_on_is_packed_without_what_the_one_before_says():
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
def test_every_event_is_agui_and_comes_back_from_the_wire(event):
    assert is_agui(event)
    assert from_json(to_json(event)) == event
    assert to_json(event).isascii()


def test_no_kind_of_event_is_left_out():
    assert {type(event) for event in ONE_OF_EACH} == set(EVENTS.values())
    assert TERMINAL == {"RUN_FINISHED", "RUN_ERROR"}
    assert all(dataclasses.is_dataclass(kind) for kind in EVENTS.values())


def test_what_is_not_known_is_left_out_on_the_wire():
    assert json.loads(to_json(RunFinished("t", "r", {"type": "success"}))) == {
        "type": "RUN_FINISHED",
        "threadId": "t",
        "runId": "r",
        "outcome": {"type": "success"},
    }


def test_a_message_is_told_as_agui_messages():
    call = {"type": "tool_call", "name": "clock", "arguments": "{}", "result": None, "error": None}
    parts = [
        {"type": "reasoning", "text": "hm"},
        call | {"id": "a", "result": "now"},
        {"type": "text", "text": "It is "},
        call | {"id": "b", "error": "It broke."},
        call | {"id": "c"},
        {"type": "text", "text": "now."},
    ]
    told = messages_of("m", "assistant", parts)
    assert [(message["id"], message["role"], message["content"]) for message in told] == [
        ("m:reasoning:1", "reasoning", "hm"),
        ("m", "assistant", "It is now."),
        ("m:tool:a", "tool", "now"),
        ("m:tool:b", "tool", "It broke."),
    ]
    assert [call["id"] for call in told[1]["toolCalls"]] == ["a", "b", "c"]
    assert "error" not in told[2]
    assert told[3]["error"] == "It broke."
    assert is_agui(MessagesSnapshot(told))
    assert len({message["id"] for message in told}) == len(told)


def test_an_empty_reply_and_a_question_are_messages_too():
    question = messages_of("q", "user", [{"type": "text", "text": "Hi"}])
    assert question == [{"id": "q", "role": "user", "content": "Hi"}]
    reply = messages_of("m", "assistant", [])
    assert reply == [{"id": "m", "role": "assistant", "content": ""}]
    assert is_agui(MessagesSnapshot([*question, *reply]))
    assert text_of([]) == ""


def test_the_ids_in_a_snapshot_are_those_of_the_events():
    log = tell(Reasoning("a"), Text("b"), Reasoning("c"), ToolCallStart("x", "f"), ToolCallResult("x", "1"), Text("d"))
    said = {event.message_id for event in log if hasattr(event, "message_id")}
    assert {message["id"] for message in messages_of("m", "assistant", fold(log))} == said


# Steps on the way to an answer ----------------------------------------------------------------------------------------


def told_at(times, *pieces):
    """The events of these pieces, told by a clock that shows these milliseconds one after the other."""
    narrator = Narrator("m", iter(times).__next__)
    log = [event for piece in pieces for event in narrator.tell(piece)]
    return [*log, *closing(log)]


def test_parts_know_how_long_they_took():
    call = [ToolCallStart("c", "clock"), ToolCallEnd("c"), ToolCallResult("c", "noon")]
    log = told_at([1_000, 3_500, 4_000, 4_250], Reasoning("hm"), *call, Text("Noon."))
    for event in log:
        agui_event.validate_json(to_json(event))
        assert from_json(to_json(event)) == event
    thought, used, answer = fold(log)
    assert (thought["seconds"], used["seconds"]) == (2.5, 0.25)
    assert answer == {"type": "text", "text": "Noon."}


def test_what_was_cut_has_no_duration():
    thought, used = fold(told_at([1, 2, 3], Reasoning("hm"), ToolCallStart("c", "clock")))
    assert thought["seconds"] == 0.001
    assert "seconds" not in used
    assert "seconds" not in fold(told_at([1], Reasoning("hm")))[0]


def test_a_clock_that_was_set_back_makes_nothing_negative():
    assert fold(told_at([5_000, 1_000], Reasoning("hm"), Text("a")))[0]["seconds"] == 0


def test_the_result_of_an_earlier_message_is_a_part_of_its_own():
    narrator = Narrator("m", answers={"c": True})
    pieces = [ToolCallResult("c", "Paid."), ToolCallResult("c", "Paid twice."), ToolCallResult("x", "?"), Text("Done.")]
    log = [event for piece in pieces for event in narrator.tell(piece)]
    parts = fold(log)
    assert parts[0] == {"type": "tool_result", "id": "c", "result": "Paid.", "error": None}
    assert parts[1:] == [{"type": "text", "text": "Done."}]
    answer, result = messages_of("m", "assistant", parts)
    assert (result["role"], result["toolCallId"], result["content"]) == ("tool", "c", "Paid.")
    assert "toolCalls" not in answer
    for message in (answer, result):
        agui_message.validate_python(message)


def test_a_refused_call_tells_why():
    result = ToolCallResult("c", "No.", metadata={"error": True})
    parts = fold(event for event in Narrator("m", answers=["c"]).tell(result))
    assert parts == [{"type": "tool_result", "id": "c", "result": None, "error": "No."}]


def test_approvals_are_kept_and_not_told():
    narrator = Narrator("m")
    assert narrator.tell(Approval("c", "May it?")) == ()
    assert narrator.approvals == [Approval("c", "May it?")]


def test_without_steps_only_the_answer_is_told():
    log = tell(Reasoning("hm"), ToolCallStart("c", "clock"), ToolCallResult("c", "noon"), Text("Noon."))
    assert [event.type for event in log if without_steps(event)] == [
        "TEXT_MESSAGE_START",
        "TEXT_MESSAGE_CONTENT",
        "TEXT_MESSAGE_END",
    ]
    messages = [*messages_of("q", "user", [{"type": "text", "text": "?"}]), *messages_of("m", "assistant", fold(log))]
    assert [message["role"] for message in messages] == ["user", "reasoning", "assistant", "tool"]
    question, answer = without_steps(MessagesSnapshot(messages)).messages
    assert (question["content"], answer["content"]) == ("?", "Noon.")
    assert "toolCalls" not in answer
