"""The page in a real browser, against a real server process.

`site` is the address of a server that knows alice, bob and charlie and the assistants of `tests.browser.provider`;
`browser` is a running Chromium. The page's policy forbids eval, so waiting is done with locators, not with functions.
"""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.chat import COUNT_TO_FIFTY, SLOW_REPLY, Chat, open_gate, page_title
from tests.server_process import PASSWORD

pytestmark = pytest.mark.browser


def test_login_leads_to_the_requested_page(new_context, chat, site):
    chat.choose("echo").send("for later")
    chat.wait_for_end()
    path = chat.page.url.removeprefix(site)
    again = Chat(new_context().new_page(), site).log_in_with_form(path=path)
    expect(again.replies.last).to_contain_text("for later")


def test_login_with_a_wrong_password_says_so(new_context, site):
    page = new_context().new_page()
    page.goto(site + "/")
    page.get_by_label("Username").fill("alice")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("alert")).to_contain_text("correct")


def test_reply_streams_in_and_stays(chat):
    chat.choose("slow").send("Count, please gate:streams-in")
    expect(chat.page).to_have_url(re.compile(r"/c/[0-9a-f-]{36}/$"))
    expect(chat.replies.last).to_contain_text("5 6 7")
    assert "100" not in chat.reply_text()
    open_gate(chat, "gate:streams-in")
    chat.wait_for_end()
    assert chat.reply_text() == SLOW_REPLY
    chat.page.reload()
    expect(chat.replies.last).to_contain_text("100")
    assert chat.reply_text() == SLOW_REPLY == " ".join(chat.stored_messages()[-1]["text"].split())


def test_demo_shows_everything_a_reply_can_contain(chat):
    chat.choose("demo").send("Hello")
    chat.wait_for_end()
    for part in ("table", ".code pre", ".math", ".step > summary"):
        expect(chat.replies.last.locator(part).first).to_be_visible()
    chat.page.reload()
    expect(chat.replies.last.locator("table")).to_be_visible()


def test_reload_continues_a_running_reply(chat):
    chat.choose("slow").send("Count, please")
    for number in (3, 21, 47, 80):
        expect(chat.replies.last).to_contain_text(f" {number} ")
        chat.page.reload()
    chat.wait_for_end()
    assert chat.reply_text() == SLOW_REPLY
    assert len(chat.stored_messages()) == 2


def test_stop_keeps_the_text(chat):
    chat.choose("slow").send(COUNT_TO_FIFTY)
    expect(chat.replies.last).to_contain_text("1 2 3")
    chat.stop_button.click()
    chat.wait_for_end()
    expect(chat.replies.last).to_contain_text("You stopped this answer.")
    reply = chat.stored_messages()[-1]
    assert reply["status"] == "cancelled"
    assert chat.reply_text() == " ".join(reply["text"].split())


def test_error_can_be_retried(chat):
    chat.choose("flaky").send(f"Please {chat.page.url} {id(chat)}")
    chat.wait_for_end()
    expect(chat.replies.last).to_contain_text("Half of it")
    expect(chat.replies.last).to_contain_text("The model is overloaded. Try again in a minute.")
    chat.page.reload()
    expect(chat.replies.last).to_contain_text("The model is overloaded.")
    chat.page.get_by_role("button", name="Try again").click()
    expect(chat.replies.last).to_contain_text("All of it.")
    expect(chat.replies).to_have_count(1)
    expect(chat.page.get_by_role("button", name="Try again")).to_be_hidden()


def test_image_of_an_answer_is_shown_and_enlarged(chat):
    chat.choose("painter").send("Draw a cat")
    chat.wait_for_end()
    for reloaded in (False, True):
        if reloaded:
            chat.page.reload()
        expect(chat.replies.last).to_contain_text("I hope you like it.")
        shown = chat.replies.last.get_by_role("img", name="Image by the assistant")
        assert shown.evaluate("(image) => image.decode().then(() => image.naturalWidth)") == 40
    assert chat.replies.last.locator("[data-part]").evaluate_all("all => all.map(({ dataset }) => dataset.part)") == [
        "text",
        "image",
        "text",
    ]
    shown.click()
    expect(chat.page.get_by_role("dialog").get_by_role("img")).to_be_visible()


