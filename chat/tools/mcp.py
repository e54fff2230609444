"""The tools of MCP servers, as staff configured them (models.ToolServer).

A run has a session of its own with each of its servers: nothing of one person's calls is seen by another's, a server
that breaks takes one run's tools with it, and a stdio server is a process that lives as long as the run.
"""

import asyncio
import hashlib
import json
import logging
import os
import re
from contextlib import asynccontextmanager
from functools import partial

import anyio
import httpx
from django.utils.translation import gettext
from langchain_mcp_adapters.sessions import create_session
from mcp import McpError
from mcp.types import CONNECTION_CLOSED, PaginatedRequestParams

from ..models import ToolServer
from . import REGISTRY, TOOL_LIMIT, Tool, ToolError, bounded, in_thread, no_object, pool, within_limits

CONNECT_LIMIT = 10  # seconds to start, to say hello and to list the tools
GOODBYE = 0.5  # seconds that a run waits for its servers to end; one that needs longer is ended behind its back
MAX_SESSIONS = 200  # in this process; a stdio server is a process each
MAX_TOOLS = 100  # of one server; vendors take about that many
MAX_NAME = 64  # characters, as all vendors take them
MAX_DESCRIPTION = 1000  # characters
MAX_BODY = 16_000_000  # bytes of one HTTP answer

logger = logging.getLogger(__name__)
live = set()  # the tasks of all sessions: to be counted, and not to be forgotten


@asynccontextmanager
async def connect(slugs):
    """The tools of the enabled servers with these slugs, as a dict name -> Tool, while the context lasts.

    A server that cannot be reached is left out and logged.
    """
    rows = await asyncio.wrap_future(pool.submit(partial(in_thread, partial(enabled, slugs))))
    for slug in slugs:
        if slug not in rows:
            logger.warning("The tools of “%s” are not offered: no server of that name is enabled", slug)
    sessions = [Session(rows[slug]) for slug in slugs if slug in rows]
    try:
        toolbox = {}
        opened = await asyncio.gather(*(session.open() for session in sessions), return_exceptions=True)
        for session, problem in zip(sessions, opened, strict=True):
            if problem:
                logger.warning("The tools of “%s” are not offered: %s", session.slug, problem)
            else:
                toolbox |= session.tools(taken=toolbox)
        yield toolbox
    finally:
        await asyncio.gather(*(session.close() for session in sessions))


async def offered(server):
    """The Tools of this server; raises ToolError with what is wrong."""
    session = Session(server)
    try:
        await session.open()
        return list(session.tools().values())
    except ToolError as error:
        sentence = gettext("“%(server)s” cannot be used: %(reason)s") % {"server": server.slug, "reason": error}
        raise ToolError(bounded(sentence, 500)) from None
    finally:
        await session.close()


def enabled(slugs):
    return {server.slug: server for server in ToolServer.objects.filter(slug__in=slugs, is_enabled=True)}


