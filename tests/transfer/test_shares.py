"""Shared and printed conversations: pages to read a copy of the visible branch."""

import json

import pytest
from asgiref.sync import sync_to_async
from django.core.files.uploadedfile import SimpleUploadedFile

from chat import files
from chat.models import Assistant, Attachment, Conversation, Message, Run
from tests import scripted
from tests.assertions import assert_error
from tests.rows import get_run
from tests.waiting import wait_for_run

pytestmark = pytest.mark.slow


async def share(client, row):
    answer = await client.send("POST", f"/api/conversations/{row.pk}/shares")
    assert answer.status_code == 201
    return answer.json()


def page_data(answer):
    text = answer.content.decode()
    return json.loads(text.partition('<script id="page-data" type="application/json">')[2].partition("</script>")[0])


async def test_shared_page_is_a_copy_without_steps(client_of, alice, charlie, rich_conversation):
    client = client_of(alice)
    link = await share(client, rich_conversation)
    await Message.objects.all().aupdate(text="changed", parts=[])
    answer = await client_of(charlie).get(link["url"])
    assert answer.status_code == 200
    data = page_data(answer)
    assert [message["role"] for message in data["messages"]] == ["user", "assistant"]
    assert [part["type"] for part in data["messages"][1]["parts"]] == ["text"]
    assert data["messages"][1]["name"] == "teller"
    image = data["messages"][0]["parts"][0]
    assert (await client_of(charlie).get(f"{link['url']}images/{image['id']}")).status_code == 200
    assert (await client_of(charlie).get(f"/api/attachments/{image['id']}")).status_code == 404
    assert answer["Referrer-Policy"] == "no-referrer"


@pytest.mark.parametrize(
    ("setting", "full_name", "shown"),
    [
        ("full_name", ("Alice", "Liddell"), "Alice Liddell"),
        ("full_name", ("", ""), ""),
        ("username", ("Alice", ""), "Alice"),
        ("username", ("", ""), "alice"),
        ("off", ("Alice", "Liddell"), ""),
    ],
)
async def test_shared_page_names_its_owner_as_the_site_allows(
    client_of, alice, charlie, rich_conversation, settings, setting, full_name, shown
):
    settings.SHARE_NAMES = setting
    alice.first_name, alice.last_name = full_name
    await alice.asave()
    link = await share(client_of(alice), rich_conversation)
    answer = await client_of(charlie).get(link["url"])
    assert page_data(answer)["author"] == shown
    assert page_data(answer)["sharedAt"].startswith(link["created_at"][:19])
    assert ("alice" in answer.content.decode()) == (shown == "alice")
    assert (f"Shared by <bdi>{shown}</bdi> on" in answer.content.decode()) == bool(shown)
    own_page = (await client_of(alice).get("/")).content.decode()
    assert (f"Readers see your name: <bdi>{shown}</bdi>." in own_page) == bool(shown)
    assert ("Readers do not see your name." in own_page) != bool(shown)


async def test_shared_page_needs_a_login_unless_shares_are_public(client_of, alice, rich_conversation, settings):
    link = await share(client_of(alice), rich_conversation)
    image = f"{link['url']}images/{(await rich_conversation.messages.afirst()).parts[0]['id']}"
    answer = await client_of().get(link["url"])
    assert (answer.status_code, answer["Location"]) == (302, f"/accounts/login/?next={link['url']}")
    assert (await client_of().get(image)).status_code == 401
    settings.PUBLIC_SHARES = True
    assert (await client_of().get(link["url"])).status_code == 200
    assert (await client_of().get(image)).status_code == 200


async def test_shared_page_is_gone_once_the_link_is_revoked(client_of, alice, charlie, rich_conversation):
    client = client_of(alice)
    link = await share(client, rich_conversation)
    path = f"/api/conversations/{rich_conversation.pk}/shares"
    assert [item["token"] for item in (await client.get(path)).json()["items"]] == [link["token"]]
    assert (await client_of(charlie).send("DELETE", f"/api/shares/{link['token']}")).status_code == 404
    assert (await client.send("DELETE", f"/api/shares/{link['token']}")).status_code == 204
    assert (await client_of(charlie).get(link["url"])).status_code == 404
    assert (await client.get(path)).json()["items"] == []


