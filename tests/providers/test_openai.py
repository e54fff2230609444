"""`openai:` against a real server on loopback: what real streams look like, and how each of them ends."""

import asyncio
import functools
import gzip
import itertools
import json
import sys
from contextlib import aclosing
from urllib.request import urlopen

import pytest
from aiohttp.client_proto import ResponseHandler

from chat import engine, providers
from chat.events import EventBuilder, Text, fold, text_of
from chat.providers import Request, openai
from chat.providers.openai import sse
from chat.providers.openai.chunks import Chunks
from chat.providers.openai.sse import SSEDecoder
from tests.providers.provider_runs import (
    ProviderReply,
    outcome_of,
    wait_until_closed,
    wait_until_shown,
)
from tests.upstream import (
    ANSWER,
    DONE,
    END,
    FIN,
    RESET,
    SILENCE,
    STOP,
    Answer,
    Upstream,
    chunk,
    event,
    model_behavior,
    refusal,
    usage,
)
from tests.waiting import wait_for_run, wait_until

pytestmark = pytest.mark.slow


ROLE = chunk({"role": "assistant", "content": ""})


# An answer as it should be --------------------------------------------------------------------------------------------


async def test_whole_answer_is_kept_with_its_usage(start_run, upstream):
    counts = {"completion_tokens_details": {"reasoning_tokens": 1}, "prompt_tokens_details": {"cached_tokens": 4}}
    first = chunk({"role": "assistant", "content": "", "refusal": None})
    run = await start_run(first, "Hello", ", **you**", STOP, usage(9, 3, **counts), DONE)
    assert await outcome_of(run) == ("completed", "", "Hello, **you**")
    assert run.finish_reason == "stop"
    assert run.notice is None
    assert run.message.parts == [{"type": "text", "text": "Hello, **you**"}]
    assert run.usage == [
        {
            "provider": "openai",
            "model": "scripted",
            "input_tokens": 9,
            "output_tokens": 3,
            "total_tokens": 12,
            "reasoning_tokens": 1,
            "cached_input_tokens": 4,
        }
    ]
    assert len(upstream.requests) == 1


async def test_request_carries_the_assistants_settings(start_run, upstream, ask):
    fields = {"system_prompt": "Be brief.", "memory_turns": 2}
    run = await start_run("one", *END, params={"temperature": 0.2, "reasoning_effort": "low"}, assistant=fields)
    await wait_for_run(run)
    for question in ("second", "third"):
        run = await run.conversation.ask(question)
        await engine.start(run)
        await wait_for_run(run)
    request = upstream.requests[-1]
    assert (request.method, request.path) == ("POST", "/v1/chat/completions")
    assert request.body == {
        "model": "scripted",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "second"},
            {"role": "assistant", "content": "one"},
            {"role": "user", "content": "third"},
        ],
        "stream": True,
        "stream_options": {"include_usage": True},
        "temperature": 0.2,
        "reasoning_effort": "low",
    }


async def test_turn_without_text_is_not_sent(read_reply, upstream):
    call = {"type": "tool_call", "id": "c", "name": "clock", "arguments": "{}", "result": "now", "error": None}
    turns = [("user", [{"type": "text", "text": "a"}]), ("assistant", []), ("user", [{"type": "text", "text": "b"}])]
    turns += [("assistant", [{"type": "reasoning", "text": "hm"}, call, {"type": "text", "text": "c"}])]
    await read_reply("ok", *END, turns=[*turns, ("user", [{"type": "text", "text": "d"}])])
    messages = [(message["role"], message["content"]) for message in upstream.requests[0].body["messages"]]
    assert messages == [("user", "a\n\nb"), ("assistant", "c"), ("user", "d")]


@pytest.mark.parametrize("late", [(), (0.02,)], ids=["at once", "a little later"])
async def test_next_question_uses_the_same_connection(read_reply, upstream, late):
    for _ in range(3):
        reply = await read_reply("Hi", *END, *late)
        assert (reply.text, reply.error) == ("Hi", None)
    assert upstream.connections == 1


async def test_server_that_stays_connected_after_done_is_left(start_run, upstream):
    run = await start_run("Hi", *END, SILENCE)
    assert await outcome_of(run) == ("completed", "", "Hi")
    assert (run.finished_at - run.first_token_at).total_seconds() < 2
    await wait_until_closed(upstream.requests[0])


async def test_cut_after_done_changes_nothing(read_reply):
    reply = await read_reply("Hi", *END, RESET)
    assert (reply.text, reply.error, reply.builder.usage[0].total_tokens) == ("Hi", None, 12)


# name of the scripted model -> what it says and thinks, and the code of the error that ends it
SCRIPTED = {
    "anything": (ANSWER, "", None),
    "echo": ("Hi", "", None),
    "think": (ANSWER, "First I think about it.", None),
    "cut": (ANSWER[:100], "", "broken_off"),
    "error": (ANSWER[:100], "", "overloaded"),
    "status-503": ("", "", "overloaded"),
    "status-401": ("", "", "authentication"),
}


@pytest.mark.parametrize("model", SCRIPTED)
async def test_scripted_models_behave_as_documented(upstream, model):
    upstream.answer = model_behavior(upstream, pace=0.0001)
    reply = await ProviderReply().read({"base_url": upstream.base_url}, model=model)
    text, thought, code = SCRIPTED[model]
    assert reply.text.startswith(text)
    assert "".join(part["text"] for part in reply.parts if part["type"] == "reasoning") == thought
    assert (reply.error and reply.error.code) == code
    assert (reply.text == text) == (reply.builder.finish_reason == "stop" or not text)


