"""The page for everybody: axe finds nothing, the keyboard reaches all of it, a small window shows all of it, and who
cannot see it hears what happens. In both languages and themes.
"""

import re

import pytest
from django.template.loader import render_to_string
from django.utils.translation import override
from playwright.sync_api import expect

from tests.messages import ROOT

from .test_page import PASSWORD, Chat, chat, context  # noqa: F401  fixtures

pytestmark = pytest.mark.browser

AXE = (ROOT / "node_modules/axe-core/axe.min.js").read_text()
RULES = {
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]},
    "rules": {"target-size": {"enabled": True}},  # 24 pixels; axe leaves it out otherwise
    "resultTypes": ["violations"],
}
LOCALES = {"en": "en-US", "ja": "ja-JP"}
LOOKS = [("en", "light"), ("en", "dark"), ("ja", "light"), ("ja", "dark")]
JAPANESE = re.compile("[\u3040-\u30ff\u4e00-\u9fff]")


class Tab:
    """A tab, in whatever language."""

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
        """The answer of that assistant in a new conversation."""
        self.page.goto(self.site + "/")
        self.page.locator("[data-is=picker]").click()
        self.page.locator(f"#assistants label:has([value={assistant}])").click()
        self.text.fill(text)
        self.text.press("Enter")
        expect(self.replies.last).to_have_attribute("aria-busy", "false", timeout=20_000)

    def is_(self, name):
        return self.page.locator(f"[data-is={name}]")

    def press(self, act):
        """That button of the last message that has it."""
        button = self.page.locator(f"[data-act={act}]").last
        button.scroll_into_view_if_needed()
        button.focus()
        button.press("Enter")

    def choose(self, entry):
        """That entry of the menu that is open."""
        self.page.locator(f":popover-open [data-entry={entry}]").click()

    def problems(self, within="html"):
        """What axe finds, as (rule, where, why)."""
        self.page.evaluate(AXE)
        found = self.page.evaluate("([within, rules]) => axe.run(within, rules)", [within, RULES])["violations"]
        return [(one["id"], node["target"], node["failureSummary"]) for one in found for node in one["nodes"]]

    def overflow(self):
        """By how many pixels the page is wider than its window."""
        return self.page.evaluate("document.scrollingElement.scrollWidth - innerWidth")


@pytest.fixture
def tab(context, site):  # noqa: F811
    """`tab("ja")`: Alice's, in a browser with that language and whatever else; `tab("ja", None)`: before her login."""

    def open_one(language="en", name="alice", **wishes):
        page = context(locale=LOCALES[language], timezone_id="Asia/Tokyo", **wishes).new_page()
        return Tab(page, site).log_in(name) if name else Tab(page, site)

    return open_one


def states(tab):
    """The page in one state after the other; yields their names."""
    page = tab.page
    yield "a new chat"
    tab.is_("skip").focus()
    yield "the skip link"
    tab.text.focus()
    tab.is_("picker").click()
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
    page.locator(".approval").first.locator("[data-answer=no]").click()
    expect(page.locator(".approvals__left")).not_to_be_empty()
    yield "one of two answers"
    tab.ask("flaky", "Break off, please")
    yield "a failed answer"
    tab.ask("demo", "デモを見せてください。")
    expect(page.locator(".diagram__picture img")).to_be_attached(timeout=20_000)
    expect(page.locator(".katex").first).to_be_attached()
    yield "a rich answer"
    tab.press("up")
    expect(tab.is_("rating")).to_be_visible()
    yield "a rating"
    page.keyboard.press("Escape")
    tab.press("about")
    expect(tab.is_("about-popover").locator("dd").first).to_be_visible()
    yield "about an answer"
    page.keyboard.press("Escape")
    tab.press("edit")
    expect(page.locator(".editor")).to_be_visible()
    yield "an edited message"
    page.keyboard.press("Escape")
    for entry in ("rename", "share"):
        tab.is_("bar-options").click()
        yield "the menu of a conversation"
        tab.choose(entry)
        expect(tab.is_(f"{entry}-dialog")).to_be_visible()
        yield f"the dialog to {entry}"
        page.keyboard.press("Escape")
    for entry in ("settings", "help"):
        open_list(tab)
        tab.is_("account").click()
        yield "the account's menu"
        tab.choose(entry)
        expect(tab.is_(f"{entry}-dialog")).to_be_visible()
        yield f"the dialog: {entry}"
        page.keyboard.press("Escape")
    open_list(tab)
    yield "the list"
    tab.is_("search").fill("デモ")
    expect(page.locator(".conversation mark").first).to_be_visible()
    yield "what was searched for"


