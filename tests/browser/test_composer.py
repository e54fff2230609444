"""What a user writes with: drafts, attachments, keys, starters; and what is sent while there is no connection."""

import io
import os
import re

import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.browser.chat import DEFAULT_PREFERENCES, Chat, bubbles, id_of, is_sent, open_gate, questions

pytestmark = pytest.mark.browser

CONNECTION = "[data-ref=connection]"


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


# Drafts


def test_draft_survives_and_belongs_to_its_conversation(chat):
    chat.choose("echo").send("Hello")
    chat.wait_for_end()
    chat.text.fill("About hello")
    chat.page.locator(".sidebar__new").click()
    expect(chat.text).to_have_value("")
    chat.text.fill("Something new")
    chat.page.reload()
    expect(chat.text).to_have_value("Something new")
    chat.page.go_back()
    expect(chat.text).to_have_value("About hello")
    other = Chat(chat.page.context.new_page(), chat.site).open()
    expect(other.text).to_have_value("Something new")
    other.choose("echo").send("Something newer")
    other.page.locator(".sidebar__new").click()
    expect(other.text).to_have_value("")


def test_draft_keeps_its_attachments(chat):
    chat.choose("seer")
    attach(chat, picture(), {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"Some notes"})
    uploaded(chat)
    chat.text.fill("Look at these")
    chat.page.reload()
    expect(chips(chat)).to_have_count(2)
    uploaded(chat)
    chat.choose("seer").send("Look at these")
    chat.wait_for_end()
    assert chat.reply_text() == "An image, 60 by 40. A text of 52. A text of 13."


def test_draft_keeps_its_assistant(chat):
    picker = chat.page.locator("[data-ref=picker]")
    chat.text.fill("For the seer")
    chat.choose("seer")
    chat.page.reload()
    expect(chat.text).to_have_value("For the seer")
    expect(picker).to_contain_text("Seer")
    chat.send("For the seer")
    chat.wait_for_end()
    chat.page.locator(".sidebar__new").click()
    expect(picker).to_contain_text("Seer")  # the last one


def test_draft_of_another_window_is_not_overwritten(chat):
    chat.choose("echo").send("Hello")
    chat.wait_for_end()
    chat.open()
    other = Chat(chat.page.context.new_page(), chat.site).open()
    expect(other.page.locator(".conversation__link").first).to_be_visible()
    chat.text.fill("Not yet sent")
    chat.page.locator(".conversation__link").first.click()
    expect(bubbles(chat)).to_have_text("Hello")
    other.page.locator(".conversation__link").first.click()
    expect(bubbles(other)).to_have_text("Hello")
    other.page.close()
    chat.page.locator(".sidebar__new").click()
    expect(chat.text).to_have_value("Not yet sent")


def test_draft_is_not_shown_to_the_next_user(chat):
    chat.text.fill("A secret")
    chat.page.locator(".account").click()
    chat.page.get_by_role("menuitem", name="Log out").click()
    chat.page.wait_for_url("**/accounts/login/**")
    kept = chat.page.evaluate("JSON.stringify([Object.entries(localStorage), Object.entries(sessionStorage)])")
    assert "secret" not in kept


# Keys


def test_ctrl_enter_sends_if_chosen_in_settings(chat):
    chat.set_preferences(send_key="ctrl+enter")
    chat.page.reload()
    chat.choose("echo")
    chat.text.press_sequentially("one")
    chat.text.press("Enter")
    chat.text.press_sequentially("two")
    expect(chat.text).to_have_value("one\ntwo")
    chat.text.press("Control+Enter")
    expect(bubbles(chat)).to_have_text("one\ntwo")
    chat.wait_for_end()
    chat.set_preferences(**DEFAULT_PREFERENCES)


def test_enter_on_a_phone_begins_a_new_line_unless_chosen_otherwise(chat, new_context):
    phone = Chat(
        new_context(viewport={"width": 390, "height": 800}, has_touch=True, is_mobile=True).new_page(), chat.site
    )
    phone.log_in().choose("echo")
    phone.text.press_sequentially("one\ntwo\n")
    expect(phone.text).to_have_value("one\ntwo\n")
    expect(phone.text).to_have_attribute("enterkeyhint", "enter")
    phone.set_preferences(send_key="enter-always")
    phone.page.reload()
    expect(phone.text).to_have_attribute("enterkeyhint", "send")
    phone.text.press("Enter")
    expect(bubbles(phone)).to_have_text("one\ntwo")
    phone.wait_for_end()
    phone.set_preferences(**DEFAULT_PREFERENCES)


