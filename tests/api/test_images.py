"""Images in messages: what is stored, who may fetch them, and what the model gets. Also long texts as documents."""

import asyncio
import base64
import io
import json

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone
from PIL import Image

from chat import engine, images, upload_slots
from chat.errors import Refused
from chat.events import Finish, Text
from chat.models import Assistant, Attachment, Conversation, Message, Run
from tests import scripted
from tests.images import PICTURE, image_file
from tests.rows import all_rows
from tests.upstream import END, Answer, refusal
from tests.waiting import wait_for_run


async def upload(client, data, name="picture.png", content_type="image/png"):
    return await client.post("/api/attachments", {"file": SimpleUploadedFile(name, data, content_type)})


@pytest.fixture
def save(alice):
    return lambda data: images.save(alice, io.BytesIO(data))


@pytest.fixture
async def seer(script):
    return await script("seer", Text("I see."), Finish("stop"), is_default=True, sees_images=True)


def open_image(row):
    return Image.open(io.BytesIO(bytes(row.data)))


# Upload ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF"])
async def test_upload_is_stored_and_shown_to_its_owner(client_of, alice, kind):
    client = client_of(alice)
    answer = await upload(client, image_file(kind), "x.exe", "application/x-msdownload")  # the type is ignored
    assert answer.status_code == 201
    attachment = answer.json()
    assert (attachment["width"], attachment["height"]) == (8, 4)
    response = await client.get(attachment["url"])
    assert response["Content-Type"] == attachment["media_type"] in ("image/png", "image/jpeg")
    assert response["X-Content-Type-Options"] == "nosniff"
    assert "private" in response["Cache-Control"]
    assert Image.open(io.BytesIO(response.content)).size == (8, 4)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
async def test_upload_of_an_animation_says_that_one_frame_is_kept(client_of, alice, kind):
    file = io.BytesIO()
    first, *others = [Image.new("RGB", (8, 4), color) for color in ("red", "blue", "green")]
    first.save(file, kind, save_all=True, append_images=others)
    answer = await upload(client_of(alice), file.getvalue(), "picture")
    assert answer.status_code == 201
    assert answer.json()["notes"] == ["first_frame"]
    assert open_image(await Attachment.objects.aget()).convert("RGB").getpixel((0, 0))[0] > 200


async def test_get_attachment_hides_images_of_others(client_of, alice, charlie, bob):
    path = (await upload(client_of(alice), PICTURE)).json()["url"]
    assert (await client_of(charlie).get(path)).status_code == 404
    assert (await client_of().get(path)).status_code == 401


@pytest.mark.parametrize("fields", [{"deleted_at": timezone.now()}, {"is_temporary": True}])
async def test_get_attachment_hides_images_of_deleted_and_temporary_conversations_from_staff(
    client_of, alice, bob, seer, save, fields
):
    row = await Conversation.objects.acreate(owner=alice, assistant=seer)
    image = await save(PICTURE)
    await row.ask("What is this?", attachments=[image.pk])
    path = f"/api/attachments/{image.pk}"
    assert (await client_of(bob).get(path)).status_code == 200
    await Conversation.objects.aupdate(**fields)
    assert (await client_of(bob).get(path)).status_code == 404
    assert (await client_of(alice).get(path)).status_code == 200


async def test_get_attachment_hides_unsent_images_from_staff(client_of, bob, save):
    image = await save(PICTURE)
    assert (await client_of(bob).get(f"/api/attachments/{image.pk}")).status_code == 404


async def test_get_attachment_shows_staff_their_own_unsent_image(client_of, bob):
    path = (await upload(client_of(bob), PICTURE)).json()["url"]
    assert (await client_of(bob).get(path)).status_code == 200


async def test_save_drops_metadata(save):
    exif = Image.Exif()
    exif[0x010E] = "a secret place"
    exif[0x8825] = {1: "N", 2: (35.0, 0.0, 0.0)}
    row = await save(image_file("JPEG", exif=exif))
    assert b"secret" not in bytes(row.data)
    assert not open_image(row).getexif()


