"""A conversation of a thousand messages: its end is there at once, the rest for those who scroll up."""

import json
import re

import pytest
from playwright.sync_api import expect

from tests.browser.chat import questions

pytestmark = pytest.mark.browser

MANY = 1_000
FEW = 40  # messages on the page at first
SOME = 160  # at most, for who is at the end again

TAKE_IN = """async (text) => {
    const form = new FormData()
    form.append("file", new Blob([text]), "conversations.json")
    const token = document.cookie.match(/csrftoken=([^;]*)/)[1]
    const taken = await fetch("/api/import", { method: "POST", body: form, headers: { "X-CSRFToken": token } })
    const { items } = await (await fetch("/api/conversations?q=thousand")).json()
    return [taken.status, items[0].id]
}"""
NUMBERS = """() => [...document.querySelectorAll(".thread > *")]
    .map((element) => Number(element.textContent.match(/number (\\d+)\\./)[1]))"""
FIRST = "() => document.querySelector('.thread').firstElementChild.textContent.match(/number (\\d+)\\./)[1]"
# To the upper end, until there is more above; what stood there stays where it was. Gives how far it moved, in pixels.
UP = """async () => {
    const scroller = document.querySelector("[data-ref=scroller]")
    const first = document.querySelector(".thread").firstElementChild
    scroller.scrollTop = 0
    const top = first.getBoundingClientRect().top
    while (first === document.querySelector(".thread").firstElementChild) await new Promise(requestAnimationFrame)
    await new Promise(requestAnimationFrame)
    return Math.abs(first.getBoundingClientRect().top - top)
}"""


def export():
    messages = [
        {
            "id": f"m{number}",
            "parent_id": f"m{number - 1}" if number else None,
            "role": "assistant" if number % 2 else "user",
            "parts": [{"type": "text", "text": f"This is number {number}.\n\n- with\n- a list"}],
            "created_at": f"2025-01-01T{number // 60:02}:{number % 60:02}:00+00:00",
        }
        for number in range(MANY)
    ]
    row = {"id": "thousand", "title": "A thousand", "messages": messages}
    row |= dict.fromkeys(["created_at", "updated_at"], "2025-01-02T00:00:00+00:00")
    return json.dumps({"format": "chat-export", "version": 1, "conversations": [row]})


@pytest.fixture
def long_chat(chat):
    status, id = chat.page.evaluate(TAKE_IN, export())
    assert status == 201
    chat.open(f"/c/{id}/")
    expect(chat.replies.last).to_contain_text(f"number {MANY - 1}.")
    return chat


def test_end_is_shown_first_and_the_rest_on_scrolling_up(long_chat):
    page = long_chat.page
    assert len(page.evaluate(NUMBERS)) <= FEW
    for _ in range(MANY):
        assert page.evaluate(UP) <= 2
        if page.evaluate(FIRST) == "0":
            break
    assert page.evaluate(NUMBERS) == list(range(MANY))
    expect(page.locator("[data-ref=beginning]")).to_be_hidden()


def test_return_to_the_end_shrinks_the_page_again(long_chat):
    page = long_chat.page
    while len(page.evaluate(NUMBERS)) <= SOME:
        page.evaluate(UP)
    page.get_by_role("button", name="Go to the latest message").click()
    expect(page.locator(".thread > *").first).not_to_contain_text(re.compile("number [0-7]..\\."))
    numbers = page.evaluate(NUMBERS)
    assert len(numbers) <= SOME and numbers == list(range(numbers[0], MANY))
    expect(long_chat.replies.last).to_be_in_viewport()
    page.evaluate(UP)
    assert int(page.evaluate(FIRST)) < numbers[0]


def test_conversation_that_outgrows_its_model_has_one_notice_and_a_line_where_the_model_begins(chat):
    page = chat.page
    boundary, notice = page.locator(".message__boundary:visible"), page.locator(".message__trimmed:visible")
    chat.choose("small")
    for number in range(4):
        chat.send(f"{number} {'word ' * 100}")
        expect(chat.replies).to_have_count(number + 1)
        chat.wait_for_end()
        expect(boundary).to_have_count(0 if number == 0 else 1)
        expect(notice).to_have_count(0 if number == 0 else 1)
        if number == 1:
            page.reload()
    expect(notice).to_contain_text("This chat has become long, and the model no longer sees its oldest messages.")
    expect(chat.replies.nth(1).locator(".message__trimmed")).to_be_visible()  # where it happened
    expect(boundary).to_have_text("The model no longer sees the messages above.")
    expect(questions(chat).last.locator(".message__boundary")).to_be_visible()


def test_print_has_the_whole_conversation(long_chat):
    page = long_chat.page
    page.context.add_init_script("window.print = () => {}")
    page.emulate_media(media="print")
    expect(page.get_by_text("This is only the end of the chat.")).to_be_visible()
    with page.expect_popup() as popup:
        long_chat.text.press("Control+p")
    paper = popup.value
    expect(paper).to_have_url(f"{page.url}print/")
    expect(paper.locator(".transcript-message")).to_have_count(MANY)


def test_print_of_a_short_conversation_is_the_browser_s(chat):
    chat.choose("echo").send("Hello")
    chat.wait_for_end()
    chat.page.evaluate("addEventListener('keydown', (event) => { window.wasPrevented = event.defaultPrevented })")
    chat.text.press("Control+p")
    assert chat.page.evaluate("wasPrevented") is False
    assert len(chat.page.context.pages) == 1
    chat.page.emulate_media(media="print")
    expect(chat.page.get_by_text("This is only the end of the chat.")).to_be_hidden()
