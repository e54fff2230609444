"""One reply of an agent: what LangChain's graph calls, and what the reader gets."""

import asyncio
import itertools
import json
import logging
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from django.conf import settings
from django.utils.translation import gettext

from ...events import (
    Approval,
    ContextTrimmed,
    Finish,
    LimitExceeded,
    Piece,
    ResumeState,
    Text,
    ToolCallArgs,
    ToolCallEnd,
    ToolCallResult,
    ToolCallStart,
    clean_text,
)
from ...tools import Tool, ToolError
from .. import langchain
from ..base import ContextOverflow, ProviderError, Request
from ..langchain import internals
from ..langchain.models import vendor_row
from ..thoughts import reader_for
from ..turns import Part
from .excerpt import Excerpt
from .turn import Call, Turn

MAX_REMARK_LENGTH = 160  # characters of text that may be only a remark before a tool call
MAX_LATER_REMARK_LENGTH = 40  # the same after the first result: mostly the answer follows
AFTER_FINISH_TIMEOUT = 5  # seconds for the rest of a turn after its finish reason; some servers then never close
MAX_PARALLEL_CALLS = 16  # tool calls of a turn at a time; the others wait
MAX_QUOTED_LENGTH = 100  # characters of an unknown tool's name that the error quotes

logger = logging.getLogger(__name__)