def test_enter_that_ends_a_composition_does_not_send(chat):
    chat.text.focus()
    keyboard = chat.page.context.new_cdp_session(chat.page)
    for sent in ("Enter", "Control+Enter"):
        keyboard.send("Input.imeSetComposition", {"text": "にほんご", "selectionStart": 4, "selectionEnd": 4})
        chat.text.press(sent)
        expect(chat.text).to_have_value(re.compile("にほんご"))
        keyboard.send("Input.insertText", {"text": "日本語"})
    expect(bubbles(chat)).to_have_count(0)


def test_field_grows_with_its_text_up_to_a_limit(chat):
    low = chat.text.bounding_box()["height"]
    chat.text.fill("line\n" * 5)
    higher = chat.text.bounding_box()["height"]
    chat.text.fill("line\n" * 200)
    assert low < higher < chat.text.bounding_box()["height"] < 720 * 0.5
    chat.text.fill("")
    assert chat.text.bounding_box()["height"] == low


# Starters and assistants


def test_starters_of_the_assistant_are_offered(chat):
    starters = chat.page.get_by_role("list", name="Suggestions")
    expect(starters).to_be_hidden()
    chat.choose("echo")
    expect(starters.get_by_role("button")).to_have_text(["Say hello", "Say **goodbye**"])
    chat.text.fill("A draft that stays")
    starters.get_by_role("button").last.click()
    expect(bubbles(chat)).to_have_text("Say **goodbye**")
    expect(starters).to_be_hidden()
    chat.wait_for_end()
    expect(chat.text).to_have_value("A draft that stays")


def test_assistants_show_their_descriptions(chat):
    chat.page.locator("[data-ref=picker]").click()
    expect(chat.page.locator("#assistants")).to_contain_text("Gives the sizes of the images in the question.")
    chat.page.keyboard.press("Escape")
    expect(chat.page.locator("[data-ref=picker]")).to_be_focused()


def test_assistants_are_found_by_typing_and_chosen_by_keyboard(chat):
    picker, choices = chat.page.locator("[data-ref=picker]"), chat.page.locator("#assistants .choice:visible")
    names = chat.page.locator("#assistants .choice__name").all_text_contents()
    assert names[0] == "Demo" and names[1:] == sorted(names[1:], key=str.lower)
    picker.press("Enter")
    chat.page.keyboard.type("needs approv")
    expect(choices).to_have_count(1)
    chat.page.keyboard.press("Enter")
    expect(picker).to_contain_text("Asks")
    expect(chat.text).to_be_focused()


def test_focus_set_before_the_page_is_ready_is_kept(chat):
    held = []
    chat.page.route("**/conversation_view*.js", lambda route: held.append(route))
    chat.page.reload(wait_until="commit")
    chat.page.locator("[data-ref=picker]").click()
    expect(chat.page.locator("#assistants")).to_be_visible()
    for route in held:
        route.continue_()
    expect(chat.page.locator("#assistants")).to_contain_text("Repeats the question.")
    expect(chat.page.locator("[data-ref=picker]")).to_be_focused()


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


def test_large_image_is_resized_before_upload(chat):
    file = io.BytesIO()
    Image.frombytes("RGB", (2600, 1500), os.urandom(2600 * 1500 * 3)).save(file, "PNG", compress_level=0)
    assert len(file.getvalue()) > 10_000_000  # more than the server takes
    chat.choose("seer")
    with chat.page.expect_response("**/api/attachments") as response:
        attach(chat, {"name": "noise.png", "mimeType": "image/png", "buffer": file.getvalue()})
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
    held = []
    chat.page.route("**/api/attachments", lambda route: held.append(route))
    chat.choose("seer")
    attach(chat, picture())
    expect(chips(chat).get_by_role("progressbar")).to_be_visible()
    chat.text.fill("Look")
    chat.text.press("Enter")
    expect(chat.page.locator(".composer")).to_have_attribute("aria-busy", "true")
    expect(bubbles(chat)).to_have_count(0)
    held[0].continue_()
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