class Session:
    """A connection with one server, in a task of its own.

    The packages below cancel the task that opened a connection when it breaks; here that is nobody's run. And they
    want it closed by the task that opened it, whoever asks for that.
    """

    def __init__(self, server):
        self.server, self.slug = server, server.slug
        self.task, self.closing = None, asyncio.Event()
        self.ready = asyncio.get_running_loop().create_future()  # (the client session, the tools as it lists them)

    async def open(self):
        """Connect; raises ToolError with the end of a sentence that says why that failed."""
        if len(live) >= MAX_SESSIONS:
            raise ToolError(gettext("too many connections with tool servers are open."))
        self.task = asyncio.create_task(self._live())
        live.add(self.task)
        self.task.add_done_callback(self._over)
        await asyncio.wait([self.task, self.ready], timeout=CONNECT_LIMIT, return_when=asyncio.FIRST_COMPLETED)
        if self.task.done():
            raise ToolError(reason(None if self.task.cancelled() else self.task.exception()))
        if not self.ready.done():
            raise ToolError(gettext("it did not answer within %(seconds)s seconds.") % {"seconds": CONNECT_LIMIT})

    async def close(self):
        if self.task:
            if self.ready.done():
                self.closing.set()
            else:
                self.task.cancel()
            await asyncio.wait([self.task], timeout=GOODBYE)

    def tools(self, taken=()):
        """The server's tools by the names under which they are offered, none of which is among `taken`."""
        client, listed = self.ready.result()
        toolbox = {}
        for one in listed:
            name = name_of(self.slug, one.name, {*REGISTRY, *taken, *toolbox})
            toolbox[name] = Tool(
                name=name,
                description=bounded(one.description or one.title or "", MAX_DESCRIPTION),
                schema={"type": "object", "properties": {}} | one.inputSchema,
                use=partial(self._use, client, name, one.name),
                asks_first=bool(one.annotations and one.annotations.destructiveHint),
                server=self.slug,
            )
        return toolbox

    async def _live(self):
        async with create_session(self._connection()) as client:
            await client.initialize()
            self.ready.set_result((client, await tools_of(client)))
            await self.closing.wait()

    def _over(self, task):
        live.discard(task)
        if not task.cancelled() and task.exception() and self.ready.done():
            logger.warning("The tool server “%s” broke off: %s", self.slug, reason(task.exception()))

    def _connection(self):
        server = self.server
        if server.transport == ToolServer.STDIO:
            program, *arguments = server.command
            # A few harmless variables such as PATH and HOME are added to these, and none else of ours.
            return {"transport": "stdio", "command": program, "args": arguments, "env": filled(server.env)}
        return {
            "transport": "http",
            "url": server.url,
            "headers": filled(server.headers),
            "timeout": CONNECT_LIMIT,
            "sse_read_timeout": TOOL_LIMIT + 5,  # our own limit comes first
            "httpx_client_factory": self._http_client,
            "session_kwargs": {"message_handler": self._heard},  # over stdio servers may greet before they speak MCP
        }

    async def _heard(self, message):
        """What it says unasked; an answer that cannot be read comes as an exception, and is waited for in vain."""
        if isinstance(message, Exception):
            self.task.cancel()

    def _http_client(self, **options):
        """Follows no redirect to another host: the transport above follows those that stay."""

        async def watch(response):
            if response.request.method == "POST":
                response.stream = Body(response.stream, self.task.cancel)

        return httpx.AsyncClient(event_hooks={"response": [watch]}, **options)

    async def _use(self, client, name, tool, arguments):
        if not isinstance(arguments, dict):
            raise ToolError(no_object(name))
        return await within_limits(name, self._call(client, tool, arguments))

    async def _call(self, client, tool, arguments):
        gone = ToolError(gettext("The tool server “%(server)s” is not there any more.") % {"server": self.slug})
        if self.task.done():
            raise gone
        work = asyncio.ensure_future(client.call_tool(tool, arguments))
        try:
            await asyncio.wait([work, self.task], return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                raise gone
            return told(work.result())
        except (anyio.ClosedResourceError, anyio.BrokenResourceError):
            raise gone from None
        except McpError as error:
            if error.error.code == CONNECTION_CLOSED:
                raise gone from None
            raise ToolError(gettext("The tool failed: %(error)s") % {"error": error}) from None
        finally:
            work.cancel()


async def tools_of(client):
    """What the server lists, page by page, up to MAX_TOOLS."""
    page = await client.list_tools()
    listed = page.tools
    while page.nextCursor and page.tools and len(listed) < MAX_TOOLS:
        page = await client.list_tools(params=PaginatedRequestParams(cursor=page.nextCursor))
        listed = listed + page.tools
    return listed[:MAX_TOOLS]


def name_of(slug, tool, taken):
    """`server_tool`; where vendors would not take that, or another tool has it, changed and marked with a digest."""
    wanted = f"{slug}_{tool}"
    name = re.sub("[^a-zA-Z0-9_-]", "_", wanted if wanted[0].isalpha() else f"_{wanted}")
    if name not in (wanted, f"_{wanted}") or len(name) > MAX_NAME or name in taken:
        name = f"{name[: MAX_NAME - 9]}_{hashlib.sha256(wanted.encode()).hexdigest()[:8]}"
    return name


def filled(values):
    """The values with `${NAME}` replaced by that environment variable of ours, so that no secret need be in the row."""

    def look_up(match):
        if match[1] not in os.environ:
            raise ToolError(gettext("the environment variable %(name)s is not set.") % {"name": match[1]})
        return os.environ[match[1]]

    return {key: re.sub(r"\$\{(\w+)\}", look_up, value) for key, value in values.items()}


def told(result):
    """An MCP tool's result as text: its content, or where there is none what it gives as structured content."""
    text = "\n".join(map(in_words, result.content))
    if result.isError:
        raise ToolError(text or gettext("The tool failed."))
    if not text and result.structuredContent is not None:
        return json.dumps(result.structuredContent, ensure_ascii=False)
    return text


def in_words(content):
    match content.type:
        case "text":
            return content.text
        case "image" | "audio":
            size = len(content.data) * 3 // 4 - content.data.count("=", -2)  # base64
            return f"[{content.type}: {content.mimeType}, {size:,} bytes]"
        case "resource_link":
            return f"{content.title or content.name}: {content.uri}"
        case "resource" if hasattr(content.resource, "text"):
            return content.resource.text
    return f"[file: {content.resource.uri}]"


def reason(error):
    """Why a server cannot be used, as the end of a sentence, without headers and variables, which may be secret."""
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
            return gettext("it ended.")
        case McpError() if error.error.code == CONNECTION_CLOSED:
            return gettext("it ended.")
        case McpError():
            return gettext("it answered “%(error)s”.") % {"error": error}
        case OSError():
            return gettext("its command cannot be started: %(error)s.") % {"error": error.strerror}
        case None:
            return gettext("it broke off, or does not speak MCP.")
    return gettext("it broke off (%(error)s).") % {"error": type(error).__name__}


class Body(httpx.AsyncByteStream):
    """An answer's body of bounded length. The transport tells nobody when one ends in the middle: `broken()` does."""

    def __init__(self, stream, broken):
        self.stream, self.broken, self.left = stream, broken, MAX_BODY

    async def __aiter__(self):
        try:
            async for chunk in self.stream:
                self.left -= len(chunk)
                if self.left < 0:
                    raise httpx.ReadError("The answer is too long")
                yield chunk
        except httpx.TransportError:
            self.broken()
            raise

    async def aclose(self):
        await self.stream.aclose()