@pytest.mark.process
async def test_scripted_model_runs_as_a_process():
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "tests.upstream", "--pace", "0", stdout=pipe)
    try:
        address = (await process.stdout.readline()).decode().split()[-1]
        reply = await ProviderReply().read({"base_url": address}, model="echo")
        assert (reply.text, reply.error) == ("Hi", None)
        with urlopen(address.removesuffix("/v1") + "/requests") as response:  # noqa: ASYNC210
            assert [request["body"]["model"] for request in json.load(response)] == ["echo"]
    finally:
        process.kill()
        await process.wait()
        await providers.close()


# Dialects -------------------------------------------------------------------------------------------------------------

TEXT = {"type": "text", "text": "Hello"}
THOUGHT = {"type": "reasoning", "text": "hm"}
AZURE = {"prompt_index": 0, "content_filter_results": {"hate": {"filtered": False, "severity": "safe"}}}


def call(name, arguments, id):
    return {"type": "tool_call", "id": id, "name": name, "arguments": arguments, "result": None, "error": None}


def calls(*deltas):
    """A chunk with deltas of tool calls: (index, id, name, arguments)."""
    return chunk(
        {
            "tool_calls": [
                {"index": index, "id": id, "type": "function", "function": {"name": name, "arguments": arguments}}
                for index, id, name, arguments in deltas
            ]
        }
    )


HELLO = event(chunk("Hel")) + event(chunk("lo"))
ENDING = b"".join((event(STOP), DONE))
CHUNKS = {  # name -> (steps, the parts they make)
    "empty choices first": ([chunk(choices=[], prompt_filter_results=[AZURE]), "Hello", *END], [TEXT]),
    "usage in every chunk": ([chunk("Hello", usage=usage(9, 1)["usage"]), *END], [TEXT]),
    "choices are null": ([chunk(choices=None), "Hello", *END], [TEXT]),
    "no choices at all": ([{"id": "x"}, "Hello", *END], [TEXT]),
    "data is null": ([b"data: null\n\n", "Hello", *END], [TEXT]),
    "data that is no object": ([b"data: [1]\n\n", b'data: "x"\n\n', b"data: true\n\n", "Hello", *END], [TEXT]),
    "chunks in a list": ([b"data: " + json.dumps([chunk("Hel"), chunk("lo")]).encode() + b"\n\n", *END], [TEXT]),
    "choices that are none": ([b'data: {"choices": [7, null]}\n\n', "Hello", *END], [TEXT]),
    "choices are one object": ([chunk(choices={"index": 0, "delta": {"content": "Hello"}}), *END], [TEXT]),
    "usage that is none": ([b'data: {"usage": "much"}\n\n', "Hello", *END], [TEXT]),
    "details of the usage that are none": (
        ["Hello", STOP, usage(9, 3, completion_tokens_details=0, prompt_tokens_details=[]), DONE],
        [TEXT],
    ),
    "index as text": (
        [
            chunk(choices=[{"index": "1", "delta": {"content": "No"}}, {"index": "0", "delta": {"content": "Hello"}}]),
            *END,
        ],
        [TEXT],
    ),
    "content is a number": ([chunk({"content": 5}), chunk({"content": 0.5}), *END], [{"type": "text", "text": "50.5"}]),
    "content is zero": ([chunk({"content": 0}), *END], [{"type": "text", "text": "0"}]),
    "content is false": ([chunk({"content": False}), "Hello", *END], [TEXT]),
    "content is an object": ([chunk({"content": {"type": "text", "text": "Hello"}}), *END], [TEXT]),
    "delta is a text": ([chunk(choices=[{"index": 0, "delta": "Hello"}]), *END], [TEXT]),
    "text without a delta": ([chunk(choices=[{"index": 0, "text": "Hello"}]), *END], [TEXT]),
    "no delta": (
        [chunk(choices=[{"index": 0, "finish_reason": None, "content_filter_offsets": {}}]), "Hello", *END],
        [TEXT],
    ),
    "delta is null": ([chunk(choices=[{"index": 0, "delta": None}]), "Hello", *END], [TEXT]),
    "content is null": ([chunk({"role": "assistant", "content": None}), "Hello", *END], [TEXT]),
    "no index": ([chunk(choices=[{"delta": {"content": "Hello"}}]), *END], [TEXT]),
    "two choices": (
        [
            chunk(choices=[{"index": 1, "delta": {"content": "No"}}, {"index": 0, "delta": {"content": "Hello"}}]),
            chunk(choices=[{"index": 1, "delta": {}, "finish_reason": "length"}]),
            *END,
        ],
        [TEXT],
    ),
    "one choice in two": (
        [chunk(choices=[{"index": 0, "delta": {"content": "Hel"}}, {"index": 0, "delta": {"content": "lo"}}]), *END],
        [TEXT],
    ),
    "text and end in one chunk": ([chunk("Hello", "stop"), DONE], [TEXT]),
    "the whole text again at the end": (
        ["Hello", chunk(choices=[{"index": 0, "delta": {}, "message": {"content": "Hello"}, "finish_reason": "stop"}])],
        [TEXT],
    ),
    "reasoning_content": (
        [chunk({"reasoning_content": "h"}), chunk({"reasoning_content": "m"}), "Hello", *END],
        [THOUGHT, TEXT],
    ),
    "reasoning": ([chunk({"reasoning": "hm", "content": ""}), "Hello", *END], [THOUGHT, TEXT]),
    "both, with the same": ([chunk({"reasoning": "hm", "reasoning_content": "hm"}), "Hello", *END], [THOUGHT, TEXT]),
    "reasoning is an object": ([chunk({"reasoning": {"effort": "high"}}), "Hello", *END], [TEXT]),
    "refusal": ([chunk({"refusal": "Hel", "content": None}), chunk({"refusal": "lo"}), *END], [TEXT]),
    "content is a list": (
        [chunk({"content": [{"type": "text", "text": "Hel"}, "lo", {"type": "image_url", "image_url": {}}]}), *END],
        [TEXT],
    ),
    "content thinks": (
        [
            chunk({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}]}),
            chunk({"content": [{"type": "text", "text": "Hello"}]}),
            *END,
        ],
        [THOUGHT, TEXT],
    ),
    "a tool call": (
        [
            calls((0, "a", "clock", "")),
            calls((0, None, None, '{"time_')),
            calls((0, None, None, 'zone": "UTC"}')),
            *END,
        ],
        [call("clock", '{"time_zone": "UTC"}', id="a")],
    ),
    "tool names repeated": (
        [calls((0, "a", "f", '{"x"')), calls((0, "a", "f", ": 1}")), *END],
        [call("f", '{"x": 1}', id="a")],
    ),
    "parallel tool calls": (
        [calls((0, "a", "f", ""), (1, "b", "g", "")), calls((1, None, None, "2")), calls((0, None, None, "1")), *END],
        [call("f", "1", id="a"), call("g", "2", id="b")],
    ),
    "parallel tool calls under one index": (
        [calls((0, "a", "f", "1")), calls((0, "b", "g", "2")), *END],
        [call("f", "1", id="a"), call("g", "2", id="b")],
    ),
    "a tool call without an id": ([calls((0, "", "f", "1")), *END], [call("f", "1", id="call_0")]),
    "tool arguments as an object": ([calls((0, "a", "f", {"x": 1})), *END], [call("f", '{"x": 1}', id="a")]),
    "text, then a tool call": (["Hello", calls((0, "a", "f", "1")), *END], [TEXT, call("f", "1", id="a")]),
}


