"""The list of conversations in a real browser, and what other windows see of it."""

import re
from contextlib import closing
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from tests.browser.chat import Chat, choose, id_of, open_gate, page_title, row
from tests.server_process import Site, UserClient

pytestmark = pytest.mark.browser


@pytest.fixture
def elsewhere(new_context, chat):
    """Another browser of Alice's, which gets no updates from the first."""
    return Chat(new_context().new_page(), chat.site).log_in()


def group(tab, name):
    return tab.page.get_by_role("group", name=name)


def focused(tab):
    return tab.page.locator(":focus")


# What happens in one window is seen in the others


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


# Deleting, archiving, renaming


def test_delete_can_be_undone_in_the_open_conversation(chat, start_conversation):
    id = start_conversation("Precious")
    address = chat.page.url
    with chat.page.expect_response(lambda answer: answer.request.method == "DELETE"):
        choose(chat, id, "Delete")
        expect(chat.page).to_have_url(chat.site + "/")
    expect(chat.page.locator(".toast")).to_contain_text("Deleted “Precious”.")
    assert chat.page.request.get(f"{chat.site}/api/conversations/{id}").status == 404
    chat.page.get_by_role("button", name="Undo").click()
    expect(chat.page).to_have_url(address)
    expect(chat.replies.last).to_contain_text("Precious")
    expect(row(chat, id).get_by_role("link")).to_have_attribute("aria-current", "page")


def test_deletes_are_undone_one_after_another(chat, start_conversation):
    ids = [start_conversation(text) for text in ("One", "Two", "Three")]
    row(chat, ids[2]).get_by_role("link").focus()
    for id in reversed(ids[1:]):
        chat.page.keyboard.press("Delete")
        expect(row(chat, id)).to_have_count(0)
    for id in ids[1:]:
        chat.page.keyboard.press("Control+Z")
        expect(row(chat, id)).to_be_visible()


def test_delete_stops_a_running_reply(chat):
    chat.choose("slow").send("Count, please")
    expect(chat.replies.last).to_contain_text("1 2 3")
    id = id_of(chat)
    with chat.page.expect_response(lambda answer: answer.request.method == "DELETE"):
        choose(chat, id, "Delete")
        expect(row(chat, id)).to_have_count(0)
        chat.page.get_by_role("button", name="Undo").click()  # before the server is through with it
    expect(row(chat, id)).to_be_visible()
    chat.open(f"/c/{id}/")
    expect(chat.replies.last).to_contain_text("You stopped this answer.")


def test_delete_that_fails_restores_the_row(chat, start_conversation):
    id = start_conversation("Stubborn")
    chat.page.route(f"**/api/conversations/{id}", lambda route: route.abort())
    choose(chat, id, "Delete")
    expect(chat.page.locator(".toast")).to_contain_text("The server cannot be reached.")
    expect(row(chat, id)).to_be_visible()


def test_focus_is_never_lost(chat, start_conversation):
    ids = [start_conversation(f"Row {number}") for number in (1, 2, 3)]
    chat.open()
    link = row(chat, ids[1]).get_by_role("link")
    link.focus()
    link.press("Delete")  # the middle one; the next one takes its place
    expect(row(chat, ids[0]).get_by_role("link")).to_be_focused()
    focused(chat).press("ArrowUp")
    expect(row(chat, ids[2]).get_by_role("link")).to_be_focused()
    focused(chat).press("Control+z")
    expect(row(chat, ids[1]).get_by_role("link")).to_be_focused()
    focused(chat).press("F2")
    expect(chat.page.get_by_role("textbox", name="Title")).to_have_value("Row 2")
    chat.page.keyboard.press("Escape")
    expect(row(chat, ids[1]).get_by_role("link")).to_be_focused()
    focused(chat).press("Tab")
    focused(chat).press("Enter")
    expect(chat.page.get_by_role("menuitem", name="Share…")).to_be_focused()
    focused(chat).press("End")
    expect(chat.page.get_by_role("menuitem", name="Delete")).to_be_focused()
    focused(chat).press("ArrowDown")
    expect(chat.page.get_by_role("menuitem", name="Share…")).to_be_focused()
    focused(chat).press("Escape")
    expect(row(chat, ids[1]).get_by_role("button")).to_be_focused()
    focused(chat).press("Enter")
    chat.page.get_by_role("menuitem", name="Pin", exact=True).press("Enter")
    expect(group(chat, "Pinned").locator(f"[data-id='{ids[1]}']").get_by_role("button")).to_be_focused()
    focused(chat).press("Enter")
    chat.page.get_by_role("menuitem", name="Unpin").press("Enter")
    expect(group(chat, "Today").locator(f"[data-id='{ids[1]}']").get_by_role("button")).to_be_focused()


