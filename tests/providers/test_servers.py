"""Each server of chat completions, with what is peculiar to its streams, through `openai:` and through LangChain."""

import json
import re

import pytest

from chat.events import EventBuilder, fold
from chat.providers import ProviderError
from chat.providers.openai.chunks import Chunks
from chat.providers.openai.sse import SSEDecoder
from scripts.environment import ROOT
from tests.providers.langchain.vendors import LangChainReply
from tests.providers.servers import SERVERS
from tests.upstream import Answer

STREAMS = {f"{name} {number}": stream for name, streams in SERVERS.items() for number, stream in enumerate(streams, 1)}


def check(stream, parts, builder, error, reason):
    shown = {"reasoning": "", "text": ""}
    for part in parts:
        if part["type"] in shown:
            shown[part["type"]] += part["text"]
    assert (shown["reasoning"].strip(), shown["text"]) == (stream.thought, stream.text)
    calls = [(part["name"], json.loads(part["arguments"])) for part in parts if part["type"] == "tool_call"]
    assert calls == stream.calls
    assert stream.error in str(error)
    assert bool(error) == bool(stream.error)
    assert builder.finish_reason == reason
    if not stream.error:
        assert [counted.total_tokens for counted in builder.usage] == ([stream.total] if stream.total else [])


@pytest.mark.parametrize("kind", STREAMS)
def test_stream_of_the_server_is_read_wherever_packets_end(kind):
    stream = STREAMS[kind]
    body = stream.body.encode()
    for size in (len(body), 1, 7, 64):
        decoder, chunks, builder, log, error = SSEDecoder(), Chunks(), EventBuilder("m"), [], None
        try:
            for start in range(0, len(body), size):
                for data in decoder.feed(body[start : start + size]):
                    log += [event for piece in chunks.feed(data) for event in builder.feed(piece)]
            for data in decoder.close():
                log += [event for piece in chunks.feed(data, cut=True) for event in builder.feed(piece)]
            for piece in chunks.close():
                log += builder.feed(piece)
        except ProviderError as raised:
            error = raised
        check(stream, fold(log), builder, error, stream.reason)


@pytest.mark.slow
@pytest.mark.parametrize("kind", STREAMS)
async def test_stream_of_the_server_is_read_through_langchain(upstream, kind):
    stream = STREAMS[kind]
    upstream.answers(Answer([stream.body.encode()]))
    reply = await LangChainReply().read("langchain:openai:m", {"base_url": upstream.base_url})
    reason = "tool_calls" if stream.calls else stream.reason
    check(stream, reply.parts, reply.builder, reply.error, reason)


def test_documentation_lists_every_server_with_its_test():
    row = re.compile(r'^\| ([^|]+?) \| [^|]+ \| `test_servers\.py::SERVERS\["([^|]+?)"\]` \|$', re.MULTILINE)
    rows = row.findall((ROOT / "docs/providers.md").read_text())
    assert [name for name, _ in rows] == [name for _, name in rows] == list(SERVERS)
