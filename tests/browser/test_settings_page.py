"""Settings, shortcuts and temporary chats on the page."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.chat import COUNT_TO_FIFTY, Chat, id_of, open_gate, row

pytestmark = pytest.mark.browser

DARK, LIGHT = "rgb(24, 26, 29)", "rgb(255, 255, 255)"


def expect_ground(page, color):
    expect(page.locator("body")).to_have_css("background-color", color)


def preference_saved(chat):
    """Waits until the server has saved a preference."""
    return chat.page.expect_response(lambda answer: answer.url.endswith("/api/me") and answer.request.method == "PATCH")


# Settings


def test_theme_applies_from_the_first_paint(new_context, chat):
    chat.page.emulate_media(color_scheme="light")
    chat.open_settings()
    with preference_saved(chat):
        chat.page.get_by_role("radio", name="Dark").check()
    expect_ground(chat.page, DARK)
    first = chat.page.reload().text()
    assert re.search(r'<html lang="en" data-theme="dark">', first)  # before any script
    assert re.search(r'<meta name="theme-color" content="#181a1d" data-theme="dark" media="all">', first)
    expect_ground(chat.page, DARK)
    other = Chat(chat.page.context.new_page(), chat.site).open()
    chat.open_settings()
    expect(chat.page.get_by_role("radio", name="Dark")).to_be_checked()
    with preference_saved(chat):
        chat.page.get_by_role("radio", name="Light").check()
    expect(other.page.locator("html")).to_have_attribute("data-theme", "light")  # the other tab, too
    chat.page.emulate_media(color_scheme="dark")
    expect_ground(chat.page, LIGHT)
    with preference_saved(chat):
        chat.page.get_by_role("radio", name="Same as device").check()
    expect_ground(chat.page, DARK)


def test_language_change_applies_at_once(chat):
    chat.text.fill("A draft")
    chat.open_settings()
    with chat.page.expect_navigation():
        chat.page.get_by_label("Language").select_option("ja")
    assert chat.preferences()["language"] == "ja"
    expect(chat.page.locator("html")).to_have_attribute("lang", "ja")
    expect(chat.page.locator("#text")).to_have_value("A draft")


def test_enter_can_insert_a_line_break(chat):
    chat.open_settings()
    with preference_saved(chat):
        chat.page.get_by_role("radio", name="Ctrl + Enter").check()
    chat.page.keyboard.press("Escape")
    for reloaded in (False, True):
        if reloaded:
            chat.page.reload()
        chat.choose("echo")
        chat.text.fill("")
        chat.text.press_sequentially("one")
        chat.text.press("Enter")
        chat.text.press_sequentially("two")
        expect(chat.text).to_have_value("one\ntwo")
        with chat.page.expect_response(re.compile("/messages$")):
            chat.text.press("Control+Enter")
        expect(chat.page.locator(".message__bubble").last).to_have_text("one\ntwo")


def test_steps_can_be_hidden(chat):
    chat.choose("tools").send("When?")
    chat.wait_for_end()
    expect(chat.page.locator(".step").first).to_be_visible()
    chat.open_settings()
    with preference_saved(chat):
        chat.page.get_by_role("switch", name=re.compile("Show the steps")).uncheck()
    chat.page.keyboard.press("Escape")
    for reloaded in (False, True):
        if reloaded:
            assert "without-steps" in chat.page.reload().text()
        expect(chat.replies.last.get_by_text("It is noon.")).to_be_visible()
        expect(chat.page.locator(".step").first).to_be_hidden()


def test_instructions_are_saved_while_typing(new_context, chat):
    chat.open_settings()
    field = chat.page.get_by_label("Custom instructions")
    with preference_saved(chat):
        field.fill("I live in Nara.")
    expect(chat.page.get_by_text("Saved", exact=True)).to_be_visible()
    assert chat.preferences()["instructions"] == "I live in Nara."
    with preference_saved(chat):
        field.press_sequentially(" I like tea.")
        chat.page.keyboard.press("Escape")  # at once, without waiting for a rest
    chat.page.reload()
    chat.open_settings()
    expect(field).to_have_value("I live in Nara. I like tea.")


def test_instructions_of_another_window_are_not_overwritten(chat):
    other = Chat(chat.page.context.new_page(), chat.site).open()
    for tab, text in ((chat, "Be brief."), (other, "Be polite.")):
        tab.open_settings()
        with preference_saved(tab):
            tab.page.get_by_label("Custom instructions").fill(text)
    expect(chat.page.get_by_label("Custom instructions")).to_have_value("Be polite.")
    chat.page.keyboard.press("Escape")
    other.page.keyboard.press("Escape")
    other.open_settings()
    expect(other.page.get_by_label("Custom instructions")).to_have_value("Be polite.")


def test_instructions_that_are_too_long_are_refused_and_not_truncated(chat):
    chat.open_settings()
    field = chat.page.get_by_label("Custom instructions")
    field.fill("I live in Nara. " * 400)
    expect(chat.page.get_by_role("alert").get_by_text("at most 5000 characters")).to_be_visible()
    expect(chat.page.get_by_text("Not saved", exact=True)).to_be_visible()
    expect(field).to_have_value("I live in Nara. " * 400)
    with preference_saved(chat):
        field.fill("I live in Nara.")
    expect(chat.page.get_by_role("alert").get_by_text("at most")).to_be_hidden()
    assert chat.preferences()["instructions"] == "I live in Nara."


def test_change_that_cannot_be_saved_is_reverted(chat):
    chat.open_settings()
    chat.page.route("**/api/me", lambda route: route.abort())
    chat.page.get_by_role("radio", name="Dark").click()  # it may be taken back before a `check` looks
    expect(chat.page.get_by_role("alert").get_by_text("The server cannot be reached.")).to_be_visible()
    expect(chat.page.get_by_role("radio", name="Same as device")).to_be_checked()
    expect(chat.page.locator("html")).not_to_have_attribute("data-theme", "dark")
    field = chat.page.get_by_label("Custom instructions")
    field.fill("Not lost")
    expect(chat.page.get_by_text("Not saved", exact=True)).to_be_visible()
    expect(field).to_have_value("Not lost")


# Keyboard shortcuts


def test_settings_work_with_the_keyboard(chat):
    chat.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    keyboard = chat.page.keyboard
    chat.choose("slow").send(COUNT_TO_FIFTY)
    expect(chat.replies.last).to_contain_text("1 2 3")
    keyboard.press("Escape")
    chat.wait_for_end()
    expect(chat.replies.last).to_contain_text("You stopped this answer.")
    keyboard.press("Control+Shift+C")
    expect(chat.page.locator("[data-copy=message]").last).to_contain_text("Copied")
    assert chat.page.evaluate("navigator.clipboard.readText()").startswith("1 2 3")
    keyboard.press("Control+Shift+O")
    expect(chat.page).to_have_url(chat.site + "/")
    expect(chat.text).to_be_focused()
    keyboard.press("Control+k")
    expect(chat.page.get_by_role("searchbox")).to_be_focused()
    keyboard.press("Shift+Escape")
    expect(chat.text).to_be_focused()
    keyboard.press("Control+Shift+S")
    expect(chat.page.locator(".sidebar")).to_be_hidden()
    keyboard.press("Control+Shift+S")
    expect(chat.page.locator(".sidebar")).to_be_visible()
    keyboard.press("Control+,")
    expect(chat.page.get_by_role("dialog", name="Settings")).to_be_visible()
    keyboard.press("Control+k")  # nothing happens behind a dialog
    expect(chat.page.get_by_role("dialog", name="Settings")).to_be_visible()
    keyboard.press("Escape")
    expect(chat.page.get_by_role("dialog")).to_have_count(0)
    expect(chat.page.get_by_role("button", name="Hide chats")).to_be_focused()


def test_shortcuts_are_listed(chat):
    sheet = chat.page.get_by_role("dialog", name="Keyboard shortcuts")
    chat.text.press("?")
    expect(chat.text).to_have_value("?")
    expect(sheet).to_be_hidden()
    chat.text.press("Control+/")
    expect(sheet).to_be_visible()
    expect(sheet.locator(".shortcut", has_text="New chat").locator("kbd")).to_have_text(["Ctrl", "Shift", "O"])
    chat.page.keyboard.press("Escape")
    expect(chat.text).to_be_focused()
    chat.page.locator(".sidebar__new").focus()
    chat.page.keyboard.press("?")
    expect(sheet).to_be_visible()
    sheet.get_by_role("switch").uncheck()
    chat.page.keyboard.press("Escape")
    chat.page.keyboard.press("?")
    expect(sheet).to_be_hidden()
    chat.page.reload()
    chat.page.locator(".account").click()
    chat.page.get_by_role("menuitem", name="Keyboard shortcuts").click()
    expect(sheet.get_by_role("switch")).not_to_be_checked()


def test_shortcuts_are_ignored_during_composition(chat):
    chat.choose("slow").send("Count, please gate:composition")
    expect(chat.replies.last).to_contain_text("1 2 3")
    chat.text.focus()
    keyboard = chat.page.context.new_cdp_session(chat.page)
    keyboard.send("Input.imeSetComposition", {"text": "にほんご", "selectionStart": 4, "selectionEnd": 4})
    chat.text.press("Escape")  # ends the composition, not the answer
    open_gate(chat, "gate:composition")
    chat.wait_for_end()
    assert "100" in chat.reply_text()


# Temporary chats


@pytest.fixture
def temporary(chat):
    """Alice's tab, in a temporary chat."""
    chat.page.get_by_role("switch", name=re.compile("Temporary chat")).check()
    chat.choose("slow").send("Between us")
    expect(chat.page.get_by_text("This chat is temporary.")).to_be_visible()
    return chat