def test_thoughts_without_an_answer_offer_to_go_on(chat):
    chat.choose("ponders").send("Is it?")
    chat.wait_for_end()
    expect(chat.replies.last).to_contain_text("The model finished without giving an answer.")
    chat.page.get_by_role("button", name="Continue").click()
    expect(chat.replies.last).to_contain_text("After all, yes.")
    expect(chat.replies).to_have_count(1)
    expect(chat.page.get_by_role("button", name="Continue")).to_be_hidden()


def test_empty_answer_offers_to_try_again(chat):
    chat.choose("ponders").send("Nothing")
    chat.wait_for_end()
    for reloaded in (False, True):
        if reloaded:
            chat.page.reload()
        expect(chat.replies.last).to_contain_text("The model finished without giving an answer.")
        expect(chat.page.get_by_role("button", name="Try again")).to_be_visible()
        expect(chat.page.get_by_role("button", name="Continue")).to_be_hidden()


def test_notice_stays_with_its_reply(chat):
    chat.choose("long").send("Everything")
    chat.wait_for_end()
    expect(chat.replies.last).to_contain_text("The answer reached its length limit.")
    chat.page.reload()
    expect(chat.replies.last).to_contain_text("The answer reached its length limit.")


def test_thoughts_and_tools_are_collapsed(chat):
    chat.choose("tools").send("When?")
    chat.wait_for_end()
    for reloaded in (False, True):
        if reloaded:
            chat.page.reload()
        steps = [re.compile("Thought for a moment"), re.compile(r"Clock\s+done"), re.compile(r"Calculator\s+failed")]
        expect(chat.replies.last.locator(".step > summary")).to_have_text(steps)
        expect(chat.page.get_by_text("Division by zero.")).to_be_hidden()
        chat.replies.last.locator("summary").last.click()
        expect(chat.page.get_by_text("Division by zero.")).to_be_visible()
        expect(chat.replies.last).to_contain_text('"expression": "1/0"')


HOSTILE = """
<script>document.title = "owned"; alert(1)</script>
<img src="https://beacon.test/html.png" onerror="alert(1)"> <svg onload=alert(1)></svg>
<iframe src="https://beacon.test/frame"></iframe> <style>@import "https://beacon.test/style.css";</style>

![A cat](https://beacon.test/cat.png) ![x](//beacon.test/x.png) ![y][z]

[click](javascript:alert(1)) [click](data:text/html,<script>alert(1)</script>) [fine](https://example.com/)

| a | b |
|---|---|
| <img src=x onerror=alert(1)> | ![t](https://beacon.test/table.png) |

```html" onmouseover="alert(1)
<script>alert(1)</script>
```

[z]: https://beacon.test/reference.png
"""


def test_hostile_markdown_is_inert(chat, site):
    dialogs, strange = [], []
    chat.page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    chat.page.on("request", lambda request: request.url.startswith((site, "data:")) or strange.append(request.url))
    chat.choose("echo").send(HOSTILE)
    chat.wait_for_end()
    chat.page.reload()
    expect(chat.replies.last.locator("table")).to_be_visible()
    parts = chat.replies.last.locator(".message__parts")
    expect(parts.locator("script, img, svg:not(button svg), iframe, style, form, input, object")).to_have_count(0)
    for link in parts.locator("a[href]").all():
        assert link.get_attribute("href").startswith("https://")
        assert link.get_attribute("rel") == "noopener noreferrer nofollow"
    expect(parts).to_contain_text('<script>document.title = "owned"; alert(1)</script>')
    expect(parts.get_by_role("link", name="Image: A cat (beacon.test)")).to_be_visible()
    assert "owned" not in chat.page.evaluate("document.title.slice(0, 5)")
    assert (dialogs, strange) == ([], [])


