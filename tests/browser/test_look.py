"""How the page looks: what a new chat offers, the bar, the typefaces, motion, the site's own name and color."""

import pytest
from playwright.sync_api import expect

from tests.browser.chat import Chat, page_title, row

pytestmark = pytest.mark.browser

SHIFTS = """() => {
    window.shift = 0
    new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) window.shift += entry.value
    }).observe({ type: "layout-shift", buffered: true })
}"""


def test_home_greets_and_offers_starters_and_recent_chats(start_conversation, chat):
    id = start_conversation("What is a *home*?")
    page = chat.page
    page.clock.set_fixed_time("2026-11-30T08:00:00")
    chat.open().choose("echo")
    expect(page.get_by_role("heading", name="Good morning", exact=True)).to_be_visible()
    expect(page.locator(".sky__sun")).to_have_count(1)
    recent = page.get_by_role("region", name="Recent chats")
    expect(recent.get_by_role("link").first).to_have_attribute("href", f"/c/{id}/")
    page.get_by_role("switch", name="Temporary chat").check()
    expect(recent).to_be_hidden()
    expect(page.get_by_text("This chat will not be in your list.")).to_be_visible()
    page.get_by_role("switch", name="Temporary chat").uncheck()
    recent.get_by_role("link").first.click()
    page.wait_for_url(f"**/c/{id}/")
    page.clock.set_fixed_time("2026-11-30T23:30:00")
    chat.open()
    expect(page.get_by_role("heading", name="Up late?")).to_be_visible()
    expect(page.locator(".sky__light")).to_have_count(1)


def test_bar_renames_with_a_click_and_has_the_share_button(start_conversation, chat):
    start_conversation("First words")
    page = chat.page
    page.locator(".bar__title button").click()
    page.get_by_role("textbox", name="Title").fill("A better title")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="A better title")).to_be_visible()
    expect(page.locator("[data-ref=rename]")).to_be_focused()
    page.locator("[data-ref=share]").click()
    expect(page.get_by_role("dialog", name="Share this chat")).to_contain_text("A better title")
    page.keyboard.press("Escape")
    page.get_by_role("link", name="New chat").first.click()
    expect(page.locator("[data-ref=share]")).to_be_hidden()
    expect(page.locator(".bar__title")).to_be_hidden()


def test_bar_names_the_chat_that_is_being_opened(start_conversation, chat):
    first = start_conversation("First words")
    start_conversation("Second words")
    held = []
    chat.page.route(f"**/api/conversations/{first}/**", lambda route: held.append(route))
    title = chat.page.locator("[data-ref=rename]")
    expect(title).to_have_text("Second words")
    row(chat, first).get_by_role("link").click()
    chat.page.wait_for_url(f"**/c/{first}/")
    expect(title).to_have_text("First words")
    expect(chat.page).to_have_title(page_title("First words"))
    expect(title).to_be_disabled()
    for request in held:
        request.continue_()
    expect(chat.replies).to_have_count(1)


def test_name_of_the_assistant_is_shown_when_it_changes(start_conversation, chat):
    start_conversation("One")
    for assistant in ("echo", "long"):
        chat.choose(assistant).send("Two")
        chat.wait_for_end()
    authors = chat.page.locator(".message__author")
    expect(authors).to_have_text(["Echo", "Echo", "Long"])
    shown = authors.evaluate_all("all => all.map(({ offsetHeight }) => offsetHeight > 1)")
    assert shown == [True, False, True]
    letters = chat.page.locator(".message__author .avatar").evaluate_all("all => all.map((a) => a.dataset.letter)")
    assert letters == ["E", "E", "L"]


def test_text_does_not_jump_when_its_font_loads_late(new_context, site):
    chat = Chat(new_context().new_page(), site).log_in()
    page, waiting = chat.page, []
    page.route("**/vendor/fonts/*", lambda route: waiting.append(route))
    page.add_init_script(f"({SHIFTS})()")
    page.reload(wait_until="commit")
    expect(page.locator(".welcome__title")).not_to_be_empty()
    expect(page.locator(".conversation, .sidebar__message").first).to_be_visible()
    before = page.locator("#text").bounding_box()
    page.evaluate("window.shift = 0")
    assert not page.evaluate("document.fonts.check('1em Geist')")
    for route in waiting:
        route.continue_()
    page.evaluate("document.fonts.load('1em Geist').then(() => document.fonts.ready).then(() => true)")
    assert page.locator("#text").bounding_box() == before
    assert (
        page.evaluate("new Promise((done) => requestAnimationFrame(() => setTimeout(() => done(window.shift))))")
        < 0.005
    )


def test_print_of_the_page_has_its_messages_alone_on_white(chat, start_conversation):
    start_conversation("\n\n".join(f"Line {number}" for number in range(60)))
    page = chat.page
    page.emulate_media(media="print", color_scheme="dark")
    for name in (".sidebar", ".bar", ".composer", ".message__footer"):
        expect(page.locator(name).first).to_be_hidden()
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(27, 32, 34)"  # dark on light
    bottom = chat.replies.last.evaluate("(element) => element.getBoundingClientRect().bottom + scrollY")
    assert bottom <= page.evaluate("document.scrollingElement.scrollHeight")
    assert page.evaluate("document.querySelector('.scroller').scrollTop") == 0


def test_buttons_of_a_diagram_are_whole_in_a_narrow_window(start_conversation, chat):
    start_conversation("```mermaid\nflowchart LR\n  a --> b\n```")
    chat.page.set_viewport_size({"width": 320, "height": 640})
    block = chat.replies.last.locator(".diagram")
    expect(block.locator("img")).to_be_visible()
    edge = block.bounding_box()["x"] + block.bounding_box()["width"]
    boxes = [button.bounding_box() for button in block.locator(".block-button:visible").all()]
    assert len(boxes) == 4
    assert all(box["x"] + box["width"] <= edge for box in boxes)


def test_share_dialog_fits_a_narrow_window(chat, start_conversation):
    start_conversation("Hello")
    chat.page.set_viewport_size({"width": 320, "height": 640})
    chat.page.locator("[data-ref=share]").click()
    chat.page.get_by_role("button", name="Create a link").click()
    link = chat.page.locator(".shared-link")
    copy, revoke = [link.locator(f"[data-ref={name}]").bounding_box() for name in ("copy", "revoke")]
    assert copy["y"] == revoke["y"]
    assert revoke["x"] + revoke["width"] <= link.bounding_box()["x"] + link.bounding_box()["width"]


@pytest.mark.parametrize("dialog", ["share", "help", "settings", "tools"])
def test_japanese_titles_of_dialogs_are_one_line_in_a_narrow_window(open_tab, dialog):
    chat = open_tab("ja")
    chat.page.set_viewport_size({"width": 320, "height": 640})
    chat.page.locator(f"[data-ref={dialog}-dialog]").evaluate("(element) => element.showModal()")
    title = chat.page.locator(f"[data-ref={dialog}-dialog] h2")
    assert title.evaluate("(element) => element.offsetHeight < 2 * parseFloat(getComputedStyle(element).fontSize)")
