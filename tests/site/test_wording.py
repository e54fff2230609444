"""One word stands for one thing, in each language: see the table in docs/language.md."""

import ast
import re

import pytest

from scripts import makemessages
from scripts.environment import ROOT

STRINGS = ROOT / "static/chat/js/i18n"
JAPANESE_DOCUMENTS = [ROOT / "README.ja.md", *sorted((ROOT / "docs").glob("*.ja.md"))]
CONVERSATION = re.compile(r"\bconversations?\b(?!\.json)", re.IGNORECASE)
QUOTED_CONVERSATION = re.compile(r"""["`](?:[^"`\n]* )?conversations?[ .…"`!?,]""", re.IGNORECASE)
CHAT = re.compile(r"\bchats?\b(?!\.\w)", re.IGNORECASE)
FOR_STAFF = {"admin", "management", "models", "terminal"}
# In models, `gettext` makes errors for users, and `_` makes names and help texts for staff.
FOR_USERS = {"gettext", "ngettext"}

UNWANTED = re.compile(
    r"チャット|スレッド|回答|推論|(?:サーバ|ユーザ|ブラウザ|フォルダ|プロバイダ|ヘッダ|メモリ)(?!ー)|下さい"
)
NAMES_OF_THE_SITE = {"Chat", "Chat with AI assistants. Answers are never lost."}
IN_DOCUMENTS = {"チャット", "スレッド"}  # a chat site; threads of the operating system


def calls_in(path):
    """Yields the function's name and the literal texts of each translated message in a file."""
    source = makemessages.gettext_calls(path)
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in makemessages.KEYWORDS:
            texts = [item.value for item in node.args if isinstance(item, ast.Constant) and isinstance(item.value, str)]
            yield ast.unparse(node.func), texts


def texts_for(path, *, staff):
    """Returns the messages of a file that staff read in the admin, or those that users read."""
    folders = set(path.relative_to(ROOT).parts)
    for function, texts in calls_in(path):
        is_for_staff = bool(folders & FOR_STAFF) and not ("models" in folders and function in FOR_USERS)
        if is_for_staff == staff:
            yield from texts


@pytest.fixture(scope="module")
def source_files():
    return [*makemessages.source_files()]


def test_users_read_chat(source_files):
    read = [text for path in source_files for text in texts_for(path, staff=False)]
    assert [text for text in read if CONVERSATION.search(text)] == []
    assert QUOTED_CONVERSATION.findall((STRINGS / "strings.en.js").read_text()) == []


def test_staff_read_conversation(source_files):
    read = [text for path in source_files for text in texts_for(path, staff=True)]
    assert [text for text in read if CHAT.search(re.sub(r"[Cc]hat completions", "", text))] == []


@pytest.mark.parametrize(
    "text", ['"No conversations found."', "other: `${number(count)} conversations` })", '"Conversation"']
)
def test_a_conversation_in_a_script_is_found(text):
    assert QUOTED_CONVERSATION.search(text)


def test_japanese_catalog_has_no_unwanted_words():
    entries = [entry for entry in makemessages.read_catalog() if entry.id and entry.id not in NAMES_OF_THE_SITE]
    strings = [
        text for entry in entries for text in ([entry.string] if isinstance(entry.string, str) else entry.string)
    ]
    assert [text for text in strings if UNWANTED.search(text)] == []


def test_japanese_scripts_have_no_unwanted_words():
    assert UNWANTED.findall((STRINGS / "strings.ja.js").read_text()) == []


@pytest.mark.parametrize("path", JAPANESE_DOCUMENTS, ids=lambda path: path.name)
def test_japanese_documents_have_no_unwanted_words(path):
    assert set(UNWANTED.findall(path.read_text())) - IN_DOCUMENTS == set()
