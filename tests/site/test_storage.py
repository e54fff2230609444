"""Static files: hashed names once they are collected, their own before."""

import gzip
import os
import re
import subprocess

import pytest
from django.conf import settings
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core.management import call_command
from django.test import override_settings

from chat.models import Conversation
from chat.storage import STYLESHEETS, HashedStaticFiles
from scripts.environment import ROOT
from tests.loaded_files import loaded_files, split_template

pytestmark = pytest.mark.slow


@pytest.fixture(scope="session")
def collected(tmp_path_factory):
    """The folder of the collected static files.

    Collecting them takes ten seconds, and pytest-django runs tests of a module apart if only some use the database: so
    once for the session.
    """
    folder = tmp_path_factory.mktemp("static")
    storages = settings.STORAGES | {"staticfiles": {"BACKEND": "chat.storage.HashedStaticFiles"}}
    with override_settings(STATIC_ROOT=folder, STORAGES=storages):
        call_command("collectstatic", interactive=False, verbosity=0)
    return folder


def test_collected_files_and_their_imports_have_hashed_names(collected):
    page = HashedStaticFiles(location=collected, base_url="/static/").url("chat/js/pages/chat.js")
    assert re.fullmatch(r"/static/chat/js/pages/chat\.[0-9a-f]{12}\.js", page)
    imports = re.findall(r'from "(\.[^"]+)"', (collected / page.removeprefix("/static/")).read_text())
    assert imports
    assert all(re.search(r"\.[0-9a-f]{12}\.js$", name) for name in imports)


def test_collected_files_that_are_loaded_later_have_hashed_names(collected):
    later = set()
    for path in (collected / "chat/js").rglob(f"*.{12 * '[0-9a-f]'}.js"):
        for name in re.findall(r'(?:from|import|import\() ?"(\.[^"]+)"', path.read_text()):
            assert re.search(r"\.[0-9a-f]{12}\.js$", name), f"{path.name} imports {name}"
            later.add((path.parent / name).resolve())
    for path in [*collected.glob(f"*/*/*.{12 * '[0-9a-f]'}.css")]:
        later |= {(path.parent / name).resolve() for name in re.findall(r'url\("([^"]+)"\)', path.read_text())}
    assert {"highlight", "katex", "KaTeX_Main-Regular", "geist-latin", "geist-mono-latin"} <= {
        path.name.partition(".")[0] for path in later
    }
    assert all(path.exists() for path in later)


SAME_PROGRAM = """
import { parse } from "acorn"
import { readFileSync } from "node:fs"
const positions = new Set(["start", "end", "raw"])
const program = (path) => JSON.stringify(
  parse(readFileSync(path, "utf8"), { ecmaVersion: "latest", sourceType: "module" }),
  (key, value) => (positions.has(key) ? undefined : typeof value === "bigint" ? `${value}n` : value),
)
const [written, served, ...names] = process.argv.slice(1)
for (const name of names) {
  if (program(`${written}/${name}`) !== program(`${served}/${name}`)) throw new Error(`${name} means something else`)
}
"""


def test_scripts_lose_their_comments_and_nothing_else(collected):
    written = ROOT / "static"
    names = [str(path.relative_to(written)) for path in sorted((written / "chat/js").rglob("*.js"))]
    command = ["node", "--input-type=module", "-e", SAME_PROGRAM, str(written), str(collected), *names]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert not re.search(r"(?m)^\s*//", "".join((collected / name).read_text() for name in names))


def test_styles_lose_their_comments_and_nothing_else(collected):
    names = sorted((ROOT / "static/chat/css").glob("*.css"))
    assert names
    for path in names:
        served = (collected / "chat/css" / path.name).read_text()
        without_comments = re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.DOTALL)
        assert re.sub(r"/\*.*?\*/", "", served, flags=re.DOTALL).split() == without_comments.split()
        assert len(served) < len(path.read_text())


def test_files_keep_their_names_before_they_are_collected(tmp_path):
    storage = HashedStaticFiles(location=tmp_path, base_url="/static/")
    assert storage.stored_name("chat/js/pages/chat.js") == "chat/js/pages/chat.js"


MODULE = r'<link rel="modulepreload" href="/static/([^"]+)">'


def imported(*names):
    """These modules and all that they import at once, by their paths below static/."""
    waiting, found = list(names), set()
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            source = (ROOT / "static" / name).read_text()
            paths = re.findall(r'^(?:import|export) [^"]*from "(\.[^"]+)"', source, re.MULTILINE)
            waiting += [os.path.normpath(os.path.join(os.path.dirname(name), path)) for path in paths]
    return found


@pytest.mark.parametrize("kind", ["new", "open"])
async def test_page_preloads_exactly_the_modules_it_imports(client_of, alice, kind):
    row = await Conversation.objects.acreate(owner=alice)
    page = (await client_of(alice).get("/" if kind == "new" else f"/c/{row.pk}/")).content.decode()
    at_once, later = (re.findall(MODULE, part) for part in split_template(page, "message-modules"))
    first = imported("chat/js/pages/chat.js", "chat/js/i18n/strings.en.js")
    messages = imported("chat/js/messages/views.js", "chat/js/markdown/streaming.js") - first
    assert len(messages) > 10
    needed = first | messages if kind == "open" else first
    assert sorted(at_once) == sorted(needed - {"chat/js/pages/chat.js"})
    assert sorted(later) == sorted(set() if kind == "open" else messages)


@pytest.fixture
def as_collected(collected):
    """Pages name the collected files, as in production."""
    storages = settings.STORAGES | {"staticfiles": {"BACKEND": "chat.storage.HashedStaticFiles"}}
    with override_settings(STATIC_ROOT=collected, STORAGES=storages):
        yield collected


async def test_new_chat_is_small(client_of, alice, as_collected):
    """tests/browser/test_collected_site.py compares these files with those that a browser loads."""
    page = (await client_of(alice).get("/")).content
    names = loaded_files(page.decode())
    fonts = {name for name in names if name.endswith(".woff2")}
    files = [page, *((as_collected / name).read_bytes() for name in names - fonts)]
    assert {"chat", "page", "site", "icon"} < {name.rpartition("/")[2].partition(".")[0] for name in names}
    size = sum(len(gzip.compress(data, 9)) for data in files)
    assert size <= 105_000  # bytes
    assert len(fonts) == 1
    assert size + sum((as_collected / name).stat().st_size for name in fonts) <= 140_000


async def test_styles_of_a_page_are_joined_in_their_order(client_of, alice, as_collected):
    page = (await client_of(alice).get("/")).content.decode()
    joined = re.findall(r'rel="stylesheet" href="/static/([^"]+)"', page)
    assert [re.sub(r"\.[0-9a-f]{12}", "", name) for name in joined] == ["chat/css/site.css", "chat/css/page.css"]
    for name, group in zip(joined, ("site", "page"), strict=True):
        parts = [as_collected / staticfiles_storage.stored_name(f"chat/css/{part}.css") for part in STYLESHEETS[group]]
        assert (as_collected / name).read_text() == "".join(part.read_text() for part in parts)
