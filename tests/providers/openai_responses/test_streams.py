"""What streams of OpenAI's Responses API look like, and that they are read."""

import itertools
import json
import pickle

import pytest

from chat.events import EventBuilder, fold
from chat.providers.openai.sse import SSEDecoder
from chat.providers.openai_responses.events import ResponseEvents
from tests.providers.openai_responses.parts import DELTAS, END, HELLO, THOUGHT, tool_part
from tests.providers.responses_stream import (
    USAGE,
    added,
    answer,
    call,
    call_item,
    completed,
    delta,
    done,
    event,
    message,
    message_item,
    reasoning,
    reasoning_item,
    started,
)
from tests.upstream import DONE

pytestmark = pytest.mark.slow


def with_changing_ids(events):
    """Yields the events with an id of its own in each, as GitHub Copilot sends them."""
    for number, data in enumerate(events):
        yield data.replace(b'_0"', b'_%d"' % (1000 + number)).replace(b'_1"', b'_%d"' % (2000 + number))


def without(events, *names):
    for data in events:
        value = json.loads(data.partition(b"data: ")[2])
        yield event(value.pop("type"), **{name: item for name, item in value.items() if name not in names})


def interleaved_calls():
    """Yields the events of two calls, in turn."""
    calls = call("f", "12345678901", id="a"), call("g", "abcdefghijk", id="b", index=1)
    return itertools.chain.from_iterable(zip(*calls, strict=True))


