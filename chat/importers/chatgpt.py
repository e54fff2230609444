"""Reads ChatGPT's conversations.json, a list of conversations that each map ids to the nodes of a tree."""

import json
import mmap
import re
from collections.abc import Callable
from typing import Any

from .base import (
    MAX_TITLE_LENGTH,
    Ancestors,
    Damaged,
    ImportedConversation,
    ImportedMessage,
    Source,
    dicts,
    hash_id,
    missing_file,
    read_id,
    read_text,
    read_time,
)

READING_TOOLS = ("browser", "file_search", "myfiles_browser", "web")  # their images are pages that the model has read
# ChatGPT's marks in a text, for sources, names and images: the kind of mark, and its value.
MARK = re.compile("\ue200([^\ue200-\ue202]*+)(?:\ue202([^\ue200\ue201]*+))?\ue201")


def accepts(head: Any, data: mmap.mmap) -> bool:
    """Whether this is such a file; `head` is the JSON without its conversations."""
    return isinstance(head, list) and data.find(b'"mapping"') >= 0


def read_conversation(row: Any, source: Source) -> ImportedConversation:
    """Leaves out hidden nodes, those of the system and those of tools without images.

    Their children move up to the next ancestor. Images that a tool made are an answer.
    """
    nodes = row["mapping"]
    images: dict[str, Callable[[], bytes]] = {}
    missing: list[str] = []
    parts_by_id = {}
    for id, node in nodes.items():
        if parts := _read_parts(node.get("message"), source, images, missing):
            parts_by_id[id] = parts
    ancestors = Ancestors({id: node.get("parent") for id, node in nodes.items()}, parts_by_id)
    messages = []
    for id, parts in parts_by_id.items():
        message = nodes[id]["message"]
        messages.append(
            ImportedMessage(
                id=read_id(id),
                parent_id=ancestors.nearest(nodes[id].get("parent")),
                role="user" if message["author"]["role"] == "user" else "assistant",
                parts=parts,
                created_at=read_time(message.get("create_time") or row.get("create_time")),
            )
        )
    updated_at = read_time(row.get("update_time") or row.get("create_time"))
    return ImportedConversation(
        id=read_id(row.get("conversation_id") or row.get("id") or hash_id(json.dumps(sorted(nodes)))),
        title=read_text(row.get("title") or "", MAX_TITLE_LENGTH),
        created_at=read_time(row.get("create_time")),
        updated_at=updated_at,
        archived_at=updated_at if row.get("is_archived") else None,
        leaf_id=ancestors.nearest(row.get("current_node")),
        messages=messages,
        images=images,
        missing_files=missing,
    )


def _read_parts(
    message: Any, source: Source, images: dict[str, Callable[[], bytes]], missing: list[str]
) -> list[dict[str, Any]]:
    """Returns the parts of a message; none if it is not shown to the user.

    Adds their images to `images`, and the names of files that are left out to `missing`.
    """
    role = message["author"]["role"] if message else ""
    if role not in ("user", "assistant", "tool"):
        return []
    metadata = message.get("metadata") or {}
    if metadata.get("is_visually_hidden_from_conversation"):
        return []
    content = message.get("content") or {}
    if role == "tool":
        if content.get("content_type") != "multimodal_text" or message["author"].get("name") in READING_TOOLS:
            return []
        content_parts = [part for part in content.get("parts") or () if _is_image(part)]  # the texts are for the model
    elif content.get("content_type") == "code":
        return [{"type": "text", "text": f"```\n{read_text(content.get('text') or '')}\n```"}]
    elif content.get("content_type") in ("text", "multimodal_text"):
        content_parts = content.get("parts") or []
    else:
        return []
    parts = _attached_files(metadata, source, missing) if role == "user" else []
    texts = []
    for content_part in content_parts:
        if image := _find_image(content_part, source):
            id = str(len(images))
            images[id] = image
            parts.append({"type": "image", "id": id})
        else:
            texts.append(_read_content_part(content_part, source))
    if text := "\n\n".join(text for text in texts if text.strip()):
        parts.append({"type": "text", "text": text})
    return parts


def _attached_files(metadata: Any, source: Source, missing: list[str]) -> list[dict[str, Any]]:
    """Returns parts with the texts of the files that were sent with a message; images are in its content."""
    return [
        _read_file(file, source) or missing_file(file.get("name"), source, missing)
        for file in dicts(metadata.get("attachments"))
        if not str(file.get("mime_type") or file.get("mimeType") or "").startswith("image/")
    ]


def _read_file(file: dict[str, Any], source: Source) -> dict[str, Any] | None:
    """Returns a document with the text of a file; None if the export does not have it or it cannot be read."""
    id, name = file.get("id"), file.get("name")
    if not isinstance(id, str) or not isinstance(name, str):
        return None
    read = source.find_file(id)
    name = read_text(name, MAX_TITLE_LENGTH)
    text = source.read_document(name, read) if read else None
    return {"type": "document", "name": name, "text": text} if text else None


def _is_image(content_part: Any) -> bool:
    return not isinstance(content_part, str) and content_part.get("content_type") == "image_asset_pointer"


def _find_image(content_part: Any, source: Source) -> Callable[[], bytes] | None:
    if not _is_image(content_part):
        return None
    pointer = content_part.get("asset_pointer")
    return source.find_file(pointer) if isinstance(pointer, str) else None


def _read_content_part(content_part: Any, source: Source) -> str:
    """Returns the text of one of ChatGPT's parts. For an image that is not in the file, a note stands in the text."""
    if isinstance(content_part, str):
        return MARK.sub(_replace_mark, read_text(content_part))
    if content_part.get("content_type") == "audio_transcription":
        return read_text(content_part["text"])
    return source.image_note if _is_image(content_part) else ""


def _replace_mark(mark: re.Match[str]) -> str:
    """Returns the name from the mark of an entity, whose value is the JSON list [kind, name, …]; else nothing."""
    kind, value = mark.groups()
    try:
        return read_text(json.loads(value or "")[1]) if kind == "entity" else ""
    except (Damaged, ValueError, RecursionError, TypeError, LookupError):
        return ""
