"""A temporary chat stays while a tab shows it, and goes after the last one, however that went."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.chat import Chat, id_of, page_title
from tests.server_process import UserClient, poll_until

pytestmark = pytest.mark.browser


@pytest.fixture
def api(short_timeouts_site):
    client = UserClient(short_timeouts_site, "alice")
    yield client
    client.close()


@pytest.fixture
def tab(new_context, short_timeouts_site):
    """Alice's tab in a temporary chat whose answer is being written."""
    tab = Chat(new_context().new_page(), short_timeouts_site).log_in()
    tab.page.get_by_role("switch", name=re.compile("Temporary chat")).check()
    tab.choose("waits").send("Between us gate:never")
    expect(tab.page.get_by_text("This chat is temporary.")).to_be_visible()
    expect(tab.page.get_by_role("heading", name="Temporary chat")).to_be_visible()
    expect(tab.page).to_have_title(page_title("Temporary chat"))
    return tab


def exists(api, id):
    return api.get(f"/api/conversations/{id}").is_success


def wait_until_gone(api, id):
    poll_until(lambda: not exists(api, id), seconds=120)


def close(page):
    page.close()


def freeze(page):
    """The tab says nothing any more, and its connections stay open: a crash or a lost network at its worst."""
    page.evaluate("WebSocket.prototype.send = () => {}")


@pytest.mark.parametrize("leave", [close, freeze])
def test_temporary_chat_is_deleted_after_its_tab_is_closed(tab, api, leave):
    id = id_of(tab)
    tab.page.wait_for_timeout(8_000)  # longer than the server waits for a tab
    assert exists(api, id)
    leave(tab.page)
    wait_until_gone(api, id)


def test_temporary_chat_stays_for_another_tab(tab, api):
    id = id_of(tab)
    other = Chat(tab.page.context.new_page(), tab.site).open(f"/c/{id}/")
    expect(other.page.get_by_text("This chat is temporary.")).to_be_visible()
    tab.page.locator(".sidebar__new").click()
    expect(tab.page).to_have_url(tab.site + "/")
    tab.page.wait_for_timeout(8_000)
    assert exists(api, id)
    tab.page.close()
    other.page.close()
    wait_until_gone(api, id)


def test_temporary_chat_stays_without_websockets(new_context, short_timeouts_site, api):
    page = new_context().new_page()
    page.add_init_script("globalThis.WebSocket = class { readyState = 0; close() {} }")
    page.add_init_script("const every = setInterval; globalThis.setInterval = (f, ms) => every(f, ms / 5)")
    tab = Chat(page, short_timeouts_site).log_in()
    page.get_by_role("switch", name=re.compile("Temporary chat")).check()
    tab.choose("echo").send("Between us")
    id = id_of(tab)
    page.wait_for_timeout(8_000)
    assert exists(api, id)
    page.close()
    wait_until_gone(api, id)