def open_list(tab):
    opens = tab.is_("drawer-open")
    if opens.is_visible() and opens.get_attribute("aria-expanded") == "false":
        opens.click()
        expect(tab.is_("search")).to_be_in_viewport()


@pytest.mark.parametrize(("language", "scheme"), LOOKS)
def test_axe_finds_nothing(tab, language, scheme, subtests):
    one = tab(language, color_scheme=scheme, reduced_motion="reduce")
    for state in states(one):
        with subtests.test(state):
            assert one.problems() == []


@pytest.mark.parametrize(("language", "scheme"), LOOKS)
def test_axe_finds_nothing_before_the_login(tab, language, scheme):
    nobody = tab(language, None, color_scheme=scheme)
    nobody.page.goto(nobody.site + "/")
    nobody.page.locator("[name=username]").fill("alice")
    nobody.page.locator("[name=password]").fill("wrong")
    nobody.page.locator("[type=submit]").click()
    expect(nobody.page.get_by_role("alert")).to_be_visible()
    assert nobody.problems() == []


def answer_with(page):
    return lambda route: route.fulfill(body=page, content_type="text/html")


@pytest.mark.parametrize(("language", "scheme"), LOOKS)
def test_axe_finds_nothing_where_something_is_wrong(tab, language, scheme, subtests):
    nobody = tab(language, None, color_scheme=scheme)
    for name in ("403.html", "403_csrf.html", "404.html", "500.html"):
        with override(language):
            page = render_to_string(name)  # a server with DEBUG on shows Django's own
        nobody.page.route("**/wrong", answer_with(page))
        nobody.page.goto(nobody.site + "/wrong")
        expect(nobody.page.get_by_role("heading")).to_be_visible()
        with subtests.test(name):
            assert nobody.problems() == []
            assert bool(JAPANESE.search(nobody.page.inner_text("body"))) == (language == "ja")


@pytest.mark.parametrize(("language", "scheme"), LOOKS)
def test_axe_finds_nothing_in_what_is_only_read(tab, language, scheme, subtests):
    one = tab(language, color_scheme=scheme)
    one.ask("demo", "デモを見せてください。")
    path = one.page.url.removeprefix(one.site)
    one.page.goto(f"{one.site}{path}print/")
    expect(one.page.locator("article table")).to_be_visible()
    with subtests.test("a printed conversation"):
        assert one.problems() == []
    staff = tab(language, "bob", color_scheme=scheme)
    staff.page.goto(f"{one.site}/admin/chat/conversation/{path.split('/')[2]}/change/")
    expect(staff.page.locator(".transcript")).to_be_visible()
    staff.page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    with subtests.test("a transcript"):
        assert staff.problems("#content-main") == []  # the rest is Django's own


# Narrow, enlarged -----------------------------------------------------------------------------------------------------


SMALL = {
    "320 pixels": {"viewport": {"width": 320, "height": 640}},
    "200 % zoom": {"viewport": {"width": 640, "height": 400}, "device_scale_factor": 2},
}


@pytest.mark.parametrize("window", SMALL)
@pytest.mark.parametrize("language", LOCALES)
def test_a_small_window_scrolls_in_one_direction_only(tab, language, window, subtests):
    one = tab(language, **SMALL[window])
    for state in states(one):
        with subtests.test(state):
            assert one.overflow() <= 0
            box = one.text.bounding_box()
            assert box["width"] > 100


def test_a_low_window_scrolls_to_the_end_of_a_new_chat(tab):
    one = tab("en", viewport={"width": 320, "height": 256})  # as 1280 x 1024 at 400 %
    one.page.mouse.move(160, 200)
    one.page.mouse.wheel(0, 1000)
    expect(one.is_("temporary-wish")).to_be_in_viewport(ratio=1)
    one.page.mouse.wheel(0, -1000)
    expect(one.is_("picker")).to_be_in_viewport(ratio=1)


