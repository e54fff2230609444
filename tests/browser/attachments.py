"""How the browser tests attach files to a message."""

import io

from PIL import Image
from playwright.sync_api import expect


def picture(width=60, height=40, kind="PNG"):
    file = io.BytesIO()
    Image.new("RGB", (width, height), "teal").save(file, kind)
    return {"name": f"picture.{kind.lower()}", "mimeType": f"image/{kind.lower()}", "buffer": file.getvalue()}


def attach(chat, *files):
    with chat.page.expect_file_chooser() as chooser:
        chat.page.get_by_role("button", name="Attach files").click()
    chooser.value.set_files(list(files))


def paste(chat, *, text="", files=()):
    """Paste these into the message field, as a browser does."""
    chat.text.focus()
    chat.text.evaluate(
        """(field, { text, files }) => {
          const clipboardData = new DataTransfer()
          if (text) clipboardData.setData("text/plain", text)
          for (const { name, type, bytes } of files) {
            clipboardData.items.add(new File([new Uint8Array(bytes)], name, { type }))
          }
          const event = new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true })
          if (field.dispatchEvent(event) && text) document.execCommand("insertText", false, text)
        }""",
        {"text": text, "files": [as_file(file) for file in files]},
    )


def as_file(file):
    return {"name": file["name"], "type": file["mimeType"], "bytes": list(file["buffer"])}


def chips(chat):
    return chat.page.locator(".composer .chip")


def uploaded(chat, count=1):
    expect(chips(chat).get_by_role("button", name="View image")).to_have_count(count)
    for button in chips(chat).get_by_role("button", name="View image").all():
        expect(button).to_be_enabled()
