"""Copies a shared conversation for one of its readers, who continues in the copy."""

import uuid
from typing import Any

from django.db.models.functions import Length
from django.utils import timezone
from django.utils.translation import gettext

from ..errors import Refused
from ..executors import DatabaseThread
from ..models import Assistant, Attachment, Conversation, Share
from ..parts import attachment_id
from ..per_loop import PerLoop
from ..slots import Slots
from .save import Importer

MAX_AT_A_TIME = 4
MAX_WAITING = 100
MAX_WAITING_PER_USER = 3
WAIT_TIMEOUT = 30  # seconds

Message = dict[str, Any]  # as a Share has it

slots = PerLoop(
    lambda: Slots(
        MAX_AT_A_TIME,
        1,
        max_waiting=MAX_WAITING,
        max_waiting_per_key=MAX_WAITING_PER_USER,
        wait_timeout=WAIT_TIMEOUT,
    )
)


async def copy_share(user: Any, share: Share, key: str | None = None) -> Conversation:
    """Returns a new conversation of the user's with the messages and images that readers of the share see.

    Files are left out: readers see their names alone. The assistant is the one that answered last, or the default one
    if that is not offered. The same `key` again returns the same conversation. Raises Refused.
    """
    file_note = gettext("(Only the name of this file was shared.)")
    async with slots.get().hold(user.pk):
        thread = DatabaseThread("copy")
        try:
            return await thread.run(_copy, user, share, key or uuid.uuid4().hex, file_note)
        finally:
            await thread.close()


def _copy(user: Any, share: Share, key: str, file_note: str) -> Conversation:
    ids = {id for message in share.messages for part in message["parts"] if (id := attachment_id(part))}
    images = Attachment.objects.filter(message__conversation_id=share.conversation_id, file=None, pk__in=ids)
    sizes = {str(pk): size for pk, size in images.annotate(size=Length("data")).values_list("pk", "size")}
    Attachment.objects.check_quota(user.pk, sum(sizes.values()))

    def copied(part: Any) -> list[dict[str, Any]]:
        if part["type"] == "file":
            return [{"type": "document", "name": part["name"], "text": file_note}]
        id = attachment_id(part)
        if id is None:
            return [part]
        return [{"attachment": {**part, "size": sizes[id]}}] if id in sizes else []

    messages = [
        {
            "id": str(index),
            "parent_id": str(index - 1) if index else None,
            "role": message["role"],
            "parts": [new for part in message["parts"] for new in copied(part)],
            "created_at": message["created_at"],
            "feedback": None,
        }
        for index, message in enumerate(share.messages)
    ]
    if messages[-1]["role"] == "assistant":
        messages[-1]["parts"].append({"type": "copied", "shared_at": share.created_at.isoformat()})
    now = timezone.now().isoformat()
    imported = {
        "id": f"share {share.pk} {key}",
        "title": share.title,
        "leaf_id": None,
        "assistant": _assistant(share.messages),
        "created_at": now,
        "updated_at": now,
        "pinned_at": None,
        "archived_at": None,
        "messages": messages,
    }
    importer = Importer(user, lambda image: bytes(images.values_list("data", flat=True).get(pk=image["id"])))
    importer.save(imported)
    for left_out in importer.left_out:  # another request has used up the space in the meantime
        raise Refused(left_out["reason"], "storage_full", 413)
    rows = Conversation.objects.visible_to(user).select_related("assistant")
    return rows.get(pk=importer.id_of(imported))


def _assistant(messages: list[Message]) -> str | None:
    """Returns the slug of the offered assistant that answered last, of which readers know the name; else the default's.

    None if none is offered.
    """
    names = [message["name"] for message in messages if message["name"]]
    offered = Assistant.objects.offered()
    chosen = offered.filter(name__in=names[-1:]).first() or offered.first()
    return chosen.slug if chosen else None
