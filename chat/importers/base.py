"""What an importer reads from a file, and how it reads values. Everything in a file is checked."""

import hashlib
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from ..events import clean_text

MAX_ID_LENGTH = 200
MAX_TITLE_LENGTH = 200
MAX_REPORTS = 100  # of what was left out
IMAGE_CPU_TIME = 120  # seconds for all images of an import; images after that are left out
FILE_TIME = 90  # seconds for all its other files; files after that are left out
EPOCH = datetime.fromtimestamp(0, UTC)


@dataclass
class ImportedMessage:
    id: str  # as in the file
    parent_id: str | None
    role: str
    parts: list[dict[str, Any]]
    created_at: datetime
    feedback: dict[str, str] | None = None


@dataclass
class ImportedConversation:
    id: str  # as in the file
    title: str
    created_at: datetime
    updated_at: datetime
    messages: list[ImportedMessage]
    leaf_id: str | None = None
    pinned_at: datetime | None = None
    archived_at: datetime | None = None
    assistant: str | None = None  # its slug
    images: dict[str, Callable[[], bytes]] = field(default_factory=dict)  # id in the file -> returns an image file
    missing_files: list[str] = field(default_factory=list)  # names


@dataclass(frozen=True)
class Source:
    """What an importer may need beside the conversation."""

    image_note: str  # a text in place of an image that is not in the file
    file_note: str = "(a file)"  # the same for another kind of file, below its name
    find_file: Callable[[str], Callable[[], bytes] | None] = lambda id: None  # among the files beside this one
    read_document: Callable[[str, Callable[[], bytes]], str | None] = lambda name, read: None  # returns its text


def dicts(value: Any) -> list[dict[str, Any]]:
    """Returns the dicts in a list, and nothing for other values: for fields whose loss costs little."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def missing_file(name: Any, source: Source, missing: list[str]) -> dict[str, Any]:
    """Returns the part in place of a file that is not imported, and adds its name to `missing`."""
    missing.append(read_text(name if isinstance(name, str) and name else "?", MAX_TITLE_LENGTH))
    return {"type": "document", "name": missing[-1], "text": source.file_note}


class Damaged(Exception):
    """Something in the file is not what the format says; `code` says what."""

    def __init__(self, code: str = "damaged") -> None:
        super().__init__(code)
        self.code = code


def read_text(value: Any, max_length: int | None = None) -> str:
    if not isinstance(value, str):
        raise Damaged
    return clean_text(value)[:max_length]


def read_id(value: Any) -> str:
    """Reads the id of a conversation or a message. A very long one is replaced by its hash."""
    id = read_text(value)
    return id if len(id) <= MAX_ID_LENGTH else hash_id(id)


def hash_id(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def read_optional_id(value: Any) -> str | None:
    return None if value is None else read_id(value)


def read_time(value: Any) -> datetime:
    """Reads ISO 8601 or seconds since 1970; returns the current time for anything else, and for the future."""
    now = datetime.now(UTC)
    try:
        if isinstance(value, str):
            time = datetime.fromisoformat(value)
            time = time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
        else:
            time = datetime.fromtimestamp(float(value), UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        return now
    return min(max(time, EPOCH), now)


class Ancestors:
    """For importers that leave out some messages, whose children then move up."""

    def __init__(self, parents: Mapping[str, Any], imported: Container[str]) -> None:
        self._parents = parents
        self._imported = imported
        self._nearest: dict[str, str | None] = {}  # of messages that are left out: none of them is passed twice

    def nearest(self, id: Any) -> str | None:
        """Returns the id of this message or the first one above it that is imported, or None."""
        passed = []
        while id is not None and id not in self._imported and id not in self._nearest:
            self._nearest[id] = None  # until it is known; ends a cycle as well
            passed.append(id)
            id = self._parents.get(id)
        found = None if id is None else id if id in self._imported else self._nearest[id]
        for other in passed:
            self._nearest[other] = found
        return None if found is None else read_id(found)


def parents_first(messages: list[ImportedMessage]) -> list[ImportedMessage]:
    """Returns the messages so that each comes after its parent, and is later than it. A missing parent makes a root.

    Raises Damaged if they are no trees.
    """
    by_id = {message.id: message for message in messages}
    if len(by_id) < len(messages):
        raise Damaged("repeated_ids")
    children: dict[str | None, list[ImportedMessage]] = {}
    for message in sorted(messages, key=lambda message: message.created_at):
        if message.parent_id not in by_id:
            message.parent_id = None
        children.setdefault(message.parent_id, []).append(message)
    waiting = children.get(None, [])[::-1]
    ordered = []
    while waiting:
        message = waiting.pop()
        if message.parent_id is not None:
            earliest = by_id[message.parent_id].created_at + timedelta(microseconds=1)
            message.created_at = max(message.created_at, earliest)
        ordered.append(message)
        waiting += children.get(message.id, [])[::-1]
    if len(ordered) < len(messages):
        raise Damaged("no_tree")
    return ordered