async def test_shared_page_is_gone_once_the_conversation_is_deleted(client_of, alice, charlie, rich_conversation):
    client = client_of(alice)
    link = await share(client, rich_conversation)
    await client.send("DELETE", f"/api/conversations/{rich_conversation.pk}")
    assert (await client_of(charlie).get(link["url"])).status_code == 404


async def test_share_refuses_an_empty_conversation(client_of, alice):
    row = await Conversation.objects.acreate(owner=alice, assistant=await Assistant.objects.afirst())
    answer = await client_of(alice).send("POST", f"/api/conversations/{row.pk}/shares")
    assert assert_error(answer, 409) == "empty"


# Copies to continue in -----------------------------------------------------------------------------------------------


async def copy(client, link, **headers):
    answer = await client.send("POST", f"/api/shares/{link['token']}/copies", **headers)
    assert answer.status_code == 201, answer.content
    return await Conversation.objects.select_related("assistant").aget(pk=answer.json()["id"])


async def test_copy_has_what_readers_see(client_of, alice, charlie, rich_conversation):
    link = await share(client_of(alice), rich_conversation)
    row = await copy(client_of(charlie), link)
    assert (row.owner_id, row.title, row.assistant.slug) == (charlie.pk, "What/time?", "teller")
    question, answer = [message async for message in row.messages.all()]
    assert (question.parent_id, answer.parent_id) == (None, question.pk)
    image, document, text = question.parts
    assert (document["name"], text["text"]) == ("a.md", "何時？")
    assert answer.parts[0] == {"type": "text", "text": "# Noon\n\n`now`"}
    assert answer.parts[1]["type"] == "copied"
    assert answer.parts[1]["shared_at"].startswith(link["created_at"][:19])
    assert answer.text == "# Noon\n\n`now`"  # without the thoughts and the tool's result
    assert await Run.objects.filter(conversation=row).acount() == 0
    # The image is a copy of the reader's own.
    assert (await client_of(charlie).get(f"/api/attachments/{image['id']}")).status_code == 200
    assert (await client_of(alice).get(f"/api/attachments/{image['id']}")).status_code == 404
    original = (await rich_conversation.messages.afirst()).parts[0]["id"]
    assert image["id"] != original
    copied, own = [await Attachment.objects.aget(pk=id) for id in (image["id"], original)]
    assert (bytes(copied.data), copied.owner_id) == (bytes(own.data), charlie.pk)


async def test_copy_can_be_continued(client_of, alice, charlie, rich_conversation):
    row = await copy(client_of(charlie), await share(client_of(alice), rich_conversation))
    answer = await client_of(charlie).send("POST", f"/api/conversations/{row.pk}/messages", {"text": "And now?"})
    assert answer.status_code == 202
    await wait_for_run(await get_run(answer))
    assert [message.role async for message in row.messages.all()] == ["user", "assistant"] * 2
    assert await rich_conversation.messages.acount() == 3
    seen = scripted.requests[-1].turns
    assert [role for role, _ in seen] == ["user", "assistant", "user"]
    assert "hm" not in str(seen)
    assert "何時？" in str(seen)


async def test_copy_leaves_out_files(client_of, alice, charlie, words):
    file = await files.save(alice, SimpleUploadedFile("plan.txt", b"The secret plan"))
    row = await Conversation.objects.acreate(owner=alice, assistant=words)
    await row.ask("Read it.", attachments=[file.pk])
    copied = await copy(client_of(charlie), await share(client_of(alice), row))
    question = await copied.messages.afirst()
    document = {"type": "document", "name": "plan.txt", "text": "(Only the name of this file was shared.)"}
    assert question.parts == [document, {"type": "text", "text": "Read it."}]
    assert await Attachment.objects.filter(owner=charlie).acount() == 0


