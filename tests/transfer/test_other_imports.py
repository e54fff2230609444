"""Exports of Claude and Open WebUI are imported."""

import base64

import pytest

from chat.models import Conversation, Message, SearchText
from tests.images import PICTURE
from tests.transfer.transfers import counts, import_data, tree

pytestmark = pytest.mark.slow


def claude(*messages, **fields):
    head = {"uuid": "c", "name": "Trip", "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-02T00:00:00Z"}
    return [head | {"chat_messages": list(messages)} | fields]


def claude_message(uuid, sender, text, **fields):
    content = [{"type": "text", "text": text}] if text else []
    return {
        "uuid": uuid,
        "sender": sender,
        "text": "",
        "content": content,
        "created_at": "2026-01-01T00:00:00Z",
    } | fields


async def test_claude_import_reads_the_tree(client_of, alice):
    root = "00000000-0000-4000-8000-000000000000"
    document = {"file_name": "a.txt", "extracted_content": "one"}
    thoughts = [{"type": "thinking", "thinking": "hm"}, {"type": "tool_use"}, {"type": "text", "text": "In Nara."}]
    messages = [
        claude_message("1", "human", "Where is it?", parent_message_uuid=root, attachments=[document]),
        claude_message("2", "assistant", "", parent_message_uuid="1", content=thoughts),
        claude_message("3", "assistant", "", parent_message_uuid="1"),
        claude_message("4", "human", "Sure?", parent_message_uuid="3", created_at="2026-01-01T00:01:00Z"),
    ]
    answer = await import_data(client_of(alice), claude(*messages))
    assert (answer.status_code, answer.json()) == (201, counts(conversations=1, messages=3))
    row = await Conversation.objects.aget()
    assert (row.title, row.updated_at.isoformat()) == ("Trip", "2026-01-02T00:00:00+00:00")
    text = {"type": "text", "text": "Where is it?"}
    assert [text.file_names async for text in SearchText.objects.exclude(file_names="")] == ["a.txt"]
    document = {"type": "document", "name": "a.txt", "text": "one"}
    reasoning = {"type": "reasoning", "text": "hm"}
    assert await tree(row) == [
        (
            "user",
            [document, text],
            [
                ("assistant", [reasoning, {"type": "text", "text": "In Nara."}], []),
                ("user", [{"type": "text", "text": "Sure?"}], []),  # its parent has nothing that can be shown
            ],
        )
    ]


async def test_claude_import_names_the_files_that_the_export_lacks(client_of, alice):
    files = [{"file_name": "a.txt", "extracted_content": "one"}, {"file_name": "b.pdf", "extracted_content": ""}]
    uploaded = [{"file_name": name} for name in ("a.txt", "b.pdf", "c.png", "c.png")]
    message = claude_message("1", "human", "Hi", attachments=files, files=[*uploaded, "odd"])
    answer = await import_data(client_of(alice), claude(message))
    assert answer.json()["left_out"] == [{"title": "Trip", "reason": "Files that were not imported: b.pdf, c.png"}]
    parts = (await Message.objects.aget()).parts
    assert [part.get("name") for part in parts] == ["a.txt", "b.pdf", "c.png", None]


async def test_claude_import_of_an_older_export_reads_a_chain(client_of, alice):
    messages = [claude_message("1", "human", "Hi"), claude_message("2", "assistant", "Hello")]
    await import_data(client_of(alice), claude(*messages))
    row = await Conversation.objects.aget()
    hello = ("assistant", [{"type": "text", "text": "Hello"}], [])
    assert await tree(row) == [("user", [{"type": "text", "text": "Hi"}], [hello])]


async def test_open_webui_import_reads_the_tree_with_its_images(client_of, alice):
    image = {"type": "image", "url": "data:image/png;base64," + base64.b64encode(PICTURE).decode()}
    lost = {"type": "image", "url": "0b1c"}
    files = [
        {"type": "file", "name": "a.txt", "file": {"filename": "a.txt", "data": {"content": "one"}}},
        {"type": "file", "name": "b.pdf", "url": "/files/b"},
    ]
    common = {"timestamp": 1.7e9, "childrenIds": []}
    messages = {
        "1": common | {"role": "user", "parentId": None, "content": "Hi", "files": [image, lost, *files]},
        "2": common | {"role": "assistant", "parentId": "1", "content": "Hello"},
        "3": common | {"role": "assistant", "parentId": "1", "content": "Good day"},
    }
    chat = {"history": {"messages": messages, "currentId": "2"}}
    rows = [{"id": "w", "title": "Trip", "created_at": 1.7e9, "updated_at": 1.7e9, "pinned": True, "chat": chat}]
    answer = await import_data(client_of(alice), rows)
    problem = {"title": "Trip", "reason": "Files that were not imported: b.pdf"}
    expected = counts(conversations=1, messages=3, left_out=[problem], left_out_count=1)
    assert (answer.status_code, answer.json()) == (201, expected)
    row = await Conversation.objects.select_related("leaf").aget()
    assert (row.leaf.text, row.pinned_at, row.archived_at) == ("Hello", row.updated_at, None)
    question = await Message.objects.aget(role="user")
    assert [part["type"] for part in question.parts] == ["image", "document", "document", "text"]
    assert (await SearchText.objects.aget(message=question)).file_names == "a.txt b.pdf"
    assert question.parts[1:3] == [
        {"type": "document", "name": "a.txt", "text": "one"},
        {"type": "document", "name": "b.pdf", "text": "(This file was not imported.)"},
    ]
    assert question.text == "(an image)\n\nHi"
