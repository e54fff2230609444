"""Every regular expression takes time in proportion to its input, so that no text can stop the site or a page.

The expressions are found in the source, new ones too, and analysed by recheck, which proves one linear or finds the
input that makes it slow. An expression that can only be slow on our own files belongs in OWN_FILES.
"""

import ast
import json
import re
import subprocess
from collections import defaultdict
from dataclasses import dataclass

import pytest

from chat import folding, markdown_to_text
from chat.providers.thoughts.harmony import MARK, START
from chat.providers.thoughts.tags import ANSWER, CLOSING, IN_TEXT_PATTERN, OPENING
from scripts.environment import ROOT
from tests.growth.growth import TEXTS, growth

PACKAGES = ("chat", "accounts", "chatsite")
FUNCTIONS = {"compile", "search", "match", "fullmatch", "split", "findall", "finditer", "sub", "subn"}
POSSESSIVE = re.compile(r"[*+?}]\+")
OWN_FILES = {"chat/storage.py", "chat/templatetags/modules.py"}  # read only what the project itself contains

# Expressions that are put together while the site runs -> what they may look like.
COMPOSED: dict[str, list[str]] = {
    "chat/asgi/threads.py": [r"^/admin/(?!login/)", r"^/api/(.*/)?export$", "^/api/import$|/api/attachments$"],
    "chat/admin/rows_fields.py": [r"[A-Za-z_]\w*", ".*", r"[\w!#$%&'*+.^`|~-]+", "[ -~]*"],
    "chat/providers/thoughts/harmony.py": [MARK.pattern, START.pattern],
    "chat/providers/thoughts/tags.py": [OPENING.pattern, CLOSING.pattern, ANSWER.pattern, IN_TEXT_PATTERN.pattern],
}


def _with_one_mark(pattern):
    """Returns the pattern with one character in place of hundreds."""
    return pattern.pattern.replace(folding.MARKS, "\u0301")


COMPOSED["chat/folding.py"] = [_with_one_mark(row) for row in (folding.PIECE, folding.SHORT_PIECE, folding.CLUSTER)]
COMPOSED["chat/markdown_to_text.py"] = [
    row.pattern.replace("(?P<", "(?<").replace("(?P=ticks)", r"\k<ticks>")
    for row in (markdown_to_text.MARK, markdown_to_text.TYPED_MARK, markdown_to_text.MAY_BE_MARK)
]


@dataclass(frozen=True)
class Expression:
    place: str  # file:line
    source: str
    flags: str = ""
    is_bytes: bool = False

    @property
    def file(self) -> str:
        return self.place.rpartition(":")[0]


def python_expressions(path, text=None):
    """Yields the Expressions of a file; the source of one that is not a constant is empty."""
    name = str(path.relative_to(ROOT)) if path else "text"
    tree = ast.parse(text or path.read_text())
    uses = _uses(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in {f"re.{function}" for function in FUNCTIONS}:
            yield Expression(f"{name}:{node.lineno}", *_as_javascript(node, uses.get(node, node.func.attr)))


def _uses(tree):
    """Returns {call of re.compile: the one method that its file calls on the result}."""
    calls = {
        node.targets[0].id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and isinstance(node.value, ast.Call)
    }
    methods = defaultdict(set)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in calls:
            methods[calls[node.value.id]].add(node.attr)
    return {call: names.pop() for call, names in methods.items() if len(names) == 1}


def _as_javascript(call, function):
    """Returns the pattern of a call as a source and flags of JavaScript, which searches at every position."""
    try:
        pattern = ast.literal_eval(call.args[0])
    except ValueError:
        return "", "", False
    source = pattern.decode("latin-1") if isinstance(pattern, bytes) else pattern
    source = source.replace("(?P<", "(?<").replace(r"\Z", "$").replace(r"\A", "^")
    match function:
        case "match":
            source = f"^(?:{source})"
        case "fullmatch":
            source = f"^(?:{source})$"
    names = {
        part.attr
        for argument in [*call.args, *(keyword.value for keyword in call.keywords)]
        for part in ast.walk(argument)
        if isinstance(part, ast.Attribute)
    }
    flags = {"IGNORECASE": "i", "MULTILINE": "m", "DOTALL": "s"}
    return source, "".join(flag for name, flag in flags.items() if name in names), isinstance(pattern, bytes)


def javascript_expressions():
    files = [str(path.relative_to(ROOT)) for path in sorted((ROOT / "static/chat").rglob("*.js"))]
    return [
        Expression(f"{found['file']}:{found['line']}", found.get("source", ""), found.get("flags", "").replace("d", ""))
        for found in run_node(files)
    ]


def run_node(arguments, text=""):
    command = ["node", "tests/growth/recheck.mjs", *arguments]
    done = subprocess.run(command, cwd=ROOT, input=text, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def slow_ones(expressions):
    """Returns {place: what makes it slow} of those that are not shown to be linear."""
    rows = [{"source": expression.source, "flags": expression.flags} for expression in expressions]
    results = run_node([], json.dumps(rows))
    return {
        row.place: f"{row.source}: {result.get('complexity') or result.get('error')} {result.get('attack')}"
        for row, result in zip(expressions, results, strict=True)
        if result["status"] != "safe"
    }


def in_python():
    paths = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py") if "migrations" not in path.parts]
    return [expression for path in sorted(paths) for expression in python_expressions(path)]


@pytest.mark.slow
def test_expressions_in_python_are_linear():
    found = in_python()
    assert len(found) > 20
    known = [Expression(f"{file}:0", source) for file, sources in COMPOSED.items() for source in sources]
    composed = {expression.file for expression in found if not expression.source}
    assert composed == COMPOSED.keys(), "Say in COMPOSED what an expression that is no constant may look like."
    checked = [row for row in found if row.source and row.file not in OWN_FILES and not POSSESSIVE.search(row.source)]
    assert slow_ones(checked + known) == {}


def test_possessive_expressions_in_python_are_linear():
    """JavaScript has no such expressions, so recheck cannot read them: they are measured."""
    for row in in_python():
        if POSSESSIVE.search(row.source):
            search = re.compile(row.source.encode("latin-1") if row.is_bytes else row.source).search
            encode = (lambda text: [text.encode("utf-8", "replace")]) if row.is_bytes else (lambda text: [text])
            marks = [mark for mark in set(row.source) if not mark.isalnum()]
            slow = {unit: factor for unit in [*TEXTS.values(), *marks] if (factor := growth(search, encode, unit))}
            assert slow == {}, row.place


def test_expressions_in_javascript_are_linear():
    found = javascript_expressions()
    assert len(found) > 10
    assert [row.place for row in found if not row.source] == [], "Write the expression as a literal."
    assert slow_ones(found) == {}


@pytest.mark.parametrize(
    "call",
    [
        r're.compile("\ue200(.*?)\ue202?(.*?)\ue201", re.DOTALL)',  # once read the citations of an import
        r're.sub(r"\s+$", "", text)',
        r're.search("(a+)+b", text)',
        r're.search(r"<!--.*-->", text)',
        r're.fullmatch(r"(\w+\s?)*", text)',
        r'WORDS = re.compile(r"(\w+\s?)*")\nWORDS.fullmatch(text)',
        r're.compile(r"^\s*x$", re.MULTILINE)',
    ],
)
def test_slow_expression_is_found(call):
    [expression] = python_expressions(None, call.replace(r"\n", "\n"))
    assert slow_ones([expression])
