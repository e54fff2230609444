"""Deltas of tool calls, in the many shapes that servers send -> pieces."""

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from ...events import Piece, ToolCallArgs, ToolCallEnd, ToolCallStart

MAX_NAME_LENGTH = 200  # characters of a tool's name, or of a call's id, which comes back in every event of the call
MAX_HELD_LENGTH = 2_000_000  # characters of arguments that are held until they can be read
STRUCTURE = re.compile(r'\\.|["{}\[\]]', re.DOTALL)
PLACEHOLDERS = ("{}", "null", "{ }")  # which some servers send before the arguments


class ToolCallDeltas:
    """Deltas of tool calls -> pieces.

    A delta belongs to the call of its id, else to the call of its index, else to the last one. Many servers send the
    same index or none for all calls, or ids that change: then a delta with a name begins a new call if the arguments of
    the call before it are complete.

    A call starts when `is_name(its name)` holds, else when its arguments do, because until then its name may grow.
    `on_entry(number of the call, entry)` is called with each entry of a delta.
    """

    def __init__(
        self,
        is_name: Callable[[str], bool] = lambda name: False,
        on_entry: Callable[[int, dict[str, Any]], None] = lambda number, entry: None,
    ) -> None:
        self.is_name = is_name
        self.on_entry = on_entry
        self.current: _Call | None = None  # to which the last delta belonged
        self.count = 0
        self.calls: list[_Call] = []  # that are open
        self.by_id: dict[str, _Call] = {}
        self.by_index: dict[Any, _Call] = {}
        self.used_ids: set[str] = set()

    def feed_all(self, calls: Any, limit: int | None = None) -> Iterator[Piece]:
        """Yields the pieces of a delta's `tool_calls`: a list, of which `limit` are read, or an object."""
        entries = _entries(calls)[:limit]
        for position, entry in enumerate(entries):
            function = entry.get("function")
            if type(function) is not dict:
                function = entry | ({"name": function} if type(function) is str else {})
            index = _index(entry.get("index"))
            if index is None and len(entries) > 1 and not entry.get("id"):
                index = position
            arguments = next(
                (function[name] for name in ("arguments", "parameters", "input") if name in function), None
            )
            yield from self.feed(index, entry.get("id"), function.get("name"), arguments)
            if self.current:
                self.on_entry(self.current.number, entry)

    def feed(self, index: Any, id: Any, name: Any, arguments: Any) -> Iterator[Piece]:
        id = short_id(id)
        name = str(name)[:MAX_NAME_LENGTH] if name else ""
        if not (name or id or arguments):
            return
        if arguments is not None and type(arguments) is not str:
            arguments = json.dumps(arguments)
        call = self._find(index, id, name, arguments or "")
        if call is None:
            if self.calls and not (len(self.calls) > 1 and self.calls[-1].is_repetition_of(self.calls[-2])):
                yield from self.calls[-1].start_if_named()
            call = self._new(index)
        self.current = call
        if id:
            self.by_id.setdefault(id, call)
            call.given_id = call.given_id or id
        if index is not None:
            self.by_index[index] = call
        yield from call.add(name, arguments or "")

    def close(self) -> Iterator[Piece]:
        for before, call in zip([None, *self.calls], self.calls, strict=False):
            if before is None or not call.is_repetition_of(before):
                yield from call.close()
        self.calls.clear()
        self.by_id.clear()
        self.by_index.clear()

    def _find(self, index: Any, id: str | None, name: str, arguments: str) -> "_Call | None":
        """Returns the call that the delta belongs to, None if it begins a new one."""
        call = self.by_id.get(id) if id else None
        if call is not None:
            if index is None or call.index in (None, index):
                return call
            other = self.by_index.get(index)  # some servers give all calls the same id
            return other if other or name else call
        call = self.by_index.get(index) if index is not None else self.calls[-1] if self.calls else None
        if call is None or not name:
            return call
        has_own_id = id is not None and call.given_id is not None
        return call if call.is_continued_by(name, arguments, has_own_id, index is not None) else None

    def _new(self, index: Any) -> "_Call":
        call = _Call(self, index, self.count)
        self.calls.append(call)
        self.count += 1
        return call


class _Call:
    """One tool call while its deltas come."""

    def __init__(self, calls: ToolCallDeltas, index: Any, number: int):
        self.all = calls
        self.index = index
        self.number = number
        self.given_id: str | None = None
        self.id = ""  # in the pieces, once it has started
        self.name = ""
        self.arguments = _Arguments()
        self.held: list[str] = []  # arguments, until it has a name

    def is_continued_by(self, name: str, arguments: str, has_own_id: bool, has_index: bool) -> bool:
        """Whether a delta with this name is one of this call. `has_own_id`: its id differs from the call's."""
        if not self.arguments.has_some:
            return not has_own_id and (has_index or not arguments or name.startswith(self.name))
        if self.arguments.is_complete():
            return not has_own_id and name == self.name and bool(arguments) and self.arguments.repeats(arguments)
        return name == self.name or not self.name

    def is_repetition_of(self, other: "_Call") -> bool:
        """Whether it is nothing but the name of the call before it, once more."""
        return not (self.given_id or self.arguments.has_some) and self.name == other.name

    def add(self, name: str, arguments: str) -> Iterator[Piece]:
        if name and not self.id:
            # It is the first, or repeated, or grows; or it comes in pieces.
            self.name = (name if name.startswith(self.name) else self.name + name)[:MAX_NAME_LENGTH]
            if self.all.is_name(self.name):
                yield from self._start()
        if arguments and (delta := self.arguments.add(arguments)):
            yield from self._send(delta)

    def start_if_named(self) -> Iterator[Piece]:
        if self.name and not self.id:
            yield from self._start()

    def close(self) -> Iterator[Piece]:
        rest = self.arguments.close()
        if rest:
            yield from self._send(rest)
        if not self.id and (self.name or self.held or self.given_id):
            yield from self._start()
        if self.id:
            yield ToolCallEnd(self.id)

    def _send(self, delta: str) -> Iterator[Piece]:
        if not self.id and not self.name and self.arguments.length <= MAX_HELD_LENGTH:
            self.held.append(delta)
            return
        if not self.id:
            yield from self._start()
        yield ToolCallArgs(self.id, delta)

    def _start(self) -> Iterator[Piece]:
        self.id = self._unique_id()
        yield ToolCallStart(self.id, self.name or "unknown")
        if self.held:
            yield ToolCallArgs(self.id, "".join(self.held))
            self.held = []

    def _unique_id(self) -> str:
        id = first = self.given_id or f"call_{self.number}"
        number = 1
        while id in self.all.used_ids:
            number += 1
            id = f"{first}_{number}"
        self.all.used_ids.add(id)
        return id


