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
    hash_id,
    read_id,
    read_text,
    read_time,
)

# ChatGPT's marks in a text, for sources, names and images: the kind of mark, and its value.
MARK = re.compile("\ue200([^\ue200-\ue202]*+)(?:\ue202([^\ue200\ue201]*+))?\ue201")


def accepts(head: Any, data: mmap.mmap) -> bool:
    """Whether this is such a file; `head` is the JSON without its conversations."""
    return isinstance(head, list) and data.find(b'"mapping"') >= 0


def read_conversation(row: Any, source: Source) -> ImportedConversation:
    """Leaves out hidden nodes and those of the system and of tools; their children move up to the next ancestor."""
    nodes = row["mapping"]
    images: dict[str, Callable[[], bytes]] = {}
    parts_by_id = {}
    for id, node in nodes.items():
        if parts := _read_parts(node.get("message"), source, images):
            parts_by_id[id] = parts
    ancestors = Ancestors({id: node.get("parent") for id, node in nodes.items()}, parts_by_id)
    messages = []
    for id, parts in parts_by_id.items():
        message = nodes[id]["message"]
        messages.append(
            ImportedMessage(
                id=read_id(id),
                parent_id=ancestors.nearest(nodes[id].get("parent")),
                role=message["author"]["role"],
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
    )


def _read_parts(message: Any, source: Source, images: dict[str, Callable[[], bytes]]) -> list[dict[str, Any]]:
    """Returns the parts of a message of the user or the assistant, and an empty list for all others.

    Adds their images to `images`.
    """
    if not message or message["author"]["role"] not in ("user", "assistant"):
        return []
    if (message.get("metadata") or {}).get("is_visually_hidden_from_conversation"):
        return []
    content = message.get("content") or {}
    if content.get("content_type") == "code":
        return [{"type": "text", "text": f"```\n{read_text(content.get('text') or '')}\n```"}]
    if content.get("content_type") not in ("text", "multimodal_text"):
        return []
    parts = []
    texts = []
    for part in content.get("parts") or ():
        if image := _find_image(part, source):
            id = str(len(images))
            images[id] = image
            parts.append({"type": "image", "id": id})
        else:
            texts.append(_read_part(part, source))
    if text := "\n\n".join(text for text in texts if text.strip()):
        parts.append({"type": "text", "text": text})
    return parts


def _find_image(part: Any, source: Source) -> Callable[[], bytes] | None:
    if isinstance(part, str) or part.get("content_type") != "image_asset_pointer":
        return None
    pointer = part.get("asset_pointer")
    return source.find_image(pointer) if isinstance(pointer, str) else None


def _read_part(part: Any, source: Source) -> str:
    """Returns the text of one of ChatGPT's parts. For an image that is not in the file, a note stands in the text."""
    if isinstance(part, str):
        return MARK.sub(_replace_mark, read_text(part))
    if part.get("content_type") == "audio_transcription":
        return read_text(part["text"])
    return source.image_note if part.get("content_type") == "image_asset_pointer" else ""


def _replace_mark(mark: re.Match[str]) -> str:
    """Returns the name from the mark of an entity, whose value is the JSON list [kind, name, …]; else nothing."""
    kind, value = mark.groups()
    try:
        return read_text(json.loads(value or "")[1]) if kind == "entity" else ""
    except (Damaged, ValueError, RecursionError, TypeError, LookupError):
        return ""
