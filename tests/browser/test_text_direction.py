"""Text that is written from right to left stands on the right, with everything that belongs to it."""

import pytest
from playwright.sync_api import expect

from tests.browser.chat import questions

pytestmark = pytest.mark.browser

ARABIC = """مرحبا بالعالم

- عنصر أول
- English

> اقتباس عربي

| الاسم | القيمة |
|---|---|
| أحمد | 42 |

- one
- عنصر"""
EDGES = """(element) => {
    const range = document.createRange()
    range.selectNodeContents(element)
    const text = range.getBoundingClientRect(), box = element.getBoundingClientRect()
    return { left: text.left - box.left, right: box.right - text.right }
}"""


def is_on_the_right(text):
    edges = text.evaluate(EDGES)
    return edges["right"] < edges["left"]


def test_lists_quotes_and_tables_are_on_the_side_of_their_first_letter(chat):
    chat.choose("echo").send(ARABIC)
    chat.wait_for_end()
    prose = chat.replies.last.locator(".prose")
    arabic, english = prose.locator("ul").all()
    expect(arabic).to_have_css("direction", "rtl")
    expect(english).to_have_css("direction", "ltr")
    for item in arabic.locator("li").all():
        expect(item).to_have_css("direction", "rtl")  # the side of its mark
        assert is_on_the_right(item)
    assert not any(is_on_the_right(item) for item in english.locator("li").all())
    box, column = arabic.locator("li").first.bounding_box(), prose.bounding_box()
    assert box["x"] + box["width"] < column["x"] + column["width"]  # the marks have room in the column
    expect(prose.locator("blockquote")).to_have_css("border-right-width", "3px")
    assert is_on_the_right(prose.locator("blockquote p"))
    name, value = prose.locator("th").all()
    assert name.bounding_box()["x"] > value.bounding_box()["x"]
    assert all(is_on_the_right(cell) for cell in prose.locator("th, td").all())


def test_each_line_that_a_user_typed_has_its_own_side(chat):
    chat.choose("echo").send("A line that is long enough to make the others short\nمرحبا")
    text = questions(chat).locator("[data-part=text]")
    expect(text).to_contain_text("مرحبا")
    lines = text.evaluate(
        """(element) => {
            const range = document.createRange()
            range.selectNodeContents(element)
            return [...range.getClientRects()].filter(({ width }) => width).map(({ left, right }) => ({ left, right }))
        }"""
    )
    assert lines[-1]["right"] == pytest.approx(lines[0]["right"], abs=2)
    assert lines[-1]["left"] > lines[0]["left"]
