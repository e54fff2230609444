"""The site as in production, in a real browser: what it loads, under which names, and with which headers."""

import gzip
import os
import re
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from tests.browser.chat import Chat, loads
from tests.browser.provider import ASSISTANTS
from tests.loaded_files import loaded_files
from tests.server_process import Site

pytestmark = pytest.mark.browser

ANSWER = "```js\nconst x = 1\n```\n\n$\\sqrt x$\n\n```mermaid\nflowchart LR\n  you[You] --> run[A run]\n```"


@pytest.fixture(scope="module")
def collected_site(tmp_path_factory):
    """The site as in production: static files collected, compressed and with hashed names."""
    server = Site(tmp_path_factory.mktemp("collected"), "tests.browser.asgi.application")
    server.manage("collectstatic", "--no-input", "--verbosity", "0")
    rows = [{"slug": "echo", "name": "Echo", "description": ASSISTANTS["echo"], "model": "browser:echo"}]
    server.shell(f"from chat.models import Assistant\nfor row in {rows!r}: Assistant.objects.create(**row)")
    yield server.start().url
    server.close()


def test_collected_site_loads_hashed_names_only(new_context, collected_site):
    chat = Chat(new_context().new_page(), collected_site).log_in()
    bad = []
    chat.page.on("response", lambda answer: answer.ok or bad.append((answer.status, answer.url)))
    seen = loads(chat, "/static/")
    chat.open()
    chat.choose("echo").send(ANSWER)
    chat.wait_for_end()
    prose = chat.replies.last.locator(".prose")
    expect(prose.locator(".hljs-keyword")).to_be_visible()
    expect(prose.locator(".katex").first).to_be_visible()
    expect(prose.locator(".diagram img")).to_be_visible()
    names = {os.path.basename(url).partition(".")[0] for url in seen}
    assert {"highlight", "katex", "mermaid", "KaTeX_Main-Regular"} <= names
    assert [url for url in seen if not re.search(r"\.[0-9a-f]{12}\.\w+$", url)] == []
    assert bad == []


def test_collected_files_are_kept_and_never_sniffed_or_embedded(new_context, collected_site):
    chat = Chat(new_context().new_page(), collected_site)
    files = {}
    chat.page.on("response", lambda answer: files.update({answer.url: answer.headers}))
    chat.log_in_with_form()
    files = {url: headers for url, headers in files.items() if "/static/" in url}
    assert files
    for url, headers in files.items():
        assert headers["cache-control"] == "max-age=315360000, public, immutable", url
        assert headers["x-content-type-options"] == "nosniff", url
        assert headers["cross-origin-resource-policy"] == "same-origin", url
        assert "access-control-allow-origin" not in headers, url
    plain = chat.page.request.get(f"{collected_site}/static/chat/icon.svg").headers
    assert (plain["cache-control"], plain["x-content-type-options"]) == ("max-age=60, public", "nosniff")


def test_new_chat_loads_only_what_its_page_names(new_context, collected_site):
    """tests/site/test_storage.py counts the bytes of what the page names."""
    context = new_context()
    Chat(context.new_page(), collected_site).log_in()
    page = context.new_page()  # the other one may still be loading
    answers = []
    page.on("response", lambda answer: answers.append(answer))
    html = page.goto(collected_site + "/").text()
    page.wait_for_load_state("networkidle")
    paths = {urlsplit(answer.url).path for answer in answers}
    static = {f"/static/{name}" for name in loaded_files(html)}
    assert paths == static | {"/", "/api/assistants", "/api/conversations"}
    bodies = [answer.body() for answer in answers if answer.request.resource_type != "font"]
    assert sum(len(gzip.compress(body, 9)) for body in bodies) <= 106_000  # bytes


def test_typing_loads_what_messages_are_drawn_with(new_context, collected_site):
    chat = Chat(new_context().new_page(), collected_site).log_in()
    seen = loads(chat, "/static/")
    chat.open()
    chat.page.wait_for_load_state("networkidle")
    assert not [url for url in seen if "/views." in url]
    with chat.page.expect_response(re.compile(r"/streaming\.")), chat.page.expect_response(re.compile(r"/views\.")):
        chat.page.locator("#text").fill("Hello")
    assert len(seen) == len(set(seen))
