"""What helps after an error: the buttons and the words below a failed answer."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.chat import Chat, questions

pytestmark = pytest.mark.browser


def follow_ups(tab):
    return tab.replies.last.locator(".message__follow-ups").get_by_role("button")


def test_error_offers_another_assistant(chat):
    chat.choose("fails").send("Please overloaded")
    chat.wait_for_end()
    for reloaded in (False, True):
        if reloaded:
            chat.page.reload()
        expect(follow_ups(chat)).to_have_text(["Try again", "Choose another assistant"])
    follow_ups(chat).last.click()
    menu = chat.page.get_by_role("menu", name="Regenerate differently")
    expect(menu.get_by_role("menuitem", name="Shorter")).to_be_hidden()
    expect(menu.get_by_role("menuitem", name="Fails")).to_have_count(0)
    menu.get_by_role("menuitem", name="Echo").click()
    expect(chat.replies.last).to_contain_text("Please overloaded")
    chat.wait_for_end()
    expect(follow_ups(chat)).to_have_count(0)
    chat.replies.last.get_by_role("button", name="Regenerate differently").click()
    expect(menu.get_by_role("menuitem", name="Shorter")).to_be_visible()


def test_error_offers_no_other_assistant_where_there_is_none(chat):
    [fails] = [
        item for item in chat.page.request.get(f"{chat.site}/api/assistants").json()["items"] if item["slug"] == "fails"
    ]
    chat.page.route("**/api/assistants", lambda route: route.fulfill(json={"items": [fails]}))
    chat.page.reload()
    chat.send("Please overloaded")
    chat.wait_for_end()
    for reloaded in (False, True):
        if reloaded:
            chat.page.reload()
        expect(follow_ups(chat)).to_have_text(["Try again"])


def test_message_that_is_too_long_can_be_shortened_or_sent_elsewhere(chat):
    chat.choose("fails").send("A long text context_length")
    chat.wait_for_end()
    expect(follow_ups(chat)).to_have_text(
        ["Shorten the message", "Start a new chat with this message", "Choose another assistant"]
    )
    chat.page.get_by_role("button", name="Shorten the message").click()
    editor = questions(chat).get_by_label("Your message")
    expect(editor).to_be_focused()
    expect(editor).to_have_value("A long text context_length")
    chat.page.keyboard.press("Escape")
    chat.page.get_by_role("button", name="Start a new chat with this message").click()
    expect(chat.page).to_have_url(chat.site + "/")
    expect(chat.text).to_have_value("A long text context_length")
    expect(chat.text).to_be_focused()


def test_error_that_only_staff_can_fix_says_so(chat, new_context):
    staff = Chat(new_context().new_page(), chat.site).log_in("bob")
    for tab in (chat, staff):
        tab.choose("fails").send("Please unknown_model")
        tab.wait_for_end()
    sentence = "Only the people who run this site can fix this."
    expect(chat.replies.last).to_contain_text(sentence)
    expect(chat.replies.last).not_to_contain_text("Check the assistant")
    for reloaded in (False, True):
        if reloaded:
            staff.page.reload()
        expect(staff.replies.last).to_contain_text("Check the assistant's model (“browser:fails”) and address.")
        expect(staff.replies.last).not_to_contain_text(sentence)
    for name, path in (("assistant", "assistant"), ("run", "run")):
        link = staff.replies.last.get_by_role("link", name=f"Open the {name}")
        address = link.get_attribute("href")
        assert re.fullmatch(rf"/admin/chat/{path}/[\w-]+/change/", address)
        assert staff.page.request.get(staff.site + address).ok


def test_error_help_goes_with_the_error(chat):
    chat.choose("fails").send("Please quota")
    chat.wait_for_end()
    expect(chat.page.get_by_text("Only the people who run this site")).to_be_visible()
    chat.choose("echo").send("Hello")
    chat.wait_for_end()
    expect(chat.page.get_by_text("Only the people who run this site")).to_be_hidden()
    expect(chat.page.get_by_role("button", name="Choose another assistant")).to_have_count(0)
