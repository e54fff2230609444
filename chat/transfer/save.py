"""Writes imported conversations to the database, so that others hardly wait. Sync."""

import time
import uuid
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, ParamSpec

from django.db import IntegrityError, transaction
from django.utils import timezone

from ..models import Assistant, Attachment, Conversation, Message, Refused
from ..parts import text_of

# SQLite has one writer at a time. A transaction with so much takes some 50 ms; then the others have as long.
MAX_ROWS = 200
MAX_TEXT_LENGTH = 1_000_000  # characters
MAX_IMAGE_BYTES = 4_000_000
MAX_PAUSE = 0.2  # seconds
MAX_DURATION = timedelta(days=1)  # after which a conversation that was not finished is deleted as others are
TIMES = ("created_at", "updated_at", "pinned_at", "archived_at")
MEDIA_TYPES = ("image/png", "image/jpeg")

P = ParamSpec("P")


class Importer:
    """Saves the conversations that one user imports, and counts them."""

    def __init__(self, user: Any, images: Path) -> None:
        self.counts = {"conversations": 0, "messages": 0, "known": 0, "updated": 0}
        self.left_out: list[dict[str, str]] = []  # {"title", "reason"}
        self._user = user
        self._images = images

    def save(self, imported: dict[str, Any]) -> None:
        """Creates the conversation, or adds what is new to one that was imported before."""
        id = self._new_id(imported, "")
        if Conversation.objects.visible_to(self._user).filter(pk__in=_as_uuids(imported["id"])).exists():
            self.counts["known"] += 1  # an export of one's own
            return
        row = Conversation.objects.filter(pk=id, owner=self._user).first()
        if row and row.deleted_at:  # it could still be restored; or an earlier import has ended in the middle
            _delete(row)
            row = None
        try:
            added = self._create(id, imported) if row is None else self._add_new_messages(row, imported)
        except IntegrityError:  # another import of the same file is doing it
            self.counts["known"] += 1
            return
        except Refused as refusal:  # its images take up too much space; what is saved of it stays hidden
            self.left_out.append({"title": imported["title"], "reason": refusal.message})
            return
        self.counts["messages"] += added
        self.counts["conversations" if row is None else "updated" if added else "known"] += 1

    def _new_id(self, imported: dict[str, Any], message_id: str) -> uuid.UUID:
        """Returns the same id each time this user imports the same file, and never the id of another user's row."""
        return uuid.uuid5(uuid.NAMESPACE_OID, f"{self._user.pk} {imported['id']} {message_id}")

    def _create(self, id: uuid.UUID, imported: dict[str, Any]) -> int:
        """A conversation of several transactions is a deleted one until the last of them."""
        messages = imported["messages"]
        assistant = Assistant.objects.offered().filter(slug=imported["assistant"]).first()
        conversation = Conversation(
            pk=id,
            owner=self._user,
            title=imported["title"],
            title_by="user",
            assistant=assistant,
            **{name: imported[name] and datetime.fromisoformat(imported[name]) for name in TIMES},
        )
        batches = list(_batches(messages))
        conversation.deleted_at = timezone.now() + MAX_DURATION if len(batches) > 1 else None

        def create(batch: list[dict[str, Any]], shown: bool = False) -> None:
            conversation.save(force_insert=True)
            self._insert(conversation, imported, batch)
            if shown:
                show()

        def show() -> None:
            leaf_id = imported["leaf_id"]
            if any(message["id"] == leaf_id for message in messages):
                conversation.leaf_id = self._new_id(imported, leaf_id)
            conversation.deleted_at = None
            conversation.save(update_fields=["leaf", "deleted_at"])

        first, *others = batches or [[]]
        if not others:
            in_transaction(create, first, shown=True)
            return len(messages)
        in_transaction(create, first)
        for batch in others:
            in_transaction(self._insert, conversation, imported, batch)
        in_transaction(show)
        return len(messages)

    def _add_new_messages(self, conversation: Conversation, imported: dict[str, Any]) -> int:
        """The visible branch changes only if the user has not continued the conversation here."""
        stored = set(conversation.messages.values_list("pk", flat=True))
        ids = {message["id"]: self._new_id(imported, message["id"]) for message in imported["messages"]}
        new = [message for message in imported["messages"] if ids[message["id"]] not in stored]
        for batch in _batches(new):
            in_transaction(self._insert, conversation, imported, batch)
        if new and stored <= set(ids.values()):
            Conversation.objects.filter(pk=conversation.pk).update(
                leaf_id=ids.get(imported["leaf_id"]), updated_at=datetime.fromisoformat(imported["updated_at"])
            )
        return len(new)

    def _insert(self, conversation: Conversation, imported: dict[str, Any], batch: list[dict[str, Any]]) -> None:
        attachments: list[Attachment] = []
        rows = []
        for message in batch:
            id, parent_id = self._new_id(imported, message["id"]), message["parent_id"]
            parts = [self._attach(part, id, attachments) if "attachment" in part else part for part in message["parts"]]
            rows.append(
                Message(
                    pk=id,
                    conversation=conversation,
                    parent_id=None if parent_id is None else self._new_id(imported, parent_id),
                    role=message["role"],
                    parts=parts,
                    text=text_of(parts),
                    created_at=datetime.fromisoformat(message["created_at"]),
                    feedback=message["feedback"],
                )
            )
        if attachments:
            Attachment.objects.check_quota(self._user.pk, sum(len(attachment.data) for attachment in attachments))
        Message.objects.bulk_create(rows)
        Attachment.objects.bulk_create(attachments)

    def _attach(self, part: dict[str, Any], message_id: uuid.UUID, attachments: list[Attachment]) -> dict[str, Any]:
        """Adds an attachment for the image; returns the part that shows it."""
        image = part["attachment"]
        if image["media_type"] not in MEDIA_TYPES:  # the process that decoded it is not trusted
            raise ValueError(image["media_type"])
        with self._images.open("rb") as images:
            images.seek(image["offset"])
            data = images.read(image["size"])
        attachment = Attachment(
            owner=self._user,
            message_id=message_id,
            data=data,
            media_type=image["media_type"],
            width=image["width"],
            height=image["height"],
        )
        attachments.append(attachment)
        return attachment.as_part()


