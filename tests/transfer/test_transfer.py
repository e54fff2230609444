"""Export and import of conversations, also from ChatGPT."""

import base64
import io
import json
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from chat import transfer
from chat.events import Finish, GeneratedImage, Text
from chat.importers import task
from chat.models import Conversation, Message
from chat.transfer import export
from chat.worker_process import TaskRefused
from tests.assertions import assert_error
from tests.images import PICTURE
from tests.rows import all_rows
from tests.waiting import wait_for_run

pytestmark = pytest.mark.slow


async def body(answer):
    return b"".join([chunk async for chunk in answer]) if answer.streaming else answer.content


async def send_in(client, data, name="conversations.json"):
    data = data if isinstance(data, bytes) else json.dumps(data).encode()
    return await client.post("/api/import", {"file": SimpleUploadedFile(name, data)})


def counts(**changed):
    """The answer to an import that left nothing out."""
    none = {"conversations": 0, "messages": 0, "known": 0, "updated": 0, "left_out": [], "left_out_count": 0}
    return none | changed


async def tree(row):
    """The messages as a tree of (role, parts without images' ids)."""
    messages = [message async for message in row.messages.all()]

    def below(parent):
        return [
            (
                message.role,
                [{**part, "id": "?"} if part["type"] == "image" else part for part in message.parts],
                below(message.pk),
            )
            for message in messages
            if message.parent_id == parent
        ]

    return below(None)


# Export --------------------------------------------------------------------------------------------------------------


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


# Import -------------------------------------------------------------------------------------------------------------


async def test_import_restores_an_export(client_of, alice, charlie, rich_conversation):
    exported = await body(await client_of(alice).get("/api/export"))
    client = client_of(charlie)
    answer = await send_in(client, exported)
    assert (answer.status_code, answer.json()) == (201, counts(conversations=1, messages=3))
    row = await Conversation.objects.aget(owner=charlie)
    assert (row.title, row.created_at, row.updated_at) == (
        rich_conversation.title,
        rich_conversation.created_at,
        (await Conversation.objects.aget(pk=rich_conversation.pk)).updated_at,
    )
    assert await tree(row) == await tree(rich_conversation)
    items = (await client.get(f"/api/conversations/{row.pk}/messages")).json()["items"]
    assert (await client.get(f"/api/attachments/{items[0]['parts'][0]['id']}")).status_code == 200
    assert [item["status"] for item in items] == ["completed"] * 3
    before = await all_rows()
    assert (await send_in(client, exported)).json() == counts(known=1)
    assert await all_rows() == before


async def test_import_keeps_pinned_and_archived(client_of, alice, charlie):
    pinned = await Conversation.objects.acreate(owner=alice, title="Pinned", pinned_at=timezone.now())
    archived = await Conversation.objects.acreate(owner=alice, title="Archived", archived_at=timezone.now())
    await send_in(client_of(charlie), await body(await client_of(alice).get("/api/export")))
    for row in (pinned, archived):
        copy = await Conversation.objects.aget(owner=charlie, title=row.title)
        assert (copy.pinned_at, copy.archived_at) == (row.pinned_at, row.archived_at)


async def test_import_keeps_ratings_and_the_assistant(client_of, alice, charlie, rich_conversation, script):
    rating = {"rating": "down", "reason": "Not true", "comment": "It was Tuesday."}
    await rich_conversation.messages.filter(role="assistant").aupdate(feedback=rating)
    gone = await Conversation.objects.acreate(owner=alice, title="Gone", assistant=await script("gone"))
    exported = await body(await client_of(alice).get("/api/export"))
    await gone.assistant.adelete()
    await send_in(client_of(charlie), exported)
    row = await Conversation.objects.aget(owner=charlie, title=rich_conversation.title)
    assert row.assistant_id == rich_conversation.assistant_id
    assert [message.feedback async for message in row.messages.order_by("created_at")][1] == rating
    assert (await Conversation.objects.aget(owner=charlie, title="Gone")).assistant_id is None


async def test_imported_conversation_can_be_continued(client_of, alice, charlie, rich_conversation):
    await send_in(client_of(charlie), await body(await client_of(alice).get("/api/export")))
    row = await Conversation.objects.aget(owner=charlie)
    answer = await client_of(charlie).send("POST", "/api/chat", {"text": "And now?", "conversation_id": str(row.pk)})
    assert answer.status_code == 200


async def test_import_of_the_users_own_export_makes_no_copies(client_of, alice, rich_conversation):
    client = client_of(alice)
    assert (await send_in(client, await body(await client.get("/api/export")))).json()["known"] == 1
    assert await Conversation.objects.acount() == 1


async def test_import_restores_a_deleted_conversation(client_of, alice, charlie, rich_conversation):
    exported = await body(await client_of(alice).get("/api/export"))
    client = client_of(charlie)
    await send_in(client, exported)
    row = await Conversation.objects.aget(owner=charlie)
    await client.send("DELETE", f"/api/conversations/{row.pk}")
    assert (await send_in(client, exported)).json()["conversations"] == 1
    assert len((await client.get("/api/conversations")).json()["items"]) == 1