@pytest.mark.parametrize("dialect", CHUNKS)
async def test_chunks(read_reply, dialect):
    steps, parts = CHUNKS[dialect]
    reply = await read_reply(*steps)
    assert reply.error is None
    assert reply.parts == parts
    assert reply.builder.finish_reason == "stop"


LINES = {
    "as in the book": HELLO + ENDING,
    "comments": b": OPENROUTER PROCESSING\n\n" + HELLO.replace(b"\n\n", b"\n\n:\n\n: ping\n\n") + ENDING,
    "ids and keep-alives": b"id: 0\n\n" + HELLO.replace(b"data", b"id: 1\nretry: 5\ndata") + b"id: 2\n\n" + ENDING,
    "ping without data": b"event: ping\n\n" + HELLO + b"event: ping\n\n" + ENDING,
    "ping with empty data": HELLO + b"event: ping\ndata\ndata:\n\n" + ENDING,
    "ping that says something": HELLO + b"event: ping\ndata: 2026-01-01 10:00\n\n" + ENDING,
    "named events": (HELLO + ENDING).replace(b"data", b"event: message\ndata"),
    "a BOM": b"\xef\xbb\xbf" + HELLO + ENDING,
    "CR LF": (HELLO + ENDING).replace(b"\n", b"\r\n"),
    "CR": (HELLO + ENDING).replace(b"\n", b"\r"),
    "no space after the colon": (HELLO + ENDING).replace(b"data: ", b"data:"),
    "two spaces after the colon": (HELLO + ENDING).replace(b"data: ", b"data:  "),
    "an unknown field": HELLO.replace(b"data: ", b"nonsense\ndata: ") + ENDING,
    "data in several lines": (HELLO + ENDING).replace(b', "', b',\ndata: "'),
    "no newline at the end": (HELLO + ENDING).rstrip(),
    "one newline at the end": (HELLO + ENDING).rstrip() + b"\n",
    "no [DONE]": HELLO + event(STOP),
    "no [DONE] and no newline": HELLO + event(STOP).rstrip(),
    "blank lines first": b"\n\n\n" + HELLO + ENDING,
    "something after [DONE]": HELLO + ENDING + b"data: {broken\n\n" + event(chunk("more")),
    "something broken after the end": HELLO + event(STOP) + b"data: {broken",
    "bad UTF-8": HELLO.replace(b"lo", b"l\xffo") + ENDING,
    "UTF-8": HELLO.replace(b"lo", "ö🙂".encode()) + ENDING,
}
TEXTS = {"bad UTF-8": "Hell\ufffdo", "UTF-8": "Helö🙂"}


@pytest.mark.parametrize("framing", ["chunked", "close"])
@pytest.mark.parametrize("dialect", LINES)
async def test_lines(read_reply, dialect, framing):
    reply = await read_reply(LINES[dialect], framing=framing)
    assert (reply.text, reply.error) == (TEXTS.get(dialect, "Hello"), None)
    assert reply.builder.finish_reason == "stop"


