"""An assistant with tools: LangChain's agent over any of its chat models, streaming each step.

    model -> calls -> tools -> results -> model -> … -> the answer

LangChain's graph decides which node is next and runs parallel calls at once. The innermost work of its two nodes is
ours (graph.py): one streams a model call, the other runs a tool. So a token goes from the vendor's stream through a
queue to the reader, past the graph's own streaming, which costs several times as much. The graph stores nothing: a
call that needs approval ends the reply, and the user's answer starts another one with what is stored.
"""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

from ... import tools
from ...events import Piece
from ..base import Request
from ..registry import provider_module
from .graph import load_graph
from .run import MAX_PARALLEL_CALLS, AgentRun

__all__ = ["MAX_PARALLEL_CALLS", "check", "prepare", "reply"]

MAX_UNREAD = 100  # pieces that may wait for the reader
STOP_TIMEOUT = 5  # seconds that tools and connections of a cancelled reply get to close


def check(model_id: str, params: dict[str, Any]) -> None:
    """Raises ProviderError with what to correct if the agent's chat model cannot be built."""
    module = provider_module(model_id)
    check_model = getattr(module, "check_chat_model", None) or getattr(module, "check", None)
    if check_model:
        check_model(model_id, params)


async def prepare() -> None:
    """Builds the graph, which every first reply would wait for."""
    await load_graph()


async def reply(request: Request) -> AsyncGenerator[Piece, None]:
    pieces: asyncio.Queue[Piece | None] = asyncio.Queue(MAX_UNREAD)
    task = asyncio.create_task(_run(request, pieces))
    task.add_done_callback(_retrieve_error)
    try:
        while (piece := await pieces.get()) is not None:
            yield piece
        await task  # raises the error that ended it
    finally:
        task.cancel()
        await asyncio.wait([task], timeout=STOP_TIMEOUT)


def _retrieve_error(task: asyncio.Task[None]) -> None:
    """Keeps asyncio from logging that nobody asked for the task's error, if nobody is left to ask."""
    if not task.cancelled():
        task.exception()


async def _run(request: Request, pieces: asyncio.Queue[Piece | None]) -> None:
    """Writes the reply, in a task of its own: tools and connections may cancel the task that they are opened in."""
    try:
        graph = await load_graph()
        from langsmith import tracing_context

        with tracing_context(enabled=False):  # conversations stay here, whatever the environment says
            async with (
                provider_module(f"{request.provider}:").chat_model(request) as model,
                tools.load(request.tools, request.context, request.ask_first, request.ask_every_time) as toolbox,
            ):
                await AgentRun(request, model, toolbox, pieces.put).run(graph)
    finally:
        task = asyncio.current_task()
        if task is None or not task.cancelling():
            await pieces.put(None)