def test_undo_with_the_keyboard_moves_the_focus(chat, start_conversation):
    id = start_conversation("Back and forth")
    chat.open()
    choose(chat, id, "Archive")
    chat.page.get_by_role("button", name="Undo").focus()
    chat.page.keyboard.press("Enter")
    expect(row(chat, id)).to_be_visible()
    expect(chat.page.locator(".toast")).to_be_hidden()
    expect(chat.text).to_be_focused()


def test_slow_undo_leaves_the_focus_where_it_went_meanwhile(chat, start_conversation):
    id = start_conversation("Back and forth")
    chat.open(f"/c/{id}/")
    held = []
    chat.page.route("**/restore", lambda route: held.append(route))
    choose(chat, id, "Delete")
    with chat.page.expect_request("**/restore"):
        chat.page.get_by_role("button", name="Undo").press("Enter")
    chat.page.locator(".account").press("Enter")
    expect(chat.page.get_by_role("menuitem", name="Settings")).to_be_focused()
    held[0].continue_()
    expect(chat.page).to_have_url(f"{chat.site}/c/{id}/")
    expect(chat.replies.last).to_contain_text("Back and forth")
    expect(chat.page.get_by_role("menuitem", name="Settings")).to_be_focused()


def test_archive_lists_archived_conversations(chat, start_conversation):
    id = start_conversation("Put away")
    choose(chat, id, "Archive")
    expect(row(chat, id)).to_have_count(0)
    chat.page.locator(".account").click()
    chat.page.get_by_role("menuitem", name="Archive").click()
    expect(row(chat, id)).to_be_visible()
    expect(chat.page.get_by_role("button", name="Back to all chats")).to_be_focused()
    choose(chat, id, "Unarchive")
    expect(row(chat, id)).to_have_count(0)
    chat.page.get_by_role("button", name="Back to all chats").click()
    expect(row(chat, id)).to_be_visible()


# Searching


def test_search_shows_the_match_and_opens_it(chat, start_conversation):
    id = start_conversation("\n\n".join([*["A long text."] * 60, "The needle is in this line.", *["More of it."] * 60]))
    start_conversation("Something else")
    search = chat.page.get_by_role("searchbox", name="Search chats")
    search.fill("NEEDLE")
    found = row(chat, id)
    expect(found.locator("mark")).to_have_text("needle")
    expect(found).to_contain_text("The needle is in this line.")
    expect(chat.page.locator(".conversation")).to_have_count(1)
    expect(chat.page.get_by_text("One chat found.")).to_be_attached()
    found.get_by_role("link").click()
    expect(chat.page).to_have_url(re.compile(f"/c/{id}/#m-[0-9a-f-]{{36}}$"))
    message = chat.page.locator(".message--highlighted")
    expect(message).to_be_focused()
    assert chat.page.evaluate("[...CSS.highlights.get('search-match')].map(String)") == ["needle"]
    expect(chat.replies.last.get_by_text("The needle is in this line.")).to_be_in_viewport()
    expect(message).to_have_count(0)  # after a while
    search.press("ArrowDown")
    expect(found.get_by_role("link")).to_be_focused()
    search.fill("")
    expect(chat.page.locator(".conversation").nth(1)).to_be_visible()


def test_search_finds_words_of_two_japanese_characters(chat, start_conversation):
    id = start_conversation("明日は東京へ行きます")
    search = chat.page.get_by_role("searchbox", name="Search chats")
    search.fill("東京")
    expect(row(chat, id).locator("mark")).to_have_text(["東京", "東京"])  # in the title and in the message
    search.press("Enter")
    expect(chat.page).to_have_url(re.compile(f"/c/{id}/#m-"))


def test_search_marks_every_word_in_its_own_spelling(chat, start_conversation):
    id = start_conversation("Le CAFÉ de ｶﾞｲﾄﾞ: it’s `un cafe\u0301` noir")
    search = chat.page.get_by_role("searchbox", name="Search chats")
    search.fill("cafe ガイド it's")
    words = ["CAFÉ", "ｶﾞｲﾄﾞ", "it’s", "cafe\u0301"]
    found = row(chat, id)
    expect(found.locator(".conversation__title mark")).to_have_text(words)
    expect(found.locator(".conversation__snippet mark")).to_have_text(words)
    expect(found.locator(".conversation__snippet")).to_have_text("Le CAFÉ de ｶﾞｲﾄﾞ: it’s un cafe\u0301 noir")
    search.press("Enter")
    expect(chat.page.locator(".message--highlighted")).to_be_focused()
    assert chat.page.evaluate("[...CSS.highlights.get('search-match')].map(String)") == words
    search.fill("")
    expect(found.locator("mark")).to_have_count(0)


