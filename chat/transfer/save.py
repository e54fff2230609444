"""Writes imported conversations to the database, so that others hardly wait. Sync."""

import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, ParamSpec

from django.db import IntegrityError, transaction
from django.utils import timezone

from ..errors import Refused
from ..models import Assistant, Attachment, Conversation, Message, SearchText
from ..parts import text_of

# SQLite has one writer at a time. A transaction with so much takes some 50 ms; then the others have as long. A message
# is two rows: the second has its text for searches.
MAX_ROWS = 120
MAX_TEXT_LENGTH = 600_000  # characters
MAX_IMAGE_BYTES = 4_000_000
MAX_PAUSE = 0.2  # seconds
MAX_DURATION = timedelta(days=1)  # after which a conversation that was not finished is deleted as others are
TIMES = ("created_at", "updated_at", "pinned_at", "archived_at")
MEDIA_TYPES = ("image/png", "image/jpeg")

P = ParamSpec("P")


class Importer:
    """Saves the conversations that one user imports, and counts them.

    `read_image` returns the data of an image, of what stands under "attachment" in its part.
    """

    def __init__(self, user: Any, read_image: Callable[[dict[str, Any]], bytes]) -> None:
        self.counts = {"conversations": 0, "messages": 0, "known": 0, "updated": 0}
        self.left_out: list[dict[str, str]] = []  # {"title", "reason"}
        self._user = user
        self._read_image = read_image
        self._in_transaction = SparingWriter()

    def save_group(self, group: list[dict[str, Any]]) -> None:
        """Saves a group of conversations: in one transaction those that are new and have no images."""
        new = self._new_ones(group) if len(group) > 1 else {}
        try:
            if new:
                self._create_all(new)
        except IntegrityError:  # another import of the same file is doing it
            new = {}
        for place, imported in enumerate(group):
            if place not in new:
                self.save(imported)

    def _new_ones(self, group: list[dict[str, Any]]) -> dict[int, dict[str, Any]]:
        """Returns those that are new and have no images, by their places in the group. Two queries."""
        own = [uuid for imported in group for uuid in _as_uuids(imported["id"])]
        known = set(Conversation.objects.visible_to(self._user).filter(pk__in=own).values_list("pk", flat=True))
        places = {self.id_of(imported): place for place, imported in reversed(list(enumerate(group)))}
        known |= set(Conversation.objects.filter(pk__in=places).values_list("pk", flat=True))
        return {
            place: group[place]
            for id, place in places.items()
            if known.isdisjoint([id, *_as_uuids(group[place]["id"])]) and not _has_images(group[place])
        }

    def _create_all(self, new: dict[int, dict[str, Any]]) -> None:
        conversations = [self._conversation(imported) for imported in new.values()]
        messages = []
        for conversation, imported in zip(conversations, new.values(), strict=True):
            conversation.leaf_id = self._leaf_id(imported)  # its row follows before the end of the transaction
            messages += [self._message(conversation, imported, message) for message in imported["messages"]]

        search_texts = SearchText.of(messages)

        def create() -> None:
            Conversation.objects.bulk_create(conversations)
            Message.objects.bulk_create(messages)
            SearchText.objects.bulk_create(search_texts)

        self._in_transaction(create)
        self.counts["conversations"] += len(conversations)
        self.counts["messages"] += len(messages)

    def save(self, imported: dict[str, Any]) -> None:
        """Creates the conversation, or adds what is new to one that was imported before."""
        id = self.id_of(imported)
        if Conversation.objects.visible_to(self._user).filter(pk__in=_as_uuids(imported["id"])).exists():
            self.counts["known"] += 1  # it was exported from here
            return
        row = Conversation.objects.filter(pk=id, owner=self._user).first()
        if row and row.deleted_at:  # it could still be restored; or an earlier import has ended in the middle
            self._delete(row)
            row = None
        try:
            added = self._create(imported) if row is None else self._add_new_messages(row, imported)
        except IntegrityError:  # another import of the same file is doing it
            self.counts["known"] += 1
            return
        except Refused as refusal:  # its images take up too much space; what is saved of it stays hidden
            self.left_out.append({"title": imported["title"], "reason": refusal.message})
            return
        self.counts["messages"] += added
        self.counts["conversations" if row is None else "updated" if added else "known"] += 1

    def id_of(self, imported: dict[str, Any]) -> uuid.UUID:
        return self._new_id(imported, "")

    def _new_id(self, imported: dict[str, Any], message_id: str) -> uuid.UUID:
        """Returns the same id each time this user imports the same file, and never the id of another user's row."""
        return uuid.uuid5(uuid.NAMESPACE_OID, f"{self._user.pk} {imported['id']} {message_id}")

    def _create(self, imported: dict[str, Any]) -> int:
        """A conversation of several transactions is a deleted one until the last of them."""
        messages = imported["messages"]
        conversation = self._conversation(imported)
        batches = list(_batches(messages))
        conversation.deleted_at = timezone.now() + MAX_DURATION if len(batches) > 1 else None

        def create(*batch: Any, shown: bool = False) -> None:
            conversation.save(force_insert=True)
            self._insert(conversation, imported, *batch)
            if shown:
                show()

        def show() -> None:
            conversation.leaf_id = self._leaf_id(imported)
            conversation.deleted_at = None
            conversation.save(update_fields=["leaf", "deleted_at"])

        first, *others = batches or [[]]
        first_texts = self._search_texts(conversation, imported, first)
        if not others:
            self._in_transaction(create, first, first_texts, shown=True)
            return len(messages)
        self._in_transaction(create, first, first_texts)
        for batch in others:
            search_texts = self._search_texts(conversation, imported, batch)
            self._in_transaction(self._insert, conversation, imported, batch, search_texts)
        self._in_transaction(show)
        return len(messages)

    def _conversation(self, imported: dict[str, Any]) -> Conversation:
        return Conversation(
            pk=self.id_of(imported),
            owner=self._user,
            title=imported["title"],
            title_by="user",
            assistant=self._assistants.get(imported["assistant"]),
            **{name: imported[name] and datetime.fromisoformat(imported[name]) for name in TIMES},
        )

    @cached_property
    def _assistants(self) -> dict[str, Assistant]:
        return {assistant.slug: assistant for assistant in Assistant.objects.offered()}

    def _leaf_id(self, imported: dict[str, Any]) -> uuid.UUID | None:
        leaf_id = imported["leaf_id"]
        is_there = any(message["id"] == leaf_id for message in imported["messages"])
        return self._new_id(imported, leaf_id) if is_there else None

    def _add_new_messages(self, conversation: Conversation, imported: dict[str, Any]) -> int:
        """The visible branch changes only if the user has not continued the conversation here."""
        stored = set(conversation.messages.values_list("pk", flat=True))
        ids = {message["id"]: self._new_id(imported, message["id"]) for message in imported["messages"]}
        new = [message for message in imported["messages"] if ids[message["id"]] not in stored]
        for batch in _batches(new):
            search_texts = self._search_texts(conversation, imported, batch)
            self._in_transaction(self._insert, conversation, imported, batch, search_texts)
        if new and stored <= set(ids.values()):
            Conversation.objects.filter(pk=conversation.pk).update(
                leaf_id=ids.get(imported["leaf_id"]), updated_at=datetime.fromisoformat(imported["updated_at"])
            )
        return len(new)

    def _search_texts(
        self, conversation: Conversation, imported: dict[str, Any], batch: list[dict[str, Any]]
    ) -> list[SearchText]:
        """Returns the search texts of these messages. Before the transaction: making them takes longer than writing."""
        rows = []
        for message in batch:
            parts = [part for part in message["parts"] if "attachment" not in part]
            id, role = self._new_id(imported, message["id"]), message["role"]
            rows.append(Message(pk=id, conversation=conversation, role=role, parts=parts, text=text_of(parts)))
        return SearchText.of(rows)

    def _insert(
        self,
        conversation: Conversation,
        imported: dict[str, Any],
        batch: list[dict[str, Any]],
        search_texts: list[SearchText],
    ) -> None:
        attachments: list[Attachment] = []
        rows = [self._message(conversation, imported, message, attachments) for message in batch]
        if attachments:
            Attachment.objects.check_quota(self._user.pk, sum(len(attachment.data) for attachment in attachments))
        Message.objects.bulk_create(rows)
        SearchText.objects.bulk_create(search_texts)
        Attachment.objects.bulk_create(attachments)

    def _message(
        self,
        conversation: Conversation,
        imported: dict[str, Any],
        message: dict[str, Any],
        attachments: list[Attachment] | None = None,
    ) -> Message:
        """Returns the row of a message. Adds those of its images to `attachments`, which is needed if it has some."""
        id, parent_id = self._new_id(imported, message["id"]), message["parent_id"]
        parts = message["parts"]
        if attachments is not None:
            parts = [self._attach(part, id, attachments) if "attachment" in part else part for part in parts]
        return Message(
            pk=id,
            conversation=conversation,
            parent_id=None if parent_id is None else self._new_id(imported, parent_id),
            role=message["role"],
            parts=parts,
            text=text_of(parts),
            created_at=datetime.fromisoformat(message["created_at"]),
            feedback=message["feedback"],
        )

    def _attach(self, part: dict[str, Any], message_id: uuid.UUID, attachments: list[Attachment]) -> dict[str, Any]:
        """Adds an attachment for the image; returns the part that shows it."""
        image = part["attachment"]
        if image["media_type"] not in MEDIA_TYPES:  # the process that decoded it is not trusted
            raise ValueError(image["media_type"])
        attachment = Attachment(
            owner=self._user,
            message_id=message_id,
            data=self._read_image(image),
            media_type=image["media_type"],
            width=image["width"],
            height=image["height"],
        )
        attachments.append(attachment)
        return attachment.as_part()

    def _delete(self, conversation: Conversation) -> None:
        """Deletes a conversation in several transactions, the newest messages first: nothing hangs on them."""
        messages = Message.objects.filter(conversation=conversation).order_by("-created_at", "-pk")
        while ids := list(messages.values_list("pk", flat=True)[:MAX_ROWS]):
            self._in_transaction(Message.objects.filter(pk__in=ids).delete)
        conversation.delete()