def test_enter_during_composition_does_not_send(chat):
    sent = []
    chat.page.on("request", lambda request: request.method == "POST" and sent.append(request.url))
    chat.text.focus()
    chat.page.evaluate("addEventListener('keydown', ({ isComposing }) => { window.wasComposing = isComposing })")
    keyboard = chat.page.context.new_cdp_session(chat.page)
    keyboard.send("Input.imeSetComposition", {"text": "にほんご", "selectionStart": 4, "selectionEnd": 4})
    expect(chat.text).to_have_value("にほんご")
    chat.text.press("Enter")
    assert chat.page.evaluate("wasComposing")
    keyboard.send("Input.insertText", {"text": "日本語"})
    safari = "new KeyboardEvent('keydown', { key: 'Enter', keyCode: 229, bubbles: true, cancelable: true })"
    assert chat.text.evaluate(f"(field) => field.dispatchEvent({safari})")  # nobody took it
    expect(chat.text).to_have_value(re.compile("日本語"))
    assert sent == []
    with chat.page.expect_response(re.compile("/messages$")):
        chat.text.press("Enter")


def test_shift_enter_inserts_a_line_break(chat):
    chat.choose("echo")
    chat.text.press_sequentially("one")
    chat.text.press("Shift+Enter")
    chat.text.press_sequentially("two")
    expect(chat.text).to_have_value("one\ntwo")
    chat.text.press("Enter")
    expect(chat.page.locator(".message__bubble")).to_have_text("one\ntwo")


def test_refusal_is_shown_as_a_sentence(chat):
    answer = {"error": {"code": "too_many_runs", "message": "Too many of your answers are still being written."}}
    chat.page.route("**/messages", lambda route: route.fulfill(status=429, json=answer))
    chat.text.fill("One more")
    with chat.page.expect_request(lambda request: request.method == "DELETE"):  # no empty conversation is left
        chat.text.press("Enter")
    expect(chat.problem).to_have_text(answer["error"]["message"])
    expect(chat.text).to_have_value("One more")
    chat.page.unroute("**/messages")
    chat.text.press("Enter")
    expect(chat.page.locator(".message__bubble")).to_have_text("One more")


def test_expired_session_leads_to_the_login_and_back_to_the_draft(chat, site):
    chat.choose("echo").send("First")
    chat.wait_for_end()
    address = chat.page.url
    chat.text.fill("Not lost")
    chat.page.context.clear_cookies(name="sessionid")
    # A request of the page itself may meet the expired session first, and the field is gone then.
    chat.page.keyboard.press("Enter")
    chat.page.wait_for_url("**/accounts/login/?next=*")
    chat.page.get_by_label("Username").fill("alice")
    chat.page.get_by_label("Password").fill(PASSWORD)
    chat.page.get_by_role("button", name="Log in").click()
    chat.page.wait_for_url(address)
    expect(chat.text).to_have_value("Not lost")


@pytest.mark.parametrize("wire", ["sse", "websocket"])
def test_tabs_show_the_same_text(chat, wire):
    if wire == "websocket":
        chat.use_websocket()
    chat.choose("echo").send("Hello")
    chat.wait_for_end()
    other = Chat(chat.page.context.new_page(), chat.site).open(chat.page.url.removeprefix(chat.site))
    expect(other.replies.last).to_contain_text("Hello")
    chat.choose("slow").send(f"Count, please gate:tabs-{wire}")
    expect(other.replies.last).to_contain_text("5 6 7")
    assert "100" not in other.reply_text()
    open_gate(chat, f"gate:tabs-{wire}")
    other.wait_for_end()
    chat.wait_for_end()
    assert chat.reply_text() == other.reply_text() == SLOW_REPLY


