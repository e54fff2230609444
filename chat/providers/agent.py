"""An assistant with tools: LangChain's agent over any model that LangChain has, telling what it does on the way.

    model -> calls -> tools -> results -> model -> … -> the answer

LangChain's graph decides who is next and runs parallel calls at once. What its nodes do is ours: `Agent.ask` streams
one model call and `Agent.use` runs one tool. So a token goes from the vendor's stream through a queue to the reader,
and past the graph's own streaming, which costs several times as much. The graph keeps nothing: a call that waits for
the person ends the reply, and the person's answer begins another one with what is stored.

What a model says before it calls a tool (“Let me calculate …”) is a step on the way and not the answer, but nobody
knows before the call comes. So where a call may still come, text is held back until it is longer than such a remark;
then it is streamed, and if a call comes after all, it stays as text. Once a tool has answered, less is held, for mostly
the answer follows. Where no tools are offered nothing is held.
"""

import asyncio
import functools
import itertools
import json
import logging
from contextlib import aclosing
from dataclasses import dataclass, field, replace

from django.utils.translation import gettext

from .. import tools
from ..events import (
    Approval,
    Finish,
    Reasoning,
    Text,
    ToolCallArgs,
    ToolCallEnd,
    ToolCallResult,
    ToolCallStart,
    clean,
)
from . import ProviderError, langchain

HOLD = 160  # characters that may be no more than a remark before a tool call
HOLD_LATER = 40  # the same after the first result
AFTER_FINISH = 5  # seconds for the rest of a turn that has said why it ends; some servers then neither speak nor close
AHEAD = 100  # pieces that may wait for the reader
AT_ONCE = 16  # tool calls of a turn; the others wait
STOPPING = 5  # seconds that tools and connections of a cancelled reply get to end

log = logging.getLogger(__name__)


async def reply(request):
    told = asyncio.Queue(AHEAD)
    work = asyncio.create_task(_work(request, told))
    work.add_done_callback(lambda work: work.cancelled() or work.exception())  # nobody may be left to ask for it
    try:
        while (piece := await told.get()) is not None:
            yield piece
        await work  # raises what ended it
    finally:
        work.cancel()
        await asyncio.wait([work], timeout=STOPPING)


async def _work(request, told):
    """The reply, in a task of its own: tools and connections may cancel or mark the task that they are opened in."""
    try:
        graph = _graph() if _graph.cache_info().currsize else await asyncio.to_thread(_graph)
        from langsmith import tracing_context

        with tracing_context(enabled=False):  # whatever the environment says, conversations stay here
            async with (
                langchain.chat_model(request) as model,
                tools.load(request.tools, request.context, request.ask_first) as toolbox,
            ):
                await Agent(request, model, toolbox, told.put).run(graph)
    finally:
        if not asyncio.current_task().cancelling():
            await told.put(None)


@functools.cache
def _graph():
    """LangChain's agent, one for all: each reply's model and tools are in its context. The import takes a second."""
    from langchain.agents import create_agent
    from langchain.agents.middleware import AgentMiddleware

    class Steps(AgentMiddleware):
        # No `async def`, which LangSmith would hand to another thread twice for each step, also when it is off.
        def awrap_model_call(self, request, handler):
            return request.runtime.context.ask(request.messages)

        def awrap_tool_call(self, request, handler):
            return request.runtime.context.use(request.tool_call["id"])

    return create_agent(None, middleware=[Steps()])


