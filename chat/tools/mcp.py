"""The tools of MCP servers, as staff configured them (models.ToolServer).

A run has a session of its own with each of its servers: no user's calls are visible to another's, a server that fails
takes one run's tools with it, and a stdio server is a process that lives as long as the run.
"""

import asyncio
import hashlib
import json
import logging
import os
import re
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import anyio
import httpx
from anyio.streams.text import TextReceiveStream
from django.utils.translation import gettext
from langchain_mcp_adapters.sessions import create_session
from mcp import McpError
from mcp.client import stdio
from mcp.types import (
    CONNECTION_CLOSED,
    CallToolRequest,
    CallToolRequestParams,
    CallToolResult,
    ClientRequest,
    PaginatedRequestParams,
    ToolAnnotations,
)

from .. import redaction
from ..models import ToolServer
from ..response_limits import SEPARATORS, EventLimit, limit_body, limit_error
from . import execution
from .base import Tool, ToolError
from .execution import run_in_pool, run_within_limits, truncate
from .functions import not_an_object
from .registry import REGISTRY
from .schema_limits import is_small

CONNECT_TIMEOUT = 10  # seconds to start the server, to initialize the session and to list the tools
CLOSE_TIMEOUT = 0.5  # seconds that a run waits for its servers to end; a slower one ends in the background
MAX_SESSIONS = 200  # in this process; each stdio server is a process
MAX_TOOLS = 100  # of one server; vendors accept about that many
MAX_NAME_LENGTH = 64  # characters, which all vendors accept
MAX_DESCRIPTION_LENGTH = 1000  # characters
MAX_SCHEMA_LENGTH = 50_000  # characters of JSON; all schemas go to the model with each request
MAX_REASON_LENGTH = 500  # characters of the sentence why a server cannot be used
MAX_BODY_SIZE = 16_000_000  # bytes of one message: a line, an event or a document
RECONNECT_DELAY = 0.1  # seconds, the first time; then longer and longer

logger = logging.getLogger(__name__)
session_tasks: set[asyncio.Task[None]] = set()  # of all sessions: they are counted, and asyncio keeps no reference


@asynccontextmanager
async def connect(slugs: list[str]) -> AsyncIterator[dict[str, Tool]]:
    """The tools of the enabled servers with these slugs, as a dict name -> Tool.

    A server that cannot be reached is left out and logged.
    """
    rows = await run_in_pool(partial(_enabled_servers, slugs))
    for slug in slugs:
        if slug not in rows:
            logger.warning("The tools of “%s” are not offered: no enabled server has that slug", slug)
    sessions = [Session(rows[slug]) for slug in slugs if slug in rows]
    try:
        tools: dict[str, Tool] = {}
        opened = await asyncio.gather(*(session.open() for session in sessions), return_exceptions=True)
        for session, error in zip(sessions, opened, strict=True):
            if error:
                logger.warning("The tools of “%s” are not offered: %s", session.slug, error)
            else:
                tools |= session.tools(taken=tools)
        yield tools
    finally:
        await asyncio.gather(*(session.close() for session in sessions))


async def server_tools(server: ToolServer) -> list[Tool]:
    """Returns the Tools of this server; raises ToolError with the reason if it cannot be used."""
    session = Session(server)
    try:
        await session.open()
        return list(session.tools().values())
    except ToolError as error:
        sentence = gettext("“%(server)s” cannot be used: %(reason)s") % {"server": server.slug, "reason": error}
        raise ToolError(truncate(sentence, MAX_REASON_LENGTH)) from None
    finally:
        await session.close()


def _enabled_servers(slugs: list[str]) -> dict[str, ToolServer]:
    return {server.slug: server for server in ToolServer.objects.filter(slug__in=slugs, is_enabled=True)}


