"""Files in messages: what is stored, who may fetch them, and what the model gets."""

import base64
import io
import json
import uuid
from datetime import timedelta

import pytest
from asgiref.sync import sync_to_async
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from chat.engine.retention import prune
from chat.events import Finish, Text
from chat.models import Attachment, Conversation, Message, Run, StoredFile
from chat.models.files import storage
from tests import scripted
from tests.assertions import assert_error
from tests.extraction.made_files import xlsx
from tests.images import PICTURE
from tests.rows import all_rows
from tests.waiting import wait_for_run

NOTES = "Yen and kanji: ¥、漢字\n".encode()


async def upload(client, data=NOTES, name="notes.txt", content_type="application/x-msdownload"):
    return await client.post("/api/attachments", {"file": SimpleUploadedFile(name, data, content_type)})


async def read(response):
    return b"".join([chunk async for chunk in response.streaming_content])


def stored_keys():
    return {f"{folder}/{name}" for folder in storage().listdir("")[0] for name in storage().listdir(folder)[1]}


@pytest.fixture(autouse=True)
def empty_storage():
    yield
    for key in stored_keys():
        storage().delete(key)


@pytest.fixture
async def reader(script):
    return await script("reader", Text("Read."), Finish("stop"), is_default=True)


# Upload ---------------------------------------------------------------------------------------------------------------


async def test_upload_is_stored_and_downloaded_by_its_owner(client_of, alice):
    client = client_of(alice)
    answer = await upload(client)
    assert answer.status_code == 201
    attachment = answer.json()
    assert attachment == {
        "kind": "file",
        "id": attachment["id"],
        "url": f"/api/attachments/{attachment['id']}",
        "name": "notes.txt",
        "media_type": "text/plain",
        "size": len(NOTES),
        "unit": None,
        "count": None,
        "characters": 19,
        "notes": [],
        "sheets": [],
    }
    response = await client.get(attachment["url"])
    assert await read(response) == NOTES
    assert response["Content-Disposition"] == "attachment; filename*=UTF-8''notes.txt"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in response["Content-Security-Policy"]
    assert "private" in response["Cache-Control"]


async def test_upload_of_a_workbook_names_its_first_sheets(client_of, alice):
    names = ["売上", "N" * 31, *(f"Sheet {number}" for number in range(20))]
    data = xlsx({name: ([["x"]], "visible") for name in names} | {"Secret": ([["x"]], "hidden")})
    attachment = (await upload(client_of(alice), data, "a.xlsx")).json()
    assert (attachment["count"], attachment["sheets"]) == (22, names[:10])


async def test_unsent_files_are_those_that_can_be_sent(client_of, alice, charlie, reader):
    client = client_of(alice)
    ids = [(await upload(client)).json()["id"] for _ in range(2)]
    others = (await upload(client_of(charlie))).json()["id"]
    query = "&".join(f"id={id}" for id in [*ids, others, uuid.uuid4()])
    assert set((await client.get(f"/api/attachments?{query}")).json()["ids"]) == set(ids)
    await client.send("POST", "/api/chat", {"text": "Read this", "attachments": ids[:1]})
    assert (await client.get(f"/api/attachments?{query}")).json() == {"ids": ids[1:]}
    for wrong in ("", "?id=x", "?" + query * 60):
        assert (await client.get(f"/api/attachments{wrong}")).status_code == 400


async def test_upload_of_an_image_says_that_it_is_one(client_of, alice):
    answer = await upload(client_of(alice), PICTURE, "picture.txt")
    assert answer.json()["kind"] == "image"


async def test_text_that_was_read_is_shown(client_of, alice):
    client = client_of(alice)
    path = (await upload(client)).json()["url"]
    assert (await client.get(f"{path}/text")).json() == {"units": [{"label": "", "text": NOTES.decode().strip()}]}
    image = (await upload(client, PICTURE)).json()["url"]
    assert (await client.get(f"{image}/text")).status_code == 404


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\me\\報告.txt", "報告.txt"),
        ("a\u202etxt.exe\x07", "atxt.exe"),
        ("x" * 300 + ".txt", "x" * 179 + "…" + "x" * 16 + ".txt"),
    ],
)
async def test_name_is_shown_without_path_and_invisible_characters(client_of, alice, name, shown):
    client = client_of(alice)
    file = SimpleUploadedFile("a.txt", NOTES)
    file._name = name
    answer = await client.post("/api/attachments", {"file": file})
    assert answer.json()["name"] == shown
    assert (await client.get(answer.json()["url"])).status_code == 200


@pytest.mark.parametrize(
    ("data", "code", "status"),
    [(b"", "file_empty", 422), (b"\0\1\2" * 100, "file_type_unknown", 415)],
)
async def test_upload_that_cannot_be_read_is_refused_and_not_kept(client_of, alice, data, code, status):
    client = client_of(alice)
    before = await all_rows()
    answer = await upload(client, data)
    assert assert_error(answer, status) == code
    assert await all_rows() == before
    assert stored_keys() == set()


