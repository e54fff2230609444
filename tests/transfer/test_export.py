"""Conversations are exported."""

import base64
import json

import pytest

from chat.events import Finish, GeneratedImage, Text
from chat.models import Conversation, Message
from chat.transfer import export
from tests.assertions import assert_error
from tests.images import PICTURE
from tests.transfer.transfers import body, counts, import_data, tree
from tests.waiting import wait_for_run

pytestmark = pytest.mark.slow


async def test_markdown_export_has_the_visible_branch(client_of, alice, rich_conversation):
    answer = await client_of(alice).get(f"/api/conversations/{rich_conversation.pk}/export?format=markdown")
    assert answer.status_code == 200
    assert answer["Content-Type"] == "text/markdown; charset=utf-8"
    assert answer["Content-Disposition"] == "attachment; filename*=UTF-8''Whattime%3F.md".replace("%3F", "")
    text = (await body(answer)).decode()
    assert text.startswith("# What/time?\n\n## You\n\n*20")
    for line in (
        "*(an image)*",
        "**a.md**",
        "````\n```\nx\n```\n````",
        "何時？",
        "## teller",
        "*(used clock)*",
        "# Noon",
    ):
        assert line in text
    assert text.count("# Noon") == 1
    assert "hm" not in text
    assert "\n\n\n" not in text


async def test_markdown_export_of_an_empty_conversation_is_its_title(client_of, alice):
    row = await Conversation.objects.acreate(owner=alice)
    answer = await client_of(alice).get(f"/api/conversations/{row.pk}/export?format=markdown")
    assert await body(answer) == b"# Chat\n"


async def test_json_export_has_every_branch(client_of, alice, rich_conversation):
    answer = await client_of(alice).get(f"/api/conversations/{rich_conversation.pk}/export")
    exported = json.loads(await body(answer))
    assert (exported["format"], exported["version"]) == ("chat-export", 1)
    (conversation,) = exported["conversations"]
    assert [message["role"] for message in conversation["messages"]] == ["user", "assistant", "assistant"]
    assert conversation["messages"][1]["status"] == "completed"
    assert len(conversation["images"]) == 1


async def test_full_export_has_all_data_of_the_user_alone(client_of, alice, charlie, rich_conversation):
    await Conversation.objects.acreate(owner=charlie, title="Charlie's secret")
    await Conversation.objects.acreate(owner=alice, title="Another")
    await Conversation.objects.acreate(owner=alice, title="Not to be kept", is_temporary=True)
    client = client_of(alice)
    await client.send("PATCH", "/api/me", {"instructions": "I live in Nara."})
    answer = await client.get("/api/export")
    exported = json.loads(await body(answer))
    assert [row["title"] for row in exported["conversations"]] == ["What/time?", "Another"]
    assert exported["user"]["username"] == "alice"
    assert exported["user"]["preferences"]["instructions"] == "I live in Nara."
    assert json.loads(await body(await client_of(charlie).get("/api/export")))["conversations"][0]["messages"] == []


async def test_export_of_everything_is_read_in_pieces(client_of, alice, words, monkeypatch):
    """A reader may take an hour: no query stays open, and no conversation is held as a whole."""
    monkeypatch.setattr(export, "PIECE_LENGTH", 1)
    for number in range(3):
        row = await Conversation.objects.acreate(owner=alice, title=f"Number {number}", assistant=words)
        messages = [Message(conversation=row, role="user", text=f"{n}") for n in range(45)]
        await Message.objects.abulk_create(messages)
    answer = await client_of(alice).get("/api/export")
    pieces = [piece async for piece in answer]
    assert len(pieces) > 3 * 45
    rows = json.loads(b"".join(pieces))["conversations"]
    assert [(row["title"], len(row["messages"])) for row in rows] == [(f"Number {n}", 45) for n in range(3)]
    assert all(len({message["id"] for message in row["messages"]}) == 45 for row in rows)


async def test_export_is_refused_while_the_user_has_two(client_of, alice, charlie, rich_conversation, monkeypatch):
    monkeypatch.setattr(export, "PIECE_LENGTH", 1)
    client = client_of(alice)
    slow = [await client.get("/api/export") for _ in range(2)]
    answer = await client.get("/api/export")
    assert_error(answer, 429)
    assert answer["Retry-After"]
    assert len(await body(await client_of(charlie).get("/api/export"))) > 0
    for response in slow:
        assert json.loads(await body(response))
    assert (await client.get("/api/export")).status_code == 200


async def test_export_refuses_an_unknown_format(client_of, alice, rich_conversation):
    assert_error(await client_of(alice).get(f"/api/conversations/{rich_conversation.pk}/export?format=pdf"))


async def test_image_that_a_model_made_is_exported_and_imported(client_of, alice, charlie, script, ask):
    image = GeneratedImage(base64.b64encode(PICTURE).decode())
    run = await ask(await script("painter", Text("Here:"), image, Finish("stop")), "Draw a cat.")
    await wait_for_run(run)
    data = await body(await client_of(alice).get(f"/api/conversations/{run.conversation_id}/export"))
    assert (await import_data(client_of(charlie), data)).json() == counts(conversations=1, messages=2)
    copy = await Conversation.objects.aget(owner=charlie)
    assert await tree(copy) == await tree(run.conversation)
    answer = await copy.messages.aget(role="assistant")
    path = f"/api/attachments/{answer.parts[-1]['id']}"
    assert (await client_of(charlie).get(path)).status_code == 200
    assert (await client_of(alice).get(path)).status_code == 404
