"""What happens in one window is seen in the others."""

import re
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from tests.browser.chat import Chat, HeldRequests, choose, csrf_token, group, id_of, open_gate, page_title, row

pytestmark = pytest.mark.browser


@pytest.fixture
def elsewhere(new_context, chat):
    """Another browser of Alice's, which gets no updates from the first."""
    return Chat(new_context().new_page(), chat.site).log_in()


def test_new_conversation_appears_in_other_windows(start_conversation, elsewhere):
    id = start_conversation("Tea or coffee?")
    expect(row(elsewhere, id).get_by_text("Tea or coffee?")).to_be_visible()
    expect(group(elsewhere, "Today").get_by_role("listitem").first).to_have_attribute("data-id", id)


def test_new_title_appears_in_other_windows(chat, start_conversation, elsewhere):
    id = start_conversation("Before")
    elsewhere.open(f"/c/{id}/")
    expect(row(elsewhere, id).get_by_text("Before")).to_be_visible()
    choose(chat, id, "Rename…")
    field = chat.page.get_by_role("textbox", name="Title")
    expect(field).to_be_focused()
    field.fill("After")
    field.press("Enter")
    expect(row(elsewhere, id).get_by_text("After")).to_be_visible()
    expect(elsewhere.page).to_have_title(page_title("After"))
    expect(row(chat, id).get_by_role("button")).to_be_focused()


def test_reply_appears_in_other_windows(chat, start_conversation, elsewhere):
    first = start_conversation("The first")
    second = start_conversation("The second")
    elsewhere.open(f"/c/{first}/")
    expect(elsewhere.replies).to_have_count(1)
    expect(elsewhere.page.locator(".conversation").first).to_have_attribute("data-id", second)
    chat.open(f"/c/{first}/").send("And another")
    expect(elsewhere.page.locator(".message__bubble").last).to_have_text("And another")
    expect(elsewhere.page.locator(".conversation").first).to_have_attribute("data-id", first)
    expect(elsewhere.replies.last).to_contain_text("And another")
    elsewhere.wait_for_end()


def test_delete_and_undo_appear_in_other_windows(chat, start_conversation, elsewhere):
    id = start_conversation("Not for long")
    elsewhere.open(f"/c/{id}/")
    expect(elsewhere.replies).to_have_count(1)
    choose(chat, id, "Delete")
    expect(row(elsewhere, id)).to_have_count(0)
    expect(elsewhere.page.get_by_role("heading", name="This chat no longer exists.")).to_be_visible()
    expect(elsewhere.page).to_have_title(page_title("Chat not found"))
    for part in (".bar__title", "[data-ref=bar-options]", "[data-ref=share]", ".message", ".composer"):
        expect(elsewhere.page.locator(f"{part}:visible")).to_have_count(0)
    expect(elsewhere.page.get_by_role("link", name="Start a new chat")).to_be_visible()
    chat.page.get_by_role("button", name="Undo").click()
    expect(elsewhere.page).to_have_title(page_title("Not for long"))
    expect(row(elsewhere, id)).to_be_visible()
    expect(elsewhere.replies).to_have_count(1)
    expect(elsewhere.page.get_by_text("This chat no longer exists.")).to_be_hidden()


def test_draft_survives_a_delete_in_another_window(chat, start_conversation, elsewhere):
    id = start_conversation("Doomed")
    chat.text.fill("A draft")
    elsewhere.open()
    choose(elsewhere, id, "Delete")
    expect(chat.page.get_by_role("link", name="Start a new chat")).to_be_focused()
    elsewhere.page.get_by_role("button", name="Undo").click()
    expect(chat.text).to_be_focused()
    expect(chat.text).to_have_value("A draft")


def test_pin_and_archive_appear_in_other_windows(chat, start_conversation, elsewhere):
    id = start_conversation("Keep me")
    choose(chat, id, "Pin")
    expect(group(elsewhere, "Pinned").locator(f"[data-id='{id}']")).to_be_visible()
    expect(group(chat, "Pinned").locator(f"[data-id='{id}']")).to_be_visible()
    choose(elsewhere, id, "Unpin")
    expect(group(chat, "Today").locator(f"[data-id='{id}']")).to_be_visible()
    choose(chat, id, "Archive")
    expect(row(elsewhere, id)).to_have_count(0)
    chat.page.get_by_role("button", name="Undo").click()
    expect(row(elsewhere, id)).to_be_visible()


def test_changes_missed_offline_appear_when_online(chat, start_conversation, elsewhere):
    elsewhere.page.context.set_offline(True)
    elsewhere.page.evaluate("dispatchEvent(new Event('pagehide'))")  # sockets outlive the emulated network
    id = start_conversation("While you were out")
    expect(row(elsewhere, id)).to_have_count(0)
    elsewhere.page.context.set_offline(False)
    elsewhere.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(row(elsewhere, id)).to_be_visible()


