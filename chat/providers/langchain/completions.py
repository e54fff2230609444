"""OpenAI's chat completions for LangChain, as a stream of dicts, which it takes as well as the SDK's objects.

They are read as those of `openai:`, which costs a fraction of the SDK's objects and tolerates more.
"""

import json
from collections.abc import Iterator
from contextlib import aclosing
from typing import Any

from django.conf import settings

from .. import errors
from ..activity import Activity
from ..openai.chunks import Chunks, delta_of, text_of
from ..openai.stream import read_stream
from .round_trip import RoundTrip

CHUNK_FIELDS = ("id", "model", "service_tier", "system_fingerprint")  # all that LangChain reads besides the choices


class Completions:
    def __init__(self, client: Any, activity: Activity):
        self.client = client
        self.activity = activity

    async def create(self, **payload: Any) -> Any:
        opening = self.client.chat.completions.with_streaming_response.create(**payload)
        return aclosing(read_stream(opening, NormalizedChunks(), self.activity))


class NormalizedChunks(Chunks):
    """The data of a stream's events -> chunks as dicts, in the form that LangChain expects."""

    def __init__(self) -> None:
        super().__init__()
        self.usage_dict: dict[str, Any] | None = None
        self.round_trip = RoundTrip()
        self.numbers: dict[Any, tuple[str, int]] = {}  # index of an open tool call -> (its id, our number for it)

    def read(self, choices: list[dict[str, Any]], chunk: dict[str, Any]) -> list[dict[str, Any]]:
        usage = chunk.pop("usage", None)
        if usage and type(usage) is dict:
            self.usage_dict = usage  # the last one counts; LangChain would add them up
        for choice in choices:
            delta = choice["delta"] = delta_of(choice)
            content = delta.get("content")
            if content is not None and type(content) is not list:
                delta["content"] = text_of(content)
            if refusal := delta.get("refusal"):
                delta["content"] = (delta.get("content") or "") + text_of(refusal)
            if calls := delta.get("tool_calls"):
                # One too many is read, which ends the answer where the calls are counted.
                calls = calls[: settings.MAX_TOOL_CALLS_PER_TURN + 1]
                delta["tool_calls"] = [self._tool_call(call) for call in calls]
                for call, normalized in zip(calls, delta["tool_calls"], strict=True):
                    self.round_trip.read_call(normalized["index"], call)
            if len(delta) > 1 or "content" not in delta:
                self.round_trip.read(delta)
            reason = choice.get("finish_reason")
            if reason == "error":
                raise errors.reported(choice.get("error"))
            if reason:
                delta |= self.round_trip.take()
            self.finished = self.finished or bool(reason)
            self.has_empty_reason = self.has_empty_reason or reason == ""
        head = {name: chunk[name] for name in CHUNK_FIELDS if name in chunk}
        return [head | {"choices": [choice]} for choice in choices]

    def close(self) -> Iterator[dict[str, Any]]:
        """Yields the usage. Whether the model had finished is checked where the chunks are read."""
        if not self.finished and self.done and self.has_empty_reason:
            yield {"choices": [{"index": 0, "delta": self.round_trip.take(), "finish_reason": "stop"}]}
        if self.usage_dict:
            yield {"choices": [], "usage": self.usage_dict}

        if not self.has_choices and self.has_document:
            raise errors.empty()

    def _tool_call(self, call: dict[str, Any]) -> dict[str, Any]:
        """Returns a tool call's delta with our number as index and arguments as text."""
        index = call.get("index") or 0
        id = call.get("id")
        function = call.get("function") or {}
        name = function.get("name")
        arguments = function.get("arguments")
        current, number = self.numbers.get(index, (None, 0))
        if current is None or (id and name and str(id) != current):
            number = self.tool_calls.count
            self.tool_calls.count += 1
            id = str(id or f"call_{number}")
            name = str(name or "unknown")
            self.numbers[index] = id, number
        else:
            id = None
            name = None
        if arguments is not None and type(arguments) is not str:
            arguments = json.dumps(arguments)
        return {"index": number, "id": id, "function": {"name": name, "arguments": arguments or ""}}
