"""Reads Claude's conversations.json, a list of conversations that each have `chat_messages`."""

import mmap
from typing import Any

from .base import (
    MAX_TITLE_LENGTH,
    Ancestors,
    Damaged,
    ImportedConversation,
    ImportedMessage,
    Source,
    dicts,
    missing_file,
    read_id,
    read_text,
    read_time,
)

ROLES = {"human": "user", "assistant": "assistant"}


def accepts(head: Any, data: mmap.mmap) -> bool:
    """Whether this is such a file; `head` is the JSON without its conversations."""
    return isinstance(head, list) and data.find(b'"chat_messages"') >= 0


def read_conversation(row: Any, source: Source) -> ImportedConversation:
    """Reads texts, thoughts and the texts of attached files. Of other files and images, the export has the names only.

    Tools are left out.
    """
    rows = {message["uuid"]: message for message in row["chat_messages"]}
    if len(rows) < len(row["chat_messages"]):
        raise Damaged("repeated_ids")
    missing: list[str] = []
    parts_by_id = {id: parts for id, message in rows.items() if (parts := _read_parts(message, source, missing))}
    parents = _parents(rows)
    ancestors = Ancestors(parents, parts_by_id)
    return ImportedConversation(
        id=read_id(row["uuid"]),
        title=read_text(row.get("name") or "", MAX_TITLE_LENGTH),
        created_at=read_time(row.get("created_at")),
        updated_at=read_time(row.get("updated_at") or row.get("created_at")),
        missing_files=missing,
        leaf_id=ancestors.nearest(row.get("current_leaf_message_uuid")),
        messages=[
            ImportedMessage(
                id=read_id(id),
                parent_id=ancestors.nearest(parents[id]),
                role=ROLES[rows[id]["sender"]],
                parts=parts,
                created_at=read_time(rows[id].get("created_at") or row.get("created_at")),
            )
            for id, parts in parts_by_id.items()
        ],
    )


def _parents(rows: dict[str, Any]) -> dict[str, Any]:
    """Returns the id of each message's parent. In older exports each message follows the one before."""
    if any("parent_message_uuid" in message for message in rows.values()):
        return {id: message.get("parent_message_uuid") for id, message in rows.items()}
    return dict(zip(rows, [None, *rows], strict=False))


def _read_parts(message: Any, source: Source, missing: list[str]) -> list[dict[str, Any]]:
    parts = [
        {
            "type": "document",
            "name": read_text(file.get("file_name") or "", MAX_TITLE_LENGTH),
            "text": read_text(file["extracted_content"]),
        }
        for file in message.get("attachments") or ()
        if file.get("extracted_content")
    ]
    with_text = {file.get("file_name") for file in message.get("attachments") or () if file.get("extracted_content")}
    for file in [*(message.get("attachments") or ()), *dicts(message.get("files"))]:
        if not file.get("extracted_content") and file.get("file_name") not in with_text:
            parts.append(missing_file(file.get("file_name"), source, missing))
            with_text.add(file.get("file_name"))
    texts = []
    for block in message.get("content") or ():
        if block["type"] == "thinking" and block.get("thinking"):
            parts.append({"type": "reasoning", "text": read_text(block["thinking"])})
        elif block["type"] == "text":
            texts.append(read_text(block["text"]))
    text = "\n\n".join(filter(str.strip, texts)) or read_text(message.get("text") or "")
    return [*parts, {"type": "text", "text": text}] if text.strip() else parts
