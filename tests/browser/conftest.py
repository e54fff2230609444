import shutil

import pytest
from playwright.sync_api import sync_playwright

from tests.site import Site, Upstream

from .provider import ASSISTANTS

QUIET = ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"]


@pytest.fixture(scope="session")
def model_server():
    """A scripted OpenAI-compatible server process, behind the assistant `openai`."""
    upstream = Upstream()
    yield upstream
    upstream.close()


@pytest.fixture(scope="session")
def site(tmp_path_factory, model_server):
    """The address of a real server process with alice, bob and charlie, and the assistants of `.provider`."""
    openai = {"OPENAI_BASE_URL": model_server.base_url, "OPENAI_API_KEY": "sk-test", "OPENAI_MODEL": "scripted"}
    server = Site(tmp_path_factory.mktemp("site"), "tests.browser.asgi:application", **openai)
    rows = [{"slug": slug, "name": slug.title(), "description": says} for slug, says in ASSISTANTS.items()]
    server.shell(
        "from chat.models import Assistant\n"
        "demo = Assistant.objects.get(slug='demo'); demo.is_default = True; demo.save()\n"
        f"for row in {rows!r}: Assistant.objects.create(model='browser:' + row['slug'], **row)"
    )
    yield server.start().url
    server.close()


@pytest.fixture(scope="session")
def browser():
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu", *QUIET]
        )
        yield chromium
        chromium.close()