def exists(tab, id):
    return tab.page.request.get(f"{tab.site}/api/conversations/{id}").ok


def forgotten(tab, id):
    """Wait until the server has let go of it."""
    return tab.page.expect_response(lambda answer: answer.request.method == "DELETE" and id in answer.url)


def test_temporary_chat_is_unlisted_and_survives_a_reload(new_context, temporary):
    id = id_of(temporary)
    expect(temporary.replies.last).to_contain_text("1 2 3")
    temporary.page.reload()
    expect(temporary.page.get_by_text("This chat is temporary.")).to_be_visible()
    temporary.wait_for_end()
    assert "100" in temporary.reply_text()
    expect(row(temporary, id)).to_have_count(0)
    found = temporary.page.request.get(f"{temporary.site}/api/conversations?q=Between").json()["items"]
    assert id not in [item["id"] for item in found]
    temporary.page.get_by_role("button", name="Chat options").click()
    expect(temporary.page.get_by_role("menuitem")).to_have_text(
        [re.compile("Export as Markdown"), re.compile("Export as JSON"), re.compile("Print"), re.compile("Delete")]
    )
    expect(temporary.page.locator("[data-ref=menu] .menu-separator:visible")).to_have_count(1)  # none above the first


def test_temporary_chat_is_deleted_on_leaving_it(temporary):
    id, address = id_of(temporary), temporary.page.url
    with forgotten(temporary, id):
        temporary.page.locator(".sidebar__new").click()
    assert not exists(temporary, id)
    expect(temporary.page.get_by_role("switch", name=re.compile("Temporary chat"))).not_to_be_checked()
    expect(temporary.page.get_by_text("This chat is temporary.")).to_be_hidden()
    temporary.page.go_back()
    expect(temporary.page).to_have_url(address)
    expect(temporary.page.get_by_text("This chat no longer exists.")).to_be_visible()


