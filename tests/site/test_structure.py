"""The shape of the code: no cycles among the modules, files of a few screens, functions that can be read at once."""

import ast

import pytest

from scripts.environment import ROOT

MAX_FILE_LINES = 450
MAX_FUNCTION_LINES = 60
LONG_FILES = {
    "chat/models/conversations.py",  # conversation, message and run change together, and are read together
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
    if not path.name.startswith("words.")  # all sentences of a language
]


def module_name(path):
    return ".".join(path.with_suffix("").parts).removesuffix(".__init__")


def imported_modules(path, modules):
    """Returns the modules of the project that this file imports when it is loaded itself."""
    name = module_name(path)
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    imported = set()
    for node in ast.parse((ROOT / path).read_text()).body:
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package.rsplit(".", node.level - 1)[0] if node.level > 1 else package
            source = node.module if node.level == 0 else ".".join(filter(None, [base, node.module]))
            names = {f"{source}.{alias.name}" for alias in node.names}
            imported |= {name if name in modules else source for name in names}
    return (imported & modules.keys()) - {name}


def cycles(graph):
    """Returns the cycles that a walk along the imports meets, each as a list of modules."""
    found, done = [], set()

    def walk(module, path):
        if module in path:
            found.append([*path[path.index(module) :], module])
        elif module not in done:
            for other in sorted(graph[module]):
                walk(other, [*path, module])
            done.add(module)

    for module in graph:
        walk(module, [])
    return found


def test_modules_import_each_other_in_no_cycle():
    modules = {module_name(path): path for path in SOURCES}
    assert cycles({name: imported_modules(path, modules) for name, path in modules.items()}) == []


def test_cycles_are_found():
    assert cycles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": set()}) == [["a", "b", "c", "a"]]


@pytest.mark.parametrize("path", SOURCES + SCRIPTS_AND_STYLES, ids=str)
def test_file_is_not_too_long(path):
    if str(path) not in LONG_FILES:
        lines = (ROOT / path).read_text().count("\n")
        assert lines <= MAX_FILE_LINES


@pytest.mark.parametrize("path", SOURCES, ids=str)
def test_functions_are_not_too_long(path):
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno - node.lineno < MAX_FUNCTION_LINES, node.name
