"""Imports point one way: apps and entry points, engine, providers, tools, models, events. The core imports no app."""

import ast
import sys

import pytest

from scripts.environment import ROOT

CHAT = ROOT / "chat"
APPS = {path.parent.name for path in ROOT.glob("*/apps.py")} - {"chat"}

ENTRY_POINT = {
    "api_keys",
    "attachment_response",
    "broadcast",
    "engine",
    "errors",
    "events",
    "files",
    "images",
    "json_bodies",
    "language",
    "live",
    "models",
    "parts",
    "search",
    "transfer",
}
MAY_IMPORT = {
    "events": set(),
    "errors": set(),
    "outages": {"errors"},
    "backends": set(),
    "error_reports": {"redaction"},
    "logs": {"outages", "redaction"},
    "hooks": set(),
    "api_keys": {"errors", "redaction"},
    "redaction": set(),
    "stored_sentences": set(),
    "file_text": set(),
    "folding": set(),
    "natural_order": set(),
    "markdown_to_text": set(),
    "parts": {"events", "file_text"},
    "models": {"redaction", "errors", "events", "folding", "hooks", "markdown_to_text", "natural_order", "parts"},
    "limits": {"errors", "models"},
    "json_limits": set(),
    "json_bodies": {"errors", "executors", "json_limits", "per_loop", "slots"},
    "fair_queue": set(),
    "slots": {"errors", "fair_queue"},
    "response_limits": {"json_limits"},
    "tools": {
        "redaction",
        "response_limits",
        "models",
        "events",
        "executors",
        "search",
    },  # some work with what the user wrote
    "providers": {
        "model_servers",
        "local_hosts",
        "redaction",
        "json_limits",
        "response_limits",
        "events",
        "tools",
        "executors",
        "per_loop",
    },
    "executors": set(),
    "per_loop": set(),
    "redis_connection": set(),
    "engine": {
        "outages",
        "redaction",
        "redis_connection",
        "providers",
        "models",
        "events",
        "executors",
        "per_loop",
        "broadcast",
        "hooks",
        "errors",
        "file_text",
        "images",
        "parts",
        "tools",
    },
    "attachment_response": {"models"},
    "broadcast": set(),
    "checks": set(),
    "search": {"folding", "markdown_to_text", "models"},
    "upload_slots": {"per_loop", "slots"},
    "images": {"errors", "models", "upload_slots", "workers"},
    "files": {"errors", "events", "images", "models", "upload_slots", "workers"},
    "extraction": {"events", "worker_process"},  # no Django, as for images
    "image_codec": {"worker_process"},  # no Django: worker processes start fast
    "workers": {"executors"},
    "worker_process": {"extraction", "image_codec"},
    "importers": {
        "events",
        "extraction",
        "file_text",
        "image_codec",
        "parts",
        "worker_process",
    },  # no models: it runs in a worker process
    "transfer": {
        *("errors", "events", "executors", "importers", "models", "outages", "parts", "per_loop", "slots", "workers"),
    },
    "storage": set(),
    "branding": set(),
    "templatetags": {"branding", "storage"},
    "language": set(),
    "django_internals": set(),
    "middleware": {"django_internals", "errors"},
    "address_limits": {"addresses", "errors", "per_loop", "slots"},
    "schemas": {"errors", "models"},
    "api": ENTRY_POINT | {"page_user", "schemas", "per_loop", "slots", "outages", "address_limits"},
    # both validate messages alike
    "live": ENTRY_POINT
    | {"executors", "page_user", "schemas", "per_loop", "redis_connection", "slots", "outages", "address_limits"},
    "views": ENTRY_POINT | {"branding", "outages", "storage"},
    "addresses": set(),
    "page_user": set(),
    "connections": {"addresses"},
    "uvicorn_internals": {"asgi", "connections"},
    "password_checks": {"addresses", "errors", "executors", "per_loop", "slots", "address_limits"},
    "asgi": {
        "addresses",
        "api_keys",
        "engine",
        "errors",
        "executors",
        "fair_queue",
        "health",
        "language",
        "live",
        "per_loop",
        "slots",
    },
    "readiness": {"engine", "executors", "models", "outages", "per_loop"},
    "health": {"readiness"},
    "urls": {"health", "views"},
    "admin": {
        "branding",
        "model_servers",
        "events",
        "folding",
        "markdown_to_text",
        "models",
        "natural_order",
        "parts",
        "providers",
        "search",
        "stored_sentences",
        "tools",
    },  # which of them exist is checked when an assistant is saved
    "default_assistants": {"models", "providers"},
    "local_hosts": set(),
    "model_servers": {"local_hosts"},
    "found_assistants": {"default_assistants", "model_servers", "models", "providers"},
    "apps": {"redaction", "checks", "default_assistants", "management"},
    "terminal": {"engine", "errors", "events", "models", "tools"},
    "management": {
        *("terminal", "models", "errors", "events", "default_assistants", "found_assistants", "redaction"),
        *("asgi", "backends", "connections", "engine", "uvicorn_internals"),  # the server and the worker
    },
}
PUBLIC = {
    "admin",
    "api",
    "api_keys",
    "broadcast",
    "engine",
    "errors",
    "events",
    "hooks",
    "images",
    "json_bodies",
    "live",
    "models",
    "outages",
    "schemas",
    "search",
    "transfer",
}  # for apps
VENDORS = {"openai": {"providers"}, "httpx2": {"providers"}, "aiohttp": {"providers"}, "langchain": {"providers"}}