class Agent:
    """One reply. `tell(piece)` is awaited for each piece."""

    def __init__(self, request, model, toolbox, tell):
        self.request, self.model, self.toolbox, self.tell = request, model, toolbox, tell
        self.asked = 0  # how often the model was
        self.calls = {}  # of the turn that is under way: the id that the model knows -> Call
        self.ids = {part["id"] for _, parts in request.turns for part in parts if part["type"] == "tool_call"}
        self.answered = False  # whether a tool has answered in this reply
        self.waiting = []  # Calls that the person has to allow

    async def run(self, graph):
        messages = langchain.messages(await self._resumed() if self.request.answers else self.request)
        steps = 2 * self.request.max_model_calls + 3  # one for each turn and one for its tools
        limits = {"recursion_limit": steps, "max_concurrency": AT_ONCE}
        await graph.ainvoke({"messages": messages}, limits, context=self)
        for call in self.waiting:
            await self.tell(Approval(call.id, gettext("Allow “%(tool)s” to run?") % {"tool": call.name}))
        if self.waiting:
            await self.tell(Finish("tool_calls"))

    async def _resumed(self):
        """The request with the results of the calls that the person was asked about; each is told."""

        async def settled(part):
            answer, call = self.request.answers[part["id"]], Call(part["id"], part["name"], [part["arguments"]])
            if answer is True:
                content, failed = await self._outcome(call, allowed=True)
            elif not answer:
                content, failed = await self._told(call, gettext("The person did not allow this."), True)
            else:
                failed = answer["error"] is not None
                content, failed = await self._told(call, answer["error" if failed else "result"], failed)
            return part | ({"error": content} if failed else {"result": content})

        *turns, (role, parts) = self.request.turns
        async with asyncio.TaskGroup() as group:
            tasks = {
                place: group.create_task(settled(part))
                for place, part in enumerate(parts)
                if part["type"] == "tool_call" and part["id"] in self.request.answers
            }
        parts = [tasks[place].result() if place in tasks else part for place, part in enumerate(parts)]
        return replace(self.request, turns=[*turns, (role, parts)])

    # The nodes of the graph -------------------------------------------------------------------------------------------

    async def ask(self, messages):
        """One turn of the model; its message calls the tools that are to be used, and none at the end."""
        from langchain_core.messages import AIMessage

        if self.waiting:
            return AIMessage("")
        self.asked += 1
        last = self.asked > self.request.max_model_calls
        hold = 0 if last or not self.toolbox else HOLD_LATER if self.answered else HOLD
        turn = await self._turn(messages, self._bound(last), hold)
        if not turn.calls:
            return AIMessage("")  # it was told, and nobody reads it again
        if last:
            await self._insist(turn)
            return AIMessage("")
        self.calls = turn.calls
        return turn.message()

    async def use(self, id):
        """One tool call, by the id that the model knows."""
        from langchain_core.messages import ToolMessage

        content, failed = await self._outcome(self.calls[id])
        return ToolMessage(content, tool_call_id=id, status="error" if failed else "success")

    def _bound(self, last):
        """The model's arguments that offer it the tools; the last time it has to answer without."""
        offers = [_offer(tool) for tool in self.toolbox.values()]
        if offers and not last:
            return self.model.bind_tools(offers).kwargs
        if offers and self.model._llm_type == "anthropic-chat":  # it refuses results of tools that it is not told of
            return self.model.bind_tools(offers, tool_choice={"type": "none"}).kwargs
        return {}

    async def _turn(self, messages, bound, hold):
        """What the model says. Once a tool was used, the engine cannot ask again; until something is said, we can."""
        for attempt in itertools.count():
            turn = Turn(self.tell, self._unique, hold)
            try:
                await self._stream(turn, messages, bound)
                return turn
            except ProviderError as error:
                await turn.let_go()  # what was said is kept
                pause = error.pause(attempt)
                if pause is None or not self.answered or turn.spoke or turn.thought or turn.calls:
                    raise
                log.info("%s Asking again in %s s", error, pause)
            await asyncio.sleep(pause)

    async def _stream(self, turn, messages, bound):
        said, clock = langchain.Pieces(), asyncio.timeout(None)
        try:
            async with clock:
                with langchain.sentences():
                    async with aclosing(self.model._astream(messages, **bound)) as chunks:
                        async for chunk in chunks:
                            turn.keep(chunk.message)
                            for piece in said.pieces(chunk.message, chunk.generation_info):
                                await turn.hear(piece)
                            if turn.reason and clock.when() is None:
                                clock.reschedule(asyncio.get_running_loop().time() + AFTER_FINISH)
        except (TimeoutError, ProviderError) as error:
            if not turn.reason:
                raise
            log.info("The model's server did not end its answer: %r", error)
        for piece in said.rest():
            await turn.hear(piece)

    async def _insist(self, turn):
        """The model calls tools although it was offered none any more. What it said beside that is the answer."""
        for call in turn.calls.values():
            await self._told(call, gettext("No more tools can be used for this answer."), True)
        if not turn.spoke:
            raise ProviderError(gettext("The model went on calling tools and gave no answer."), "no_answer")
        await self.tell(Finish("length"))

    async def _outcome(self, call, allowed=False):
        """Use the tool and tell what came of it, as (text, whether it failed)."""
        try:
            if call.name not in self.toolbox:
                known = ", ".join(f"“{name}”" for name in self.toolbox) or gettext("none")
                sentence = gettext("There is no tool called “%(tool)s”. There are: %(known)s.")
                raise tools.ToolError(sentence % {"tool": call.name[:100], "known": known})
            tool, arguments = self.toolbox[call.name], call.read()
            if tool.asks_first and not allowed:
                self.waiting.append(call)
                return "The person is asked first.", False  # the model never sees this
            return await self._told(call, await tool.use(arguments), False)
        except tools.ToolError as error:
            return await self._told(call, str(error), True)

    async def _told(self, call, content, failed):
        self.answered = True
        await self.tell(ToolCallResult(call.id, content, metadata={"error": True} if failed else None))
        return content, failed

    def _unique(self, id):
        """An id for our events: the model's own, where no earlier call has it; some begin with call_0 each time."""
        id = first = clean(id) or "call"
        number = 1
        while id in self.ids:
            number += 1
            id = f"{first}_{number}"
        self.ids.add(id)
        return id


