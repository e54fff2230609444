"""Sentences that were stored in the language of one user, in the language of another who reads them.

A run keeps the words of its error as they were shown. Its code does not determine them: they may contain a number, the
name of a setting, or what a server said. They are therefore looked up among all sentences of the site.
"""

import re
from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils.translation import gettext, ngettext

PLACEHOLDER = re.compile(r"%\((\w+)\)s|%%")
NUMBER = re.compile(r"[\d,]+")
MIN_FIXED_LENGTH = 4  # characters of a sentence beside its placeholders; a shorter one might be in any text
MAX_LENGTH = 2_000  # characters; no sentence of the site is longer
MAX_LEVELS = 2  # of sentences in sentences, such as the place of a limit


@dataclass(frozen=True)
class Template:
    """A sentence with placeholders, as it is in one of the languages."""

    id: str | tuple[str, str]  # in English, as `gettext` or `ngettext` knows it
    names: list[str]  # of the placeholders
    fixed: list[str]  # what is before, between and after them

    @property
    def fixed_length(self) -> int:
        return sum(character.isalpha() for text in self.fixed for character in text)

    def values_in(self, text: str) -> dict[str, str] | None:
        """Returns the values of the placeholders in this text, each as short as it can be; None: it is another text.

        An expression would do the same, but try all places for each placeholder.
        """
        first, *inner, last = self.fixed
        if not text.startswith(first) or not text.endswith(last):
            return None
        values: dict[str, str] = {}
        start, end = len(first), len(text) - len(last)
        for name, following in zip(self.names, [*inner, ""], strict=True):
            stop = text.find(following, start, end) if following else end
            if stop < start or values.setdefault(name, text[start:stop]) != text[start:stop]:
                return None
            start = stop + len(following)
        return values


def translate(text: str, levels: int = MAX_LEVELS) -> str:
    """Returns a sentence of the site in the current language, and any other text as it is."""
    exact, templates = _known_sentences()
    if len(text) > MAX_LENGTH:
        return text
    if text in exact:
        return gettext(exact[text])
    for template in templates:
        values = template.values_in(text)
        if values is not None:
            if levels:
                values = {name: _translate_value(value, levels - 1) for name, value in values.items()}
            return _translate_template(template.id, values) % values
    return text


def _translate_template(id: str | tuple[str, str], values: dict[str, str]) -> str:
    if isinstance(id, str):
        return gettext(id)
    numbers = [int(value.replace(",", "")) for value in values.values() if NUMBER.fullmatch(value)]
    return ngettext(*id, numbers[0] if numbers else 0)


def _translate_value(value: str, levels: int) -> str:
    """A single word is somebody else's, even if the site has one that is spelled the same."""
    return translate(value, levels) if " " in value or not value.isascii() else value


@cache
def _known_sentences() -> tuple[dict[str, str], list[Template]]:
    """Returns text -> id of those without placeholders, and the others, with the most words of their own first.

    A word that the translation uses for two sentences is left out: which of them it was is not known.
    """
    ids = defaultdict(set)
    templates = []
    for id, texts in _catalogs():
        for text in texts:
            template = template_of(id, text)
            if template.names:
                templates.append(template)
            elif isinstance(id, str):
                ids[text].add(id)
    exact = {text: same.pop() for text, same in ids.items() if len(same) == 1}
    templates = [template for template in templates if template.fixed_length >= MIN_FIXED_LENGTH]
    return exact, sorted(templates, key=lambda template: -template.fixed_length)


def _catalogs():
    """Yields (id, texts in all languages) of the site's own sentences. The id of one that counts is a pair."""
    from babel.messages.mofile import read_mo  # 20 ms, for those who meet an error

    for path in (path for folder in settings.LOCALE_PATHS for path in Path(folder).glob("*/LC_MESSAGES/django.mo")):
        with path.open("rb") as file:
            for message in read_mo(file):
                if message.id and not message.context:
                    yield _pair(message.id, message.string)


def _pair(id: Any, string: Any) -> tuple[str | tuple[str, str], list[str]]:
    return (id, [id, string]) if isinstance(id, str) else ((id[0], id[1]), [*id, *string])


def template_of(id: str | tuple[str, str], text: str) -> Template:
    """Returns the template of a sentence: its text in one of the languages, and its id."""
    fixed, names = [""], []
    end = 0
    for place in PLACEHOLDER.finditer(text):
        fixed[-1] += text[end : place.start()]
        if place[0] == "%%":
            fixed[-1] += "%"
        else:
            names.append(place[1])
            fixed.append("")
        end = place.end()
    fixed[-1] += text[end:]
    return Template(id, names, fixed)