SEARCH = {"id": "ws_0", "type": "web_search_call", "status": "completed"}
STREAMS = {  # name -> (events, parts)
    "as in the book": (answer(message("Hel", "lo")), [HELLO]),
    "no start of the item": ([*started(), DELTAS, END], [HELLO]),
    "deltas and the end alone": ([DELTAS, completed()], [HELLO]),
    "no deltas, the end of the text": (
        [*started(), event("response.output_text.done", item_id="msg_0", output_index=0, text="Hello"), completed()],
        [HELLO],
    ),
    "no deltas, the end of the item": (
        [*started(), added(message_item("")), done(message_item("Hello")), END],
        [HELLO],
    ),
    "the end of the response alone": ([END], [HELLO]),
    "the end without a response in it": (
        [DELTAS, event("response.completed", output=[message_item("Hello")], usage=USAGE)],
        [HELLO],
    ),
    "[DONE] at the end": ([*answer(message("Hel", "lo")), DONE], [HELLO]),
    "no event lines": ([data.partition(b"\n")[2] for data in answer(message("Hel", "lo"))], [HELLO]),
    "ids that change": (with_changing_ids(answer(reasoning("hm"), message("Hel", "lo", index=1))), [THOUGHT, HELLO]),
    "calls with ids that change": (
        with_changing_ids(answer(call("f", "1", id="a"), call("g", "2", id="b", index=1))),
        [tool_part("f", "1", id="a"), tool_part("g", "2", id="b")],
    ),
    "no ids": (without(answer(reasoning("hm"), message("Hel", "lo", index=1)), "item_id"), [THOUGHT, HELLO]),
    "no indexes": (
        without(answer(message("Hel", "lo"), call("f", "1", index=1)), "output_index", "content_index"),
        [HELLO, tool_part("f", "1")],
    ),
    "the same index for all": (
        [
            data.replace(b'"output_index": 1', b'"output_index": 0')
            for data in answer(call("f", "1"), message("Hello", index=1))
        ],
        [tool_part("f", "1"), HELLO],
    ),
    "another index at the end of an item": (
        [*started(), *[*call("f", "1", index=1)][:-1], done(call_item("f", "1", index=1), 5), completed()],
        [tool_part("f", "1")],
    ),
    "another id in the whole response": (
        [*started(), *message("Hel", "lo"), completed(message_item("Hello", index=7))],
        [HELLO],
    ),
    "an item in the whole response alone": (
        [*started(), *message("Hel", "lo"), completed(message_item("Hello"), call_item("f", "1", index=1))],
        [HELLO, tool_part("f", "1")],
    ),
    "a delta that is an object": (
        [delta({"type": "output_text", "text": "Hel"}), delta("lo"), delta(None), delta([]), END],
        [HELLO],
    ),
    "a number as delta": ([delta(5), completed()], [{"type": "text", "text": "5"}]),
    "another content index for each delta": (
        [delta("Hel", content_index=1), delta("lo", content_index=2), END],
        [HELLO],
    ),
    "a delta after the end of its text": (
        [
            delta("Hel"),
            event("response.output_text.done", item_id="msg_0", output_index=0, text="Hel"),
            delta("lo"),
            END,
        ],
        [HELLO],
    ),
    "a delta after the end of the response": ([DELTAS, END, delta(" again")], [HELLO]),
    "the end twice": ([DELTAS, END, END], [HELLO]),
    "unknown events": (
        [
            event("response.thinking.started", item={"type": "message"}),
            delta("Hel"),
            event("keepalive", sequence_number=3),
            event("response.output_text.annotation.added", annotation={"type": "url_citation", "url": "https://x"}),
            delta("lo"),
            END,
        ],
        [HELLO],
    ),
    "unknown items": (
        [
            added({"type": "mcp_list_tools", "id": "m"}),
            done({"type": "new", "id": "n"}),
            added(None),
            done([]),
            DELTAS,
            END,
        ],
        [HELLO],
    ),
    "data that is null or no object": ([b"data: null\n\n", b"data: 5\n\n", b'data: "x"\n\n', DELTAS, END], [HELLO]),
    "two messages": (
        answer(message("Hello"), message("There", index=1)),
        [{"type": "text", "text": "Hello\n\nThere"}],
    ),
    "an item's end after the start of the next": (
        [
            *[*message("Hello")][:3],
            added(message_item("", index=1), 1),
            done(message_item("Hello")),
            *[*message("There", index=1)][2:],
            completed(),
        ],
        [{"type": "text", "text": "Hello\n\nThere"}],
    ),
    "a remark before the answer": (
        answer(message("hm", phase="commentary"), message("Hello", index=1, phase="final_answer")),
        [THOUGHT, HELLO],
    ),
    "a summary in two parts": (
        answer(reasoning("hm", "well"), message("Hello", index=1)),
        [{"type": "reasoning", "text": "hm\n\nwell"}, HELLO],
    ),
    "a summary without deltas": (
        [*started(), done(reasoning_item("hm", "well")), *message("Hello", index=1), END],
        [{"type": "reasoning", "text": "hm\n\nwell"}, HELLO],
    ),
    "thoughts in full": (
        [
            added(reasoning_item()),
            event("response.reasoning_text.delta", item_id="rs_0", delta="h"),
            event("response.reasoning_text.delta", item_id="rs_0", delta="m"),
            event("response.reasoning_text.done", item_id="rs_0", text="hm"),
            done(reasoning_item(content=[{"type": "reasoning_text", "text": "hm"}])),
            DELTAS,
            END,
        ],
        [THOUGHT, HELLO],
    ),
    "thoughts in full and their summary": (
        [
            added(reasoning_item()),
            event("response.reasoning_text.delta", item_id="rs_0", delta="hm"),
            event("response.reasoning_summary_text.delta", item_id="rs_0", delta="short"),
            done(reasoning_item("short")),
            DELTAS,
            END,
        ],
        [THOUGHT, HELLO],
    ),
    "thoughts in the text": (answer(message("<thi", "nk>h", "m</think>", "Hello")), [THOUGHT, HELLO]),
    "a closing tag alone": (answer(message("hm", "</think>", "Hello")), [THOUGHT, HELLO]),
    "thoughts in a text without deltas": ([completed(message_item("<think>hm</think>Hello"))], [THOUGHT, HELLO]),
    "a text that ends like a tag": (answer(message("a ", "<")), [{"type": "text", "text": "a <"}]),
    "thoughts between two messages": (
        answer(message("Hello"), reasoning("hm", index=1), message("There", index=2)),
        [HELLO, THOUGHT, {"type": "text", "text": "\n\nThere"}],
    ),
    "a refusal": (
        [
            added(message_item("", content=[])),
            event("response.refusal.delta", item_id="msg_0", delta="Hel"),
            event("response.refusal.delta", item_id="msg_0", delta="lo"),
            event("response.refusal.done", item_id="msg_0", refusal="Hello"),
            done(message_item("", content=[{"type": "refusal", "refusal": "Hello"}])),
            completed(),
        ],
        [HELLO],
    ),
    "a refusal without deltas": (
        [event("response.refusal.done", item_id="msg_0", refusal="Hello"), completed()],
        [HELLO],
    ),
    "a call": (answer(call("clock", '{"zone": "UTC"}')), [tool_part("clock", '{"zone": "UTC"}')]),
    "a call without deltas": (
        [added(call_item("f", "")), done(call_item("f", "1")), completed()],
        [tool_part("f", "1")],
    ),
    "a call that nothing announces": ([done(call_item("f", "1")), completed()], [tool_part("f", "1")]),
    "a call whose end is missing": (
        [*[*call("f", "12345678")][:-2], completed(call_item("f", "123456789"))],
        [tool_part("f", "123456789")],
    ),
    "a call whose name comes at its end": (
        [*[*call("", "1")][:-1], done(call_item("f", "1")), completed()],
        [tool_part("f", "1")],
    ),
    "a call that ends twice": (
        [*call("f", "1"), done(call_item("f", "1")), done(call_item("f", "1", index=3)), completed()],
        [tool_part("f", "1")],
    ),
    "arguments at the start and in deltas": (
        [added(call_item("f", "{}")), *[*call("f", '{"x": 1}')][1:], completed()],
        [tool_part("f", '{"x": 1}')],
    ),
    "arguments at the start alone": (
        [added(call_item("f", "1")), completed(call_item("f", "1"))],
        [tool_part("f", "1")],
    ),
    "arguments as an object": (
        [done(call_item("f", {"x": 1})), completed()],
        [tool_part("f", '{"x": 1}')],
    ),
    "no call id": ([done(call_item("f", "1", id=None)), completed()], [tool_part("f", "1", id="fc_0")]),
    "calls at once, told apart by their ids": (
        without([*interleaved_calls(), completed()], "output_index"),
        [tool_part("f", "12345678901", id="a"), tool_part("g", "abcdefghijk", id="b")],
    ),
    "calls at once, told apart by their indexes": (
        with_changing_ids([*interleaved_calls(), completed()]),
        [tool_part("f", "12345678901", id="a"), tool_part("g", "abcdefghijk", id="b")],
    ),
    "a tool of free text": (
        [
            added({"type": "custom_tool_call", "id": "ct_0", "call_id": "a", "name": "sql", "input": ""}),
            event("response.custom_tool_call_input.delta", item_id="ct_0", output_index=0, delta="select"),
            event("response.custom_tool_call_input.done", item_id="ct_0", output_index=0, input="select 1"),
            done({"type": "custom_tool_call", "id": "ct_0", "call_id": "a", "name": "sql", "input": "select 1"}),
            completed(),
        ],
        [tool_part("sql", "select 1", id="a")],
    ),
    "a search": (
        [
            added(SEARCH | {"status": "in_progress"}),
            event("response.web_search_call.searching", item_id="ws_0", output_index=0),
            done(
                SEARCH | {"action": {"type": "search", "query": "x", "sources": [{"type": "url", "url": "https://x"}]}}
            ),
            *message("Hello", index=1),
            completed(),
        ],
        [tool_part("web_search", '{"type": "search", "query": "x"}', id="ws_0", result="https://x"), HELLO],
    ),
    "tools of the server": (
        [
            done({"type": "file_search_call", "id": "a", "queries": ["x"], "results": [{"filename": "x.md"}, None]}),
            done({"type": "code_interpreter_call", "id": "b", "code": "1", "outputs": [{"type": "logs", "logs": "2"}]}),
            done({"type": "mcp_call", "id": "c", "name": "roll", "arguments": "{}", "output": "6", "error": None}),
            done({"type": "mcp_call", "id": "d", "name": "roll", "arguments": "{}", "error": {"code": 5}}),
            done({"type": "image_generation_call", "id": "e", "status": "failed", "result": "QUJD" * 1000}),
            *message("Hello", index=1),
            completed(),
        ],
        [
            tool_part("file_search", '{"queries": ["x"]}', id="a", result="x.md"),
            tool_part("code_interpreter", '{"code": "1"}', id="b", result="2"),
            tool_part("roll", "{}", id="c", result="6"),
            tool_part("roll", "{}", id="d", error='{"code": 5}'),
            tool_part("image_generation", '{"prompt": ""}', id="e", error="failed"),
            HELLO,
        ],
    ),
    "usage that is null": ([DELTAS, completed(usage=None)], [HELLO]),
    "bad UTF-8": ([delta("Hel?").replace(b"?", b"\xff"), END], [{"type": "text", "text": "Hel\ufffd"}]),
    "halves of a character": ([delta("Hi \ud83d"), delta("\ude42"), END], [{"type": "text", "text": "Hi 🙂"}]),
}
CALLS = {
    name
    for name, (_, parts) in STREAMS.items()
    if any(part["type"] == "tool_call" and part["result"] is part["error"] is None for part in parts)
}
STREAMS = {name: (list(events), parts) for name, (events, parts) in STREAMS.items()}


