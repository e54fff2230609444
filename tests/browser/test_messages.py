"""What a user does with messages: edit, ask again, go on, choose between versions, rate, copy, quote."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.chat import SLOW_REPLY, Chat, bubbles, open_gate, questions

pytestmark = pytest.mark.browser


def act(message, name):
    """Press a button of a message, where it is for who points at it."""
    message.hover()
    message.get_by_role("button", name=name, exact=True).click()


def place(message):
    """Which version it shows, such as “2 / 3”."""
    return message.locator(".versions__position")


def editor(chat):
    return chat.page.locator(".editor textarea")


def edit(chat, message, text):
    act(message, "Edit")
    editor(chat).fill(text)
    with chat.page.expect_response(re.compile("/edit$")) as response:
        editor(chat).press("Enter")
    assert response.value.status == 202
    return response.value.json()


@pytest.fixture
def tab(chat):
    """Alice's tab, with a conversation of two questions and their replies."""
    for text in ("The first", "The second"):
        chat.choose("echo").send(text)
        chat.wait_for_end()
    return chat


@pytest.fixture
def elsewhere(new_context):
    """`elsewhere(tab)`: the tab's conversation in another browser of Alice's."""

    def new(tab):
        return Chat(new_context().new_page(), tab.site).log_in(path=tab.page.url.removeprefix(tab.site))

    return new


# Edit and resend


def test_edit_starts_a_branch(tab):
    edit(tab, questions(tab).first, "Another first")
    tab.wait_for_end()
    for reloaded in (False, True):
        if reloaded:
            tab.page.reload()
        expect(bubbles(tab)).to_have_text(["Another first"])
        expect(tab.replies).to_have_count(1)
        assert tab.reply_text() == "Another first"
        expect(place(questions(tab).first)).to_have_text("2 / 2")
    assert len(tab.stored_messages()) == 6
    tab.send("Go on from here")
    tab.wait_for_end()
    expect(bubbles(tab)).to_have_text(["Another first", "Go on from here"])


def test_edit_is_discarded_by_escape(tab):
    act(questions(tab).last, "Edit")
    expect(editor(tab)).to_be_focused()
    expect(editor(tab)).to_have_value("The second")
    editor(tab).fill("Something else")
    editor(tab).press("Escape")
    expect(editor(tab)).to_have_count(0)
    expect(bubbles(tab).last).to_have_text("The second")
    expect(questions(tab).last.get_by_role("button", name="Edit", exact=True)).to_be_focused()
    act(questions(tab).last, "Edit")
    tab.page.get_by_role("button", name="Cancel").click()
    expect(editor(tab)).to_have_count(0)
    assert len(tab.stored_messages()) == 4


def test_edit_that_fails_keeps_its_text_and_is_applied_once(tab):
    keys = []

    def lose_it(route):
        keys.append(route.request.headers["idempotency-key"])
        route.abort()

    tab.page.route("**/edit", lose_it)
    act(questions(tab).last, "Edit")
    editor(tab).fill("Only once")
    editor(tab).press("Enter")
    expect(tab.page.locator(".editor__problem")).to_contain_text("cannot be reached")
    expect(editor(tab)).to_have_value("Only once")
    tab.page.unroute("**/edit")
    with tab.page.expect_request("**/edit") as request:
        tab.page.locator(".editor").get_by_role("button", name="Send").click()
    assert request.value.headers["idempotency-key"] == keys[0]
    expect(bubbles(tab)).to_have_text(["The first", "Only once"])
    expect(tab.text).to_be_focused()
    assert sum(message["text"] == "Only once" and message["role"] == "user" for message in tab.stored_messages()) == 1


def test_edit_is_not_lost_to_another_window(tab, elsewhere):
    other = elsewhere(tab)
    act(questions(tab).last, "Edit")
    editor(tab).fill("Half written")
    edit(other, questions(other).last, "Quicker")
    expect(bubbles(tab).last).to_have_text("Quicker")
    expect(tab.text).to_have_value("Half written")
    expect(tab.text).to_be_focused()


def test_edit_survives_a_reload_and_other_conversations(tab):
    act(questions(tab).first, "Edit")
    editor(tab).fill("Half written\n\nand long")
    tab.page.reload()
    expect(editor(tab)).to_have_value("Half written\n\nand long")
    assert editor(tab).evaluate("(field) => field.clientHeight >= field.scrollHeight")
    expect(editor(tab)).not_to_be_focused()
    tab.page.locator(".sidebar__new").click()
    expect(editor(tab)).to_have_count(0)
    tab.page.go_back()
    expect(editor(tab)).to_have_value("Half written\n\nand long")
    editor(tab).press("Enter")
    expect(bubbles(tab)).to_have_text(["Half written\n\nand long"])
    tab.wait_for_end()
    act(questions(tab).first, "Previous version")
    expect(bubbles(tab)).to_have_text(["The first", "The second"])
    act(questions(tab).last, "Edit")
    editor(tab).fill("Not this")
    editor(tab).press("Escape")
    tab.page.reload()
    expect(bubbles(tab)).to_have_text(["The first", "The second"])
    expect(editor(tab)).to_have_count(0)


