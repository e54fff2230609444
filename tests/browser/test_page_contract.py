"""The elements and attributes that userscripts and other people's tests rely on: CHANGELOG.md lists them."""

import pytest
from playwright.sync_api import expect

from tests.browser.chat import COUNT_TO_FIFTY

pytestmark = pytest.mark.browser


def message(chat, id):
    return chat.page.locator(f"article[data-message-id='{id}']")


def test_message_is_an_article_with_its_id_role_and_text(chat):
    accepted = chat.choose("echo").send("Good **morning**")
    chat.wait_for_end()
    question, reply = message(chat, accepted["message_id"]), message(chat, accepted["reply_id"])
    expect(question).to_have_attribute("data-role", "user")
    expect(question.locator("[data-part='text']")).to_have_text("Good **morning**")
    expect(reply).to_have_attribute("data-role", "assistant")
    expect(reply.locator("[data-part='text']")).to_contain_text("Good morning")
    expect(chat.page.locator("article")).to_have_count(2)
    chat.page.reload()
    expect(reply.locator("[data-part='text']")).to_contain_text("Good morning")
    expect(question.locator("[data-part='text']")).to_have_text("Good **morning**")


def test_steps_are_outside_the_text(chat):
    accepted = chat.choose("tools").send("Use them")
    chat.wait_for_end()
    reply = message(chat, accepted["reply_id"])
    assert reply.locator("details").count() > 0
    assert reply.locator("[data-part='text']").count() > 0
    assert reply.locator("[data-part='text'] details, details [data-part='text']").count() == 0


def test_composer_field_is_named_text_and_the_stop_button_stop(chat):
    composer = chat.page.locator("textarea[name=text]")
    expect(composer).to_have_count(1)
    stop = chat.page.get_by_role("button", name="Stop", exact=True)
    expect(stop).to_be_hidden()
    chat.choose("slow")
    composer.fill(COUNT_TO_FIFTY)
    composer.press("Enter")
    stop.click()
    chat.wait_for_end()
    assert chat.stored_messages()[-1]["status"] == "cancelled"
