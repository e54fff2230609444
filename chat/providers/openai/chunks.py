"""OpenAI's chat completion chunks and their many dialects -> pieces."""

import hashlib
import json
import logging
import re
from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from ...events import Finish, Piece, Reasoning, Text, ToolCallArgs, ToolCallEnd, ToolCallStart, Usage
from ...json_limits import check_json
from ...redaction import redact
from ...response_limits import MAX_JSON_VALUES
from .. import errors, finish_reasons

MAX_LEARNING_ATTEMPTS = 3  # in a row without success, after which learning costs more than it saves
MAX_SAMPLE_LENGTH = 200  # characters of what cannot be read, in the log
MAX_NAME_LENGTH = 200  # characters of a tool's name, or of a call's id, which comes back in every event of the call
MAX_CHOICES = 100  # in one chunk; one is requested, and some servers send it in parts
MAX_COUNT = 2**53  # a token count beyond what JavaScript can represent is ignored
MAX_LEARNED_LENGTH = 4_000  # bytes of a chunk from which is learned
CONTENT = re.compile(rb'"content": ?("(?:[^"\\]|\\.)*+")')

logger = logging.getLogger(__name__)


class Chunks:
    """The data of a stream's events -> pieces.

    Most servers repeat everything but the text in each chunk. The bytes around the text are learned, and a next chunk
    with the same bytes around its text is not parsed.
    """

    def __init__(self) -> None:
        self.done = False
        self.finished = False
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
                return (Text(content),)
        pieces = self._parse(data, cut)
        is_short = len(data) <= MAX_LEARNED_LENGTH
        if self.attempts_left and is_short and len(pieces) == 1 and type(pieces[0]) is Text:
            self.attempts_left -= 1
            self._learn(data)
        return pieces

    def close(self) -> Iterator[Any]:
        """Yields what is left when the stream ends; raises ProviderError if the model had not finished."""
        if not self.finished and self.done and self.has_empty_reason:
            yield from self._finish("stop")
        if self.usage:
            yield self.usage
        if not self.finished:
            raise errors.cut_off(self.cut_reason) if self.cut_reason else errors.broken_off()

    def read(self, choices: list[dict[str, Any]], chunk: dict[str, Any]) -> list[Any]:
        """Returns the pieces of these choices; only one is requested, and of a server that sends more the first."""
        if len(choices) == 1 and choices[0].get("finish_reason") is None:
            delta = choices[0].get("delta") or {}
            content = delta.get("content")
            if content and type(content) is str and len(delta) == 1:  # as nearly always
                return [Text(content)]
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
            check_json(data, MAX_JSON_VALUES)
            chunk = _load(data)
            if error := chunk.get("error"):
                raise errors.reported(error)
            if usage := chunk.get("usage"):
                self.usage = _usage(usage)
            choices = [choice for choice in chunk.get("choices") or () if not choice.get("index")]
            if len(choices) > MAX_CHOICES:
                raise ValueError
            return self.read(choices, chunk)
        except (ValueError, TypeError, AttributeError, KeyError, RecursionError) as error:
            if cut:
                return []
            sample = redact(data[: errors.MAX_READ_LENGTH].decode("utf-8", "replace"))[:MAX_SAMPLE_LENGTH]
            logger.warning("The model's server sent a malformed chunk: %r", sample)
            raise errors.malformed() from error

    def _choice(self, choice: dict[str, Any]) -> Iterator[Piece]:
        # A message beside a delta repeats the whole text so far.
        delta = choice.get("delta", choice.get("message")) or {}
        if thought := delta.get("reasoning_content") or delta.get("reasoning"):
            yield Reasoning(text_of(thought))
        if content := delta.get("content"):
            if type(content) is str:
                yield Text(content)
            else:
                yield from _content_parts(content)
        if refusal := delta.get("refusal"):
            yield Text(text_of(refusal))
        for call in delta.get("tool_calls") or ():
            function = call.get("function") or {}
            yield from self.tool_calls.feed(
                call.get("index"), call.get("id"), function.get("name"), function.get("arguments")
            )
        reason = choice.get("finish_reason")
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


class ToolCallDeltas:
    """Deltas of tool calls -> pieces. Deltas of a call have the same index; its first id and name count.

    Some servers send the same index or none for all calls: there a new call is recognized by its own id and name.
    """

    def __init__(self) -> None:
        self.count = 0
        self.open: dict[Any, str] = {}  # index -> id

    def feed(self, index: Any, id: Any, name: Any, arguments: Any) -> Iterator[Piece]:
        index = index or 0
        id = short_id(id)
        current = self.open.get(index)
        if current is None or (id and name and str(id) != current):
            if current is not None:
                yield ToolCallEnd(current)
            current = self.open[index] = str(id or f"call_{index}")
            self.count += 1
            yield ToolCallStart(current, str(name or "unknown")[:MAX_NAME_LENGTH])
        if arguments:
            yield ToolCallArgs(current, arguments if type(arguments) is str else json.dumps(arguments))

    def close(self) -> Iterator[Piece]:
        for id in self.open.values():
            yield ToolCallEnd(id)
        self.open.clear()


def short_id(id: Any) -> str | None:
    """Returns the id as text, or its digest if it is very long; None if there is none."""
    if not id:
        return None
    text = str(id)
    return text if len(text) <= MAX_NAME_LENGTH else hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def text_of(content: Any) -> str:
    """Returns the text of what should be a string but may be a list of parts, each a string or {"text": …}."""
    if type(content) is list:
        return "".join(part if type(part) is str else text_of(part.get("text")) for part in content)
    return content if type(content) is str else ""


def _content_parts(content: Any) -> Iterator[Piece]:
    """Yields the pieces of a content that is a list of parts; some models put their reasoning into it."""
    for part in content if type(content) is list else [content]:
        if type(part) is dict and (thought := part.get("thinking")):
            yield Reasoning(text_of(thought))
        else:
            yield Text(text_of([part]))


def _usage(usage: dict[str, Any]) -> Usage:
    completion_details = usage.get("completion_tokens_details") or {}
    prompt_details = usage.get("prompt_tokens_details") or {}
    return Usage(
        _count(usage.get("prompt_tokens")),
        _count(usage.get("completion_tokens")),
        _count(usage.get("total_tokens")),
        _count(completion_details.get("reasoning_tokens")),
        _count(prompt_details.get("cached_tokens")),
    )


def _count(value: Any) -> int | None:
    return value if type(value) is int and 0 <= value < MAX_COUNT else None


def _load(data: bytes) -> Any:
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        # orjson refuses invalid UTF-8 and lone surrogates, which servers do send; the EventBuilder repairs both.
        return json.loads(data.decode("utf-8", "replace"))
