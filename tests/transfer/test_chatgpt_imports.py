"""Exports of ChatGPT are imported."""

import io
import json
import zipfile

import pytest

from chat import transfer
from chat.models import Conversation, Message
from tests.extraction.made_files import pdf
from tests.images import PICTURE
from tests.transfer.transfers import chatgpt, counts, import_data, node, tree

pytestmark = pytest.mark.slow


# The tree of messages -------------------------------------------------------------------------------------------------

EXPORT = chatgpt(
    node("0", None),
    node("1", "0", "system", "You are…"),
    node("2", "1", "user", "hidden", metadata={"is_visually_hidden_from_conversation": True}),
    node("3", "2", "user", "Where is it?", {"asset_pointer": "file://x"}, kind="multimodal_text"),
    node("4", "3", "assistant", "In Nara."),
    node("5", "3", "assistant", "print(1)", kind="code"),
    node("6", "5", "tool", "1"),
    node("7", "6", "assistant", "thinking", kind="thoughts"),
    node("8", "7", "assistant", "In Himeji.", "Really."),
)


@pytest.mark.parametrize("zipped", [False, True])
async def test_chatgpt_import_reads_the_tree(client_of, alice, zipped):
    data = json.dumps(EXPORT).encode()
    if zipped:
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("chat.html", "<html>")
            archive.writestr("conversations.json", data)
        data = file.getvalue()
    answer = await import_data(client_of(alice), data)
    assert (answer.status_code, answer.json()) == (201, counts(conversations=1, messages=4))
    row = await Conversation.objects.select_related("leaf").aget()
    assert (row.title, row.created_at.timestamp(), row.leaf.text) == ("Trip", 1.7e9, "In Himeji.\n\nReally.")

    def message(role, text, *children):
        return (role, [{"type": "text", "text": text}], list(children))

    assert await tree(row) == [
        message(
            "user",
            "Where is it?",
            message("assistant", "In Nara."),
            message("assistant", "```\nprint(1)\n```", message("assistant", "In Himeji.\n\nReally.")),
        )
    ]


async def test_chatgpt_import_keeps_archived(client_of, alice):
    await import_data(client_of(alice), chatgpt(node("1", None, "user", "Hi"), is_archived=True))
    row = await Conversation.objects.aget()
    assert row.archived_at == row.updated_at


async def test_chatgpt_import_keeps_speech_and_mentions_images(client_of, alice):
    image = {"content_type": "image_asset_pointer", "asset_pointer": "file-service://file-1"}
    voice = {"content_type": "real_time_user_audio_video_asset_pointer"}
    spoken = {"content_type": "audio_transcription", "text": "Which bird is it?"}
    nodes = [
        node("1", None, "user", image, "What is it?", kind="multimodal_text"),
        node("2", "1", "user", voice, spoken, kind="multimodal_text"),
        node("3", "2", "assistant", image, kind="multimodal_text"),
    ]
    await import_data(client_of(alice), chatgpt(*nodes))
    texts = [message.text async for message in Message.objects.order_by("created_at")]
    assert texts == ["(an image)\n\nWhat is it?", "Which bird is it?", "(an image)"]


async def test_chatgpt_import_leaves_out_marks(client_of, alice):
    name = '\ue200entity\ue202["city","Nara","in Japan"]\ue201'
    text = f"It is {name}.\ue200cite\ue202turn0search1\ue202turn0search2\ue201 Really\ue200entity\ue202[1]\ue201."
    await import_data(client_of(alice), chatgpt(node("1", None, "assistant", text)))
    assert (await Message.objects.aget()).text == "It is Nara. Really."


async def test_chatgpt_import_replaces_half_a_surrogate_pair_in_an_id(client_of, alice):
    answer = await import_data(client_of(alice), [{"mapping": {"\ud83d": node("1", None, "user", "Hi")}}])
    assert (answer.status_code, answer.json()["messages"]) == (201, 1)


async def test_chatgpt_import_reads_3000_messages(alice):
    nodes = [node("0", None)] + [node(str(n), str(n - 1), "user", f"{n}") for n in range(1, 3001)]
    count = await transfer.import_file(alice, io.BytesIO(json.dumps(chatgpt(*nodes)).encode()))
    assert count["messages"] == 3000
    assert [m.text async for m in Message.objects.order_by("created_at")] == [str(n) for n in range(1, 3001)]


