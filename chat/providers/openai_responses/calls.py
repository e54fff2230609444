"""The tool calls of a response -> pieces: functions that we run, and the server's own tools, which it runs itself."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from ...events import Piece, ToolCallArgs, ToolCallEnd, ToolCallResult, ToolCallStart
from ..generated_images import image_pieces
from ..openai.tool_calls import MAX_NAME_LENGTH, short_id

Item = dict[str, Any]


@dataclass(frozen=True)
class ServerTool:
    """A tool that the server runs: what the page shows as its arguments and its result."""

    arguments: Callable[[Item], Any]
    result: Callable[[Item], str] = lambda item: ""


def _lines(values: Any, *names: str) -> str:
    """Returns the first of these fields of each object in a list, a line each."""
    objects = [value for value in values if type(value) is dict] if type(values) is list else []
    texts = (next((value[name] for name in names if type(value.get(name)) is str), "") for value in objects)
    return "\n".join(filter(None, texts))


def _search(item: Item) -> Any:
    action = item.get("action")
    return {name: value for name, value in action.items() if name != "sources"} if type(action) is dict else {}


SERVER_TOOLS = {  # type of item -> its tool
    "web_search_call": ServerTool(
        arguments=_search, result=lambda item: _lines((item.get("action") or {}).get("sources"), "url", "name")
    ),
    "file_search_call": ServerTool(
        arguments=lambda item: {"queries": item.get("queries") or []},
        result=lambda item: _lines(item.get("results"), "filename", "file_id"),
    ),
    "code_interpreter_call": ServerTool(
        arguments=lambda item: {"code": item.get("code") or ""},
        result=lambda item: _lines(item.get("outputs"), "logs", "url"),
    ),
    "image_generation_call": ServerTool(arguments=lambda item: {"prompt": item.get("revised_prompt") or ""}),
    "mcp_call": ServerTool(
        arguments=lambda item: item.get("arguments") or {},
        result=lambda item: _text(item.get("error") or item.get("output") or ""),
    ),
}
FUNCTIONS = {"function_call": "arguments", "custom_tool_call": "input"}  # type of item -> its field of the arguments


@dataclass
class Call:
    id: str
    kind: str  # the item's type
    item_id: str | None
    index: Any  # of the item in the output
    arguments: list[str] = field(default_factory=list)  # the deltas that were shown


class Calls:
    """The calls of one response. `has_function`: whether the model has called one of our functions."""

    def __init__(self) -> None:
        self.has_function = False
        self.server_tool_ids: set[str] = set()
        self._count = 0
        self._ended: set[str | None] = set()  # ids of items and calls
        self._by_item: dict[str | None, Call] = {}  # the open calls by the id of their item
        self._by_index: dict[Any, Call] = {}  # and by their place in the output
        self._open: dict[str, Call] = {}

    def start(self, item: Item, event: dict[str, Any]) -> Iterator[Piece]:
        """Starts a call, unless its name is missing: the end of the item then has all of it."""
        name = _name(item)
        if not name:
            return
        self._count += 1
        kind = item["type"]
        self.has_function = self.has_function or kind in FUNCTIONS
        id = short_id(item.get("call_id")) or short_id(item.get("id")) or f"call_{self._count}"
        if kind in SERVER_TOOLS:
            self.server_tool_ids.add(id)
        call = Call(id, kind, short_id(item.get("id")), event.get("output_index"))
        self._open[id] = call
        self._by_item[call.item_id] = call
        self._by_index[call.index] = call
        yield ToolCallStart(id, name)

    def add(self, event: dict[str, Any]) -> Iterator[Piece]:
        """Adds a delta of arguments to its call."""
        call = self._find(event.get("item_id"), event)
        delta = event.get("delta")
        if call and delta and type(delta) is str:
            call.arguments.append(delta)
            yield ToolCallArgs(call.id, delta)

    def complete(self, event: dict[str, Any]) -> Iterator[Piece]:
        """Adds what the deltas of a call have left out of its arguments."""
        if call := self._find(event.get("item_id"), event):
            yield from self._rest(call, _text(event.get(FUNCTIONS[call.kind]) or ""))

    def is_open(self, item: Item) -> bool:
        return short_id(item.get("call_id")) in self._open

    def end(self, item: Item, event: dict[str, Any]) -> Iterator[Piece]:
        """Ends a call, with what its deltas have not said; starts it before if nothing has announced it."""
        call = self._find(item.get("id"), event, item)
        if call is None:
            if short_id(item.get("call_id") or item.get("id")) in self._ended:
                return
            before = self._last()
            yield from self.start(item, event)
            call = self._last()
            if call is None or call is before:
                return
        yield from self._rest(call, _arguments(item))
        yield from self._close(call)
        if call.kind in SERVER_TOOLS:
            failed = item.get("status") == "failed" or bool(item.get("error"))
            status = str(item.get("status") or "completed")[:MAX_NAME_LENGTH]
            result = SERVER_TOOLS[call.kind].result(item) or status
            yield ToolCallResult(call.id, result, metadata={"error": True} if failed else None)
            if call.kind == "image_generation_call" and not failed:
                yield from image_pieces({"b64_json": item.get("result")})
        self._ended |= {call.id, short_id(item.get("call_id") or item.get("id"))}

    def close(self) -> Iterator[Piece]:
        """Ends the calls that are still open."""
        for call in list(self._open.values()):
            yield from self._close(call)

    def _rest(self, call: Call, arguments: str) -> Iterator[Piece]:
        shown = "".join(call.arguments)
        if arguments.startswith(shown) and len(arguments) > len(shown):
            rest = arguments[len(shown) :]
            call.arguments = [arguments]
            yield ToolCallArgs(call.id, rest)

    def _close(self, call: Call) -> Iterator[Piece]:
        self._open.pop(call.id, None)
        if self._by_item.get(call.item_id) is call:
            del self._by_item[call.item_id]
        if self._by_index.get(call.index) is call:
            del self._by_index[call.index]
        yield ToolCallEnd(call.id)

    def _find(self, id: Any, event: dict[str, Any], item: Item | None = None) -> Call | None:
        """Returns the open call of this event.

        Some servers give each event of an item another id, some give no index or the same to several items.
        """
        index = event.get("output_index")
        candidates = [
            self._by_item.get(short_id(id)) if id else None,
            self._open.get(short_id(item.get("call_id")) or "") if item else None,
            self._by_index.get(index) if index is not None else self._last(),
        ]
        kinds = {item["type"]} if item else FUNCTIONS.keys()
        return next((call for call in candidates if call and call.kind in kinds), None)

    def _last(self) -> Call | None:
        return next(reversed(self._open.values()), None)


def _name(item: Item) -> str:
    kind = item["type"]
    default = kind.removesuffix("_call") if kind in SERVER_TOOLS and kind != "mcp_call" else ""
    return _text(item.get("name") or default)[:MAX_NAME_LENGTH]


def _arguments(item: Item) -> str:
    """Returns the arguments of a finished item."""
    name = FUNCTIONS.get(item["type"])
    arguments = item.get(name) if name else SERVER_TOOLS[item["type"]].arguments(item)
    return _text(arguments or "")


def _text(value: Any) -> str:
    return value if type(value) is str else json.dumps(value, ensure_ascii=False)