PHONE = {"viewport": {"width": 390, "height": 780}, "is_mobile": True, "has_touch": True}


def test_a_keyboard_that_makes_the_window_smaller_leaves_the_field_in_sight(tab):
    one = tab("en", **PHONE)
    assert "interactive-widget=resizes-content" in one.page.locator("[name=viewport]").get_attribute("content")
    one.ask("echo", "Hello\n\n" * 20)
    one.page.set_viewport_size({"width": 390, "height": 430})
    one.text.fill("One line\n" * 20)
    for place in (one.text, one.is_("send"), one.is_("picker")):
        expect(place).to_be_in_viewport(ratio=1)


def test_a_keyboard_that_lies_over_the_page_leaves_the_field_in_sight(tab):
    """As on iOS; what it tells is told here by a stand-in, for Chromium has no such keyboard."""
    one = tab("en", **PHONE)
    one.page.add_init_script(
        """Object.defineProperty(window, "visualViewport", {
            value: Object.assign(new EventTarget(), { scale: 1, height: innerHeight })
        })"""
    )
    one.ask("echo", "Hello")
    for height in (430, 780):
        one.page.evaluate(
            "height => { visualViewport.height = height; visualViewport.dispatchEvent(new Event('resize')) }", height
        )
        box = one.is_("composer").bounding_box()
        assert height - 30 < box["y"] + box["height"] <= height
        expect(one.is_("picker")).to_be_in_viewport(ratio=1)


@pytest.mark.parametrize("language", LOCALES)
def test_what_is_shared_fits_into_a_small_window(tab, language):
    one = tab(language, **SMALL["320 pixels"])
    one.ask("echo", "Hello")
    one.is_("bar-options").click()
    one.choose("share")
    one.is_("share-dialog").locator(".button--primary").click()
    one.page.goto(one.is_("share-dialog").locator("input").first.input_value())
    expect(one.page.locator(".said")).to_have_count(2)
    assert one.overflow() <= 0
    name = one.page.locator(".brand span")
    assert name.bounding_box()["height"] < 1.5 * one.page.locator(".brand img").bounding_box()["height"]


def test_text_may_be_spaced_as_a_reader_needs_it(tab, subtests):
    """WCAG 1.4.12: nothing is cut off or covered with these distances."""
    one = tab("en")
    one.ask("demo", "Show me.")
    one.page.evaluate(
        """() => {
            const sheet = new CSSStyleSheet()
            sheet.replaceSync(`
                * { line-height: 1.5 !important; letter-spacing: 0.12em !important; word-spacing: 0.16em !important }
                p { margin-bottom: 2em !important }
            `)
            document.adoptedStyleSheets.push(sheet)
        }"""
    )
    assert one.overflow() <= 0
    for button in one.page.locator("button:visible").all():
        assert button.evaluate("one => one.scrollWidth - one.clientWidth") <= 1, button


# The device's wishes --------------------------------------------------------------------------------------------------


def test_little_moves_for_who_wants_that(tab):
    one = tab("en", reduced_motion="reduce")
    one.page.locator("[data-is=picker]").click()
    one.page.locator("#assistants label:has([value=slow])").click()
    one.text.fill("Count")
    one.text.press("Enter")
    expect(one.replies.last).to_contain_text("10")
    moving = one.page.evaluate(
        """() => document.getAnimations().flatMap(({ effect }) => effect.getKeyframes())
            .filter(frame => frame.transform || frame.translate || frame.rotate || frame.scale).length"""
    )
    assert moving == 0


def test_more_contrast_is_given_to_who_wants_it(tab):
    def line_of(**wishes):
        one = tab("en", **wishes)
        return one.page.locator(".sidebar__new").evaluate("one => getComputedStyle(one).borderColor")

    assert line_of(contrast="more") != line_of()


