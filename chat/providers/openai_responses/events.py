"""The events of OpenAI's Responses API -> pieces.

Format: https://platform.openai.com/docs/api-reference/responses-streaming
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import orjson

from ...events import Finish, Piece, Reasoning, Text, Usage
from .. import errors, finish_reasons
from ..base import ProviderError
from ..error_reports import find_error
from ..openai.chunks import text_of
from ..openai.event_data import UNREADABLE, load, malformed
from ..openai.tool_calls import short_id
from ..thoughts import ThoughtReader
from .calls import FUNCTIONS, SERVER_TOOLS, Calls, Item

MAX_DELTA_LENGTH = 4_000  # bytes of an event that is too short to hold more values than a parser may be given
MAX_ID_LENGTH = 200  # characters of the response's id, which becomes part of an address
PARAGRAPH = "\n\n"  # between the messages of a response, and between the parts of its reasoning
TEXT_DELTA = "response.output_text.delta"
CALL_ITEMS = {*FUNCTIONS, *SERVER_TOOLS}

Event = dict[str, Any]


class ResponseEvents:
    """The data of a stream's events -> pieces.

    OpenAI's own events are regular: an item is added, its deltas follow, its end repeats it, and the end of the
    response repeats everything. Other servers leave out any of these, give each event of an item another id, or give
    all items the same index. So a delta belongs to the item that is open, and an end adds only what was not shown.
    """

    def __init__(self, thoughts: ThoughtReader | None = None) -> None:
        self.thoughts = thoughts  # that a model writes into its text; None leaves them there
        self.done = False
        self.has_document = False  # whether anything was read that is no event of a response
        self.has_event = False  # and anything that is one
        self.id: str | None = None  # the response's
        self.size = 0  # bytes of the event
        self.calls = Calls()
        self.answer = Shown(Text)
        self.thought = Shown(Reasoning)
        self.message = self.answer  # where the open message's text goes
        self.in_answer = False  # whether a delta of text continues what was shown last
        self.thought_kind: str | None = None  # the summary or the full text: of an item that has both, the first counts

    def feed(self, data: bytes, cut: bool = False) -> Iterable[Any]:
        """Returns the event's pieces; `cut`: the end of the stream may have cut it, and broken data is then ignored."""
        if self.in_answer and len(data) <= MAX_DELTA_LENGTH:
            try:
                event = orjson.loads(data)
                delta = event["delta"]
                if event["type"] == TEXT_DELTA and type(delta) is str and delta:
                    return self.thoughts.feed(delta) if self.thoughts else (Text(delta),)
            except (ValueError, TypeError, KeyError):
                pass  # some other event, or one that needs more care
        return self._without_thoughts(self._read(data, cut))

    def close(self) -> Iterator[Any]:
        """Raises ProviderError if the model had not finished."""
        if not self.done:
            yield from self._without_thoughts(self._broken_off())

    def _broken_off(self) -> Iterator[Piece]:
        yield from self.calls.close()
        raise errors.empty() if self.has_document and not self.has_event else errors.broken_off()

    def _without_thoughts(self, pieces: Iterator[Piece]) -> Iterator[Piece]:
        """Yields the pieces, with the thoughts in their text as such; before an error all text that is held."""
        if self.thoughts is None:
            yield from pieces
            return
        try:
            for piece in pieces:
                yield from self.thoughts.feed_all((piece,))
        except ProviderError:
            yield from self.thoughts.finish()
            raise

    def _read(self, data: bytes, cut: bool) -> Iterator[Any]:
        if self.done or not data.strip() or data.lstrip().startswith(b"[DONE]"):
            return
        try:
            self.size = len(data)
            event = load(data)
            if type(event) is dict:
                yield from self._event(event)
        except UNREADABLE as error:
            if cut:
                return
            raise malformed(data) from error

    def _event(self, event: Event) -> Iterator[Piece]:
        kind = event.get("type")
        if kind == "error" or event.get("error"):
            raise errors.reported(event.get("error") or event)
        if kind in READERS:
            self.has_event = True
            yield from READERS[kind](self, event)
        elif type(kind) is str and kind.startswith("response."):
            self.has_event = True  # but of no interest here, such as the progress of a search
        elif "output" in event or event.get("object") == "response":  # it does not stream
            yield from self._end(event)
        elif error := find_error(event):
            raise errors.reported_with_success(error)
        else:
            self.has_document = True
            self.has_event = self.has_event or type(kind) is str

    def _begin(self, event: Event) -> Iterator[Piece]:
        response = event.get("response") or {}
        if type(response.get("id")) is str:
            self.id = response["id"][:MAX_ID_LENGTH]
        return iter(())

    # Items -----------------------------------------------------------------------------------------------------------

    def _start_item(self, event: Event) -> Iterator[Piece]:
        item = _item(event)
        match item["type"]:
            case "message":
                self._start_message(item)
            case "reasoning":
                self.thought.start_item()
                self.thought_kind = None
            case kind if kind in CALL_ITEMS:
                self.in_answer = False
                yield from self.calls.start(item, event)

    def _start_message(self, item: Item) -> None:
        self.in_answer = False
        self.message = self._shown(item)
        self.message.start_item()

    def _shown(self, item: Item) -> "Shown":
        """Returns where a message's text goes: what a model says on its way to the answer is a step."""
        return self.thought if item.get("phase") == "commentary" else self.answer

    def _end_item(self, event: Event) -> Iterator[Piece]:
        item = _item(event)
        if item["type"]:
            self.keep(item)
            yield from self._show_rest(item, event)

    def keep(self, item: Item) -> None:
        """Called with each finished item, as the server sent it."""

    def keep_missing(self, items: list[Item]) -> None:
        """Called at the end with all items, which may not have come one by one."""

    def _show_rest(self, item: Item, event: Event) -> Iterator[Piece]:
        """Shows what no delta has said of a finished item."""
        match item["type"]:
            case "message":
                shown = self._shown(item)
                yield from shown.rest(message_text(item), item.get("id"))
                shown.start_item()
                self.in_answer = False
            case "reasoning":
                yield from self.thought.rest(_thought_text(item), item.get("id"))
                self.thought.start_item()
                self.thought_kind = None
            case kind if kind in CALL_ITEMS:
                yield from self.calls.end(item, event)

    # Deltas ----------------------------------------------------------------------------------------------------------

    def _text_delta(self, event: Event) -> Iterator[Piece]:
        yield from self.message.delta(text_of(event.get("delta")), event.get("item_id"))
        self.in_answer = self.message is self.answer and self.answer.of_item

    def _text_end(self, event: Event) -> Iterator[Piece]:
        text = event.get("text") or event.get("refusal")
        yield from self.message.rest(text_of(text), event.get("item_id"))

    def _thought_delta(self, event: Event) -> Iterator[Piece]:
        kind = event["type"].removesuffix(".delta")
        self.thought_kind = self.thought_kind or kind
        if kind == self.thought_kind:
            yield from self.thought.delta(text_of(event.get("delta")), event.get("item_id"))

    def _thought_part(self, event: Event) -> Iterator[Piece]:
        self.thought.start_part()
        return iter(())

    def _thought_end(self, event: Event) -> Iterator[Piece]:
        yield from self.thought.rest(text_of(event.get("text")), event.get("item_id"))

    def _arguments_delta(self, event: Event) -> Iterator[Piece]:
        yield from self.calls.add(event)

    def _arguments_end(self, event: Event) -> Iterator[Piece]:
        yield from self.calls.complete(event)

    # The end ---------------------------------------------------------------------------------------------------------

    def _end(self, event: Event) -> Iterator[Piece]:
        response = event.get("response") or event
        output = [item for item in response.get("output") or () if type(item) is dict and item.get("type")]
        self.keep_missing(output)
        known = {
            "message": self.answer.any,
            "reasoning": self.thought.any,
            **dict.fromkeys(FUNCTIONS, self.calls.has_function),
            **dict.fromkeys(SERVER_TOOLS, bool(self.calls.server_tool_ids)),
        }
        for item in output:
            if not known.get(item["type"]) or self.calls.is_open(item):
                yield from self._show_rest(item, {})
        yield from self.calls.close()
        self.done = True
        self.in_answer = False
        if type(usage := response.get("usage")) is dict and any(usage.values()):
            yield _usage(usage)
        status = response.get("status") or event.get("type", "").removeprefix("response.")
        if status == "failed":
            raise errors.reported(response.get("error") or {})
        word = (response.get("incomplete_details") or {}).get("reason") or status
        reason = finish_reasons.normalize(word)
        if reason == "cut" or status in ("in_progress", "queued"):
            raise errors.cut_off(str(word))
        if status == "incomplete" and reason != "content_filter":
            reason = "length"
        yield Finish("tool_calls" if reason == "stop" and self.calls.has_function else reason)


