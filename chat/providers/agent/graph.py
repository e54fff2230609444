"""LangChain's agent, with the work of its nodes done by AgentRun, and the team's middleware around it.

    AssistantRequest  →  the team's middleware (settings.AGENT_MIDDLEWARE)  →  StreamingNodes  →  model or tool

AssistantRequest fills LangChain's request with the model, the system prompt and the tools of the assistant, so that
the team's middleware sees and changes them as in any agent. StreamingNodes replaces what LangChain would do at the end:
it would call `ainvoke` of the model and run the tool itself.
"""

import asyncio
from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string

_graphs: dict[tuple[str, ...], Any] = {}  # by the paths of the team's middleware


async def load_graph() -> Any:
    """Returns the compiled graph. The first call imports LangChain, which takes a second, in a thread."""
    paths = tuple(settings.AGENT_MIDDLEWARE)
    if paths not in _graphs:
        _graphs[paths] = await asyncio.to_thread(_build_graph, paths)
    return _graphs[paths]


def _build_graph(paths: tuple[str, ...]) -> Any:
    """Returns the graph of all replies: each reply's AgentRun is the context of its invocation."""
    from langchain.agents import create_agent
    from langchain.agents.middleware import AgentMiddleware

    # The methods below are plain functions that return awaitables. If they were coroutine functions, LangSmith would
    # switch to another thread twice for each step, even with tracing off.

    class AssistantRequest(AgentMiddleware):
        def awrap_model_call(self, request: Any, handler: Any) -> Any:
            return request.runtime.context.wrap_model_call(request, handler)

        def awrap_tool_call(self, request: Any, handler: Any) -> Any:
            return request.runtime.context.wrap_tool_call(request, handler)

    class StreamingNodes(AgentMiddleware):
        def awrap_model_call(self, request: Any, handler: Any) -> Any:
            return request.runtime.context.call_model(request)

        def awrap_tool_call(self, request: Any, handler: Any) -> Any:
            return request.runtime.context.call_tool(request, handler)

    middleware = [_load_middleware(path) for path in paths]
    return create_agent(None, middleware=[AssistantRequest(), *middleware, StreamingNodes()])


def _load_middleware(path: str) -> Any:
    """Returns the middleware of this dotted path: an instance, or a class that takes no arguments."""
    middleware = import_string(path)
    return middleware() if isinstance(middleware, type) else middleware
