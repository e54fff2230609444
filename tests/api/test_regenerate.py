"""A message is answered again."""

from chat.events import Finish, Text
from chat.models import Message, Run
from tests import scripted
from tests.api.answers import done
from tests.clients import messages_url
from tests.rows import all_rows


async def test_regenerate_adds_an_answer_beside_the_first(client_of, alice, finished_run):
    run = await finished_run("first answer")
    answer = await client_of(alice).send("POST", f"/api/messages/{run.message_id}/regenerate")
    assert answer.status_code == 202
    again = await done(answer)
    assert answer.json() == {
        "message_id": str(run.message.parent_id),
        "reply_id": str(again.message_id),
        "run_id": str(again.pk),
        "events_url": f"/api/runs/{again.pk}/events",
    }
    assert again.message_id != run.message_id
    assert again.message.parent_id == run.message.parent_id
    assert scripted.requests[0].turns == scripted.requests[1].turns
    first = await Message.objects.aget(pk=run.message_id)
    assert first.text == "first answer"
    assert await Message.objects.acount() == 3


async def test_regenerate_takes_another_assistant(client_of, alice, finished_run, script):
    run = await finished_run("first answer")
    await script("other", Text("another answer"), Finish("stop"))
    body = {"assistant": "other"}
    again = await done(await client_of(alice).send("POST", f"/api/messages/{run.message_id}/regenerate", body))
    assert (await Message.objects.aget(pk=again.message_id)).text == "another answer"


async def test_regenerate_takes_an_instruction_about_the_answer_before(client_of, alice, finished_run, script):
    run = await finished_run("first answer")
    await script("other", Text("short"), Finish("stop"))
    client, url = client_of(alice), f"/api/messages/{run.message_id}/regenerate"
    body = {"assistant": "other", "instruction": " Make it shorter. "}
    again = await done(await client.send("POST", url, body, idempotency_key="k1"))
    role, parts = scripted.requests[-1].turns[-1]
    text = "".join(part["text"] for part in parts)
    assert role == "user" and text.startswith("Hi") and "first answer" in text and "Make it shorter." in text
    assert len(scripted.requests[-1].turns) == 1
    seen = (await client.get(f"/api/runs/{again.pk}")).json()
    messages = (await client.get(f"/api/conversations/{run.conversation_id}/messages")).json()["items"]
    assert seen["instruction"] == messages[-1]["instruction"] == "Make it shorter."
    assert [message["instruction"] for message in messages[:-1]] == [None, None]
    assert (await client.send("POST", url, body, idempotency_key="k1")).json()["run_id"] == str(again.pk)
    body["instruction"] = "Make it longer."
    assert (await client.send("POST", url, body, idempotency_key="k1")).status_code == 409
    for wrong in ("x" * 501, 5, ["a"], "\0"):
        assert (await client.send("POST", url, {"instruction": wrong})).status_code in (400, 422)


async def test_regenerate_with_the_same_key_returns_the_same_run(client_of, alice, finished_run):
    run = await finished_run("first answer")
    client, url = client_of(alice), f"/api/messages/{run.message_id}/regenerate"
    first = await client.send("POST", url, idempotency_key="k1")
    again = await client.send("POST", url, idempotency_key="k1")
    assert first.json() == again.json()
    await done(first)
    assert await Run.objects.acount() == 2


async def test_regenerate_with_the_key_of_another_message_is_refused(client_of, alice, finished_run):
    run = await finished_run("first answer")
    client = client_of(alice)
    second = await done(await client.send("POST", messages_url(run.conversation), {"text": "And?"}))
    first = await client.send("POST", f"/api/messages/{run.message_id}/regenerate", idempotency_key="k1")
    await done(first)
    before = await all_rows()
    answer = await client.send("POST", f"/api/messages/{second.message_id}/regenerate", idempotency_key="k1")
    assert answer.status_code == 409
    assert await all_rows() == before


async def test_regenerate_refuses_a_user_message(client_of, alice, finished_run):
    run = await finished_run("first answer")
    before = await all_rows()
    answer = await client_of(alice).send("POST", f"/api/messages/{run.message.parent_id}/regenerate")
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "not_an_answer"
    assert await all_rows() == before
