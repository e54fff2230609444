"""Imports with images and of many conversations: in groups, once each, in proportionate time."""

import contextlib
import copy
import io
import json
import time
import zipfile

import pytest
from asgiref.sync import sync_to_async
from django.utils import timezone

from chat.importers import chatgpt, json_scan, own, task
from chat.importers.base import Source
from chat.models import Conversation, Message
from chat.transfer import importing
from chat.transfer.save import MAX_ROWS, MAX_TEXT_LENGTH, Importer, grouped, image_reader
from chat.worker_process import TaskRefused
from tests.images import PICTURE
from tests.transfer.made_exports import FORMATS, MESSAGE, chatgpt_conversation, own_conversation, own_file, send

pytestmark = pytest.mark.slow


def records(tmp_path, rows):
    """The conversations of an export as the reading process hands them over."""
    (tmp_path / "source").write_text(json.dumps(rows))
    task.run(str(tmp_path / "source"), str(tmp_path), "(an image)")
    return list(importing.read_records(tmp_path / "records"))


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


def test_import_saves_small_conversations_together(alice, tmp_path, django_assert_max_num_queries):
    read = records(tmp_path, [chatgpt_conversation(number) for number in range(30)])
    importer = Importer(alice, image_reader(tmp_path / "images"))
    with django_assert_max_num_queries(20):
        for group in grouped(read):
            importer.save_group(group)
    assert importer.counts["conversations"] == 30
    for row in Conversation.objects.select_related("leaf"):
        assert row.leaf.text == "Hello"


def test_import_saves_each_of_a_group_once(alice, tmp_path):
    read = records(tmp_path, [chatgpt_conversation(number) for number in range(4)])
    Importer(alice, image_reader(tmp_path / "images")).save(read[1])
    importer = Importer(alice, image_reader(tmp_path / "images"))
    importer.save_group([*read, read[3]])
    assert (importer.counts["conversations"], importer.counts["known"]) == (3, 2)
    assert Conversation.objects.count() == 4


def test_group_is_small_enough_for_a_transaction(tmp_path):
    large = {"messages": [{"parts": []}] * (MAX_ROWS - 10)}
    small = {"messages": [{"parts": [{"type": "text", "text": "x"}]}]}
    long = {"messages": [{"parts": [{"type": "text", "text": "x" * (MAX_TEXT_LENGTH + 1)}]}]}
    sizes = [len(group) for group in grouped([large, large, small, small, long, small])]
    assert sizes == [1, 3, 1, 1]
    assert list(grouped([])) == []


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
    importer = Importer(alice, image_reader(tmp_path / "images"))
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
    settings.MAX_STORED_BYTES = 1
    answer = await send(client_of(alice), FORMATS["own"][1](rows))
    assert (answer.json()["conversations"], answer.json()["left_out_count"]) == (1, 1)
    assert answer.json()["left_out"][0]["title"] == "Number 1"
    assert [row.title async for row in Conversation.objects.all()] == ["Number 2"]
