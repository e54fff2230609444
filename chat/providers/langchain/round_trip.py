"""The fields of OpenAI's format that a model's server wants back, unchanged, beside the calls of a tool.

Without them the model has lost its thoughts when the result comes, and many servers refuse the request. They go back
under the name under which they came, because some servers refuse the names of others.
"""

import json
from typing import Any

from .. import errors
from ..openai.chunks import text_of

TEXTS = ("reasoning_content", "reasoning")  # DeepSeek, Kimi, GLM, Qwen · vLLM, OpenRouter, Groq, Ollama
LISTS = ("reasoning_details", "thinking_blocks")  # OpenRouter, MiniMax · LiteLLM
OBJECTS = ("extra_content", "provider_specific_fields")  # Gemini (google.thought_signature) · LiteLLM
PIECES = ("text", "summary", "thinking")  # the texts of a list's items, which come in pieces
MAX_LENGTH = 2_000_000  # characters of all lists and objects of a response, as JSON


class RoundTrip:
    """Collects these fields from the deltas of one response."""

    def __init__(self) -> None:
        self.message: dict[str, Any] = {}
        self.calls: dict[str, dict[str, Any]] = {}  # number of the tool call -> its fields; as JSON stores them
        self.length = 0

    def read(self, delta: dict[str, Any]) -> None:
        for name in TEXTS:
            value = delta.get(name)
            if type(value) is str or (value and type(value) is list):  # DeepSeek wants an empty text back as well
                self.message[name] = self.message.get(name, "") + text_of(value)
        for name in LISTS:
            items = delta.get(name)
            items = [item for item in items if type(item) is dict] if type(items) is list else []
            if items:
                self._count(items)
                _extend(self.message.setdefault(name, []), items)
        extra = delta.get("extra_content")
        if extra and type(extra) is dict:
            self._count(extra)
            self.message.setdefault("extra_content", {}).update(extra)

    def read_call(self, number: int, call: dict[str, Any]) -> None:
        for name in OBJECTS:
            value = call.get(name)
            if value and type(value) is dict:
                self._count(value)
                self.calls.setdefault(str(number), {}).setdefault(name, {}).update(value)

    def take(self) -> dict[str, Any]:
        """Returns the fields so far as an addition to a delta, and forgets them."""
        fields = {"message": self.message, "calls": self.calls}
        self.message = {}
        self.calls = {}
        return {"round_trip": fields} if any(fields.values()) else {}

    def _count(self, value: Any) -> None:
        self.length += len(json.dumps(value))
        if self.length > MAX_LENGTH:
            raise errors.endless()


def restore(message: dict[str, Any], fields: dict[str, Any]) -> None:
    """Adds the fields to a message of a request that has tool calls."""
    calls = message.get("tool_calls")
    if not calls:
        return
    message.update(fields["message"])
    for number, call in enumerate(calls):
        call.update(fields["calls"].get(str(number), {}))


def _extend(items: list[dict[str, Any]], new: list[dict[str, Any]]) -> None:
    """Adds the items of a delta. Each may be the next piece of an earlier one: with its index, or of the last one."""
    count = len(items)
    for item in new:
        has_index = item.get("index") is not None
        earlier = items[:count] if has_index else items[count - 1 : count] if item is new[0] else []
        whole = next((other for other in reversed(earlier) if _continues(other, item)), None)
        if whole is None:
            items.append(dict(item))
            continue
        for name, value in item.items():
            if name in PIECES and type(value) is str:
                whole[name] = (whole.get(name) or "") + value
            elif value is not None:
                whole[name] = value


def _continues(item: dict[str, Any], piece: dict[str, Any]) -> bool:
    """Returns whether this is another piece of the item, which is complete once it is signed."""
    is_piece = any(type(piece.get(name)) is str for name in (*PIECES, "signature"))
    is_same = all(item.get(name) == piece.get(name) for name in ("type", "index"))
    return is_piece and is_same and not item.get("signature") and piece.get("id") in (None, item.get("id"))
