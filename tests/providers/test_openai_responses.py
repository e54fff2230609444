"""`openai_responses:` against a scripted server and aimock: what its streams look like, and how each of them ends."""

import asyncio
import itertools
import json
import pickle
from contextlib import aclosing

import pytest

from chat import engine, providers
from chat.events import EventBuilder, Text, fold
from chat.models import Assistant
from chat.providers import Request, base, openai_responses
from chat.providers.openai.sse import SSEDecoder
from chat.providers.openai_responses.events import ResponseEvents
from chat.providers.responses_only import has_only_responses
from tests.assertions import without_seconds
from tests.providers.aimock import LONG, TEXT
from tests.providers.provider_runs import (
    ProviderReply,
    outcome_of,
    wait_until_closed,
    wait_until_idle,
    wait_until_shown,
)
from tests.providers.responses_stream import (
    CREATED,
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
from tests.providers.test_openai import REFUSALS
from tests.upstream import DONE, FIN, RESET, SILENCE, Answer, refusal, whole
from tests.waiting import wait_for_run, wait_until

pytestmark = pytest.mark.slow

HELLO = {"type": "text", "text": "Hello"}
THOUGHT = {"type": "reasoning", "text": "hm"}


@pytest.fixture
async def read_reply(upstream):
    """`await read_reply(*steps)`: the provider's reply, given this answer. At the end, none is in progress."""

    async def read_reply(*steps, params=None, turns=None, **how):
        if steps:
            upstream.answers(*steps, **how)
        params = {"base_url": upstream.base_url} | (params or {})
        return await ProviderReply().read(params, turns, provider=openai_responses)

    yield read_reply
    await wait_until_idle(upstream)


@pytest.fixture
async def start_run(upstream, ask):
    """`await start_run(*steps)`: a started run whose model answers so. At the end, none is in progress."""

    async def start_run(*steps, params=None, text="Hi", **fields):
        if steps:
            upstream.answers(*steps)
        fields = {
            "model": "openai_responses:scripted",
            "params": {"base_url": upstream.base_url} | (params or {}),
        } | fields
        slug = f"model-{await Assistant.objects.acount()}"
        return await ask(await Assistant.objects.acreate(slug=slug, name="Model", **fields), text)

    yield start_run
    await wait_until_idle(upstream)


def tool_part(name, arguments, id="call_1", result=None, error=None):
    return {"type": "tool_call", "id": id, "name": name, "arguments": arguments, "result": result, "error": error}


# An answer as it should be --------------------------------------------------------------------------------------------


async def test_whole_answer_is_kept_with_its_usage(start_run, upstream):
    run = await start_run(*answer(reasoning("hm"), message("Hello", ", **you**", index=1)))
    assert await outcome_of(run) == ("completed", "", "Hello, **you**")
    assert run.finish_reason == "stop"
    assert without_seconds(run.message.parts) == [THOUGHT, {"type": "text", "text": "Hello, **you**"}]
    assert run.usage == [
        {
            "provider": "openai_responses",
            "model": "scripted",
            "input_tokens": 9,
            "output_tokens": 3,
            "total_tokens": 12,
            "reasoning_tokens": 1,
            "cached_input_tokens": 4,
        }
    ]
    assert len(upstream.requests) == 1


async def test_request_carries_the_assistants_settings(start_run, upstream):
    params = {"reasoning": {"effort": "low", "summary": "auto"}, "text": {"verbosity": "low"}}
    run = await start_run(*answer(message("one")), params=params, system_prompt="Be brief.")
    await wait_for_run(run)
    run = await run.conversation.ask("second")
    await engine.start(run)
    await wait_for_run(run)
    request = upstream.requests[-1]
    assert (request.method, request.path) == ("POST", "/v1/responses")
    assert request.body == {
        "model": "scripted",
        "input": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": "one"},
            {"role": "user", "content": "second"},
        ],
        "stream": True,
        "store": False,
        "reasoning": {"effort": "low", "summary": "auto"},
        "text": {"verbosity": "low"},
    }


