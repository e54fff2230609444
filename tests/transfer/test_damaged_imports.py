"""Exports that are damaged at any place: what can be read is imported, the rest is named, and nothing fails."""

import base64
import contextlib
import copy
import io
import json
import logging
import random
import time
import zipfile

import pytest
from asgiref.sync import sync_to_async
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from chat.importers import archive, chatgpt, json_scan, own, task
from chat.importers.base import Source
from chat.models import Conversation, Message
from chat.transfer import importing
from chat.transfer.save import Importer
from chat.worker_process import TaskRefused
from tests.assertions import assert_error
from tests.images import PICTURE
from tests.rows import all_rows

pytestmark = pytest.mark.slow

WRONG = [
    None,
    True,
    0,
    -1.5,
    10**30,
    10**400,
    float("nan"),
    float("inf"),
    "",
    "x",
    "\0",
    "\ud83d",
    "x" * 5000,
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59.999999-14:00",
    -62135596800,
    253402300799.9,
    [],
    {},
    [[]],
    [None],
    [5],
    {"a": 1},
    {"type": "text"},
]


def own_conversation(number):
    image = {"media_type": "image/png", "data": base64.b64encode(PICTURE).decode()}
    question = {
        "id": "1",
        "parent_id": None,
        "role": "user",
        "parts": [
            {"type": "image", "id": "i"},
            {"type": "document", "name": "a", "text": "b"},
            {"type": "text", "text": "Hi"},
        ],
        "created_at": "2026-01-01T00:00:00+00:00",
        "feedback": None,
        "model": None,
        "status": None,
        "usage": None,
    }
    call = {"type": "tool_call", "id": "c", "name": "clock", "arguments": "{}", "result": "noon", "error": None}
    answer = question | {
        "id": "2",
        "parent_id": "1",
        "role": "assistant",
        "parts": [{"type": "reasoning", "text": "hm", "seconds": 1.5}, call, {"type": "text", "text": "Hello"}],
        "feedback": {"rating": "up", "reason": "", "comment": "good"},
    }
    return {
        "id": f"own {number}",
        "title": f"Number {number}",
        "assistant": "demo",
        "created_at": "2026-01-01T00:00:00+00:00",
        "updated_at": "2026-01-01T00:00:00+00:00",
        "pinned_at": None,
        "archived_at": "2026-01-01T00:00:00+00:00",
        "leaf_id": "2",
        "messages": [question, answer],
        "images": {"i": image},
    }


def chatgpt_conversation(number):
    def node(id, parent, role, content):
        message = {
            "id": id,
            "author": {"role": role, "name": None, "metadata": {}},
            "create_time": 1.7e9,
            "content": content,
            "metadata": {"is_visually_hidden_from_conversation": False},
        }
        return {"id": id, "message": message, "parent": parent, "children": []}

    image = {"content_type": "image_asset_pointer", "asset_pointer": "file-service://file-abcdefgh"}
    spoken = {"content_type": "audio_transcription", "text": "Which bird?"}
    return {
        "id": f"chatgpt {number}",
        "conversation_id": f"chatgpt {number}",
        "title": f"Number {number}",
        "create_time": 1.7e9,
        "update_time": 1.7e9,
        "is_archived": True,
        "current_node": "3",
        "mapping": {
            "0": {"id": "0", "message": None, "parent": None, "children": ["1"]},
            "1": node("1", "0", "user", {"content_type": "multimodal_text", "parts": [image, spoken, "Hi"]}),
            "2": node("2", "1", "assistant", {"content_type": "code", "text": "print(1)"}),
            "3": node("3", "2", "assistant", {"content_type": "text", "parts": ["Hello"]}),
        },
    }


def claude_conversation(number):
    question = {
        "uuid": "1",
        "sender": "human",
        "text": "Hi",
        "content": [{"type": "text", "text": "Hi"}],
        "attachments": [{"file_name": "a.txt", "extracted_content": "one"}],
        "files": [],
        "created_at": "2026-01-01T00:00:00Z",
        "parent_message_uuid": "00000000-0000-4000-8000-000000000000",
    }
    blocks = [
        {"type": "thinking", "thinking": "hm"},
        {"type": "tool_use", "name": "x"},
        {"type": "text", "text": "Hello"},
    ]
    answer = {"uuid": "2", "sender": "assistant", "text": "", "content": blocks, "parent_message_uuid": "1"}
    return {
        "uuid": f"claude {number}",
        "name": f"Number {number}",
        "created_at": "2026-01-01T00:00:00Z",
        "updated_at": "2026-01-01T00:00:00Z",
        "chat_messages": [question, question | answer],
    }


