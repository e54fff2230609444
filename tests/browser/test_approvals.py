"""What an agent does only with the user's approval."""

import math
import re
import time

import pytest
from playwright.sync_api import expect

from tests.browser.chat import Chat, HeldRequests, open_gate
from tests.browser.steps import parts_from_events, step, stored_parts

pytestmark = pytest.mark.browser


def allow(chat):
    return chat.page.get_by_role("button", name="Allow", exact=True)


def refuse(chat):
    return chat.page.get_by_role("button", name="Don’t allow")


@pytest.fixture
def asking(chat):
    """Alice's tab, in which an assistant wants to send a mail."""
    chat.choose("asks").send("Lunch?")
    expect(chat.page.locator(".approval")).to_be_visible()
    return chat.wait_for_end()


@pytest.fixture
def elsewhere(new_context, chat):
    """`elsewhere(tab)`: the tab's conversation in another browser, which gets no updates from the first."""

    def new(tab):
        fresh = new_context()
        fresh.route_web_socket("**/ws/news", lambda socket: None)
        return Chat(fresh.new_page(), tab.site).log_in(path=tab.page.url.removeprefix(tab.site))

    return new


def test_approval_is_asked_for(asking):
    for reloaded in (False, True):
        if reloaded:
            asking.page.reload()
        card = asking.page.get_by_role("group", name="May this mail be sent?")
        expect(card).to_contain_text("Send mail")
        facts = card.locator(".approval__fact")
        expect(facts).to_have_text(
            [re.compile(r"to\s+bob@example.com"), re.compile(r"subject\s+Lunch\?"), re.compile("text")]
        )
        expect(card).to_contain_text("Respond by")
        expect(step(asking, "Send mail")).to_have_attribute("data-state", "waiting")
        expect(asking.text).to_be_editable()
        expect(asking.stop_button).to_be_hidden()
    assert asking.stored_messages()[-1]["interrupts"][0]["message"] == "May this mail be sent?"


def test_approval_is_announced_to_screen_readers(chat):
    chat.choose("asks").send("Lunch?")
    announced = chat.page.locator("[data-ref=live] > :last-child")
    expect(announced).to_have_text("The assistant is asking for your approval.")


@pytest.mark.parametrize("wire", ["sse", "websocket"])
def test_approval_continues_the_reply(asking, wire):
    if wire == "websocket":
        asking.use_websocket()
    with asking.page.expect_request(re.compile("/resume$")) as request:
        allow(asking).click()
    [entry] = request.value.post_data_json["resume"]
    assert (entry["status"], entry["payload"]) == ("resolved", {"approved": True})
    expect(asking.replies.last).to_contain_text("It is sent.")
    asking.wait_for_end()
    for reloaded in (False, True):
        if reloaded:
            asking.page.reload()
        expect(asking.replies).to_have_count(1)  # two messages, one answer
        expect(asking.page.locator(".message__author")).to_have_text(["Asks"])
        expect(asking.page.locator(".approval")).to_have_count(0)
        expect(step(asking, "Send mail")).to_have_attribute("data-state", "done")
        assert asking.reply_text() == "I can send it for you. Send mail done It is sent."
    step(asking, "Send mail").locator("summary").click()
    expect(step(asking, "Send mail").locator("pre").last).to_have_text("Done.")
    asking.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    asking.replies.last.locator("[data-copy=message]").click()
    expect(asking.replies.last.locator("[data-copy=message]")).to_have_text("Copied")
    assert asking.page.evaluate("navigator.clipboard.readText()") == "I can send it for you.\n\nIt is sent."
    messages = asking.stored_messages()
    assert [message["role"] for message in messages] == ["user", "assistant", "assistant"]
    assert messages[2]["parent_id"] == messages[1]["id"]
    assert stored_parts(asking) == parts_from_events(asking)


def test_refusal_continues_the_reply_without_the_tool(asking):
    refuse(asking).click()
    expect(asking.replies.last).to_contain_text("It is not sent.")
    asking.wait_for_end()
    for reloaded in (False, True):
        if reloaded:
            asking.page.reload()
        expect(asking.page.locator(".approval")).to_have_count(0)
        assert asking.reply_text() == "I can send it for you. Send mail You did not allow this. It is not sent."
    assert stored_parts(asking)[1][0]["error"] == "You did not allow this."


def test_agent_asks_for_approval_and_continues(chat):
    chat.choose("secretary").send('Tell Bob {"to": "bob@example.com", "subject": "Lunch?"}')
    expect(chat.page.locator(".approval")).to_contain_text("bob@example.com")
    allow(chat).click()
    expect(chat.replies.last).to_contain_text("The tool says: Sent to bob@example.com.")
    chat.wait_for_end()
    expect(step(chat, "Send mail")).to_have_attribute("data-state", "done")
    assert stored_parts(chat) == parts_from_events(chat)


def always_allow(chat):
    return chat.page.get_by_role("button", name="Always allow in this chat")


