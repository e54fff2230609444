"""Updates locale/ja/LC_MESSAGES/django.po from the source: `make messages`.

Adds new messages without a translation, removes unused ones, and prints what is left to translate. GNU gettext is not
needed: Babel reads the Python files, and Django converts the templates into calls of gettext.
"""

import re
from io import BytesIO

from babel.messages.catalog import Catalog
from babel.messages.extract import extract
from babel.messages.pofile import read_po, write_po
from django.utils.translation.template import templatize

from .environment import ROOT

JAPANESE = ROOT / "locale/ja/LC_MESSAGES/django.po"
KEYWORDS = {
    **dict.fromkeys(["_", "gettext", "gettext_lazy", "gettext_noop"]),
    **dict.fromkeys(["ngettext", "ngettext_lazy"], (1, 2)),
    **dict.fromkeys(["pgettext", "pgettext_lazy"], ((1, "c"), 2)),
    **dict.fromkeys(["npgettext", "npgettext_lazy"], ((1, "c"), 2, 3)),
}
HEADER = """\
# Japanese translations of the site. `make messages` adds new messages and removes unused ones.
msgid ""
msgstr ""
"Language: ja\\n"
"Plural-Forms: nplurals=1; plural=0;\\n"
"MIME-Version: 1.0\\n"
"Content-Type: text/plain; charset=utf-8\\n"
"Content-Transfer-Encoding: 8bit\\n"

"""
STRING = r"""u?(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")"""
CALL = re.compile(rf"\b(?:n?p?gettext|_)\({STRING}(?:, {STRING})*(?:, ?count)?\)")  # as `templatize` writes them


def extract_catalog():
    """Returns a catalog of all messages in the source, untranslated."""
    catalog = Catalog()
    for path in source_files():
        for _, message, _, context in extract("python", BytesIO(gettext_calls(path).encode()), KEYWORDS):
            catalog.add(message, locations=[(str(path.relative_to(ROOT)), 1)], context=context)
    return catalog


def source_files():
    """Yields the Python files of every app, then all templates."""
    for app in sorted(ROOT.glob("*/apps.py")):
        for path in sorted(app.parent.glob("**/*.py")):
            if "migrations" not in path.parts:
                yield path
    yield from sorted(ROOT.glob("templates/**/*.html"))


def gettext_calls(path):
    """Returns Python source that contains the gettext calls of a Python file or template."""
    text = path.read_text()
    if path.suffix == ".py":
        return text
    return "\n".join(CALL.findall(templatize(text)))


def read_catalog():
    """Returns the catalog as it is stored."""
    with JAPANESE.open("rb") as file:
        return read_po(file, locale="ja")


def is_translated(message):
    """Returns whether the message has a translation, or all its plurals have one."""
    return all(message.string if isinstance(message.string, tuple | list) else [message.string])


def main():
    catalog = read_catalog()
    catalog.update(extract_catalog(), no_fuzzy_matching=True)
    output = BytesIO()
    write_po(
        output,
        catalog,
        width=110,
        omit_header=True,
        include_lineno=False,
        ignore_obsolete=True,
        sort_by_file=True,
    )
    JAPANESE.write_text(HEADER + output.getvalue().decode())
    missing = [message.id for message in catalog if message.id and not is_translated(message)]
    print(f"{len(catalog)} messages, {len(missing)} to translate", *missing, sep="\n  ")


if __name__ == "__main__":
    main()