def open_webui_conversation(number):
    image = "data:image/png;base64," + base64.b64encode(PICTURE).decode()
    files = [{"type": "image", "url": image}, {"type": "image", "url": "abc"}, {"type": "file", "id": "x"}]
    question = {
        "id": "1",
        "parentId": None,
        "childrenIds": ["2"],
        "role": "user",
        "content": "Hi",
        "timestamp": 1700000000,
    }
    messages = {
        "1": question | {"files": files},
        "2": question | {"id": "2", "parentId": "1", "role": "assistant", "content": "Hello"},
    }
    return {
        "id": f"webui {number}",
        "title": f"Number {number}",
        "chat": {"title": f"Number {number}", "history": {"messages": messages, "currentId": "2"}},
        "created_at": 1700000000,
        "updated_at": 1700000000,
        "archived": True,
        "pinned": False,
    }


FORMATS = {
    "claude": (claude_conversation, lambda rows: rows),
    "open_webui": (open_webui_conversation, lambda rows: rows),
    "own": (own_conversation, lambda rows: {"format": "chat-export", "version": 1, "user": {}, "conversations": rows}),
    "chatgpt": (chatgpt_conversation, lambda rows: rows),
}


def places(value, path=()):
    """Yields the path to every value inside this one."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield (*path, key)
        yield from places(item, (*path, key))


def damaged_conversations(make):
    """Yields a conversation for every place, with each wrong value there, without it, and with another key."""
    number = 0
    for path in list(places(make(0))):
        for change in [*WRONG, "remove", "rename"]:
            number += 1
            row = make(number)
            inner = row
            for key in path[:-1]:
                inner = inner[key]
            if change == "remove":
                del inner[path[-1]]
            elif change == "rename":
                if isinstance(inner, dict):
                    inner["\ud83d" * 300] = inner.pop(path[-1])
            else:
                inner[path[-1]] = copy.deepcopy(change)
            yield row


async def send(client, data):
    data = data if isinstance(data, bytes) else json.dumps(data).encode()
    return await client.post("/api/import", {"file": SimpleUploadedFile("conversations.json", data)})


def problems(caplog):
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR or record.exc_info]


@pytest.mark.parametrize("name", FORMATS)
def test_reading_reports_a_reason_for_every_wrong_value(name, tmp_path):
    """In this process, unlike the test below: a fault of the reader's would show here with its traceback."""
    make, wrap = FORMATS[name]
    rows = [*damaged_conversations(make)]
    (tmp_path / "source").write_text(json.dumps(wrap(rows)))
    report = task.run(str(tmp_path / "source"), str(tmp_path), "(an image)")
    assert {code for _, code, _ in report["left_out"]} <= importing.REASONS.keys() | {"images"}
    imported = sum(1 for _ in importing.read_records(tmp_path / "records"))
    assert len(rows) / 4 < imported < len(rows)
    assert imported + report["left_out_count"] >= len(rows)


@pytest.mark.parametrize("name", FORMATS)
async def test_import_skips_a_wrong_value_at_every_place(client_of, alice, name, caplog):
    make, wrap = FORMATS[name]
    rows = [make("first"), *damaged_conversations(make), make("last")]
    client = client_of(alice)
    answer = await send(client, wrap(rows))
    assert answer.status_code == 201, answer.content
    assert problems(caplog) == []
    imported = answer.json()
    assert imported["left_out_count"] > 50
    assert all(item["reason"] for item in imported["left_out"])
    assert imported["conversations"] + imported["known"] + imported["updated"] > len(rows) / 4
    assert imported["conversations"] == await Conversation.objects.acount()
    assert {"Number first", "Number last"} <= {row.title async for row in Conversation.objects.all()}
    assert not await Conversation.objects.exclude(deleted_at=None).aexists()
    now = timezone.now()
    async for message in Message.objects.all():
        assert 1970 <= message.created_at.year and message.created_at <= now
    kept = [row async for row in Conversation.objects.order_by("created_at")]
    for row in kept[::7]:  # no factor of the number of damages at a place: each place and each damage has its turn
        assert (await client.get(f"/api/conversations/{row.pk}/messages")).status_code == 200
    assert len((await client.get("/api/conversations")).json()["items"]) > 0
    exported = b"".join([chunk async for chunk in await client.get("/api/export")])
    assert len(json.loads(exported)["conversations"]) == imported["conversations"]


