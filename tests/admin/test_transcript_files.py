"""Images and files in the transcripts that reviewers read."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from chat.events import Finish, Text
from chat.models import Attachment, Conversation, Message
from tests.admin.pages import change_url, get_page
from tests.images import PICTURE

NOTES = b"Minutes of <b>Monday</b>"


@pytest.fixture
async def conversation(client_of, alice, script):
    """One of Alice's, with a file and an image."""
    await script("reader", Text("Read."), Finish("stop"), is_default=True, sees_images=True)
    client = client_of(alice)
    files = [SimpleUploadedFile("議事録.txt", NOTES), SimpleUploadedFile("picture.png", PICTURE)]
    ids = [(await client.post("/api/attachments", {"file": file})).json()["id"] for file in files]
    await client.send("POST", "/api/chat", {"text": "Read this.", "attachments": ids})
    return (await Message.objects.select_related("conversation").afirst()).conversation


async def test_file_is_shown_with_its_name_a_download_and_what_was_read(client_of, bob, conversation):
    client = client_of(bob)
    file = await Attachment.objects.aget(file__isnull=False)
    html = await get_page(client, change_url(conversation))
    text_page = reverse("admin:chat_conversation_file", args=[conversation.pk, file.pk])
    assert f'href="/api/attachments/{file.pk}" download' in html
    assert ">議事録.txt</a>" in html
    assert f'href="{text_page}"' in html
    assert "deleted" not in html
    shown = await get_page(client, text_page)
    assert "Minutes of &lt;b&gt;Monday&lt;/b&gt;" in shown
    assert "Characters that were read: 24" in shown


async def test_image_and_file_that_were_deleted_say_so(client_of, bob, conversation):
    ids = [str(pk) async for pk in Attachment.objects.values_list("pk", flat=True)]
    await Attachment.objects.all().adelete()
    html = await get_page(client_of(bob), change_url(conversation))
    assert "An image was here. It has been deleted." in html
    assert "File: 議事録.txt · This file has been deleted." in html
    assert html.count("data-gone") == 2
    assert not any(f"/api/attachments/{id}" in html for id in ids)


@pytest.mark.parametrize("id", ["", "not a UUID"])
async def test_file_of_a_copy_or_an_import_says_that_it_is_not_there(client_of, alice, bob, id):
    row = await Conversation.objects.acreate(owner=alice, title="Copy")
    part = {"type": "file", "id": id, "name": "a.pdf", "media_type": "application/pdf", "size": 1}
    part |= {"unit": "page", "count": 1, "characters": 1}
    await Message.objects.acreate(conversation=row, role=Message.USER, parts=[part])
    assert "File: a.pdf · This file has been deleted." in await get_page(client_of(bob), change_url(row))


async def test_text_of_a_file_is_for_reviewers_of_its_conversation(client_of, alice, bob, staff_with, conversation):
    file = await Attachment.objects.aget(file__isnull=False)
    page = reverse("admin:chat_conversation_file", args=[conversation.pk, file.pk])
    other = await Conversation.objects.acreate(owner=alice, title="Other")
    elsewhere = reverse("admin:chat_conversation_file", args=[other.pk, file.pk])
    image = await Attachment.objects.aget(file=None)
    of_image = reverse("admin:chat_conversation_file", args=[conversation.pk, image.pk])
    assert [(await client_of(bob).get(path)).status_code for path in (elsewhere, of_image)] == [404, 404]
    assert (await client_of(alice).get(page)).status_code == 302
    assert (await client_of(await staff_with("view_run")).get(page)).status_code == 403
    conversation.is_temporary = True
    await conversation.asave()
    assert (await client_of(bob).get(page)).status_code == 404