@pytest.mark.parametrize("name", STREAMS)
async def test_streams(read_reply, name):
    events, parts = STREAMS[name]
    reply = await read_reply(*events)
    assert reply.error is None
    assert reply.parts == parts
    assert reply.builder.finish_reason == ("tool_calls" if name in CALLS else "stop")


def read_packets(packets):
    """Returns (parts, finish reason, usage) of a stream in these packets."""
    decoder, events = SSEDecoder(), ResponseEvents()
    pieces = [piece for packet in packets for data in decoder.feed(packet) for piece in events.feed(data)]
    pieces += [piece for data in decoder.close() for piece in events.feed(data, cut=True)]
    builder = EventBuilder("m")
    log = [event for piece in [*pieces, *events.close()] for event in builder.feed(piece)]
    return fold(log), builder.finish_reason, builder.usage


def test_items_are_not_kept_by_a_reply_without_tools():
    events = ResponseEvents()
    for number in range(1_000):
        item = done({"type": "new_call", "id": "i" * 10_000 + str(number), "data": "x" * 100_000})
        assert list(events.feed(item.partition(b"data: ")[2])) == []
        assert list(events.feed(message_end("i" * 10_000 + str(number)))) != []
    assert size_of(events) < 1_000_000


@pytest.mark.parametrize("newline", [b"\n", b"\r\n", b"\r"])
def test_streams_cut_into_packets_anywhere(newline):
    stream = b"".join(answer(reasoning("hm"), message("Hel", "lö🙂", index=1), call("f", "1", index=2)))
    whole = read_packets([stream])
    assert [part["type"] for part in whole[0]] == ["reasoning", "text", "tool_call"]
    stream = stream.replace(b"\n", newline)
    cuts = [[stream[:place], stream[place:]] for place in range(0, len(stream) + 1, 7)]
    cuts.append([stream[place : place + 1] for place in range(len(stream))])
    assert all(read_packets(packets) == whole for packets in cuts)


