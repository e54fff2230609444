"""Exports that are damaged at any place: what can be read is imported, the rest is named, and nothing fails."""

import copy
import io
import json
import logging
import random
import zipfile

import pytest
from django.utils import timezone

from chat.importers import archive, task
from chat.models import Conversation, Import, Message
from chat.transfer import importing
from chat.worker_process import TaskRefused
from tests.assertions import assert_error
from tests.rows import all_rows
from tests.transfer.made_exports import FORMATS, MESSAGE, chatgpt_conversation, own_conversation, own_file, send

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


def problems(caplog):
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR or record.exc_info]


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


def encrypted(data):
    data = bytearray(data)
    for sign, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        start = data.find(sign)
        while start >= 0:
            data[start + offset] |= 1
            start = data.find(sign, start + 1)
    return bytes(data)


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


@pytest.mark.parametrize("name", FORMATS)
def test_reading_reports_a_reason_for_every_wrong_value(name, tmp_path):
    """In this process, unlike the test below: a fault of the reader's would show here with its traceback."""
    make, wrap = FORMATS[name]
    rows = [*damaged_conversations(make)]
    (tmp_path / "source").write_text(json.dumps(wrap(rows)))
    report = task.run(str(tmp_path / "source"), str(tmp_path), "(an image)")
    assert {code for _, code, _ in report["left_out"]} <= importing.REASONS.keys() | {"images", "files"}
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
        before = await all_rows(Import)
        answer = await send(client, data)
        if answer.status_code != 201:
            assert_error(answer, answer.status_code)
            assert 400 <= answer.status_code < 500, answer.content
            assert await all_rows(Import) == before
    assert problems(caplog) == []


@pytest.mark.parametrize("name", REFUSED)
async def test_import_refuses_a_file_with_a_sentence(client_of, alice, name, caplog):
    client = client_of(alice)
    await client.get("/health")
    before = await all_rows(Import)
    data, words = REFUSED[name]
    answer = await send(client, data)
    assert_error(answer, answer.status_code)
    assert 400 <= answer.status_code < 500
    assert words in answer.json()["error"]["message"]
    assert problems(caplog) == []
    assert await all_rows(Import) == before


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


async def test_import_reads_the_complete_conversations_of_a_truncated_file(client_of, alice):
    for name, (make, wrap) in FORMATS.items():
        data = json.dumps(wrap([make(f"{name} {n}") for n in range(3)])).encode()
        answer = await send(client_of(alice), data[: -len(data) // 6])
        assert answer.json()["conversations"] == 2
        assert answer.json()["left_out"] == [{"title": "", "reason": "The file ends too early."}]