async def test_images_are_sent_as_input_images(read_reply, upstream):
    parts = [{"type": "image", "media_type": "image/png", "data": "QUJD"}, {"type": "text", "text": "What is it?"}]
    await read_reply(*answer(message("ok")), turns=[("user", parts)])
    assert upstream.requests[0].body["input"] == [
        {
            "role": "user",
            "content": [
                {"type": "input_image", "image_url": "data:image/png;base64,QUJD"},
                {"type": "input_text", "text": "What is it?"},
            ],
        }
    ]


async def test_next_question_uses_the_same_connection(read_reply, upstream):
    for _ in range(3):
        reply = await read_reply(*answer(message("Hello")))
        assert (reply.text, reply.error) == ("Hello", None)
    assert upstream.connections == 1


async def test_server_that_stays_connected_after_the_end_is_left(start_run, upstream):
    run = await start_run(*answer(message("Hello")), SILENCE)
    assert await outcome_of(run) == ("completed", "", "Hello")
    await wait_until_closed(upstream.requests[0])


# Peculiarities --------------------------------------------------------------------------------------------------------

DELTAS = b"".join((delta("Hel"), delta("lo")))
END = completed(message_item("Hello"))


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


# How it ends ----------------------------------------------------------------------------------------------------------

INCOMPLETE = {  # reason -> finish reason
    "max_output_tokens": "length",
    "max_messages": "length",
    "something_new": "length",
    None: "length",
    "content_filter": "content_filter",
}


@pytest.mark.parametrize("reason", INCOMPLETE)
async def test_incomplete_response_has_a_finish_reason(read_reply, reason):
    reply = await read_reply(DELTAS, completed(status="incomplete", incomplete_details=reason and {"reason": reason}))
    assert (reply.text, reply.error) == ("Hello", None)
    assert reply.builder.finish_reason == INCOMPLETE[reason]
    assert reply.builder.usage[0].total_tokens == 12


RATE = {"code": "rate_limit_exceeded", "message": "Slow down."}
OVERFLOW = {
    "type": "invalid_request_error",
    "code": "context_length_exceeded",
    "message": "Your input exceeds the context window.",
}
ERRORS = {  # name -> (the event, the code, part of the sentence)
    "failed": (
        completed(status="failed", error={"code": "server_error", "message": "Oh."}),
        "overloaded",
        "overloaded",
    ),
    "failed by a limit": (completed(status="failed", error=RATE), "rate_limited", "Try again in a minute."),
    "failed by the image": (
        completed(status="failed", error={"code": "invalid_image", "message": "No picture."}),
        "refused",
        "error: No picture.",
    ),
    "failed without an error": (completed(status="failed"), "refused", "no reason given"),
    "error": (event("error", code="server_error", message="Oh.", param=None), "overloaded", "overloaded"),
    "error in an object": (event("error", error=OVERFLOW), "context_length", "too long"),
    "error without a name": (
        b'data: {"type": "error", "code": "insufficient_quota", "message": "x"}\n\n',
        "quota",
        "quota",
    ),
    "error of another format": (b'data: {"error": {"message": "Oh.", "type": "server_error"}}\n\n', "overloaded", ""),
    "error in plain text": (b"event: error\ndata: The GPU is gone.\n\n", "refused", "error: The GPU is gone."),
    "error of a type": (
        b'data: {"type": "invalid_request_error", "code": 400, "message": "Bad."}\n\n',
        "refused",
        "Bad.",
    ),
    "detail": (b'data: {"detail": "The GPU is gone."}\n\n', "refused", "error: The GPU is gone."),
}


@pytest.mark.parametrize("name", ERRORS)
async def test_error_in_mid_stream_keeps_the_text(read_reply, name):
    data, code, sentence = ERRORS[name]
    reply = await read_reply(*started(), DELTAS, data, SILENCE)
    assert (reply.text, reply.error.code) == ("Hello", code)
    assert sentence in str(reply.error)


async def test_error_keeps_a_text_that_ends_like_a_tag(read_reply):
    reply = await read_reply(delta("a "), delta("<thin"), event("error", code="server_error", message="Oh."))
    assert (reply.text, reply.error.code) == ("a <thin", "overloaded")


