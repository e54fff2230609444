"""Edit a question, regenerate an answer, choose between the versions, go on."""

import pytest
from playwright.sync_api import expect

from tests.browser.chat import COUNT_TO_FIFTY, SLOW_REPLY, bubbles, questions
from tests.browser.messages import act, edit, editor, place

pytestmark = pytest.mark.browser


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


def test_edit_is_not_lost_to_another_window(tab, open_elsewhere):
    other = open_elsewhere(tab)
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


def test_versions_are_switched_with_the_keyboard_and_remembered(tab, open_elsewhere):
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
    other = open_elsewhere(tab)
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
    chat.choose("slow").send(COUNT_TO_FIFTY)
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
