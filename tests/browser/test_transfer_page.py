"""Taking conversations along from the page: links, files, paper; and bringing some."""

import json
import re
from urllib.parse import unquote

import pytest
from playwright.sync_api import expect

from tests.browser.chat import Chat, choose, id_of
from tests.server_process import PASSWORD

pytestmark = pytest.mark.browser

ANSWER = "# A heading\n\nSome **bold** words and `code`.\n\n```python\nprint(1)\n```\n\n<img src=x onerror=alert(1)>"


@pytest.fixture
def shared(chat, start_conversation):
    """The address of a link to a conversation of Alice's."""
    start_conversation(ANSWER)
    chat.page.get_by_role("button", name="Chat options").click()
    chat.page.get_by_role("menuitem", name="Share…").click()
    chat.page.get_by_role("button", name="Create a link").click()
    expect(chat.page.get_by_role("textbox", name="Link")).to_have_count(1)
    return chat.page.get_by_role("textbox", name="Link").input_value()


def read(tab, address):
    tab.page.goto(address)
    return tab.page.locator(".transcript-message")


# Links


def test_shared_link_shows_the_conversation_up_to_that_point(new_context, chat, shared):
    assert re.fullmatch(re.escape(chat.site) + r"/s/[\w-]{20,}/", shared)
    chat.page.keyboard.press("Escape")
    chat.send("Said later")
    bob = Chat(new_context().new_page(), chat.site).log_in("bob")
    dialogs = []
    bob.page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    messages = read(bob, shared)
    expect(messages).to_have_count(2)
    expect(messages.first).to_contain_text("# A heading")  # as the user wrote it
    expect(messages.last.get_by_role("heading", name="A heading")).to_be_visible()
    expect(messages.last.locator(".code pre")).to_contain_text("print(1)")
    expect(messages.last.locator("time")).to_be_visible()
    expect(messages.locator("img[src=x]")).to_have_count(0)
    expect(bob.page.get_by_text("Said later")).to_have_count(0)
    expect(bob.page.locator("textarea, .composer")).to_have_count(0)
    assert dialogs == []


@pytest.mark.parametrize(("locale", "user"), [("en-US", "User"), ("ja-JP", "ユーザー")])
def test_shared_question_is_not_called_the_readers(new_context, chat, shared, locale, user):
    bob = Chat(new_context(locale=locale).new_page(), chat.site)
    bob.page.goto(shared)
    bob.page.locator("[name=username]").fill("bob")
    bob.page.locator("[name=password]").fill(PASSWORD)
    bob.page.locator("[type=submit]").click()
    author = bob.page.locator(".transcript-message__author [data-ref=name]").first
    expect(author).to_have_text(user)
    this_year = str(bob.page.evaluate("new Date().getFullYear()"))
    expect(bob.page.locator("[data-ref=shared-at]")).to_contain_text(this_year)
    paper = chat.page.context.new_page()
    paper.goto(f"{chat.site}/c/{id_of(chat)}/print/")
    expect(paper.locator(".transcript-message__author [data-ref=name]").first).to_have_text("You")


def test_shared_conversation_is_continued_by_its_reader(new_context, chat, shared):
    bob = Chat(new_context().new_page(), chat.site).log_in("bob")
    read(bob, shared)
    bob.page.get_by_role("button", name="Continue in my own chat").click()
    bob.page.wait_for_url(re.compile("/c/"))
    assert id_of(bob) != id_of(chat)
    expect(bob.replies).to_have_count(1)
    expect(bob.replies.last).to_contain_text("Copied up to here from a chat that was shared on")
    bob.send("And then?")
    bob.wait_for_end()
    assert bob.reply_text() == "And then?"
    expect(chat.replies).to_have_count(1)


