"""Imports: how far the newest one of each user is, and what came of it."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

BEAT_INTERVAL = 4  # seconds
MAX_SILENCE = timedelta(seconds=20)  # of an import whose process lives; SQLite may be locked for some seconds


class Import(models.Model):
    """The newest import of a user. It continues when the page that began it is closed, and other pages show it."""

    class State(models.TextChoices):
        WAITING = "waiting", _("waiting")
        READING = "reading", _("reading")
        SAVING = "saving", _("saving")
        FINISHED = "finished", _("finished")
        FAILED = "failed", _("failed")

    owner = models.OneToOneField(  # without a constraint: the previous release could not delete users
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        primary_key=True,
        related_name="newest_import",
        db_constraint=False,
    )
    name = models.CharField(max_length=200)  # of the file
    state = models.CharField(max_length=10, choices=State, default=State.READING)
    started_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(default=timezone.now)
    done = models.PositiveIntegerField(default=0)  # conversations
    total = models.PositiveIntegerField(null=True)  # None until the file has been read
    result = models.JSONField(null=True)  # the fields of `Imported`
    problem = models.TextField(blank=True)  # the sentence that says why it failed

    class Meta:
        verbose_name, verbose_name_plural = _("import"), _("imports")

    def __str__(self) -> str:
        return self.name

    @classmethod
    def begin(cls, owner: Any, name: str, state: str = State.READING) -> "Import":
        """Creates the row, in place of that of the user's import before. Sync."""
        row = cls(owner=owner, name=name[:200], state=state)
        cls.objects.update_or_create(
            owner=owner,
            defaults={field.name: getattr(row, field.name) for field in cls._meta.fields if field.name != "owner"},
        )
        return row

    def change(self, **fields: Any) -> None:
        """Writes these fields, and that the process lives, unless a newer import has taken this one's place. Sync."""
        rows = Import.objects.filter(pk=self.owner_id, started_at=self.started_at)
        rows.update(updated_at=timezone.now(), **fields)
        for name, value in fields.items():
            setattr(self, name, value)

    def as_fields(self) -> dict[str, Any]:
        """Returns what its owner sees. Of one whose process died, that it failed."""
        names = ("name", "state", "started_at", "done", "total", "result", "problem")
        fields = {name: getattr(self, name) for name in names}
        is_open = self.state not in (self.State.FINISHED, self.State.FAILED)
        if is_open and timezone.now() - self.updated_at > MAX_SILENCE:
            sentence = gettext("The import was interrupted. Import the file again to continue it.")
            fields |= {"state": self.State.FAILED, "problem": sentence}
        return fields