async def test_upload_over_the_limit_is_refused(client_of, alice, settings):
    settings.MAX_FILE_BYTES = 10
    answer = await upload(client_of(alice))
    assert assert_error(answer, 413) == "file_too_large"
    assert not await StoredFile.objects.aexists()


async def test_upload_over_the_users_storage_limit_is_refused_and_not_kept(client_of, alice, settings):
    client = client_of(alice)
    settings.MAX_STORED_BYTES = int(1.5 * len(NOTES))
    assert (await upload(client)).status_code == 201
    assert assert_error(await upload(client), 413) == "storage_full"
    assert await StoredFile.objects.acount() == len(stored_keys()) == 1


async def test_get_attachment_hides_files_of_others(client_of, alice, charlie):
    path = (await upload(client_of(alice))).json()["url"]
    for url in (path, f"{path}/text"):
        assert (await client_of(charlie).get(url)).status_code == 404
        assert (await client_of().get(url)).status_code == 401


async def test_files_that_were_sent_are_shown_to_reviewers(client_of, alice, bob, reader):
    client = client_of(alice)
    file = (await upload(client)).json()
    path = file["url"]
    assert (await client_of(bob).get(path)).status_code == 404  # it was not sent
    await client.send("POST", "/api/chat", {"text": "Read this.", "attachments": [file["id"]]})
    assert (await client_of(bob).get(path)).status_code == 200
    assert (await client_of(bob).get(f"{path}/text")).status_code == 200
    for fields in ({"deleted_at": timezone.now()}, {"deleted_at": None, "is_temporary": True}):
        await Conversation.objects.aupdate(**fields)
        assert (await client_of(bob).get(path)).status_code == 404
        assert (await client_of(bob).get(f"{path}/text")).status_code == 404


# In a message ---------------------------------------------------------------------------------------------------------


async def test_message_holds_the_file_and_the_model_gets_its_text(client_of, alice, reader):
    client = client_of(alice)
    file = (await upload(client)).json()
    answer = await client.send("POST", "/api/chat", {"text": "What is this?", "attachments": [file["id"]]})
    assert answer.status_code == 200
    document, text = scripted.requests[-1].turns[0][1]
    assert document == {
        "type": "text",
        "text": f'<document name="notes.txt">\n{NOTES.decode()}</document>\n\n',
    }
    assert text == {"type": "text", "text": "What is this?"}
    run = await Run.objects.select_related("message__parent").aget()
    part = {name: value for name, value in file.items() if name not in ("kind", "url", "sheets")}
    assert run.message.parent.parts == [{"type": "file", **part}, text]  # without the text of the file
    assert run.message.parent.text == "What is this?"
    assert (await Attachment.objects.aget()).message_id == run.message.parent_id


async def test_edited_message_keeps_its_files_without_a_copy(client_of, alice, reader):
    client = client_of(alice)
    id = (await upload(client)).json()["id"]
    await client.send("POST", "/api/chat", {"text": "What is this?", "attachments": [id]})
    old = await Message.objects.aget(role="user")
    answer = await client.send("POST", f"/api/messages/{old.pk}/edit", {"text": "And this?", "attachments": [id]})
    assert answer.status_code == 202
    await wait_for_run(await Run.objects.aget(pk=answer.json()["run_id"]))
    assert scripted.requests[-1].turns[0][1][0] == scripted.requests[0].turns[0][1][0]
    new = await Message.objects.aget(pk=answer.json()["message_id"])
    message_ids = {str(pk): message async for pk, message in Attachment.objects.values_list("pk", "message_id")}
    assert message_ids == {id: old.pk, new.parts[0]["id"]: new.pk}
    assert await StoredFile.objects.acount() == 1


async def test_later_messages_still_show_the_file_to_the_model(client_of, alice, reader):
    client = client_of(alice)
    id = (await upload(client)).json()["id"]
    first = await client.send("POST", "/api/chat", {"text": "What is this?", "attachments": [id]})
    body = {"text": "And now?", "conversation_id": first.json()["conversation_id"]}
    await client.send("POST", "/api/chat", body)
    assert NOTES.decode() in json.dumps(scripted.requests[-1].turns, ensure_ascii=False).replace("\\n", "\n")


async def test_model_learns_that_a_file_no_longer_exists(client_of, alice, reader):
    client = client_of(alice)
    id = (await upload(client)).json()["id"]
    first = await client.send("POST", "/api/chat", {"text": "What is this?", "attachments": [id]})
    await Attachment.objects.all().adelete()
    body = {"text": "And now?", "conversation_id": first.json()["conversation_id"]}
    await client.send("POST", "/api/chat", body)
    assert "no longer exists" in scripted.requests[-1].turns[0][1][0]["text"]


# Sharing --------------------------------------------------------------------------------------------------------------


async def test_shared_chat_names_the_file_and_does_not_give_it(client_of, alice, charlie, reader):
    client = client_of(alice)
    id = (await upload(client)).json()["id"]
    first = await client.send("POST", "/api/chat", {"text": "What is this?", "attachments": [id]})
    conversation = await Conversation.objects.aget(pk=first.json()["conversation_id"])
    share = await conversation.share()
    part = share.messages[0]["parts"][0]
    assert (part["type"], part["name"], part["id"]) == ("file", "notes.txt", "")
    assert id not in json.dumps(share.messages)
    for url in (f"/s/{share.pk}/images/{id}", f"/api/attachments/{id}"):
        assert (await client_of(charlie).get(url)).status_code == 404