class AgentRun:
    """One reply of an agent. Awaits `send(piece)` for each piece."""

    def __init__(
        self, request: Request, model: Any, toolbox: dict[str, Tool], send: Callable[[Piece], Awaitable[None]]
    ) -> None:
        self.request = request
        self.model = model
        self.toolbox = toolbox
        self.send = send
        self.model_calls = 0
        self.calls: dict[str, Call] = {}  # of the current turn: the id that the model knows -> Call
        self.used_call_ids = {part["id"] for _, parts in request.turns for part in parts if part["type"] == "tool_call"}
        self.sent_message_ids: set[str] = set()
        self.call_count = 0  # of all turns
        self.has_result = False  # whether a tool has answered in this reply
        self.resume_state = list(request.resume_state)
        self.excerpt = Excerpt()
        self.is_trimmed = False  # whether the reader knows that turns were left out
        self.waiting: list[Call] = []  # calls that need the user's approval
        self.finish = Finish("stop")

    async def run(self, graph: Any) -> None:
        from langchain_core.messages import AIMessage

        request = await self._with_decisions() if self.request.decisions else self.request
        messages = langchain.messages(replace(request, system_prompt=""))  # wrap_model_call adds it
        nodes = 2 + 2 * len(settings.AGENT_MIDDLEWARE)  # of a turn: model, tools, and each hook before and after it
        config = {"recursion_limit": nodes * (request.max_model_calls + 2), "max_concurrency": MAX_PARALLEL_CALLS}
        state = await graph.ainvoke({"messages": messages}, config, context=self)
        for call in self.waiting:
            tool = self.toolbox[call.name]
            question = gettext("Allow “%(tool)s” to run?") % {"tool": call.name}
            await self.send(Approval(call.id, question, tool.key, tool.version, tool.asks_every_time))
        if self.waiting:
            await self.send(ResumeState(self.resume_state))
        last = state["messages"][-1]
        if not self.waiting and isinstance(last, AIMessage):
            await self._send_unstreamed(last)
        await self.send(Finish("tool_calls") if self.waiting else self.finish)

    async def _with_decisions(self) -> Request:
        """Returns the request with the results of the calls that waited for approval; sends each."""
        *turns, (role, parts) = self.request.turns
        async with asyncio.TaskGroup() as group:
            tasks = {
                index: group.create_task(self._answered(part))
                for index, part in enumerate(parts)
                if part["type"] == "tool_call" and part["id"] in self.request.decisions
            }
        parts = [tasks[index].result() if index in tasks else part for index, part in enumerate(parts)]
        return replace(self.request, turns=[*turns, (role, parts)])

    async def _answered(self, part: Part) -> Part:
        answer = self.request.decisions[part["id"]]
        call = Call(part["id"], part["name"], [part["arguments"]])
        if answer is True:
            content, failed = await self._execute(call, is_approved=True)
        elif not answer:
            content, failed = gettext("The user did not allow this."), True
        else:
            failed = answer["error"] is not None
            content = answer["error" if failed else "result"]
        await self._send_result(call, content, failed)
        return part | ({"error": content} if failed else {"result": content})

    # Outside the team's middleware -----------------------------------------------------------------------------------

    async def wrap_model_call(self, request: Any, handler: Any) -> Any:
        """Gives the middleware the assistant's model, prompt and tools; sends an answer that replaces the model's."""
        from langchain_core.messages import SystemMessage

        prompt = self.request.system_prompt
        request = request.override(
            model=self.model,
            system_message=SystemMessage(prompt) if prompt else None,
            tools=[*map(_offer, self.toolbox.values()), *request.tools],
        )
        response = await handler(request)
        result = getattr(getattr(response, "model_response", response), "result", None)
        for message in [response] if result is None else result:
            await self._send_unstreamed(message)
        return response

    async def wrap_tool_call(self, request: Any, handler: Any) -> Any:
        """Sends the result as the middleware left it."""
        message = await handler(request)
        call = self.calls.get(request.tool_call["id"])
        if call and call not in self.waiting and hasattr(message, "content"):
            content = message.content if type(message.content) is str else message.text
            await self._send_result(call, content, message.status == "error")
        return message

    async def _send_unstreamed(self, message: Any) -> None:
        """Sends a message that a middleware wrote in place of the model."""
        if message.type != "ai" or message.id in self.sent_message_ids:
            return
        message.id = self._message_id(message.id)
        if text := clean_text(message.text):
            await self.send(Text(text))
        self.calls = {}
        for tool_call in message.tool_calls:
            call = Call(self._unique_id(tool_call["id"]), tool_call["name"], [json.dumps(tool_call["args"])])
            self.calls[tool_call["id"]] = call
            await self.send(ToolCallStart(call.id, call.name))
            await self.send(ToolCallArgs(call.id, call.arguments_json[0]))
            await self.send(ToolCallEnd(call.id))

    # Inside the team's middleware ------------------------------------------------------------------------------------

    async def call_model(self, request: Any) -> Any:
        """Streams one turn and returns it as a message, which calls the tools to use, or none at the end."""
        from langchain_core.messages import AIMessage

        if self.waiting:
            return AIMessage("", id=self._message_id())
        self.model_calls += 1
        is_last = self.model_calls > self.request.max_model_calls
        messages = [request.system_message, *request.messages] if request.system_message else request.messages
        turn = await self._turn(
            request.model, messages, self._model_kwargs(request, is_last), self._remark_length(is_last)
        )
        if turn.reason:
            self.finish = Finish("stop" if turn.reason == "tool_calls" else turn.reason)
        if turn.calls and is_last:
            await self._refuse_calls(turn)
            turn.calls = {}
        self.calls = turn.calls
        message = await turn.message(self._message_id())
        if state := turn.resume_state(message):
            self.resume_state.append(state)
        return message

    async def call_tool(self, request: Any, handler: Any) -> Any:
        """Runs one tool call. A tool that the team's middleware brought is run by LangChain's tool node."""
        from langchain_core.messages import ToolMessage

        id = request.tool_call["id"]
        call = self.calls[id]
        if call.name not in self.toolbox and request.tool is not None:
            return await handler(request)
        arguments = request.tool_call["args"]
        content, failed = await self._execute(call, None if arguments == call.arguments_or_empty() else arguments)
        return ToolMessage(content, tool_call_id=id, name=call.name, status="error" if failed else "success")

    def _message_id(self, id: str | None = None) -> str:
        """Returns an id of ours: the graph keeps only one of two messages that a server gives the same id."""
        id = id or f"message-{len(self.sent_message_ids)}"
        self.sent_message_ids.add(id)
        return id

    def _remark_length(self, is_last: bool) -> int:
        if is_last or not self.toolbox:
            return 0
        return MAX_LATER_REMARK_LENGTH if self.has_result else MAX_REMARK_LENGTH

    def _model_kwargs(self, request: Any, is_last: bool) -> dict[str, Any]:
        """Returns the keyword arguments of the model call. They offer the tools; the last call must answer without."""
        kwargs = dict(request.model_settings)
        if not request.tools:
            return kwargs
        if not is_last:
            if request.tool_choice is not None:
                kwargs["tool_choice"] = request.tool_choice
            return request.model.bind_tools(request.tools, **kwargs).kwargs
        if vendor_row(self.request).needs_offered_tools:
            return request.model.bind_tools(request.tools, tool_choice={"type": "none"}, **kwargs).kwargs
        return kwargs

    async def _turn(self, model: Any, messages: list[Any], arguments: dict[str, Any], remark_length: int) -> Turn:
        """Returns one turn, retried while nothing of it was shown, with shorter messages if they are too long.

        The engine cannot retry once a tool was used.
        """
        retries = itertools.count()
        while True:
            turn = Turn(self.send, self._unique_id, remark_length)
            try:
                await self._stream(turn, model, self.excerpt.of(messages), arguments)
                break
            except ProviderError as error:
                await turn.release()  # what was received is kept
                if not self.has_result or turn.has_text or turn.has_reasoning or turn.calls:
                    raise
                if isinstance(error, ContextOverflow) and self.excerpt.shorten(messages):
                    await self._announce_excerpt()
                    continue
                pause = error.pause(next(retries))
                if pause is None:
                    raise
                logger.info("%s Retrying in %s s", error, pause)
            await asyncio.sleep(pause)
        return turn

    async def _announce_excerpt(self) -> None:
        """Tells the reader once that only the question and what followed it is sent from now on."""
        is_resumed = self.request.turns[-1][0] != "user"
        kept = 2 if is_resumed else 1
        if len(self.request.turns) > kept and not self.is_trimmed:
            self.is_trimmed = True
            await self.send(ContextTrimmed(kept))

    async def _stream(self, turn: Turn, model: Any, messages: list[Any], arguments: dict[str, Any]) -> None:
        pieces = langchain.Pieces(reader_for(self.request))
        timeout = asyncio.timeout(None)
        try:
            async with timeout:
                with langchain.translated_errors():
                    async with aclosing(internals.stream(model, messages, **arguments)) as chunks:
                        async for chunk in chunks:
                            new = pieces.feed(chunk.message, chunk.generation_info)
                            turn.add_chunk(chunk.message)
                            for piece in new:
                                await turn.feed(piece)
                            if turn.reason and timeout.when() is None:
                                timeout.reschedule(asyncio.get_running_loop().time() + AFTER_FINISH_TIMEOUT)
        except (TimeoutError, ProviderError) as error:
            if not turn.reason:
                raise
            logger.info("The model's server did not end its answer: %r", error)
        for piece in pieces.close():
            await turn.feed(piece)

    async def _refuse_calls(self, turn: Turn) -> None:
        """Ends the reply of a model that calls tools although none is offered; its text is the answer."""
        for call in turn.calls.values():
            await self._send_result(call, gettext("No more tool calls are allowed for this answer."), True)
        if not turn.has_text:
            raise ProviderError(gettext("The model kept calling tools and did not answer."), "no_answer")
        self.finish = Finish("length")

    async def _execute(
        self, call: Call, changed: dict[str, Any] | None = None, is_approved: bool = False
    ) -> tuple[str, bool]:
        """Runs the tool; returns (result, False) or (error, True). `changed` are arguments that a middleware set."""
        try:
            if call.name not in self.toolbox:
                names = ", ".join(f"“{name}”" for name in self.toolbox) or gettext("none")
                sentence = gettext("There is no tool called “%(tool)s”. Available tools: %(known)s.")
                raise ToolError(sentence % {"tool": call.name[:MAX_QUOTED_LENGTH], "known": names})
            tool = self.toolbox[call.name]
            arguments = call.parse_arguments() if changed is None else changed
            if not is_approved and await self._must_ask(tool):
                if changed is not None:
                    call.arguments_json = [json.dumps(changed)]
                self._wait_for_approval(call)
                return "This call waits for the user's approval.", False  # the model never reads this
            with self.request.activity.suspended():
                return await tool.use(arguments), False
        except ToolError as error:
            return str(error), True

    async def _must_ask(self, tool: Tool) -> bool:
        if not tool.asks_first or tool.asks_every_time:
            return tool.asks_first
        with self.request.activity.suspended():
            return not await self.request.is_allowed(tool)

    def _wait_for_approval(self, call: Call) -> None:
        """Keeps the calls in the order in which the model made them: those of a turn get here in any order."""
        order = [other.id for other in self.calls.values()]
        self.waiting = sorted([*self.waiting, call], key=lambda waiting: order.index(waiting.id))

    async def _send_result(self, call: Call, content: str, failed: bool) -> None:
        self.has_result = True
        await self.send(ToolCallResult(call.id, content, metadata={"error": True} if failed else None))

    def _unique_id(self, id: str) -> str:
        """Returns an id for our events: the model's own, unless it was used. Some models start at call_0 each turn."""
        id = first = clean_text(id) or "call"
        number = 1
        while id in self.used_call_ids:
            number += 1
            id = f"{first}_{number}"
        self.used_call_ids.add(id)
        self.call_count += 1
        if self.call_count > settings.MAX_TOOL_CALLS:
            raise LimitExceeded("MAX_TOOL_CALLS", settings.MAX_TOOL_CALLS)
        return id


def _offer(tool: Tool) -> dict[str, Any]:
    """Returns the tool in the format that LangChain accepts for every vendor."""
    parameters = {key: value for key, value in tool.schema.items() if key != "additionalProperties"}  # not for Google
    function = {"name": tool.name, "description": tool.description, "parameters": parameters}
    return {"type": "function", "function": function}
