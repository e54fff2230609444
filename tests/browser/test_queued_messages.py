"""What is asked while an answer is written."""

import pytest
from playwright.sync_api import expect

from tests.browser.chat import COUNT_TO_FIFTY, bubbles, open_gate, questions

pytestmark = pytest.mark.browser


def test_queued_message_waits_for_the_reply_before_it(chat, open_elsewhere):
    chat.choose("waits").send("One, and gate:line-1")
    other = open_elsewhere(chat)
    chat.choose("echo").send("Two")
    expect(questions(chat).last).to_contain_text("Waiting for the previous answer")
    expect(chat.replies).to_have_count(1)
    expect(other.page.locator(".message--waiting")).to_contain_text("Two")
    open_gate(chat, "gate:line-1")
    for tab in (chat, other):
        expect(tab.replies).to_have_count(2)
        expect(tab.replies.last).to_contain_text("Two")
        expect(tab.page.locator(".message--waiting")).to_have_count(0)
    chat.wait_for_end()
    assert [message["role"] for message in chat.stored_messages()] == ["user", "assistant"] * 2


def test_queued_message_can_be_withdrawn(chat, open_elsewhere):
    chat.choose("waits").send("One, and gate:line-2")
    other = open_elsewhere(chat)
    for text in ("Two", "Three"):
        chat.choose("echo").send(text)
    expect(other.page.locator(".message--waiting")).to_have_count(2)
    questions(chat).nth(1).get_by_role("button", name="Unsend").click()
    expect(chat.text).to_have_value("Two")
    expect(chat.text).to_be_focused()
    expect(bubbles(chat)).to_have_text(["One, and gate:line-2", "Three"])
    expect(bubbles(other)).to_have_text(["One, and gate:line-2", "Three"])
    open_gate(chat, "gate:line-2")
    expect(chat.replies.last).to_contain_text("Three")
    chat.wait_for_end()
    assert [message["text"] for message in chat.stored_messages() if message["role"] == "user"] == [
        "One, and gate:line-2",
        "Three",
    ]


def test_withdrawn_message_is_put_before_the_draft(chat):
    chat.choose("waits").send("One, and gate:line-3")
    chat.choose("echo").send("Two")
    chat.text.fill("Unfinished")
    questions(chat).last.get_by_role("button", name="Unsend").click()
    expect(chat.text).to_have_value("Two\n\nUnfinished")
    chat.page.reload()
    expect(chat.text).to_have_value("Two\n\nUnfinished")
    chat.stop_button.click()


def test_started_message_cannot_be_withdrawn(chat):
    chat.choose("waits").send("One, and gate:line-4")
    chat.choose("slow").send("Two gate:never")
    withdraw = questions(chat).last.get_by_role("button", name="Unsend")
    expect(withdraw).to_be_visible()
    chat.page.route("**/api/messages/*", lambda route: (open_gate(chat, "gate:line-4"), begun.append(route))[0])
    begun = []
    withdraw.click()
    expect(chat.replies).to_have_count(2)
    begun[0].continue_()
    expect(chat.problem).to_contain_text("already being answered")
    expect(chat.text).to_have_value("")
    chat.stop_button.click()
    chat.wait_for_end()


def test_stop_ends_the_reply_and_the_next_begins(chat):
    chat.choose("slow").send(COUNT_TO_FIFTY)
    chat.choose("echo").send("Next")
    chat.stop_button.click()
    expect(chat.replies.last).to_contain_text("Next")
    expect(chat.replies.first).to_contain_text("You stopped this answer.")
    chat.wait_for_end()


def test_stop_works_for_the_next_reply_too(chat):
    chat.choose("slow").send(COUNT_TO_FIFTY)
    chat.send("Once more gate:never")
    chat.stop_button.click()
    expect(chat.replies).to_have_count(2)
    expect(chat.replies.last).to_contain_text("5")
    chat.stop_button.click()
    expect(chat.replies.get_by_text("You stopped this answer.")).to_have_count(2)
    chat.wait_for_end()
