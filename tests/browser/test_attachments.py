"""Images and long texts that are attached to a message."""

import io
import re

import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.browser.attachments import as_file, attach, chips, paste, picture, uploaded
from tests.browser.chat import Chat, HeldRequests, bubbles, questions

pytestmark = pytest.mark.browser


# Images


def animation(kind, width, height):
    file = io.BytesIO()
    first, *others = [Image.new("RGB", (width, height), color) for color in ("red", "blue", "green")]
    first.save(file, kind, save_all=True, append_images=others)
    return {"name": "moving", "mimeType": f"image/{kind.lower()}", "buffer": file.getvalue()}


@pytest.mark.parametrize(("kind", "width"), [("GIF", 30), ("WEBP", 3_000), ("PNG", 3_000)])
def test_user_is_told_that_one_frame_of_an_animation_is_kept(chat, kind, width):
    chat.choose("seer")
    attach(chat, animation(kind, width, 40))
    uploaded(chat)
    expect(chat.page.get_by_role("alert")).to_have_text("Only the first frame of the animation is kept.")
    chat.send("What is this?")
    expect(chat.page.get_by_role("alert")).to_be_hidden()
    chat.wait_for_end()
    assert [part["type"] for part in chat.stored_messages()[0]["parts"]] == ["image", "text"]


def test_image_is_previewed_sent_and_enlarged(chat):
    chat.choose("seer")
    attach(chat, picture(300, 200, "JPEG"))
    uploaded(chat)
    paste(chat, files=[picture(40, 40)])
    uploaded(chat, 2)
    chips(chat).first.get_by_role("button", name="Remove image").click()
    expect(chips(chat)).to_have_count(1)
    chat.send("What is this?")
    chat.wait_for_end()
    for reloaded in (False, True):
        if reloaded:
            chat.page.reload()
        expect(chat.replies.last).to_contain_text("An image, 40 by 40.")
        shown = questions(chat).last.get_by_role("img", name="Image you sent")
        expect(shown).to_be_visible()
        assert shown.evaluate("(image) => image.decode().then(() => image.naturalWidth)") == 40
    shown.click()
    large = chat.page.get_by_role("dialog")
    expect(large.get_by_role("img")).to_be_visible()
    chat.page.keyboard.press("Escape")
    expect(large).to_be_hidden()
    expect(questions(chat).last.locator(".sent-image__open")).to_be_focused()


def test_image_that_waits_for_the_connection_is_shown(chat):
    chat.choose("seer")
    with chat.page.expect_event("requestfinished", lambda request: "/api/attachments/" in request.url):
        attach(chat, picture(30, 20))
    uploaded(chat)
    chat.page.context.set_offline(True)
    chat.text.fill("Look")
    chat.text.press("Enter")
    shown = questions(chat).last.get_by_role("img", name="Image you sent")
    expect(questions(chat).last).to_contain_text("Not sent yet")
    assert shown.evaluate("(image) => image.decode().then(() => image.naturalWidth)") == 30
    chat.page.context.set_offline(False)
    expect(chat.replies.last).to_contain_text("An image, 30 by 20.")


def test_large_image_is_resized_before_upload(chat, tmp_path):
    file = tmp_path / "large.png"
    Image.new("RGB", (2600, 1500), "teal").save(file, compress_level=0)
    assert file.stat().st_size > 10_000_000  # more than the server takes
    chat.choose("seer")
    with chat.page.expect_response("**/api/attachments") as response:
        attach(chat, file)
    assert response.value.json()["width"] == 2048
    uploaded(chat)


def test_images_can_be_dropped_on_the_page(chat):
    chat.choose("seer")
    chat.page.locator("[data-ref=main]").evaluate(
        """(main, { name, type, bytes }) => {
          const dataTransfer = new DataTransfer()
          dataTransfer.items.add(new File([new Uint8Array(bytes)], name, { type }))
          for (const name of ["dragenter", "dragover", "drop"]) {
            main.dispatchEvent(new DragEvent(name, { dataTransfer, bubbles: true, cancelable: true }))
          }
        }""",
        as_file(picture()),
    )
    uploaded(chat)
    expect(chat.text).to_be_focused()


def test_image_is_refused_if_the_assistant_does_not_support_images(chat):
    chat.choose("echo")
    attach(chat, picture())
    expect(chat.problem).to_have_text("Echo does not support images. Choose another assistant.")
    expect(chips(chat)).to_have_count(0)
    chat.choose("seer")
    attach(chat, picture())
    uploaded(chat)
    chat.choose("echo")
    chat.text.fill("Look")
    chat.text.press("Enter")
    expect(chat.problem).to_have_text("Echo does not support images. Choose another assistant.")
    expect(chat.text).to_have_value("Look")


