"""What a tool server may send: it takes its tools away from one run, and nothing from the others."""

import asyncio
import sys
import tracemalloc
from pathlib import Path

import pytest

from chat import tools
from chat.models import ToolServer
from chat.tools import mcp
from chat.tools.schema_limits import MAX_DEPTH, is_small
from tests.providers import misbehaviours
from tests.timeouts import HANG_TIMEOUT
from tests.upstream import Answer
from tests.waiting import wait_until

PROGRAM = [sys.executable, str(Path(__file__).parent / "hostile_mcp_server.py")]
HELLO = {"protocolVersion": "2025-06-18", "capabilities": {}, "serverInfo": {"name": "a", "version": "1"}}


@pytest.fixture(autouse=True)
def patience(monkeypatch):
    """A server starts within a second or two, but not where many processes do."""
    monkeypatch.setattr(mcp, "CONNECT_TIMEOUT", HANG_TIMEOUT)


@pytest.fixture(autouse=True)
async def no_session_is_left():
    yield
    await wait_until(lambda: not mcp.session_tasks)


@pytest.fixture
def hostile(transactional_db):
    async def make(*options):
        await ToolServer.objects.acreate(slug="one", transport="stdio", command=[*PROGRAM, *options])

    return make


@pytest.fixture
def over_http(transactional_db, upstream):
    """A server at the scripted upstream, whose answers are those of the test."""

    async def make(*answers):
        for answer in answers:
            upstream.answers(answer)
        await ToolServer.objects.acreate(slug="one", transport="http", url=f"{upstream.base_url}/mcp")

    return make


async def test_pattern_of_an_output_schema_is_never_run(hostile):
    await hostile()
    async with tools.load(["mcp:one"]) as toolbox:
        assert await toolbox["one_match"].use({}) == '{"text": "' + "a" * 60 + '!"}'  # the pattern would take years


async def test_tool_whose_schema_grows_when_it_is_followed_is_left_out(hostile, caplog):
    await hostile()
    async with tools.load(["mcp:one"]) as toolbox:
        assert set(toolbox) == {"one_match"}
    assert caplog.text.count("its schema is too long") == 2


async def test_server_whose_line_has_too_many_values_is_left_out(hostile, caplog):
    await hostile("--values")
    async with tools.load(["mcp:one", "clock"]) as toolbox:
        assert set(toolbox) == {"clock"}
    assert "it closed the connection" in caplog.text


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
async def test_compressed_body_takes_no_memory(over_http, encoding):
    answer = misbehaviours.compressed(100_000_000, encoding)
    answer.headers["content-type"] = "application/json"
    await over_http(answer)
    async with tools.load(["mcp:one"]):  # imports what it needs
        pass
    tracemalloc.start()
    async with tools.load(["mcp:one", "clock"]) as toolbox:
        assert set(toolbox) == {"clock"}
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 3 * mcp.MAX_BODY_SIZE


async def test_document_with_too_many_values_is_refused(over_http, caplog):
    await over_http(Answer([b"[" + b"{}," * 100_000], headers={"content-type": "application/json"}))
    async with tools.load(["mcp:one", "clock"]) as toolbox:
        assert set(toolbox) == {"clock"}
    assert "The tools of “one” are not offered" in caplog.text


async def test_stream_that_ends_at_once_is_not_opened_again_and_again(upstream, over_http):
    def answer(request):
        if request.method == "GET":
            return Answer([b"retry: 0\n\n"])
        if request.body.get("method") == "initialize":
            body = mcp.json.dumps({"jsonrpc": "2.0", "id": request.body["id"], "result": HELLO}).encode()
        elif "id" in request.body:
            body = mcp.json.dumps({"jsonrpc": "2.0", "id": request.body["id"], "result": {"tools": []}}).encode()
        else:
            return Answer([b""], 202)
        return Answer([body], headers={"content-type": "application/json", "mcp-session-id": "1"})

    upstream.answer = answer
    await over_http()
    async with tools.load(["mcp:one"]):
        await wait_until(lambda: gets(upstream) > 1)
        await asyncio.sleep(1)
    assert gets(upstream) < 10


def gets(upstream):
    return sum(request.method == "GET" for request in upstream.requests)


def nested(depth):
    schema = {}
    for _ in range(depth):
        schema = {"items": schema}
    return schema


def laughs(lines):
    definitions = {f"a{n}": {"anyOf": [{"$ref": f"#/$defs/a{n + 1}"}] * 2} for n in range(lines)}
    return {"$defs": definitions, "$ref": "#/$defs/a0"}


TREE = {"$defs": {"tree": {"properties": {"left": {"$ref": "#/$defs/tree"}, "right": {"$ref": "#/$defs/tree"}}}}}
EACH_OTHER = {f"a{n}": {"anyOf": [{"$ref": f"#/$defs/a{m}"} for m in range(9)]} for n in range(9)}


@pytest.mark.parametrize(
    ("schema", "small"),
    [
        (nested(MAX_DEPTH), True),
        (nested(MAX_DEPTH + 1), False),
        (nested(100_000), False),
        ({"enum": list(range(4_000))}, True),
        ({"enum": list(range(6_000))}, False),
        (laughs(5), True),
        (laughs(40), False),
        (TREE | {"$ref": "#/$defs/tree"}, True),
        ({"$defs": EACH_OTHER, "$ref": "#/$defs/a0"}, False),
        ({"$ref": "#"}, True),
        ({"$ref": "https://example.com/schema"}, True),
        ({"$ref": "#/missing/place"}, True),
        ({"$ref": 1}, True),
    ],
)
def test_schema_is_measured_with_its_references_followed(schema, small):
    assert is_small(schema) is small