async def test_cut_keeps_a_text_that_ends_like_a_tag(read_reply):
    reply = await read_reply(delta("a "), delta("<thin"))
    assert (reply.text, reply.error.code) == ("a <thin", "broken_off")


OVERFLOWS = {
    "a refusal": refusal(400, {"error": OVERFLOW}),
    "an event": Answer([*started(), event("error", error=OVERFLOW)]),
    "the end": Answer([*started(), completed(status="failed", error=OVERFLOW)]),
}


@pytest.mark.parametrize("name", OVERFLOWS)
async def test_conversation_that_is_too_long_goes_on_without_its_beginning(start_run, upstream, name):
    run = await start_run(*answer(message("word " * 500)), text="word " * 500)
    await wait_for_run(run)
    for answered in (answer(message("two")), OVERFLOWS[name], answer(message("three"))):
        upstream.answers(answered if isinstance(answered, Answer) else Answer(list(answered)))
    for question in ("And?", "And now?"):
        run = await run.conversation.ask(question)
        await engine.start(run)
        await wait_for_run(run)
    assert (run.status, run.message.text) == ("completed", "three")
    assert run.message.parts[0]["type"] == "context_trimmed"
    before, after = [request.body["input"] for request in upstream.requests[-2:]]
    assert len(after) < len(before)
    assert after[-1] == {"role": "user", "content": "And now?"}


async def test_window_is_asked_from_a_server_of_ones_own(upstream):
    model = {"id": "x", "object": "model", "max_model_len": 2048}
    upstream.answer = lambda request: whole({"object": "list", "data": [model]})
    request = Request("x", [], "openai_responses", params={"base_url": upstream.base_url})
    assert await providers.context_window(request) == 2048


async def test_usage_of_a_failed_response_is_counted(read_reply):
    reply = await read_reply(completed(status="failed", error=RATE))
    assert reply.builder.usage[0].total_tokens == 12


@pytest.mark.parametrize("cut", [RESET, FIN, None, DONE, b'data: {"type": "response.comp'], ids=str)
async def test_stream_without_its_end_is_broken_off(read_reply, cut):
    reply = await read_reply(*started(), *[*message("Hel", "lo")][:-2], 0.01, *([cut] if cut else []))
    assert reply.text == "Hello"
    assert (reply.error.code, reply.error.broken_off) == ("broken_off", True)


@pytest.mark.parametrize("status", ["cancelled", "in_progress", "queued"])
async def test_response_that_ends_unfinished_is_broken_off(read_reply, status):
    reply = await read_reply(DELTAS, event("response.done", response=CREATED | {"status": status}))
    assert (reply.text, reply.error.code, reply.error.broken_off) == ("Hello", "broken_off", True)


@pytest.mark.parametrize("events", [[*started()], [event("keepalive")], [event("response.new", detail="x", status=5)]])
async def test_stream_without_an_item_is_broken_off(read_reply, events):
    reply = await read_reply(*events)
    assert (reply.error.code, reply.error.retryable) == ("broken_off", True)


async def test_call_that_breaks_off_is_closed(start_run):
    run = await start_run(*started(), *[*call("f", '{"x": 1}')][:3], FIN)
    assert (await outcome_of(run))[:2] == ("interrupted", "broken_off")


async def test_response_that_does_not_stream_is_read(read_reply):
    items = [reasoning_item("hm"), message_item("Hello", index=1), call_item("f", "1", index=2)]
    reply = await read_reply(whole(CREATED | {"status": "completed", "output": items, "usage": USAGE}))
    assert (reply.error, reply.parts) == (None, [THOUGHT, HELLO, tool_part("f", "1")])
    assert reply.builder.usage[0].total_tokens == 12


@pytest.mark.parametrize("body", [b"{}", b'{"object": "list", "data": []}', b'data: {"choices": []}\n\n'])
async def test_body_without_a_response_has_no_answer(read_reply, body):
    reply = await read_reply(body)
    assert (reply.error.code, reply.parts) == ("empty_response", [])