class Session:
    """A connection to one server, in a task of its own.

    The packages below cancel the task that opened a connection when it breaks, and require that the same task closes
    it. With a task of its own, neither affects the run.
    """

    def __init__(self, server: ToolServer) -> None:
        self.server = server
        self.slug = server.slug
        self.task: asyncio.Task[None] | None = None
        self.closing = asyncio.Event()
        self.ready = asyncio.get_running_loop().create_future()  # (the client session, the tools as it lists them)

    async def open(self) -> None:
        """Connects; raises ToolError with the reason, as the end of a sentence, if that fails."""
        if len(session_tasks) >= MAX_SESSIONS:
            raise ToolError(gettext("too many connections to tool servers are open."))
        self.task = asyncio.create_task(self._run())
        session_tasks.add(self.task)
        self.task.add_done_callback(self._on_end)
        await asyncio.wait([self.task, self.ready], timeout=CONNECT_TIMEOUT, return_when=asyncio.FIRST_COMPLETED)
        if self.task.done():
            raise ToolError(failure_reason(None if self.task.cancelled() else self.task.exception()))
        if not self.ready.done():
            raise ToolError(gettext("it did not answer within %(seconds)s seconds.") % {"seconds": CONNECT_TIMEOUT})

    async def close(self) -> None:
        if self.task:
            if self.ready.done():
                self.closing.set()
            else:
                self.task.cancel()
            await asyncio.wait([self.task], timeout=CLOSE_TIMEOUT)

    def tools(self, taken: Collection[str] = ()) -> dict[str, Tool]:
        """Returns the server's tools by the names under which they are offered, without those in `taken`."""
        client, server_tools = self.ready.result()
        tools: dict[str, Tool] = {}
        for tool in server_tools:
            if not is_small(tool.inputSchema) or len(json.dumps(tool.inputSchema)) > MAX_SCHEMA_LENGTH:
                logger.warning("A tool of “%s” is not offered: its schema is too long", self.slug)
                continue
            name = tool_name(self.slug, tool.name, {*REGISTRY, *taken, *tools})
            tools[name] = Tool(
                name=name,
                description=truncate(tool.description or tool.title or "", MAX_DESCRIPTION_LENGTH),
                schema={"type": "object", "properties": {}} | tool.inputSchema,
                use=partial(self._use, client, name, tool.name),
                asks_first=may_destroy(tool.annotations),
                server=self.slug,
                server_name=tool.name,
                annotations=tool.annotations.model_dump(exclude_none=True) if tool.annotations else {},
            )
        return tools

    async def _run(self) -> None:
        async with create_session(self._connection()) as client:
            await client.initialize()
            self.ready.set_result((client, await _list_tools(client)))
            await self.closing.wait()

    def _on_end(self, task: asyncio.Task[None]) -> None:
        session_tasks.discard(task)
        if not task.cancelled() and task.exception() and self.ready.done():
            logger.warning("The tool server “%s” was lost: %s", self.slug, failure_reason(task.exception()))

    def _connection(self) -> Any:
        server = self.server
        if server.transport == ToolServer.STDIO:
            program, *arguments = server.command
            env = expand_variables(server.env)
            redaction.add_secrets_of([env, arguments])
            # The library adds a few harmless variables such as PATH and HOME, and no others of ours.
            return {"transport": "stdio", "command": program, "args": arguments, "env": env}
        headers = expand_variables(server.headers)
        redaction.add_secrets_of([headers, server.url])
        return {
            "transport": "http",
            "url": server.url,
            "headers": headers,
            "timeout": CONNECT_TIMEOUT,
            "sse_read_timeout": execution.TOOL_TIMEOUT + 5,  # our own timeout comes first
            "httpx_client_factory": self._http_client,
            "session_kwargs": {
                "message_handler": self._on_message
            },  # not for stdio: some servers print before they speak MCP
        }

    async def _on_message(self, message: object) -> None:
        """Handles unsolicited messages. An unreadable reply arrives here as an exception.

        Without the cancellation its call would wait forever.
        """
        if isinstance(message, Exception):
            self._cancel()

    def _http_client(self, **options: Any) -> httpx.AsyncClient:
        """Returns a client that follows no redirects: the transport above it follows those to the same host."""
        gets = 0

        async def slow_down(request: httpx.Request) -> None:
            """The transport reconnects to a stream that ends, at once if the server wants it so."""
            nonlocal gets
            if request.method == "GET":
                await asyncio.sleep(min(gets * RECONNECT_DELAY, CONNECT_TIMEOUT))
                gets += 1

        async def limit(response: httpx.Response) -> None:
            limit_response(response, self._cancel)

        return httpx.AsyncClient(event_hooks={"request": [slow_down], "response": [limit]}, **options)

    def _cancel(self) -> None:
        if self.task:
            self.task.cancel()

    async def _use(self, client: Any, name: str, tool: str, arguments: dict[str, Any]) -> str:
        if not isinstance(arguments, dict):
            raise ToolError(not_an_object(name))
        progress = execution.Progress()
        return await run_within_limits(name, self._call(client, tool, arguments, progress), progress)

    async def _call(self, client: Any, tool: str, arguments: dict[str, Any], progress: execution.Progress) -> str:
        closed = ToolError(
            gettext("The connection to the tool server “%(server)s” was closed.") % {"server": self.slug}
        )
        if self.task is None or self.task.done():
            raise closed
        # Not `call_tool`: it validates the result with the server's schema, whose patterns may take forever.
        params = CallToolRequestParams(name=tool, arguments=arguments)
        request = ClientRequest(CallToolRequest(params=params))
        work = asyncio.ensure_future(client.send_request(request, CallToolResult, progress_callback=progress.report))
        waiting: list[asyncio.Future[Any]] = [work, self.task]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                raise closed
            return result_text(work.result())
        except (anyio.ClosedResourceError, anyio.BrokenResourceError):
            raise closed from None
        except McpError as error:
            if error.error.code == CONNECTION_CLOSED:
                raise closed from None
            raise ToolError(gettext("The tool failed: %(error)s") % {"error": error}) from None
        finally:
            work.cancel()