def test_search_shows_plain_text(chat, start_conversation):
    id = start_conversation("Which is the needle?\n```\nneedle()\n```\nSay `it`.")
    chat.page.get_by_role("searchbox", name="Search chats").fill("needle")
    expect(row(chat, id).locator(".conversation__snippet")).not_to_contain_text("`")


def test_search_result_opened_with_enter_types_nothing(chat, start_conversation):
    id = start_conversation("The needle in a haystack")
    chat.open()
    search = chat.page.get_by_role("searchbox", name="Search chats")
    search.fill("needle haystack")
    expect(row(chat, id).locator("mark").first).to_be_visible()
    search.press("Enter")
    expect(chat.page).to_have_url(re.compile(f"/c/{id}/#m-"))
    expect(chat.page.locator(".message--highlighted")).to_be_focused()
    expect(chat.text).to_have_value("")


def test_search_without_matches_says_so(chat):
    chat.page.get_by_role("searchbox", name="Search chats").fill("zzz not there zzz")
    expect(chat.page.get_by_text("No chats found.")).to_be_visible()


HOSTILE = '<img src=x onerror="document.title=1"><script>alert(1)</script> \u202egnp.exe "><svg onload=alert(1)>'


def test_hostile_titles_and_snippets_are_inert(chat, start_conversation):
    dialogs = []
    chat.page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    id = start_conversation(HOSTILE)
    chat.page.get_by_role("searchbox", name="Search chats").fill("<img src=x onerror=")
    expect(row(chat, id).locator("mark").first).to_have_text("<img")
    expect(chat.page.locator(".conversation :is(img, script, svg[onload])")).to_have_count(0)
    choose(chat, id, "Delete")
    expect(chat.page.locator(".toast")).to_contain_text("<script>")
    assert dialogs == []


# Many


@pytest.fixture(scope="module")
def crowded(tmp_path_factory):
    """A server where Alice has 10,000 conversations, of which the oldest are two years old."""
    server = Site(tmp_path_factory.mktemp("crowded"), "tests.browser.asgi.application")
    server.shell(
        "from datetime import timedelta\n"
        "from django.contrib.auth import get_user_model\n"
        "from django.utils import timezone\n"
        "from chat.models import Conversation\n"
        "alice, now = get_user_model().objects.get(username='alice'), timezone.now()\n"
        "Conversation.objects.bulk_create((\n"
        "    Conversation(owner=alice, title=f'Number {n}', updated_at=now - timedelta(minutes=100 * n))\n"
        "    for n in range(10_000)\n"
        "), batch_size=1000)"
    )
    yield server.start().url
    server.close()


SCROLL_DOWN = """async () => {
    const list = document.querySelector('.sidebar__list')
    while (!list.querySelector('[data-ref=more]').hidden) {
        list.scrollTop = list.scrollHeight
        await new Promise(requestAnimationFrame)
    }
    list.scrollTop = list.scrollHeight
}"""
SCROLL_UP = """async () => {
    const list = document.querySelector('.sidebar__list')
    const step = list.scrollHeight / 120
    const took = []
    for (let steps = 119; steps >= 0; steps -= 1) {
        list.scrollTop = steps * step
        const began = performance.now()
        await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)))
        took.push(performance.now() - began)
    }
    return took.sort((one, other) => one - other)
}"""


