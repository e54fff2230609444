"""LangChain's message chunks -> our pieces."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from ...events import Finish, Piece, Reasoning, Text, Usage
from .. import errors, finish_reasons
from ..generated_images import image_pieces
from ..openai.tool_calls import ToolCallDeltas
from ..thoughts import ThoughtReader

REASON_KEYS = ("finish_reason", "stop_reason", "stopReason", "done_reason", "status")  # one for each vendor


@dataclass(frozen=True, slots=True)
class ServerToolPiece:
    """A piece of a call that the model's server runs itself: the agent shows it and has nothing to do."""

    piece: Piece


class Pieces:
    """The AIMessageChunks of one model call -> pieces, whatever form the vendor's content has.

    pieces = Pieces()
    for each chunk: pieces.feed(chunk)    # its pieces, in order
    pieces.close()                        # at the end: the rest; raises ProviderError if the model had not finished
    """

    def __init__(self, thoughts: ThoughtReader | None = None) -> None:
        self.thoughts = thoughts or ThoughtReader()
        self.is_rewritten = False  # the messages that go back to the model
        self.finished = False
        self.cut_reason: str | None = None  # the server's word, if it broke off the answer itself
        self.tool_calls = ToolCallDeltas(is_name=bool)  # LangChain and NormalizedChunks give the whole name
        self.usages: list[Any] = []  # LangChain's usage of a call is the sum over its chunks

    def feed(self, message: Any, info: dict[str, Any] | None = None) -> list[Piece]:
        """Returns the chunk's pieces; `info` is the generation's, if the chunk came with one. It may have pieces."""
        pieces = self._given(info["pieces"]) if info and "pieces" in info else self._read(message, info)
        pieces = self.thoughts.feed_all(pieces)
        self.is_rewritten = self.is_rewritten or self.thoughts.may_be_harmony
        if self.is_rewritten and type(message.content) is str:
            # gpt-oss refuses its own channels when they come back. Other models want their thoughts as they were.
            message.content = "".join(piece.delta for piece in pieces if type(piece) is Text)
        return pieces

    def _given(self, pieces: list[Piece]) -> list[Piece]:
        self.finished = self.finished or any(isinstance(piece, Finish) for piece in pieces)
        return pieces

    def _read(self, message: Any, info: dict[str, Any] | None) -> list[Piece]:
        pieces: list[Piece] = []
        if content := message.content:
            if type(content) is str:
                pieces.append(Text(content))
            else:
                pieces += _content_blocks(content)
        if extra := message.additional_kwargs:
            if thought := _text(extra.get("reasoning_content")):
                pieces.insert(0, Reasoning(thought))
            if images := extra.pop("images", None):  # they are large, and do not go back with the message
                pieces += image_pieces(images)
        for call in message.tool_call_chunks:
            pieces += self.tool_calls.feed(call.get("index"), call.get("id"), call.get("name"), call.get("args"))
        if message.usage_metadata:
            self.usages.append(message.usage_metadata)
        if info or message.response_metadata:
            pieces += self._finish({**(info or {}), **message.response_metadata})
        return pieces

    def close(self) -> Iterator[Piece]:
        yield from self.thoughts.finish()
        usage = self._usage()
        if usage.total_tokens:
            yield usage
        if not self.finished:
            raise errors.cut_off(self.cut_reason) if self.cut_reason else errors.broken_off()

    def _finish(self, metadata: dict[str, Any]) -> Iterator[Piece]:
        word = _finish_reason(metadata)
        if not word or self.finished:
            return
        reason = finish_reasons.normalize(word)
        if reason == "cut":
            self.cut_reason = word
            return
        if reason == "stop" and self.tool_calls.count:
            reason = "tool_calls"
        self.finished = True
        yield from self.tool_calls.close()
        yield Finish(reason)

    def _usage(self) -> Usage:
        return Usage(
            _total(usage.get("input_tokens") for usage in self.usages),
            _total(usage.get("output_tokens") for usage in self.usages),
            _total(usage.get("total_tokens") for usage in self.usages),
            _total((usage.get("output_token_details") or {}).get("reasoning") for usage in self.usages),
            _total((usage.get("input_token_details") or {}).get("cache_read") for usage in self.usages),
        )


def _content_blocks(content: list[Any]) -> Iterator[Piece]:
    for block in content:
        if type(block) is str:
            yield Text(block)
            continue
        match block.get("type"):
            case "text" | "output_text":
                if text := _text(block.get("text")):
                    yield Text(text)
            case "image" | "image_url":
                yield from image_pieces(block)
            case "refusal":
                yield Text(_text(block.get("refusal")))
            case "thinking" | "reasoning" | "reasoning_content":
                values = [block.get(name) for name in ("thinking", "reasoning", "reasoning_content", "summary")]
                if thought := _text(values):
                    yield Reasoning(thought)


def _finish_reason(metadata: dict[str, Any]) -> str | None:
    """Returns the vendor's finish reason, or None if there is none yet."""
    values = (metadata.get(key) for key in REASON_KEYS)
    reason = next((value for value in values if value and type(value) is str), None)
    if reason is None and (metadata.get("prompt_feedback") or {}).get("block_reason"):
        return "content_filter"
    if reason == "incomplete":
        reason = (metadata.get("incomplete_details") or {}).get("reason") or reason
    return reason


def _total(counts: Iterable[Any]) -> int | None:
    known = [count for count in counts if type(count) is int]
    return max(0, sum(known)) if known else None


def _text(value: Any) -> str:
    """Returns the text of what may be a string, a block with text, or a list of both."""
    if type(value) is list:
        return "".join(map(_text, value))
    if type(value) is dict:
        return next((_text(value[name]) for name in ("text", "thinking", "reasoning") if value.get(name)), "")
    return value if type(value) is str else ""