def test_what_is_chosen_is_seen_without_our_colours(tab):
    one = tab("en", forced_colors="active")
    one.ask("echo", "Hello")
    row = one.page.locator(".conversation__link[aria-current]")
    other = one.page.locator(".sidebar__new")
    ground = "one => getComputedStyle(one).backgroundColor"
    assert row.evaluate(ground) != other.evaluate(ground)
    one.is_("account").click()
    one.choose("settings")
    chosen, not_chosen = (
        one.page.locator(".segment:has(:checked)").first,
        one.page.locator(".segment:not(:has(:checked))"),
    )
    assert chosen.evaluate(ground) != not_chosen.first.evaluate(ground)


# By keyboard ----------------------------------------------------------------------------------------------------------


class Hands:
    """Somebody who has only the keyboard."""

    def __init__(self, page):
        self.page, self.keyboard = page, page.keyboard
        self.focused = page.locator(":focus")

    def press(self, *keys):
        for key in keys:
            self.keyboard.press(key)

    def go_to(self, target, key="Tab", most=1000):
        """Press the key until the focus is there; it is somewhere at each step, and seen."""
        for _ in range(most):
            if target.evaluate("one => one === document.activeElement"):
                return self
            self.keyboard.press(key)
            if self.page.evaluate("document.activeElement === document.body"):
                self.keyboard.press(key)  # behind the page's end is the browser's own place
            self.sees_where_it_is()
        raise AssertionError(f"{target} is not reached")

    def sees_where_it_is(self):
        seen = self.page.evaluate(
            """() => {
                const one = document.activeElement
                if (!one || one === document.body) return "nowhere"
                if (!one.matches(":focus-visible")) return `not seen: ${one.outerHTML.slice(0, 200)}`
                if (one.matches("input:not([type=radio], [type=checkbox]), textarea, iframe")) return ""
                for (let near = one; near && near !== document.body; near = near.parentElement) {
                    const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(near)
                    if (outlineStyle !== "none" && parseFloat(outlineWidth) > 0) return ""
                    if (near !== one && boxShadow !== "none") return ""
                }
                return `no outline: ${one.outerHTML.slice(0, 200)}`
            }"""
        )
        assert seen == ""

    def type(self, text):
        self.keyboard.type(text)


def test_all_of_it_goes_by_keyboard(tab):
    one = tab("en", None)
    page, hands = one.page, Hands(one.page)
    page.goto(one.site + "/")
    expect(page.locator("[name=username]")).to_be_focused()
    hands.type("alice")
    hands.press("Tab")
    hands.type(PASSWORD)
    hands.press("Enter")
    page.wait_for_url(one.site + "/")

    # A new chat, with an assistant that is picked
    expect(one.text).to_be_focused()
    hands.go_to(one.is_("picker"), "Shift+Tab")
    hands.press("Enter")
    hands.go_to(page.locator("#assistants [value=slow]"), "ArrowDown")
    hands.press("Escape")
    expect(one.is_("picker")).to_contain_text("Slow")
    hands.go_to(one.text)
    hands.type("Count, please")
    hands.press("Enter")

    # Stop it while it is written, without leaving the field
    expect(one.replies.last).to_contain_text("5")
    hands.go_to(one.is_("stop"))
    hands.press("Enter")
    expect(one.replies.last).to_have_attribute("aria-busy", "false")
    expect(one.replies.last).to_contain_text("You stopped this answer.")
    expect(one.text).to_be_focused()

    # Another answer, and back to the first
    again = page.locator("[data-act=regenerate]").last
    hands.go_to(again, "Shift+Tab")
    hands.press("Enter")
    expect(one.replies.last).to_have_attribute("aria-busy", "true")
    expect(one.replies.last).to_have_attribute("aria-busy", "false", timeout=20_000)
    before = one.replies.last.get_by_role("button", name="Version before")
    hands.go_to(before, "Shift+Tab")
    hands.press("Enter")
    expect(one.replies.last).to_contain_text("You stopped this answer.")
    expect(one.replies.last.get_by_role("button", name="Version after")).to_be_visible()

    # Its name
    hands.go_to(one.is_("bar-options"), "Shift+Tab")
    hands.press("Enter")
    hands.go_to(page.locator(":popover-open [data-entry=rename]"), "ArrowDown")
    hands.press("Enter")
    expect(page.get_by_role("textbox", name="Title")).to_be_focused()
    hands.press("Control+a")
    hands.type("By keyboard")
    hands.press("Enter")
    expect(page.locator(".bar__title")).to_have_text("By keyboard")
    expect(one.is_("bar-options")).to_be_focused()

    # Gone, and back
    hands.press("Enter")
    hands.go_to(page.locator(":popover-open [data-entry=delete]"), "ArrowDown")
    hands.press("Enter")
    expect(one.is_("toast")).to_contain_text("is deleted")
    assert page.evaluate("document.activeElement !== document.body")
    hands.go_to(one.is_("toast").get_by_role("button", name="Undo"))
    hands.press("Enter")
    expect(page.locator(".conversation").get_by_text("By keyboard")).to_be_visible()

    # Settings
    hands.go_to(one.is_("account"))
    hands.press("Enter")
    hands.go_to(page.locator(":popover-open [data-entry=settings]"), "ArrowDown")
    hands.press("Enter")
    hands.go_to(page.locator("[name=theme]").first)
    with page.expect_response(lambda answer: answer.request.method == "PATCH"):
        hands.press("ArrowRight", "ArrowRight")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    with page.expect_response(lambda answer: answer.request.method == "PATCH"):
        hands.press("ArrowRight")
    hands.press("Escape")
    expect(one.is_("account")).to_be_focused()


