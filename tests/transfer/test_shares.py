"""Shared and printed conversations: pages to read a copy of the visible branch."""

import json

import pytest

from chat.models import Assistant, Conversation, Message
from tests.assertions import assert_error

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


async def test_print_page_shows_the_visible_branch(client_of, alice, charlie, rich_conversation):
    answer = await client_of(alice).get(f"/c/{rich_conversation.pk}/print/")
    assert [message["role"] for message in page_data(answer)["messages"]] == ["user", "assistant"]
    assert (await client_of(charlie).get(f"/c/{rich_conversation.pk}/print/")).status_code == 404