@pytest.mark.parametrize(
    "data",
    [
        b"data: {\n\n",
        event("response.output_item.done", item={"type": "reasoning", "summary": 5}, output_index=[]),
        event("response.output_item.added", item=call_item("f", ""), output_index=[]),
        event("response.completed", response={"output": 5}),
        event("response.completed", response=5),
        b"data: " + b"[" * 200 + b"]" * 200 + b"\n\n",
    ],
    ids=itertools.count(),
)
async def test_malformed_event_fails_the_answer_alone(read_reply, data):
    reply = await read_reply(DELTAS, data, END)
    assert reply.text == "Hello"
    assert reply.error is None or reply.error.code == "malformed"


@pytest.mark.parametrize("kind", REFUSALS)
async def test_refusal_is_reported_in_a_sentence(read_reply, kind):
    answer, code, _, sentence = REFUSALS[kind]
    reply = await read_reply(answer)
    assert reply.error.code == code
    assert sentence in str(reply.error)


async def test_busy_server_is_asked_again(start_run, upstream):
    upstream.answers(refusal(503, {"error": {"message": "Busy."}}, retry_after="0"))
    run = await start_run(*answer(message("Hello")))
    assert await outcome_of(run) == ("completed", "", "Hello")
    assert len(upstream.requests) == 2


# Stop -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("steps", [[], [*started()]], ids=["no byte", "no token"])
async def test_stop_before_the_first_token_closes_the_connection(start_run, upstream, steps):
    run = await start_run(*steps, SILENCE)
    await wait_until(lambda: upstream.requests)
    await engine.cancel(run)
    await wait_until_closed(upstream.requests[0])
    assert await outcome_of(run) == ("cancelled", "", "")
    assert len(upstream.requests) == 1


async def test_stop_in_mid_answer_closes_the_connection_and_keeps_the_text(start_run, upstream):
    run = await start_run(*started(), DELTAS, SILENCE)
    await wait_until_shown(run, "lo")
    await engine.cancel(run)
    await wait_until_closed(upstream.requests[0])
    assert await outcome_of(run) == ("cancelled", "", "Hello")
    assert len(upstream.requests) == 1


async def test_reader_that_leaves_closes_the_connection(upstream):
    upstream.answers(*started(), delta("Hel"), SILENCE)
    request = Request("scripted", [("user", [HELLO])], params={"base_url": upstream.base_url})
    async with aclosing(openai_responses.reply(request)) as pieces:
        assert await anext(pieces) == Text("Hel")
    await wait_until_closed(upstream.requests[0])


async def test_stop_cancels_a_response_in_the_background(start_run, upstream):
    upstream.answers(*started(), DELTAS, SILENCE)
    upstream.answers(whole(CREATED | {"status": "cancelled"}))
    run = await start_run(params={"background": True})
    await wait_until_shown(run, "lo")
    await engine.cancel(run)
    assert await outcome_of(run) == ("cancelled", "", "Hello")
    first, second = upstream.requests
    assert (first.body["background"], first.body["store"]) == (True, True)
    assert first.closed_at <= second.at
    assert (second.method, second.path) == ("POST", "/v1/responses/resp_1/cancel")


async def test_lost_connection_cancels_a_response_in_the_background(read_reply, upstream):
    upstream.answers(*started(), DELTAS, RESET)
    upstream.answers(refusal(404, {"error": {"message": "Gone."}}))
    reply = await read_reply(params={"background": True})
    assert (reply.text, reply.error.code) == ("Hello", "broken_off")
    assert [request.path for request in upstream.requests] == ["/v1/responses", "/v1/responses/resp_1/cancel"]


async def test_finished_response_in_the_background_is_not_cancelled(read_reply, upstream):
    reply = await read_reply(*answer(message("Hello")), params={"background": True})
    assert (reply.text, reply.error, len(upstream.requests)) == ("Hello", None, 1)


# Against aimock -------------------------------------------------------------------------------------------------------