# Files and images -----------------------------------------------------------------------------------------------------


async def test_chatgpt_import_names_the_files_that_are_left_out(client_of, alice):
    attachments = [{"name": f"{number}.pdf", "mime_type": "application/pdf"} for number in range(7)]
    image = {"name": "x.png", "mime_type": "image/png"}
    question = node("1", None, "user", "Hi")
    question["message"]["metadata"] = {"attachments": [*attachments, image, None]}
    answer = await import_data(client_of(alice), chatgpt(question))
    reason = "Files that were not imported: 0.pdf, 1.pdf, 2.pdf, 3.pdf, 4.pdf, …"
    assert [item["reason"] for item in answer.json()["left_out"]] == [reason]
    assert [part["type"] for part in (await Message.objects.aget()).parts] == ["document"] * 7 + ["text"]


async def test_chatgpt_import_reads_the_files_that_the_export_has(client_of, alice):
    files = {
        "file-AAAAAAAAAA": ("report.pdf", pdf([[(72, 700, "First page")], [(72, 700, "Second page")]])),
        "file-BBBBBBBBBB": ("notes.txt", "りんごと漢字。\n".encode("cp932")),
        "file_CCCCCCCCCC": ("broken.pdf", b"%PDF-1.7\nnothing"),
        "file-DDDDDDDDDD": ("empty.txt", b""),
        "file-GGGGGGGGGG": ("lines.txt", "one\u2028two\u2029three\x85four".encode()),
        "file-EEEEEEEEEE": ("long.txt", b"word " * 100_000),
    }
    question = node("1", None, "user", "Hi")
    attachments = [{"id": id, "name": name} for id, (name, _) in files.items()]
    lost = [{"id": "file-FFFFFFFFFF", "name": "lost.pdf"}, {"id": ["file-AAAAAAAAAA"], "name": "odd.pdf"}]
    question["message"]["metadata"] = {"attachments": [*attachments, *lost]}
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("conversations.json", json.dumps(chatgpt(question)))
        for id, (name, data) in files.items():
            archive.writestr(f"{id}-{name}", data)
    answer = await import_data(client_of(alice), file.getvalue())
    reason = "Files that were not imported: broken.pdf, empty.txt, lost.pdf, odd.pdf"
    assert [item["reason"] for item in answer.json()["left_out"]] == [reason]
    texts = {part["name"]: part["text"] for part in (await Message.objects.aget()).parts if part["type"] == "document"}
    assert texts["report.pdf"] == "[page 1]\nFirst page\n[page 2]\nSecond page"
    assert texts["notes.txt"] == "りんごと漢字。"
    assert texts["lines.txt"].split() == ["one", "two", "three", "four"]
    assert texts["broken.pdf"] == "(This file was not imported.)"
    assert (len(texts["long.txt"]), texts["long.txt"][-9:]) == (100_003, " word\n[…]")


async def test_chatgpt_import_reads_the_images_that_a_tool_made(client_of, alice):
    def pointer(id):
        return {"content_type": "image_asset_pointer", "asset_pointer": f"sediment://{id}"}

    reads = node("4", "3", "tool", pointer("file_0000000000000002"), kind="multimodal_text")
    reads["message"]["author"]["name"] = "file_search"
    drawn = node(
        "3", "2", "tool", "DALL-E displayed 1 image.", pointer("file_0000000000000001"), kind="multimodal_text"
    )
    nodes = [
        node("1", None, "user", "Draw it."),
        node("2", "1", "assistant", '{"prompt": "it"}'),
        drawn,
        reads,
        node("5", "4", "assistant", "Here it is."),
    ]
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("conversations.json", json.dumps(chatgpt(*nodes)))
        archive.writestr("dalle-generations/file_0000000000000001-a.webp", PICTURE)
        archive.writestr("file_0000000000000002-b.png", PICTURE)
    answer = await import_data(client_of(alice), file.getvalue())
    assert answer.json() == counts(conversations=1, messages=4)
    messages = [message async for message in Message.objects.order_by("created_at")]
    assert [part["type"] for part in messages[2].parts] == ["image"]
    assert (messages[2].role, messages[3].parent_id) == ("assistant", messages[2].pk)
    image = await client_of(alice).get(f"/api/attachments/{messages[2].parts[0]['id']}")
    assert image.status_code == 200
