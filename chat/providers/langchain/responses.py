"""OpenAI's Responses API for LangChain: its chat model of OpenAI over the stream of `openai_responses:`.

LangChain's own stream converts each event through the SDK's objects and gives content blocks, which cost several times
as much to put together. Here a token is plain text. What the model wants back with the results of its calls, such as
its encrypted reasoning, goes with the message as `output_items`.
"""

import functools
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from typing import Any

from ...events import Finish, Text, ToolCallArgs, ToolCallStart, Usage
from .. import errors
from ..activity import Activity
from ..openai.stream import read_stream
from ..openai_responses.connection import open_response
from ..openai_responses.events import ResponseEvents
from ..openai_responses.input import function_tools, input_items, tool_choice
from .pieces import ServerToolPiece

MAX_OUTPUT_SIZE = 16_000_000  # bytes of the items that go back; an image may have several millions


@functools.cache
def streaming_model(cls: Any) -> Any:
    """Returns a subclass of OpenAI's chat model, whose `_astream` is the method that LangChain has models define."""

    class ResponsesModel(cls):
        _activity: Activity  # of the request

        async def _astream(
            self, messages: list[Any], stop: Any = None, run_manager: Any = None, **kwargs: Any
        ) -> AsyncGenerator[Any, None]:
            from langchain_core.outputs import ChatGenerationChunk

            events = MessageEvents()
            body = self._body(messages, kwargs)
            opening = open_response(self.root_async_client, body, events, encrypts=bool(body.get("tools")))
            async with aclosing(read_stream(opening, events, self._activity)) as chunks:
                async for message, info in chunks:
                    yield ChatGenerationChunk(message=message, generation_info=info)

        def _body(self, messages: list[Any], kwargs: dict[str, Any]) -> dict[str, Any]:
            """Returns the request. `kwargs` are those of a chat completion: the tools, and what the middleware set."""
            params = self.extra_body or {}
            body = {"model": self.model_name, "input": input_items(_openai_messages(messages))} | kwargs | params
            if tools := [*function_tools(kwargs.get("tools") or ()), *(params.get("tools") or ())]:
                body["tools"] = tools
            if choice := kwargs.get("tool_choice"):
                body["tool_choice"] = tool_choice(choice)
            return body

    return ResponsesModel


def _openai_messages(messages: list[Any]) -> Iterator[dict[str, Any]]:
    from langchain_core.messages import convert_to_openai_messages

    for message in messages:
        for converted in convert_to_openai_messages([message]):
            yield converted | {"output_items": message.additional_kwargs.get("output_items")}


class MessageEvents(ResponseEvents):
    """The data of a stream's events -> LangChain's message chunks, each with the generation's info.

    The info has our piece, so that nobody has to read the message again.
    """

    def __init__(self) -> None:
        super().__init__()
        self.numbers: dict[str, int] = {}  # id of a function's call -> its number
        self.output: list[dict[str, Any]] = []  # the finished items
        self.output_size = 0  # bytes

    def feed(self, data: bytes, cut: bool = False) -> Iterator[Any]:
        return map(self._chunk, super().feed(data, cut))

    def close(self) -> Iterator[Any]:
        return map(self._chunk, super().close())

    def keep(self, item: dict[str, Any]) -> None:
        self.output.append(item)
        self.output_size += self.size
        if self.output_size > MAX_OUTPUT_SIZE:
            raise errors.endless()

    def keep_missing(self, items: list[dict[str, Any]]) -> None:
        self.output = self.output or items

    def _chunk(self, piece: Any) -> tuple[Any, dict[str, Any]]:
        from langchain_core.messages import AIMessageChunk

        if type(piece) is Text:
            return AIMessageChunk(piece.delta), {"pieces": [piece]}
        is_own = getattr(piece, "tool_call_id", None) in self.calls.server_tool_ids
        return AIMessageChunk("", **self._fields(piece)), {"pieces": [ServerToolPiece(piece) if is_own else piece]}

    def _fields(self, piece: Any) -> dict[str, Any]:
        """Returns the fields of the message chunk for this piece."""
        match piece:
            case ToolCallStart(id, name) if id not in self.calls.server_tool_ids:
                number = self.numbers[id] = len(self.numbers)
                return {"tool_call_chunks": [{"index": number, "id": id, "name": name, "args": ""}]}
            case ToolCallArgs(id, delta) if id in self.numbers:
                return {"tool_call_chunks": [{"index": self.numbers[id], "id": None, "name": None, "args": delta}]}
            case Usage():
                return {"usage_metadata": _usage_metadata(piece)}
            case Finish(reason):
                kwargs = {"output_items": self.output} if self.output else {}
                return {"response_metadata": {"finish_reason": reason}, "additional_kwargs": kwargs}
        return {}


def _usage_metadata(usage: Usage) -> dict[str, int]:
    names = ("input_tokens", "output_tokens", "total_tokens")
    counts = {name: getattr(usage, name) for name in names}
    return {name: count if type(count) is int else 0 for name, count in counts.items()}