def test_edit_is_not_sent_during_composition(tab):
    act(questions(tab).last, "Edit")
    keyboard = tab.page.context.new_cdp_session(tab.page)
    keyboard.send("Input.imeSetComposition", {"text": "にほんご", "selectionStart": 4, "selectionEnd": 4})
    editor(tab).press("Enter")
    editor(tab).press("Escape")  # which ends the composition and nothing else
    expect(editor(tab)).to_be_visible()
    assert len(tab.stored_messages()) == 4


# Ask again, and versions


def test_regenerate_keeps_the_first_reply_and_moves_no_button(tab):
    names = ("Copy", "Good answer", "Bad answer", "Regenerate answer", "About this answer")

    def places():
        tab.replies.last.hover()
        boxes = [tab.replies.last.get_by_role("button", name=name, exact=True).bounding_box() for name in names]
        return [(box["x"], box["y"]) for box in boxes]

    before = places()
    act(tab.replies.last, "Regenerate answer")
    expect(place(tab.replies.last)).to_have_text("2 / 2")
    tab.wait_for_end()
    assert places() == before
    act(tab.replies.last, "Previous version")
    expect(place(tab.replies.last)).to_have_text("1 / 2")
    expect(tab.replies).to_have_count(2)
    tab.send("And then?")
    tab.wait_for_end()
    parents = {message["id"]: message["parent_id"] for message in tab.stored_messages()}
    chain, step = [], tab.stored_messages()[-1]["id"]
    while step:
        chain.append(step)
        step = parents[step]
    assert len(chain) == 6  # it went on from the first answer


def test_regenerate_menu_asks_for_another_assistant_or_another_length(chat):
    chat.choose("echo").send("Hello")
    chat.wait_for_end()
    act(chat.replies.last, "Regenerate differently")
    chat.page.get_by_role("menuitem", name="Shorter").click()
    expect(chat.replies.last.locator(".message__parts")).to_contain_text("Answer it anew. Make it shorter.")
    chat.wait_for_end()
    act(chat.replies.last, "About this answer")
    expect(chat.page.locator(".about")).to_contain_text("Make it shorter.")
    chat.page.keyboard.press("Escape")
    act(chat.replies.last, "Regenerate differently")
    chat.page.keyboard.press("End")
    entry = chat.page.locator("[role=menuitem][data-choice='assistant:long']")
    entry.click()
    expect(chat.replies.last).to_contain_text("As much as there was room for")
    expect(place(chat.replies.last)).to_have_text("3 / 3")


def test_versions_are_switched_with_the_keyboard_and_remembered(tab, elsewhere):
    for text in ("The second, again", "The third"):
        edit(tab, questions(tab).nth(1), text)
        tab.wait_for_end()
    message = questions(tab).nth(1)
    expect(place(message)).to_have_text("3 / 3")
    message.get_by_role("button", name="Previous version").focus()
    for number, text in ((2, "The second, again"), (1, "The second")):
        with tab.page.expect_response(lambda answer: answer.request.method == "PATCH"):
            tab.page.keyboard.press("Enter")
        expect(place(message)).to_have_text(f"{number} / 3")
        expect(bubbles(tab).nth(1)).to_have_text(text)
        expect(message.get_by_role("button", name="Previous version")).to_be_focused()
    tab.page.keyboard.press("Enter")  # there is none before
    expect(place(message)).to_have_text("1 / 3")
    tab.page.reload()
    expect(bubbles(tab)).to_have_text(["The first", "The second"])
    other = elsewhere(tab)
    expect(bubbles(other)).to_have_text(["The first", "The second"])
    act(questions(tab).nth(1), "Next version")
    expect(bubbles(other).last).to_have_text("The second, again")


def test_version_keeps_its_place_on_the_page(chat):
    chat.choose("echo").send("Long\n\n" + "\n\n".join(f"Line {number}" for number in range(40)))
    chat.wait_for_end()
    chat.send("In the middle")
    chat.wait_for_end()
    edit(chat, questions(chat).nth(1), "In the middle, too\n\n" + "\n\n".join(f"Line {number}" for number in range(60)))
    expect(chat.replies.last).to_contain_text("Line 59")
    chat.wait_for_end()
    questions(chat).nth(1).scroll_into_view_if_needed()
    chat.page.locator(".scroller").evaluate("(box) => { box.scrollTop -= 150 }")
    top = questions(chat).nth(1).bounding_box()["y"]
    questions(chat).nth(1).get_by_role("button", name="Previous version").evaluate("(button) => button.click()")
    expect(bubbles(chat).nth(1)).to_have_text("In the middle")
    highest = chat.page.locator(".scroller").evaluate("(box) => box.scrollHeight - box.clientHeight - box.scrollTop")
    assert abs(questions(chat).nth(1).bounding_box()["y"] - top) < 2 or highest < 2


