"""Reads the exports of this site."""

import base64
import mmap
from functools import partial
from typing import Any

from ..file_text import file_text
from ..parts import read_part
from .base import (
    MAX_TITLE_LENGTH,
    Damaged,
    ImportedConversation,
    ImportedMessage,
    Source,
    read_id,
    read_optional_id,
    read_text,
    read_time,
)

FORMAT = "chat-export"
VERSION = 1


def accepts(head: Any, data: mmap.mmap) -> bool:
    """Whether this is such a file; `head` is the JSON without its conversations."""
    return isinstance(head, dict) and head.get("format") == FORMAT


def read_conversation(row: Any, source: Source) -> ImportedConversation:
    return ImportedConversation(
        id=read_id(row["id"]),
        title=read_text(row["title"], MAX_TITLE_LENGTH),
        created_at=read_time(row["created_at"]),
        updated_at=read_time(row["updated_at"]),
        pinned_at=read_time(row["pinned_at"]) if row.get("pinned_at") else None,
        archived_at=read_time(row["archived_at"]) if row.get("archived_at") else None,
        leaf_id=read_optional_id(row.get("leaf_id")),
        assistant=read_optional_id(row.get("assistant")),
        messages=[_read_message(message, row.get("files") or {}) for message in row["messages"]],
        images={id: partial(_read_image, image) for id, image in (row.get("images") or {}).items()},
    )


def _read_image(image: Any) -> bytes:
    return base64.b64decode(image["data"])


def _read_message(message: Any, files: Any) -> ImportedMessage:
    return ImportedMessage(
        id=read_id(message["id"]),
        parent_id=read_optional_id(message["parent_id"]),
        role=read_text(message["role"]),
        parts=[_read_part(part, files) for part in message["parts"]],
        created_at=read_time(message["created_at"]),
        feedback=_read_feedback(message["feedback"]) if message.get("feedback") else None,
    )


def _read_part(value: Any, files: Any) -> dict[str, Any]:
    """Reads a part; a file comes back as the text that was read from it."""
    part = read_part(value)
    if part["type"] != "file" or part["id"] not in files:
        return part
    text = file_text({**part, "units": [_read_unit(unit) for unit in files[part["id"]]["units"]]})
    lines = text.strip().split("\n")[1:-1]  # without the frame, which a document gets again
    return {"type": "document", "name": part["name"][:MAX_TITLE_LENGTH], "text": "\n".join(lines)}


def _read_unit(unit: Any) -> dict[str, str]:
    return {name: read_text(unit[name]) for name in ("label", "text")}


def _read_feedback(feedback: Any) -> dict[str, str]:
    if feedback["rating"] not in ("up", "down"):
        raise Damaged
    return {
        "rating": feedback["rating"],
        "reason": read_text(feedback["reason"], 100),
        "comment": read_text(feedback["comment"], 5000),
    }
