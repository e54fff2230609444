"""The files and names that the documentation mentions exist."""

import re
import subprocess
from functools import cache

import pytest

from scripts.environment import ROOT

DOCUMENTS = [
    *("README.md", "README.ja.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"),
    *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")),
]
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`([^`\n]+)`")
EXAMPLE = re.compile(r"`([^`\n]+)`[:：]?\n\n(?:    |```)")  # a file that a recipe creates
LINK = re.compile(r"\]\(([^)#:]+)\)")
PATH = re.compile(r"(?:accounts|bench|chat|chatsite|docs|locale|scripts|static|templates|tests)/[\w./-]*")
FILE = re.compile(r"[\w-]+\.(?:py|js|md|txt|json|toml|html|css|po)")
NAME = re.compile(r"(?:\w+\.)*_?(?:[A-Z][a-z]+[A-Z]\w*|[A-Z]{4,}|\w+_\w+)(?:\(.*\))?")  # CamelCase, snake_case, SETTING
LIBRARIES = {  # names of theirs
    *("InjectedState", "StreamReader", "ToolRuntime", "create_agent", "init_chat_model"),
    *("anthropic_bedrock", "azure_ai", "bedrock_mantle_anthropic", "bedrock_mantle_openai", "google_anthropic_vertex"),
}
PLACEHOLDERS = {"SLUG_TOOL", "_KEY", "_TOKEN"}


@cache
def files():
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    return {name for name in listed if (ROOT / name).is_file()}


@cache
def source_words():
    words = set()
    for name in files():
        if name.endswith((".py", ".js", ".html", ".txt", ".in", ".toml", ".yml")) and "/vendor/" not in name:
            words |= set(re.findall(r"\w+", (ROOT / name).read_text()))
    return words


def prose(document):
    """Returns a document's code spans, and the examples among them."""
    text = (ROOT / document).read_text()
    spans = CODE.findall(FENCE.sub("", text))
    return spans, set(EXAMPLE.findall(text))


@pytest.mark.parametrize("document", DOCUMENTS)
def test_docs_name_files_that_exist(document):
    spans, examples = prose(document)
    folders = {name.rpartition("/")[0] for name in files()}
    names = {name.rpartition("/")[2] for name in files()}
    missing = []
    for span in spans:
        if PATH.fullmatch(span):
            path = span.rstrip("/")
            if path not in files() and not any(f"{folder}/".startswith(f"{path}/") for folder in folders):
                missing.append(span)
        elif FILE.fullmatch(span) and span not in names:
            missing.append(span)
    assert set(missing) - examples == set()


@pytest.mark.parametrize("document", DOCUMENTS)
def test_docs_links_lead_to_files(document):
    text = FENCE.sub("", (ROOT / document).read_text())
    folder = (ROOT / document).parent
    assert [link for link in LINK.findall(text) if not (folder / link).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_docs_name_only_what_the_code_has(document):
    spans, examples = prose(document)
    names = {span for span in spans if NAME.fullmatch(span)} - LIBRARIES - PLACEHOLDERS - examples
    text = (ROOT / document).read_text()
    fenced = set(re.findall(r"\w+", " ".join(FENCE.findall(text))))  # names that a recipe makes
    unknown = []
    for span in names:
        last = re.sub(r"\(.*", "", span).rpartition(".")[2]
        if last not in source_words() | fenced:
            unknown.append(span)
    assert unknown == []
