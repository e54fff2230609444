"""What is sent while there is no connection."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.attachments import attach, picture, uploaded
from tests.browser.chat import bubbles, is_sent, open_gate, questions, row

pytestmark = pytest.mark.browser

CONNECTION = "[data-ref=connection]"


def requests_of(chat):
    """The keys of the messages that reach the server from now on."""
    keys = []
    chat.page.on(
        "response",
        lambda response: (
            response.url.endswith("/messages")
            and response.request.method == "POST"
            and keys.append(response.request.headers["idempotency-key"])
        ),
    )
    return keys


def test_offline_message_waits_and_is_sent_once(chat):
    chat.choose("echo").send("Hello")
    chat.wait_for_end()
    chat.page.context.set_offline(True)
    chat.text.fill("First")
    chat.text.press("Enter")
    expect(chat.text).to_have_value("")
    expect(questions(chat).last).to_contain_text("Not sent yet")
    expect(chat.page.locator(CONNECTION)).to_contain_text("You are offline.")
    chat.text.fill("Second")
    chat.text.press("Enter")
    expect(bubbles(chat)).to_have_text(["Hello", "First", "Second"])
    keys = requests_of(chat)
    chat.page.wait_for_timeout(1600)  # of shorter breaks nothing is said: connection.js, NOTICED
    chat.page.context.set_offline(False)
    expect(chat.page.locator(CONNECTION)).to_have_text("You are back online.")
    expect(chat.replies).to_have_count(3)
    chat.wait_for_end()
    expect(chat.page.locator(".message--waiting")).to_have_count(0)
    expect(chat.page.locator(CONNECTION)).to_have_text("")
    assert len(keys) == len(set(keys)) == 2
    texts = [message["text"] for message in chat.stored_messages() if message["role"] == "user"]
    assert texts == ["Hello", "First", "Second"]


def test_stop_is_sent_again_if_it_did_not_reach_the_server(chat):
    chat.choose("waits").send("Wait for never")
    expect(chat.replies.last.locator(".step[data-state=running]")).to_be_visible()
    chat.page.context.set_offline(True)
    chat.stop_button.click()
    expect(chat.page.get_by_role("alert").get_by_text("The server cannot be reached.")).to_be_visible()
    assert chat.stored_messages()[-1]["status"] == "in_progress"
    chat.page.context.set_offline(False)
    expect(chat.replies.last).to_have_attribute("data-status", "cancelled")


def test_status_of_a_reply_is_hidden_while_disconnected(chat):
    chat.page.route("**/events*", lambda route: route.abort())
    chat.choose("patient").send("Hello gate:disconnected")
    expect(chat.page.locator(CONNECTION)).to_have_text("Connection lost. Reconnecting…")
    expect(chat.page.locator(CONNECTION)).to_have_attribute("data-time", re.compile(r"^([3-9]|\d\d) s$"))
    expect(chat.replies.last.locator(".dots")).to_be_visible()
    expect(chat.replies.last.locator("[data-ref=activity]")).to_be_hidden()
    chat.page.unroute("**/events*")
    open_gate(chat, "gate:disconnected")
    expect(chat.replies.last).to_contain_text("1 2 3")


def test_offline_error_disappears_with_the_connection(chat):
    chat.choose("echo").send("Hello")
    chat.wait_for_end()
    chat.page.context.set_offline(True)
    chat.replies.last.get_by_role("button", name="Regenerate answer").click()
    expect(chat.problem).to_contain_text("cannot be reached")
    chat.page.context.set_offline(False)
    expect(chat.problem).to_be_hidden()
    expect(chat.replies.last).to_contain_text("Hello")


def test_offline_first_message_survives_a_reload(chat):
    chat.choose("echo")
    chat.page.route("**/api/conversations", lambda route: route.abort())
    chat.text.fill("Patience")
    chat.text.press("Enter")
    expect(questions(chat).last).to_contain_text("Not sent yet")
    expect(chat.page.locator("[data-ref=main]")).not_to_have_class(re.compile("main--empty"))
    chat.page.reload()
    expect(bubbles(chat)).to_have_text("Patience")
    expect(questions(chat).last).to_contain_text("Not sent yet")
    chat.page.unroute("**/api/conversations")
    expect(chat.replies.last).to_contain_text("Patience")
    expect(chat.page).to_have_url(re.compile(r"/c/[0-9a-f-]{36}/$"))
    chat.wait_for_end()
    assert [message["role"] for message in chat.stored_messages()] == ["user", "assistant"]


def test_message_without_a_response_is_sent_once(chat):
    keys = []

    def lose_the_answer(route):
        if route.request.method != "POST":
            return route.continue_()
        keys.append(route.request.headers["idempotency-key"])
        if len(keys) > 2:
            return route.continue_()
        route.fetch()  # the server gets it, the page does not hear of it
        return route.abort()

    chat.choose("echo")
    chat.page.route("**/messages", lose_the_answer)
    chat.text.fill("Only once")
    chat.text.press("Enter")
    expect(chat.replies.last).to_contain_text("Only once")
    chat.wait_for_end()
    expect(bubbles(chat)).to_have_count(1)
    assert len(keys) == 3
    assert len(set(keys)) == 1
    assert [message["role"] for message in chat.stored_messages()] == ["user", "assistant"]


def test_message_without_a_response_keeps_its_attachments_when_it_is_withdrawn(chat):
    chat.choose("seer").send("Hello")
    chat.wait_for_end()
    attach(chat, picture())
    uploaded(chat)
    received = []

    def lose_the_answer(route):
        if route.request.method == "POST" and not received:
            received.append(route.fetch().status)
        route.fulfill(status=503)

    chat.page.route("**/messages*", lose_the_answer)
    chat.text.fill("What is this?")
    chat.text.press("Enter")
    questions(chat).last.get_by_role("button", name="Unsend").click()
    expect(chat.text).to_have_value("What is this?")
    chat.page.wait_for_load_state("networkidle")
    uploaded(chat)
    expect(chat.problem).to_be_hidden()
    assert received == [202]


def test_offline_message_can_be_withdrawn(chat):
    chat.choose("echo").send("Hello")
    chat.wait_for_end()
    chat.page.context.set_offline(True)
    chat.text.fill("On second thoughts")
    chat.text.press("Enter")
    questions(chat).last.get_by_role("button", name="Unsend").click()
    expect(bubbles(chat)).to_have_text(["Hello"])
    expect(chat.text).to_have_value("On second thoughts")
    expect(chat.text).to_be_focused()
    chat.page.context.set_offline(False)
    chat.send("On second thoughts")
    chat.wait_for_end()
    assert len(chat.stored_messages()) == 4


def test_refused_message_is_returned_or_kept_with_the_reason(chat):
    chat.choose("echo").send("Hello")
    chat.wait_for_end()
    held, sentence = [], "Too many of your answers are still being written."
    refusal = {"error": {"code": "too_many_runs", "message": sentence}}
    chat.page.route("**/messages", lambda route: held.append(route))
    chat.text.fill("One more")
    with chat.page.expect_request("**/messages"):
        chat.text.press("Enter")
    chat.text.fill("The next")
    expect(bubbles(chat)).to_have_count(2)
    held[0].fulfill(status=429, json=refusal)
    expect(questions(chat).last).to_contain_text(sentence)
    expect(chat.text).to_have_value("The next")
    chat.page.unroute("**/messages")
    questions(chat).last.get_by_role("button", name="Try again").click()
    expect(chat.replies.last).to_contain_text("One more")
    expect(chat.text).to_have_value("The next")
    chat.wait_for_end()


def test_offline_message_arrives_in_its_own_conversation(chat):
    chat.choose("echo").send("Here")
    chat.wait_for_end()
    address = chat.page.url
    chat.page.context.set_offline(True)
    chat.text.fill("And here")
    chat.text.press("Enter")
    chat.page.locator(".sidebar__new").click()
    expect(bubbles(chat)).to_have_count(0)
    with chat.page.expect_response(is_sent):
        chat.page.context.set_offline(False)
    expect(bubbles(chat)).to_have_count(0)
    chat.page.goto(address)
    expect(bubbles(chat)).to_have_text(["Here", "And here"])


def test_chat_that_loads_slowly_shows_the_shape_of_its_messages(chat, start_conversation):
    id = start_conversation("Hello")
    loading = chat.page.locator("[data-ref=loading]")
    expect(loading).to_be_hidden()
    chat.open()
    held = []
    chat.page.route(f"**/conversations/{id}/messages*", lambda route: held.append(route), times=1)
    row(chat, id).click()
    expect(loading).to_be_visible()
    expect(loading).to_have_css("opacity", "1")
    for route in held:
        route.continue_()
    expect(chat.replies).to_have_count(1)
    expect(loading).to_be_hidden()