class Shown:
    """What the reader was shown of one kind, the answer or the reasoning."""

    def __init__(self, piece: Callable[[str], Piece]) -> None:
        self.piece = piece
        self.any = False
        self.of_item = False  # whether something of the open item was shown
        self.is_new_part = False  # whether the next text begins another item, or another part of one
        self.items: set[str | None] = set()  # ids of items of which something was shown

    def start_item(self) -> None:
        self.of_item = False
        self.is_new_part = True

    def start_part(self) -> None:
        self.is_new_part = True

    def delta(self, text: str, id: Any) -> Iterator[Piece]:
        if not text:
            return
        if self.is_new_part or not self.of_item:
            self.items.add(short_id(id))
            if self.any and self.is_new_part:
                text = PARAGRAPH + text
        self.any = self.of_item = True
        self.is_new_part = False
        yield self.piece(text)

    def rest(self, text: str, id: Any) -> Iterator[Piece]:
        """Yields the whole text, unless deltas have said it."""
        if not self.of_item and (id is None or short_id(id) not in self.items):
            yield from self.delta(text, id)


READERS: dict[str, Callable[[ResponseEvents, Event], Iterator[Piece]]] = {
    "response.created": ResponseEvents._begin,
    "response.queued": ResponseEvents._begin,
    "response.in_progress": ResponseEvents._begin,
    "response.output_item.added": ResponseEvents._start_item,
    "response.output_item.done": ResponseEvents._end_item,
    TEXT_DELTA: ResponseEvents._text_delta,
    "response.output_text.done": ResponseEvents._text_end,
    "response.refusal.delta": ResponseEvents._text_delta,
    "response.refusal.done": ResponseEvents._text_end,
    "response.reasoning_summary_part.added": ResponseEvents._thought_part,
    "response.reasoning_summary_text.delta": ResponseEvents._thought_delta,
    "response.reasoning_summary_text.done": ResponseEvents._thought_end,
    "response.reasoning_text.delta": ResponseEvents._thought_delta,
    "response.reasoning_text.done": ResponseEvents._thought_end,
    "response.reasoning.delta": ResponseEvents._thought_delta,
    "response.reasoning.done": ResponseEvents._thought_end,
    "response.function_call_arguments.delta": ResponseEvents._arguments_delta,
    "response.custom_tool_call_input.delta": ResponseEvents._arguments_delta,
    "response.function_call_arguments.done": ResponseEvents._arguments_end,
    "response.custom_tool_call_input.done": ResponseEvents._arguments_end,
    "response.completed": ResponseEvents._end,
    "response.incomplete": ResponseEvents._end,
    "response.failed": ResponseEvents._end,
    "response.cancelled": ResponseEvents._end,
    "response.done": ResponseEvents._end,
}


def message_text(item: Item) -> str:
    """Returns the text of a finished message; a refusal is text, too."""
    parts = item.get("content")
    if type(parts) is not list:
        return text_of(parts)
    return "".join(text_of(part.get("text") or part.get("refusal")) for part in parts if type(part) is dict)


def _thought_text(item: Item) -> str:
    parts = item.get("summary") or item.get("content") or []
    if type(parts) is not list:
        return text_of(parts)
    return PARAGRAPH.join(text_of(part.get("text")) for part in parts if type(part) is dict)


def _item(event: Event) -> Item:
    item = event.get("item")
    return item if type(item) is dict and type(item.get("type")) is str else {"type": ""}


def _usage(usage: dict[str, Any]) -> Usage:
    input_details = usage.get("input_tokens_details") or {}
    output_details = usage.get("output_tokens_details") or {}
    return Usage(
        usage.get("input_tokens"),
        usage.get("output_tokens"),
        usage.get("total_tokens"),
        output_details.get("reasoning_tokens"),
        input_details.get("cached_tokens"),
    )
