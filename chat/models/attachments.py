"""Attachments: the images and files of messages."""

import base64
import uuid
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, BinaryIO

from django.conf import settings
from django.db import models, transaction
from django.db.models import Q
from django.db.models.functions import Length
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ..errors import SEES_NO_IMAGES, Refused
from ..parts import attachment_id, is_image, without_attachment
from .assistants import Assistant
from .files import StoredFile

if TYPE_CHECKING:
    from .conversations import Message


class AttachmentQuerySet(models.QuerySet["Attachment"]):
    def visible_to(self, user):
        return self.filter(owner_id=user.pk)

    def check_quota(self, owner_id: Any, added_bytes: int) -> None:
        """Raises Refused if the images and files of this user would take more than MAX_STORED_BYTES."""
        mine = self.filter(owner_id=owner_id)
        image_bytes = mine.aggregate(total=models.Sum(Length("data")))["total"] or 0
        files = StoredFile.objects.filter(pk__in=mine.order_by().values("file"))  # each once, however many copies
        file_bytes = files.aggregate(total=models.Sum("size"))["total"] or 0
        if image_bytes + file_bytes + added_bytes > settings.MAX_STORED_BYTES:
            sentence = gettext(
                "You have reached the storage limit for images and files. "
                "Delete chats that contain some, then try again."
            )
            raise Refused(sentence, "storage_full", 413)

    def save_new(self, owner_id: Any, **fields: Any) -> "Attachment":
        """Creates an attachment with an image. Raises Refused if the user has no space left."""
        self.check_quota(owner_id, len(fields["data"]))
        return self.create(owner_id=owner_id, **fields)

    def save_file(self, owner_id: Any, content: BinaryIO, **fields: Any) -> "Attachment":
        """Creates an attachment with a file; `fields` are those of StoredFile. Not in a transaction.

        Raises Refused if the user has no space left.
        """
        self.check_quota(owner_id, fields["size"])
        file = StoredFile.objects.create(**fields)
        try:
            file.store(content)
            with transaction.atomic():
                StoredFile.objects.filter(pk=file.pk).update(is_stored=True)
                return self.create(owner_id=owner_id, file=file, data=b"", width=0, height=0)
        except BaseException:
            with suppress(Exception):  # then it is deleted later: see StoredFile
                StoredFile.objects.filter(pk=file.pk).update(is_stored=True)
                file.discard()
            raise

    def to_attach(
        self,
        owner_id: Any,
        ids: Sequence[Any],
        assistant: Assistant,
        instead: "Message | None" = None,
    ) -> list["Attachment"]:
        """Returns this user's images and files with these ids, in this order, for a new message.

        Those of `instead`, the message that is being edited, are copied, so that both versions keep them. Raises
        Refused if one is missing, or the assistant sees no images.
        """
        if not ids:
            return []
        usable = Q(message=None) | Q(message=instead)
        mine = self.filter(usable, owner_id=owner_id).select_related("file")
        rows = mine.defer("data", "file__units").in_bulk(ids)
        if len(rows) < len(ids):
            raise Refused(
                gettext("One of the images or files no longer exists or has already been sent. Add it again."),
                "unknown_attachment",
            )
        if not assistant.sees_images and any(row.file is None for row in rows.values()):
            sentence = gettext("%(assistant)s does not support images. Choose another assistant.")
            raise Refused(sentence % {"assistant": assistant.name}, SEES_NO_IMAGES)
        copied = [id for id in ids if rows[id].message_id]
        if copied:
            sizes = self.filter(pk__in=copied).aggregate(total=models.Sum(Length("data")))
            self.check_quota(owner_id, sizes["total"])
        return [rows[id].copy() if id in copied else rows[id] for id in ids]

    def fill(self, parts: Sequence[dict[str, Any]], *, with_images: bool = True) -> list[dict[str, Any]]:
        """Returns these parts with the contents of their attachments, which are among these rows, for a model. Sync.

        An image that is gone is left out. In place of one that is not wanted stands a short text.
        """
        rows = self.select_related("file")
        if not with_images:
            rows = rows.exclude(file=None)
        contents = {str(row.pk): row.content_for_model() for row in rows}
        filled = []
        for part in parts:
            id = attachment_id(part)
            if id is None:
                filled.append(part)
            elif id in contents:
                filled.append({**part, **contents[id]})
            elif not is_image(part) or not with_images:
                filled += without_attachment(part)
        return filled


class Attachment(models.Model):
    """An image that a user uploaded or a model made, re-encoded by the server; or a file that a user uploaded.

    Its owner, reviewers and the model see it. Of a file, the columns of images are empty.
    """

    notes: Sequence[str] = ()  # codes of what to know about an image that was just uploaded

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="attachments")
    message = models.ForeignKey("Message", null=True, on_delete=models.CASCADE, related_name="attachments")
    file = models.ForeignKey(StoredFile, null=True, on_delete=models.PROTECT, related_name="attachments")
    data = models.BinaryField()
    media_type = models.CharField(max_length=50)
    width = models.PositiveIntegerField()
    height = models.PositiveIntegerField()
    created_at = models.DateTimeField(default=timezone.now)

    objects = AttachmentQuerySet.as_manager()

    class Meta:
        verbose_name, verbose_name_plural = _("attachment"), _("attachments")
        ordering = ["created_at"]

    def __str__(self):
        return self.file.name if self.file else f"{self.media_type} {self.width} × {self.height}"

    def copy(self) -> "Attachment":
        """Creates an unused attachment with the same image or file."""
        names = ("owner_id", "file_id", "data", "media_type", "width", "height")
        return Attachment.objects.create(**{name: getattr(self, name) for name in names})

    def content_for_model(self) -> dict[str, Any]:
        """Returns what is added to the attachment's part for a model: see Kind.to_model in chat.parts."""
        return {"units": self.file.units} if self.file else {"data": base64.b64encode(self.data).decode()}

    def as_part(self) -> dict[str, Any]:
        if self.file:
            return {"type": "file", "id": str(self.pk), **self.file.as_fields()}
        names = ("media_type", "width", "height")
        return {"type": "image", "id": str(self.pk), **{name: getattr(self, name) for name in names}}