def test_shared_conversation_that_cannot_be_copied_says_why(new_context, chat, shared):
    bob = Chat(new_context().new_page(), chat.site).log_in("bob")
    read(bob, shared)
    answer = {"error": {"code": "storage_full", "message": "Your images and files take up too much space."}}
    bob.page.route("**/copies", lambda route: route.fulfill(status=413, json=answer))
    bob.page.get_by_role("button", name="Continue in my own chat").click()
    expect(bob.page.get_by_role("alert").get_by_text(answer["error"]["message"])).to_be_visible()


def test_shared_link_comes_back_from_the_login(new_context, chat, shared):
    bob = new_context(locale="ja-JP").new_page()
    bob.goto(f"{chat.site}/accounts/login/?next={shared.removeprefix(chat.site)}%23continue")
    bob.locator("[name=username]").fill("bob")
    bob.locator("[name=password]").fill(PASSWORD)
    bob.locator("[type=submit]").click()
    expect(bob.get_by_role("button", name="自分の会話として続ける")).to_be_focused()


def test_shared_link_asks_for_a_login(new_context, chat, shared):
    anonymous = new_context().new_page()
    anonymous.goto(shared)
    expect(anonymous).to_have_url(re.compile("/accounts/login/"))


def test_shared_link_is_copied_and_revoked(new_context, chat, shared):
    chat.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    dialog = chat.page.get_by_role("dialog", name="Share this chat")
    expect(dialog.get_by_role("button", name="Copy")).to_be_focused()
    chat.page.keyboard.press("Enter")
    expect(dialog.get_by_role("button", name="Copied")).to_be_visible()
    assert chat.page.evaluate("navigator.clipboard.readText()") == shared
    dialog.get_by_role("button", name="Create a link").click()
    expect(dialog.get_by_role("listitem")).to_have_count(2)
    chat.page.keyboard.press("Escape")
    expect(chat.page.get_by_role("button", name="Chat options")).to_be_focused()
    chat.page.keyboard.press("Enter")
    chat.page.keyboard.press("Enter")  # its first entry
    expect(dialog.get_by_role("listitem")).to_have_count(2)  # they are still there
    dialog.get_by_role("button", name="Revoke the link").last.click()
    expect(dialog.get_by_role("listitem")).to_have_count(1)
    expect(dialog.get_by_role("button", name="Revoke the link")).to_be_focused()
    bob = Chat(new_context().new_page(), chat.site).log_in("bob")
    assert bob.page.request.get(shared).status == 404
    dialog.get_by_role("button", name="Revoke the link").click()
    expect(dialog.get_by_role("button", name="Create a link")).to_be_focused()


def test_refused_share_says_why(chat, start_conversation):
    id = start_conversation("Hello")
    answer = {"error": {"code": "broken", "message": "There is nothing to share yet."}}
    chat.page.route("**/shares", lambda route: route.fulfill(status=409, json=answer))
    choose(chat, id, "Share…")
    chat.page.get_by_role("button", name="Create a link").click()
    expect(chat.page.get_by_role("alert").get_by_text(answer["error"]["message"])).to_be_visible()


# Files and paper


@pytest.mark.parametrize(("entry", "ending"), [("Export as Markdown", "md"), ("Export as JSON", "json")])
def test_export_downloads_a_file(chat, start_conversation, entry, ending):
    id = start_conversation("Words to keep")
    with chat.page.expect_download() as download:
        choose(chat, id, entry)
    assert download.value.suggested_filename == f"Words to keep.{ending}"
    text = download.value.path().read_text()
    assert "Words to keep" in text
    expect(chat.page).to_have_url(re.compile(id))
    if ending == "json":
        assert json.loads(text)["format"] == "chat-export"