async def test_copy_has_the_assistant_only_if_it_is_offered(client_of, alice, charlie, rich_conversation, script):
    await script("other", is_default=True)
    await Assistant.objects.filter(slug="teller").aupdate(is_default=False)
    link = await share(client_of(alice), rich_conversation)
    # What she uses since then is nobody's business.
    await Conversation.objects.filter(pk=rich_conversation.pk).aupdate(assistant=await script("later"))
    assert (await copy(client_of(charlie), link)).assistant.slug == "teller"
    await Assistant.objects.filter(slug="teller").aupdate(is_enabled=False)
    assert (await copy(client_of(charlie), link)).assistant.slug == "other"


async def test_copy_is_made_once_for_a_key(client_of, alice, charlie, rich_conversation):
    client, link = client_of(charlie), await share(client_of(alice), rich_conversation)
    first = await copy(client, link, **{"Idempotency-Key": "a"})
    assert (await copy(client, link, **{"Idempotency-Key": "a"})).pk == first.pk
    assert (await copy(client, link, **{"Idempotency-Key": "b"})).pk != first.pk
    assert (await copy(client, link)).pk != (await copy(client, link)).pk
    other = await copy(client_of(alice), link, **{"Idempotency-Key": "a"})
    assert (other.owner_id, await Conversation.objects.filter(owner=charlie).acount()) == (alice.pk, 4)


async def test_copy_is_refused_where_the_images_exceed_the_storage(
    client_of, alice, charlie, rich_conversation, settings
):
    link = await share(client_of(alice), rich_conversation)
    settings.MAX_STORED_BYTES = 10
    answer = await client_of(charlie).send("POST", f"/api/shares/{link['token']}/copies")
    assert assert_error(answer, 413) == "storage_full"
    assert await Conversation.objects.filter(owner=charlie).acount() == 0


async def test_copy_needs_a_login_and_a_link_that_is_valid(client_of, alice, charlie, rich_conversation, settings):
    settings.PUBLIC_SHARES = True
    link = await share(client_of(alice), rich_conversation)
    path = f"/api/shares/{link['token']}/copies"
    assert (await client_of().send("POST", path)).status_code == 401
    page = (await client_of().get(link["url"])).content.decode()
    assert f'href="/accounts/login/?next={link["url"]}%23continue"' in page
    assert 'data-ref="continue"' not in page
    await client_of(alice).send("DELETE", f"/api/shares/{link['token']}")
    assert (await client_of(charlie).send("POST", path)).status_code == 404
    other = await share(client_of(alice), rich_conversation)
    await client_of(alice).send("DELETE", f"/api/conversations/{rich_conversation.pk}")
    assert (await client_of(charlie).send("POST", f"/api/shares/{other['token']}/copies")).status_code == 404
    assert await Conversation.objects.filter(owner=charlie).acount() == 0


async def test_long_copy_is_complete(client_of, alice, charlie, words):
    row = await Conversation.objects.acreate(owner=alice, assistant=words)
    parent = None
    for number in range(401):  # more than one transaction
        parts = [{"type": "text", "text": str(number)}]
        role = "assistant" if number % 2 else "user"
        parent = await row.messages.acreate(role=role, parent=parent, parts=parts, text=str(number))
    copied = await copy(client_of(charlie), await share(client_of(alice), row))
    leaf = await copied.messages.select_related("parent").order_by("created_at", "id").alast()
    branch = await sync_to_async(leaf.branch)()
    assert [message.text for message in branch] == [str(number) for number in range(401)]


# Paper ----------------------------------------------------------------------------------------------------------------


async def test_print_page_shows_the_visible_branch(client_of, alice, charlie, rich_conversation):
    answer = await client_of(alice).get(f"/c/{rich_conversation.pk}/print/")
    assert [message["role"] for message in page_data(answer)["messages"]] == ["user", "assistant"]
    assert (await client_of(charlie).get(f"/c/{rich_conversation.pk}/print/")).status_code == 404
