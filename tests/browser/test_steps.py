"""The steps of an answer on the page: the wait for it, thoughts, tools."""

import json
import re

import pytest
from playwright.sync_api import expect

from tests.browser.chat import SLOW_REPLY, Chat, open_gate
from tests.browser.steps import parts_from_events, step, stored_parts

pytestmark = pytest.mark.browser


def test_wait_for_the_first_word_is_shown_with_its_seconds(chat):
    chat.choose("patient").send("Take your time, first-word")
    wait = chat.replies.last.locator(".message__pending")
    for reloaded in (False, True):
        if reloaded:
            chat.page.reload()
        expect(wait).to_have_text(re.compile(r"^\s*The model is reading your message… ([3-9]|\d\d) s\s*$"))
        expect(chat.stop_button).to_be_visible()
    open_gate(chat, "first-word")
    expect(chat.replies.last).to_contain_text("1 2 3")
    expect(wait).to_be_hidden()
    chat.wait_for_end()
    expect(wait).to_be_hidden()


@pytest.mark.parametrize("wire", ["sse", "websocket"])
def test_tool_is_shown_running_then_its_result_then_the_reply(chat, wire):
    if wire == "websocket":
        chat.use_websocket()
    expression = f"sqrt(71) + 0 * {len(wire)}"
    question = f"What is the square root of 71? {json.dumps({'expression': expression})}"
    chat.choose("mathematician").send(question)
    for reloaded in (False, True):
        if reloaded:
            chat.page.reload()
        expect(step(chat, "Calculator")).to_have_attribute("data-state", "running")
        expect(step(chat, "Calculator").locator(".step__time")).to_have_text(re.compile(r"^\d+ s$"))
        expect(chat.replies.last.locator(".prose")).to_have_count(0)
        expect(chat.stop_button).to_be_visible()
    open_gate(chat, expression)
    expect(step(chat, "Calculator")).to_have_attribute("data-state", "done")
    expect(chat.replies.last.locator(".prose")).to_contain_text("The tool says: 8.42614977317")
    chat.wait_for_end()
    for reloaded in (False, True):
        if reloaded:
            chat.page.reload()
        expect(step(chat, "Calculator").locator(".step__time")).to_have_text(re.compile(r"^\d[\d.]* s$"))
        expect(step(chat, "Calculator").locator("pre").last).to_be_hidden()
        step(chat, "Calculator").locator("summary").click()
        expect(step(chat, "Calculator").locator("pre").first).to_have_text(
            json.dumps({"expression": expression}, indent=2)
        )
        expect(step(chat, "Calculator").locator("pre").last).to_contain_text("8.42614977317")
    assert stored_parts(chat) == parts_from_events(chat)
    assert [part["type"] for part in chat.stored_messages()[-1]["parts"]] == ["tool_call", "text"]


def test_tool_arguments_are_shown_while_it_runs(chat):
    chat.choose("waits").send("Count, please seen-while-running")
    step(chat, "Calculator").locator("summary").click()
    expect(step(chat, "Calculator").locator("pre").first).to_contain_text('"expression": "sqrt(71)"')
    expect(step(chat, "Calculator").get_by_text("Result")).to_be_hidden()
    open_gate(chat, "seen-while-running")
    expect(step(chat, "Calculator").locator("pre").last).to_have_text("8.426149773176359")  # it stays unfolded
    chat.wait_for_end()


def test_tool_that_was_stopped_is_not_shown_as_running(chat):
    chat.choose("waits").send("Count, please never-opened")
    expect(step(chat, "Calculator")).to_have_attribute("data-state", "running")
    chat.stop_button.click()
    chat.wait_for_end()
    for reloaded in (False, True):
        if reloaded:
            chat.page.reload()
        expect(step(chat, "Calculator")).to_contain_text("stopped")
        expect(chat.page.locator('[data-state="running"]')).to_have_count(0)


def test_thoughts_are_collapsed_beside_the_reply(chat):
    chat.choose("waits").send("Count, please thoughts")
    open_gate(chat, "thoughts")
    thoughts = step(chat, "Thought for a moment")
    expect(thoughts.get_by_text("I had better use the calculator.")).to_be_hidden()
    thoughts.locator("summary").click()
    expect(thoughts.get_by_text("I had better use the calculator.")).to_be_visible()
    chat.wait_for_end()
    assert chat.reply_text().endswith(SLOW_REPLY)
    assert stored_parts(chat) == parts_from_events(chat)


def test_many_steps_are_collapsed_into_one_line(chat):
    chat.choose("many").send("Find it")
    chat.wait_for_end()
    for reloaded in (False, True):
        if reloaded:
            chat.page.reload()
        expect(chat.page.get_by_text("6 steps, 1 failed")).to_be_visible()
        expect(step(chat, "Search chats").first).to_be_hidden()
        assert chat.reply_text() == "6 steps, 1 failed Nothing of use was found."
    chat.page.get_by_text("6 steps, 1 failed").click()
    expect(step(chat, "Search chats").first).to_be_visible()
    chat.choose("echo").send("Thanks")  # what happens elsewhere folds nothing
    chat.wait_for_end()
    expect(chat.page.locator(".step").first).to_be_visible()


def test_many_steps_stay_open_while_one_is_read(chat):
    chat.choose("many").send("Find gate:read-one")
    step(chat, "Search chats").first.locator("summary").click()
    open_gate(chat, "gate:read-one")
    chat.wait_for_end()
    expect(step(chat, "Search chats").first.get_by_text("word 1")).to_be_visible()


def test_tools_receive_the_users_time_zone(new_context, site):
    chat = Chat(new_context(timezone_id="Asia/Tokyo").new_page(), site).log_in()
    for wire in ("sse", "websocket"):
        if wire == "websocket":
            chat.use_websocket()
        chat.choose("echo")
        with chat.page.expect_request(re.compile("/messages$")) as request:
            chat.send("What time is it?")
        assert request.value.post_data_json["time_zone"] == "Asia/Tokyo"
        chat.wait_for_end()
