"""The page in Japanese, and the change from one language to the other."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.accessibility import JAPANESE, LOCALES, states

pytestmark = pytest.mark.browser


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
    "API",
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
