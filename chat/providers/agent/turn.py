"""One turn of the model: the pieces that the reader gets, and the message that the model sees again.

What a model says before it calls a tool (“Let me calculate …”) is a step on the way and not the answer, but that is
only known when the call comes. So where a call may still come, text is held until it is longer than such a remark.
Then it is streamed, and if a call comes after all, it stays text.
"""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.utils.translation import gettext

from ...events import (
    Finish,
    LimitExceeded,
    Piece,
    Reasoning,
    Text,
    ToolCallArgs,
    ToolCallEnd,
    ToolCallStart,
    Withdraw,
    clean_json,
    clean_text,
)
from ...tools import ToolError
from ..langchain.pieces import ServerToolPiece

MAX_RESUME_STATE_LENGTH = 500_000  # characters of one message, as JSON
CALL_BLOCKS = {
    "tool_use",
    "tool_call",
    "tool_call_chunk",
    "function_call",
    "input_json_delta",
}  # in a message's content
ORIGIN = {"model_provider", "output_version"}  # of a message's metadata: how LangChain reads its content
MAX_CHUNKS_IN_LOOP = 500  # that are merged in the event loop, which takes some milliseconds; more in a thread

logger = logging.getLogger(__name__)


@dataclass
class Call:
    """A tool call; its `id` is that of our events."""

    id: str
    name: str
    arguments_json: list[str] = field(default_factory=list)  # in pieces
    length: int = 0  # characters of the pieces that the model sent

    def parse_arguments(self) -> dict[str, Any]:
        """Returns the arguments; raises ToolError."""
        text = clean_text("".join(self.arguments_json))
        try:
            arguments = json.loads(text or "{}", strict=False)  # models write line breaks into strings
        except (ValueError, RecursionError) as error:
            sentence = gettext("The arguments are not valid JSON: %(error)s")
            raise ToolError(sentence % {"error": error}) from None
        if type(arguments) is not dict:
            raise ToolError(gettext("The arguments are not a JSON object."))
        return arguments

    def arguments_or_empty(self) -> dict[str, Any]:
        """Returns the arguments for the history.

        Invalid ones are left out: many servers refuse them, and the result of the call reports the error.
        """
        try:
            return self.parse_arguments()
        except ToolError:
            return {}