def test_temporary_chat_is_deleted_by_its_button(temporary):
    id = id_of(temporary)
    with forgotten(temporary, id):
        temporary.page.get_by_role("button", name="Delete chat").click()
    expect(temporary.page).to_have_url(temporary.site + "/")
    expect(temporary.text).to_be_focused()
    assert not exists(temporary, id)


def test_temporary_chat_is_deleted_on_return_by_another_address(temporary):
    id = id_of(temporary)
    temporary.wait_for_end()
    with forgotten(temporary, id):
        temporary.open("/")
    assert not exists(temporary, id)


def test_temporary_chat_is_deleted_on_logout(new_context, temporary):
    id = id_of(temporary)
    temporary.wait_for_end()
    temporary.page.locator(".account").click()
    temporary.page.get_by_role("menuitem", name="Log out").click()
    temporary.page.wait_for_url("**/accounts/login/**")
    again = Chat(new_context().new_page(), temporary.site).log_in()
    assert not exists(again, id)


def test_usual_chat_is_not_temporary(chat):
    chat.choose("echo").send("To keep")
    chat.wait_for_end()
    id = id_of(chat)
    expect(chat.page.get_by_text("This chat is temporary.")).to_be_hidden()
    chat.page.locator(".sidebar__new").click()
    expect(row(chat, id)).to_be_visible()
    assert exists(chat, id)