def test_message_sent_before_the_conversation_is_loaded_goes_to_its_assistant(chat):
    chat.choose("echo").send("Hello")
    chat.wait_for_end()
    id = id_of(chat)
    held = []
    chat.page.route(f"**/api/conversations/{id}", lambda route: held.append(route))
    chat.page.reload()
    chat.page.locator("[data-ref=picker]").click()  # the list of assistants is there
    expect(chat.page.locator("#assistants input[value=demo]")).to_be_attached()
    chat.page.keyboard.press("Escape")
    chat.send("Hello again")
    for route in held:
        route.continue_()
    chat.page.unroute(f"**/api/conversations/{id}")
    expect(chat.replies).to_have_count(2)
    chat.wait_for_end()
    assert [item["assistant"] for item in chat.stored_messages() if item["role"] == "assistant"] == ["echo", "echo"]


# Without a connection


def requests_of(chat):
    """The keys of the messages that reach the server from now on."""
    keys = []
    chat.page.on(
        "response",
        lambda response: (
            response.url.endswith("/messages")
            and response.request.method == "POST"
            and keys.append(response.request.headers["idempotency-key"])
        ),
    )
    return keys


def test_offline_message_waits_and_is_sent_once(chat):
    chat.choose("echo").send("Hello")
    chat.wait_for_end()
    chat.page.context.set_offline(True)
    chat.text.fill("First")
    chat.text.press("Enter")
    expect(chat.text).to_have_value("")
    expect(questions(chat).last).to_contain_text("Not sent yet")
    expect(chat.page.locator(CONNECTION)).to_contain_text("You are offline.")
    chat.text.fill("Second")
    chat.text.press("Enter")
    expect(bubbles(chat)).to_have_text(["Hello", "First", "Second"])
    keys = requests_of(chat)
    chat.page.wait_for_timeout(1600)  # of shorter breaks nothing is said: connection.js, NOTICED
    chat.page.context.set_offline(False)
    expect(chat.page.locator(CONNECTION)).to_have_text("You are back online.")
    expect(chat.replies).to_have_count(3)
    chat.wait_for_end()
    expect(chat.page.locator(".message--waiting")).to_have_count(0)
    expect(chat.page.locator(CONNECTION)).to_have_text("")
    assert len(keys) == len(set(keys)) == 2
    texts = [message["text"] for message in chat.stored_messages() if message["role"] == "user"]
    assert texts == ["Hello", "First", "Second"]


def test_stop_is_sent_again_if_it_did_not_reach_the_server(chat):
    chat.choose("waits").send("Wait for never")
    expect(chat.replies.last.locator(".step[data-state=running]")).to_be_visible()
    chat.page.context.set_offline(True)
    chat.stop_button.click()
    expect(chat.page.get_by_role("alert").get_by_text("The server cannot be reached.")).to_be_visible()
    assert chat.stored_messages()[-1]["status"] == "in_progress"
    chat.page.context.set_offline(False)
    expect(chat.replies.last).to_have_attribute("data-status", "cancelled")


def test_status_of_a_reply_is_hidden_while_disconnected(chat):
    chat.page.route("**/events*", lambda route: route.abort())
    chat.choose("patient").send("Hello gate:disconnected")
    expect(chat.page.locator(CONNECTION)).to_have_text("Connection lost. Reconnecting…")
    expect(chat.page.locator(CONNECTION)).to_have_attribute("data-time", re.compile(r"^[3-9] s$"))
    expect(chat.replies.last.locator(".dots")).to_be_visible()
    expect(chat.replies.last.locator("[data-ref=activity]")).to_be_hidden()
    chat.page.unroute("**/events*")
    open_gate(chat, "gate:disconnected")
    expect(chat.replies.last).to_contain_text("1 2 3")


def test_offline_error_disappears_with_the_connection(chat):
    chat.choose("echo").send("Hello")
    chat.wait_for_end()
    chat.page.context.set_offline(True)
    chat.replies.last.get_by_role("button", name="Regenerate answer").click()
    expect(chat.problem).to_contain_text("cannot be reached")
    chat.page.context.set_offline(False)
    expect(chat.problem).to_be_hidden()
    expect(chat.replies.last).to_contain_text("Hello")


def test_offline_first_message_survives_a_reload(chat):
    chat.choose("echo")
    chat.page.route("**/api/conversations", lambda route: route.abort())
    chat.text.fill("Patience")
    chat.text.press("Enter")
    expect(questions(chat).last).to_contain_text("Not sent yet")
    expect(chat.page.locator("[data-ref=main]")).not_to_have_class(re.compile("main--empty"))
    chat.page.reload()
    expect(bubbles(chat)).to_have_text("Patience")
    expect(questions(chat).last).to_contain_text("Not sent yet")
    chat.page.unroute("**/api/conversations")
    expect(chat.replies.last).to_contain_text("Patience")
    expect(chat.page).to_have_url(re.compile(r"/c/[0-9a-f-]{36}/$"))
    chat.wait_for_end()
    assert [message["role"] for message in chat.stored_messages()] == ["user", "assistant"]