def test_print_shows_the_conversation(chat, start_conversation):
    id = start_conversation(ANSWER)
    chat.page.context.add_init_script("window.print = () => { document.title = 'printed' }")
    with chat.page.expect_popup() as popup:
        choose(chat, id, "Print")
    paper = popup.value
    expect(paper).to_have_url(f"{chat.site}/c/{id}/print/")
    expect(paper.locator(".transcript-message")).to_have_count(2)
    expect(paper.get_by_role("heading", name="A heading", exact=True)).to_be_visible()
    expect(paper).to_have_title("printed")
    paper.emulate_media(media="print", color_scheme="dark")
    expect(paper.get_by_role("button", name="Print")).to_be_hidden()
    assert paper.evaluate("getComputedStyle(document.body).color") == "rgb(27, 32, 34)"  # dark on light
    assert paper.pdf()[:4] == b"%PDF"


def test_print_uses_light_diagrams(chat, start_conversation):
    id = start_conversation("```mermaid\nflowchart LR\n  a --> b\n```\n\n```mermaid\nno diagram\n```")
    chat.page.context.add_init_script("window.print = () => { document.title = `printed ${performance.now()}` }")
    paper = chat.page.context.new_page()
    paper.emulate_media(color_scheme="dark")
    paper.goto(f"{chat.site}/c/{id}/print/")
    expect(paper).to_have_title(re.compile("printed"))
    pictures = paper.locator(".diagram img")
    expect(pictures.first).to_be_visible()
    dark = "rgb(24, 26, 29)"  # the page's own
    for picture in pictures.all():
        assert dark not in unquote(picture.get_attribute("src"))
    assert paper.evaluate("getComputedStyle(document.body).backgroundColor") != dark


def test_print_includes_all_of_a_long_reply(chat, start_conversation):
    words = "\n\n".join(f"- **Item** {number} with `code`, and [a link](https://example.com)" for number in range(900))
    id = start_conversation(f"{words}\n\nThe very end", assistant="mirror")
    chat.page.context.add_init_script("window.print = () => { document.title = document.body.textContent.slice(-200) }")
    paper = chat.page.context.new_page()
    paper.goto(f"{chat.site}/c/{id}/print/")
    expect(paper).to_have_title(re.compile("The very end"))


def test_print_restores_the_dark_theme_of_a_shared_page(new_context, chat, shared):
    bob = Chat(new_context(color_scheme="dark").new_page(), chat.site).log_in("bob")
    bob.page.context.add_init_script("window.print = () => { document.title = document.documentElement.dataset.theme }")
    read(bob, shared)
    bob.page.get_by_role("button", name="Print").click()
    expect(bob.page).to_have_title("light")
    bob.page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert bob.page.evaluate("getComputedStyle(document.body).colorScheme") in ("dark", "light dark")
    assert bob.page.evaluate("document.documentElement.dataset.theme") is None


def test_print_includes_the_tool_calls(chat, start_conversation):
    id = start_conversation("When?", assistant="tools")
    paper = chat.page.context.new_page()
    paper.goto(f"{chat.site}/c/{id}/print/")
    expect(paper.locator(".transcript-message__tool")).to_have_text(["Used: Clock", "Used: Calculator"])
    expect(paper.get_by_text("It is noon.")).to_be_visible()


def test_shared_and_printed_answers_note_what_the_model_did_not_see(new_context, chat):
    chat.open().choose("small")
    chat.send("The first word " + "counts " * 150)
    chat.wait_for_end()
    chat.send("And now?")
    chat.wait_for_end()
    choose(chat, id_of(chat), "Share…")
    chat.page.get_by_role("button", name="Create a link").click()
    link = chat.page.get_by_role("textbox", name="Link").input_value()
    bob = Chat(new_context().new_page(), chat.site).log_in("bob")
    note = re.compile("The model saw only the last .*message.* before this answer")
    expect(read(bob, link).last.get_by_role("note").filter(has_text=note)).to_be_visible()
    paper = chat.page.context.new_page()
    paper.goto(f"{chat.site}/c/{id_of(chat)}/print/")
    expect(paper.get_by_role("note").filter(has_text=note)).to_be_visible()


# All of it, out and in