def test_ten_thousand_conversations_cost_no_more_than_a_few(new_context, crowded):
    tab = Chat(new_context().new_page(), crowded).log_in()
    expect(tab.page.get_by_role("link", name="Number 0", exact=True)).to_be_visible()
    tab.page.evaluate(SCROLL_DOWN)
    expect(tab.page.get_by_role("link", name="Number 9999", exact=True)).to_be_visible()
    assert tab.page.locator(".conversation").count() < 100
    assert re.fullmatch(r"\w+ \d{4}", tab.page.locator(".conversations__title").last.inner_text())
    took = tab.page.evaluate(SCROLL_UP)
    assert sorted(took)[len(took) // 2] < 400  # ms for two frames on a busy machine; with all rows it takes seconds
    expect(tab.page.get_by_role("link", name="Number 0", exact=True)).to_be_visible()


def test_scroll_position_stays_when_rows_are_added_above(new_context, crowded):
    tab = Chat(new_context().new_page(), crowded).log_in()
    expect(tab.page.get_by_role("link", name="Number 0", exact=True)).to_be_visible()
    tab.page.evaluate("document.querySelector('.sidebar__list').scrollTop = 1000")
    seen = tab.page.get_by_role("link", name="Number 35", exact=True)
    expect(seen).to_be_visible()
    before = seen.bounding_box()["y"]
    today = tab.page.locator(".conversations__rows").first
    count = today.evaluate("(rows) => rows.style.getPropertyValue('--row-count')")
    with closing(UserClient(crowded, "alice")) as alice:
        alice.ask("Something new")
    expect(today).to_have_attribute("style", f"--row-count: {int(count) + 1};")  # it is far above
    assert abs(seen.bounding_box()["y"] - before) < 1


def test_arrow_keys_reach_all_conversations(new_context, crowded):
    tab = Chat(new_context().new_page(), crowded).log_in()
    link = tab.page.locator(".conversation a").first
    link.focus()
    for _ in range(60):
        tab.page.keyboard.press("ArrowDown")
    expect(tab.page.locator(".conversation a:focus")).to_be_in_viewport()
    assert tab.page.locator(".conversation", has=tab.page.locator(":focus")).get_attribute("aria-posinset")
    tab.page.evaluate("document.querySelector('.sidebar__list').scrollTop = 0")  # with the mouse
    expect(tab.page.get_by_role("link", name="Number 0", exact=True)).to_be_visible()
    expect(tab.page.locator(".conversation a:focus")).to_have_count(1)
    tab.page.keyboard.press("Home")
    expect(tab.page.locator(".conversation a").first).to_be_focused()


def test_failed_page_of_the_list_can_be_retried(new_context, crowded):
    tab = Chat(new_context().new_page(), crowded)
    requests = []

    def fail(route):
        requests.append(route.request.url)
        route.abort()

    tab.page.route(re.compile(r"/api/conversations\?.*cursor="), fail)
    tab.log_in()
    expect(tab.page.get_by_role("link", name="Number 0", exact=True)).to_be_visible()
    tab.page.wait_for_load_state("networkidle")  # the list is asked for once more when its news are heard
    tab.page.evaluate("document.querySelector('.sidebar__list').scrollTop = 1e9")
    again = tab.page.get_by_role("button", name="Try again")
    expect(again).to_be_visible()
    tab.page.unroute(re.compile(r"/api/conversations\?.*cursor="))
    again.click()
    expect(tab.page.get_by_role("link", name="Number 60", exact=True)).to_be_attached()
    assert requests


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


def test_collapsed_list_stays_collapsed(chat):
    chat.page.get_by_role("button", name="Hide chats").click()
    expect(chat.page.locator(".sidebar")).to_be_hidden()
    expect(chat.page.get_by_role("button", name="Show chats")).to_be_focused()
    answer = chat.page.reload()
    assert "sidebar-closed" in answer.text()  # the server makes it so: nothing jumps
    expect(chat.page.locator(".sidebar")).to_be_hidden()
    chat.page.keyboard.press("Control+k")
    expect(chat.page.get_by_role("searchbox", name="Search chats")).to_be_focused()


def test_messages_sent_at_the_same_moment_are_versions_in_both_windows(chat, start_conversation, elsewhere):
    id = start_conversation("First")
    elsewhere.open(f"/c/{id}/")
    expect(elsewhere.replies).to_have_count(1)
    held = []
    chat.page.route(
        "**/messages", lambda route: held.append(route) if route.request.method == "POST" else route.continue_()
    )
    chat.text.fill("From here")
    with chat.page.expect_request("**/messages"):
        chat.text.press("Enter")
    elsewhere.send("From there")
    held[0].continue_()
    for tab in (chat, elsewhere):
        expect(tab.page.locator(".message__bubble")).to_have_text(["First", "From here"])
        expect(tab.page.locator(".message--question .versions__position").last).to_have_text("2 / 2")


# What happens in other chats


def activity(tab, id):
    return row(tab, id).locator(".conversation__activity")


def forget_all(tab):
    """Delete what earlier tests left that wants attention."""
    headers = {"X-CSRFToken": next(c["value"] for c in tab.page.context.cookies() if c["name"] == "csrftoken")}
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
