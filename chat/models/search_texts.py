from collections.abc import Iterable
from typing import TYPE_CHECKING

from django.contrib.postgres.fields import ArrayField
from django.db import connections, models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from ..folding import fold, fold_words
from ..markdown_to_text import markdown_to_text
from ..parts import file_names
from .lookups import letter_pairs

if TYPE_CHECKING:
    from .conversations import Message


MAX_WORDS = 10  # of a search: a database that has no index for them looks for each in every text


def select_words(words: str) -> list[str]:
    """Returns the words that a database looks for, folded: the longest come first, because rarer words leave less to
    look through for the others. Words that are part of another add nothing. Of more than MAX_WORDS, the longest count.
    """
    selected: list[str] = []
    for word in sorted(fold_words(words), key=len, reverse=True):
        if not any(word in longer for longer in selected):
            selected.append(word)
    return selected[:MAX_WORDS]


def contains(words: str, field: str) -> Q:
    """Returns the condition that a folded field contains all of these words, or parts of words; that of no row if
    there are no words."""
    return Q(*(Q((f"{field}__contains", word)) for word in select_words(words))) or Q(pk__in=[])


class SearchTextQuerySet(models.QuerySet):
    def containing(self, words):
        """Returns the texts that have all of these words, or parts of words, in any order and spelling."""
        return self.filter(contains(words, "text"))

    def narrowed_by_pairs(self, words):
        """Returns the texts that have every letter pair of these words, by PostgreSQL's index of pairs.

        Loses no row of `containing(words)`. On SQLite, and for words without such pairs, returns all texts.
        """
        pairs = letter_pairs(" ".join(select_words(words)))
        if connections[self.db].vendor != "postgresql" or not pairs:
            return self
        indexed = models.Func("text", function="chat_pairs", output_field=ArrayField(models.TextField()))
        return self.alias(pairs=indexed).filter(pairs__contains=sorted(pairs))


class SearchText(models.Model):
    """The text of a message as a search reads it: without Markdown, and folded. A message without text has none.

    A table of its own, with the conversation: SQLite reads all of it, and a message is read much more often.
    """

    # Without constraints: the previous release, which does not know this table, could not delete messages.
    message = models.OneToOneField(
        "chat.Message", primary_key=True, on_delete=models.CASCADE, related_name="search_text", db_constraint=False
    )
    conversation = models.ForeignKey(
        "chat.Conversation", on_delete=models.CASCADE, related_name="search_texts", db_constraint=False
    )
    text = models.TextField()  # with the file names at its end
    file_names = models.TextField(default="", db_default="")  # as they are shown

    objects = SearchTextQuerySet.as_manager()

    class Meta:
        verbose_name, verbose_name_plural = _("search text"), _("search texts")

    def __str__(self) -> str:
        return f"{self.message_id}: {self.text[:60]}"

    @staticmethod
    def of(messages: Iterable["Message"]) -> list["SearchText"]:
        """Returns rows for these messages, which are not saved yet."""
        rows = [SearchText(message=row, conversation_id=row.conversation_id) for row in messages]
        for row in rows:
            row.file_names = file_names(row.message.parts)
            row.text = fold(row.plain_text)
        return [row for row in rows if row.text]

    @staticmethod
    def write(messages: Iterable["Message"]) -> None:
        """Saves the rows of these messages, over earlier ones. Sync; runs in the caller's transaction."""
        SearchText.objects.bulk_create(
            SearchText.of(messages),
            update_conflicts=True,
            unique_fields=["message"],
            update_fields=["text", "file_names"],
        )

    @property
    def plain_text(self) -> str:
        """Returns the text of the message before it is folded, with the file names at its end."""
        return f"{plain_text(self.message)} {self.file_names}".strip()


def plain_text(message: "Message") -> str:
    """Returns the text of a message without Markdown, on one line."""
    return markdown_to_text(message.text, is_typed=message.role == "user")
