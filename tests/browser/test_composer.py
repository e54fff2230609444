"""What a user writes with: drafts, keys, starters, assistants."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.attachments import attach, chips, picture, uploaded
from tests.browser.chat import DEFAULT_PREFERENCES, Chat, HeldRequests, bubbles, id_of

pytestmark = pytest.mark.browser


# Drafts


def test_draft_survives_and_belongs_to_its_conversation(chat):
    chat.choose("echo").send("Hello")
    chat.wait_for_end()
    chat.text.fill("About hello")
    chat.page.locator(".sidebar__new").click()
    expect(chat.text).to_have_value("")
    chat.text.fill("Something new")
    chat.page.reload()
    expect(chat.text).to_have_value("Something new")
    chat.page.go_back()
    expect(chat.text).to_have_value("About hello")
    other = Chat(chat.page.context.new_page(), chat.site).open()
    expect(other.text).to_have_value("Something new")
    other.choose("echo").send("Something newer")
    other.page.locator(".sidebar__new").click()
    expect(other.text).to_have_value("")


def test_draft_keeps_its_attachments(chat):
    chat.choose("seer")
    attach(chat, picture(), {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"Some notes"})
    uploaded(chat)
    expect(chips(chat).last.get_by_role("button", name="notes.txt").first).to_be_enabled()
    chat.text.fill("Look at these")
    chat.page.reload()
    expect(chips(chat)).to_have_count(2)
    uploaded(chat)
    chat.choose("seer").send("Look at these")
    chat.wait_for_end()
    assert chat.reply_text() == "An image, 60 by 40. A text of 52. A text of 13."


def test_draft_keeps_its_assistant(chat):
    picker = chat.page.locator("[data-ref=picker]")
    chat.text.fill("For the seer")
    chat.choose("seer")
    chat.page.reload()
    expect(chat.text).to_have_value("For the seer")
    expect(picker).to_contain_text("Seer")
    chat.send("For the seer")
    chat.wait_for_end()
    chat.page.locator(".sidebar__new").click()
    expect(picker).to_contain_text("Seer")  # the last one


def test_draft_of_another_window_is_not_overwritten(chat):
    chat.choose("echo").send("Hello")
    chat.wait_for_end()
    chat.open()
    other = Chat(chat.page.context.new_page(), chat.site).open()
    expect(other.page.locator(".conversation__link").first).to_be_visible()
    chat.text.fill("Not yet sent")
    chat.page.locator(".conversation__link").first.click()
    expect(bubbles(chat)).to_have_text("Hello")
    other.page.locator(".conversation__link").first.click()
    expect(bubbles(other)).to_have_text("Hello")
    other.page.close()
    chat.page.locator(".sidebar__new").click()
    expect(chat.text).to_have_value("Not yet sent")


def test_draft_is_not_shown_to_the_next_user(chat):
    chat.text.fill("A secret")
    chat.page.locator(".account").click()
    chat.page.get_by_role("menuitem", name="Log out").click()
    chat.page.wait_for_url("**/accounts/login/**")
    kept = chat.page.evaluate("JSON.stringify([Object.entries(localStorage), Object.entries(sessionStorage)])")
    assert "secret" not in kept


# Keys


def test_ctrl_enter_sends_if_chosen_in_settings(chat):
    chat.set_preferences(send_key="ctrl+enter")
    chat.page.reload()
    chat.choose("echo")
    chat.text.press_sequentially("one")
    chat.text.press("Enter")
    chat.text.press_sequentially("two")
    expect(chat.text).to_have_value("one\ntwo")
    chat.text.press("Control+Enter")
    expect(bubbles(chat)).to_have_text("one\ntwo")
    chat.wait_for_end()
    chat.set_preferences(**DEFAULT_PREFERENCES)


def test_enter_on_a_phone_begins_a_new_line_unless_chosen_otherwise(chat, new_context):
    phone = Chat(
        new_context(viewport={"width": 390, "height": 800}, has_touch=True, is_mobile=True).new_page(), chat.site
    )
    phone.log_in().choose("echo")
    phone.text.press_sequentially("one\ntwo\n")
    expect(phone.text).to_have_value("one\ntwo\n")
    expect(phone.text).to_have_attribute("enterkeyhint", "enter")
    phone.set_preferences(send_key="enter-always")
    phone.page.reload()
    expect(phone.text).to_have_attribute("enterkeyhint", "send")
    phone.text.press("Enter")
    expect(bubbles(phone)).to_have_text("one\ntwo")
    phone.wait_for_end()
    phone.set_preferences(**DEFAULT_PREFERENCES)


def test_enter_that_ends_a_composition_does_not_send(chat):
    chat.text.focus()
    keyboard = chat.page.context.new_cdp_session(chat.page)
    for sent in ("Enter", "Control+Enter"):
        keyboard.send("Input.imeSetComposition", {"text": "にほんご", "selectionStart": 4, "selectionEnd": 4})
        chat.text.press(sent)
        expect(chat.text).to_have_value(re.compile("にほんご"))
        keyboard.send("Input.insertText", {"text": "日本語"})
    expect(bubbles(chat)).to_have_count(0)


def test_field_grows_with_its_text_up_to_a_limit(chat):
    low = chat.text.bounding_box()["height"]
    chat.text.fill("line\n" * 5)
    higher = chat.text.bounding_box()["height"]
    chat.text.fill("line\n" * 200)
    assert low < higher < chat.text.bounding_box()["height"] < 720 * 0.5
    chat.text.fill("")
    assert chat.text.bounding_box()["height"] == low


# Starters and assistants


def test_assistant_is_named_together_with_its_starters(chat):
    """If they came later, the composer would move from under the pointer. Until it is known, no assistant is named."""
    chat.choose("echo")
    chat.page.add_init_script(
        """window.drawn = []
        new MutationObserver(() => {
            const name = document.querySelector("[data-ref=assistant-name]")?.textContent
            if (name) drawn.push([name, document.querySelectorAll(".starter").length])
        }).observe(document, { subtree: true, childList: true, characterData: true })"""
    )
    chat.page.reload()
    expect(chat.page.get_by_role("list", name="Suggestions")).to_be_visible()
    assert chat.page.evaluate("drawn[0]") == ["Echo", 2]


def test_starters_of_the_assistant_are_offered(chat):
    starters = chat.page.get_by_role("list", name="Suggestions")
    expect(starters).to_be_hidden()
    chat.choose("echo")
    expect(starters.get_by_role("button")).to_have_text(["Say hello", "Say **goodbye**"])
    chat.text.fill("A draft that stays")
    starters.get_by_role("button").last.click()
    expect(bubbles(chat)).to_have_text("Say **goodbye**")
    expect(starters).to_be_hidden()
    chat.wait_for_end()
    expect(chat.text).to_have_value("A draft that stays")


def test_assistants_show_their_descriptions(chat):
    chat.page.locator("[data-ref=picker]").click()
    expect(chat.page.locator("#assistants")).to_contain_text("Gives the sizes of the images in the question.")
    chat.page.keyboard.press("Escape")
    expect(chat.page.locator("[data-ref=picker]")).to_be_focused()


def test_assistants_are_found_by_typing_and_chosen_by_keyboard(chat):
    picker, choices = chat.page.locator("[data-ref=picker]"), chat.page.locator("#assistants .choice:visible")
    expect(picker.locator("[data-ref=assistant-name]")).not_to_be_empty()
    names = chat.page.locator("#assistants .choice__name").all_text_contents()
    assert names[0] == "Demo" and names[1:] == sorted(names[1:], key=str.lower)
    picker.press("Enter")
    expect(chat.page.locator("#assistants :checked")).to_be_focused()
    chat.page.keyboard.type("needs approv")
    expect(choices).to_have_count(1)
    chat.page.keyboard.press("Enter")
    expect(picker).to_contain_text("Asks")
    expect(chat.text).to_be_focused()


def test_focus_set_before_the_page_is_ready_is_kept(chat):
    script = HeldRequests(chat.page, "**/conversation_view*.js")
    chat.page.reload(wait_until="commit")
    chat.page.locator("[data-ref=picker]").click()
    expect(chat.page.locator("#assistants")).to_be_visible()
    script.release()
    expect(chat.page.locator("#assistants")).to_contain_text("Repeats the question.")
    expect(chat.page.locator("[data-ref=picker]")).to_be_focused()


def test_message_sent_before_the_conversation_is_loaded_goes_to_its_assistant(chat):
    chat.choose("echo").send("Hello")
    chat.wait_for_end()
    id = id_of(chat)
    conversation = HeldRequests(chat.page, f"**/api/conversations/{id}")
    chat.page.reload()
    chat.page.locator("[data-ref=picker]").click()  # the list of assistants is there
    expect(chat.page.locator("#assistants input[value=demo]")).to_be_attached()
    chat.page.keyboard.press("Escape")
    chat.submit("Hello again")
    conversation.release()
    expect(chat.replies).to_have_count(2)
    chat.wait_for_end()
    assert [item["assistant"] for item in chat.stored_messages() if item["role"] == "assistant"] == ["echo", "echo"]


# The stop button


def test_stop_button_stays_beside_the_next_message(chat):
    chat.choose("waits").send("Wait gate:never")
    expect(chat.stop_button).to_be_visible()
    expect(chat.send_button).to_be_hidden()
    chat.text.fill("Next")
    expect(chat.send_button).to_be_visible()
    expect(chat.stop_button).to_be_visible()
    chat.text.fill("")
    expect(chat.send_button).to_be_hidden()
    chat.stop_button.click()
    chat.wait_for_end()
    expect(chat.send_button).to_be_visible()
    expect(chat.text).to_be_focused()
