"""The page for everybody: axe finds nothing, the keyboard reaches all of it, a small window shows all of it, and who
cannot see it hears what happens. In both languages and themes.
"""

import re

import pytest
from django.template.loader import render_to_string
from django.utils.translation import override
from playwright.sync_api import expect

from scripts.environment import ROOT
from tests.browser.chat import open_gate
from tests.server_process import PASSWORD

pytestmark = pytest.mark.browser

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
        self.page.goto(self.site + path)
        self.page.locator("[name=username]").fill(name)
        self.page.locator("[name=password]").fill(PASSWORD)
        self.page.locator("[type=submit]").click()
        self.page.wait_for_url(self.site + path)
        return self

    def ask(self, assistant, text):
        """Sends a message to this assistant in a new conversation and waits for the answer."""
        self.page.goto(self.site + "/")
        self.page.locator("[data-ref=picker]").click()
        self.page.locator(f"#assistants label:has([value={assistant}])").click()
        self.send(text)

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


@pytest.fixture
def open_tab(new_context, site):
    """`open_tab("ja")`: Alice's tab in a browser of that language; `open_tab("ja", None)`: before her login."""

    def new_tab(language="en", name="alice", **options):
        page = new_context(locale=LOCALES[language], timezone_id="Asia/Tokyo", **options).new_page()
        return Tab(page, site).log_in(name) if name else Tab(page, site)

    return new_tab


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


@pytest.mark.parametrize("language", LOCALES)
def test_axe_finds_no_violations(open_tab, language, subtests):
    tab = open_tab(language, reduced_motion="reduce")
    for state in states(tab):
        with subtests.test(state):
            assert tab.problems() == []


@pytest.mark.parametrize("language", LOCALES)
def test_axe_finds_no_violations_on_the_login_page(open_tab, language):
    nobody = open_tab(language, None, reduced_motion="reduce")
    nobody.page.goto(nobody.site + "/")
    nobody.page.locator("[name=username]").fill("alice")
    nobody.page.locator("[name=password]").fill("wrong")
    nobody.page.locator("[type=submit]").click()
    expect(nobody.page.get_by_role("alert")).to_be_visible()
    assert nobody.problems() == []


def answer_with(page):
    return lambda route: route.fulfill(body=page, content_type="text/html")


@pytest.mark.parametrize("language", LOCALES)
def test_axe_finds_no_violations_in_error_states(open_tab, language, subtests):
    nobody = open_tab(language, None, reduced_motion="reduce")
    for name in ("403.html", "403_csrf.html", "404.html", "500.html"):
        with override(language):
            page = render_to_string(name)  # a server with DEBUG on shows Django's own
        nobody.page.route("**/wrong", answer_with(page))
        nobody.page.goto(nobody.site + "/wrong")
        expect(nobody.page.get_by_role("heading")).to_be_visible()
        with subtests.test(name):
            assert nobody.problems() == []
            assert bool(JAPANESE.search(nobody.page.inner_text("body"))) == (language == "ja")


@pytest.mark.parametrize("language", LOCALES)
def test_axe_finds_no_violations_on_read_only_pages(open_tab, language, subtests):
    tab = open_tab(language, reduced_motion="reduce")
    tab.ask("demo", "デモを見せてください。")
    path = tab.page.url.removeprefix(tab.site)
    tab.page.goto(f"{tab.site}{path}print/")
    expect(tab.page.locator("article table")).to_be_visible()
    with subtests.test("a printed conversation"):
        assert tab.problems() == []
    staff = open_tab(language, "bob", reduced_motion="reduce")
    staff.page.goto(f"{tab.site}/admin/chat/conversation/{path.split('/')[2]}/change/")
    expect(staff.page.locator(".transcript")).to_be_visible()
    staff.page.evaluate("for (const element of document.querySelectorAll('details')) element.open = true")
    with subtests.test("a transcript"):
        assert staff.problems() == []


def test_colors_of_the_admin_can_be_read_in_both_themes(open_tab, subtests):
    """The colors are the site's; the rest of these pages is Django's."""
    staff = open_tab("en", "bob", reduced_motion="reduce")
    for path in ("", "chat/assistant/", "chat/assistant/1/change/", "chat/run/", "auth/user/1/delete/"):
        staff.page.goto(f"{staff.site}/admin/{path}")
        with subtests.test(path):
            assert [problem for problem in staff.problems() if problem[1] == "color-contrast"] == []


# Narrow, enlarged -----------------------------------------------------------------------------------------------------


SMALL = {
    "320 pixels": {"viewport": {"width": 320, "height": 640}},
    "200 % zoom": {"viewport": {"width": 640, "height": 400}, "device_scale_factor": 2},
}