def test_tool_that_is_always_allowed_does_not_ask_until_it_is_removed(chat):
    chat.choose("secretary").send('Tell Bob {"to": "bob@example.com", "subject": "Lunch?"}')
    card = chat.page.get_by_role("group", name="Allow “Send mail” to run?")
    expect(card).to_be_visible()
    assert card.inner_text().count("Send mail") == 1
    chat.wait_for_end()
    chat.page.get_by_role("button", name="Chat options").click()
    expect(chat.page.get_by_role("menuitem", name="Allowed tools…")).to_be_hidden()
    expect(chat.page.locator(":popover-open .menu-separator:visible")).to_have_count(2)
    chat.page.keyboard.press("Escape")
    with chat.page.expect_request(re.compile("/resume$")) as request:
        always_allow(chat).click()
    assert [entry["payload"] for entry in request.value.post_data_json["resume"]] == [
        {"approved": True, "always": True}
    ]
    expect(chat.replies.last).to_contain_text("The tool says: Sent to bob@example.com.")
    chat.wait_for_end()
    chat.send('And Carol {"to": "carol@example.com", "subject": "Lunch?"}')
    expect(chat.replies.last).to_contain_text("The tool says: Sent to carol@example.com.")
    for reloaded in (False, True):
        if reloaded:
            chat.page.reload()
        chat.page.get_by_role("button", name="Chat options").click()
        chat.page.get_by_role("menuitem", name="Allowed tools…").click()
        dialog = chat.page.get_by_role("dialog", name="Allowed tools")
        expect(dialog.get_by_role("listitem")).to_contain_text("Send mail")
        expect(dialog.get_by_role("button", name="Remove “Send mail”")).to_be_focused()
        if not reloaded:
            chat.page.keyboard.press("Escape")
    dialog.get_by_role("button", name="Remove “Send mail”").click()
    expect(dialog.get_by_role("status")).to_have_text("“Send mail” will ask again.")
    expect(dialog.get_by_role("listitem")).to_have_count(0)
    expect(dialog.get_by_text("All tools ask again.")).to_be_visible()
    expect(dialog.get_by_role("button", name="Close")).to_be_focused()
    chat.page.keyboard.press("Escape")
    chat.page.get_by_role("button", name="Chat options").click()
    expect(chat.page.get_by_role("menuitem", name="Allowed tools…")).to_be_hidden()
    chat.page.keyboard.press("Escape")
    chat.send('And Dave {"to": "dave@example.com", "subject": "Lunch?"}')
    expect(always_allow(chat)).to_be_visible()
    assert "Sent to dave" not in str(chat.stored_messages()[-1])


def test_always_also_answers_the_other_cards_of_the_tool(chat):
    chat.choose("asks-always").send("Three tables")
    cards = chat.page.locator(".approval")
    expect(cards).to_have_count(3)  # two of one tool
    with chat.page.expect_request(re.compile("/resume$")) as request:
        always_allow(chat).nth(1).click()
        expect(chat.page.get_by_text("One more decision is needed to continue.")).to_be_visible()
        expect(always_allow(chat).first).to_have_attribute("aria-pressed", "true")
        expect(allow(chat).last).to_be_focused()
        refuse(chat).last.click()
    always = {"approved": True, "always": True}
    payloads = [entry["payload"] for entry in request.value.post_data_json["resume"]]
    assert payloads == [always, always, {"approved": False}]


def test_question_of_another_kind_cannot_be_answered_for_always(asking):
    expect(allow(asking)).to_be_visible()
    expect(always_allow(asking)).to_be_hidden()


def test_approved_tool_is_shown_running(chat):
    chat.choose("asks").send("Slowly, please slow-tool")
    allow(chat).click()
    for reloaded in (False, True):
        if reloaded:
            chat.page.reload()
        expect(step(chat, "Send mail")).to_have_attribute("data-state", "running")
        expect(chat.stop_button).to_be_visible()
        expect(chat.page.locator(".approval")).to_have_count(0)
    open_gate(chat, "slow-tool")
    expect(chat.replies.last).to_contain_text("It is sent.")
    chat.wait_for_end()


def test_approval_works_with_the_keyboard(asking):
    allow(asking).focus()
    asking.page.keyboard.press("Tab")
    expect(refuse(asking)).to_be_focused()
    asking.page.keyboard.press("Shift+Tab")
    asking.page.keyboard.press("Enter")
    expect(step(asking, "Send mail").locator("summary")).to_be_focused()  # its buttons are gone
    expect(asking.replies.last).to_contain_text("It is sent.")


def test_approvals_of_one_reply_are_sent_together(chat):
    sent = []
    chat.page.on("request", lambda request: request.url.endswith("/resume") and sent.append(request.post_data_json))
    chat.choose("asks-twice").send("Two tables")
    rome, oslo = (
        chat.page.get_by_role("group", name=f"May a table in {place} be booked?") for place in ("Rome", "Oslo")
    )
    refuse(chat).first.click()
    expect(chat.page.get_by_text("One more decision is needed to continue.")).to_be_visible()
    expect(rome.get_by_role("button", name="Don’t allow")).to_have_attribute("aria-pressed", "true")
    expect(oslo.get_by_role("button", name="Allow", exact=True)).to_be_focused()
    assert sent == []
    rome.get_by_role("button", name="Allow", exact=True).click()  # on second thoughts
    oslo.get_by_role("button", name="Don’t allow").click()
    expect(chat.replies.last).to_contain_text("It is not sent.")
    [answers] = [[entry["payload"]["approved"] for entry in body["resume"]] for body in sent]
    assert answers == [True, False]
    chat.wait_for_end()
    expect(step(chat, "Book table")).to_have_text([re.compile("done"), re.compile("You did not allow this.")])


