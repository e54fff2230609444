"""Large conversations and odd numbers: what one user stores and asks for does not stop the others."""

import json
from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from chat.api import api
from chat.api import messages as messages_api
from chat.errors import Refused
from chat.models import Attachment, Conversation, Message, shares
from tests.assertions import assert_error
from tests.images import PICTURE


@pytest.fixture
async def long_conversation(alice):
    conversation = await Conversation.objects.acreate(owner=alice, title="Long")
    now, rows = timezone.now(), []
    for number in range(250):
        role = Message.ASSISTANT if number % 2 else Message.USER
        text = f"message {number}"
        rows.append(
            Message(
                conversation=conversation,
                parent=rows[-1] if rows else None,
                role=role,
                text=text,
                parts=[{"type": "text", "text": text}],
                created_at=now + timedelta(seconds=number),
            )
        )
    await Message.objects.abulk_create(rows)
    return conversation


async def items_of(response):
    if response.streaming:
        return json.loads(b"".join([piece async for piece in response]))["items"]
    return response.json()["items"]


@pytest.mark.parametrize("limit", [None, 1, 100, 101, 250, 999])
async def test_messages_are_the_newest_in_order(client_of, alice, long_conversation, limit):
    query = f"?limit={limit}" if limit else ""
    response = await client_of(alice).get(f"/api/conversations/{long_conversation.pk}/messages{query}")
    texts = [row["text"] for row in await items_of(response)]
    assert texts == [f"message {number}" for number in range(250)][-(limit or 250) :]


async def test_messages_are_encoded_a_page_at_a_time(client_of, alice, long_conversation, monkeypatch):
    lengths = []
    encode = messages_api._encode
    monkeypatch.setattr(messages_api, "_encode", lambda rows: lengths.append(len(rows)) or encode(rows))
    response = await client_of(alice).get(f"/api/conversations/{long_conversation.pk}/messages")
    assert len(await items_of(response)) == 250
    assert lengths == [100, 100, 50]


def integer_parameters():
    for path, calls in api.get_openapi_schema()["paths"].items():
        for method, call in calls.items():
            for parameter in call.get("parameters", ()):
                kinds = [parameter["schema"], *parameter["schema"].get("anyOf", ())]
                if any(kind.get("type") == "integer" for kind in kinds):
                    yield method, path, parameter["name"]


@pytest.mark.parametrize(("method", "path", "name"), list(integer_parameters()))
@pytest.mark.parametrize("value", ["9" * 19, "9" * 400, "-1", "-" + "9" * 30, "0", "1.5", "NaN", "1e9", "", "x", "%00"])
async def test_number_in_a_query_never_causes_a_500(client_of, alice, long_conversation, method, path, name, value):
    path = path.replace("{conversation_id}", str(long_conversation.pk))
    assert "{" not in path, "Give the new call's ids here."
    response = await getattr(client_of(alice), method)(f"{path}?{name}={value}")
    assert response.status_code == 200 or 400 <= response.status_code < 500
    if response.status_code >= 400:
        assert response.json()["error"]["message"]


async def test_imported_answer_can_be_regenerated(client_of, alice, script, long_conversation):
    assistant = await script("plain")
    answer = await long_conversation.messages.filter(role="assistant").afirst()
    response = await client_of(alice).post(
        f"/api/messages/{answer.pk}/regenerate", {"assistant": assistant.slug}, content_type="application/json"
    )
    assert response.status_code == 202


@pytest.mark.parametrize("token", ["%00", "%F0%9F%98%80", "a%20b", "x" * 5000])
async def test_malformed_link_is_404(client_of, alice, settings, token):
    settings.PUBLIC_SHARES = True
    client = client_of(alice)
    for path in (f"/s/{token}/", f"/s/{token}/images/00000000-0000-0000-0000-000000000000"):
        assert (await client.get(path)).status_code == 404


async def test_conversation_that_is_too_long_cannot_be_shared(client_of, alice, long_conversation, monkeypatch):
    monkeypatch.setattr(shares, "MAX_SHARED_LENGTH", 1000)
    response = await client_of(alice).post(f"/api/conversations/{long_conversation.pk}/shares")
    assert assert_error(response, 413) == "too_large"


async def test_chat_cannot_be_shared_without_end(client_of, alice, long_conversation, monkeypatch):
    monkeypatch.setattr(shares, "MAX_SHARES", 2)
    client = client_of(alice)
    path = f"/api/conversations/{long_conversation.pk}/shares"
    assert [(await client.post(path)).status_code for _ in range(3)] == [201, 201, 409]
    assert len((await client.get(path)).json()["items"]) == 2


async def test_list_of_links_does_not_read_the_copies(
    client_of, alice, long_conversation, django_assert_num_queries, monkeypatch
):
    client = client_of(alice)
    await client.post(f"/api/conversations/{long_conversation.pk}/shares")
    read = []
    monkeypatch.setattr(json, "loads", lambda text, *args, loads=json.loads, **kwargs: read.append(text) or loads(text))
    response = await client.get(f"/api/conversations/{long_conversation.pk}/shares")
    assert response.status_code == 200
    assert not [text for text in read if "message 249" in str(text)]


async def test_image_over_the_users_storage_limit_is_refused(client_of, alice, settings):
    settings.MAX_STORED_BYTES = 10
    response = await client_of(alice).post(
        "/api/attachments", {"file": SimpleUploadedFile("a.png", PICTURE, "image/png")}
    )
    assert assert_error(response, 413) == "storage_full"
    assert not await Attachment.objects.aexists()


async def test_edit_that_copies_images_respects_the_users_storage_limit(alice, script, settings):
    assistant = await script("plain", sees_images=True)
    image = await Attachment.objects.acreate(owner=alice, data=b"x" * 100, media_type="image/png", width=1, height=1)
    conversation = Conversation(owner=alice, assistant=assistant)
    run = await conversation.ask("Look", attachments=[image.pk])
    settings.MAX_STORED_BYTES = 250
    question = await Message.objects.select_related("parent").aget(pk=run.message.parent_id)
    await conversation.ask("Look!", instead=question, attachments=[image.pk])
    with pytest.raises(Refused, match="storage limit"):
        await conversation.ask("Look!!", instead=question, attachments=[image.pk])
    sizes = [len(row.data) async for row in Attachment.objects.all()]
    assert sizes == [100, 100]
