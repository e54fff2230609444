"""Files in the chat: chosen, pasted and dropped, uploaded and read, previewed, sent, edited."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.accessibility import AXE
from tests.browser.attachments import attach, chips, picture, uploaded
from tests.browser.chat import Chat, csrf_token, questions
from tests.extraction.made_files import pdf, xlsx
from tests.server_process import poll_until

pytestmark = pytest.mark.browser

DROP = """(body, { files, folder, until }) => {
  const dataTransfer = new DataTransfer()
  for (const { name, size } of files) {
    dataTransfer.items.add(new File([new Uint8Array(Math.min(size, 10)).fill(120)], name))
  }
  const sized = [...dataTransfer.files].map((file, index) =>
    Object.defineProperty(file, "size", { value: files[index].size }))
  const items = sized.map((file, index) => ({
    kind: "file", webkitGetAsEntry: () => ({ isDirectory: file.name === folder, name: file.name }),
  }))
  for (const name of ["dragenter", "dragover", "drop"]) {
    const event = new DragEvent(name, { bubbles: true, cancelable: true })
    const value = { types: ["Files"], items, files: sized, dropEffect: "none" }
    Object.defineProperty(event, "dataTransfer", { value })
    body.dispatchEvent(event)
    if (name === until) return
  }
}"""


def text_file(name, text):
    return {"name": name, "mimeType": "", "buffer": text.encode()}


def drop(chat, *files, folder=None, until="drop"):
    """Drop files of (name, size) on the page."""
    files = [{"name": name, "size": size} for name, size in files]
    chat.page.locator("body").evaluate(DROP, {"files": files, "folder": folder, "until": until})


def chip(chat, name):
    return chips(chat).filter(has_text=name)


def file_button(chat, name):
    return chips(chat).get_by_role("button", name=re.compile("^" + re.escape(name)))


def violations(chat, within):
    found = chat.page.evaluate("(within) => axe.run(within)", within)["violations"]
    return [(violation["id"], violation["nodes"][0]["html"]) for violation in found]


def test_files_are_read_previewed_sent_and_edited(chat):
    chat.choose("reader")
    long = "\n".join(f"Line {number} of a long file" for number in range(12_000))
    table = text_file("prices.md", "Prices\n\n| Item | Price |\n| --- | --- |\n| Tea | 3 |\n")
    attach(chat, table, text_file("long.txt", long), {**text_file("bad.bin", ""), "buffer": b"\xff\xfe\x00\x01" * 9})
    expect(chip(chat, "prices.md")).to_contain_text("MD · 51 bytes")
    expect(chip(chat, "bad.bin")).to_contain_text("cannot be read")
    expect(chip(chat, "bad.bin").get_by_role("button", name="Try again")).to_be_hidden()
    expect(chat.page.locator("[data-ref=live]")).to_contain_text("prices.md was read: MD · 51 bytes.")

    file_button(chat, "prices.md").click()
    dialog = chat.page.get_by_role("dialog", name="prices.md")
    expect(dialog.get_by_role("table")).to_contain_text("Tea")
    expect(dialog.get_by_role("link", name="Download")).to_have_attribute("href", re.compile("/api/attachments/"))
    chat.page.keyboard.press("Escape")
    expect(file_button(chat, "prices.md")).to_be_focused()

    file_button(chat, "long.txt").click()
    text = chat.page.get_by_role("region", name="Text of the file")
    expect(text).to_contain_text("Line 100 of")
    assert "Line 11999 of" not in text.inner_text()

    def has_end():
        text.evaluate("(element) => { element.scrollTop = element.scrollHeight }")
        return "Line 11999 of" in text.inner_text()

    poll_until(has_end)
    chat.page.keyboard.press("Escape")

    chip(chat, "bad.bin").get_by_role("button", name="Remove bad.bin").click()
    chat.page.reload()
    expect(chips(chat)).to_have_count(2)
    chip(chat, "long.txt").get_by_role("button", name="Remove long.txt").click()
    chat.choose("reader").send("What does tea cost?")
    chat.wait_for_end()
    sent = questions(chat).last.get_by_role("button", name=re.compile("prices.md MD"))
    sent.click()
    expect(dialog.get_by_role("table")).to_contain_text("Tea")
    chat.page.keyboard.press("Escape")
    expect(sent).to_be_focused()

    send_edited(chat, edit_last(chat), "And with it?")
    expect(sent).to_be_visible()
    editor = edit_last(chat)
    editor.get_by_role("button", name="Remove prices.md").click()
    chat.page.reload()
    expect(editor.get_by_role("button", name="Remove prices.md")).to_have_count(0)
    send_edited(chat, editor, "And without?")
    expect(sent).to_have_count(0)


def edit_last(chat):
    """Opens the editor of the last question, and returns it."""
    questions(chat).last.hover()
    questions(chat).last.get_by_role("button", name="Edit").click()
    return chat.page.locator(".editor")


def send_edited(chat, editor, text):
    """Sends the question with this text, and waits for the answer."""
    editor.get_by_role("textbox").fill(text)
    editor.get_by_role("textbox").press("Enter")
    expect(questions(chat).last.locator(".message__bubble")).to_contain_text(text)
    chat.wait_for_end()


def test_files_of_a_draft_that_are_gone_or_were_not_uploaded_are_named(chat):
    chat.choose("reader")
    with chat.page.expect_response("**/api/attachments") as response:
        attach(chat, text_file("gone.txt", "gone"))
    attach(chat, text_file("kept.txt", "kept"))
    for name in ("gone.txt", "kept.txt"):
        expect(file_button(chat, name)).to_be_enabled()
    token = csrf_token(chat.page)
    sent = {"text": "Sent elsewhere", "assistant": "reader", "attachments": [response.value.json()["id"]]}
    assert chat.page.request.post(f"{chat.site}/api/chat", data=sent, headers={"X-CSRFToken": token}).ok
    chat.page.route("**/api/attachments", lambda route: None)  # never answered
    attach(chat, text_file("slow.txt", "slow"))
    expect(chips(chat)).to_have_count(3)
    chat.page.reload()
    gone = "“gone.txt” is no longer available. Attach it again if you need it."
    expect(chat.problem).to_have_text(f"The upload of “slow.txt” was interrupted. Attach it again. {gone}")
    expect(chips(chat)).to_have_count(1)
    expect(file_button(chat, "kept.txt")).to_be_enabled()
    chat.page.unroute("**/api/attachments")
    chat.page.reload()
    expect(file_button(chat, "kept.txt")).to_be_enabled()
    expect(chat.problem).to_be_hidden()


def test_upload_in_another_tab_is_left_alone(chat):
    chat.choose("reader")
    chat.page.route("**/api/attachments", lambda route: None)  # never answered
    attach(chat, text_file("slow.txt", "slow"))
    chat.text.fill("Sum")
    poll_until(lambda: chat.page.evaluate("Object.keys(localStorage).some((key) => key.includes(':uploads:'))"))
    other = Chat(chat.page.context.new_page(), chat.site).open()
    expect(other.text).to_have_value("Sum")
    poll_until(lambda: other.page.evaluate("sessionStorage.getItem('tab')"))
    other.page.evaluate("navigator.locks.query().then(() => null)")  # the page has asked for the other tabs before
    expect(other.problem).to_be_hidden()
    chat.text.fill("Summarize")
    poll_until(lambda: chat.page.evaluate("Object.values(localStorage).join().includes('Summarize')"))
    other.page.close()
    chat.page.reload()
    expect(chat.problem).to_have_text("The upload of “slow.txt” was interrupted. Attach it again.")
    expect(chat.text).to_have_value("Summarize")


def test_pdfs_sheets_and_csv_files_are_read(chat):
    chat.choose("reader")
    sheets = {
        "Prices": ([["Tea", 3], ["Coffee", 4]], "visible"),
        "Secret": ([["x"]], "hidden"),
        "Notes": ([["b"]], "visible"),
    }
    files = {
        "report.pdf": pdf([[(72, 700, "First page")], [(72, 700, "Second page")]]),
        "scan.pdf": pdf([b"0 0 100 100 re f"]),
        "prices.xlsx": xlsx(sheets),
        "売上.csv": "品目,価格\nりんご,100\n".encode("cp932"),
        "broken.pdf": b"%PDF-1.7\nnothing",
    }
    attach(chat, *[{"name": name, "mimeType": "", "buffer": data} for name, data in files.items()])
    expect(chip(chat, "report.pdf")).to_contain_text("PDF · 2 pages")
    expect(chip(chat, "scan.pdf")).to_contain_text("The model will not see what is in them.")
    expect(chip(chat, "prices.xlsx")).to_contain_text("XLSX · 2 sheets")
    expect(chip(chat, "prices.xlsx")).to_contain_text("Sheets: Prices, Notes.")
    expect(chip(chat, "prices.xlsx")).to_contain_text("Hidden sheets were left out.")
    expect(chip(chat, "売上.csv")).to_contain_text("Read as Shift_JIS.")
    expect(chip(chat, "broken.pdf")).to_have_class(re.compile("chip--failed"))

    file_button(chat, "report.pdf").click()
    text = chat.page.get_by_role("region", name="Text of the file")
    expect(text.get_by_role("heading")).to_have_text(["Page 1", "Page 2"])
    chat.page.get_by_label("Go to", exact=True).select_option("Page 2")
    expect(text).to_contain_text("Second page")
    chat.page.keyboard.press("Escape")
    file_button(chat, "prices.xlsx").click()
    expect(text.get_by_role("heading")).to_have_text(["Prices", "Notes"])
    expect(text.get_by_role("table").first).to_contain_text("Coffee")
    chat.page.evaluate(AXE)
    assert violations(chat, "dialog[open]") == []
    chat.page.keyboard.press("Escape")
    assert violations(chat, ".composer") == []
    file_button(chat, "売上.csv").click()
    expect(text).to_contain_text("りんご")
    chat.page.keyboard.press("Escape")

    chat.text.fill("What is in these?")
    chat.text.press("Enter")
    expect(chat.problem).to_have_text("“broken.pdf” cannot be sent. Remove it first.")
    chip(chat, "broken.pdf").get_by_role("button", name="Remove broken.pdf").click()
    chat.send("What is in these?")
    chat.wait_for_end()
    paper = chat.page.context.new_page()
    paper.add_init_script("window.print = () => {}")
    paper.goto(f"{chat.page.url}print/")
    expect(paper.get_by_role("link", name=re.compile("report.pdf PDF · 2 pages"))).to_have_attribute(
        "href", re.compile("^/api/")
    )
    token = csrf_token(chat.page)
    shares = chat.page.url.replace("/c/", "/api/conversations/") + "shares"
    shared = chat.page.request.post(shares, headers={"X-CSRFToken": token}).json()["url"]
    paper.goto(shared if shared.startswith("http") else chat.site + shared)
    expect(paper.locator(".transcript-message__file")).to_have_count(4)
    expect(paper.locator(".transcript-message__file[href]")).to_have_count(0)


def test_files_that_are_cut_for_the_model_are_named_below_the_answer(chat):
    chat.choose("small")
    attach(chat, text_file("long.txt", "\n".join(f"Line {number} of a long file" for number in range(400))))
    expect(chip(chat, "long.txt")).to_contain_text("TXT ·")
    chat.send("What is in it?")
    chat.wait_for_end()
    expect(chat.replies.last.get_by_text("“long.txt” is too long for the model, which saw")).to_be_visible()


def test_files_that_cannot_be_sent_are_refused_before_the_upload(chat):
    requests = []
    chat.page.on("request", lambda request: "/api/attachments" in request.url and requests.append(request.method))
    drop(chat, ("a.txt", 10), until="dragover")
    expect(chat.page.get_by_text("Drop files here to attach them")).to_be_visible()
    drop(chat, ("huge.iso", 1_000_000_000), ("empty.txt", 0), ("photos", 4096), folder="photos")
    expect(chat.problem).to_contain_text("“photos” is a folder.")
    expect(chat.problem).to_contain_text("“huge.iso” is too large (1 GB). The limit is 30 MB.")
    expect(chat.problem).to_contain_text("“empty.txt” is empty.")
    assert requests == []
    drop(chat, *[("same name.txt", 10)] * 100)
    expect(chat.problem).to_have_text("You can attach at most 10 files to a message. 90 were left out.")
    expect(chips(chat)).to_have_count(10)
    for button in chips(chat).locator(".document").all():
        expect(button).to_be_enabled()
    assert requests == ["POST"] * 10


def test_files_go_on_when_the_connection_or_the_server_is_back(chat):
    chat.choose("reader")
    attach(chat, text_file("zero.txt", "zero"))
    expect(file_button(chat, "zero.txt")).to_be_enabled()
    chat.page.context.set_offline(True)
    attach(chat, text_file("one.txt", "one"))
    expect(chips(chat).last).to_contain_text("Waiting for the connection…")
    chat.text.fill("Read")
    chat.text.press("Enter")
    expect(chat.problem).to_contain_text("“one.txt” is not uploaded yet.")
    expect(chat.text).to_have_value("Read")
    chat.page.context.set_offline(False)
    expect(file_button(chat, "one.txt")).to_be_enabled()

    full = {"error": {"code": "storage_full", "message": "Your files take up too much space."}}
    busy = {"error": {"code": "busy", "message": "The server is busy."}}
    answers = [(413, full, {}), (503, busy, {"Retry-After": "1"})]

    def refuse(route):
        if not answers:
            return route.continue_()
        status, error, headers = answers.pop(0)
        return route.fulfill(status=status, json=error, headers=headers)

    chat.page.route("**/api/attachments", refuse)
    attach(chat, text_file("two.txt", "two"))
    expect(chips(chat).last).to_contain_text("Your files take up too much space.")
    chips(chat).last.get_by_role("button", name="Try again: two.txt").click()
    expect(file_button(chat, "two.txt")).to_be_enabled()
    attach(chat, {**picture(), "name": "named like a text.txt", "mimeType": "text/plain"})
    uploaded(chat)
    chat.text.press("Enter")
    expect(chat.problem).to_have_text("Reader does not support images. Choose another assistant.")
    chips(chat).last.get_by_role("button", name="Remove image").click()
    chat.send("Read")
    chat.wait_for_end()
    expect(questions(chat).last.locator(".document")).to_have_count(3)
