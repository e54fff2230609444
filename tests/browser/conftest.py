import shutil

import pytest
from playwright.sync_api import sync_playwright

from tests.site import Site, Upstream

from .provider import ASSISTANTS

MORE = {  # of some assistants' fields
    "seer": {"sees_images": True},
    "echo": {"starters": ["Say hello", "Say **goodbye**"]},
}
AGENTS = {"mathematician": "calculator", "secretary": "send_mail"}  # with the tools of tests.browser.tools
QUIET = ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"]


@pytest.fixture(scope="session")
def model_server():
    """A scripted OpenAI-compatible server process, behind the assistant `openai`."""
    upstream = Upstream()
    yield upstream
    upstream.close()


def prepared(folder, model_server, **environment):
    openai = {"OPENAI_BASE_URL": model_server.base_url, "OPENAI_API_KEY": "sk-test", "OPENAI_MODEL": "scripted"}
    server = Site(folder, "tests.browser.asgi:application", **openai, **environment)
    rows = [
        {"slug": slug, "name": slug.title(), "description": says, "model": f"browser:{slug}"} | MORE.get(slug, {})
        for slug, says in ASSISTANTS.items()
    ]
    for slug, tool in AGENTS.items():
        rows.append({"slug": slug, "name": slug.title(), "model": "openai:use", "tools": [tool]})
    server.shell(
        "from chat.models import Assistant\n"
        "demo = Assistant.objects.get(slug='demo'); demo.is_default = True; demo.save()\n"
        f"for row in {rows!r}: Assistant.objects.create(**row)"
    )
    return server


@pytest.fixture(scope="session")
def site(tmp_path_factory, model_server):
    """The address of a real server process with alice, bob and charlie, and the assistants of `.provider`."""
    server = prepared(tmp_path_factory.mktemp("site"), model_server)
    yield server.start().url
    server.close()


@pytest.fixture(scope="session")
def hasty_site(tmp_path_factory, model_server):
    """The same where a tool waits for the person's yes for four seconds."""
    server = prepared(tmp_path_factory.mktemp("hasty"), model_server, APPROVAL_SECONDS="4")
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
