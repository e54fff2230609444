"""The page in any language and state, and what axe finds there."""

import re

from playwright.sync_api import expect

from scripts.environment import ROOT
from tests.browser.chat import start_session

AXE = (ROOT / "node_modules/axe-core/axe.min.js").read_text()
RULES = {
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]},
    "rules": {"target-size": {"enabled": True}},  # 24 pixels; axe leaves it out otherwise
    "resultTypes": ["violations"],
}
COLOR_RULES = {
    "runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]},
    "resultTypes": ["violations"],
}
END_TRANSITIONS = """() => document.getAnimations()
    .filter((animation) => animation instanceof CSSTransition).forEach((transition) => transition.finish())"""
LOCALES = {"en": "en-US", "ja": "ja-JP"}
JAPANESE = re.compile("[\u3040-\u30ff\u4e00-\u9fff]")


class Tab:
    """A tab with the chat page, in any language: it finds elements without their labels."""

    def __init__(self, page, site):
        self.page, self.site = page, site
        self.text = page.locator("#text")
        self.replies = page.locator(".message--reply")

    def log_in(self, name="alice", path="/"):
        start_session(self.page, self.site, name)
        self.page.goto(self.site + path)
        return self

    def ask(self, assistant, text):
        """Sends a message to this assistant in a new conversation and waits for the answer."""
        self.page.goto(self.site + "/")
        self.pick(assistant)
        self.send(text)

    def pick(self, assistant):
        # Until the assistants are there, the composer may move from under the pointer.
        expect(self.find("assistant-name")).not_to_be_empty()
        self.find("picker").click()
        self.page.locator(f"#assistants label:has([value={assistant}])").click()

    def send(self, text):
        count = self.replies.count()
        self.text.fill(text)
        self.text.press("Control+Enter")  # sends on phones as well
        expect(self.replies).to_have_count(count + 1)
        expect(self.replies.last).to_have_attribute("aria-busy", "false")

    def find(self, name):
        return self.page.locator(f"[data-ref={name}]")

    def press(self, act):
        """Presses this button of the last message that has it."""
        button = self.page.locator(f"[data-action={act}]").last
        button.scroll_into_view_if_needed()
        button.focus()
        button.press("Enter")

    def choose(self, entry):
        """Chooses this entry of the open menu."""
        self.page.locator(f":popover-open [data-choice={entry}]").click()

    def problems(self, within="html"):
        """Returns the violations that axe finds in the light theme and of colors in the dark one.

        Each is (theme, rule, target, reason).
        """
        self.page.evaluate(AXE)
        found = []
        for theme, rules in (("dark", COLOR_RULES), ("light", RULES)):
            self.page.emulate_media(color_scheme=theme)
            self.page.evaluate(END_TRANSITIONS)
            result = self.page.evaluate("([within, rules]) => axe.run(within, rules)", [within, rules])
            for rule in result["violations"]:
                found += [(theme, rule["id"], node["target"], node["failureSummary"]) for node in rule["nodes"]]
        return found

    def overflow(self):
        """Returns by how many pixels the page is wider than its window."""
        return self.page.evaluate("document.scrollingElement.scrollWidth - innerWidth")


def states(tab):
    """Brings the page into one state after another and yields their names."""
    page = tab.page
    yield "a new chat"
    tab.find("skip").focus()
    yield "the skip link"
    tab.text.focus()
    tab.find("picker").click()
    yield "the assistants"
    page.keyboard.press("Escape")
    tab.ask("tools", "What time is it? 何時ですか？")
    for line in page.locator(".step > summary").all():
        line.click()
    yield "steps"
    tab.ask("asks", "Lunch?")
    expect(page.locator(".approval")).to_be_visible()
    yield "a question for permission"
    tab.ask("asks-twice", "Dinner?")
    page.locator(".approval").first.locator("[data-decision=no]").click()
    expect(page.locator(".approvals__remaining")).not_to_be_empty()
    yield "one of two answers"
    tab.ask("asks-always", "Supper?")
    for name in ("always", "no"):  # the first also answers for the second card
        page.locator(f"[data-decision={name}]:not([aria-pressed])").first.click()
    expect(tab.replies.last).to_contain_text("It is not sent.")
    tab.find("bar-options").click()
    yield "the menu of a conversation with allowed tools"
    tab.choose("tools")
    expect(tab.find("tools-dialog").locator("button").last).to_be_focused()
    yield "the allowed tools"
    page.keyboard.press("Escape")
    tab.ask("fails", "Please context_length")
    expect(page.locator("[data-error-help]")).to_have_count(3)
    yield "an error with help"
    tab.ask("fails", "Please quota")
    expect(page.locator("[data-error-help]")).to_have_count(1)
    yield "an error that staff have to fix"
    tab.ask("flaky", "Break off, please")
    yield "a failed answer"
    tab.ask("small", "word " * 200)
    tab.send("Who wrote it?")
    expect(page.locator(".message__boundary:visible")).to_have_count(1)
    expect(page.locator(".message__trimmed:visible")).to_have_count(1)
    yield "a conversation that outgrew its model"
    tab.ask("demo", "デモを見せてください。")
    expect(page.locator(".diagram__picture img")).to_be_attached()
    expect(page.locator(".katex").first).to_be_attached()
    yield "a rich answer"
    tab.press("up")
    expect(tab.find("rating")).to_be_visible()
    yield "a rating"
    page.keyboard.press("Escape")
    tab.press("about")
    expect(tab.find("about-popover").locator("dd").first).to_be_visible()
    yield "about an answer"
    page.keyboard.press("Escape")
    tab.press("edit")
    expect(page.locator(".editor")).to_be_visible()
    yield "an edited message"
    page.keyboard.press("Escape")
    for entry in ("rename", "share"):
        tab.find("bar-options").click()
        yield "the menu of a conversation"
        tab.choose(entry)
        expect(tab.find(f"{entry}-dialog")).to_be_visible()
        yield f"the dialog to {entry}"
        page.keyboard.press("Escape")
    for entry in ("settings", "help"):
        open_list(tab)
        tab.find("account").click()
        yield "the account's menu"
        tab.choose(entry)
        expect(tab.find(f"{entry}-dialog")).to_be_visible()
        yield f"the dialog: {entry}"
        page.keyboard.press("Escape")
    open_list(tab)
    yield "the list"
    tab.find("search").fill("デモ")
    expect(page.locator(".conversation mark").first).to_be_visible()
    yield "what was searched for"


def open_list(tab):
    opens = tab.find("drawer-open")
    if opens.is_visible() and opens.get_attribute("aria-expanded") == "false":
        opens.click()
        expect(tab.find("search")).to_be_in_viewport()