def modules(package):
    """Returns (subpackage or module, path) of every file in this package but its migrations."""
    found = []
    for path in sorted(package.rglob("*.py")):
        name = path.relative_to(package).parts[0].removesuffix(".py")
        if name not in ("migrations", "__init__"):
            found.append((name, path))
    return found


def imports(path):
    """Yields what a file imports, wherever in the file, as lists such as ["chat", "models"] or ["django", "db"]."""
    package, *inner = path.relative_to(ROOT).parts
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            for name in node.names:
                yield name.name.split(".")
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names = node.module.split(".")
            yield from [names] if len(names) > 1 else ([*names, name.name] for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == len(inner):
            yield from ([package, *(node.module or name.name).split(".")] for name in node.names)


def short(value):
    return getattr(value, "name", value)


@pytest.mark.parametrize(("module", "path"), modules(CHAT), ids=short)
def test_core_module_imports_only_lower_layers(module, path):
    assert module in MAY_IMPORT, f"{module} has no place in MAY_IMPORT yet"
    for package, *names in imports(path):
        assert package not in APPS, f"{path.name} imports the app {package}"
        if package == "chat" and names:
            assert names[0] in MAY_IMPORT[module] | {module}, f"{path.name} imports {names[0]}"
        if package in VENDORS:
            assert module in VENDORS[package], f"{path.name} imports {package}"


@pytest.mark.parametrize("path", [path for _, path in modules(CHAT)], ids=short)
def test_core_refers_to_no_app_by_dotted_path(path):
    texts = [node.value for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant)]
    named = [text for text in texts if isinstance(text, str) and text.startswith(tuple(f"{app}." for app in APPS))]
    assert named == []


@pytest.mark.parametrize(
    ("app", "path"), [(app, path) for app in sorted(APPS) for _, path in modules(ROOT / app)], ids=short
)
def test_app_imports_only_public_modules_of_the_core(app, path):
    for package, *names in imports(path):
        assert package not in APPS - {app}, f"{path} imports the app {package}"
        if package == "chat":
            assert names, "import the module of chat that you mean"
            assert names[0] in PUBLIC, f"{path} imports chat.{names[0]}"


def test_accounts_is_an_app():
    assert "accounts" in APPS


def test_events_import_the_standard_library_alone():
    packages = {package for path in (CHAT / "events").glob("*.py") for package, *_ in imports(path)}
    assert packages <= sys.stdlib_module_names
