"""The keyboard reaches all of the page, and the focus can be seen."""

import pytest
from playwright.sync_api import expect

from tests.browser.chat import open_gate
from tests.server_process import PASSWORD

pytestmark = pytest.mark.browser


class KeyboardUser:
    """A user who has only a keyboard."""

    def __init__(self, page):
        self.page, self.keyboard = page, page.keyboard
        self.focused = page.locator(":focus")

    def press(self, *keys):
        for key in keys:
            self.keyboard.press(key)

    def go_to(self, target, key="Tab", max_presses=1000):
        """Presses the key until the target is focused. At each step the focus has to be visible."""
        for _ in range(max_presses):
            if target.evaluate("element => element === document.activeElement"):
                return self
            self.keyboard.press(key)
            if self.page.evaluate("document.activeElement === document.body"):
                self.keyboard.press(key)  # the focus has left the page for the browser's own controls
            self.check_focus_is_visible()
        raise AssertionError(f"{target} was not reached")

    def check_focus_is_visible(self):
        problem = self.page.evaluate(
            """() => {
                const element = document.activeElement
                if (!element || element === document.body) return "nowhere"
                if (!element.matches(":focus-visible")) return `not :focus-visible: ${element.outerHTML.slice(0, 200)}`
                if (element.matches("input:not([type=radio], [type=checkbox]), textarea, iframe")) return ""
                for (let near = element; near && near !== document.body; near = near.parentElement) {
                    const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(near)
                    if (outlineStyle !== "none" && parseFloat(outlineWidth) > 0) return ""
                    if (near !== element && boxShadow !== "none") return ""
                }
                return `no outline: ${element.outerHTML.slice(0, 200)}`
            }"""
        )
        assert problem == ""

    def type(self, text):
        self.keyboard.type(text)


def test_keyboard_reaches_everything(open_tab):
    tab = open_tab("en", None)
    page, user = tab.page, KeyboardUser(tab.page)
    page.goto(tab.site + "/")
    expect(page.locator("[name=username]")).to_be_focused()
    user.type("alice")
    user.press("Tab")
    user.type(PASSWORD)
    user.press("Enter")
    page.wait_for_url(tab.site + "/")

    # A new chat, with an assistant that is picked
    expect(tab.text).to_be_focused()
    user.go_to(tab.find("picker"))
    user.press("Enter")
    user.go_to(page.locator("#assistants [value=slow]"), "ArrowDown")
    user.press("Escape")
    expect(tab.find("picker")).to_contain_text("Slow")
    user.go_to(tab.text, "Shift+Tab")
    user.type("Count, please gate:by-keyboard")
    user.press("Enter")

    # Stop it while it is written, without leaving the field
    expect(tab.replies.last).to_contain_text("5")
    user.go_to(tab.find("stop"))
    user.press("Enter")
    expect(tab.replies.last).to_have_attribute("aria-busy", "false")
    expect(tab.replies.last).to_contain_text("You stopped this answer.")
    expect(tab.text).to_be_focused()

    # Another answer, and back to the first
    again = page.locator("[data-action=regenerate]").last
    user.go_to(again, "Shift+Tab")
    user.press("Enter")
    expect(tab.replies.last).to_have_attribute("aria-busy", "true")
    open_gate(tab, "gate:by-keyboard")
    expect(tab.replies.last).to_have_attribute("aria-busy", "false")
    before = tab.replies.last.get_by_role("button", name="Previous version")
    user.go_to(before, "Shift+Tab")
    user.press("Enter")
    expect(tab.replies.last).to_contain_text("You stopped this answer.")
    expect(tab.replies.last.get_by_role("button", name="Next version")).to_be_visible()

    # Its name
    user.go_to(tab.find("bar-options"), "Shift+Tab")
    user.press("Enter")
    user.go_to(page.locator(":popover-open [data-choice=rename]"), "ArrowDown")
    user.press("Enter")
    expect(page.get_by_role("textbox", name="Title")).to_be_focused()
    user.press("Control+a")
    user.type("By keyboard")
    user.press("Enter")
    expect(page.locator(".bar__title")).to_have_text("By keyboard")
    expect(tab.find("bar-options")).to_be_focused()

    # Gone, and back
    user.press("Enter")
    user.go_to(page.locator(":popover-open [data-choice=delete]"), "ArrowDown")
    user.press("Enter")
    expect(tab.find("toast")).to_contain_text("Deleted")
    assert page.evaluate("document.activeElement !== document.body")
    user.go_to(tab.find("toast").get_by_role("button", name="Undo"))
    user.press("Enter")
    expect(page.locator(".conversation").get_by_text("By keyboard")).to_be_visible()

    # Settings
    user.go_to(tab.find("account"))
    user.press("Enter")
    user.go_to(page.locator(":popover-open [data-choice=settings]"), "ArrowDown")
    user.press("Enter")
    expect(page.locator("dialog:modal")).to_be_visible()  # its script is loaded first
    user.go_to(page.locator("[name=theme]").first)
    with page.expect_response(lambda answer: answer.request.method == "PATCH"):
        user.press("ArrowRight", "ArrowRight")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    with page.expect_response(lambda answer: answer.request.method == "PATCH"):
        user.press("ArrowRight")
    user.press("Escape")
    expect(tab.find("account")).to_be_focused()


def test_skip_link_is_the_first_focus(open_tab):
    tab = open_tab("ja", is_mobile=True, has_touch=True)  # there the field does not take the focus by itself
    tab.page.keyboard.press("Tab")
    expect(tab.find("skip")).to_be_focused()
    expect(tab.find("skip")).to_have_css("clip-path", "none")
    tab.page.keyboard.press("Enter")
    expect(tab.text).to_be_focused()
    assert tab.page.url == tab.site + "/"


def test_dialog_traps_the_focus_and_restores_it(open_tab, subtests):
    tab = open_tab("en")
    user = KeyboardUser(tab.page)
    tab.ask("echo", "Hello")
    for entry in ("rename", "share"):
        with subtests.test(entry):
            tab.find("bar-options").focus()
            user.press("Enter")
            user.go_to(tab.page.locator(f":popover-open [data-choice={entry}]"), "ArrowDown")
            user.press("Enter")
            dialog = tab.find(f"{entry}-dialog")
            expect(dialog).to_be_visible()
            for _ in range(12):
                user.press("Tab")
                inside = dialog.evaluate(
                    "element => element.contains(document.activeElement) || document.activeElement === document.body"
                )
                assert inside  # the browser's own buttons count as body
            user.press("Escape")
            expect(dialog).to_be_hidden()
            expect(tab.find("bar-options")).to_be_focused()