def test_other_browser_catches_up_when_it_becomes_visible(new_context, chat, site):
    chat.choose("echo").send("Hello")
    chat.wait_for_end()
    other = Chat(new_context().new_page(), site).log_in(path=chat.page.url.removeprefix(site))
    expect(other.replies.last).to_contain_text("Hello")
    chat.choose("slow").send("Count, please")
    other.page.evaluate("dispatchEvent(new Event('focus'))")
    expect(other.replies.last).to_contain_text("5 6 7")


def test_websocket_can_replace_the_event_stream(new_context, chat, site):
    streams, frames = [], []
    chat.page.on("request", lambda request: "/events" in request.url and streams.append(request.url))
    chat.use_websocket().choose("slow")
    chat.page.on("websocket", lambda socket: socket.on("framereceived", lambda frame: frames.append(frame)))
    chat.send("Count, please gate:websocket")
    expect(chat.replies.last).to_contain_text("5 6 7")
    chat.page.reload()  # the choice stays
    open_gate(chat, "gate:websocket")
    chat.wait_for_end()
    assert chat.reply_text() == SLOW_REPLY
    assert any("TEXT_MESSAGE_CONTENT" in frame for frame in frames)
    other = Chat(new_context().new_page(), site).log_in(path=chat.page.url.removeprefix(site)).use_websocket()
    expect(other.replies.last).to_contain_text("100")
    chat.send(COUNT_TO_FIFTY)  # the socket announces it, nobody has to look
    expect(other.replies).to_have_count(2)
    expect(other.replies.last).to_contain_text("5 6 7")
    chat.stop_button.click()
    chat.wait_for_end()
    other.wait_for_end()
    assert chat.reply_text() == other.reply_text()
    assert streams == []


def test_hidden_tab_closes_its_stream_and_catches_up(chat):
    chat.choose("slow").send("Count, please gate:hidden-tab")
    expect(chat.replies.last).to_contain_text("1 2 3")
    hide = "(state) => { Object.defineProperty(document, 'visibilityState', { value: state, configurable: true });"
    hide += " document.dispatchEvent(new Event('visibilitychange')) }"
    with chat.page.expect_event("requestfailed", lambda request: "/events" in request.url):
        chat.page.evaluate(hide, "hidden")
    with chat.page.expect_request(re.compile(r"/events\?after=[1-9]")):
        chat.page.evaluate(hide, "visible")
    open_gate(chat, "gate:hidden-tab")
    chat.wait_for_end()
    assert chat.reply_text() == SLOW_REPLY


def test_refused_stream_is_requested_again(chat):
    refused = []

    def refuse(route):
        refused.append(route.request.url)
        route.fulfill(status=503, body="busy")

    chat.page.route("**/events?**", refuse)
    chat.choose("patient").send("Worth the wait gate:refused")
    expect(chat.page.get_by_text("Connection lost. Reconnecting…")).to_be_attached()
    chat.page.unroute("**/events?**")
    open_gate(chat, "gate:refused")
    chat.wait_for_end()
    expect(chat.page.get_by_text("Connection lost. Reconnecting…")).not_to_be_attached()
    assert refused


def test_code_and_replies_can_be_copied(chat):
    chat.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    chat.choose("echo").send("Look:\n\n```python\nprint(1 < 2)\n```")
    chat.wait_for_end()
    chat.replies.last.locator("[data-copy=copy-code]").click()
    expect(chat.replies.last.locator("[data-copy=copy-code]")).to_have_text("Copied")
    assert chat.page.evaluate("navigator.clipboard.readText()") == "print(1 < 2)\n"
    chat.replies.last.locator("[data-copy=message]").click()
    expect(chat.replies.last.locator("[data-copy=message]")).to_have_text("Copied")
    assert chat.page.evaluate("navigator.clipboard.readText()") == chat.stored_messages()[-1]["text"]