def test_export_of_everything_can_be_imported(new_context, chat, start_conversation, tmp_path):
    start_conversation("Something to carry")
    chat.open_settings()
    with chat.page.expect_download() as download:
        chat.page.get_by_role("link", name="Export everything").click()
    file = tmp_path / "all.json"
    download.value.save_as(file)
    exported = json.loads(file.read_text())
    assert exported["user"]["username"] == "alice"
    count = len(exported["conversations"])
    charlie = Chat(new_context().new_page(), chat.site).log_in("charlie")
    charlie.open_settings()
    bring(charlie, file)
    expect(charlie.page.get_by_text(re.compile(rf"^({count}|One) chats? with .* imported\.$"))).to_be_visible()
    charlie.page.keyboard.press("Escape")
    expect(charlie.page.locator(".conversation", has_text="Something to carry").first).to_be_visible()
    charlie.open_settings()
    bring(charlie, file)
    again = re.compile(r"Nothing new to import\. (One chat was|\d+ chats were) already in your list\.")
    expect(charlie.page.get_by_text(again)).to_be_visible()


def bring(tab, file):
    with tab.page.expect_file_chooser() as chooser:
        tab.page.get_by_role("button", name="Import…").click()
    chooser.value.set_files(file)


def test_import_reads_a_chatgpt_export(new_context, site, tmp_path):
    def message(role, text):
        return {"author": {"role": role}, "content": {"content_type": "text", "parts": [text]}, "create_time": 1.7e9}

    mapping = {
        "a": {"message": message("user", "Kyoto in spring"), "parent": None, "children": ["b"]},
        "b": {"message": message("assistant", "Lovely."), "parent": "a", "children": []},
    }
    trip = {"id": "x", "title": "A trip", "create_time": 1.7e9, "mapping": mapping, "current_node": "b"}
    file = tmp_path / "conversations.json"
    file.write_text(json.dumps([trip]))
    bob = Chat(new_context().new_page(), site).log_in("bob")
    bob.open_settings()
    bring(bob, file)
    expect(bob.page.get_by_text("One chat with 2 messages imported.")).to_be_visible()
    bob.page.keyboard.press("Escape")
    bob.page.locator("[data-ref=list]").get_by_role("link", name="A trip").click()
    expect(bob.replies.last).to_contain_text("Lovely.")


def test_import_of_another_file_says_so(chat, tmp_path):
    file = tmp_path / "list.json"
    file.write_text("{]")
    chat.open_settings()
    bring(chat, file)
    expect(chat.page.get_by_text("This file is not valid JSON.")).to_be_visible()


def test_import_shows_what_it_left_out(new_context, site, tmp_path):
    message = {"id": "1", "parent_id": None, "role": "user", "parts": [], "created_at": "2026-01-01"}
    row = {
        "id": "whole",
        "title": "Whole",
        "created_at": "2026-01-01",
        "updated_at": "2026-01-01",
        "messages": [message],
    }
    rows = [row, row | {"id": "odd", "title": "Odd <b>", "messages": 5}]
    file = tmp_path / "all.json"
    file.write_text(json.dumps({"format": "chat-export", "version": 1, "conversations": rows}))
    bob = Chat(new_context().new_page(), site).log_in("bob")
    bob.open_settings()
    bring(bob, file)
    expect(bob.page.get_by_text("One chat with one message imported. One problem:")).to_be_visible()
    expect(bob.page.get_by_role("listitem").get_by_text("Odd <b>: It cannot be read.")).to_be_in_viewport()


PROGRESS = {
    "en-US": (
        "Waiting for other imports to finish…",
        "3 of 10 chats imported…",
        "One chat with one message imported.",
    ),
    "ja-JP": (
        "ほかのインポートが終わるのを待っています…",
        "10件中3件の会話をインポートしました…",
        "1件の会話（メッセージ1件）をインポートしました。",
    ),
}
SAVING = {"state": "saving", "name": "all.json", "started_at": "2026-01-01T00:00:00Z", "done": 3, "total": 10}
RESULT = {"conversations": 1, "messages": 1, "known": 0, "updated": 0, "left_out": [], "left_out_count": 0}


