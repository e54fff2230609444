"""OpenAI's chat completion chunks and their many dialects -> pieces."""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from ...events import Finish, Piece, Reasoning, Text, Usage
from .. import errors, finish_reasons
from ..base import ProviderError
from ..error_reports import find_error
from ..generated_images import image_pieces, is_image
from ..thoughts import ThoughtReader
from .event_data import UNREADABLE, load, malformed
from .tool_calls import ToolCallDeltas

MAX_LEARNING_ATTEMPTS = 3  # in a row without success, after which learning costs more than it saves
MAX_CHOICES = 100  # in one chunk; one is requested, and some servers send it in parts
FIRST = (0, None, "0", "")  # the index of the first choice, as servers write it
MAX_COUNT = 2**53  # a token count beyond what JavaScript can represent is ignored
MAX_LEARNED_LENGTH = 4_000  # bytes of a chunk from which is learned
CONTENT = re.compile(rb'"content": ?("(?:[^"\\]|\\.)*+")')


class Chunks:
    """The data of a stream's events -> pieces.

    Most servers repeat everything but the text in each chunk. The bytes around the text are learned, and a next chunk
    with the same bytes around its text is not parsed.
    """

    def __init__(self, thoughts: ThoughtReader | None = None) -> None:
        self.thoughts = thoughts or ThoughtReader()
        self.done = False
        self.finished = False
        self.has_document = False  # whether any event could be read
        self.has_choices = False  # and had choices
        self.has_first = False  # and among them one with the index 0
        self.cut_reason: str | None = None  # the server's word, if it broke off the answer itself
        self.has_empty_reason = False  # "" as finish reason; some servers send no other
        self.usage: Usage | None = None
        self.tool_calls = ToolCallDeltas()
        self.prefix = b""  # the learned bytes before the text
        self.suffix = b""  # and after it
        self.attempts_left = MAX_LEARNING_ATTEMPTS

    def feed(self, data: bytes, cut: bool = False) -> Iterable[Any]:
        """Returns the event's pieces; `cut`: the end of the stream may have cut it, and broken data is then ignored."""
        if self.prefix and data.startswith(self.prefix) and data.endswith(self.suffix) and not self.done:
            try:
                content = orjson.loads(data[len(self.prefix) : -len(self.suffix)])
            except orjson.JSONDecodeError:
                content = None
            if content and type(content) is str:
                self.attempts_left = MAX_LEARNING_ATTEMPTS
                return self.thoughts.feed(content)
        pieces = self._parse(data, cut)
        is_short = len(data) <= MAX_LEARNED_LENGTH
        if self.attempts_left and is_short and len(pieces) == 1 and type(pieces[0]) is Text:
            self.attempts_left -= 1
            self._learn(data)
        return self.read_thoughts(pieces)

    def read_thoughts(self, pieces: list[Any]) -> list[Any]:
        return self.thoughts.feed_all(pieces)

    def close(self) -> Iterator[Any]:
        """Yields what is left when the stream ends; raises ProviderError if the model had not finished."""
        if not self.finished and self.done and self.has_empty_reason:
            yield from self.thoughts.feed_all(self._finish("stop"))
        yield from self.thoughts.finish()
        if self.usage:
            yield self.usage
        if not self.finished:
            raise self._unfinished()

    def _unfinished(self) -> ProviderError:
        if self.cut_reason:
            return errors.cut_off(self.cut_reason)
        return errors.empty() if self.has_document and not self.has_choices else errors.broken_off()

    def read(self, choices: list[dict[str, Any]], chunk: dict[str, Any]) -> list[Any]:
        """Returns the pieces of these choices; only one is requested, and of a server that sends more the first."""
        if len(choices) == 1 and choices[0].get("finish_reason") is None:
            delta = choices[0].get("delta")
            if type(delta) is dict and len(delta) == 1 and (content := delta.get("content")) and type(content) is str:
                return [Text(content)]  # as nearly always
        return [piece for choice in choices for piece in self._choice(choice)]

    def _learn(self, data: bytes) -> None:
        """Finds the bytes around the text, and verifies that with another text they mean that text and nothing else."""
        match = CONTENT.search(data)
        if match is None:
            return
        prefix = data[: match.start(1)]
        suffix = data[match.end(1) :]
        if list(self._parse(prefix + b'"?"' + suffix, cut=True)) == [Text("?")]:
            self.prefix = prefix
            self.suffix = suffix

    def _parse(self, data: bytes, cut: bool) -> list[Any]:
        if not data.startswith(b"{"):
            data = data.strip()
            self.done = self.done or data.startswith(b"[DONE]")
        if not data or self.done:
            return []
        try:
            document = load(data)
            self.has_document = True
            chunks = document if type(document) is list else [document]
            return [piece for chunk in chunks if type(chunk) is dict for piece in self._chunk(chunk)]
        except UNREADABLE as error:
            if cut:
                return []
            raise malformed(data) from error

    def _chunk(self, chunk: dict[str, Any]) -> list[Any]:
        choices = chunk.get("choices")
        if error := chunk.get("error"):
            raise errors.reported(error)
        if not choices and (error := find_error(chunk)):
            raise errors.reported_with_success(error)
        choices = [choice for choice in _list(choices) if type(choice) is dict]
        if usage := usage_of(chunk, choices):
            self.usage = _usage(usage)
        self.has_choices = self.has_choices or bool(choices)
        choices = self._first(choices)
        if len(choices) > MAX_CHOICES:
            raise ValueError
        return self.read(choices, chunk)

    def _first(self, choices: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Returns the choices that are the first one. Old servers number tokens, where others number choices."""
        first = [choice for choice in choices if choice.get("index") in FIRST]
        self.has_first = self.has_first or bool(first)
        return first if self.has_first or len(choices) != 1 else choices

    def _choice(self, choice: dict[str, Any]) -> Iterator[Piece]:
        delta = delta_of(choice)
        if thought := delta.get("reasoning_content") or delta.get("reasoning"):
            yield Reasoning(text_of(thought))
        content = delta.get("content")
        if type(content) is str:
            if content:
                yield Text(content)
        elif content is not None:
            yield from _content_parts(content)
        if images := delta.get("images"):
            yield from image_pieces(images)
        if refusal := delta.get("refusal"):
            yield Text(text_of(refusal))
        if calls := calls_of(delta):
            yield from self.tool_calls.feed_all(calls)
        reason = reason_of(choice)
        if reason == "error":
            raise errors.reported(choice.get("error"))
        if reason:
            yield from self._finish(reason)
        elif reason is not None:
            self.has_empty_reason = True

    def _finish(self, word: Any) -> Iterator[Piece]:
        reason = finish_reasons.normalize(word)
        if reason == "cut":
            self.cut_reason = str(word)
            return
        yield from self.tool_calls.close()
        self.finished = True
        yield Finish(reason)


def delta_of(choice: dict[str, Any]) -> dict[str, Any]:
    """Returns the choice's delta. A message beside it repeats the whole text so far; `text` is of older servers."""
    delta = choice.get("delta", choice.get("message")) or {"content": choice.get("text")}
    return delta if type(delta) is dict else {"content": delta}


def reason_of(choice: dict[str, Any]) -> str | None:
    """Returns the choice's finish reason, which may be an object with its type; None if there is none yet."""
    reason = choice.get("finish_reason")
    if type(reason) is dict:
        reason = reason.get("type")
    return None if reason is None else str(reason)


def calls_of(delta: dict[str, Any]) -> Any:
    """Returns the delta's tool calls; `function_call` is of older servers."""
    return delta.get("tool_calls") or delta.get("function_call")


def usage_of(chunk: dict[str, Any], choices: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Returns the usage, which is the chunk's, its choice's (Kimi) or in `x_groq`."""
    places = [chunk, *choices[:1], _dict(chunk.get("x_groq"))]
    return next((place["usage"] for place in places if place.get("usage") and type(place["usage"]) is dict), None)


def text_of(content: Any) -> str:
    """Returns the text of what should be a string but may be a number, {"text": …}, or a list of these."""
    if type(content) is list:
        return "".join(map(text_of, content))
    if type(content) is dict:
        return text_of(content.get("text"))
    if type(content) in (int, float):
        return json.dumps(content)
    return content if type(content) is str else ""


def _content_parts(content: Any) -> Iterator[Piece]:
    """Yields the pieces of a content that is a list of parts; some models put their reasoning into it."""
    for part in content if type(content) is list else [content]:
        if type(part) is dict and (thought := part.get("thinking")):
            yield Reasoning(text_of(thought))
        elif is_image(part):
            yield from image_pieces(part)
        else:
            yield Text(text_of(part))


def _list(choices: Any) -> list[Any]:
    """Returns what should be a list but may be its only item."""
    return choices if type(choices) is list else [choices]


def _usage(usage: dict[str, Any]) -> Usage:
    completion_details = _dict(usage.get("completion_tokens_details"))
    cached = _dict(usage.get("prompt_tokens_details")).get("cached_tokens")
    if cached is None:  # DeepSeek, Kimi
        cached = usage.get("prompt_cache_hit_tokens", usage.get("cached_tokens"))
    return Usage(
        _count(usage.get("prompt_tokens")),
        _count(usage.get("completion_tokens")),
        _count(usage.get("total_tokens")),
        _count(completion_details.get("reasoning_tokens")),
        _count(cached),
    )


def _dict(value: Any) -> dict[str, Any]:
    return value if type(value) is dict else {}


def _count(value: Any) -> int | None:
    return value if type(value) is int and 0 <= value < MAX_COUNT else None