# Go on


def test_continue_joins_a_reply_that_reached_its_limit(chat):
    chat.choose("halves").send("Say it")
    chat.wait_for_end()
    chat.page.get_by_role("button", name="Continue").click()
    expect(chat.replies.last).to_contain_text("This sentence ends here.")
    chat.wait_for_end()
    chat.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    for reloaded in (False, True):
        if reloaded:
            chat.page.reload()
        expect(chat.replies).to_have_count(1)
        expect(chat.replies.last.locator(".message__parts > .prose p")).to_have_text("This sentence ends here.")
        expect(chat.page.get_by_role("button", name="Continue")).to_be_hidden()
        expect(chat.replies.last).not_to_contain_text("length limit")
    act(chat.replies.last, "Copy")
    expect(chat.replies.last.get_by_role("button", name="Copied", exact=True)).to_be_visible()
    assert chat.page.evaluate("navigator.clipboard.readText()") == "This sentence ends here."


def test_continue_resumes_a_stopped_reply(chat):
    chat.choose("slow").send("Count, please")
    expect(chat.replies.last).to_contain_text("1 2 3")
    chat.stop_button.click()
    chat.wait_for_end()
    before = chat.reply_text()
    chat.page.get_by_role("button", name="Continue").click()
    expect(chat.replies.last).to_contain_text("100")
    chat.wait_for_end()
    assert chat.reply_text().endswith(SLOW_REPLY)
    assert chat.reply_text().startswith(before)
    expect(chat.replies.last).not_to_contain_text("You stopped this answer.")


def test_failed_reply_keeps_its_text_beside_the_next(chat):
    chat.choose("flaky").send(f"Please {chat.page.url} versions")
    chat.wait_for_end()
    expect(chat.replies.last).to_contain_text("Half of it")
    chat.page.get_by_role("button", name="Try again").click()
    expect(chat.replies.last).to_contain_text("All of it.")
    chat.wait_for_end()
    act(chat.replies.last, "Previous version")
    expect(chat.replies.last).to_contain_text("Half of it")
    expect(chat.replies.last).to_contain_text("The model is overloaded.")


# Rate


def test_rating_takes_a_reason_and_a_comment(tab, elsewhere):
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
    other = elsewhere(tab)
    expect(other.replies.last.get_by_role("button", name="Good answer")).to_have_attribute("aria-pressed", "true")
    act(tab.replies.last, "Good answer")
    expect(tab.replies.last.get_by_role("button", name="Good answer")).to_have_attribute("aria-pressed", "false")
    expect(tab.page.locator("[data-ref=live] > :last-child")).to_have_text("Rating removed.")
    assert tab.stored_messages()[-1]["feedback"] is None


def test_rating_that_cannot_be_saved_is_not_shown(tab):
    tab.page.route("**/feedback", lambda route: route.abort())
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


# The line: what is asked while an answer is written


def test_queued_message_waits_for_the_reply_before_it(chat, elsewhere):
    chat.choose("waits").send("One, and gate:line-1")
    other = elsewhere(chat)
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


def test_queued_message_can_be_withdrawn(chat, elsewhere):
    chat.choose("waits").send("One, and gate:line-2")
    other = elsewhere(chat)
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
    chat.choose("slow").send("Two")
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
    chat.choose("slow").send("Count, please")
    chat.choose("echo").send("Next")
    chat.stop_button.click()
    expect(chat.replies.last).to_contain_text("Next")
    expect(chat.replies.first).to_contain_text("You stopped this answer.")
    chat.wait_for_end()


def test_stop_works_for_the_next_reply_too(chat):
    chat.choose("slow").send("Count, please")
    chat.send("Once more")
    chat.stop_button.click()
    expect(chat.replies.last).to_contain_text("5")
    chat.stop_button.click()
    expect(chat.replies.get_by_text("You stopped this answer.")).to_have_count(2)
    chat.wait_for_end()


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
    chat.choose("echo").send("Good morning")
    expect(chat.stop_button).to_be_hidden()
    expect(chat.replies.filter(has_text="Good morning")).to_have_count(0)
    notice = chat.page.get_by_role("alert").filter(has_text="The messages cannot be shown.")
    expect(notice).to_be_visible()
    assert len(refused) >= 3
    chat.page.unroute(f"**/{module}")
    expect(chat.replies.last).to_contain_text("Good morning")
    expect(notice).to_be_hidden()
    expect(chat.page.locator("article")).to_have_count(2)
