"""What a screen reader announces, in both languages."""

import pytest
from playwright.sync_api import expect

from tests.browser.chat import HeldRequests, open_gate

pytestmark = pytest.mark.browser


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
    tab.pick("slow")
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
    renderer = HeldRequests(tab.page, "**/markdown/streaming*.js")
    tab.ask("echo", "One\n\nTwo")
    expect(tab.replies.last).to_have_attribute("aria-busy", "false")
    tab.page.wait_for_timeout(1500)  # several ticks of the page, in which it could announce too much
    expect(tab.find("live").locator("p").last).to_have_text("The assistant is answering.")
    renderer.release()
    expect(tab.find("live").locator("p").last).to_have_text("The answer is complete.")
    assert tab.find("live").locator("p").all_text_contents()[1:-1] == ["One", "Two"]


@pytest.mark.parametrize("late", ["**/markdown/streaming*.js", "**/events*"], ids=["renderer", "events"])
def test_earlier_reply_is_not_announced_when_it_is_shown_late(open_tab, late):
    tab = open_tab("en")
    gate = f"gate:announced-late-{'events' in late}"
    start_counting(tab, gate)
    held = HeldRequests(tab.page, late)
    tab.page.reload()
    expect(tab.replies.last).to_have_attribute("aria-busy", "true")
    tab.page.wait_for_timeout(1500)  # several ticks of the page, in which it could take the answer for a new one
    held.release()
    finish_counting(tab, gate)


def test_announcement_is_repeated_when_it_happens_again(open_tab):
    tab = open_tab("en")
    tab.page.context.grant_permissions(["clipboard-write"])
    tab.ask("echo", "Hello")
    for count in (1, 2):
        tab.press("copy")
        expect(tab.find("live").get_by_text("Copied", exact=True)).to_have_count(count)