def test_the_first_key_leads_past_the_list(tab):
    one = tab("ja", is_mobile=True, has_touch=True)  # there the field does not take the focus by itself
    one.page.keyboard.press("Tab")
    expect(one.is_("skip")).to_be_focused()
    expect(one.is_("skip")).to_have_css("clip-path", "none")
    one.page.keyboard.press("Enter")
    expect(one.text).to_be_focused()
    assert one.page.url == one.site + "/"


def test_a_dialog_keeps_the_keyboard_and_gives_it_back(tab, subtests):
    one = tab("en")
    hands = Hands(one.page)
    one.ask("echo", "Hello")
    for entry in ("rename", "share"):
        with subtests.test(entry):
            one.is_("bar-options").focus()
            hands.press("Enter")
            hands.go_to(one.page.locator(f":popover-open [data-entry={entry}]"), "ArrowDown")
            hands.press("Enter")
            dialog = one.is_(f"{entry}-dialog")
            expect(dialog).to_be_visible()
            for _ in range(12):
                hands.press("Tab")
                inside = dialog.evaluate(
                    "one => one.contains(document.activeElement) || document.activeElement === document.body"
                )
                assert inside  # the browser's own buttons count as body
            hands.press("Escape")
            expect(dialog).to_be_hidden()
            expect(one.is_("bar-options")).to_be_focused()


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
def test_an_answer_is_heard_in_sentences(tab, language, text, spoken):
    one = tab(language)
    one.ask("echo", text)
    lines = one.is_("live").locator("p")
    end = {"en": "The answer is complete.", "ja": "返答が完了しました。"}[language]
    expect(lines.last).to_have_text(end)
    heard = lines.all_text_contents()
    assert heard[0] == {"en": "The assistant is answering.", "ja": "アシスタントが返答しています。"}[language]
    assert "".join(heard[1:-1]).startswith(spoken)
    assert all("*" not in line and "](" not in line for line in heard)


def test_a_sentence_is_heard_once_and_none_before_its_end(tab):
    one = tab("en")
    one.page.add_init_script("""document.addEventListener("DOMContentLoaded", () => {
        window.heard = []
        new MutationObserver((changes) => {
            for (const { addedNodes } of changes) for (const node of addedNodes) heard.push(node.textContent)
        }).observe(document.querySelector("[data-is=live]"), { childList: true })
    })""")
    words = [f"Sentence number {number} has its end here." for number in range(1, 60)]
    one.ask("echo", " ".join(words))
    expect(one.is_("live").locator("p").last).to_have_text("The answer is complete.")
    heard = one.page.evaluate("heard")
    assert heard[0] == "The assistant is answering."
    assert all(line.strip().endswith(".") for line in heard)
    assert " ".join(" ".join(heard[1:-1]).split()) == " ".join(words)


