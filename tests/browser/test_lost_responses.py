"""Messages that the server has, although the responses to their requests were lost."""

import pytest
from playwright.sync_api import expect

from tests.browser.chat import bubbles, open_gate, questions

pytestmark = pytest.mark.browser


def send_without_response(chat, text, *, is_cut_off=False):
    """Send a message whose responses are all lost. If the page is cut off, it cannot read messages either."""
    statuses = []

    def lose(route):
        if route.request.method == "POST":
            if not statuses:
                statuses.append(route.fetch().status)
            return route.abort()
        return route.abort() if is_cut_off else route.continue_()

    chat.page.route("**/messages*", lose)
    chat.text.fill(text)
    chat.text.press("Enter")
    expect(chat.text).to_have_value("")
    return statuses


def let_through(chat):
    chat.page.unroute_all(behavior="ignoreErrors")
    chat.page.evaluate("dispatchEvent(new Event('focus'))")  # the page looks for what it has missed


def texts(chat):
    return [message["text"] for message in chat.stored_messages() if message["role"] == "user"]


def test_message_that_has_arrived_is_shown_once(chat):
    chat.choose("echo").send("One")
    chat.wait_for_end()
    statuses = send_without_response(chat.choose("patient"), "Two gate:lost-1")
    expect(chat.replies).to_have_count(2)
    expect(bubbles(chat)).to_have_text(["One", "Two gate:lost-1"])
    expect(questions(chat).last.get_by_role("button", name="Edit")).to_be_visible()
    expect(chat.page.get_by_role("button", name="Unsend")).to_have_count(0)
    open_gate(chat, "gate:lost-1")
    chat.wait_for_end()
    let_through(chat)
    chat.choose("echo").send("Three")
    chat.wait_for_end()
    assert statuses == [202]
    assert texts(chat) == ["One", "Two gate:lost-1", "Three"]


def test_message_that_has_arrived_and_waits_can_be_withdrawn(chat):
    chat.choose("patient").send("One gate:lost-2")
    send_without_response(chat, "Two")
    expect(bubbles(chat)).to_have_text(["One gate:lost-2", "Two"])
    expect(questions(chat).last).to_contain_text("Waiting for the previous answer")
    questions(chat).last.get_by_role("button", name="Unsend").click()
    expect(chat.text).to_have_value("Two")
    expect(bubbles(chat)).to_have_text(["One gate:lost-2"])
    open_gate(chat, "gate:lost-2")
    let_through(chat)
    chat.wait_for_end()
    assert texts(chat) == ["One gate:lost-2"]


def test_message_that_was_withdrawn_without_a_connection_is_withdrawn_on_the_server(chat):
    chat.choose("patient").send("One gate:lost-3")
    send_without_response(chat, "Two", is_cut_off=True)
    questions(chat).last.get_by_role("button", name="Unsend").click()
    expect(chat.text).to_have_value("Two")
    with chat.page.expect_response(lambda response: response.request.method == "DELETE") as response:
        let_through(chat)
    assert response.value.status == 204
    expect(bubbles(chat)).to_have_text(["One gate:lost-3"])
    expect(chat.text).to_have_value("Two")
    open_gate(chat, "gate:lost-3")
    chat.wait_for_end()
    assert texts(chat) == ["One gate:lost-3"]
    chat.choose("echo").send("Two")
    chat.wait_for_end()
    assert texts(chat) == ["One gate:lost-3", "Two"]


def test_message_that_is_answered_already_is_not_said_to_be_unsent(chat):
    chat.choose("echo").send("One")
    chat.wait_for_end()
    send_without_response(chat, "Two", is_cut_off=True)
    questions(chat).last.get_by_role("button", name="Unsend").click()
    expect(chat.text).to_have_value("Two")
    let_through(chat)
    expect(chat.problem).to_have_text("This message had already been sent.")
    expect(chat.text).to_have_value("")
    expect(bubbles(chat)).to_have_text(["One", "Two"])
    chat.wait_for_end()
    assert texts(chat) == ["One", "Two"]
