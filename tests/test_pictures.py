"""Images in messages: what is kept of them, who sees them, and what the model is shown."""

import base64
import io

import pytest
from asgiref.sync import sync_to_async
from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image

from chat import engine, pictures
from chat.events import Finish, Text
from chat.models import Assistant, Attachment, Conversation, Message, Refused, Run

from . import scripted
from .conftest import over
from .test_bad_input import rows
from .upstream import END


def picture(kind="PNG", size=(8, 4), mode="RGB", **options):
    file = io.BytesIO()
    Image.new(mode, size, "red" if mode != "L" else 7).save(file, kind, **options)
    return file.getvalue()


PICTURE = picture()


async def upload(client, data, name="picture.png", content_type="image/png"):
    return await client.post("/api/attachments", {"file": SimpleUploadedFile(name, data, content_type)})


@pytest.fixture
def keep(alice):
    return lambda data: sync_to_async(pictures.keep)(alice, data)


def opened(row):
    return Image.open(io.BytesIO(bytes(row.data)))


# What is kept ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF"])
async def test_an_image_is_kept_and_shown_to_its_owner(client_of, alice, kind):
    client = client_of(alice)
    answer = await upload(client, picture(kind), "x.exe", "application/x-msdownload")  # what it says does not count
    assert answer.status_code == 201
    told = answer.json()
    assert (told["width"], told["height"]) == (8, 4)
    shown = await client.get(told["url"])
    assert shown["Content-Type"] == told["media_type"] in ("image/png", "image/jpeg")
    assert shown["X-Content-Type-Options"] == "nosniff"
    assert "private" in shown["Cache-Control"]
    assert Image.open(io.BytesIO(shown.content)).size == (8, 4)


async def test_nobody_else_sees_it(client_of, alice, charlie, bob):
    path = (await upload(client_of(alice), PICTURE)).json()["url"]
    assert (await client_of(charlie).get(path)).status_code == 404
    assert (await client_of().get(path)).status_code == 401


async def test_metadata_is_not_kept(keep):
    exif = Image.Exif()
    exif[0x010E] = "a secret place"
    exif[0x8825] = {1: "N", 2: (35.0, 0.0, 0.0)}
    row = await keep(picture("JPEG", exif=exif))
    assert b"secret" not in bytes(row.data)
    assert not opened(row).getexif()


async def test_it_is_turned_upright(keep):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    row = await keep(picture("JPEG", (8, 4), exif=exif))
    assert (row.width, row.height) == opened(row).size == (4, 8)


async def test_a_large_one_is_made_smaller(keep):
    row = await keep(picture("JPEG", (5000, 100)))
    assert (row.width, row.height) == opened(row).size == (2048, 41)


@pytest.mark.parametrize(("mode", "media_type"), [("RGBA", "image/png"), ("L", "image/jpeg"), ("CMYK", "image/jpeg")])
async def test_what_is_transparent_stays_so(keep, mode, media_type):
    row = await keep(picture("PNG" if mode != "CMYK" else "JPEG", mode=mode))
    assert row.media_type == media_type


NO_IMAGES = {
    "nothing": b"",
    "a text": b"Hello",
    "a page": b"<html><script>alert(1)</script>",
    "a drawing": b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>',
    "a cut image": picture(size=(300, 300))[:60],
    "another kind": picture("BMP"),
    "a PDF": b"%PDF-1.7",
    "a head alone": PICTURE[:20],
}


@pytest.mark.parametrize("name", NO_IMAGES)
async def test_what_is_no_image_is_refused(client_of, alice, name):
    client = client_of(alice)
    await client.get("/health")
    answer = await upload(client, NO_IMAGES[name])
    assert answer.status_code in (400, 415)
    assert answer.json()["error"]["message"]
    assert not await Attachment.objects.aexists()


async def test_a_bomb_is_not_unpacked(keep, monkeypatch):
    monkeypatch.setattr(pictures, "MOST_PIXELS", 100)
    with pytest.raises(Refused) as refused:
        await keep(picture(size=(11, 10)))
    assert refused.value.status == 413


# In a message ---------------------------------------------------------------------------------------------------------


@pytest.fixture
async def seer(script):
    return await script("seer", Text("I see."), Finish("stop"), is_default=True, sees_images=True)


async def test_a_message_holds_it_and_the_model_sees_it(client_of, alice, seer):
    client = client_of(alice)
    id = (await upload(client, PICTURE)).json()["id"]
    answer = await client.send("POST", "/api/chat", {"text": "What is this?", "attachments": [id]})
    assert answer.status_code == 200
    image, text = scripted.asked[-1].turns[0][1]
    assert Image.open(io.BytesIO(base64.b64decode(image.pop("data")))).size == (8, 4)
    assert image == {"type": "image", "id": id, "media_type": "image/jpeg", "width": 8, "height": 4}
    assert text == {"type": "text", "text": "What is this?"}
    run = await Run.objects.select_related("message__parent").aget()
    assert run.message.parent.parts == [image, text]  # without the data
    assert (await Attachment.objects.aget()).message_id == run.message.parent_id