def in_transaction(function: Callable[P, Any], *args: P.args, **kwargs: P.kwargs) -> None:
    """Calls the function in a transaction, then lets others write for as long as it took."""
    start = time.monotonic()
    with transaction.atomic():
        function(*args, **kwargs)
    time.sleep(min(MAX_PAUSE, time.monotonic() - start))


def _batches(messages: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Yields the messages in groups that are small enough for a transaction each."""
    batch: list[dict[str, Any]] = []
    length = image_bytes = 0
    for message in messages:
        message_length = sum(
            len(value) for part in message["parts"] for value in part.values() if isinstance(value, str)
        )
        message_bytes = sum(part["attachment"]["size"] for part in message["parts"] if "attachment" in part)
        is_full = len(batch) == MAX_ROWS or length + message_length > MAX_TEXT_LENGTH
        if batch and (is_full or image_bytes + message_bytes > MAX_IMAGE_BYTES):
            yield batch
            batch, length, image_bytes = [], 0, 0
        batch.append(message)
        length += message_length
        image_bytes += message_bytes
    if batch:
        yield batch


def _delete(conversation: Conversation) -> None:
    """Deletes a conversation in several transactions, the newest messages first: nothing hangs on them."""
    messages = Message.objects.filter(conversation=conversation).order_by("-created_at", "-pk")
    while ids := list(messages.values_list("pk", flat=True)[:MAX_ROWS]):
        in_transaction(Message.objects.filter(pk__in=ids).delete)
    conversation.delete()


def _as_uuids(text: str) -> list[uuid.UUID]:
    """Returns a list of the UUID in the text, empty if it is none."""
    try:
        return [uuid.UUID(text)]
    except ValueError:
        return []