@pytest.mark.parametrize("wire", ["sse", "websocket"])
def test_approval_in_another_tab_is_shown(asking, wire):
    if wire == "websocket":
        asking.use_websocket()
    other = Chat(asking.page.context.new_page(), asking.site).open(asking.page.url.removeprefix(asking.site))
    expect(other.page.locator(".approval")).to_be_visible()
    allow(asking).click()
    expect(other.replies.last).to_contain_text("It is sent.")
    expect(other.page.locator(".approval")).to_have_count(0)
    expect(other.replies).to_have_count(1)


def test_approval_in_another_browser_is_shown(asking, elsewhere):
    other = elsewhere(asking).use_websocket()
    expect(other.page.locator(".approval")).to_be_visible()
    allow(asking).click()
    expect(other.replies.last).to_contain_text("It is sent.")
    expect(other.page.locator(".approval")).to_have_count(0)


def test_second_approval_is_refused_and_shows_the_outcome(asking, elsewhere):
    other = elsewhere(asking)
    held = HeldRequests(other.page, "**/resume")
    with other.page.expect_request("**/resume"):
        refuse(other).click()
    allow(asking).click()
    expect(asking.replies.last).to_contain_text("It is sent.")
    held.release()
    expect(other.problem).to_contain_text("different decision")
    expect(other.page.locator(".approval")).to_have_count(0)
    expect(step(other, "Send mail").locator("summary")).to_be_focused()
    expect(other.replies.last).to_contain_text("It is sent.")


def test_approval_that_was_not_delivered_can_be_repeated(asking):
    asking.page.route("**/resume", lambda route: route.abort())
    allow(asking).click()
    expect(asking.problem).to_contain_text("cannot be reached")
    expect(allow(asking)).to_be_focused()
    asking.page.unroute("**/resume")
    allow(asking).click()
    expect(asking.replies.last).to_contain_text("It is sent.")
    expect(asking.problem).to_be_hidden()


def test_approval_is_not_given_by_another_message(asking):
    asking.choose("echo").send("Never mind")
    asking.wait_for_end()
    for reloaded in (False, True):
        if reloaded:
            asking.page.reload()
        expect(asking.replies).to_have_count(2)
        expect(asking.page.locator(".approval")).to_have_count(0)
        expect(asking.page.locator(".step").first).to_contain_text("skipped")


def test_approval_expires(new_context, short_timeouts_site):
    chat = Chat(new_context().new_page(), short_timeouts_site).log_in()
    began = time.monotonic()
    chat.choose("asks").send("Lunch?")
    expect(allow(chat)).to_be_visible()
    expire_after(chat, 3 + 3 * math.ceil(time.monotonic() - began))  # time enough to see the next request
    chat.choose("asks").send("Dinner?")
    expect(allow(chat)).to_be_visible()
    expire_after(chat, 3600)
    expect(chat.page.locator(".approval")).to_contain_text("This request expired")
    for reloaded in (False, True):
        if reloaded:
            chat.page.reload()
        expect(step(chat, "Send mail")).to_have_attribute("data-state", "expired")
        expect(chat.page.locator(".approval--expired")).to_contain_text("The tool was not run.")
        expect(allow(chat)).to_be_hidden()
    chat.page.get_by_role("button", name="Try again").click()
    expect(chat.page.locator('[data-state="waiting"]')).to_be_visible()
    allow(chat).click()
    expect(chat.replies.last).to_contain_text("It is sent.")
    expect(chat.replies).to_have_count(2)


def expire_after(chat, seconds):
    """Let the approval requests of this site expire so soon from now on."""
    assert chat.page.request.get(f"{chat.site}/approval-seconds/{seconds}").ok


HOSTILE = '<img src=x onerror="document.title=1"> **bold** \u202egnp.exe'


def test_approval_shows_the_arguments_exactly(chat):
    chat.choose("asks").send(HOSTILE)
    card = chat.page.locator(".approval")
    expect(card).to_contain_text('<img src=x onerror="document.title=1"> **bold** \\u202egnp.exe')
    expect(card.locator("img, strong")).to_have_count(0)


def test_approval_on_a_phone_needs_no_horizontal_scrolling(new_context, site):
    phone = {"viewport": {"width": 320, "height": 700}, "has_touch": True, "is_mobile": True}
    chat = Chat(new_context(**phone).new_page(), site).log_in()
    chat.choose("asks").send("x" * 300)
    chat.wait_for_end()
    expect(allow(chat)).to_be_visible()
    step(chat, "Send mail").locator("summary").click()
    sizes = chat.page.evaluate(
        "[document.documentElement.scrollWidth, document.querySelector('.scroller').scrollWidth]"
    )
    assert max(sizes) <= 320