@pytest.mark.parametrize("window", SMALL)
@pytest.mark.parametrize("language", LOCALES)
def test_small_window_scrolls_in_one_direction_only(open_tab, language, window, subtests):
    tab = open_tab(language, **SMALL[window])
    for state in states(tab):
        with subtests.test(state):
            assert tab.overflow() <= 0
            box = tab.text.bounding_box()
            assert box["width"] > 100


def test_low_window_scrolls_to_the_end_of_a_new_chat(open_tab):
    tab = open_tab("en", "charlie", viewport={"width": 320, "height": 256})  # as 1280 x 1024 at 400 %
    tab.find("picker").click()
    tab.page.locator("#assistants label:has([value=echo])").click()
    tab.page.mouse.move(160, 200)
    tab.page.mouse.wheel(0, 1000)
    expect(tab.find("starters").locator("li").last).to_be_in_viewport(ratio=1)
    tab.page.mouse.wheel(0, -1000)
    expect(tab.find("temporary-switch")).to_be_in_viewport(ratio=1)


PHONE = {"viewport": {"width": 390, "height": 780}, "is_mobile": True, "has_touch": True}


def test_onscreen_keyboard_that_shrinks_the_window_keeps_the_field_visible(open_tab):
    tab = open_tab("en", **PHONE)
    assert "interactive-widget=resizes-content" in tab.page.locator("[name=viewport]").get_attribute("content")
    tab.ask("echo", "Hello\n\n" * 20)
    tab.page.set_viewport_size({"width": 390, "height": 430})
    tab.text.fill("One line\n" * 20)
    for place in (tab.text, tab.find("send"), tab.find("picker")):
        expect(place).to_be_in_viewport(ratio=1)


def test_onscreen_keyboard_that_covers_the_page_keeps_the_field_visible(open_tab):
    """As on iOS; what it tells is told here by a stand-in, for Chromium has no such keyboard."""
    tab = open_tab("en", **PHONE)
    tab.page.add_init_script(
        """Object.defineProperty(window, "visualViewport", {
            value: Object.assign(new EventTarget(), { scale: 1, height: innerHeight })
        })"""
    )
    tab.ask("echo", "Hello")
    for height in (430, 780):
        tab.page.evaluate(
            "height => { visualViewport.height = height; visualViewport.dispatchEvent(new Event('resize')) }", height
        )
        box = tab.find("composer").bounding_box()
        assert height - 30 < box["y"] + box["height"] <= height
        expect(tab.find("picker")).to_be_in_viewport(ratio=1)


@pytest.mark.parametrize("language", LOCALES)
def test_shared_conversation_fits_into_a_small_window(open_tab, language):
    tab = open_tab(language, **SMALL["320 pixels"])
    tab.ask("echo", "Hello")
    tab.find("bar-options").click()
    tab.choose("share")
    tab.find("share-dialog").locator(".button--primary").click()
    tab.page.goto(tab.find("share-dialog").locator("input").first.input_value())
    expect(tab.page.locator(".transcript-message")).to_have_count(2)
    assert tab.overflow() <= 0
    name = tab.page.locator(".brand span")
    assert name.bounding_box()["height"] < 1.5 * tab.page.locator(".brand img").bounding_box()["height"]


def test_text_spacing_can_be_increased(open_tab, subtests):
    """WCAG 1.4.12: nothing is cut off or covered with these distances."""
    tab = open_tab("en")
    tab.ask("demo", "Show me.")
    tab.page.evaluate(
        """() => {
            const sheet = new CSSStyleSheet()
            sheet.replaceSync(`
                * { line-height: 1.5 !important; letter-spacing: 0.12em !important; word-spacing: 0.16em !important }
                p { margin-bottom: 2em !important }
            `)
            document.adoptedStyleSheets.push(sheet)
        }"""
    )
    assert tab.overflow() <= 0
    for button in tab.page.locator("button:visible").all():
        assert button.evaluate("element => element.scrollWidth - element.clientWidth") <= 1, button


# The device's wishes --------------------------------------------------------------------------------------------------


def test_reduced_motion_is_respected(open_tab):
    tab = open_tab("en", reduced_motion="reduce")
    tab.page.locator("[data-ref=picker]").click()
    tab.page.locator("#assistants label:has([value=slow])").click()
    tab.text.fill("Count")
    tab.text.press("Enter")
    expect(tab.replies.last).to_contain_text("10")
    moving = tab.page.evaluate(
        """() => document.getAnimations().flatMap(({ effect }) => effect.getKeyframes())
            .filter(frame => frame.transform || frame.translate || frame.rotate || frame.scale).length"""
    )
    assert moving == 0


def test_increased_contrast_is_respected(open_tab):
    def line_of(**options):
        tab = open_tab("en", **options)
        return tab.page.locator(".sidebar__new").evaluate("element => getComputedStyle(element).borderColor")

    assert line_of(contrast="more") != line_of()


