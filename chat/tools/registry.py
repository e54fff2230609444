"""The table of tools, and those that one run may use."""

import logging
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from functools import partial
from importlib import import_module
from types import ModuleType
from typing import Any

from django.utils.translation import gettext

from .base import ANONYMOUS, Context, Tool, ToolError
from .execution import run_in_pool
from .functions import function_tool

REGISTRY = {  # name -> the dotted path of a function, or of a LangChain tool
    "calculator": "chat.tools.calculator.calculator",
    "clock": "chat.tools.clock.clock",
    "search_conversations": "chat.tools.conversations.search_conversations",
}
MCP_PREFIX = "mcp:"  # `mcp:SLUG` stands for all tools of that server, `mcp:SLUG/TOOL` for one, as the server calls it

logger = logging.getLogger(__name__)


def get_tool(name: str) -> Callable[..., Any]:
    """Returns the function of that name; raises ToolError if there is none."""
    if name not in REGISTRY:
        raise ToolError(gettext("There is no tool called “%(tool)s”.") % {"tool": name})
    module, _, function = REGISTRY[name].rpartition(".")
    return getattr(import_module(module), function)


@asynccontextmanager
async def load(
    names: Iterable[str],
    context: Context = ANONYMOUS,
    ask_first: Iterable[str] = (),
    ask_every_time: Iterable[str] = (),
) -> AsyncIterator[dict[str, Tool]]:
    """The tools of these names for one run, as a dict name -> Tool; `mcp:SLUG` is all that this server offers, and
    `mcp:SLUG/TOOL` one of them.

    A tool that cannot be loaded is left out and logged: the run continues without it. `ask_first` names the tools, one
    by one or by server, that need the user's approval in addition to those that always do; `ask_every_time` names
    those that users cannot allow for the rest of a conversation.
    """
    names = list(dict.fromkeys(names))
    slugs = list(dict.fromkeys(server_of(name) for name in names if name.startswith(MCP_PREFIX)))
    approval, each_time = set(ask_first), set(ask_every_time)
    tools: dict[str, Tool] = {}
    for name in names:
        if not name.startswith(MCP_PREFIX):
            try:
                tools[name] = _make_tool(name, get_tool(name), context)
            except Exception:
                logger.exception("The tool “%s” is not offered", name)
    async with AsyncExitStack() as stack:
        if slugs:
            offered = await stack.enter_async_context((await mcp_module()).connect(slugs))
            tools |= {name: tool for name, tool in offered.items() if _is_named(tool, set(names))}
        yield {name: _with_questions(tool, approval, each_time) for name, tool in tools.items()}


async def server_tools(server: Any) -> list[Tool]:
    """Returns the tools of this models.ToolServer; raises ToolError with the reason if it cannot be used."""
    return await (await mcp_module()).server_tools(server)


async def mcp_module() -> ModuleType:
    """Returns the module for MCP servers, imported in a thread at its first use: its packages take half a second."""
    return await run_in_pool(partial(import_module, "chat.tools.mcp"))


def _make_tool(name: str, function: Any, context: Context) -> Tool:
    if hasattr(function, "tool_call_schema"):  # a LangChain tool
        return import_module("chat.tools.langchain").langchain_tool(name, function, context)
    return function_tool(name, function, context)


def _with_questions(tool: Tool, approval: set[str], each_time: set[str]) -> Tool:
    """Returns the tool as it asks in an assistant that names these tools."""
    every_time = tool.asks_every_time or _is_named(tool, each_time)
    asks = tool.asks_first or every_time or _is_named(tool, approval)
    return replace(tool, asks_first=asks, asks_every_time=every_time)


def _is_named(tool: Tool, names: set[str]) -> bool:
    by_server = {f"{MCP_PREFIX}{tool.server}", server_tool(tool)} if tool.server else set()
    return tool.name in names or not by_server.isdisjoint(names)


def server_of(name: str) -> str:
    """Returns the slug in `mcp:SLUG` or `mcp:SLUG/TOOL`."""
    return name.removeprefix(MCP_PREFIX).partition("/")[0]


def server_tool(tool: Tool) -> str:
    """Returns the name by which an assistant has this tool of an MCP server alone."""
    return f"{MCP_PREFIX}{tool.server}/{tool.server_name}"
