"""The Japanese catalog is complete: nothing that a user can see is missing in it, or left over."""

import ast
import re

import pytest
from babel.messages.catalog import Message
from babel.messages.mofile import read_mo
from django.template.base import Lexer, TokenType

from scripts import makemessages
from scripts.environment import ROOT

PLACEHOLDER = re.compile(r"%\(\w+\)[a-z]|%[a-z]|\{\w*\}|</?\w+>")
PYTHON = [path for path in makemessages.source_files() if path.suffix == ".py"]
TERMINAL = {"management", "terminal"}  # a terminal speaks English
PAGES = [path for path in PYTHON if not TERMINAL.intersection(path.parts)]
TEMPLATES = [path for path in makemessages.source_files() if path.suffix == ".html"]
HTML = re.compile(r"<!--.*?-->|<style\b.*?</style>|<script\b.*?</script>|<svg\b.*?</svg>|<[!/a-z][^>]*>", re.S | re.I)
READ = re.compile(r"""\b(?:alt|aria-description|aria-label|label|placeholder|title)=(?:"([^"]*)"|'([^']*)')""")
AS_IT_IS = {"Ctrl", "Enter", "rsaquo"}  # so in every language


def name(path):
    return str(path.relative_to(ROOT))


@pytest.fixture(scope="module")
def kept():
    return {(entry.context, entry.id): entry for entry in makemessages.read_catalog() if entry.id}


@pytest.fixture(scope="module")
def found():
    return {(entry.context, entry.id): entry for entry in makemessages.extract_catalog() if entry.id}


def test_sentences_are_all_in_the_catalog(kept, found):
    missing = [id for context, id in found.keys() - kept.keys()]
    assert missing == [], "Run `make messages` and translate what it adds"


def test_catalog_has_nothing_left_over(kept, found):
    unused = [id for context, id in kept.keys() - found.keys()]
    assert (unused, [*makemessages.read_catalog().obsolete]) == ([], []), "`make messages` removes them"


def test_sentences_are_all_translated_and_not_fuzzy(kept):
    assert [entry.id for entry in kept.values() if not makemessages.is_translated(entry)] == []
    assert [entry.id for entry in kept.values() if entry.fuzzy] == []


@pytest.mark.parametrize("string, expected", [("", False), ("a", True), (("",), False), (("a", ""), False)])
def test_message_is_translated_with_all_its_plurals(string, expected):
    assert makemessages.is_translated(Message("id", string)) is expected


def test_placeholders_and_markup_are_the_same_in_the_translation(kept):
    def places(text):
        return sorted(PLACEHOLDER.findall(text))

    for entry in kept.values():
        ids, strings = [[text] if isinstance(text, str) else [*text] for text in (entry.id, entry.string)]
        assert {*map(tuple, map(places, ids + strings))} == {tuple(places(ids[0]))}, entry.id


def test_sentences_end_as_sentences(kept):
    """What ends as a sentence, a question or a label does so in both languages."""
    ends = {".": "。", "?": "？", "…": "…", ":": "："}
    for entry in kept.values():
        id, string = (text if isinstance(text, str) else text[-1] for text in (entry.id, entry.string))
        if string and id[-1] in ends and not id.endswith("demo:"):
            assert string[-1] == ends[id[-1]], id


WITH_COUNT = re.compile(r"%\((?:\w*length|limit|seconds|count|number|\w*items?)\)s (?:\w+ )?\w+s\b")
NEVER_ONE = {  # constants of ours, and files of which some units were shown and others were not
    "The file “%(name)s” was too long for the model, which saw %(shown)s of its %(count)s pages.",
    "The file “%(name)s” was too long for the model, which saw %(shown)s of its %(count)s sheets.",
    "The file “%(name)s” was too long for the model, which saw %(shown)s of its %(count)s slides.",
    "The file “%(name)s” was too long for the model, which saw %(shown)s of its %(count)s emails.",
    "The server did not answer within %(seconds)s seconds.",
    "The model did not answer within %(seconds)s seconds.",
    "it did not answer within %(seconds)s seconds.",
    "idempotency_key must be a string of 1 to %(limit)s characters.",
    "The expression is too long. At most %(limit)s characters are allowed.",
    "The number is too large: it has more than %(limit)s digits.",
    "Search for one to %(limit)s words.",
}


