"""Another user logs in in a second tab of the same browser."""

import pytest
from playwright.sync_api import expect

from tests.browser.chat import Chat, id_of
from tests.server_process import UserClient

pytestmark = pytest.mark.browser


def change_user(tab, name):
    """Log out in this tab, and in again as another user."""
    tab.page.locator(".account").click()
    tab.page.get_by_role("menuitem", name="Log out").click()
    tab.page.wait_for_url("**/accounts/login/**")
    return tab.log_in_with_form(name)


def expect_left(tab, name):
    expect(tab.page.get_by_text(f"You are now logged in as {name}")).to_be_visible()
    expect(tab.page.get_by_text("Alice only")).to_have_count(0)
    tab.page.get_by_role("link", name=f"Continue as {name}").click()
    expect(tab.text).to_have_value("")


def test_first_tab_leaves_when_another_user_logs_in(chat, start_conversation, new_context):
    start_conversation("Alice only")
    chat.text.fill("A draft")
    second = Chat(chat.page.context.new_page(), chat.site).open()
    change_user(second, "charlie")
    expect_left(chat, "charlie")


def test_first_tab_sends_nothing_as_the_second_user(chat, start_conversation):
    """The other tab says nothing, as in a browser that lost the message."""
    chat.page.context.add_init_script("BroadcastChannel.prototype.postMessage = () => {}")
    start_conversation("Alice only")
    conversation = id_of(chat)
    charlie = UserClient(chat.site, "charlie")
    before = charlie.get("/api/conversations").json()
    domain = {"name": "sessionid", "url": chat.site}
    chat.page.context.add_cookies([{**domain, "value": charlie.cookies["sessionid"]}])
    chat.page.context.add_cookies([{"name": "csrftoken", "url": chat.site, "value": charlie.cookies["csrftoken"]}])
    chat.text.fill("Alice only, too")
    chat.text.press("Enter")
    expect(chat.page.get_by_text("You are now logged in as charlie")).to_be_visible()
    assert charlie.get("/api/conversations").json() == before
    charlie.close()
    alice = UserClient(chat.site, "alice")
    for name in ("sessionid", "csrftoken"):
        chat.page.context.add_cookies([{"name": name, "url": chat.site, "value": alice.cookies[name]}])
    chat.open(f"/c/{conversation}/")  # what she wrote was kept for her
    expect(chat.page.get_by_text("Alice only, too").first).to_be_visible()
    alice.close()
