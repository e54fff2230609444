"""The title of a conversation, and how a search reads it."""

from typing import Any

from django.db import models
from django.utils.translation import gettext_lazy as _

from ..events import shorten
from ..folding import fold
from ..markdown_to_text import markdown_to_text
from .batches import in_batches

MAX_TITLE_LENGTH = 60  # characters of a title that is taken from a text
MAX_TITLE_SOURCE_LENGTH = 1_000  # characters of the text in which its words are looked for


def first_words(text: str) -> str:
    """Returns the beginning of a message without Markdown, on one line."""
    beginning = text.lstrip()[:MAX_TITLE_SOURCE_LENGTH]
    words = markdown_to_text(beginning, keeps_addresses=False) or " ".join(beginning.split())
    return shorten(words, MAX_TITLE_LENGTH)


class TitledQuerySet(models.QuerySet):
    """Keeps `folded_title` equal to the title."""

    def update(self, **values: Any) -> int:
        if "title" in values:
            values["folded_title"] = fold(str(values["title"]))
        return super().update(**values)

    def bulk_create(self, objs, *args, **kwargs):
        rows = list(objs)
        for row in rows:
            row.folded_title = fold(str(row.title))
        return super().bulk_create(rows, *args, **kwargs)

    def fold_titles(self) -> None:
        """Corrects `folded_title` where something else has set the title, such as an earlier release."""
        in_batches(self.only("title", "folded_title"), self._fold_titles)

    def _fold_titles(self, rows):
        folded = [(row, fold(row.title)) for row in rows]
        stale = [(row, title) for row, title in folded if row.folded_title != title]
        for row, title in stale:
            row.folded_title = title
        self.bulk_update([row for row, _title in stale], ["folded_title"])


class WithTitle(models.Model):
    """The columns and methods of a conversation about its title."""

    class TitleBy(models.TextChoices):
        TEXT = "text", _("the first message")
        ASSISTANT = "assistant", _("the assistant")
        USER = "user", _("the user")

    title = models.CharField(max_length=200, blank=True)
    folded_title = models.TextField(blank=True, editable=False, default="", db_default="")  # for search
    title_by = models.CharField(
        max_length=10,
        blank=True,
        choices=TitleBy,
        help_text=_("Where the title comes from. A title set by the user is never replaced."),
    )

    class Meta:
        abstract = True

    def save(self, **options: Any) -> None:
        fields = options.get("update_fields")
        if fields is None or "title" in fields:
            self.folded_title = fold(str(self.title))
            options["update_fields"] = fields and [*fields, "folded_title"]
        super().save(**options)

    def set_title_if_empty(self, text: str) -> None:
        """Makes the first words the title, unless the row has one, even one that another request has just set."""
        if self.title:
            return
        title = first_words(text)
        untitled = type(self)._default_manager.filter(pk=self.pk, title="")
        if untitled.update(title=title, title_by=self.TitleBy.TEXT):
            self.title = title
            self.title_by = self.TitleBy.TEXT