def test_sentences_that_count_have_a_singular(found):
    uncounted = {id for _context, id in found if isinstance(id, str) and WITH_COUNT.search(id)}
    assert uncounted == NEVER_ONE


def test_compiled_catalog_is_the_written_one(kept):
    path = makemessages.JAPANESE.with_suffix(".mo")
    assert path.exists(), "`make setup` compiles it"
    with path.open("rb") as file:
        compiled = {(entry.context, hashable(entry.id)): hashable(entry.string) for entry in read_mo(file) if entry.id}
    assert compiled == {key: hashable(entry.string) for key, entry in kept.items()}, "`make setup` compiles it"


def hashable(text):
    """Babel reads the texts of a sentence that counts as a list from one file and as a tuple from another."""
    return text if isinstance(text, str) else tuple(text)


@pytest.mark.parametrize("path", PYTHON, ids=name)
def test_f_strings_hide_no_sentence(path):
    """The extractor would not find it there."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.JoinedStr):
            called = {ast.unparse(call.func) for call in ast.walk(node) if isinstance(call, ast.Call)}
            assert not called & makemessages.KEYWORDS.keys(), f"line {node.lineno}"


RAISED = {"Refused", "ProviderError", "ToolError", "ValidationError", "_not_configured"}


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_errors_for_a_user_are_translated(path):
    """What is raised for a user to read is a call of gettext, a name for one, or somebody else's words."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in RAISED and node.args:
            message = node.args[0]
            bare = isinstance(message, ast.JoinedStr) or (
                isinstance(message, ast.Constant) and " " in str(message.value)
            )
            assert not bare, f"line {node.lineno}: {ast.unparse(message)}"


def untranslated(path):
    """The template's own words: its text outside of tags and translations, and in attributes that are read."""
    text, until = "", None
    for token in Lexer(path.read_text()).tokenize():
        tag = token.contents.split()[0] if token.token_type is TokenType.BLOCK else ""
        if tag in ("blocktranslate", "comment"):
            until = f"end{tag}"
        elif tag == until:
            until = None
        elif token.token_type is TokenType.TEXT and not until:
            text += token.contents
    read = ["".join(match) for match in READ.findall(text)]
    return set(re.findall(r"[^\W\d_]{2,}", " ".join([*read, HTML.sub(" ", text)]))) - AS_IT_IS


@pytest.mark.parametrize("path", TEMPLATES, ids=name)
def test_template_has_no_untranslated_words(path):
    assert untranslated(path) == set()


# Documents ------------------------------------------------------------------------------------------------------------


def skeleton(path):
    """What a document has in whatever language: the levels of its headings, its rows and items, code and addresses."""
    text = (ROOT / path).read_text()
    lines = text.splitlines()
    prose = re.sub(r"^```.*?^```|^    .*?$", "", text, flags=re.S | re.M)
    return {
        "headings": [len(line.split()[0]) for line in lines if re.match("#+ ", line)],
        "rows": [line.count("|") for line in re.sub("`[^`]*`", "", prose).splitlines() if line.startswith("|")],
        "items": sum(bool(re.match(r"- |\d+\. ", line)) for line in lines),
        "code": [re.sub("#.*", "", line).rstrip() for line in lines if line.startswith("    ")]
        if "```" not in text
        else re.findall(r"^    (?:\w+ -|\w+\(|\w+\[|participant \w+|\w+-)", text, flags=re.M),
        "names": {" ".join(one.split()) for one in re.findall("`[^`]+`", prose)},
        "addresses": {
            one.replace(".ja.", ".")
            for one in re.findall(r'\]\(([^)]+)\)|src="([^"]+)"|<(http[^>]+)>', prose)
            for one in one
            if one
        },
    }


@pytest.mark.parametrize("path", ["README.md", "docs/architecture.md"])
def test_document_has_the_same_content_in_both_languages(path):
    english, japanese = skeleton(path), skeleton(path.replace(".md", ".ja.md"))
    for what in english:
        assert japanese[what] == english[what]