def may_destroy(annotations: ToolAnnotations | None) -> bool:
    """Whether a tool may overwrite or delete something. By the protocol, it may unless its server says otherwise.

    https://modelcontextprotocol.io/specification/2025-06-18/schema#toolannotations
    """
    if annotations is None:
        return True
    return not annotations.readOnlyHint and annotations.destructiveHint is not False


class LimitedLines(TextReceiveStream):
    """The output of a stdio server, in complete lines of limited length.

    The package's transport joins what it has with each packet, until the line ends.
    """

    async def receive(self) -> str:
        packets: list[str] = []
        limit = EventLimit(anyio.BrokenResourceError, (), MAX_BODY_SIZE)
        while True:
            packet = await super().receive()
            packets.append(packet)
            try:
                limit(packet.encode())
            except anyio.BrokenResourceError:
                logger.warning("A tool server sent a line that is too long")
                raise
            if "\n" in packet:
                return "".join(packets)


# If an upgrade changes the name, test_server_that_never_ends_its_line_is_left_out fails.
vars(stdio)["TextReceiveStream"] = LimitedLines


async def _list_tools(client: Any) -> list[Any]:
    """Returns the server's tools, page by page, up to MAX_TOOLS."""
    page = await client.list_tools()
    tools = list(page.tools)
    while page.nextCursor and page.tools and len(tools) < MAX_TOOLS:
        page = await client.list_tools(params=PaginatedRequestParams(cursor=page.nextCursor))
        tools += page.tools
    return tools[:MAX_TOOLS]


def tool_name(slug: str, tool: str, taken: Collection[str]) -> str:
    """Returns `server_tool`, changed and marked with a digest if vendors do not accept it or another tool has it."""
    full_name = f"{slug}_{tool}"
    name = re.sub("[^a-zA-Z0-9_-]", "_", full_name if full_name[0].isalpha() else f"_{full_name}")
    if name not in (full_name, f"_{full_name}") or len(name) > MAX_NAME_LENGTH or name in taken:
        name = f"{name[: MAX_NAME_LENGTH - 9]}_{hashlib.sha256(full_name.encode()).hexdigest()[:8]}"
    return name