def test_code_and_tables_are_heard_as_what_they_are(tab):
    one = tab("en")
    one.ask("echo", "Look:\n\n```python\nprint(1)\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n- [x] tea\n- milk\n\nDone")
    expect(one.is_("live").locator("p").last).to_have_text("The answer is complete.")
    heard = one.is_("live").locator("p").all_text_contents()
    assert heard[1:-1] == ["Look:", "Code: python", "a, b", "1, 2", "Done: tea", "milk", "Done"]


def test_an_answer_that_was_there_before_is_not_read_again(tab):
    one = tab("en")
    one.page.locator("[data-is=picker]").click()
    one.page.locator("#assistants label:has([value=slow])").click()
    one.text.fill("Count")
    one.text.press("Enter")
    expect(one.replies.last).to_contain_text("31")
    one.page.reload()
    expect(one.replies.last).to_have_attribute("aria-busy", "false", timeout=20_000)
    expect(one.is_("live").locator("p").last).to_have_text("The answer is complete.")
    heard = " ".join(one.is_("live").locator("p").all_text_contents())
    assert "100" in heard
    assert " 5 " not in heard


def test_each_news_is_heard_also_the_same_again(tab):
    one = tab("en")
    one.page.context.grant_permissions(["clipboard-write"])
    one.ask("echo", "Hello")
    for count in (1, 2):
        one.press("copy")
        expect(one.is_("live").get_by_text("Copied", exact=True)).to_have_count(count)


# In Japanese ----------------------------------------------------------------------------------------------------------


def test_the_whole_page_speaks_japanese(tab, subtests):
    """No English is left in what is shown, but for names, what was said, and keys."""
    one = tab("ja")
    own = re.compile(r"[A-Za-z]{3,}")
    for state in states(one):
        if state in SPOKEN:
            continue
        with subtests.test(state):
            shown = one.page.evaluate(SHOWN)
            assert sorted({word for text in shown for word in own.findall(text)} - NAMES) == []


SPOKEN = {  # what holds the words of the test's assistants
    "steps",
    "a question for permission",
    "one of two answers",
    "a failed answer",
    "the list",
    "what was searched for",
}
SHOWN = """() => {
    const texts = []
    const skipped = "script, template, noscript, .conversations, .message__parts, .message__author, #assistants, " +
        "kbd, [data-is=live], .account__name, .picker__name, .about, .shared-link__address, .shortcut dd"
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
    while (walker.nextNode()) {
        const { parentElement: place, data } = walker.currentNode
        if (!place.closest(skipped) && place.checkVisibility()) texts.push(data)
    }
    for (const one of document.querySelectorAll("[aria-label], [title], [placeholder]")) {
        if (one.closest(skipped) || !one.checkVisibility()) continue
        texts.push(one.ariaLabel ?? "", one.title, one.placeholder ?? "")
    }
    return texts
}"""
NAMES = {
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
def test_times_are_the_persons_own(tab, language):
    """Tokyo's, however the server's clock stands."""
    one = tab(language)
    one.ask("echo", "Now")
    shown = one.page.locator(".message--reply time").last
    stamp = shown.get_attribute("datetime")
    how = "{ timeStyle: 'short', timeZone: 'Asia/Tokyo' }"
    expected = one.page.evaluate(
        f"([stamp, locale]) => new Date(stamp).toLocaleTimeString(locale, {how})", [stamp, LOCALES[language]]
    )
    expect(shown).to_have_text(expected)


def test_a_chosen_language_is_spoken_at_once_and_elsewhere(tab, context, site):  # noqa: F811
    one = tab("en", "charlie")
    one.is_("account").click()
    one.choose("settings")
    expect(one.page.locator("[name=instructions]")).to_be_editable()
    one.page.locator("[name=language]").select_option("ja")
    expect(one.page.locator("html")).to_have_attribute("lang", "ja")
    expect(one.text).to_have_attribute("placeholder", JAPANESE)
    other = tab("en", "charlie")
    expect(other.page.locator("html")).to_have_attribute("lang", "ja")
    one.page.keyboard.press("Escape")
    one.is_("account").click()
    one.choose("settings")
    expect(one.page.locator("[name=instructions]")).to_be_editable()
    one.page.locator("[name=language]").select_option("")
    expect(one.page.locator("html")).to_have_attribute("lang", "en")