@pytest.mark.parametrize("dialect", LINES)
def test_lines_cut_into_packets_anywhere(dialect):
    stream = LINES[dialect]
    cuts = [[stream[:place], stream[place:]] for place in range(len(stream) + 1)]
    cuts.append([stream[place : place + 1] for place in range(len(stream))])
    for packets in cuts:
        events, chunks = SSEDecoder(), Chunks()
        pieces = [piece for packet in packets for data in events.feed(packet) for piece in chunks.feed(data)]
        pieces += [piece for data in events.close() for piece in chunks.feed(data, cut=True)]
        builder = EventBuilder("m")
        log = [event for piece in pieces for event in builder.feed(piece)]
        assert text_of(fold(log)) == TEXTS.get(dialect, "Hello")
        assert builder.finish_reason == "stop"


PLAIN = [chunk(text) for text in ("Hello", '"quoted" \\ \n', "Grüße \U0001f919", "\ud83e", "null", "?")]
UNLIKE = [
    *(chunk(""), chunk({"content": None}), chunk({"content": ["Hel", {"text": "lo"}]})),
    *(ROLE, chunk({"refusal": "Hello"}), chunk({"content": "Hello", "refusal": "No."}), chunk({"reasoning": "Hello"})),
    *(chunk("Hello", id="chatcmpl-2"), chunk("Hello", usage=usage(9, 3)["usage"]), chunk("Hello", "length"), STOP),
    *(chunk("Hello", obfuscation="aQ3"), chunk("Hello", content="Hello"), chunk(choices=[]), usage(9, 3)),
]


def test_chunk_is_read_the_same_whatever_prefix_was_learned():
    has_prefix, spaced = [], [json.dumps, functools.partial(json.dumps, separators=(",", ":"), ensure_ascii=False)]
    for write, common, other in itertools.product(spaced, PLAIN, PLAIN + UNLIKE):
        chunks, untrained = Chunks(), Chunks()
        data = [write(delta).encode(errors="surrogatepass") for delta in (common, common, other, common, other)]
        pieces = [list(chunks.feed(line)) for line in data]
        has_prefix.append(bool(chunks.prefix))
        untrained.attempts_left = 0
        assert pieces == [list(untrained.feed(line)) for line in data]
        assert (chunks.usage, chunks.finished) == (untrained.usage, untrained.finished)
    assert all(has_prefix)


def test_number_as_content_is_read_whatever_prefix_was_learned():
    chunks = Chunks()
    assert list(chunks.feed(json.dumps(chunk("Hello")).encode())) == [Text("Hello")]
    assert chunks.prefix
    assert list(chunks.feed(json.dumps(chunk({"content": 17})).encode())) == [Text("17")]


def test_learning_stops_when_chunks_have_nothing_in_common():
    chunks = Chunks()
    for number in range(10):
        assert list(chunks.feed(json.dumps(chunk("a", id=number)).encode())) == [Text("a")]
    assert chunks.attempts_left == 0


async def a_moment():
    await asyncio.sleep(0)


async def test_packets_may_end_anywhere_on_the_wire(read_reply):
    stream = LINES["UTF-8"]
    reply = await read_reply(
        *(part for byte in range(0, len(stream), 3) for part in (stream[byte : byte + 3], a_moment))
    )
    assert (reply.text, reply.error) == ("Helö🙂", None)


async def test_compressed_stream_is_read(read_reply):
    reply = await read_reply(gzip.compress(LINES["UTF-8"]), headers={"content-encoding": "gzip"})
    assert (reply.text, reply.error) == ("Helö🙂", None)


CHARACTERS = {  # JSON of deltas -> the text
    r'"\ud83d\ude42"': "🙂",
    r'"\ud83d", "\ude42"': "🙂",
    r'"a\ud83d", "\ude42b"': "a🙂b",
    r'"a\ud83d", "b"': "a\ufffdb",
    r'"\ude42a"': "\ufffda",
    r'"a\ud83d"': "a",
    r'"a\u0000b"': "ab",
    r'"\u0000", "a"': "a",
    r'"\ufeffa\u2028b\u0085c"': "\ufeffa\u2028b\x85c",
}


@pytest.mark.parametrize("deltas", CHARACTERS)
async def test_characters(read_reply, deltas):
    chunks = [event(chunk("TEXT")).replace(b'"TEXT"', delta.encode()) for delta in deltas.split(", ")]
    reply = await read_reply(*chunks, *END)
    assert (reply.text, reply.error) == (CHARACTERS[deltas], None)


async def test_answer_that_does_not_stream_is_read(read_reply):
    message = {
        "role": "assistant",
        "content": "Hello",
        "reasoning_content": "hm",
        "tool_calls": [
            {"id": "a", "type": "function", "function": {"name": "f", "arguments": "1"}},
            {"id": "b", "type": "function", "function": {"name": "g", "arguments": "2"}},
        ],
    }
    body = json.dumps(
        {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}], "usage": usage(9, 3)["usage"]},
        indent=1,
    )
    reply = await read_reply(b"\n" + body.encode(), headers={"content-type": "application/json"})
    assert reply.error is None
    assert reply.parts == [THOUGHT, TEXT, call("f", "1", id="a"), call("g", "2", id="b")]
    assert reply.builder.finish_reason == "stop"
    assert reply.builder.usage[0].total_tokens == 12


# How it ends ----------------------------------------------------------------------------------------------------------


NOTICES = {
    "length": ("length", "The answer reached its length limit."),
    "filter": ("content_filter", "The provider's content filter cut the answer short."),
    "tools": ("tool_calls", None),
    "strange": ("something new\0" + "!" * 100, None),
}