@pytest.mark.parametrize("name", STREAMS)
def test_one_event_to_a_packet_reads_as_all_in_one(name):
    events, _ = STREAMS[name]
    assert read_packets(events) == read_packets([b"".join(events)])


def message_end(id):
    return done(message_item("a", id=id)).partition(b"data: ")[2]


def size_of(value):
    """Returns about how many bytes this holds."""
    return len(pickle.dumps(value))


ODD_PACKETS = [
    b"event: response.output_text.delta\n",
    b"event: response.output_text.delta\n\n",
    b"event: response.x",
    b"event: response.x\n: comment\ndata: {}\n\n",
    b"event: response.x\ndata: {}\ndata: \n\n",
    b"event: response.x\ndata: 5\n\n",
    b"event: response.x\nid: 1\ndata: {}\n\n",
    b"event: response.x\r\ndata: {}\r\n\r\n",
    b"data: {}\n\nevent: response.x\ndata: {}\n\n",
    b"event: response.x\ndata: {}\n\nevent: error\ndata: {}\n\n",
]


@pytest.mark.parametrize("packet", ODD_PACKETS)
def test_packets_that_only_begin_like_one_event_are_read_in_full(packet):
    stream = DELTAS + packet + delta("!") + END
    packets = [delta("Hel"), delta("lo"), packet, delta("!"), END]

    def outcome(packets):
        decoder = SSEDecoder()
        return [*(data for packet in packets for data in decoder.feed(packet)), *decoder.close()]

    assert outcome(packets) == outcome([stream[place : place + 1] for place in range(len(stream))])