def test_failed_upload_says_why(chat):
    chat.choose("seer")
    chat.page.route("**/api/attachments", lambda route: route.abort())
    attach(chat, picture())
    expect(chips(chat)).to_contain_text("The server cannot be reached.")
    chat.text.fill("Look")
    chat.text.press("Enter")
    expect(chat.problem).to_contain_text("“picture.png” could not be uploaded.")
    expect(chat.text).to_have_value("Look")
    chat.page.unroute("**/api/attachments")
    chips(chat).get_by_role("button", name="Try again: picture.png").click()
    uploaded(chat)
    chips(chat).get_by_role("button", name="Remove image").click()
    expect(chat.text).to_be_focused()
    attach(chat, picture())
    uploaded(chat)
    chat.send("Look")
    chat.wait_for_end()


def test_send_waits_for_an_upload(chat):
    upload = HeldRequests(chat.page, "**/api/attachments")
    chat.choose("seer")
    attach(chat, picture())
    expect(chips(chat).get_by_role("progressbar")).to_be_visible()
    chat.text.fill("Look")
    chat.text.press("Enter")
    expect(chat.page.locator(".composer")).to_have_attribute("aria-busy", "true")
    expect(bubbles(chat)).to_have_count(0)
    upload.release()
    expect(chat.replies.last).to_contain_text("An image, 60 by 40.")


def test_edited_message_keeps_its_attachments(chat):
    chat.choose("seer")
    attach(chat, picture(), {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"Some notes"})
    uploaded(chat)
    chat.send("Look")
    chat.wait_for_end()
    for text in ("Look again", "Look once more"):
        questions(chat).last.hover()
        questions(chat).last.get_by_role("button", name="Edit").click()
        chat.page.locator(".editor textarea").fill(text)
        chat.page.locator(".editor textarea").press("Enter")
        expect(bubbles(chat)).to_have_text(text)
        expect(questions(chat).last.get_by_role("img", name="Image you sent")).to_be_visible()
        expect(questions(chat).last).to_contain_text("notes.txt")
        chat.wait_for_end()
        expect(chat.replies.last).to_contain_text("An image, 60 by 40.")


# Texts


def test_long_paste_becomes_an_attachment(chat):
    long = "word " * 1000
    chat.choose("reader")
    paste(chat, text="short")
    expect(chat.text).to_have_value("short")
    paste(chat, text=long)
    expect(chat.text).to_have_value("short")
    expect(chips(chat)).to_contain_text("Pasted text.txt")
    expect(chips(chat)).to_contain_text("5,000 characters")
    chips(chat).get_by_role("button", name=re.compile("Pasted text.txt 5,000")).click()
    expect(chat.page.get_by_role("dialog", name="Pasted text.txt")).to_contain_text("word word")
    chat.page.keyboard.press("Escape")
    chips(chat).get_by_role("button", name="Paste as text").click()
    expect(chat.text).to_have_value("short" + long)
    expect(chips(chat)).to_have_count(0)
    chat.text.fill("")
    for _ in range(2):
        paste(chat, text=long)
    expect(chips(chat).last).to_contain_text("Pasted text 2.txt")
    chips(chat).last.get_by_role("button", name="Remove Pasted text 2.txt").click()
    expect(chips(chat).first.get_by_role("button", name="Remove Pasted text.txt")).to_be_focused()
    chat.text.focus()
    chat.text.press("Enter")
    expect(chat.problem).to_have_text("Write a message to go with the attachment.")
    chat.send("Count")
    chat.wait_for_end()
    for reloaded in (False, True):
        if reloaded:
            chat.page.reload()
        expect(chat.replies.last).to_contain_text("A text of 50")
        questions(chat).last.get_by_role("button", name=re.compile("Pasted text.txt")).click()
        expect(chat.page.get_by_role("dialog", name="Pasted text.txt")).to_contain_text("word word")
        chat.page.get_by_role("dialog").get_by_role("button", name="Close").click()
        expect(questions(chat).last.get_by_role("button", name=re.compile("Pasted text.txt"))).to_be_focused()


# Many


@pytest.mark.parametrize("width", [320, 1280])
def test_composer_fits_with_the_most_attachments(new_context, site, width):
    chat = Chat(new_context(viewport={"width": width, "height": 640}).new_page(), site).log_in()
    chat.choose("seer")
    attach(chat, *[picture() for _ in range(6)], {"name": "x" * 80 + ".txt", "mimeType": "text/plain", "buffer": b"x"})
    uploaded(chat, 6)
    chat.send("Look")
    chat.wait_for_end()
    attach(chat, *[picture() for _ in range(6)], {"name": "x" * 80 + ".txt", "mimeType": "text/plain", "buffer": b"x"})
    uploaded(chat, 6)
    chat.text.fill("x" * 400)
    sizes = chat.page.evaluate(
        "[document.documentElement.scrollWidth, document.querySelector('.scroller').scrollWidth]"
    )
    assert max(sizes) <= width
    box = chat.page.locator(".composer").bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= width
    assert box["y"] + box["height"] <= 640
