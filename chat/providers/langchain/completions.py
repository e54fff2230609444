"""OpenAI's chat completions for LangChain, as a stream of dicts, which it takes as well as the SDK's objects.

They are read as those of `openai:`, which costs a fraction of the SDK's objects and tolerates more.
"""

from collections.abc import Iterable, Iterator
from contextlib import aclosing
from typing import Any

from django.conf import settings

from ...events import Piece, ToolCallArgs, ToolCallStart, Usage
from .. import errors
from ..activity import Activity
from ..openai.chunks import Chunks, calls_of, delta_of, reason_of, text_of
from ..openai.stream import read_stream
from ..openai.tool_calls import ToolCallDeltas
from .round_trip import RoundTrip

CHUNK_FIELDS = ("id", "model", "service_tier", "system_fingerprint")  # all that LangChain reads besides the choices


class Completions:
    def __init__(self, client: Any, activity: Activity):
        self.client = client
        self.activity = activity

    async def create(self, **payload: Any) -> Any:
        opening = self.client.chat.completions.with_streaming_response.create(**payload)
        return aclosing(read_stream(opening, NormalizedChunks(payload.get("tools")), self.activity))


class NormalizedChunks(Chunks):
    """The data of a stream's events -> chunks as dicts, in the form that LangChain expects."""

    def __init__(self, tools: Any = ()) -> None:
        super().__init__()
        self.names = {tool["function"]["name"] for tool in tools or () if "function" in tool}  # that are offered
        self.round_trip = RoundTrip()
        self.tool_calls = ToolCallDeltas(self._is_name, self.round_trip.read_call)
        self.numbers: dict[str, int] = {}  # id of a tool call -> our number for it

    def read(self, choices: list[dict[str, Any]], chunk: dict[str, Any]) -> list[dict[str, Any]]:
        for choice in choices:
            delta = choice["delta"] = delta_of(choice)
            content = delta.get("content")
            if content is not None and type(content) is not list:
                delta["content"] = text_of(content)
            if refusal := delta.get("refusal"):
                delta["content"] = (delta.get("content") or "") + text_of(refusal)
            if len(delta) > 1 or "content" not in delta:
                self.round_trip.read(delta)
            reason = choice["finish_reason"] = reason_of(choice)
            if reason == "error":
                raise errors.reported(choice.get("error"))
            self.finished = self.finished or bool(reason)
            self.has_empty_reason = self.has_empty_reason or reason == ""
            if (calls := calls_of(delta)) or reason:
                # One too many is read, which ends the answer where the calls are counted.
                pieces = [*self.tool_calls.feed_all(calls, settings.MAX_TOOL_CALLS_PER_TURN + 1)]
                delta["tool_calls"] = self._deltas([*pieces, *(self.tool_calls.close() if reason else ())])
                delta.pop("function_call", None)
            if reason:
                delta |= self.round_trip.take()
        head = {name: chunk[name] for name in CHUNK_FIELDS if name in chunk}
        return [head | {"choices": [choice]} for choice in choices]

    def read_thoughts(self, pieces: list[Any]) -> list[Any]:
        """Returns the chunks: their thoughts are read where they become pieces."""
        return pieces

    def close(self) -> Iterator[dict[str, Any]]:
        """Yields the usage. Whether the model had finished is checked where the chunks are read."""
        if not self.finished and self.done and self.has_empty_reason:
            delta = self.round_trip.take() | {"tool_calls": self._deltas(self.tool_calls.close())}
            yield {"choices": [{"index": 0, "delta": delta, "finish_reason": "stop"}]}
        if self.usage:  # the last one counts; LangChain would add them up
            yield {"choices": [], "usage": _usage_dict(self.usage)}
        if not self.has_choices and self.has_document:
            raise errors.empty()

    def _is_name(self, name: str) -> bool:
        """Whether this is a tool's name, and not the beginning of another's."""
        return name in self.names and not any(other != name and other.startswith(name) for other in self.names)

    def _deltas(self, pieces: Iterable[Piece]) -> list[dict[str, Any]]:
        """Returns the pieces of tool calls as deltas, with our numbers as their indexes."""
        deltas: list[dict[str, Any]] = []
        for piece in pieces:
            match piece:
                case ToolCallStart(id, name):
                    number = self.numbers[id] = len(self.numbers)
                    deltas.append({"index": number, "id": id, "function": {"name": name, "arguments": ""}})
                case ToolCallArgs(id, delta):
                    function = {"name": None, "arguments": delta}
                    deltas.append({"index": self.numbers[id], "id": None, "function": function})
        return deltas


def _usage_dict(usage: Usage) -> dict[str, Any]:
    counts = {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.total_tokens,
    }
    return {
        **{name: count for name, count in counts.items() if count is not None},
        "prompt_tokens_details": {"cached_tokens": usage.cached_input_tokens},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
    }
