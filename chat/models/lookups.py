"""Text lookups and functions that behave alike on SQLite and PostgreSQL."""

import re
from itertools import pairwise

from django.db import models
from django.db.backends.signals import connection_created
from django.db.models import lookups
from django.dispatch import receiver

from ..natural_order import natural_key

# Migration 0016_fold_texts indexes pairs of these: PostgreSQL has no trigrams for words of two letters.
PAIRED_LETTERS = re.compile("[々\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]{2,}")


@models.CharField.register_lookup
@models.TextField.register_lookup
class IContains(lookups.IContains):
    """Django's lookup. SQLite ignores the case of ASCII letters only, so there Python compares all others."""

    def as_sqlite(self, compiler, connection):
        word = self.rhs
        if isinstance(word, str) and not word.isascii() and word.lower() != word.upper():
            column, params = self.process_lhs(compiler, connection)
            return f"contains_in_any_case({column}, %s)", [*params, word.lower()]
        return self.as_sql(compiler, connection)


@receiver(connection_created)
def add_sqlite_function(connection, **kwargs):
    if connection.vendor == "sqlite":
        connection.connection.create_function("contains_in_any_case", 2, _contains, deterministic=True)
        connection.connection.create_function("natural_key", 1, _natural_key, deterministic=True)


class NaturalKey(models.Func):
    """What names are ordered by in the database: see chat.natural_order."""

    arity = 1
    function = "natural_key"
    output_field = models.TextField()

    def as_postgresql(self, compiler, connection, **context):
        template = (
            r"regexp_replace(regexp_replace(lower(%(expressions)s), '([0-9]+)', '0000000000\1', 'g'),"
            r" '0*([0-9]{10,})', '\1', 'g')"
        )
        return self.as_sql(compiler, connection, template=template, **context)


def _contains(text: str | None, lowercase_word: str) -> bool:
    """Takes time in proportion to the text alone, which a regular expression would not."""
    return text is not None and lowercase_word in text.lower()


def _natural_key(text: str | None) -> str | None:
    return None if text is None else natural_key(text)


def letter_pairs(words: str) -> set[str]:
    """Returns each two letters that stand side by side in a Japanese, Chinese or Korean word."""
    pairs = set()
    for word in PAIRED_LETTERS.findall(words):
        for first, second in pairwise(word):
            pairs.add(first + second)
    return pairs