async def test_finish_reason_is_kept_and_sets_the_notice(start_runs):
    runs = await start_runs({n: ("Hel", "lo", chunk(finish_reason=reason), DONE) for n, (reason, _) in NOTICES.items()})
    for name, (reason, notice) in NOTICES.items():
        assert await outcome_of(runs[name]) == ("completed", "", "Hello")
        assert runs[name].notice == notice
        assert runs[name].finish_reason == reason.replace("\0", "")[:50]


BROKEN = {  # in mid-answer, after the text was shown
    "reset": ([RESET], "chunked"),
    "the connection ends": ([FIN], "chunked"),
    "before Content-Length": ([FIN], 10_000),
    "a clean end without a finish": ([], "chunked"),
    "a clean end of the connection without a finish": ([], "close"),
    "[DONE] without a finish": ([DONE], "chunked"),
    "in the middle of an event": ([event(chunk("!"))[:-20]], "close"),
    "in the middle of a character": ([event(chunk("🙂")).replace(rb"\ud83d\ude42", "🙂".encode()[:2])[:-60]], "close"),
    "nonsense for chunked encoding": ([b"\r\nnonsense\r\n"], "chunked"),
}


async def test_cut_in_mid_answer_keeps_the_text_before_it(start_runs, upstream):
    seen = {cut: asyncio.Event() for cut in BROKEN}
    answers = {cut: Answer(["Hel", "lo", seen[cut].wait, *steps], framing=how) for cut, (steps, how) in BROKEN.items()}
    runs = await start_runs(answers)
    for cut, run in runs.items():
        await wait_until_shown(run, "lo")
        seen[cut].set()
        assert (cut, *await outcome_of(run)) == (cut, "interrupted", "broken_off", "Hello")
        assert run.error_message == "The connection to the model was lost before the answer was complete."
    assert len(upstream.requests) == len(BROKEN)


UNBEGUN = {  # before the first token
    "reset": (Answer([RESET], framing=None), "failed", "unreachable"),
    "end": (Answer([FIN], framing=None), "failed", "unreachable"),
    "nonsense": (Answer([b"nonsense\r\n\r\n"], framing=None), "interrupted", "broken_off"),
    "end after the head": (Answer([FIN]), "interrupted", "broken_off"),
    "reset after the role": (Answer([ROLE, 0.01, RESET]), "interrupted", "broken_off"),
    "a role and a clean end": (Answer([ROLE]), "interrupted", "broken_off"),
    "[DONE]": (Answer([DONE]), "interrupted", "broken_off"),
    "an error": (Answer([{"error": {"message": "busy", "code": 503}}]), "failed", "overloaded"),
}


async def test_cut_before_the_first_token_is_retried_twice(start_runs, upstream):
    runs = await start_runs({cut: answer for cut, (answer, _, _) in UNBEGUN.items()})
    for cut, (_, status, code) in UNBEGUN.items():
        assert (cut, *await outcome_of(runs[cut])) == (cut, status, code, "")
        assert (cut, upstream.times(cut)) == (cut, 3)


@pytest.mark.parametrize("first", [RESET, {"error": {"message": "busy", "code": 503}}], ids=["cut", "error"])
async def test_retry_stores_the_answer_once(start_run, upstream, first):
    upstream.answers(ROLE, first)
    run = await start_run("Hello", *END)
    assert await outcome_of(run) == ("completed", "", "Hello")
    assert len(upstream.requests) == 2


async def test_cut_answer_still_counts_its_usage(read_reply):
    reply = await read_reply(chunk("Hello", usage=usage(9, 1)["usage"]))
    assert reply.error.broken_off
    assert [counted.total_tokens for counted in reply.builder.usage] == [10]


ERRORS = {  # in mid-answer
    "a code that is a word": (
        {"error": {"message": "m", "type": "server_error", "code": "rate_limit_exceeded"}},
        "rate_limited",
    ),
    "a code that is a status": ({"error": {"message": "m", "code": 502, "metadata": {}}}, "overloaded"),
    "a status as text": ({"error": {"message": "m", "code": "429"}}, "rate_limited"),
    "a code of the provider's own": ({"error": {"message": "Too long.", "code": 1301}}, "refused"),
    "a type": ({"error": {"message": "m", "type": "overloaded_error"}}, "overloaded"),
    "too long": ({"error": {"message": "m", "code": "context_length_exceeded"}}, "context_length"),
    "a text": ({"error": "Too long."}, "refused"),
    "a list": ({"error": ["Too long."]}, "refused"),
    "nothing much": ({"error": {"message": None}}, "refused"),
    "with a choice": (chunk("", "error", error={"message": "m", "code": 502}), "overloaded"),
    "in the choice": (
        chunk(choices=[{"index": 0, "delta": {}, "finish_reason": "error", "error": {"code": 502}}]),
        "overloaded",
    ),
    "an event": (b'event: error\ndata: {"error": {"message": "m", "code": 502}}\n\n', "overloaded"),
    "an event without wrapping": (b'event: error\ndata: {"message": "m", "code": 502}\n\n', "overloaded"),
    "an event in plain text": (b"event: error\ndata: Too long.\n\n", "refused"),
    "an event in plain text with CR LF": (b"event: error\r\ndata: Too\r\ndata: long.\r\n\r\n", "refused"),
    "an event with nothing": (b"event: error\ndata:\n\n", "refused"),
    "no JSON": (b"data: {broken\n\n", "malformed"),
    "too deep": (b"data: " + b"[" * 100_000 + b"\n\n", "malformed"),
}


