"""The list of conversations in a real browser."""

import re
from contextlib import closing

import pytest
from playwright.sync_api import expect

from tests.browser.chat import COUNT_TO_FIFTY, Chat, HeldRequests, choose, group, id_of, row
from tests.server_process import Site, UserClient

pytestmark = pytest.mark.browser


# Deleting, archiving, renaming


def focused(tab):
    return tab.page.locator(":focus")


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
    chat.choose("slow").send(COUNT_TO_FIFTY)
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
    held = HeldRequests(chat.page, "**/restore")
    choose(chat, id, "Delete")
    with chat.page.expect_request("**/restore"):
        chat.page.get_by_role("button", name="Undo").press("Enter")
    chat.page.locator(".account").press("Enter")
    expect(chat.page.get_by_role("menuitem", name="Settings")).to_be_focused()
    held.release()
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


def test_collapsed_list_stays_collapsed(chat):
    chat.page.get_by_role("button", name="Hide chats").click()
    expect(chat.page.locator(".sidebar")).to_be_hidden()
    expect(chat.page.get_by_role("button", name="Show chats")).to_be_focused()
    answer = chat.page.reload()
    assert "sidebar-closed" in answer.text()  # the server makes it so: nothing jumps
    expect(chat.page.locator(".sidebar")).to_be_hidden()
    chat.page.keyboard.press("Control+k")
    expect(chat.page.get_by_role("searchbox", name="Search chats")).to_be_focused()


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
# The median time of two frames (ms) while it scrolls, and in between, as the machine may have other things to do.
SCROLL_UP = """async () => {
    const list = document.querySelector('.sidebar__list')
    const step = list.scrollHeight / 60
    const twoFrames = async () => {
        const began = performance.now()
        await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)))
        return performance.now() - began
    }
    const took = []
    const usual = []
    for (let steps = 59; steps >= 0; steps -= 1) {
        list.scrollTop = steps * step
        took.push(await twoFrames())
        usual.push(await twoFrames())
    }
    return [took, usual].map((times) => times.sort((one, other) => one - other)[30])
}"""


def test_ten_thousand_conversations_cost_no_more_than_a_few(new_context, crowded):
    tab = Chat(new_context().new_page(), crowded).log_in()
    expect(tab.page.get_by_role("link", name="Number 0", exact=True)).to_be_visible()
    tab.page.evaluate(SCROLL_DOWN)
    expect(tab.page.get_by_role("link", name="Number 9999", exact=True)).to_be_visible()
    assert tab.page.locator(".conversation").count() < 100
    assert re.fullmatch(r"\w+ \d{4}", tab.page.locator(".conversations__title").last.inner_text())
    took, usual = tab.page.evaluate(SCROLL_UP)
    assert took < max(400, 8 * usual)  # ms for two frames; with all rows on the page they take seconds
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
