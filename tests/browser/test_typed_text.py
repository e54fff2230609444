"""How the text that a user typed reads: code, lists and quotes are drawn, long texts are folded."""

import pytest
from playwright.sync_api import expect

from tests.browser.chat import bubbles, id_of, questions

pytestmark = pytest.mark.browser

TYPED = """Fix *this*, please:

```python
print(1)  # &amp;
```

1. first `code`
2. second
   and more

> a quote
# not a heading"""
LONG = "\n".join(f"line {number}" for number in range(60))


def test_typed_code_lists_and_quotes_are_drawn(chat):
    chat.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    chat.choose("echo").send(TYPED)
    chat.wait_for_end()
    for reloaded in (False, True):
        if reloaded:
            chat.page.reload()
        text = questions(chat).locator("[data-part=text]")
        expect(text.locator("pre")).to_have_text("print(1)  # &amp;")
        expect(text.locator(".hljs-comment")).to_be_visible()
        expect(text.locator("ol > li")).to_have_text(["first code", "second\nand more"])
        expect(text.locator("blockquote")).to_have_text("a quote")
        expect(text.locator("h1, em")).to_have_count(0)
        expect(text.locator("p").first).to_have_text("Fix *this*, please:")
    questions(chat).get_by_role("button", name="Copy", exact=True).last.click()
    expect(questions(chat).locator("[data-copy=question]")).to_have_text("Copied")
    assert chat.page.evaluate("navigator.clipboard.readText()") == TYPED
    text.get_by_role("button", name="Copy").click()
    expect(text.locator("[data-copy=copy-code]")).to_have_text("Copied")
    assert chat.page.evaluate("navigator.clipboard.readText()") == "print(1)  # &amp;\n"


def test_typed_long_text_is_folded(chat):
    chat.choose("halves").send(f"{LONG}\n[the end](https://example.com/)")
    chat.wait_for_end()
    question, bubble = questions(chat).first, bubbles(chat).first
    button = question.get_by_role("button", name="Show more")
    expect(button).to_have_attribute("aria-expanded", "false")
    assert bubble.bounding_box()["height"] < 400
    button.focus()
    chat.page.keyboard.press("Enter")
    less = question.get_by_role("button", name="Show less")
    expect(less).to_have_attribute("aria-expanded", "true")
    assert bubble.bounding_box()["height"] > 1_000
    chat.page.keyboard.press("Enter")
    expect(button).to_be_in_viewport()

    # What is folded is reached by the keyboard, by the browser's search and by a search result.
    question.get_by_role("link", name="the end").focus()
    expect(less).to_be_visible()
    expect(question.get_by_role("link", name="the end")).to_be_in_viewport()
    less.click()
    bubble.evaluate("(box) => { box.scrollTop = 300 }")
    expect(less).to_be_visible()
    less.click()
    path, message = f"/c/{id_of(chat)}/", question.get_attribute("data-message-id")
    chat.page.get_by_label("Search chats").fill("line 55")
    chat.page.locator(f"a[href='{path}#m-{message}']").first.click()
    expect(less).to_be_visible()

    # It stays unfolded while the page lives, also after another conversation.
    chat.page.get_by_role("link", name="New chat").first.click()
    chat.page.go_back()
    expect(less).to_be_visible()
    chat.page.emulate_media(media="print")
    less.dispatch_event("click")
    expect(button).to_be_attached()
    assert bubble.bounding_box()["height"] > 1_000
