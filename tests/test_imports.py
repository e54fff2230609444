"""Knowledge points one way. A room of the house imports only what stands here."""

import ast
import sys
from pathlib import Path

import pytest

CHAT = Path(__file__).resolve().parent.parent / "chat"

DOORS = {"engine", "models", "sse", "events", "access", "news", "search", "pictures", "carry", "language"}
MAY_IMPORT = {
    "events": set(),
    "models": {"events"},
    "tools": {"models", "threads"},  # some work with what the person wrote
    "providers": {"events", "tools", "threads"},
    "threads": set(),
    "engine": {"providers", "models", "events", "threads", "news"},
    "news": set(),
    "search": {"models"},
    "pictures": {"models"},
    "carry": {"events", "models", "pictures"},
    "sse": {"events"},
    "access": set(),
    "static": set(),
    "language": {"models"},
    "middleware": {"language"},
    "shapes": {"models"},
    "api": DOORS | {"shapes"},
    "views": DOORS,
    "consumers": DOORS | {"shapes"},  # a message is checked alike on both doors
    "server": {"engine", "language", "threads"},
    "routing": {"consumers"},
    "urls": {"views", "api"},
    "admin": {"models", "providers", "tools"},  # which of them exist is checked when an assistant is saved
    "apps": {"models", "language"},
    "management": {"models", "engine", "events", "tools", "apps"},
}
VENDORS = {"openai": {"providers"}, "httpx2": {"providers"}, "aiohttp": {"providers"}, "langchain": {"providers"}}


def rooms():
    for path in sorted(CHAT.rglob("*.py")):
        room = path.relative_to(CHAT).parts[0].removesuffix(".py")
        if room not in ("migrations", "__init__"):
            yield room, path


def imports(path):
    """The rooms of chat and the foreign packages that a file imports, wherever in the file."""
    depth = len(path.relative_to(CHAT).parts)
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            for name in node.names:
                yield name.name.split(".")
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module.split(".")
        elif isinstance(node, ast.ImportFrom) and node.level == depth:
            yield from (["chat", *(node.module or name.name).split(".")] for name in node.names)


@pytest.mark.parametrize(("room", "path"), list(rooms()), ids=lambda value: getattr(value, "name", value))
def test_a_room_imports_only_what_it_may_know(room, path):
    assert room in MAY_IMPORT, f"{room} has no place in the order of imports yet"
    for package, *rest in imports(path):
        if package == "chat" and rest:
            assert rest[0] in MAY_IMPORT[room] | {room}, f"{path.name} imports {rest[0]}"
        if package in VENDORS:
            assert room in VENDORS[package], f"{path.name} imports {package}"


def test_events_need_the_standard_library_alone():
    assert {package for package, *_ in imports(CHAT / "events.py")} <= sys.stdlib_module_names