def zip_file(method=zipfile.ZIP_DEFLATED, names=("conversations.json",), data=None):
    file = io.BytesIO()
    data = data or json.dumps([chatgpt_conversation(n) for n in range(20)]).encode()
    with zipfile.ZipFile(file, "w", method) as archive:
        archive.writestr("chat.html", "<html>")
        for name in names:
            archive.writestr(name, data)
    return file.getvalue()


METHODS = {"stored": 0, "deflate": 8, "bzip2": 12, "lzma": 14}


def damaged_zip_files(method, count):
    """Yields ZIP files with wrong bytes in the headers, in the data, or in the directory at the end."""
    random.seed(method)
    whole = zip_file(METHODS[method])
    for number in range(count):
        data = bytearray(whole)
        for _ in range(random.choice([1, 3, 30])):
            place = random.choice([random.randrange(len(data)), random.randrange(60), -random.randrange(1, 200)])
            data[place] ^= random.randrange(1, 256)
        if number % 4 == 0:
            del data[random.randrange(len(data)) :]
        yield bytes(data)


@pytest.mark.parametrize("method", METHODS)
def test_reading_a_damaged_zip_file_fails_with_a_reason(method, tmp_path):
    for data in damaged_zip_files(method, 400):
        (tmp_path / "source").write_bytes(data)
        try:
            report = task.run(str(tmp_path / "source"), str(tmp_path), "(an image)")
        except TaskRefused as refused:
            assert refused.code in importing.REFUSALS.keys() | importing.REASONS.keys()
        else:
            assert all(code in importing.REASONS for _, code, _ in report["left_out"])


@pytest.mark.parametrize("method", METHODS)
async def test_import_of_a_damaged_zip_file_says_so(client_of, alice, method, caplog):
    client = client_of(alice)
    await client.get("/health")
    for data in damaged_zip_files(method, 12):
        before = await all_rows()
        answer = await send(client, data)
        if answer.status_code != 201:
            assert_error(answer, answer.status_code)
            assert 400 <= answer.status_code < 500, answer.content
            assert await all_rows() == before
    assert problems(caplog) == []


def encrypted(data):
    data = bytearray(data)
    for sign, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        start = data.find(sign)
        while start >= 0:
            data[start + offset] |= 1
            start = data.find(sign, start + 1)
    return bytes(data)


def own_file(**fields):
    return FORMATS["own"][1]([own_conversation(1) | fields])