@pytest.fixture
async def ask_aimock(aimock, ask, transactional_db):
    async def ask_aimock(text):
        params = {"base_url": f"{aimock.base_url}/v1"}
        fields = {"slug": "m", "name": "m", "model": "openai_responses:gpt-5-mini", "params": params}
        return await ask(await Assistant.objects.acreate(**fields), text)

    return ask_aimock


async def test_aimock_answers_with_usage(ask_aimock):
    run = await ask_aimock("hello")
    assert await outcome_of(run) == ("completed", "", TEXT)
    assert (run.finish_reason, run.usage[0]["total_tokens"]) == ("stop", 16)


async def test_aimock_thinks(ask_aimock):
    run = await ask_aimock("think")
    assert await outcome_of(run) == ("completed", "", "Done.")
    assert [part["type"] for part in run.message.parts] == ["reasoning", "text"]
    assert run.message.parts[0]["text"] == "First I think about it."


async def test_aimock_calls_tools(ask_aimock):
    run = await ask_aimock("What is the weather?")
    assert await outcome_of(run) == ("completed", "", "")
    calls = [(part["id"], part["name"], json.loads(part["arguments"])) for part in run.message.parts]
    assert calls == [("call_a", "weather", {"city": "Bern", "days": 2}), ("call_b", "clock", {})]
    assert run.finish_reason == "tool_calls"


async def test_aimock_refuses(ask_aimock, monkeypatch):
    monkeypatch.setattr(base, "MAX_RETRIES", 0)
    assert await outcome_of(await ask_aimock("wrong key")) == ("failed", "authentication", "")


async def test_aimock_cuts_the_stream(ask_aimock):
    status, code, text = await outcome_of(await ask_aimock("torn"))
    assert (status, code) == ("interrupted", "broken_off")
    assert text and LONG.startswith(text) and text != LONG


async def test_aimock_sees_a_stop(ask_aimock, aimock):
    run = await ask_aimock("slow")
    await wait_until_shown(run, LONG[:4])
    await engine.cancel(run)
    async with asyncio.timeout(1):
        await aimock.hung_up.wait()
    assert (await outcome_of(run))[0] == "cancelled"


# In the admin, and for titles -----------------------------------------------------------------------------------------


def test_check_needs_a_key(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(providers.ProviderError, match="OPENAI_API_KEY is not set"):
        providers.check("openai_responses:gpt-5")
    with pytest.raises(providers.ProviderError, match="OPENAI_API_KEY is not set"):
        providers.check("openai_responses:gpt-5", tools=["clock"])
    providers.check("openai_responses:gpt-5", {"api_key": "sk"}, tools=["clock"])


async def test_trial_shows_the_models_answer(upstream):
    upstream.answers(*answer(reasoning("hm"), message("I am ", "a model.", index=1)))
    params = {"base_url": upstream.base_url}
    assert await providers.try_model("openai_responses:scripted", params) == "I am a model."


@pytest.mark.parametrize(
    "model",
    [
        *("o1-pro", "o3-pro-2025-06-10", "gpt-5-pro", "gpt-5.4-pro-2026-03-05", "gpt-5-codex", "codex-mini-latest"),
        *("gpt-5.1-codex-max", "o3-deep-research", "o4-mini-deep-research", "computer-use-preview", "gpt-5.6-sol"),
    ],
)
def test_models_with_responses_alone_are_known(model):
    assert has_only_responses(model)


@pytest.mark.parametrize("model", ["gpt-5-mini", "gpt-5", "o3", "o1", "gpt-4.1", "o4-mini", "prompt-pro", "solar-pro"])
def test_models_that_also_have_chat_completions_are_told_apart(model):
    assert not has_only_responses(model)


def test_titles_are_written_by_the_model_and_limited_on_servers_of_ones_own():
    assert providers.is_language_model("openai_responses:gpt-5")
    own = {"base_url": "http://127.0.0.1:1/v1"}
    assert providers.with_output_limit("openai_responses:m", own, 50) == own | {"max_output_tokens": 50}
    assert (
        providers.with_output_limit("openai_responses:m", own | {"max_output_tokens": 9}, 50)["max_output_tokens"] == 9
    )
    assert providers.with_output_limit("openai_responses:m", {}, 50) == {}