def expand_variables(values: Mapping[str, str]) -> dict[str, str]:
    """Returns the values with `${NAME}` replaced by that environment variable, so that the row needs no secrets."""

    def look_up(match: re.Match[str]) -> str:
        if match[1] not in os.environ:
            raise ToolError(gettext("the environment variable %(name)s is not set.") % {"name": match[1]})
        return os.environ[match[1]]

    return {key: re.sub(r"\$\{(\w+)\}", look_up, value) for key, value in values.items()}


def result_text(result: Any) -> str:
    """Returns an MCP tool's result as text: its content, or if there is none its structured content."""
    text = "\n".join(map(content_text, result.content))
    if result.isError:
        raise ToolError(text or gettext("The tool failed."))
    if not text and result.structuredContent is not None:
        return json.dumps(result.structuredContent, ensure_ascii=False)
    return text


def content_text(content: Any) -> str:
    """Returns a piece of a result as text. The page does not show media of tools, and the model is not sent them."""
    match content.type:
        case "text":
            return content.text
        case "image" | "audio":
            name = "an image" if content.type == "image" else "audio"
            return _left_out(name, content.mimeType, content.data)
        case "resource_link":
            return f"{content.title or content.name}: {content.uri}"
        case "resource" if hasattr(content.resource, "text"):
            return content.resource.text
    return _left_out(f"the file {content.resource.uri}", content.resource.mimeType, content.resource.blob)


def _left_out(name: str, media_type: str | None, data: str) -> str:
    """Returns what a model reads instead of data that is no text: otherwise it would guess what is in it."""
    size = len(data) * 3 // 4 - data.count("=", -2)  # base64
    details = ", ".join(filter(None, [media_type, f"{size:,} bytes"]))
    return f"[The tool returned {name} ({details}). It was left out, because only text is passed on.]"


def failure_reason(error: BaseException | None) -> str:
    """Returns why a server cannot be used, as the end of a sentence. Headers and variables may be secret: not here."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    match error:
        case ToolError():
            return str(error)
        case httpx.HTTPStatusError():
            return gettext("it answered with status %(status)s.") % {"status": error.response.status_code}
        case httpx.TransportError():
            return gettext("it cannot be reached.")
        case anyio.BrokenResourceError() | anyio.ClosedResourceError():
            return gettext("it closed the connection.")
        case McpError() if error.error.code == CONNECTION_CLOSED:
            return gettext("it closed the connection.")
        case McpError():
            return gettext("it answered “%(error)s”.") % {"error": error}
        case OSError():
            return gettext("its command could not be started: %(error)s.") % {"error": error.strerror}
        case None:
            return gettext("the connection was lost, or it does not speak MCP.")
    return gettext("the connection was lost (%(error)s).") % {"error": type(error).__name__}


def limit_response(response: httpx.Response, on_error: Callable[[], None]) -> None:
    """Limits a response's body. Calls `on_error` if it ends early, which the MCP transport does not report."""
    if response.status_code >= 300:
        limit_error(response, _unreadable)
        return
    is_stream = response.headers.get("content-type", "").lower().startswith("text/event-stream")
    limit_body(response, EventLimit(_unreadable, SEPARATORS if is_stream else (), MAX_BODY_SIZE), _unreadable)
    if response.request.method == "POST":
        response.stream = WatchedBody(response.stream, on_error)


def _unreadable() -> httpx.ReadError:
    return httpx.ReadError("The response is too long or cannot be decoded")


class WatchedBody(httpx.AsyncByteStream):
    """A response's body that calls `on_error` if it ends early."""

    def __init__(self, stream: Any, on_error: Callable[[], None]) -> None:
        self.stream = stream
        self.on_error = on_error

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self.stream:
                yield chunk
        except httpx.TransportError:
            self.on_error()
            raise

    async def aclose(self) -> None:
        await self.stream.aclose()