def test_selection_is_visible_in_forced_colors(open_tab):
    tab = open_tab("en", forced_colors="active")
    tab.ask("echo", "Hello")
    row = tab.page.locator(".conversation__link[aria-current]")
    other = tab.page.locator(".sidebar__new")
    ground = "element => getComputedStyle(element).backgroundColor"
    assert row.evaluate(ground) != other.evaluate(ground)
    tab.find("account").click()
    tab.choose("settings")
    chosen, not_chosen = (
        tab.page.locator(".segment:has(:checked)").first,
        tab.page.locator(".segment:not(:has(:checked))"),
    )
    assert chosen.evaluate(ground) != not_chosen.first.evaluate(ground)


# By keyboard ----------------------------------------------------------------------------------------------------------


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
    user.type("Count, please")
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


# By ear ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("language", "text", "spoken"),
    [
        (
            "en",
            "One is first. Two is *second*!\n\nAnd a [third](https://example.org) one",
            "One is first. Two is second!",
        ),
        ("ja", "一つ目です。二つ目は*大切*です。\n\n最後の文", "一つ目です。二つ目は大切です。"),
    ],
)
def test_reply_is_announced_in_sentences(open_tab, language, text, spoken):
    tab = open_tab(language)
    tab.ask("echo", text)
    lines = tab.find("live").locator("p")
    end = {"en": "The answer is complete.", "ja": "返答が完了しました。"}[language]
    expect(lines.last).to_have_text(end)
    heard = lines.all_text_contents()
    assert heard[0] == {"en": "The assistant is answering.", "ja": "アシスタントが返答しています。"}[language]
    assert "".join(heard[1:-1]).startswith(spoken)
    assert all("*" not in line and "](" not in line for line in heard)


def test_sentence_is_announced_once_and_only_when_complete(open_tab):
    tab = open_tab("en")
    tab.page.add_init_script("""document.addEventListener("DOMContentLoaded", () => {
        window.heard = []
        new MutationObserver((changes) => {
            for (const { addedNodes } of changes) for (const node of addedNodes) heard.push(node.textContent)
        }).observe(document.querySelector("[data-ref=live]"), { childList: true })
    })""")
    words = [f"Sentence number {number} has its end here." for number in range(1, 60)]
    tab.ask("echo", " ".join(words))
    expect(tab.find("live").locator("p").last).to_have_text("The answer is complete.")
    heard = tab.page.evaluate("heard")
    assert heard[0] == "The assistant is answering."
    assert all(line.strip().endswith(".") for line in heard)
    assert " ".join(" ".join(heard[1:-1]).split()) == " ".join(words)


def test_code_and_tables_are_announced_by_kind(open_tab):
    tab = open_tab("en")
    tab.ask("echo", "Look:\n\n```python\nprint(1)\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n- [x] tea\n- milk\n\nDone")
    expect(tab.find("live").locator("p").last).to_have_text("The answer is complete.")
    heard = tab.find("live").locator("p").all_text_contents()
    assert heard[1:-1] == ["Look:", "Code: python", "a, b", "1, 2", "Done: tea", "milk", "Done"]


def start_counting(tab, gate):
    """Have an answer on the page that has come to fifty and waits for the gate."""
    tab.page.locator("[data-ref=picker]").click()
    tab.page.locator("#assistants label:has([value=slow])").click()
    tab.text.fill(f"Count, then {gate}")
    tab.text.press("Enter")
    expect(tab.replies.last).to_contain_text("50")


def finish_counting(tab, gate):
    """Let the answer end. Only what is written from here on may be announced."""
    expect(tab.replies.last).to_contain_text("50")
    open_gate(tab, gate)
    expect(tab.find("live").locator("p").last).to_have_text("The answer is complete.")
    heard = " ".join(tab.find("live").locator("p").all_text_contents())
    assert "100" in heard
    assert " 5 " not in heard


def test_earlier_reply_is_not_announced_again(open_tab):
    tab = open_tab("en")
    start_counting(tab, "gate:announced-again")
    tab.page.reload()
    finish_counting(tab, "gate:announced-again")


def test_reply_is_announced_once_its_text_is_on_the_page(open_tab):
    """The renderer loads when it is needed, and a fast answer may be complete before."""
    tab = open_tab("en")
    held = []
    tab.page.route("**/markdown/streaming*.js", lambda route: held.append(route))
    tab.ask("echo", "One\n\nTwo")
    expect(tab.replies.last).to_have_attribute("aria-busy", "false")
    tab.page.wait_for_timeout(1500)  # several ticks of the page, in which it could announce too much
    expect(tab.find("live").locator("p").last).to_have_text("The assistant is answering.")
    held.pop().continue_()
    expect(tab.find("live").locator("p").last).to_have_text("The answer is complete.")
    assert tab.find("live").locator("p").all_text_contents()[1:-1] == ["One", "Two"]


