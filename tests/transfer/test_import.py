"""The site's own exports are imported, and no unreadable file changes anything."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, given, settings, strategies

from chat.importers import task
from chat.models import Conversation, Import
from chat.worker_process import TaskRefused
from tests.assertions import assert_error
from tests.rows import all_rows
from tests.transfer.transfers import VALID, body, counts, import_data, node, tree

pytestmark = pytest.mark.slow


# Exports of this site -----------------------------------------------------------------------------------------------


async def test_import_restores_an_export(client_of, alice, charlie, rich_conversation):
    exported = await body(await client_of(alice).get("/api/export"))
    client = client_of(charlie)
    answer = await import_data(client, exported)
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
    before = await all_rows(Import)
    assert (await import_data(client, exported)).json() == counts(known=1)
    assert await all_rows(Import) == before


async def test_allowed_tools_are_not_exported_or_imported(client_of, alice, charlie):
    await Conversation.objects.acreate(owner=alice, title="Allowed", allowed_tools={"send_mail": "1"})
    exported = await body(await client_of(alice).get("/api/export"))
    assert "send_mail" not in str(exported)
    forged = json.loads(exported)
    forged["conversations"][0]["allowed_tools"] = {"send_mail": "1"}
    await import_data(client_of(charlie), json.dumps(forged).encode())
    assert (await Conversation.objects.aget(owner=charlie)).allowed_tools == {}


async def test_import_keeps_pinned_and_archived(client_of, alice, charlie):
    pinned = await Conversation.objects.acreate(owner=alice, title="Pinned", pinned_at=timezone.now())
    archived = await Conversation.objects.acreate(owner=alice, title="Archived", archived_at=timezone.now())
    await import_data(client_of(charlie), await body(await client_of(alice).get("/api/export")))
    for row in (pinned, archived):
        copy = await Conversation.objects.aget(owner=charlie, title=row.title)
        assert (copy.pinned_at, copy.archived_at) == (row.pinned_at, row.archived_at)


async def test_import_keeps_ratings_and_the_assistant(client_of, alice, charlie, rich_conversation, script):
    rating = {"rating": "down", "reason": "Not true", "comment": "It was Tuesday."}
    await rich_conversation.messages.filter(role="assistant").aupdate(feedback=rating)
    gone = await Conversation.objects.acreate(owner=alice, title="Gone", assistant=await script("gone"))
    exported = await body(await client_of(alice).get("/api/export"))
    await gone.assistant.adelete()
    await import_data(client_of(charlie), exported)
    row = await Conversation.objects.aget(owner=charlie, title=rich_conversation.title)
    assert row.assistant_id == rich_conversation.assistant_id
    assert [message.feedback async for message in row.messages.order_by("created_at")][1] == rating
    assert (await Conversation.objects.aget(owner=charlie, title="Gone")).assistant_id is None


async def test_imported_conversation_can_be_continued(client_of, alice, charlie, rich_conversation):
    await import_data(client_of(charlie), await body(await client_of(alice).get("/api/export")))
    row = await Conversation.objects.aget(owner=charlie)
    answer = await client_of(charlie).send("POST", "/api/chat", {"text": "And now?", "conversation_id": str(row.pk)})
    assert answer.status_code == 200


async def test_import_of_the_users_own_export_makes_no_copies(client_of, alice, rich_conversation):
    client = client_of(alice)
    assert (await import_data(client, await body(await client.get("/api/export")))).json()["known"] == 1
    assert await Conversation.objects.acount() == 1


async def test_import_restores_a_deleted_conversation(client_of, alice, charlie, rich_conversation):
    exported = await body(await client_of(alice).get("/api/export"))
    client = client_of(charlie)
    await import_data(client, exported)
    row = await Conversation.objects.aget(owner=charlie)
    await client.send("DELETE", f"/api/conversations/{row.pk}")
    assert (await import_data(client, exported)).json()["conversations"] == 1
    assert len((await client.get("/api/conversations")).json()["items"]) == 1


# Files that cannot be read --------------------------------------------------------------------------------------------


def damaged(**fields):
    return VALID | {"conversations": [VALID["conversations"][0] | fields]}


def with_message(**fields):
    return damaged(messages=[VALID["conversations"][0]["messages"][0] | fields])


UNREADABLE = {
    "an empty file": b"",
    "not JSON": b"Hello",
    "invalid UTF-8": b"\xff\xfe{",
    "too deeply nested": b"[" * 100_000,
    "a number": b"5",
    "an empty object": {},
    "another format": {"format": "other", "conversations": []},
    "a list of numbers": [5],
    "conversations that are not a list": {"format": "chat-export", "conversations": 5},
    "a conversation that is not an object": {"format": "chat-export", "conversations": [5]},
    "a title that is not a string": damaged(title=5),
    "messages that are not a list": damaged(messages=5),
    "an unknown role": with_message(role="system"),
    "an unknown type of part": with_message(parts=[{"type": "html", "text": "<b>"}]),
    "a part without text": with_message(parts=[{"type": "text"}]),
    "parts that are not a list": with_message(parts="Hi"),
    "a message that is its own parent": with_message(parent_id="1"),
    "a parent ID of the wrong type": with_message(parent_id=[]),
    "a leaf ID of the wrong type": damaged(leaf_id=[]),
    "an unknown rating": with_message(feedback={"rating": "sideways", "reason": "", "comment": ""}),
    "a rating that is not an object": with_message(feedback=5),
    "an assistant that is not a string": damaged(assistant=5),
    "two messages with one ID": damaged(messages=VALID["conversations"][0]["messages"] * 2),
    "an image that cannot be decoded": damaged(
        images={"i": {"data": "aGk="}},
        messages=[VALID["conversations"][0]["messages"][0] | {"parts": [{"type": "image", "id": "i"}]}],
    ),
    "a mapping that is not an object": [{"mapping": 5}],
    "nodes that are not objects": [{"mapping": {"1": 5}}],
    "IDs that become the same": [{"mapping": dict.fromkeys(["1", "1\0"], node("1", None, "user", "Hi"))}],
    "an author that is null": [{"mapping": {"1": {"message": {"author": None}}}}],
    "an empty zip file": b"PK\x05\x06" + bytes(18),
    "a broken zip file": b"PK\x03\x04" + bytes(50),
}


async def test_import_refuses_unreadable_files_and_changes_nothing(client_of, alice, subtests):
    client = client_of(alice)
    await client.get("/health")
    before = await all_rows(Import)
    for name, data in UNREADABLE.items():
        with subtests.test(name):
            answer = await import_data(client, data)
            assert_error(answer, answer.status_code)
            assert 400 <= answer.status_code < 500
            assert await all_rows(Import) == before


def read(data):
    """Returns what the worker process writes of this file: a line for each conversation and message."""
    with TemporaryDirectory() as folder:
        source = Path(folder, "source")
        source.write_text(json.dumps(data))
        task.run(str(source), folder, "(an image)")
        with Path(folder, "records").open(encoding="utf-8") as lines:
            return list(map(json.loads, lines))


def test_import_reads_the_undamaged_file():
    """Otherwise, the damaged ones above might be refused for another reason."""
    _, message = read(VALID)
    assert message["parts"] == [{"type": "text", "text": "Hi"}]


KEYS = ["mapping", "message", "author", "role", "content", "parts", "type", "text", "id", "messages"]
scalars = (
    strategies.none()
    | strategies.booleans()
    | strategies.integers()
    | strategies.floats()
    | strategies.text(max_size=5)
)
json_values = strategies.recursive(
    scalars,
    lambda inner: (
        strategies.lists(inner, max_size=3) | strategies.dictionaries(strategies.sampled_from(KEYS), inner, max_size=4)
    ),
    max_leaves=20,
)


@settings(max_examples=300, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(json_values)
def test_import_reads_or_refuses_any_value(value):
    for data in (VALID | {"conversations": [value]}, [{"mapping": {"1": value}}], [value]):
        try:
            read(data)
        except TaskRefused:
            pass