def image_reader(path: Path) -> Callable[[dict[str, Any]], bytes]:
    """Returns the `read_image` of an Importer for the images in this file: each has an offset and a size."""

    def read_image(image: dict[str, Any]) -> bytes:
        with path.open("rb") as images:
            images.seek(image["offset"])
            return images.read(image["size"])

    return read_image


class SparingWriter:
    """Calls functions in transactions, and after each lets others write for as long as it took."""

    def __init__(self) -> None:
        self._next_start = 0.0

    def __call__(self, function: Callable[P, Any], *args: P.args, **kwargs: P.kwargs) -> None:
        time.sleep(max(0, self._next_start - time.monotonic()))  # the rows may have been made in the meantime
        start = time.monotonic()
        with transaction.atomic():
            function(*args, **kwargs)
        end = time.monotonic()
        self._next_start = end + min(MAX_PAUSE, end - start)


def grouped(conversations: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Yields the conversations in groups that are small enough for a transaction each; a large one is alone."""
    group: list[dict[str, Any]] = []
    rows = length = 0
    for conversation in conversations:
        messages = conversation["messages"]
        own_rows, own_length = 1 + len(messages), sum(map(_text_length, messages))
        if group and (rows + own_rows > MAX_ROWS or length + own_length > MAX_TEXT_LENGTH):
            yield group
            group, rows, length = [], 0, 0
        group.append(conversation)
        rows += own_rows
        length += own_length
    if group:
        yield group


def _batches(messages: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Yields the messages in groups that are small enough for a transaction each."""
    batch: list[dict[str, Any]] = []
    length = image_bytes = 0
    for message in messages:
        message_length = _text_length(message)
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


def _text_length(message: dict[str, Any]) -> int:
    return sum(len(value) for part in message["parts"] for value in part.values() if isinstance(value, str))


def _has_images(imported: dict[str, Any]) -> bool:
    return any("attachment" in part for message in imported["messages"] for part in message["parts"])


def _as_uuids(text: str) -> list[uuid.UUID]:
    """Returns a list of the UUID in the text, empty if it is none."""
    try:
        return [uuid.UUID(text)]
    except ValueError:
        return []