# From ChatGPT ---------------------------------------------------------------------------------------------------------


def node(id, parent, role=None, *parts, kind="text", **more):
    message = None
    if role:
        content = (
            {"content_type": kind, "parts": list(parts)} if kind != "code" else {"content_type": kind, "text": parts[0]}
        )
        message = {"id": id, "author": {"role": role}, "content": content, "create_time": 1.7e9 + int(id), **more}
    return {"id": id, "parent": parent, "children": [], "message": message}


def chatgpt(*nodes, **more):
    head = {"conversation_id": "abc", "title": "Trip", "create_time": 1.7e9, "update_time": 1.7e9 + 50}
    return [head | {"mapping": {node["id"]: node for node in nodes}, "current_node": nodes[-1]["id"]} | more]


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
    answer = await send_in(client_of(alice), data)
    assert (answer.status_code, answer.json()) == (201, counts(conversations=1, messages=4))
    row = await Conversation.objects.select_related("leaf").aget()
    assert (row.title, row.created_at.timestamp(), row.leaf.text) == ("Trip", 1.7e9, "In Himeji.\n\nReally.")

    def said(role, text, *below):
        return (role, [{"type": "text", "text": text}], list(below))

    assert await tree(row) == [
        said(
            "user",
            "Where is it?",
            said("assistant", "In Nara."),
            said("assistant", "```\nprint(1)\n```", said("assistant", "In Himeji.\n\nReally.")),
        )
    ]


async def test_chatgpt_import_keeps_archived(client_of, alice):
    await send_in(client_of(alice), chatgpt(node("1", None, "user", "Hi"), is_archived=True))
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
    await send_in(client_of(alice), chatgpt(*nodes))
    texts = [message.text async for message in Message.objects.order_by("created_at")]
    assert texts == ["(an image)\n\nWhat is it?", "Which bird is it?", "(an image)"]


async def test_chatgpt_import_leaves_out_marks(client_of, alice):
    name = '\ue200entity\ue202["city","Nara","in Japan"]\ue201'
    text = f"It is {name}.\ue200cite\ue202turn0search1\ue202turn0search2\ue201 Really\ue200entity\ue202[1]\ue201."
    await send_in(client_of(alice), chatgpt(node("1", None, "assistant", text)))
    assert (await Message.objects.aget()).text == "It is Nara. Really."


async def test_chatgpt_import_replaces_half_a_surrogate_pair_in_an_id(client_of, alice):
    answer = await send_in(client_of(alice), [{"mapping": {"\ud83d": node("1", None, "user", "Hi")}}])
    assert (answer.status_code, answer.json()["messages"]) == (201, 1)


async def test_chatgpt_import_reads_3000_messages(alice):
    nodes = [node("0", None)] + [node(str(n), str(n - 1), "user", f"{n}") for n in range(1, 3001)]
    count = await transfer.import_file(alice, io.BytesIO(json.dumps(chatgpt(*nodes)).encode()))
    assert count["messages"] == 3000
    assert [m.text async for m in Message.objects.order_by("created_at")] == [str(n) for n in range(1, 3001)]


# From others ----------------------------------------------------------------------------------------------------------


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
    answer = await send_in(client_of(alice), claude(*messages))
    assert (answer.status_code, answer.json()) == (201, counts(conversations=1, messages=3))
    row = await Conversation.objects.aget()
    assert (row.title, row.updated_at.isoformat()) == ("Trip", "2026-01-02T00:00:00+00:00")
    text = {"type": "text", "text": "Where is it?"}
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


async def test_claude_import_of_an_older_export_reads_a_chain(client_of, alice):
    messages = [claude_message("1", "human", "Hi"), claude_message("2", "assistant", "Hello")]
    await send_in(client_of(alice), claude(*messages))
    row = await Conversation.objects.aget()
    hello = ("assistant", [{"type": "text", "text": "Hello"}], [])
    assert await tree(row) == [("user", [{"type": "text", "text": "Hi"}], [hello])]


async def test_open_webui_import_reads_the_tree_with_its_images(client_of, alice):
    image = {"type": "image", "url": "data:image/png;base64," + base64.b64encode(PICTURE).decode()}
    lost = {"type": "image", "url": "0b1c"}
    common = {"timestamp": 1.7e9, "childrenIds": []}
    messages = {
        "1": common | {"role": "user", "parentId": None, "content": "Hi", "files": [image, lost, {"type": "file"}]},
        "2": common | {"role": "assistant", "parentId": "1", "content": "Hello"},
        "3": common | {"role": "assistant", "parentId": "1", "content": "Good day"},
    }
    chat = {"history": {"messages": messages, "currentId": "2"}}
    rows = [{"id": "w", "title": "Trip", "created_at": 1.7e9, "updated_at": 1.7e9, "pinned": True, "chat": chat}]
    answer = await send_in(client_of(alice), rows)
    assert (answer.status_code, answer.json()) == (201, counts(conversations=1, messages=3))
    row = await Conversation.objects.select_related("leaf").aget()
    assert (row.leaf.text, row.pinned_at, row.archived_at) == ("Hello", row.updated_at, None)
    question = await Message.objects.aget(role="user")
    assert [part["type"] for part in question.parts] == ["image", "text"]
    assert question.text == "(an image)\n\nHi"