@pytest.mark.parametrize("kind", ERRORS)
async def test_error_in_the_stream_is_reported_after_the_text(read_reply, kind):
    step, code = ERRORS[kind]
    reply = await read_reply("Hello", step, "more", *END)
    assert reply.text == "Hello"
    assert reply.builder.finish_reason is None
    assert (reply.error.code, reply.error.broken_off) == (code, False)
    assert str(reply.error).endswith(".") or str(reply.error).startswith("The provider reported an error: ")
    assert "{" not in str(reply.error)


async def test_error_in_mid_answer_fails_the_run_and_keeps_the_text(start_run, upstream):
    run = await start_run("Hel", "lo", {"error": {"message": "The GPU is \0gone \ud83d.", "code": None}}, SILENCE)
    assert await outcome_of(run) == ("failed", "refused", "Hello")
    assert run.error_message == "The provider reported an error: The GPU is gone \ufffd."
    assert len(upstream.requests) == 1
    await wait_until_closed(upstream.requests[0])


async def test_null_characters_and_lone_surrogates_are_cleaned_up(start_run):
    steps = [chunk({"reasoning_content": "h\0m\ud83d"}), "a\0\ud83d", "\ude42", "\udc00"]
    steps += [calls((0, "c\0\ud800", "f\0\udfff", '{"x": "\0\ud83d')), calls((0, None, None, '\ude42"}'))]
    run = await start_run(*steps, *END)
    assert await outcome_of(run) == ("completed", "", "a🙂\ufffd")
    thought, text, tool = run.message.parts
    assert (thought["text"], text["text"]) == ("hm", "a🙂\ufffd")
    assert (tool["id"], tool["name"], tool["arguments"]) == ("c\ufffd", "f\ufffd", '{"x": "🙂"}')


async def test_web_page_is_reported_as_not_a_stream(start_run, upstream):
    page = b"<!DOCTYPE html>\n<html><body>data: Please log in</body></html>"
    run = await start_run(page, headers={"content-type": "text/html"}, framing=len(page))
    assert await outcome_of(run) == ("interrupted", "not_a_stream", "")
    assert run.error_message == "The model's address returned a web page."
    assert len(upstream.requests) == 1


@pytest.mark.parametrize("page", [b"\xef\xbb\xbf<html>", b"\n <?xml", b"{", b"dat", b": PROCESSING\n\n"])
async def test_body_without_an_answer_is_broken_off(read_reply, page):
    reply = await read_reply(page)
    assert reply.error.broken_off
    assert reply.parts == []


ENDLESS = {
    "a line": ["Hello", b"data: ", *[b"x" * 10_000] * 20],
    "an event": ["Hello", *[b"data: xxxx\n" * 1000] * 20],
    "an object": [b'{"choices": [', *[b" " * 10_000] * 20],
}


@pytest.mark.parametrize("kind", ENDLESS)
async def test_endless_data_is_malformed_and_closes_the_connection(read_reply, upstream, monkeypatch, kind):
    monkeypatch.setattr(sse, "MAX_EVENT_SIZE", 100_000)
    reply = await read_reply(*ENDLESS[kind], SILENCE)
    assert reply.error.code == "malformed"
    await wait_until_closed(upstream.requests[0])


async def test_long_event_is_read(read_reply, monkeypatch):
    monkeypatch.setattr(sse, "MAX_EVENT_SIZE", 100_000)
    long = event(chunk("x" * 90_000))
    reply = await read_reply(*(long[:-2], a_moment, b"\n", a_moment, b"\n") * 3, *END)
    assert (reply.text, reply.error) == ("x" * 270_000, None)


async def test_stream_faster_than_its_reader_waits_and_arrives_whole(upstream, monkeypatch):
    has_stopped, stop = asyncio.Event(), ResponseHandler.pause_reading

    def stopping(self):
        has_stopped.set()
        stop(self)

    monkeypatch.setattr(ResponseHandler, "pause_reading", stopping)
    upstream.answers("x", *[chunk("x" * 50_000)] * 60, *END)
    async with asyncio.timeout(20), aclosing(openai.reply(make_request(base_url=upstream.base_url))) as pieces:
        first = await anext(pieces)
        await has_stopped.wait()
        text = first.delta + "".join([piece.delta async for piece in pieces if type(piece) is Text])
    assert len(text) == 3_000_001


async def test_endless_comments_are_not_buffered(read_reply, monkeypatch):
    monkeypatch.setattr(sse, "MAX_EVENT_SIZE", 100_000)
    reply = await read_reply("Hel", *[b": still thinking\n" * 1000] * 20, "lo", *END)
    assert (reply.text, reply.error) == ("Hello", None)


# Refusals -------------------------------------------------------------------------------------------------------------