def test_other_user_receives_no_changes(new_context, chat, start_conversation):
    bob, frames = Chat(new_context().new_page(), chat.site), []
    bob.page.on("websocket", lambda socket: socket.on("framereceived", lambda frame: frames.append(frame)))
    bob.log_in("bob")
    alices = Chat(new_context().new_page(), chat.site).log_in()
    id = start_conversation("A secret")
    expect(row(alices, id)).to_be_visible()  # by now, everybody who hears of it has
    expect(row(bob, id)).to_have_count(0)
    assert frames == []


def test_page_uses_one_socket_for_changes(chat):
    sockets = []
    chat.page.goto("about:blank")  # the socket of the page before may still be opening
    chat.page.on("websocket", lambda socket: sockets.append(socket.url))
    chat.open()
    chat.choose("echo").send("One")
    chat.wait_for_end()
    chat.page.locator(".sidebar__new").click()
    chat.choose("echo").send("Two")
    chat.wait_for_end()
    assert [urlsplit(url).path for url in sockets].count("/ws/news") == 1


def test_messages_sent_at_the_same_moment_are_versions_in_both_windows(chat, start_conversation, elsewhere):
    id = start_conversation("First")
    elsewhere.open(f"/c/{id}/")
    expect(elsewhere.replies).to_have_count(1)
    held = HeldRequests(chat.page, "**/messages", "POST")
    chat.text.fill("From here")
    with chat.page.expect_request("**/messages"):
        chat.text.press("Enter")
    elsewhere.send("From there")
    held.release()
    for tab in (chat, elsewhere):
        expect(tab.page.locator(".message__bubble")).to_have_text(["First", "From here"])
        expect(tab.page.locator(".message--question .versions__position").last).to_have_text("2 / 2")


# What happens in other chats


def activity(tab, id):
    return row(tab, id).locator(".conversation__activity")


def forget_all(tab):
    """Delete what earlier tests left that wants attention."""
    headers = {"X-CSRFToken": csrf_token(tab.page)}
    for item in tab.page.request.get(f"{tab.site}/api/conversations?limit=100").json()["items"]:
        if item["activity"]:
            tab.page.request.delete(f"{tab.site}/api/conversations/{item['id']}", headers=headers)


def test_activity_of_other_chats_is_shown_on_all_devices_until_it_is_seen(chat, elsewhere):
    forget_all(chat)
    chat.open().choose("patient").send("Wait for gate:activity")
    id = id_of(chat)
    chat.page.locator(".sidebar__new").click()
    for tab in (chat, elsewhere):
        expect(activity(tab, id)).to_have_attribute("data-activity", "answering")
    expect(chat.page).to_have_title(page_title("New chat"))
    open_gate(chat, "gate:activity")
    for tab in (chat, elsewhere):
        expect(activity(tab, id)).to_have_text("New answer")
        expect(tab.page).to_have_title(re.compile(r"^\(1\) "))
        expect(tab.page.locator("link[rel=icon]")).to_have_attribute("href", re.compile("^data:image/png"))
    chat.page.reload()
    expect(activity(chat, id)).to_have_attribute("data-activity", "answered")
    row(chat, id).get_by_role("link").click()
    for tab in (chat, elsewhere):
        expect(activity(tab, id)).to_be_hidden()
        expect(tab.page).not_to_have_title(re.compile(r"^\("))
        expect(tab.page.locator("link[rel=icon]")).to_have_attribute("href", re.compile(r"\.svg$"))


def test_activity_in_hidden_tabs_is_one_notification_that_opens_the_chat(chat, elsewhere):
    chat.set_preferences(notifications="plain")
    other = Chat(chat.page.context.new_page(), chat.site)
    for tab in (chat, other):
        tab.page.add_init_script(
            """
            window.shown = []
            window.Notification = class {
              static permission = "granted"
              constructor(title, options) { window.shown.push([title, options.body]); window.last = this }
              close() {}
            }
            window.hide = () => {
              Object.defineProperty(document, "visibilityState", { value: "hidden", configurable: true })
              document.dispatchEvent(new Event("visibilitychange"))
            }
            """
        )
        tab.open()
    chat.choose("patient").send("Wait for gate:notified")
    id = id_of(chat)
    chat.page.locator(".sidebar__new").click()
    chat.page.evaluate("hide()")
    other.page.evaluate("hide()")
    open_gate(chat, "gate:notified")
    for tab in (chat, other):
        expect(activity(tab, id)).to_have_attribute("data-activity", "answered")
    chat.page.wait_for_function(
        "navigator.locks.query().then(({ held }) => held.some(({ name }) => name.startsWith('notification')))"
    )
    shown = [tab for tab in (chat, other) if tab.page.evaluate("shown.length")]
    assert [tab.page.evaluate("shown") for tab in shown] == [[["Chat", "An answer is ready."]]]
    shown[0].page.evaluate("last.onclick()")
    expect(shown[0].page).to_have_url(f"{chat.site}/c/{id}/")
    chat.set_preferences(notifications="")
    other.page.close()