class _Arguments:
    """The arguments of one call: `add` returns what a delta adds to their JSON text.

    Some servers repeat in each delta what they have sent, some all of it at the end, some begin with a placeholder, and
    some send a JSON string that contains the JSON.
    """

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.length = 0
        self.last = ""  # character, except spaces
        self.is_growing = False  # each delta repeats the ones before
        self.quoted: list[str] | None = None  # a JSON string, until its end
        self.placeholder = ""
        self.unread: list[str] = []  # parts of which the depth is not known yet
        self.depth = 0
        self.in_string = False
        self.has_depth = False

    @property
    def has_some(self) -> bool:
        return bool(self.length or self.placeholder)

    def add(self, delta: str) -> str:
        start = delta.lstrip()[:1]
        if self.quoted is not None or (start == '"' and not self.length):
            return self._add_quoted(delta)
        if not self.length and delta.strip() in PLACEHOLDERS:
            self.placeholder = delta
            return ""
        self.placeholder = ""
        if start == "{" and self.length:
            if self.is_complete() and self.repeats(delta):
                return ""
            is_value = self.last in (":", "[", ",")  # the next object belongs here
            if (self.is_growing and len(delta) >= self.length) or (len(delta) > self.length and not is_value):
                delta = self._without_repeated(delta)
        return self._append(delta)

    def repeats(self, delta: str) -> bool:
        """Whether the delta is what was sent so far, perhaps with other spaces."""
        if self.placeholder:
            return delta.strip() == self.placeholder.strip()
        if (
            not self.length / 2 - 100 < len(delta) < self.length * 2 + 100
        ):  # reading it all costs no more than the delta
            return False
        text = "".join(self.parts)
        try:
            return delta.strip() == text.strip() or json.loads(delta) == json.loads(text)
        except (ValueError, RecursionError):
            return False

    def is_complete(self) -> bool:
        """Whether they are a whole JSON object; reads each part once."""
        if self.placeholder:
            return True
        if self.quoted is not None:
            return self.length > 1 and self.quoted[-1].rstrip().endswith('"')
        text = "".join(self.unread)
        self.unread = []
        if (len(text) - len(text.rstrip("\\"))) % 2:
            text = text[:-1]
            self.unread.append("\\")
        for match in STRUCTURE.finditer(text):
            character = match[0]
            if character == '"':
                self.in_string = not self.in_string
            elif character[0] != "\\" and not self.in_string:
                self.depth += 1 if character in "{[" else -1
                self.has_depth = True
        return self.has_depth and self.depth <= 0 and not self.in_string

    def close(self) -> str:
        """Returns what was held until the end."""
        if self.quoted is None:
            return "" if self.placeholder.strip() == "null" else self.placeholder
        text = "".join(self.quoted)
        try:
            inner = json.loads(text, strict=False)
        except ValueError:
            return text
        return inner if type(inner) is str and inner.lstrip().startswith(("{", "[")) else text

    def _append(self, delta: str) -> str:
        self.parts.append(delta)
        self.unread.append(delta)
        self.length += len(delta)
        self.last = delta.rstrip()[-1:] or self.last
        return delta

    def _add_quoted(self, delta: str) -> str:
        if self.quoted is None:
            self.quoted = []
        self.quoted.append(delta)
        self.length += len(delta)
        if self.length <= MAX_HELD_LENGTH:
            return ""
        text = "".join(self.quoted)
        self.quoted = None
        return text

    def _without_repeated(self, delta: str) -> str:
        text = "".join(self.parts)
        if not delta.startswith(text):
            return delta
        self.is_growing = True
        return delta[len(text) :]


def short_id(id: Any) -> str | None:
    """Returns the id as text, or its digest if it is very long; None if there is none."""
    if not id:
        return None
    text = str(id)
    return text if len(text) <= MAX_NAME_LENGTH else hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def _entries(calls: Any) -> list[dict[str, Any]]:
    if type(calls) is dict:
        calls = [calls] if "function" in calls or "name" in calls or "arguments" in calls else list(calls.values())
    return [call for call in calls if type(call) is dict] if type(calls) is list else []


def _index(value: Any) -> Any:
    return int(value) if type(value) is str and value.isascii() and value.isdigit() and len(value) < 10 else value