SOON = {"retry_after": "0"}
QUOTA = {
    "error": {"message": "You exceeded your current quota.", "type": "insufficient_quota", "code": "insufficient_quota"}
}
TOO_LONG = {
    "error": {"message": "This model's maximum …", "type": "invalid_request_error", "code": "context_length_exceeded"}
}
REFUSALS = {  # name -> (answer, code, how often it is asked, part of the sentence)
    "401": (
        refusal(401, {"error": {"message": "Incorrect API key provided: sk-abc."}}),
        "authentication",
        1,
        "API key",
    ),
    "402": (refusal(402, {"error": {"message": "Insufficient Balance"}}), "quota", 1, "no quota left"),
    "403": (refusal(403, {"error": {"message": "no"}}), "permission", 1, "does not allow"),
    "404": (refusal(404, {"error": "model 'x' not found"}), "unknown_model", 1, "has no such model"),
    "400": (refusal(400, {"error": {"message": "Bad \0temperature."}}), "refused", 1, "an error: Bad temperature."),
    "400 too long": (refusal(400, TOO_LONG), "context_length", 1, "too long for this model"),
    "400 in a list": (
        refusal(400, [{"error": {"code": 400, "message": "Bad role."}}]),
        "refused",
        1,
        "error: Bad role.",
    ),
    "400 in plain text": (refusal(400, b"Bad role."), "refused", 1, "error: Bad role."),
    "400 without a body": (refusal(400, b""), "refused", 1, "error: no reason given"),
    "422": (refusal(422, {"detail": [{"msg": "Bad role."}]}), "refused", 1, "Bad role."),
    "quota": (refusal(429, QUOTA, **SOON), "quota", 1, "no quota left"),
    "429": (refusal(429, {"error": {"message": "Slow down."}}, **SOON), "rate_limited", 3, "Try again in a minute."),
    "429 much later": (
        refusal(429, {"error": {"message": "Slow down."}}, retry_after="30"),
        "rate_limited",
        1,
        "Too many requests",
    ),
    "500": (refusal(500, {"error": {"message": "Oh."}}, **SOON), "overloaded", 3, "Try again in a minute."),
    "502 web page": (refusal(502, b"<html>Bad gateway</html>", **SOON), "overloaded", 3, "Try again in a minute."),
    "503": (refusal(503, {"error": {"message": "Busy.", "code": None}}, **SOON), "overloaded", 3, "overloaded"),
    "408": (refusal(408, b"", **SOON), "overloaded", 3, "overloaded"),
}


@pytest.mark.parametrize("kind", REFUSALS)
async def test_refusal_is_reported_in_a_sentence(read_reply, kind):
    answer, code, times, sentence = REFUSALS[kind]
    reply = await read_reply(answer)
    assert reply.error.code == code
    assert sentence in str(reply.error)
    assert "\0" not in str(reply.error)
    assert reply.error.retryable == (times > 1 or reply.error.retry_after == 30)


async def test_refusal_fails_the_run_and_is_retried_where_that_may_help(start_runs, upstream):
    runs = await start_runs({kind: answer for kind, (answer, *_) in REFUSALS.items()})
    for kind, (_, code, times, sentence) in REFUSALS.items():
        assert (kind, *await outcome_of(runs[kind])) == (kind, "failed", code, "")
        assert sentence in runs[kind].error_message
        assert (kind, upstream.times(kind)) == (kind, times)


async def test_retry_after_is_obeyed(start_run, upstream):
    upstream.answers(refusal(429, {"error": {"message": "Slow down."}}, retry_after="1"))
    run = await start_run("Hello", *END)
    assert await outcome_of(run) == ("completed", "", "Hello")
    first, second = upstream.requests
    assert second.at - first.at >= 1


@pytest.mark.parametrize("header", ["nan", "-1", "soon", "", "Wed, 21 Oct 2026 07:28:00 GMT"])
async def test_retry_after_that_is_not_a_number_of_seconds_is_ignored(read_reply, header):
    reply = await read_reply(refusal(503, {"error": {"message": "Busy."}}, retry_after=header))
    assert reply.error.retryable
    assert reply.error.retry_after is None


# Silence and stop -----------------------------------------------------------------------------------------------------


QUIET = {
    "no byte": lambda: Answer([SILENCE], framing=None),
    "no event": lambda: Answer([SILENCE]),
    "no token": lambda: Answer([ROLE, SILENCE]),
}


async def test_silence_before_the_first_token_fails(start_runs, upstream, settings):
    settings.FIRST_TOKEN_SECONDS = 1
    runs = await start_runs({kind: answer() for kind, answer in QUIET.items()})
    for kind, run in runs.items():
        assert (kind, *await outcome_of(run)) == (kind, "failed", "timeout", "")
        assert (
            run.error_message
            == "The model did not start answering: it sent nothing for 1 seconds (FIRST_TOKEN_SECONDS)."
        )
        assert upstream.times(kind) == 1
    for request in upstream.requests:
        await wait_until_closed(request)


async def test_silence_in_mid_answer_interrupts_and_keeps_the_text(start_runs, upstream, settings):
    settings.SILENCE_SECONDS = 1
    answers = {"silence": ("Hel", "lo", SILENCE), "half an event": ("Hel", "lo", b"data: {", SILENCE)}
    for kind, run in (await start_runs(answers)).items():
        assert (kind, *await outcome_of(run)) == (kind, "interrupted", "timeout", "Hello")
        assert run.error_message == "The model stopped responding: it sent nothing for 1 seconds (SILENCE_SECONDS)."
    for request in upstream.requests:
        await wait_until_closed(request)


@pytest.mark.parametrize("moment", ["no byte", "no event", "no token"])
async def test_stop_before_the_first_token_closes_the_connection(start_run, upstream, moment):
    run = await start_run(QUIET[moment]())
    await wait_until(lambda: upstream.requests)
    await engine.cancel(run)
    await wait_until_closed(upstream.requests[0])
    assert await outcome_of(run) == ("cancelled", "", "")


async def test_stop_in_mid_answer_closes_the_connection_and_keeps_the_text(start_run, upstream):
    run = await start_run("Hel", "lo", SILENCE)
    await wait_until_shown(run, "lo")
    await engine.cancel(run)
    await wait_until_closed(upstream.requests[0])
    assert await outcome_of(run) == ("cancelled", "", "Hello")