@pytest.mark.parametrize("locale", PROGRESS)
def test_import_shows_how_far_it_is_after_a_reload(new_context, site, locale):
    waiting, progress, end = PROGRESS[locale]
    page = new_context(locale=locale, viewport={"width": 390, "height": 600}).new_page()
    saving = SAVING | {"result": None, "problem": ""}
    newest = [saving | {"state": "waiting", "total": None}]
    page.route("**/api/import", lambda route: route.fulfill(json=newest[0]))
    page.goto(site)
    page.locator("[name=username]").fill("bob")
    page.locator("[name=password]").fill(PASSWORD)
    page.locator("[type=submit]").click()
    page.wait_for_url(f"{site}/")
    expect(page.locator("[data-ref=assistant-name]")).not_to_be_empty()  # the page listens to keys
    page.keyboard.press("Control+,")
    expect(page.get_by_text(waiting)).to_have_count(1)
    newest[0] = saving
    expect(page.get_by_text(progress)).to_have_count(1)
    bar = page.locator("[data-ref=import-progress]")
    expect(bar).to_have_js_property("value", 0.3)
    newest[0] = newest[0] | {"state": "finished", "done": 10, "result": RESULT}
    expect(page.get_by_role("status").filter(has_text=end)).to_have_count(1)
    expect(bar).to_be_hidden()


def test_failed_import_says_why(chat):
    failed = SAVING | {"state": "failed", "result": None, "problem": "The import took too long."}
    chat.page.route("**/api/import", lambda route: route.fulfill(json=failed))
    chat.open_settings()
    expect(chat.page.locator("[data-ref=import-result]")).to_contain_text(failed["problem"])


def test_import_ends_in_sight_and_is_shown_again_later(new_context, site, tmp_path):
    message = {"id": "1", "parent_id": None, "role": "user", "parts": [], "created_at": "2026-01-01"}
    row = {"id": "sight", "title": "In sight", "created_at": "2026-01-01", "updated_at": "2026-01-01"}
    file = tmp_path / "mine.json"
    rows = [row | {"messages": [message]}]
    file.write_text(json.dumps({"format": "chat-export", "version": 1, "conversations": rows}))
    bob = Chat(new_context(viewport={"width": 390, "height": 600}).new_page(), site).log_in("bob")
    bob.page.get_by_role("button", name="Show chats").click()
    bob.open_settings()
    bring(bob, file)
    result = bob.page.locator("[data-ref=import-result]")
    expect(result).to_be_focused()
    expect(result.get_by_role("status")).to_have_text("One chat with one message imported.")
    expect(result.get_by_role("status")).to_be_in_viewport()
    bob.page.reload()
    bob.page.get_by_role("button", name="Show chats").click()
    bob.open_settings()
    expect(result).to_contain_text("mine.json")
    expect(result.get_by_role("status")).to_have_text("One chat with one message imported.")


def test_import_shows_its_upload(new_context, site, tmp_path):
    file = tmp_path / "large.json"
    file.write_text("{]" + " " * 5_000_000)
    bob = Chat(new_context().new_page(), site).log_in("bob")
    bob.page.context.new_cdp_session(bob.page).send(
        "Network.emulateNetworkConditions",
        {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 2_000_000},
    )
    bob.open_settings()
    bring(bob, file)
    expect(bob.page.get_by_text(re.compile(r"^Uploading… \d+%$"))).to_be_visible()
    expect(bob.page.get_by_role("progressbar")).to_be_visible()
    expect(bob.page.get_by_text("This file is not valid JSON.")).to_be_in_viewport()
    expect(bob.page.get_by_role("progressbar")).to_be_hidden()
