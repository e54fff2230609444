"""Finds the conversations in a large JSON file without reading all of it into memory.

A broken conversation must not prevent the import of the others: each is cut out by its brackets and parsed alone.
"""

import json
import mmap
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from ..worker_process import TaskRefused, allow_memory

# All up to the next bracket that is not in a string, and that bracket; or `"` where a string begins that never ends.
# A plus after a quantifier makes it possessive (no backtracking): the time is linear, whatever the file.
TO_BRACKET = re.compile(rb'(?:[^"\[\]{}]++|"(?:[^"\\]++|\\.)*+")*+([\[\]{}"]?)', re.DOTALL)
CONVERSATIONS = re.compile(rb'(?<!\\)"conversations"[ \t\r\n]*:[ \t\r\n]*\Z')
MAX_KEY_BYTES = 100  # of that key with its spaces
BETWEEN_ITEMS = b" \t\r\n,"
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
MAX_HEAD_BYTES = 1_000_000  # of a file without its conversations
MAX_DEPTH = 100_000  # far more than the parser accepts
MAX_CONVERSATIONS = 50_000
MAX_CONVERSATION_BYTES = 100_000_000  # images are text in our own exports


@dataclass
class Scan:
    """Where the conversations of a file are.

    `head` is the file without them: an empty list, or an object with an empty list. `has_others` says that the list has
    items that are not objects, `is_cut` that the file ends too early.
    """

    head: Any = None
    spans: list[tuple[int, int]] = field(default_factory=list)
    has_others: bool = False
    is_cut: bool = False


@contextmanager
def map_file(path: str) -> Iterator[mmap.mmap]:
    with open(path, "rb") as file:
        size = file.seek(0, 2)
        if not size:
            raise TaskRefused("not_json")
        with allow_memory(size), mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            yield data


def parse(data: mmap.mmap, span: tuple[int, int]) -> Any:
    """Raises ValueError or RecursionError if this is not JSON, MemoryError if it is too large."""
    start, end = span
    if end - start > MAX_CONVERSATION_BYTES:
        raise MemoryError
    return json.loads(str(memoryview(data)[start:end], "utf-8"))


def scan(data: mmap.mmap) -> Scan:
    """Raises TaskRefused if the file is not JSON that could contain conversations."""
    found = Scan()
    begin = len(BYTE_ORDER_MARK) if data[:3] == BYTE_ORDER_MARK else 0
    root = depth = list_depth = list_start = list_end = item_start = 0
    for match in TO_BRACKET.finditer(data, begin):
        bracket, at = match.group(1), match.end() - 1
        if bracket in (b"", b'"'):
            found.is_cut = True
            break
        is_between_items = depth == list_depth > 0 and not list_end
        if is_between_items and not found.has_others:
            found.has_others = bool(data[match.start() : at].strip(BETWEEN_ITEMS)) or bracket == b"["
        if bracket in b"[{":
            if depth == 0:
                root = at
                if data[begin:at].strip():
                    raise TaskRefused("not_json")
            if is_between_items:
                item_start = at
            depth += 1
            if depth > MAX_DEPTH:
                raise TaskRefused("not_json")
            if not list_depth and _opens_list(data, bracket, at, depth):
                list_depth, list_start = depth, at + 1
            continue
        depth -= 1
        if is_between_items:
            list_end = at
        elif depth == list_depth > 0 and not list_end and data[item_start : item_start + 1] == b"{":
            found.spans.append((item_start, at + 1))
            if len(found.spans) > MAX_CONVERSATIONS:
                raise TaskRefused("too_many_conversations")
        if depth <= 0:
            break
    if not list_depth or (found.is_cut and not found.spans):
        is_whole = not found.is_cut and data[root : root + 1] == b"{" and bracket == b"}"
        raise TaskRefused("unknown_format" if is_whole else "not_json")
    found.head = _parse_head(data, begin, list_start, list_end, None if found.is_cut else match.end())
    return found


def _opens_list(data: mmap.mmap, bracket: bytes, at: int, depth: int) -> bool:
    if bracket == b"{" or depth > 2:
        return False
    return depth == 1 or bool(CONVERSATIONS.search(data[max(0, at - MAX_KEY_BYTES) : at]))


def _parse_head(data: mmap.mmap, begin: int, list_start: int, list_end: int, end: int | None) -> Any:
    """Parses the file without the items of the list. Of a file that is cut, the part before the list."""
    if list_start - begin + (end - list_end if end else 0) > MAX_HEAD_BYTES:
        raise TaskRefused("unknown_format")
    before = data[begin:list_start]
    after = data[list_end:end] if end else (b"]" if before.lstrip()[:1] == b"[" else b"]}")
    try:
        return json.loads(before + after)
    except (ValueError, RecursionError):
        raise TaskRefused("not_json") from None