async def test_export_has_the_file_and_import_keeps_its_text(client_of, alice, charlie, reader):
    conversation = await sent(client_of(alice))
    response = await client_of(alice).get(f"/api/conversations/{conversation.pk}/export")
    data = await read(response)
    exported = json.loads(data)["conversations"][0]
    [file] = exported["files"].values()
    assert (file["name"], base64.b64decode(file["data"])) == ("notes.txt", NOTES)
    assert exported["images"] == {}
    client = client_of(charlie)
    answer = await client.post("/api/import", {"file": SimpleUploadedFile("export.json", data)})
    assert answer.status_code == 201
    message = await Message.objects.aget(conversation__owner=charlie, role="user")
    assert message.parts[0] == {"type": "document", "name": "notes.txt", "text": NOTES.decode().strip()}


async def test_markdown_names_the_file(client_of, alice, reader):
    conversation = await sent(client_of(alice))
    response = await client_of(alice).get(f"/api/conversations/{conversation.pk}/export?format=markdown")
    assert "*(File: notes.txt)*" in (await read(response)).decode()


# Deletion -------------------------------------------------------------------------------------------------------------


async def sent(client):
    id = (await upload(client)).json()["id"]
    answer = await client.send("POST", "/api/chat", {"text": "What is this?", "attachments": [id]})
    return await Conversation.objects.aget(pk=answer.json()["conversation_id"])


async def test_discard_keeps_a_file_that_an_attachment_has(client_of, alice, reader):
    await sent(client_of(alice))
    file = await StoredFile.objects.aget()
    assert not await sync_to_async(file.discard)()
    assert stored_keys() == {file.key}


async def test_deleted_conversation_takes_its_files_with_it(client_of, alice, reader, settings):
    settings.UNDO_SECONDS = 0
    client = client_of(alice)
    conversation = await sent(client)
    assert len(stored_keys()) == 1
    await client.delete(f"/api/conversations/{conversation.pk}")
    assert stored_keys() == set()
    assert not await StoredFile.objects.aexists()


async def test_deleted_conversation_keeps_its_files_until_it_cannot_be_restored(client_of, alice, reader):
    client = client_of(alice)
    conversation = await sent(client)
    await client.delete(f"/api/conversations/{conversation.pk}")
    await sync_to_async(prune)()
    assert len(stored_keys()) == 1
    await Conversation.objects.aupdate(deleted_at=timezone.now() - timedelta(days=1))
    await sync_to_async(prune)()
    assert stored_keys() == set()
    assert not await StoredFile.objects.aexists()


async def test_deleted_account_leaves_no_files(client_of, alice, reader):
    await sent(client_of(alice))
    await alice.adelete()
    assert not await Attachment.objects.aexists()
    await sync_to_async(prune)()
    assert stored_keys() == set()
    assert not await StoredFile.objects.aexists()


async def test_file_that_was_never_sent_is_deleted_after_a_day(client_of, alice):
    await upload(client_of(alice))
    await sync_to_async(prune)()
    assert len(stored_keys()) == 1
    await Attachment.objects.aupdate(created_at=timezone.now() - timedelta(days=2))
    await sync_to_async(prune)()
    assert stored_keys() == set()
    assert not await StoredFile.objects.aexists()


async def test_upload_whose_process_died_is_deleted_after_an_hour(alice):
    fields = {"name": "a", "media_type": "text/plain", "size": 1, "characters": 1}
    file = await StoredFile.objects.acreate(**fields)
    await sync_to_async(file.store)(io.BytesIO(b"a"))  # and here it died
    await sync_to_async(prune)()
    assert stored_keys() == {file.key}
    await StoredFile.objects.aupdate(created_at=timezone.now() - timedelta(hours=2))
    await sync_to_async(prune)()
    assert stored_keys() == set()
    assert not await StoredFile.objects.aexists()


async def test_deletion_whose_process_died_is_finished_later(client_of, alice, reader, monkeypatch):
    await sent(client_of(alice))
    await Attachment.objects.all().adelete()
    file = await StoredFile.objects.aget()
    monkeypatch.setattr(type(storage()), "delete", lambda storage, name: (_ for _ in ()).throw(OSError("full")))
    await sync_to_async(prune)()
    assert await StoredFile.objects.aexists()
    monkeypatch.undo()
    storage().delete(file.key)  # this one got as far as that
    await sync_to_async(prune)()
    assert not await StoredFile.objects.aexists()


async def test_upload_that_cannot_be_stored_leaves_nothing(client_of, alice, monkeypatch):
    monkeypatch.setattr(type(storage()), "_save", lambda *args: (_ for _ in ()).throw(OSError("full")))
    answer = await upload(client_of(alice))
    assert assert_error(answer, 503) == "storage_unavailable"
    assert not await StoredFile.objects.aexists()
    assert not await Attachment.objects.aexists()