@pytest.mark.parametrize("late", ["**/markdown/streaming*.js", "**/events*"], ids=["renderer", "events"])
def test_earlier_reply_is_not_announced_when_it_is_shown_late(open_tab, late):
    tab = open_tab("en")
    gate = f"gate:announced-late-{'events' in late}"
    start_counting(tab, gate)
    held = []
    tab.page.route(late, lambda route: held.append(route))
    tab.page.reload()
    expect(tab.replies.last).to_have_attribute("aria-busy", "true")
    tab.page.wait_for_timeout(1500)  # several ticks of the page, in which it could take the answer for a new one
    held.pop().continue_()
    finish_counting(tab, gate)


def test_announcement_is_repeated_when_it_happens_again(open_tab):
    tab = open_tab("en")
    tab.page.context.grant_permissions(["clipboard-write"])
    tab.ask("echo", "Hello")
    for count in (1, 2):
        tab.press("copy")
        expect(tab.find("live").get_by_text("Copied", exact=True)).to_have_count(count)


# In Japanese ----------------------------------------------------------------------------------------------------------


def test_japanese_page_contains_no_english(open_tab, subtests):
    """No English is left in what is shown, but for names, what was said, and keys."""
    tab = open_tab("ja")
    own = re.compile(r"[A-Za-z]{3,}")
    for state in states(tab):
        if state in SPOKEN:
            continue
        with subtests.test(state):
            shown = tab.page.evaluate(SHOWN)
            assert sorted({word for text in shown for word in own.findall(text)} - NAMES) == []


SPOKEN = {  # what holds the words of the test's assistants
    "steps",
    "a question for permission",
    "one of two answers",
    "the menu of a conversation with allowed tools",
    "the allowed tools",
    "an error with help",
    "an error that staff have to fix",
    "a conversation that outgrew its model",
    "a failed answer",
    "the list",
    "what was searched for",
}
SHOWN = """() => {
    const texts = []
    const skipped = "script, template, noscript, .conversations, .message__parts, .message__author, #assistants, " +
        "kbd, [data-ref=live], .account__name, .picker__name, .recent__name, .about, " +
        ".shared-link__address, .shortcut dd"
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
    while (walker.nextNode()) {
        const { parentElement: place, data } = walker.currentNode
        if (!place.closest(skipped) && place.checkVisibility()) texts.push(data)
    }
    for (const element of document.querySelectorAll("[aria-label], [title], [placeholder]")) {
        if (element.closest(skipped) || !element.checkVisibility()) continue
        texts.push(element.ariaLabel ?? "", element.title, element.placeholder ?? "")
    }
    return texts
}"""
NAMES = {
    "Claude",
    "Open",
    "WebUI",
    "Alice",
    "ChatGPT",
    "Ctrl",
    "Demo",
    "English",
    "Enter",
    "JSON",
    "Markdown",
    "Server",
    "Sent",
    "Events",
    "WebSocket",
} | {
    "alice",
    "conversations",
    "json",
    "zip",
    "http",
    "Alt",
    "Shift",
    "Esc",
}


@pytest.mark.parametrize("language", LOCALES)
def test_times_are_in_the_users_time_zone(open_tab, language):
    """Tokyo's, however the server's clock stands."""
    tab = open_tab(language)
    tab.ask("echo", "Now")
    shown = tab.page.locator(".message--reply time").last
    stamp = shown.get_attribute("datetime")
    how = "{ timeStyle: 'short', timeZone: 'Asia/Tokyo' }"
    expected = tab.page.evaluate(
        f"([stamp, locale]) => new Date(stamp).toLocaleTimeString(locale, {how})", [stamp, LOCALES[language]]
    )
    expect(shown).to_have_text(expected)


def test_language_choice_applies_at_once_and_in_other_windows(open_tab, new_context, site):
    tab = open_tab("en", "charlie")
    tab.find("account").click()
    tab.choose("settings")
    expect(tab.page.locator("[name=instructions]")).to_be_editable()
    tab.page.locator("[name=language]").select_option("ja")
    expect(tab.page.locator("html")).to_have_attribute("lang", "ja")
    expect(tab.text).to_have_attribute("placeholder", JAPANESE)
    other = open_tab("en", "charlie")
    expect(other.page.locator("html")).to_have_attribute("lang", "ja")
    tab.page.keyboard.press("Escape")
    tab.find("account").click()
    tab.choose("settings")
    expect(tab.page.locator("[name=instructions]")).to_be_editable()
    tab.page.locator("[name=language]").select_option("")
    expect(tab.page.locator("html")).to_have_attribute("lang", "en")
