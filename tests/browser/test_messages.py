"""What a user does with messages: rate, look at the details, copy, quote."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.chat import Chat, bubbles, questions
from tests.browser.messages import act, edit

pytestmark = pytest.mark.browser


# Rate


def test_rating_takes_a_reason_and_a_comment(tab, open_elsewhere):
    act(tab.replies.last, "Bad answer")
    thumb = tab.replies.last.get_by_role("button", name="Bad answer")
    expect(thumb).to_have_attribute("aria-pressed", "true")
    dialog = tab.page.get_by_role("dialog", name="What was wrong?")
    expect(dialog.get_by_role("radio").first).to_be_focused()
    dialog.get_by_text("Too long").click()
    dialog.get_by_label("Comment").fill("Shorter, please")
    dialog.get_by_role("button", name="Send").click()
    expect(dialog).to_be_hidden()
    expect(thumb).to_be_focused()
    assert tab.stored_messages()[-1]["feedback"] == {
        "rating": "down",
        "reason": "too-long",
        "comment": "Shorter, please",
    }
    tab.page.reload()
    expect(thumb).to_have_attribute("aria-pressed", "true")
    act(tab.replies.last, "Good answer")
    expect(thumb).to_have_attribute("aria-pressed", "false")
    tab.page.keyboard.press("Escape")
    expect(tab.page.get_by_role("dialog")).to_have_count(0)
    other = open_elsewhere(tab)
    expect(other.replies.last.get_by_role("button", name="Good answer")).to_have_attribute("aria-pressed", "true")
    act(tab.replies.last, "Good answer")
    expect(tab.replies.last.get_by_role("button", name="Good answer")).to_have_attribute("aria-pressed", "false")
    expect(tab.page.locator("[data-ref=live] > :last-child")).to_have_text("Rating removed.")
    assert tab.stored_messages()[-1]["feedback"] is None


def test_rating_that_cannot_be_saved_is_not_shown(tab):
    # All calls fail: once one succeeds, the sentence goes.
    tab.page.route(re.compile("/(api|health)"), lambda route: route.abort())
    act(tab.replies.last, "Good answer")
    expect(tab.problem).to_contain_text("cannot be reached")
    expect(tab.replies.last.get_by_role("button", name="Good answer")).to_have_attribute("aria-pressed", "false")


# Know more


def test_usage_of_a_reply_is_shown_on_request(chat):
    chat.choose("openai").send("What can you do?")
    chat.wait_for_end()
    for reloaded in (False, True):
        if reloaded:
            chat.page.reload()
        act(chat.replies.last, "About this answer")
        facts = chat.page.get_by_role("dialog", name="About this answer")
        expect(facts).to_contain_text("openai:scripted")
        expect(facts).to_contain_text(re.compile(r"Duration\s*[\d<]"))
        expect(facts).to_contain_text("tokens")
        chat.page.keyboard.press("Escape")
        expect(facts).to_be_hidden()
        expect(chat.replies.last.get_by_role("button", name="About this answer")).to_be_focused()


def test_times_are_in_the_users_time_zone(new_context, site):
    chat = Chat(new_context(timezone_id="Asia/Tokyo", locale="en-GB").new_page(), site).log_in()
    chat.choose("echo").send("When?")
    chat.wait_for_end()
    for message in (questions(chat).last, chat.replies.last):
        time = message.locator("time")
        [shown, full] = time.evaluate(
            "(element) => [['short', undefined], ['medium', 'full']].map(([timeStyle, dateStyle]) =>"
            " new Date(element.dateTime).toLocaleString('en-GB', { timeStyle, dateStyle, timeZone: 'Asia/Tokyo' }))"
        )
        expect(time).to_have_text(shown)
        expect(time).to_have_attribute("title", full)


# Copy and quote


def test_copy_gives_the_original_text(tab):
    tab.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    tab.send("**bold** and `code`")
    tab.wait_for_end()
    for message in (questions(tab).last, tab.replies.last):
        tab.page.evaluate("navigator.clipboard.writeText('')")
        act(message, "Copy")
        expect(message.get_by_role("button", name="Copied", exact=True)).to_be_visible()
        assert tab.page.evaluate("navigator.clipboard.readText()") == "**bold** and `code`"


def select(locator):
    locator.evaluate("(element) => getSelection().selectAllChildren(element)")


def test_quote_inserts_the_selected_passage(tab):
    quote = tab.page.get_by_role("button", name="Quote", exact=True)
    expect(quote).to_be_hidden()
    select(tab.replies.last.locator(".prose p"))
    quote.click()
    expect(tab.text).to_have_value("> The second\n\n")
    expect(tab.text).to_be_focused()
    expect(quote).to_be_hidden()
    tab.page.keyboard.type("Why?")
    select(bubbles(tab).first)
    tab.page.keyboard.press("Control+Shift+9")
    expect(tab.text).to_have_value("> The second\n\nWhy?\n\n> The first\n\n")
    select(tab.page.locator(".bar__title"))
    expect(quote).to_be_hidden()


# On the page


@pytest.mark.parametrize("width", [320, 1280])
def test_messages_fit_without_horizontal_scrolling(new_context, site, width):
    chat = Chat(new_context(viewport={"width": width, "height": 700}).new_page(), site).log_in()
    chat.choose("echo").send("x" * 200)
    chat.wait_for_end()
    edit(chat, questions(chat).last, "y" * 200)
    chat.wait_for_end()
    act(questions(chat).last, "Edit")
    for press in ("Bad answer", "About this answer"):
        act(chat.replies.last, press)
        box = chat.page.locator(":popover-open").bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
        assert box["y"] + box["height"] <= 700
        chat.page.keyboard.press("Escape")
    sizes = chat.page.evaluate(
        "[document.documentElement.scrollWidth, document.querySelector('.scroller').scrollWidth]"
    )
    assert max(sizes) <= width


@pytest.mark.parametrize("module", ["messages/views.js", "markdown/streaming.js"])
def test_messages_are_drawn_as_soon_as_what_draws_them_can_be_loaded(chat, module):
    refused = []

    def refuse(route):
        refused.append(route.request.url)
        route.abort()

    chat.page.route(f"**/{module}", refuse)
    chat.choose("echo").submit("Good morning")
    expect(chat.stop_button).to_be_hidden()
    expect(chat.replies.filter(has_text="Good morning")).to_have_count(0)
    notice = chat.page.get_by_role("alert").filter(has_text="The messages cannot be shown.")
    expect(notice).to_be_visible()
    assert len(refused) >= 3
    chat.page.unroute(f"**/{module}")
    expect(chat.replies.last).to_contain_text("Good morning")
    expect(notice).to_be_hidden()
    expect(chat.page.locator("article")).to_have_count(2)