def test_message_without_a_response_is_sent_once(chat):
    keys = []

    def lose_the_answer(route):
        if route.request.method != "POST":
            return route.continue_()
        keys.append(route.request.headers["idempotency-key"])
        if len(keys) > 2:
            return route.continue_()
        route.fetch()  # the server gets it, the page does not hear of it
        return route.abort()

    chat.choose("echo")
    chat.page.route("**/messages", lose_the_answer)
    chat.text.fill("Only once")
    chat.text.press("Enter")
    expect(chat.replies.last).to_contain_text("Only once")
    chat.wait_for_end()
    expect(bubbles(chat)).to_have_count(1)
    assert len(keys) == 3
    assert len(set(keys)) == 1
    assert [message["role"] for message in chat.stored_messages()] == ["user", "assistant"]


def test_message_without_a_response_keeps_its_attachments_when_it_is_withdrawn(chat):
    chat.choose("seer").send("Hello")
    chat.wait_for_end()
    attach(chat, picture())
    uploaded(chat)
    received = []

    def lose_the_answer(route):
        if not received:
            received.append(route.fetch().status)
        route.fulfill(status=503)

    chat.page.route("**/messages", lose_the_answer)
    chat.text.fill("What is this?")
    chat.text.press("Enter")
    questions(chat).last.get_by_role("button", name="Unsend").click()
    expect(chat.text).to_have_value("What is this?")
    chat.page.wait_for_load_state("networkidle")
    uploaded(chat)
    expect(chat.problem).to_be_hidden()
    assert received == [202]


def test_offline_message_can_be_withdrawn(chat):
    chat.choose("echo").send("Hello")
    chat.wait_for_end()
    chat.page.context.set_offline(True)
    chat.text.fill("On second thoughts")
    chat.text.press("Enter")
    questions(chat).last.get_by_role("button", name="Unsend").click()
    expect(bubbles(chat)).to_have_text(["Hello"])
    expect(chat.text).to_have_value("On second thoughts")
    expect(chat.text).to_be_focused()
    chat.page.context.set_offline(False)
    chat.send("On second thoughts")
    chat.wait_for_end()
    assert len(chat.stored_messages()) == 4


def test_refused_message_is_returned_or_kept_with_the_reason(chat):
    chat.choose("echo").send("Hello")
    chat.wait_for_end()
    held, sentence = [], "Too many of your answers are still being written."
    refusal = {"error": {"code": "too_many_runs", "message": sentence}}
    chat.page.route("**/messages", lambda route: held.append(route))
    chat.text.fill("One more")
    chat.text.press("Enter")
    chat.text.fill("The next")
    expect(bubbles(chat)).to_have_count(2)
    held[0].fulfill(status=429, json=refusal)
    expect(questions(chat).last).to_contain_text(sentence)
    expect(chat.text).to_have_value("The next")
    chat.page.unroute("**/messages")
    questions(chat).last.get_by_role("button", name="Try again").click()
    expect(chat.replies.last).to_contain_text("One more")
    expect(chat.text).to_have_value("The next")
    chat.wait_for_end()


def test_offline_message_arrives_in_its_own_conversation(chat):
    chat.choose("echo").send("Here")
    chat.wait_for_end()
    address = chat.page.url
    chat.page.context.set_offline(True)
    chat.text.fill("And here")
    chat.text.press("Enter")
    chat.page.locator(".sidebar__new").click()
    expect(bubbles(chat)).to_have_count(0)
    with chat.page.expect_response(is_sent):
        chat.page.context.set_offline(False)
    expect(bubbles(chat)).to_have_count(0)
    chat.page.goto(address)
    expect(bubbles(chat)).to_have_text(["Here", "And here"])


def test_stop_button_stays_beside_the_next_message(chat):
    chat.choose("waits").send("Wait gate:stop-1")
    expect(chat.stop_button).to_be_visible()
    expect(chat.send_button).to_be_hidden()
    chat.text.fill("Next")
    expect(chat.send_button).to_be_visible()
    expect(chat.stop_button).to_be_visible()
    chat.text.fill("")
    expect(chat.send_button).to_be_hidden()
    open_gate(chat, "gate:stop-1")
    chat.stop_button.click()
    chat.wait_for_end()
    expect(chat.send_button).to_be_visible()
    expect(chat.text).to_be_focused()


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
