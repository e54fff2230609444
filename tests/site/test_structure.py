"""The structure of the code: no import cycles, no long files, no long functions."""

import ast

import pytest

from scripts.environment import ROOT
from tests.timeouts import HANG_TIMEOUT

MAX_FILE_LINES = 450
MAX_FUNCTION_LINES = 60
LONG_FILES = {  # their own limits, in lines; none may be added
    # Conversation, message and run depend on each other too closely to be read apart.
    "chat/models/conversations.py": 700,
}
PACKAGES = [
    "chat",
    "chatsite",
    *sorted(path.parent.name for path in ROOT.glob("*/apps.py") if path.parent.name != "chat"),
]
SOURCES = [
    path.relative_to(ROOT)
    for package in [*PACKAGES, "scripts"]
    for path in sorted((ROOT / package).rglob("*.py"))
    if "migrations" not in path.parts
]
SCRIPTS_AND_STYLES = [
    path.relative_to(ROOT)
    for folder in ("js", "css")
    for path in sorted((ROOT / "static/chat" / folder).rglob(f"*.{folder}"))
    if not path.name.startswith("strings.")  # all texts of one language
]
TESTS = [
    path.relative_to(ROOT)
    for folder in ("tests", "bench")
    for path in sorted((ROOT / folder).rglob("*"))
    if path.suffix in (".py", ".js") and "data" not in path.parts
]
WAITS = {"timeout", "wait", "join", "communicate", "result", "receive_output", "receive_json_from"}
POLL = 0.5  # seconds: a wait of at most so long is a pause between two looks


def module_name(path):
    return ".".join(path.with_suffix("").parts).removesuffix(".__init__")


def imported_modules(path, modules):
    """Returns the project's modules that this file imports at module level."""
    name = module_name(path)
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    imported = set()
    for node in ast.parse((ROOT / path).read_text()).body:
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package.rsplit(".", node.level - 1)[0] if node.level > 1 else package
            source = node.module if node.level == 0 else ".".join(filter(None, [base, node.module]))
            candidates = {f"{source}.{alias.name}" for alias in node.names}  # each a module, or a name in `source`
            imported |= {candidate if candidate in modules else source for candidate in candidates}
    return (imported & modules.keys()) - {name}


def find_cycles(graph):
    """Returns the import cycles, each as a list of modules. `graph` is {module: imported modules}."""
    found, done = [], set()

    def walk(module, path):
        if module in path:
            found.append([*path[path.index(module) :], module])
        elif module not in done:
            for imported in sorted(graph[module]):
                walk(imported, [*path, module])
            done.add(module)

    for module in graph:
        walk(module, [])
    return found


def test_modules_have_no_import_cycles():
    modules = {module_name(path): path for path in SOURCES}
    assert find_cycles({name: imported_modules(path, modules) for name, path in modules.items()}) == []


def test_cycles_are_found():
    assert find_cycles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": set()}) == [["a", "b", "c", "a"]]


@pytest.mark.parametrize("path", SOURCES + SCRIPTS_AND_STYLES, ids=str)
def test_file_is_not_too_long(path):
    assert count_lines(path) <= LONG_FILES.get(str(path), MAX_FILE_LINES)


def test_tests_are_not_too_long():
    lines = {str(path): count_lines(path) for path in TESTS}
    assert [path for path in lines if lines[path] > LONG_FILES.get(path, MAX_FILE_LINES)] == []


def test_long_files_are_still_long():
    short = [path for path in LONG_FILES if not (ROOT / path).exists() or count_lines(path) <= MAX_FILE_LINES]
    assert short == [], "Remove these from LONG_FILES"


def count_lines(path):
    return (ROOT / path).read_text().count("\n")


@pytest.mark.parametrize("path", SOURCES, ids=str)
def test_functions_are_not_too_long(path):
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno - node.lineno < MAX_FUNCTION_LINES, node.name


def short_limits(source):
    """Yields (line, seconds) of each wait in this source whose limit is a number below HANG_TIMEOUT."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in WAITS:
            for limit in [*node.args[:1], *(word.value for word in node.keywords if word.arg == "timeout")]:
                if isinstance(limit, ast.Constant) and type(limit.value) in (int, float):
                    if POLL < limit.value < HANG_TIMEOUT:
                        yield node.lineno, limit.value


def test_waits_of_tests_have_no_short_limits():
    """A busy machine would exceed them now and then. Those in `browser` and `real_model` have limits of their own."""
    found = [
        f"{path}:{line}: {seconds} s"
        for path in TESTS
        if path.suffix == ".py" and path.parts[0] == "tests" and path.parts[1] not in ("browser", "real_model")
        for line, seconds in short_limits((ROOT / path).read_text())
    ]
    assert found == [], "Use hang_timeout() or HANG_TIMEOUT of tests.waiting"


def test_short_limits_are_found():
    assert list(short_limits("async def f():\n async with asyncio.timeout(5), aclosing(x): pass")) == [(2, 5)]
    assert list(short_limits("assert process.communicate(timeout=10) == gate.wait(20)")) == [(1, 10), (1, 20)]
    assert list(short_limits("while not over.wait(0.05): line.acquire(timeout=1, x=asyncio.timeout(600))")) == []
