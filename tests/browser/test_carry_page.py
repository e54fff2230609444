"""Taking conversations along from the page: links, files, paper; and bringing some."""

import json
import re
from urllib.parse import unquote

import pytest
from playwright.sync_api import expect

from .test_list import choose, id_of, row, talk  # noqa: F401  a fixture
from .test_page import Chat, chat, context  # noqa: F401  fixtures

pytestmark = pytest.mark.browser

ANSWER = "# A heading\n\nSome **bold** words and `code`.\n\n```python\nprint(1)\n```\n\n<img src=x onerror=alert(1)>"


@pytest.fixture
def shared(chat, talk):  # noqa: F811
    """The address of a link to a conversation of Alice's."""
    talk(ANSWER)
    chat.page.get_by_role("button", name="Options for this conversation").click()
    chat.page.get_by_role("menuitem", name="Share…").click()
    chat.page.get_by_role("button", name="Create a link").click()
    expect(chat.page.get_by_role("textbox", name="Link")).to_have_count(1)
    return chat.page.get_by_role("textbox", name="Link").input_value()


def read(tab, address):
    tab.page.goto(address)
    return tab.page.locator(".said")


# Links


def test_a_link_shows_what_was_said_until_then(context, chat, shared):  # noqa: F811
    assert re.fullmatch(re.escape(chat.site) + r"/s/[\w-]{20,}/", shared)
    chat.page.keyboard.press("Escape")
    chat.send("Said later")
    bob = Chat(context().new_page(), chat.site).log_in("bob")
    dialogs = []
    bob.page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    said = read(bob, shared)
    expect(said).to_have_count(2)
    expect(said.first).to_contain_text("# A heading")  # as the person wrote it
    expect(said.last.get_by_role("heading", name="A heading")).to_be_visible()
    expect(said.last.locator(".code pre")).to_contain_text("print(1)")
    expect(said.last.locator("time")).to_be_visible()
    expect(said.locator("img[src=x]")).to_have_count(0)
    expect(bob.page.get_by_text("Said later")).to_have_count(0)
    expect(bob.page.locator("textarea, .composer")).to_have_count(0)
    assert dialogs == []


def test_a_link_asks_for_a_login_here(context, chat, shared):  # noqa: F811
    stranger = context().new_page()
    stranger.goto(shared)
    expect(stranger).to_have_url(re.compile("/accounts/login/"))


def test_a_link_is_copied_and_revoked(context, chat, shared):  # noqa: F811
    chat.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    dialog = chat.page.get_by_role("dialog", name="Share this conversation")
    expect(dialog.get_by_role("button", name="Copy")).to_be_focused()
    chat.page.keyboard.press("Enter")
    expect(dialog.get_by_role("button", name="Copied")).to_be_visible()
    assert chat.page.evaluate("navigator.clipboard.readText()") == shared
    dialog.get_by_role("button", name="Create a link").click()
    expect(dialog.get_by_role("listitem")).to_have_count(2)
    chat.page.keyboard.press("Escape")
    expect(chat.page.get_by_role("button", name="Options for this conversation")).to_be_focused()
    chat.page.keyboard.press("Enter")
    chat.page.keyboard.press("Enter")  # its first entry
    expect(dialog.get_by_role("listitem")).to_have_count(2)  # they are still there
    dialog.get_by_role("button", name="Revoke the link").last.click()
    expect(dialog.get_by_role("listitem")).to_have_count(1)
    expect(dialog.get_by_role("button", name="Revoke the link")).to_be_focused()
    bob = Chat(context().new_page(), chat.site).log_in("bob")
    assert bob.page.request.get(shared).status == 404
    dialog.get_by_role("button", name="Revoke the link").click()
    expect(dialog.get_by_role("button", name="Create a link")).to_be_focused()


def test_what_cannot_be_shared_says_why(chat, talk):  # noqa: F811
    id = talk("Hello")
    answer = {"error": {"code": "broken", "message": "There is nothing to share yet."}}
    chat.page.route("**/shares", lambda route: route.fulfill(status=409, json=answer))
    choose(chat, id, "Share…")
    chat.page.get_by_role("button", name="Create a link").click()
    expect(chat.page.get_by_role("alert").get_by_text(answer["error"]["message"])).to_be_visible()


# Files and paper


@pytest.mark.parametrize(("entry", "ending"), [("Export as Markdown", "md"), ("Export as JSON", "json")])
def test_a_conversation_is_a_file(chat, talk, entry, ending):  # noqa: F811
    id = talk("Words to keep")
    with chat.page.expect_download() as download:
        choose(chat, id, entry)
    assert download.value.suggested_filename == f"Words to keep.{ending}"
    text = download.value.path().read_text()
    assert "Words to keep" in text
    expect(chat.page).to_have_url(re.compile(id))
    if ending == "json":
        assert json.loads(text)["format"] == "chat-export"


def test_a_conversation_is_printed(chat, talk):  # noqa: F811
    id = talk(ANSWER)
    chat.page.context.add_init_script("window.print = () => { document.title = 'printed' }")
    with chat.page.expect_popup() as popup:
        choose(chat, id, "Print")
    paper = popup.value
    expect(paper).to_have_url(f"{chat.site}/c/{id}/print/")
    expect(paper.locator(".said")).to_have_count(2)
    expect(paper.get_by_role("heading", name="A heading", exact=True)).to_be_visible()
    expect(paper).to_have_title("printed")
    paper.emulate_media(media="print", color_scheme="dark")
    expect(paper.get_by_role("button", name="Print")).to_be_hidden()
    assert paper.evaluate("getComputedStyle(document.body).color") == "rgb(27, 32, 34)"  # dark on light
    assert paper.pdf()[:4] == b"%PDF"


