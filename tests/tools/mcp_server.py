"""A real MCP server of the official package, for the tests.

    python tests/tools/mcp_server.py                          over stdio
    python tests/tools/mcp_server.py --http PORT              streamable HTTP on loopback, at /mcp
    python tests/tools/mcp_server.py --http PORT --json       … answering with plain JSON instead of a stream

    python tests/tools/mcp_server.py --many 25                a lot of tools, ten on a page

`--name N` is told by the tool `whoami`; `--deaf` reads nothing and outlives SIGTERM; `--stubborn` works, and outlives
both its input and SIGTERM; `--token T` is asked of HTTP clients as a bearer token.
"""

import argparse
import os
import signal
import time

import anyio
import uvicorn
from mcp.server.fastmcp import Context, FastMCP, Image
from mcp.types import (
    AudioContent,
    BlobResourceContents,
    CallToolResult,
    EmbeddedResource,
    ListToolsRequest,
    ListToolsResult,
    ResourceLink,
    TextContent,
    TextResourceContents,
    Tool,
    ToolAnnotations,
)
from starlette.responses import PlainTextResponse, RedirectResponse

options = argparse.ArgumentParser()
options.add_argument("--http", type=int)
options.add_argument("--json", action="store_true")
options.add_argument("--name", default="test")
options.add_argument("--many", type=int)
options.add_argument("--line", type=int, help="characters of a line that never ends, in place of all else")
options.add_argument("--deaf", action="store_true")
options.add_argument("--token")
options.add_argument("--stubborn", action="store_true")
options = options.parse_args()

if options.deaf or options.stubborn:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
while options.deaf:
    time.sleep(60)  # a server that never answers

if options.line:
    for _ in range(options.line // 1_000):
        print("x" * 1_000, end="", flush=True)
    time.sleep(60)  # the line never ends, and the process stays

server = FastMCP(options.name, port=options.http or 0, json_response=options.json, log_level="CRITICAL")
READ_ONLY = ToolAnnotations(readOnlyHint=True)


@server.tool(annotations=READ_ONLY)
def add(a: int, b: int = 1) -> int:
    """Add two whole numbers."""
    return a + b


@server.tool(annotations=READ_ONLY)
async def work(reports: int, seconds: float, context: Context) -> str:
    """Report its progress so often, with so many seconds after each report."""
    for number in range(reports):
        await context.report_progress(number, reports)
        await anyio.sleep(seconds)
    return "done"


@server.tool(annotations=READ_ONLY)
def whoami() -> str:
    """The name that this server was started with."""
    return options.name


@server.tool(annotations=READ_ONLY)
def environment() -> list[str]:
    """The names of its environment variables, with the values of those that begin with TEST_."""
    return sorted(f"{key}={value}" if key.startswith("TEST_") else key for key, value in os.environ.items())


@server.tool(annotations=READ_ONLY)
def fail(sentence: str) -> str:
    """Fail with that sentence."""
    raise ValueError(sentence)


@server.tool(structured_output=False, annotations=READ_ONLY)
def pieces() -> list:
    """One of each kind of content."""
    return [
        TextContent(type="text", text="A picture:"),
        Image(data=b"0123456789", format="png").to_image_content(),
        AudioContent(type="audio", data="AAAA", mimeType="audio/wav"),
        ResourceLink(type="resource_link", name="Notes", uri="file:///notes.txt"),
        EmbeddedResource(type="resource", resource=TextResourceContents(uri="file:///notes.txt", text="Buy bread.")),
        EmbeddedResource(type="resource", resource=BlobResourceContents(uri="file:///a.zip", blob="AAAA")),
    ]


@server.tool(annotations=READ_ONLY)
def forecast() -> CallToolResult:
    """Structured content alone."""
    return CallToolResult(content=[], structuredContent={"celsius": 21.5, "place": "東京"})


@server.tool(structured_output=False, annotations=READ_ONLY)
def nothing() -> None:
    """Gives nothing at all."""


@server.tool(annotations=READ_ONLY)
def long(characters: int) -> str:
    """A text of that length."""
    return "x" * characters


@server.tool(annotations=READ_ONLY)
async def wait(seconds: float) -> str:
    """Wait."""
    await anyio.sleep(seconds)
    return "done"


@server.tool(annotations=READ_ONLY)
async def die() -> str:
    """End this process in the middle of its answer, without a word."""
    await anyio.sleep(0.3)
    os._exit(1)


@server.tool(name="wipe.everything", annotations=ToolAnnotations(destructiveHint=True))
def wipe() -> str:
    """Says of itself that it destroys something."""
    return "wiped"


@server.tool()
def unknown() -> str:
    """Says nothing of what it does."""
    return "done"


@server.tool(annotations=ToolAnnotations(destructiveHint=False))
def append() -> str:
    """Changes something, and destroys nothing."""
    return "added"


@server.custom_route("/away", methods=["GET", "POST"])
async def away(request):
    """Sends the client to another host."""
    return RedirectResponse(f"http://localhost:{options.http}/mcp", 307)


@server.custom_route("/broken", methods=["GET", "POST"])
async def broken(request):
    return PlainTextResponse("Out of order", 500)


@server.custom_route("/page", methods=["GET", "POST"])
async def page(request):
    return PlainTextResponse("<p>Welcome</p>", media_type="text/html")


@server.custom_route("/garbage", methods=["GET", "POST"])
async def garbage(request):
    return PlainTextResponse("{", media_type="application/json")


async def list_many(request: ListToolsRequest) -> ListToolsResult:
    start = int(request.params.cursor or 0) if request.params else 0
    end = min(start + 10, options.many)
    page = [Tool(name=f"tool{number}", inputSchema={"type": "object"}) for number in range(start, end)]
    return ListToolsResult(tools=page, nextCursor=str(end) if end < options.many else None)


if options.many:
    server._mcp_server.list_tools()(list_many)


def guarded(app):
    async def asgi(scope, receive, send):
        if scope["type"] == "http" and options.token:
            if dict(scope["headers"]).get(b"authorization") != f"Bearer {options.token}".encode():
                return await PlainTextResponse("Who are you?", 401)(scope, receive, send)
        await app(scope, receive, send)

    return asgi


if options.http:
    uvicorn.run(guarded(server.streamable_http_app()), port=options.http, log_level="error", access_log=False)
else:
    server.run()
    while options.stubborn:
        time.sleep(60)  # a server that ignores the end of its input