OURS = {
    "format": "chat-export",
    "version": 1,
    "conversations": [
        {
            "id": "x",
            "title": "T",
            "created_at": "2026-01-01",
            "updated_at": "2026-01-01",
            "messages": [
                {
                    "id": "1",
                    "parent_id": None,
                    "role": "user",
                    "parts": [{"type": "text", "text": "Hi"}],
                    "created_at": "2026-01-01",
                }
            ],
        }
    ],
}


def damaged(**fields):
    return OURS | {"conversations": [OURS["conversations"][0] | fields]}


def with_message(**fields):
    return damaged(messages=[OURS["conversations"][0]["messages"][0] | fields])


NO_EXPORTS = {
    "nothing": b"",
    "no JSON": b"Hello",
    "bad UTF-8": b"\xff\xfe{",
    "deep": b"[" * 100_000,
    "a number": b"5",
    "an empty object": {},
    "another format": {"format": "other", "conversations": []},
    "a list of nothing": [5],
    "no conversations": {"format": "chat-export", "conversations": 5},
    "a conversation that is none": {"format": "chat-export", "conversations": [5]},
    "a title that is none": damaged(title=5),
    "messages that are none": damaged(messages=5),
    "a role of its own": with_message(role="system"),
    "a part of its own": with_message(parts=[{"type": "html", "text": "<b>"}]),
    "a part without text": with_message(parts=[{"type": "text"}]),
    "parts that are none": with_message(parts="Hi"),
    "a message that is its own parent": with_message(parent_id="1"),
    "a parent that is no id": with_message(parent_id=[]),
    "a leaf that is no id": damaged(leaf_id=[]),
    "a rating of its own": with_message(feedback={"rating": "sideways", "reason": "", "comment": ""}),
    "a rating that is none": with_message(feedback=5),
    "an assistant that is none": damaged(assistant=5),
    "two of one name": damaged(messages=OURS["conversations"][0]["messages"] * 2),
    "an image that is none": damaged(
        images={"i": {"data": "aGk="}},
        messages=[OURS["conversations"][0]["messages"][0] | {"parts": [{"type": "image", "id": "i"}]}],
    ),
    "a mapping that is none": [{"mapping": 5}],
    "nodes that are none": [{"mapping": {"1": 5}}],
    "ids that become the same": [{"mapping": dict.fromkeys(["1", "1\0"], node("1", None, "user", "Hi"))}],
    "an author that is none": [{"mapping": {"1": {"message": {"author": None}}}}],
    "an empty zip file": b"PK\x05\x06" + bytes(18),
    "a broken zip file": b"PK\x03\x04" + bytes(50),
}


async def test_import_refuses_other_files_and_changes_nothing(client_of, alice, subtests):
    client = client_of(alice)
    await client.get("/health")
    before = await all_rows()
    for name, data in NO_EXPORTS.items():
        with subtests.test(name):
            answer = await send_in(client, data)
            assert_error(answer, answer.status_code)
            assert 400 <= answer.status_code < 500
            assert await all_rows() == before


def read(data):
    """Returns what the worker process writes of this file: a line for each conversation and message."""
    with TemporaryDirectory() as folder:
        source = Path(folder, "source")
        source.write_text(json.dumps(data))
        task.run(str(source), folder, "(an image)")
        return [json.loads(line) for line in Path(folder, "records").read_text().splitlines()]


def test_import_reads_the_undamaged_file():
    """Otherwise the damaged ones above would be refused for another reason."""
    _, message = read(OURS)
    assert message["parts"] == [{"type": "text", "text": "Hi"}]


anything = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats() | some.text(max_size=5),
    lambda inner: (
        some.lists(inner, max_size=3)
        | some.dictionaries(
            some.sampled_from(
                ["mapping", "message", "author", "role", "content", "parts", "type", "text", "id", "messages"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@settings(max_examples=300, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(anything)
def test_import_reads_or_refuses_any_value(value):
    for data in (OURS | {"conversations": [value]}, [{"mapping": {"1": value}}], [value]):
        try:
            read(data)
        except TaskRefused:
            pass


async def test_image_that_a_model_made_is_exported_and_imported(client_of, alice, charlie, script, ask):
    image = GeneratedImage(base64.b64encode(PICTURE).decode())
    run = await ask(await script("painter", Text("Here:"), image, Finish("stop")), "Draw a cat.")
    await wait_for_run(run)
    data = await body(await client_of(alice).get(f"/api/conversations/{run.conversation_id}/export"))
    assert (await send_in(client_of(charlie), data)).json() == counts(conversations=1, messages=2)
    copy = await Conversation.objects.aget(owner=charlie)
    assert await tree(copy) == await tree(run.conversation)
    answer = await copy.messages.aget(role="assistant")
    path = f"/api/attachments/{answer.parts[-1]['id']}"
    assert (await client_of(charlie).get(path)).status_code == 200
    assert (await client_of(alice).get(path)).status_code == 404