async def test_reader_that_leaves_closes_the_connection(upstream):
    upstream.answers("Hel", SILENCE)
    async with aclosing(openai.reply(make_request(base_url=upstream.base_url))) as pieces:
        assert await anext(pieces) == Text("Hel")
    await wait_until_closed(upstream.requests[0])


# Addresses and keys ---------------------------------------------------------------------------------------------------


def make_request(**params):
    return Request("scripted", [("user", [{"type": "text", "text": "Hi"}])], params=params)


async def test_address_and_key_come_from_environment_variables(upstream, monkeypatch):
    monkeypatch.setenv("OPENAI_BASE_URL", upstream.base_url)
    monkeypatch.setenv("OPENAI_API_KEY", " sk-ours\n")
    monkeypatch.setenv("OPENAI_ORG_ID", "org-ours")
    upstream.answers("Hello", *END)
    reply = await ProviderReply().read({})
    assert reply.text == "Hello"
    assert upstream.requests[0].headers["authorization"] == "Bearer sk-ours"
    assert upstream.requests[0].headers["openai-organization"] == "org-ours"


@pytest.mark.parametrize("key", [None, "", " "])
async def test_address_from_the_environment_needs_no_key(upstream, monkeypatch, key):
    monkeypatch.setenv("OPENAI_BASE_URL", upstream.base_url)
    if key is not None:
        monkeypatch.setenv("OPENAI_API_KEY", key)
    upstream.answers("Hello", *END)
    assert (await ProviderReply().read({})).text == "Hello"
    assert upstream.requests[0].headers["authorization"] == "Bearer none"


async def test_environment_key_is_not_sent_to_an_assistants_own_address(read_reply, upstream, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-ours")
    monkeypatch.setenv("OPENAI_ORG_ID", "org-ours")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj-ours")
    await read_reply("Hello", *END)
    assert "ours" not in json.dumps(upstream.requests[0].headers)
    assert upstream.requests[0].headers["authorization"] == "Bearer none"


async def test_redirect_takes_no_key_to_another_address(upstream, monkeypatch):
    other = Upstream()
    other.answers("Hello", *END)
    await other.start()
    monkeypatch.setenv("OPENAI_BASE_URL", upstream.base_url)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-ours")
    upstream.answers(refusal(307, b"", location=f"{other.base_url}/chat/completions"))
    try:
        reply = await ProviderReply().read({})
        assert (reply.text, len(other.requests)) == ("Hello", 1)
        assert "ours" not in json.dumps(other.requests[0].headers)
    finally:
        await providers.close()
        await other.stop()


async def test_assistant_names_the_variable_of_its_key(read_reply, upstream, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-ours")
    monkeypatch.setenv("OTHER_KEY", "sk-theirs")
    await read_reply("Hello", *END, params={"api_key_env": "OTHER_KEY"})
    assert upstream.requests[0].headers["authorization"] == "Bearer sk-theirs"
    assert "api_key_env" not in upstream.requests[0].body


async def test_assistant_can_have_its_own_key(read_reply, upstream):
    await read_reply("Hello", *END, params={"api_key": "sk-theirs"})
    assert upstream.requests[0].headers["authorization"] == "Bearer sk-theirs"
    assert "api_key" not in upstream.requests[0].body


async def test_missing_key_is_reported_in_a_sentence(start_run, upstream):
    run = await start_run(params={"base_url": ""})
    assert await outcome_of(run) == ("failed", "not_configured", "")
    assert run.error_message == "The environment variable OPENAI_API_KEY is not set."
    run = await start_run(params={"api_key_env": "NO_SUCH_KEY"})
    assert await outcome_of(run) == ("failed", "not_configured", "")
    assert run.error_message == "The environment variable NO_SUCH_KEY is not set."
    assert upstream.requests == []


@pytest.mark.parametrize(
    "params, code",
    [
        ({"base_url": "http://127.0.0.1:1/v1"}, "unreachable"),
        ({"base_url": "not an address"}, "unreachable"),
        ({"base_url": "ftp://127.0.0.1/"}, "unreachable"),
        ({"base_url": "http://127.0.0.1:99999/"}, "unreachable"),
        ({"base_url": "http://:::"}, "not_configured"),
        ({"base_url": "http://exämple../"}, "not_configured"),
        ({"base_url": 5}, "not_configured"),
        ({"base_url": []}, "not_configured"),
        ({"base_url": "http://127.0.0.1:1/v1", "api_key": "sk-“quoted”"}, "not_configured"),
        ({"base_url": "http://127.0.0.1:1/v1", "api_key": "sk\r\nHost: x"}, "not_configured"),
        ({"base_url": "http://127.0.0.1:1/v1", "api_key": ["sk"]}, "not_configured"),
    ],
)
async def test_invalid_address_or_key_is_reported_in_a_sentence(upstream, params, code):
    reply = await ProviderReply().read(params)
    assert reply.error.code == code
    assert str(reply.error).endswith(".")


@pytest.mark.parametrize(
    "answer",
    [Answer([b"nonsense\r\n\r\n"], framing=None), Answer([RESET]), Answer([RESET], framing=None), refusal(401, b"no")],
    ids=["nonsense", "reset", "reset at once", "refusal"],
)
async def test_key_stays_out_of_the_log(read_reply, caplog, answer):
    reply = await read_reply(answer, params={"api_key": "sk-secret"})
    assert reply.error is not None
    assert len(caplog.records) > 0
    assert "sk-secret" not in caplog.text