def test_diagrams_are_printed_as_in_the_light(chat, talk):  # noqa: F811
    id = talk("```mermaid\nflowchart LR\n  a --> b\n```\n\n```mermaid\nno diagram\n```")
    chat.page.context.add_init_script("window.print = () => { document.title = `printed ${performance.now()}` }")
    paper = chat.page.context.new_page()
    paper.emulate_media(color_scheme="dark")
    paper.goto(f"{chat.site}/c/{id}/print/")
    expect(paper).to_have_title(re.compile("printed"), timeout=20_000)
    picture = paper.locator(".diagram img")
    dark = "rgb(22, 24, 27)"  # the page's own
    assert dark not in unquote(picture.get_attribute("src"))
    assert paper.evaluate("getComputedStyle(document.body).backgroundColor") != dark


def test_a_long_answer_is_printed_to_its_end(chat, talk):  # noqa: F811
    words = "\n\n".join(f"- **Item** {number} with `code`, and [a link](https://example.com)" for number in range(900))
    id = talk(f"{words}\n\nThe very end", assistant="mirror")
    chat.page.context.add_init_script("window.print = () => { document.title = document.body.textContent.slice(-200) }")
    paper = chat.page.context.new_page()
    paper.goto(f"{chat.site}/c/{id}/print/")
    expect(paper).to_have_title(re.compile("The very end"), timeout=20_000)


def test_a_shared_one_is_dark_again_after_it_was_printed(context, chat, shared):  # noqa: F811
    bob = Chat(context(color_scheme="dark").new_page(), chat.site).log_in("bob")
    bob.page.context.add_init_script("window.print = () => { document.title = document.documentElement.dataset.theme }")
    read(bob, shared)
    bob.page.get_by_role("button", name="Print").click()
    expect(bob.page).to_have_title("light")
    bob.page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert bob.page.evaluate("getComputedStyle(document.body).colorScheme") in ("dark", "light dark")
    assert bob.page.evaluate("document.documentElement.dataset.theme") is None


def test_the_tools_that_were_used_are_printed_too(chat, talk):  # noqa: F811
    id = talk("When?", assistant="tools")
    paper = chat.page.context.new_page()
    paper.goto(f"{chat.site}/c/{id}/print/")
    expect(paper.locator(".said__used")).to_have_text(["Used: Clock", "Used: Calculator"])
    expect(paper.get_by_text("It is noon.")).to_be_visible()


# All of it, out and in


def test_everything_is_exported_and_comes_back(context, chat, talk, tmp_path):  # noqa: F811
    talk("Something to carry")
    chat.open_settings()
    with chat.page.expect_download() as download:
        chat.page.get_by_role("link", name="Export everything").click()
    file = tmp_path / "all.json"
    download.value.save_as(file)
    told = json.loads(file.read_text())
    assert told["person"]["username"] == "alice"
    count = len(told["conversations"])
    charlie = Chat(context().new_page(), chat.site).log_in("charlie")
    charlie.open_settings()
    bring(charlie, file)
    expect(charlie.page.get_by_text(re.compile(rf"^({count}|One) conversations? with .* imported\.$"))).to_be_visible()
    charlie.page.keyboard.press("Escape")
    expect(charlie.page.locator(".conversation", has_text="Something to carry").first).to_be_visible()
    charlie.open_settings()
    bring(charlie, file)
    again = re.compile(r"Nothing new in this file\. (One was|\d+ were) here already\.")
    expect(charlie.page.get_by_text(again)).to_be_visible()


def bring(tab, file):
    with tab.page.expect_file_chooser() as chooser:
        tab.page.get_by_role("button", name="Import…").click()
    chooser.value.set_files(file)


def test_what_chatgpt_exports_is_read(context, site, tmp_path):  # noqa: F811
    def said(role, text):
        return {"author": {"role": role}, "content": {"content_type": "text", "parts": [text]}, "create_time": 1.7e9}

    mapping = {
        "a": {"message": said("user", "Kyoto in spring"), "parent": None, "children": ["b"]},
        "b": {"message": said("assistant", "Lovely."), "parent": "a", "children": []},
    }
    trip = {"id": "x", "title": "A trip", "create_time": 1.7e9, "mapping": mapping, "current_node": "b"}
    file = tmp_path / "conversations.json"
    file.write_text(json.dumps([trip]))
    bob = Chat(context().new_page(), site).log_in("bob")
    bob.open_settings()
    bring(bob, file)
    expect(bob.page.get_by_text("One conversation with 2 messages imported.")).to_be_visible()
    bob.page.keyboard.press("Escape")
    bob.page.get_by_role("link", name="A trip").click()
    expect(bob.replies.last).to_contain_text("Lovely.")


def test_a_file_that_is_none_says_so(chat, tmp_path):  # noqa: F811
    file = tmp_path / "list.json"
    file.write_text("{]")
    chat.open_settings()
    bring(chat, file)
    expect(chat.page.get_by_text("This file cannot be read as JSON.")).to_be_visible()
