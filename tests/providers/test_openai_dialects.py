"""What real streams of chat completions look like, and that `openai:` reads them."""

import functools
import gzip
import itertools
import json

import pytest

from chat.events import EventBuilder, Text, fold, text_of
from chat.providers.openai.chunks import Chunks
from chat.providers.openai.sse import SSEDecoder
from tests.providers.openai_stream import CHUNKS, ROLE, TEXT, THOUGHT, a_moment, call
from tests.upstream import DONE, END, STOP, chunk, event, usage

pytestmark = pytest.mark.slow

HELLO = event(chunk("Hel")) + event(chunk("lo"))
ENDING = b"".join((event(STOP), DONE))


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