MESSAGE = own_conversation(1)["messages"][0] | {"parts": [{"type": "text", "text": "Hi"}]}
FLOATS = b'[{"mapping": {"a": [' + b"1.5," * 12_000_000 + b"1]}}]"  # 48 MB, and ten times that when it is parsed
REFUSED = {
    "an encrypted zip file": (encrypted(zip_file()), "password"),
    "a zip file without conversations": (zip_file(names=["other.json"]), "conversations.json"),
    "a message that follows itself": (own_file(messages=[MESSAGE, MESSAGE | {"parent_id": "1"}]), "same ID"),
    "messages in a cycle": (
        own_file(messages=[MESSAGE | {"parent_id": "2"}, MESSAGE | {"id": "2", "parent_id": "1"}]),
        "tree",
    ),
    "too many messages": (own_file(messages=[MESSAGE | {"id": str(n)} for n in range(10_001)]), "too many"),
    "a message that is too long": (
        own_file(messages=[MESSAGE | {"parts": [{"type": "text", "text": "x" * 2_200_000}]}]),
        "too long",
    ),
    "deep brackets": (b"[" * 200_000, "JSON"),
    "deep brackets in a conversation": (
        b'{"format": "chat-export", "conversations": [{"id": ' + b"[" * 5000 + b"]" * 5000 + b"}]}",
        "read",
    ),
    "a number of many digits": (
        b'{"format": "chat-export", "conversations": [{"id": ' + b"9" * 10_000 + b"}]}",
        "read",
    ),
    "a small zip file that fills the memory": (zip_file(data=FLOATS), "large"),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_import_refuses_a_file_with_a_sentence(client_of, alice, name, caplog):
    client = client_of(alice)
    await client.get("/health")
    before = await all_rows()
    data, words = REFUSED[name]
    answer = await send(client, data)
    assert_error(answer, answer.status_code)
    assert 400 <= answer.status_code < 500
    assert words in answer.json()["error"]["message"]
    assert problems(caplog) == []
    assert await all_rows() == before


def test_reading_stops_when_a_small_zip_file_expands_too_far(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "MAX_UNPACKED_BYTES", 1_000_000)
    (tmp_path / "source").write_bytes(
        zip_file(names=["conversations-1.json", "conversations-2.json"], data=b" " * 600_000)
    )
    with pytest.raises(TaskRefused) as refused:
        task.run(str(tmp_path / "source"), str(tmp_path), "(an image)")
    assert refused.value.code == "too_large"


async def test_import_reports_what_it_leaves_out(client_of, alice):
    rows = [own_conversation(1), own_conversation(2) | {"messages": 5}, own_conversation(3), 5]
    rows[2]["images"]["i"]["data"] = "aGk="
    answer = await send(client_of(alice), FORMATS["own"][1](rows))
    imported = answer.json()
    assert (imported["conversations"], imported["messages"]) == (2, 4)
    assert imported["left_out"] == [
        {"title": "Number 2", "reason": "It cannot be read."},
        {"title": "Number 3", "reason": "Images that could not be read: 1"},
        {"title": "", "reason": "It cannot be read."},
    ]


async def test_import_reads_the_whole_conversations_of_a_file_that_ends_too_early(client_of, alice):
    for name, (make, wrap) in FORMATS.items():
        data = json.dumps(wrap([make(f"{name} {n}") for n in range(3)])).encode()
        answer = await send(client_of(alice), data[: -len(data) // 6])
        assert answer.json()["conversations"] == 2
        assert answer.json()["left_out"] == [{"title": "", "reason": "The file ends too early."}]


async def test_import_reads_all_parts_of_a_large_zip_file(client_of, alice):
    names = [f"export/conversations-{number:03}.json" for number in range(3)]
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for number, name in enumerate(names):
            archive.writestr(name, json.dumps([chatgpt_conversation(number)]) if number != 1 else "{]")
    answer = await send(client_of(alice), file.getvalue())
    assert answer.json()["conversations"] == 2
    assert answer.json()["left_out"] == [{"title": "conversations-001.json", "reason": "It is not valid JSON."}]


async def test_import_reads_the_images_of_a_zip_file(client_of, alice):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("conversations.json", json.dumps([chatgpt_conversation(1)]))
        archive.writestr("file-abcdefgh-bird.png", PICTURE)
    client = client_of(alice)
    answer = await send(client, file.getvalue())
    assert answer.json()["left_out"] == []
    message = await Message.objects.aget(role="user")
    image, text = message.parts
    assert text == {"type": "text", "text": "Which bird?\n\nHi"}
    assert (image["width"], image["height"]) == (8, 4)
    assert (await client.get(f"/api/attachments/{image['id']}")).status_code == 200


async def test_import_of_a_later_export_adds_what_is_new(client_of, alice):
    client = client_of(alice)
    first = chatgpt_conversation(1)
    await send(client, [first])
    later = copy.deepcopy(first)
    later["mapping"]["4"] = copy.deepcopy(later["mapping"]["3"]) | {"id": "4", "parent": "3"}
    later["mapping"]["4"]["message"]["content"]["parts"] = ["More"]
    later["current_node"] = "4"
    answer = await send(client, [later])
    assert (answer.json()["updated"], answer.json()["messages"]) == (1, 1)
    row = await Conversation.objects.select_related("leaf__parent").aget()
    assert (row.leaf.text, row.leaf.parent.text) == ("More", "Hello")
    assert (await send(client, [later])).json()["known"] == 1


async def test_import_cleans_up_after_one_that_ended_in_the_middle(client_of, alice):
    """A conversation of several transactions is hidden until the last of them."""
    messages = [MESSAGE | {"id": str(n), "parent_id": str(n - 1) if n else None} for n in range(450)]
    data = own_file(messages=messages)
    client = client_of(alice)
    await send(client, data)
    row = await Conversation.objects.aget()
    await Message.objects.filter(conversation=row).order_by("-created_at").afirst()
    await Conversation.objects.aupdate(deleted_at=timezone.now(), leaf=None)
    await Message.objects.filter(pk__in=[m.pk async for m in Message.objects.order_by("-created_at")[:200]]).adelete()
    answer = await send(client, data)
    assert (answer.json()["conversations"], answer.json()["messages"]) == (1, 450)
    row = await Conversation.objects.aget()
    assert (row.deleted_at, await row.messages.acount()) == (None, 450)


@pytest.mark.parametrize("repeated", [b"[", b'["', b'\\"', b"\\", b'{"a":', b"[{},", b'[{"conversations":', b"x", b" "])
@pytest.mark.parametrize("start", [b"", b"[", b'["', b'[{"'])
def test_scan_takes_time_in_proportion_to_the_file(start, repeated, tmp_path):
    def duration(count):
        path = tmp_path / str(count)
        path.write_bytes(start + repeated * count)
        times = []
        for _ in range(3):
            begin = time.process_time()
            with contextlib.suppress(TaskRefused), json_scan.map_file(str(path)) as data:
                json_scan.scan(data)
            times.append(time.process_time() - begin)
        return min(times)

    assert duration(64_000) < 16 * duration(16_000) + 0.01  # four times the length


HIDDEN = {"metadata": {"is_visually_hidden_from_conversation": True}}


def long_hidden_chain(count):
    """Visible nodes that all hang on the end of as many hidden ones."""
    row = chatgpt_conversation(1)
    node = row["mapping"].pop("3")
    hidden = node | {"message": node["message"] | HIDDEN}
    mapping = {f"h{n}": hidden | {"parent": f"h{n - 1}"} for n in range(count)}
    return row | {"mapping": mapping | {f"v{n}": node | {"parent": f"h{count - 1}"} for n in range(count)}}


def long_ids(count):
    row = own_conversation(1) | {"id": "x" * 100 * count}
    return row | {"messages": [MESSAGE | {"id": f"{n}" * 50} for n in range(count)]}


@pytest.mark.parametrize(
    ("make", "importer"), [(long_hidden_chain, chatgpt), (long_ids, own)], ids=["hidden chain", "long ids"]
)
def test_reading_takes_time_in_proportion_to_the_conversation(make, importer):
    def duration(count):
        row = make(count)
        times = []
        for _ in range(3):
            begin = time.process_time()
            imported = importer.read_conversation(row, Source("(an image)"))
            times.append(time.process_time() - begin)
            assert len(imported.id) <= 200
        return min(times)

    assert duration(8000) < 16 * duration(2000) + 0.01  # four times the length


async def test_import_that_fails_in_the_middle_stays_hidden_and_can_be_repeated(client_of, alice, tmp_path):
    messages = [MESSAGE | {"id": str(n), "parent_id": str(n - 1) if n else None} for n in range(250)]
    (tmp_path / "source").write_text(json.dumps(own_file(messages=messages)))
    task.run(str(tmp_path / "source"), str(tmp_path), "(an image)")
    (imported,) = importing.read_records(tmp_path / "records")
    imported["messages"][249]["parts"] = [{"attachment": {"media_type": "text/html", "size": 0, "offset": 0}}]
    importer = Importer(alice, tmp_path / "images")
    with pytest.raises(ValueError, match="text/html"):
        await sync_to_async(importer.save)(imported)
    client = client_of(alice)
    row = await Conversation.objects.aget()
    assert row.deleted_at > timezone.now()  # so that what deletes for good does not delete it from under an import
    assert (await client.get("/api/conversations")).json()["items"] == []
    answer = await send(client, (tmp_path / "source").read_bytes())
    assert (answer.json()["conversations"], answer.json()["messages"]) == (1, 250)


async def test_import_reports_conversations_whose_images_exceed_the_storage(client_of, alice, settings):
    rows = [own_conversation(1), own_conversation(2) | {"messages": [MESSAGE]}]
    settings.MAX_STORED_IMAGE_BYTES = 1
    answer = await send(client_of(alice), FORMATS["own"][1](rows))
    assert (answer.json()["conversations"], answer.json()["left_out_count"]) == (1, 1)
    assert answer.json()["left_out"][0]["title"] == "Number 1"
    assert [row.title async for row in Conversation.objects.all()] == ["Number 2"]
