"""`make messages`: brings locale/ja/LC_MESSAGES/django.po up to what the code says, without translating anything.

Every sentence of a person's is in a gettext call or a translate tag. Both are found without GNU gettext: Babel reads
Python, and Django turns its templates into calls.
"""

import re
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract
from babel.messages.pofile import read_po, write_po
from django.utils.translation.template import templatize

ROOT = Path(__file__).resolve().parent.parent
JAPANESE = ROOT / "locale/ja/LC_MESSAGES/django.po"
KEYWORDS = {
    **dict.fromkeys(["_", "gettext", "gettext_lazy", "gettext_noop"]),
    **dict.fromkeys(["ngettext", "ngettext_lazy"], (1, 2)),
    **dict.fromkeys(["pgettext", "pgettext_lazy"], ((1, "c"), 2)),
    **dict.fromkeys(["npgettext", "npgettext_lazy"], ((1, "c"), 2, 3)),
}
HEADER = """\
# What the site says, in Japanese. `make messages` adds what is new and takes out what is gone.
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


def found():
    """A catalogue of all that is said, without translations."""
    catalog = Catalog()
    for path in sources():
        for _, message, _, context in extract("python", BytesIO(calls(path).encode()), KEYWORDS):
            catalog.add(message, locations=[(str(path.relative_to(ROOT)), 1)], context=context)
    return catalog


def sources():
    yield from (path for path in sorted(ROOT.glob("chat/**/*.py")) if "migrations" not in path.parts)
    yield from sorted(ROOT.glob("templates/**/*.html"))


def calls(path):
    """Python that holds the file's calls of gettext."""
    text = path.read_text()
    return text if path.suffix == ".py" else "\n".join(CALL.findall(templatize(text)))


def kept():
    """The catalogue as it is."""
    with JAPANESE.open("rb") as file:
        return read_po(file, locale="ja")


def main():
    catalog, written = kept(), BytesIO()
    catalog.update(found(), no_fuzzy_matching=True)
    how = {"omit_header": True, "include_lineno": False, "ignore_obsolete": True, "sort_by_file": True}
    write_po(written, catalog, width=110, **how)
    JAPANESE.write_text(HEADER + written.getvalue().decode())
    missing = [message.id for message in catalog if message.id and not message.string]
    print(f"{len(catalog)} messages, {len(missing)} of them to be translated", *missing, sep="\n  ")


if __name__ == "__main__":
    main()
