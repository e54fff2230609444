"""Taking conversations along from the page: links, files, paper; and bringing some."""

import json
import re
from urllib.parse import unquote

import pytest
from playwright.sync_api import expect

from tests.browser.chat import Chat, choose

pytestmark = pytest.mark.browser

ANSWER = "# A heading\n\nSome **bold** words and `code`.\n\n```python\nprint(1)\n```\n\n<img src=x onerror=alert(1)>"


@pytest.fixture
def shared(chat, start_conversation):
    """The address of a link to a conversation of Alice's."""
    start_conversation(ANSWER)
    chat.page.get_by_role("button", name="Conversation options").click()
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
    said = read(bob, shared)
    expect(said).to_have_count(2)
    expect(said.first).to_contain_text("# A heading")  # as the user wrote it
    expect(said.last.get_by_role("heading", name="A heading")).to_be_visible()
    expect(said.last.locator(".code pre")).to_contain_text("print(1)")
    expect(said.last.locator("time")).to_be_visible()
    expect(said.locator("img[src=x]")).to_have_count(0)
    expect(bob.page.get_by_text("Said later")).to_have_count(0)
    expect(bob.page.locator("textarea, .composer")).to_have_count(0)
    assert dialogs == []


def test_shared_link_asks_for_a_login(new_context, chat, shared):
    anonymous = new_context().new_page()
    anonymous.goto(shared)
    expect(anonymous).to_have_url(re.compile("/accounts/login/"))


def test_shared_link_is_copied_and_revoked(new_context, chat, shared):
    chat.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    dialog = chat.page.get_by_role("dialog", name="Share this conversation")
    expect(dialog.get_by_role("button", name="Copy")).to_be_focused()
    chat.page.keyboard.press("Enter")
    expect(dialog.get_by_role("button", name="Copied")).to_be_visible()
    assert chat.page.evaluate("navigator.clipboard.readText()") == shared
    dialog.get_by_role("button", name="Create a link").click()
    expect(dialog.get_by_role("listitem")).to_have_count(2)
    chat.page.keyboard.press("Escape")
    expect(chat.page.get_by_role("button", name="Conversation options")).to_be_focused()
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
    picture = paper.locator(".diagram img")
    dark = "rgb(22, 24, 27)"  # the page's own
    assert dark not in unquote(picture.get_attribute("src"))
    assert paper.evaluate("getComputedStyle(document.body).backgroundColor") != dark


def test_print_includes_the_whole_of_a_long_reply(chat, start_conversation):
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


# All of it, out and in


def test_export_of_everything_can_be_imported(new_context, chat, start_conversation, tmp_path):
    start_conversation("Something to carry")
    chat.open_settings()
    with chat.page.expect_download() as download:
        chat.page.get_by_role("link", name="Export everything").click()
    file = tmp_path / "all.json"
    download.value.save_as(file)
    told = json.loads(file.read_text())
    assert told["user"]["username"] == "alice"
    count = len(told["conversations"])
    charlie = Chat(new_context().new_page(), chat.site).log_in("charlie")
    charlie.open_settings()
    bring(charlie, file)
    expect(charlie.page.get_by_text(re.compile(rf"^({count}|One) conversations? with .* imported\.$"))).to_be_visible()
    charlie.page.keyboard.press("Escape")
    expect(charlie.page.locator(".conversation", has_text="Something to carry").first).to_be_visible()
    charlie.open_settings()
    bring(charlie, file)
    again = re.compile(r"Nothing new to import\. (One conversation was|\d+ conversations were) already in your list\.")
    expect(charlie.page.get_by_text(again)).to_be_visible()


def bring(tab, file):
    with tab.page.expect_file_chooser() as chooser:
        tab.page.get_by_role("button", name="Import…").click()
    chooser.value.set_files(file)


def test_import_reads_a_chatgpt_export(new_context, site, tmp_path):
    def said(role, text):
        return {"author": {"role": role}, "content": {"content_type": "text", "parts": [text]}, "create_time": 1.7e9}

    mapping = {
        "a": {"message": said("user", "Kyoto in spring"), "parent": None, "children": ["b"]},
        "b": {"message": said("assistant", "Lovely."), "parent": "a", "children": []},
    }
    trip = {"id": "x", "title": "A trip", "create_time": 1.7e9, "mapping": mapping, "current_node": "b"}
    file = tmp_path / "conversations.json"
    file.write_text(json.dumps([trip]))
    bob = Chat(new_context().new_page(), site).log_in("bob")
    bob.open_settings()
    bring(bob, file)
    expect(bob.page.get_by_text("One conversation with 2 messages imported.")).to_be_visible()
    bob.page.keyboard.press("Escape")
    bob.page.get_by_role("link", name="A trip").click()
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
    expect(bob.page.get_by_text("One conversation with one message imported. One problem:")).to_be_visible()
    expect(bob.page.get_by_role("listitem").get_by_text("Odd <b>: It cannot be read.")).to_be_in_viewport()