async def test_the_openai_wire_carries_it(alice, upstream, keep):
    upstream.answers("I see.", *END)
    fields = {"slug": "m", "name": "M", "model": "openai:m", "params": {"base_url": upstream.base_url}}
    assistant = await Assistant.objects.acreate(**fields, sees_images=True)
    row = await Conversation.objects.acreate(owner=alice, assistant=assistant)
    image = await keep(PICTURE)
    run = await row.ask("What is this?", attachments=[image.pk])
    await engine.start(run)
    await over(run)
    seen, text = upstream.asked[0].body["messages"][0]["content"]
    url = f"data:image/jpeg;base64,{base64.b64encode(bytes(image.data)).decode()}"
    assert seen == {"type": "image_url", "image_url": {"url": url}}
    assert text == {"type": "text", "text": "What is this?"}


async def test_it_is_sent_once_and_by_its_owner_to_who_can_see(client_of, alice, charlie, seer, script):
    client = client_of(alice)
    id = (await upload(client, PICTURE)).json()["id"]
    before = await rows()
    body = {"text": "What is this?", "attachments": [id]}
    assert (await client_of(charlie).send("POST", "/api/chat", body)).status_code == 400
    blind = await script("blind", Text("No."), Finish("stop"))
    answer = await client.send("POST", "/api/chat", body | {"assistant": blind.slug})
    assert answer.json()["error"]["code"] == "sees_no_images"
    assert (await client.send("POST", "/api/chat", body | {"attachments": ["x"]})).status_code == 400
    after = await rows()
    assert {name: after[name] for name in ("chat.Message", "chat.Attachment")} == {
        name: before[name] for name in ("chat.Message", "chat.Attachment")
    }
    assert (await client.send("POST", "/api/chat", body)).status_code == 200
    assert (await client.send("POST", "/api/chat", body)).json()["error"]["code"] == "unknown_attachment"


async def test_an_edited_message_keeps_its_images(client_of, alice, seer):
    client = client_of(alice)
    id = (await upload(client, PICTURE)).json()["id"]
    await client.send("POST", "/api/chat", {"text": "What is this?", "attachments": [id]})
    old = await Message.objects.aget(role="user")
    path = f"/api/messages/{old.pk}/edit"
    answer = await client.send("POST", path, {"text": "And this?", "attachments": [id]})
    assert answer.status_code == 202
    await over(await Run.objects.aget(pk=answer.json()["run_id"]))
    assert scripted.asked[-1].turns[0][1][0]["data"] == scripted.asked[0].turns[0][1][0]["data"]
    new = await Message.objects.aget(pk=answer.json()["message_id"])
    kept = {str(pk): message async for pk, message in Attachment.objects.values_list("pk", "message_id")}
    assert kept == {id: old.pk, new.parts[0]["id"]: new.pk}
    other = await client.send("POST", f"/api/messages/{new.pk}/edit", {"text": "And?", "attachments": [id]})
    assert other.json()["error"]["code"] == "unknown_attachment"


async def test_what_is_taken_back_frees_its_images(alice, seer, keep):
    row = await Conversation.objects.acreate(owner=alice, assistant=seer)
    image = await keep(PICTURE)
    run = await row.ask("What is this?", attachments=[image.pk])
    await (await Message.objects.aget(pk=run.message.parent_id)).take_back()
    assert (await Attachment.objects.aget()).message_id is None
    await row.ask("What is this?", attachments=[image.pk])


async def test_one_that_is_gone_is_left_out(alice, seer, keep):
    row = await Conversation.objects.acreate(owner=alice, assistant=seer)
    image = await keep(PICTURE)
    run = await row.ask("What is this?", attachments=[image.pk])
    await image.adelete()
    await engine.start(run)
    await over(run)
    assert scripted.asked[-1].turns[0][1] == [{"type": "text", "text": "What is this?"}]


# Long texts -----------------------------------------------------------------------------------------------------------


async def test_a_document_is_read_with_the_message(client_of, alice, script):
    await script("plain", Text("Read."), Finish("stop"), is_default=True)
    document = {"name": 'a "list".txt', "text": "one\ntwo"}
    answer = await client_of(alice).send("POST", "/api/chat", {"text": "Count.", "documents": [document]})
    assert answer.status_code == 200
    read, text = scripted.asked[-1].turns[0][1]
    assert read == {"type": "text", "text": '<document name="a \\"list\\".txt">\none\ntwo\n</document>\n\n'}
    assert text["text"] == "Count."
    run = await Run.objects.select_related("message__parent").aget()
    assert run.message.parent.text == "Count."
    assert run.message.parent.parts[0] == {"type": "document", **document}
    for wrong in ([{}], [{"name": "", "text": "x"}], [{"name": "x", "text": ""}], [{"name": "x", "text": "\0"}], "x"):
        answer = await client_of(alice).send("POST", "/api/chat", {"text": "Count.", "documents": wrong})
        assert answer.status_code == 400, wrong