async def test_save_rotates_upright(save):
    exif = Image.Exif()
    exif[0x0112] = 6  # rotated by 90 degrees
    row = await save(image_file("JPEG", (8, 4), exif=exif))
    assert (row.width, row.height) == open_image(row).size == (4, 8)


async def test_save_scales_down(save):
    row = await save(image_file("JPEG", (5000, 100)))
    assert (row.width, row.height) == open_image(row).size == (2048, 41)


@pytest.mark.parametrize(("mode", "media_type"), [("RGBA", "image/png"), ("L", "image/jpeg"), ("CMYK", "image/jpeg")])
async def test_save_keeps_transparency(save, mode, media_type):
    row = await save(image_file("PNG" if mode != "CMYK" else "JPEG", mode=mode))
    assert row.media_type == media_type


NOT_IMAGES = {
    "a cut image": image_file(size=(300, 300))[:60],
    "another format": image_file("BMP"),
    "a header alone": PICTURE[:20],
}


@pytest.mark.parametrize("name", NOT_IMAGES)
async def test_upload_refuses_other_files(client_of, alice, name):
    client = client_of(alice)
    await client.get("/health")
    answer = await upload(client, NOT_IMAGES[name])
    assert answer.status_code in (400, 415)
    assert answer.json()["error"]["message"]
    assert not await Attachment.objects.aexists()


async def test_save_refuses_too_many_pixels(save):
    with pytest.raises(Refused) as refused:
        await save(image_file(size=(10_000, 5_001), mode="1"))
    assert (refused.value.code, refused.value.status) == ("too_large", 413)