def _offer(tool):
    """The tool as LangChain takes it for every vendor."""
    schema = {key: value for key, value in tool.schema.items() if key != "additionalProperties"}  # Google knows it not
    function = {"name": tool.name, "description": tool.description, "parameters": schema}
    return {"type": "function", "function": function}


@dataclass
class Call:
    """A tool call; its `id` is that of our events."""

    id: str
    name: str
    written: list = field(default_factory=list)  # the arguments' JSON text, in pieces

    def read(self):
        """The arguments as a dict; raises ToolError."""
        text = clean("".join(self.written))
        try:
            arguments = json.loads(text or "{}", strict=False)  # models write line breaks into strings
        except (ValueError, RecursionError) as error:
            sentence = gettext("The arguments are not valid JSON: %(error)s") % {"error": error}
            raise tools.ToolError(sentence) from None
        if type(arguments) is not dict:
            raise tools.ToolError(gettext("The arguments are not a JSON object."))
        return arguments

    def arguments(self):
        try:
            return self.read()
        except tools.ToolError:  # the result says so; broken ones in the history are refused by many servers
            return {}


class Turn:
    """What the model says when it is asked once. `hold` is how much text may be a remark; 0: none, it has to answer."""

    def __init__(self, tell, unique, hold):
        self.tell, self.unique = tell, unique
        self.offered, self.hold = hold > 0, hold
        self.held, self.length = [], 0  # text that is not told yet
        self.calls = {}  # the id that the model knows -> Call
        self.open = {}  # the id in the pieces -> the Call that it means now
        self.spoke = self.thought = False
        self.reason = None  # why it ended
        self.kept = []  # chunks; in place of plain texts in a row a list of them, which is far smaller

    async def hear(self, piece):
        match piece:
            case Text() if self.offered and (self.hold or self.calls):
                self.held.append(piece.delta)
                self.length += len(piece.delta)
                if self.length > self.hold and not self.calls:
                    await self.let_go()
                else:
                    await self.tell(Text(""))  # a sign of life for who takes the time
            case Text():
                self.spoke = True
                await self.tell(piece)
            case Reasoning():
                self.thought = True
                await self.tell(piece)
            case ToolCallStart():
                call = Call(self.unique(piece.tool_call_id), clean(piece.tool_call_name))
                twice = not piece.tool_call_id or piece.tool_call_id in self.calls  # then it is told apart by our id
                self.calls[call.id if twice else piece.tool_call_id] = self.open[piece.tool_call_id] = call
                await self.let_go()
                self.thought = False
                await self.tell(ToolCallStart(call.id, call.name))
            case ToolCallArgs():
                call = self.open[piece.tool_call_id]
                call.written.append(piece.delta)
                await self.tell(ToolCallArgs(call.id, piece.delta))
            case ToolCallEnd():
                await self.tell(ToolCallEnd(self.open[piece.tool_call_id].id))
            case Finish():
                self.reason = piece.reason
                await self.let_go()
                if not self.calls:
                    await self.tell(Finish("stop") if self.reason == "tool_calls" else piece)
            case _:
                await self.tell(piece)

    async def let_go(self):
        """Tell the held text: beside a call it was a remark, else it belongs to the answer."""
        held, self.held = self.held, []
        if not self.calls:
            self.hold = 0
            for delta in held:
                self.spoke = True
                await self.tell(Text(delta))
        elif remark := "".join(held).strip():
            await self.tell(Reasoning(f"\n\n{remark}" if self.thought else remark))
            self.thought = True

    def keep(self, chunk):
        plain = type(chunk.content) is str and not (chunk.additional_kwargs or chunk.tool_call_chunks)
        if not (plain and self.kept):
            self.kept.append(chunk)
        elif type(self.kept[-1]) is list:
            self.kept[-1].append(chunk.content)
        else:
            self.kept.append([chunk.content])

    def message(self):
        """The turn as LangChain's message: all that the vendor wants to see again, and the calls as we read them."""
        from langchain_core.messages import AIMessage, AIMessageChunk
        from langchain_core.messages.ai import add_ai_message_chunks

        chunks = [AIMessageChunk("".join(one)) if type(one) is list else one for one in self.kept]
        whole = add_ai_message_chunks(*chunks)
        calls = [
            {"type": "tool_call", "id": id, "name": call.name, "args": call.arguments()}
            for id, call in self.calls.items()
        ]
        # Without the server's id: where two are alike the graph would keep the later message alone.
        return AIMessage(
            clean(whole.content) if type(whole.content) is str else whole.content,
            additional_kwargs=whole.additional_kwargs,
            response_metadata=whole.response_metadata,
            tool_calls=calls,
        )
