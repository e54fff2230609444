"""Files that users upload, with the text that was read from them. The files themselves are in a storage."""

import logging
import uuid
from collections.abc import Iterable
from datetime import timedelta
from typing import Any, BinaryIO

from django.core.files.base import File
from django.core.files.storage import Storage, storages
from django.db import models, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ..errors import Refused
from ..events import shorten

logger = logging.getLogger(__name__)

RETRY_DELAY = 10  # seconds
MAX_SHEET_NAMES = 10  # that are told with the upload
MAX_SHEET_NAME_LENGTH = 40  # characters; Excel allows 31
MAX_UPLOAD_DURATION = timedelta(hours=1)  # after which a file without an attachment is one that a dead process left


class StoredFileQuerySet(models.QuerySet["StoredFile"]):
    def unused(self) -> "StoredFileQuerySet":
        """Returns the files that no attachment has any more, and those whose upload broke off."""
        broken_off = Q(is_stored=False, created_at__lt=timezone.now() - MAX_UPLOAD_DURATION)
        return self.filter(broken_off | Q(is_stored=True), attachments=None)

    def without_text(self) -> "StoredFileQuerySet":
        return self.defer("units")

    def discard(self, ids: Iterable[uuid.UUID]) -> int:
        """Deletes those of these files that are unused; returns how many. Not in a transaction."""
        discarded = 0
        for row in self.filter(pk__in=list(ids)).without_text():
            try:
                discarded += row.discard()
            except Exception:  # of the storage; it is tried again later
                logger.exception("The file %s could not be deleted; trying again", row.key)
        return discarded


class StoredFile(models.Model):
    """A user's file and what was read from it.

    The row is created before the file is put into the storage, and deleted after it was removed from there: a process
    may die at any time, and still no file is forgotten. Copies of an attachment share one StoredFile.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=200)
    media_type = models.CharField(max_length=100)
    size = models.PositiveBigIntegerField()  # bytes
    unit = models.CharField(max_length=10, null=True)  # what it consists of: "page", "sheet", "slide" or "message"
    count = models.PositiveIntegerField(null=True)  # how many of these it has
    characters = models.PositiveIntegerField()  # of the text that was read
    notes = models.JSONField(default=list)  # codes of what to know about the text
    units = models.JSONField(default=list)  # the text: {"label", "text"} of each unit
    is_stored = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=timezone.now)

    objects = StoredFileQuerySet.as_manager()

    class Meta:
        verbose_name, verbose_name_plural = _("file"), _("files")
        ordering = ["created_at"]

    def __str__(self):
        return self.name

    @property
    def key(self) -> str:
        """The file's name in the storage. Nothing of the user's name for it is in there."""
        return f"{self.pk.hex[:2]}/{self.pk.hex}"

    def store(self, content: BinaryIO) -> None:
        """Puts the content into the storage. Not in a transaction: the row has to be there before the file is.

        Raises Refused if the storage does not take it.
        """
        try:
            storage().save(self.key, File(content))
        except Exception as error:  # each storage has its own kinds
            logger.exception("A file could not be stored")
            sentence = gettext("The file could not be stored. Try again in a moment.")
            raise Refused(sentence, "storage_unavailable", 503, retry_after=RETRY_DELAY) from error

    def open(self) -> File:
        """Returns the content. Raises FileNotFoundError, or Refused if the storage cannot be reached."""
        try:
            return storage().open(self.key)
        except FileNotFoundError:
            raise
        except Exception as error:  # each storage has its own kinds
            logger.exception("The file %s could not be opened", self.key)
            sentence = gettext("The file cannot be read at the moment. Try again later.")
            raise Refused(sentence, "storage_unavailable", 503, retry_after=RETRY_DELAY) from error

    def discard(self) -> bool:
        """Deletes the file and then its row, unless an attachment has it; returns whether it did."""
        with transaction.atomic():
            row = StoredFile.objects.filter(pk=self.pk)
            # Waits for copies that are being made. Only the query behind it sees them.
            list(row.select_for_update().values_list("pk"))
            if not row.unused().exists():
                return False
            # The text goes at once. A copy is only made of an attachment that is there, so none appears from now on.
            # Should this process die, `unused` still returns the row.
            StoredFile.objects.filter(pk=self.pk).update(units=[], characters=0)
        storage().delete(self.key)
        StoredFile.objects.filter(pk=self.pk).delete()
        return True

    def sheet_names(self) -> list[str]:
        """Returns the names of a workbook's first sheets; none for other files."""
        labels = [unit["label"] for unit in self.units[:MAX_SHEET_NAMES]] if self.unit == "sheet" else []
        return [shorten(label, MAX_SHEET_NAME_LENGTH) for label in labels]

    def as_fields(self) -> dict[str, Any]:
        names = ("name", "media_type", "size", "unit", "count", "characters", "notes")
        return {name: getattr(self, name) for name in names}


def storage() -> Storage:
    return storages["files"]