def test_assistant_of_the_last_message_stays_selected(chat):
    chat.choose("echo").send("Hello")
    chat.wait_for_end()
    chat.choose("long").send("More")
    chat.wait_for_end()
    chat.page.reload()
    expect(chat.page.locator("[data-ref=assistant-name]")).to_have_text("Long")
    expect(chat.page.locator(".message__author")).to_have_text(["Echo", "Long"])
    chat.page.locator(".sidebar__new").click()
    expect(chat.page.locator("[data-ref=assistant-name]")).to_have_text("Long")  # and for the next chat


def test_conversations_can_be_renamed_and_deleted(chat):
    chat.choose("echo").send("A name to change")
    chat.wait_for_end()
    row = chat.page.locator(".conversation", has_text="A name to change").first
    row.get_by_role("button").click()
    chat.page.get_by_role("menuitem", name="Rename").click()
    title = chat.page.get_by_role("textbox", name="Title")
    expect(title).to_have_value("A name to change")
    title.fill("Another name")
    title.press("Enter")
    expect(chat.page.locator(".conversation [aria-current]")).to_have_text("Another name")
    expect(chat.page).to_have_title(page_title("Another name"))
    address = chat.page.url
    chat.page.locator(".conversation", has=chat.page.locator("[aria-current]")).get_by_role("button").click()
    chat.page.get_by_role("menuitem", name="Delete").click()
    expect(chat.page).to_have_url(chat.site + "/")
    assert chat.page.request.get(address).status == 404


def test_back_button_shows_the_previous_conversation(chat):
    chat.choose("echo").send("The first one")
    chat.wait_for_end()
    first = chat.page.url
    chat.page.locator(".sidebar__new").click()
    expect(chat.page).to_have_url(chat.site + "/")
    expect(chat.replies).to_have_count(0)
    chat.choose("echo").send("The second one")
    chat.wait_for_end()
    chat.page.locator(".conversation", has_text="The first one").first.locator("a").click()
    expect(chat.page).to_have_url(first)
    expect(chat.replies).to_have_text(re.compile("The first one"))
    chat.page.go_back()
    expect(chat.replies).to_have_text(re.compile("The second one"))


@pytest.mark.parametrize("width", [320, 390])
def test_phone_needs_no_horizontal_scrolling(new_context, site, width):
    phone = {"viewport": {"width": width, "height": 700}, "has_touch": True, "is_mobile": True}
    chat = Chat(new_context(**phone).new_page(), site).log_in()
    wide = (
        "| "
        + " | ".join("abcdefghij" * 2 for _ in range(6))
        + " |\n"
        + "|---" * 6
        + "|\n\n```\n"
        + "x" * 300
        + "\n```\n"
        + "y" * 300
    )
    chat.choose("echo").send(wide)
    chat.wait_for_end()
    sizes = chat.page.evaluate(
        "[document.documentElement.scrollWidth, document.querySelector('.scroller').scrollWidth, innerWidth]"
    )
    assert sizes[0] == width == sizes[2]
    assert sizes[1] <= width
    expect(chat.page.locator(".sidebar")).to_be_hidden()
    chat.page.get_by_role("button", name="Show chats").click()
    expect(chat.page.locator(".sidebar__new")).to_be_visible()
    chat.page.keyboard.press("Escape")
    expect(chat.page.locator(".sidebar")).to_be_hidden()
    assert chat.text.evaluate("(field) => parseFloat(getComputedStyle(field).fontSize)") >= 16


def test_openai_compatible_server_answers_on_the_page(chat, model_server):
    chat.choose("openai").send("What can you do?")
    chat.wait_for_end()
    expect(chat.replies.last.locator("h2", has_text="An answer")).to_be_visible()
    expect(chat.replies.last.locator("table")).to_be_visible()
    expect(chat.replies.last.locator("pre")).to_contain_text("def fold(events):")
    asked = model_server.requests()[-1]["body"]
    assert (asked["model"], asked["stream"], asked["messages"][-1]["content"]) == ("scripted", True, "What can you do?")