class Turn:
    """Sorts the pieces of one model call into remarks, the answer and tool calls, and sends them.

    Up to `remark_length` characters are held as a possible remark; 0 holds none, because no call may come.
    """

    def __init__(
        self, send: Callable[[Piece], Awaitable[None]], unique_id: Callable[[str], str], remark_length: int
    ) -> None:
        self.send = send
        self.unique_id = unique_id
        self.may_call = remark_length > 0
        self.remark_length = remark_length
        self.held: list[str] = []  # text that was not sent yet
        self.held_length = 0
        self.calls: dict[str, Call] = {}  # the id that the model knows -> Call
        self.open: dict[str, Call] = {}  # the id in the pieces -> the Call that it means now
        self.has_text = False
        self.has_reasoning = False
        self.reason: str | None = None  # why it ended
        self.chunks: list[Any] = []  # consecutive chunks of plain text are one list of strings, which is far smaller

    async def feed(self, piece: Piece | ServerToolPiece) -> None:
        match piece:
            case Text() if self.may_call and (self.remark_length or self.calls):
                self.held.append(piece.delta)
                self.held_length += len(piece.delta)
                if self.held_length > (settings.MAX_REPLY_LENGTH if self.calls else self.remark_length):
                    await self.release()
                else:
                    await self.send(Text(""))  # a sign of life for the engine's timeout
            case Text():
                self.has_text = True
                await self.send(piece)
            case Reasoning():
                self.has_reasoning = True
                await self.send(piece)
            case Withdraw():
                await self._withdraw(piece)
            case ToolCallStart():
                await self._start_call(piece)
            case ToolCallArgs():
                call = self.open[piece.tool_call_id]
                call.length += len(piece.delta)
                if call.length > settings.MAX_TOOL_ARGUMENTS_LENGTH:
                    raise LimitExceeded("MAX_TOOL_ARGUMENTS_LENGTH", settings.MAX_TOOL_ARGUMENTS_LENGTH)
                call.arguments_json.append(piece.delta)
                await self.send(ToolCallArgs(call.id, piece.delta))
            case ToolCallEnd():
                await self.send(ToolCallEnd(self.open[piece.tool_call_id].id))
            case Finish():  # AgentRun sends it when the graph has ended
                self.reason = piece.reason
                await self.release()
            case ServerToolPiece():
                await self.send(piece.piece)
            case _:
                await self.send(piece)

    async def _start_call(self, piece: ToolCallStart) -> None:
        if len(self.calls) >= settings.MAX_TOOL_CALLS_PER_TURN:
            raise LimitExceeded("MAX_TOOL_CALLS_PER_TURN", settings.MAX_TOOL_CALLS_PER_TURN)
        call = Call(self.unique_id(piece.tool_call_id), clean_text(piece.tool_call_name))
        is_ambiguous = not piece.tool_call_id or piece.tool_call_id in self.calls  # our id then tells them apart
        self.calls[call.id if is_ambiguous else piece.tool_call_id] = call
        self.open[piece.tool_call_id] = call
        await self.release()
        self.has_reasoning = False
        await self.send(ToolCallStart(call.id, call.name))

    async def _withdraw(self, piece: Withdraw) -> None:
        if piece.part_type == "reasoning":
            self.has_reasoning = False
        elif self.held:
            self.held = []
            self.held_length = 0
            return
        else:
            self.has_text = False
        await self.send(piece)

    async def release(self) -> None:
        """Sends the held text: with a call it was a remark, otherwise it belongs to the answer."""
        held = self.held
        self.held = []
        if not self.calls:
            self.remark_length = 0
            for delta in held:
                self.has_text = True
                await self.send(Text(delta))
        elif remark := "".join(held).strip():
            await self.send(Reasoning(f"\n\n{remark}" if self.has_reasoning else remark))
            self.has_reasoning = True

    def add_chunk(self, chunk: Any) -> None:
        is_plain = type(chunk.content) is str and not (chunk.additional_kwargs or chunk.tool_call_chunks)
        if not (is_plain and self.chunks):
            self.chunks.append(chunk)
        elif type(self.chunks[-1]) is list:
            self.chunks[-1].append(chunk.content)
        else:
            self.chunks.append([chunk.content])

    def resume_state(self, message: Any) -> dict[str, Any] | None:
        """Returns what makes this message of calls again, as JSON; None without calls, or if it cannot be stored.

        It has our ids of the calls, and no calls itself: those are parts.
        """
        if not self.calls:
            return None
        content = message.content
        if type(content) is list:
            content = [block for block in content if type(block) is str or block.get("type") not in CALL_BLOCKS]
        metadata = {name: value for name, value in message.response_metadata.items() if name in ORIGIN}
        state = {"content": content, "additional_kwargs": message.additional_kwargs, "response_metadata": metadata}
        try:
            state = clean_json(state)
            length = len(json.dumps(state))
        except (TypeError, ValueError, RecursionError):
            logger.warning("What the model wants back cannot be stored", exc_info=True)
            return None
        if length > MAX_RESUME_STATE_LENGTH:
            logger.warning("What the model wants back is too long to be stored: %s characters", length)
            return None
        return {"calls": [call.id for call in self.calls.values()]} | state

    async def message(self, id: str) -> Any:
        """Returns the turn as LangChain's message: everything the vendor wants to see again, and the calls as read."""
        from langchain_core.messages import AIMessage

        if len(self.chunks) > MAX_CHUNKS_IN_LOOP:
            whole = await asyncio.to_thread(_merge, self.chunks)
        else:
            whole = _merge(self.chunks)
        calls = [
            {"type": "tool_call", "id": id, "name": call.name, "args": call.arguments_or_empty()}
            for id, call in self.calls.items()
        ]
        return AIMessage(
            clean_text(whole.content) if type(whole.content) is str else whole.content,
            id=id,
            additional_kwargs=whole.additional_kwargs,
            response_metadata=whole.response_metadata,
            tool_calls=calls,
        )


def _merge(chunks: list[Any]) -> Any:
    """Returns the chunks of a turn as one, without their tool calls: those are read as they come.

    LangChain would look for each delta of a call among all calls, and parse the arguments again as they grow.
    """
    from langchain_core.messages import AIMessageChunk
    from langchain_core.messages.ai import add_ai_message_chunks

    chunks = [AIMessageChunk("".join(chunk)) if type(chunk) is list else chunk for chunk in chunks]
    for chunk in chunks:
        chunk.tool_call_chunks = []
    return add_ai_message_chunks(*chunks) if chunks else AIMessageChunk("")
