"""Attachments: the images of messages."""

import uuid
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models.functions import Length
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ..errors import Refused


class AttachmentQuerySet(models.QuerySet["Attachment"]):
    def visible_to(self, user):
        return self.filter(owner_id=user.pk)

    def check_quota(self, owner_id: Any, added_bytes: int) -> None:
        """Raises Refused if the images of this user would take more than MAX_STORED_IMAGE_BYTES."""
        stored_bytes = self.filter(owner_id=owner_id).aggregate(total=models.Sum(Length("data")))["total"] or 0
        if stored_bytes + added_bytes > settings.MAX_STORED_IMAGE_BYTES:
            sentence = gettext("Your images take up too much space. Delete conversations with images, then try again.")
            raise Refused(sentence, "storage_full", 413)

    def save_new(self, owner_id: Any, **fields: Any) -> "Attachment":
        """Creates an attachment. Raises Refused if the user has no space left."""
        self.check_quota(owner_id, len(fields["data"]))
        return self.create(owner_id=owner_id, **fields)


class Attachment(models.Model):
    """An image that a user uploaded or a model made, re-encoded by the server.

    Its owner, reviewers and the model see it.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="attachments")
    message = models.ForeignKey("Message", null=True, on_delete=models.CASCADE, related_name="attachments")
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
        return f"{self.media_type} {self.width} × {self.height}"

    def copy(self) -> "Attachment":
        """Creates an unused attachment with the same image."""
        names = ("owner_id", "data", "media_type", "width", "height")
        return Attachment.objects.create(**{name: getattr(self, name) for name in names})

    def as_part(self) -> dict[str, Any]:
        names = ("media_type", "width", "height")
        return {"type": "image", "id": str(self.pk), **{name: getattr(self, name) for name in names}}
