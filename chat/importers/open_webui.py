"""Reads Open WebUI's export of chats, a list of rows whose `chat` has the tree of messages in its `history`."""

import base64
import mmap
from collections.abc import Callable
from functools import partial
from typing import Any

from .base import (
    MAX_TITLE_LENGTH,
    Ancestors,
    ImportedConversation,
    ImportedMessage,
    Source,
    dicts,
    missing_file,
    read_id,
    read_text,
    read_time,
)

ROLES = ("user", "assistant")


def accepts(head: Any, data: mmap.mmap) -> bool:
    """Whether this is such a file; `head` is the JSON without its conversations."""
    return isinstance(head, list) and data.find(b'"history"') >= 0 and data.find(b'"chat"') >= 0


def read_conversation(row: Any, source: Source) -> ImportedConversation:
    chat = row["chat"]
    rows = chat["history"]["messages"]
    images: dict[str, Callable[[], bytes]] = {}
    missing: list[str] = []
    parts_by_id = {
        id: parts
        for id, message in rows.items()
        if message["role"] in ROLES and (parts := _read_parts(message, source, images, missing))
    }
    ancestors = Ancestors({id: message.get("parentId") for id, message in rows.items()}, parts_by_id)
    updated_at = read_time(row.get("updated_at") or row.get("created_at"))
    return ImportedConversation(
        id=read_id(row["id"]),
        title=read_text(row.get("title") or chat.get("title") or "", MAX_TITLE_LENGTH),
        created_at=read_time(row.get("created_at")),
        updated_at=updated_at,
        pinned_at=updated_at if row.get("pinned") else None,
        archived_at=updated_at if row.get("archived") else None,
        leaf_id=ancestors.nearest(chat["history"].get("currentId")),
        images=images,
        missing_files=missing,
        messages=[
            ImportedMessage(
                id=read_id(id),
                parent_id=ancestors.nearest(rows[id].get("parentId")),
                role=rows[id]["role"],
                parts=parts,
                created_at=read_time(rows[id].get("timestamp") or row.get("created_at")),
            )
            for id, parts in parts_by_id.items()
        ],
    )


def _read_parts(
    message: Any, source: Source, images: dict[str, Callable[[], bytes]], missing: list[str]
) -> list[dict[str, Any]]:
    """Returns the parts of a message, and adds its images to `images` and the names of lost files to `missing`.

    An image on the other site's disk becomes a note. Of a file, the export has at most the text that was read from it.
    """
    parts: list[dict[str, Any]] = []
    texts = []
    for file in message.get("files") or ():
        if file.get("type") != "image":
            parts.append(_read_file(file, source, missing))
            continue
        kind, _, data = read_text(file.get("url") or "").partition(";base64,")
        if kind.startswith("data:image/"):
            id = str(len(images))
            images[id] = partial(base64.b64decode, data)
            parts.append({"type": "image", "id": id})
        else:
            texts.append(source.image_note)
    texts.append(read_text(message.get("content") or ""))
    if text := "\n\n".join(filter(str.strip, texts)):
        parts.append({"type": "text", "text": text})
    return parts


def _read_file(file: Any, source: Source, missing: list[str]) -> dict[str, Any]:
    stored = next(iter(dicts([file.get("file")])), {})
    data = next(iter(dicts([stored.get("data")])), {})
    name = file.get("name") or stored.get("filename")
    text = data.get("content") or file.get("content")
    if not isinstance(text, str) or not text.strip() or not isinstance(name, str):
        return missing_file(name, source, missing)
    return {"type": "document", "name": read_text(name, MAX_TITLE_LENGTH), "text": read_text(text)}