async def test_upload_is_refused_while_too_many_images_are_unsent(client_of, alice, charlie, monkeypatch):
    monkeypatch.setattr(images, "MAX_UNSENT", 2)
    answers = [await upload(client_of(alice), PICTURE) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [201, 201, 429]
    assert await Attachment.objects.acount() == 2
    assert (await upload(client_of(charlie), PICTURE)).status_code == 201


async def test_upload_is_refused_while_too_many_uploads_of_the_user_wait(client_of, alice, charlie, monkeypatch):
    """One user's images are decoded one at a time; a few wait, and more are refused."""
    monkeypatch.setattr(upload_slots, "MAX_WAITING_PER_USER", 3)
    answers = await asyncio.gather(*[upload(client_of(alice), PICTURE) for _ in range(8)])
    statuses = [answer.status_code for answer in answers]
    assert statuses.count(201) >= 4
    assert set(statuses) <= {201, 429}
    assert all(answer["Retry-After"] for answer in answers if answer.status_code == 429)
    assert (await upload(client_of(charlie), PICTURE)).status_code == 201


# In a message ---------------------------------------------------------------------------------------------------------


async def test_message_holds_the_image_and_the_model_gets_it(client_of, alice, seer):
    client = client_of(alice)
    id = (await upload(client, PICTURE)).json()["id"]
    answer = await client.send("POST", "/api/chat", {"text": "What is this?", "attachments": [id]})
    assert answer.status_code == 200
    image, text = scripted.requests[-1].turns[0][1]
    assert Image.open(io.BytesIO(base64.b64decode(image.pop("data")))).size == (8, 4)
    assert image == {"type": "image", "id": id, "media_type": "image/jpeg", "width": 8, "height": 4}
    assert text == {"type": "text", "text": "What is this?"}
    run = await Run.objects.select_related("message__parent").aget()
    assert run.message.parent.parts == [image, text]  # without the data
    assert (await Attachment.objects.aget()).message_id == run.message.parent_id


async def test_openai_request_carries_the_image(alice, upstream, save):
    upstream.answers("I see.", *END)
    fields = {"slug": "m", "name": "M", "model": "openai:m", "params": {"base_url": upstream.base_url}}
    assistant = await Assistant.objects.acreate(**fields, sees_images=True, context_window=100_000)
    row = await Conversation.objects.acreate(owner=alice, assistant=assistant)
    image = await save(PICTURE)
    run = await row.ask("What is this?", attachments=[image.pk])
    await engine.start(run)
    await wait_for_run(run)
    image_part, text = upstream.requests[0].body["messages"][0]["content"]
    url = f"data:image/jpeg;base64,{base64.b64encode(bytes(image.data)).decode()}"
    assert image_part == {"type": "image_url", "image_url": {"url": url}}
    assert text == {"type": "text", "text": "What is this?"}


LEFT_OUT = "[There was an image here, which you cannot see.]\n"


async def send(row, text, *images, **how):
    run = await row.ask(text, attachments=[image.pk for image in images], **how)
    await engine.start(run)
    await wait_for_run(run)
    return run


def images_sent(request):
    return json.dumps(request.body["messages"]).count("data:image/")


@pytest.fixture
async def refused(alice, upstream, save):
    """A run whose model's server has refused the image of its question; the server answers all text."""
    busy = {"error": {"code": 500, "message": "image input is not supported - hint: …", "type": "server_error"}}
    upstream.answer = lambda request: refusal(500, busy) if images_sent(request) else Answer(["I see text.", *END])
    fields = {"slug": "m", "name": "M", "model": "openai:m", "params": {"base_url": upstream.base_url}}
    assistant = await Assistant.objects.acreate(**fields, sees_images=True, context_window=100_000)
    row = await Conversation.objects.acreate(owner=alice, assistant=assistant)
    return await send(row, "What is this?", await save(PICTURE))


async def test_refused_image_fails_the_run_at_once_with_a_sentence(refused, upstream):
    assert (refused.status, refused.error_code) == ("failed", "sees_no_images")
    assert refused.error_message.startswith("This model cannot see images.")
    assert len(upstream.requests) == 1


async def test_refused_image_is_left_out_of_later_messages(refused, upstream):
    run = await send(refused.conversation, "And now?")
    assert (run.status, run.message.text) == ("completed", "I see text.")
    [message] = upstream.requests[-1].body["messages"]
    assert message["content"] == f"{LEFT_OUT}What is this?\n\nAnd now?"


async def test_refused_image_is_left_out_when_the_answer_is_tried_again(refused, upstream):
    run = await refused.message.regenerate()
    await engine.start(run)
    await wait_for_run(run)
    assert run.status == "completed"
    assert upstream.requests[-1].body["messages"][0]["content"] == f"{LEFT_OUT}What is this?"


async def test_image_that_was_not_refused_is_sent(refused, upstream, save):
    run = await send(refused.conversation, "And this?", await save(PICTURE))
    assert run.error_code == "sees_no_images"  # the user is told again
    assert images_sent(upstream.requests[-1]) == 1
    assert (await send(refused.conversation, "And now?")).status == "completed"


async def test_refused_image_is_sent_to_another_model(refused, script):
    seer = await script("seer", Text("A cat."), Finish("stop"), sees_images=True)
    await send(refused.conversation, "And now?", assistant=seer.slug)
    assert [part["type"] for part in scripted.requests[-1].turns[0][1]] == ["image", "text", "text"]


async def test_image_is_left_out_for_an_assistant_without_image_support(alice, seer, script, save):
    blind = await script("blind", Text("No."), Finish("stop"))
    row = await Conversation.objects.acreate(owner=alice, assistant=seer)
    await send(row, "What is this?", await save(PICTURE))
    await send(row, "And now?", assistant=blind.slug)
    assert scripted.requests[-1].messages[0]["content"] == f"{LEFT_OUT}What is this?"
    await send(row, "And again?", assistant=seer.slug)
    assert scripted.requests[-1].messages[0]["content"][0]["type"] == "image_url"


async def test_message_accepts_only_own_unsent_images_and_a_model_for_images(client_of, alice, charlie, seer, script):
    client = client_of(alice)
    id = (await upload(client, PICTURE)).json()["id"]
    before = await all_rows()
    body = {"text": "What is this?", "attachments": [id]}
    assert (await client_of(charlie).send("POST", "/api/chat", body)).status_code == 400
    blind = await script("blind", Text("No."), Finish("stop"))
    answer = await client.send("POST", "/api/chat", body | {"assistant": blind.slug})
    assert answer.json()["error"]["code"] == "sees_no_images"
    assert (await client.send("POST", "/api/chat", body | {"attachments": ["x"]})).status_code == 400
    after = await all_rows()
    assert {name: after[name] for name in ("chat.Message", "chat.Attachment")} == {
        name: before[name] for name in ("chat.Message", "chat.Attachment")
    }
    assert (await client.send("POST", "/api/chat", body)).status_code == 200
    assert (await client.send("POST", "/api/chat", body)).json()["error"]["code"] == "unknown_attachment"


async def test_edited_message_keeps_its_images(client_of, alice, seer):
    client = client_of(alice)
    id = (await upload(client, PICTURE)).json()["id"]
    await client.send("POST", "/api/chat", {"text": "What is this?", "attachments": [id]})
    old = await Message.objects.aget(role="user")
    path = f"/api/messages/{old.pk}/edit"
    answer = await client.send("POST", path, {"text": "And this?", "attachments": [id]})
    assert answer.status_code == 202
    await wait_for_run(await Run.objects.aget(pk=answer.json()["run_id"]))
    assert scripted.requests[-1].turns[0][1][0]["data"] == scripted.requests[0].turns[0][1][0]["data"]
    new = await Message.objects.aget(pk=answer.json()["message_id"])
    message_ids = {str(pk): message async for pk, message in Attachment.objects.values_list("pk", "message_id")}
    assert message_ids == {id: old.pk, new.parts[0]["id"]: new.pk}
    other = await client.send("POST", f"/api/messages/{new.pk}/edit", {"text": "And?", "attachments": [id]})
    assert other.json()["error"]["code"] == "unknown_attachment"


async def test_withdrawn_message_frees_its_images(alice, seer, save):
    row = await Conversation.objects.acreate(owner=alice, assistant=seer)
    image = await save(PICTURE)
    run = await row.ask("What is this?", attachments=[image.pk])
    await (await Message.objects.aget(pk=run.message.parent_id)).withdraw()
    assert (await Attachment.objects.aget()).message_id is None
    await row.ask("What is this?", attachments=[image.pk])


async def test_request_leaves_out_a_deleted_image(alice, seer, save):
    row = await Conversation.objects.acreate(owner=alice, assistant=seer)
    image = await save(PICTURE)
    run = await row.ask("What is this?", attachments=[image.pk])
    await image.adelete()
    await engine.start(run)
    await wait_for_run(run)
    assert scripted.requests[-1].turns[0][1] == [{"type": "text", "text": "What is this?"}]


# Long texts -----------------------------------------------------------------------------------------------------------


async def test_document_is_sent_with_the_message(client_of, alice, script):
    await script("plain", Text("Read."), Finish("stop"), is_default=True)
    document = {"name": 'a "list".txt', "text": "one\ntwo"}
    answer = await client_of(alice).send("POST", "/api/chat", {"text": "Count.", "documents": [document]})
    assert answer.status_code == 200
    document_part, text = scripted.requests[-1].turns[0][1]
    assert document_part == {"type": "text", "text": '<document name="a \\"list\\".txt">\none\ntwo\n</document>\n\n'}
    assert text["text"] == "Count."
    run = await Run.objects.select_related("message__parent").aget()
    assert run.message.parent.text == "Count."
    assert run.message.parent.parts[0] == {"type": "document", **document}
    for wrong in ([{}], [{"name": "", "text": "x"}], [{"name": "x", "text": ""}], [{"name": "x", "text": "\0"}], "x"):
        answer = await client_of(alice).send("POST", "/api/chat", {"text": "Count.", "documents": wrong})
        assert answer.status_code == 400, wrong
