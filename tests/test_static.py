"""Static files: hashed names once they are collected, their own before."""

import gzip
import re

import pytest
from django.core.management import call_command

from chat.models import Conversation
from chat.static import HashedStaticFiles

from .site import ROOT


def test_collected_files_have_hashed_names_also_in_imports(settings, tmp_path):
    settings.STATIC_ROOT = tmp_path
    settings.STORAGES = settings.STORAGES | {"staticfiles": {"BACKEND": "chat.static.HashedStaticFiles"}}
    call_command("collectstatic", interactive=False, verbosity=0)
    page = HashedStaticFiles(location=tmp_path, base_url="/static/").url("chat/js/page.js")
    assert re.fullmatch(r"/static/chat/js/page\.[0-9a-f]{12}\.js", page)
    imports = re.findall(r'from "(\./[^"]+)"', (tmp_path / page.removeprefix("/static/")).read_text())
    assert imports
    assert all(re.search(r"\.[0-9a-f]{12}\.js$", name) for name in imports)


def test_all_that_scripts_and_styles_load_later_has_a_hashed_name_too(settings, tmp_path):
    settings.STATIC_ROOT = tmp_path
    settings.STORAGES = settings.STORAGES | {"staticfiles": {"BACKEND": "chat.static.HashedStaticFiles"}}
    call_command("collectstatic", interactive=False, verbosity=0)
    later = set()
    for path in (tmp_path / "chat/js").glob(f"*.{12 * '[0-9a-f]'}.js"):
        for name in re.findall(r'(?:from|import|import\() ?"(\.[^"]+)"', path.read_text()):
            assert re.search(r"\.[0-9a-f]{12}\.js$", name), f"{path.name} imports {name}"
            later.add((path.parent / name).resolve())
    for path in (tmp_path / "vendor/katex").glob(f"*.{12 * '[0-9a-f]'}.css"):
        later |= {(path.parent / name).resolve() for name in re.findall(r'url\("([^"]+)"\)', path.read_text())}
    assert {"highlight", "katex", "KaTeX_Main-Regular"} <= {path.name.partition(".")[0] for path in later}
    assert all(path.exists() for path in later)


def test_before_they_are_collected_files_have_their_own_names(tmp_path):
    storage = HashedStaticFiles(location=tmp_path, base_url="/static/")
    assert storage.stored_name("chat/js/page.js") == "chat/js/page.js"


def imported(*names):
    """These modules and all that they import at once, by their paths below static/."""
    waiting, found = [ROOT / "static" / name for name in names], set()
    while waiting:
        path = waiting.pop().resolve()
        if path not in found:
            found.add(path)
            names = re.findall(r'^(?:import|export) [^"]*from "(\.[^"]+)"', path.read_text(), re.MULTILINE)
            waiting += [path.parent / name for name in names]
    return {str(path.relative_to(ROOT / "static")) for path in found}


@pytest.mark.parametrize("kind", ["new", "open"])
async def test_the_page_asks_at_once_for_all_the_modules_it_needs_and_no_other(client_of, alice, kind):
    row = await Conversation.objects.acreate(owner=alice)
    page = (await client_of(alice).get("/" if kind == "new" else f"/c/{row.pk}/")).content.decode()
    asked = re.findall(r'<link rel="modulepreload" href="/static/([^"]+)">', page)
    needed = ["chat/js/page.js", "chat/js/words.en.js"] + ["chat/js/growth.js"] * (kind == "open")
    assert sorted(asked) == sorted(imported(*needed) - {"chat/js/page.js"})


async def test_a_new_chat_is_light(client_of, alice):
    page = (await client_of(alice).get("/")).content
    names = set(re.findall(r'(?:href|src)="/static/([^"#]+)', page.decode()))
    files = [page, *((ROOT / "static" / name).read_bytes() for name in names)]
    assert {"chat/js/page.js", "chat/css/app.css"} < names
    assert sum(len(gzip.compress(data, 9)) for data in files) <= 120_000  # bytes; what the page then asks for is little
