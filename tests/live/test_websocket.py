"""The commands of the WebSocket endpoint, through the whole site as a server runs it."""

import json
import uuid

import pytest
from channels.generic.websocket import AsyncWebsocketConsumer
from channels.layers import InMemoryChannelLayer

from chat import engine
from chat.events import Finish, Text
from chat.models import Assistant, Conversation, Message, Run
from tests import scripted
from tests.api.test_bad_input import BAD_MESSAGES
from tests.rows import all_rows, get_run
from tests.waiting import hang_timeout, wait_for_run

# message.create -------------------------------------------------------------------------------------------------------


async def test_message_create_stores_it_and_announces_its_run_once(socket_of, alice, conversation):
    async with socket_of(alice, conversation) as socket:
        received = await socket.ask("Hi there")
        run = await Run.objects.select_related("message__parent").aget()
        assert received == {
            "type": "run.created",
            "message_id": str(run.message.parent_id),
            "reply_id": str(run.message_id),
            "run_id": str(run.pk),
            "events_url": f"/api/runs/{run.pk}/events",
        }
        assert run.message.parent.text == "Hi there"
        await wait_for_run(run)
        await socket.send_command({"type": "nonsense"})
        assert (await socket.receive_event())["type"] == "error"  # and no second run.created before it
    assert (run.status, await Run.objects.acount(), await Message.objects.acount()) == ("completed", 1, 2)


async def test_message_create_takes_parent_and_assistant(socket_of, alice, conversation, script):
    await script("other", Text("I am another"), Finish("stop"))
    async with socket_of(alice, conversation) as socket:
        first = await socket.ask()
        await wait_for_run(await Run.objects.aget(pk=first["run_id"]))
        second = await socket.ask("Hi, edited", parent_id=None, assistant="other")
        third = await socket.ask("And?", parent_id=first["reply_id"])
    message = await Message.objects.aget(pk=third["message_id"])
    assert str(message.parent_id) == first["reply_id"]
    assert (await Run.objects.aget(pk=second["run_id"])).model == "scripted:other"


async def test_idempotency_key_repeated_returns_the_same_run(socket_of, alice, conversation):
    async with socket_of(alice, conversation) as socket:
        received = [await socket.ask(idempotency_key="k1") for _ in range(3)]
        assert received[0] == received[1] == received[2]
        await wait_for_run(await Run.objects.aget())
        await socket.send_command({"type": "message.create", "text": "Bye", "idempotency_key": "k1"})
        assert (await socket.receive_event("error"))["error"]["code"] == "idempotency_key_reused"
    assert (await Run.objects.acount(), len(scripted.requests)) == (1, 1)


async def test_idempotency_key_is_shared_with_http(socket_of, client_of, alice, conversation):
    url = f"/api/conversations/{conversation.pk}/messages"
    answer = await client_of(alice).send("POST", url, {"text": "Hi"}, idempotency_key="k1")
    async with socket_of(alice, conversation) as socket:
        assert await socket.ask(idempotency_key="k1") == {"type": "run.created", **answer.json()}
    await wait_for_run(await get_run(answer))
    assert len(scripted.requests) == 1


async def test_message_create_with_follow_is_a_whole_conversation(socket_of, alice, conversation):
    async with socket_of(alice, conversation) as socket:
        for question in ("Hi", "And?"):
            created = await socket.ask(question, follow=True)
            events = await socket.receive_until_end()
            assert {event["runId"] for event in events} == {created["run_id"]}
            run = await Run.objects.select_related("message").aget(pk=created["run_id"])
            assert (events[0]["seq"], events[-1]["seq"]) == (1, run.last_seq)
            assert "".join(event.get("delta", "") for event in events) == run.message.text
    assert run.status == "completed"


async def test_message_create_takes_no_other_follow(socket_of, alice, conversation):
    before = await all_rows()
    async with socket_of(alice, conversation) as socket:
        for wrong in ("yes", 1, None, [], {}):
            await socket.send_command({"type": "message.create", "text": "Hi", "follow": wrong})
            assert (await socket.receive_event("error"))["error"]["message"] == "follow must be true or false."
    assert await all_rows() == before


async def test_message_create_refuses_too_many_runs(socket_of, alice, conversation, slow, settings):
    settings.MAX_RUNS_PER_USER = settings.MAX_WAITING_PER_USER = 1
    async with slow(), socket_of(alice, conversation) as socket:
        await socket.ask(assistant="slow")
        await socket.ask()
        await socket.send_command({"type": "message.create", "text": "One more"})
        assert (await socket.receive_event("error"))["error"]["code"] == "too_many_runs"
    assert await Run.objects.acount() == 2


async def test_message_create_in_a_deleted_conversation_closes_the_socket(socket_of, alice, conversation):
    async with socket_of(alice, conversation) as socket:
        await conversation.adelete()
        await socket.send_command({"type": "message.create", "text": "Hi"})
        assert await socket.close_code() == 4404


# run.created ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [None, "/ws/news"])
async def test_socket_joins_its_group_before_it_accepts(socket_of, alice, conversation, path, monkeypatch):
    order = []
    join, accept = InMemoryChannelLayer.group_add, AsyncWebsocketConsumer.accept

    async def joined(*args):
        await join(*args)
        order.append("joined")

    async def accepted(*args):
        order.append("open")
        await accept(*args)

    monkeypatch.setattr(InMemoryChannelLayer, "group_add", joined)
    monkeypatch.setattr(AsyncWebsocketConsumer, "accept", accepted)
    async with socket_of(alice, conversation, path=path):
        assert order == ["joined", "open"]


async def test_run_created_elsewhere_is_announced_once(socket_of, client_of, alice, conversation):
    url, client = f"/api/conversations/{conversation.pk}/messages", client_of(alice)
    async with socket_of(alice, conversation) as one, socket_of(alice, conversation) as two:
        first, again = [await client.send("POST", url, {"text": "Hi"}, idempotency_key="k1") for _ in range(2)]
        await wait_for_run(await get_run(first))
        other = await client.send("POST", f"/api/messages/{first.json()['reply_id']}/regenerate")
        await wait_for_run(await get_run(other))
        assert first.json() == again.json()
        for socket in (one, two):
            received = [await socket.receive_event(), await socket.receive_event()]
            assert received == [{"type": "run.created", **answer.json()} for answer in (first, other)]
        created = await one.ask("Over this socket")
        assert await two.receive_event() == created
        for socket in (one, two):
            await socket.send_command({"type": "nonsense"})
            assert (await socket.receive_event())["type"] == "error"  # and nothing is received twice
        await wait_for_run(await Run.objects.aget(pk=created["run_id"]))


async def test_run_created_in_another_conversation_is_not_announced(
    socket_of, client_of, alice, charlie, conversation, words
):
    async with socket_of(alice, conversation) as socket:
        for owner in (alice, charlie):
            other = await Conversation.objects.acreate(owner=owner, assistant=words)
            url = f"/api/conversations/{other.pk}/messages"
            await wait_for_run(await get_run(await client_of(owner).send("POST", url, {"text": "Hi"})))
        await socket.send_command({"type": "nonsense"})
        assert (await socket.receive_event())["type"] == "error"


# run.cancel -----------------------------------------------------------------------------------------------------------


async def test_cancel_works_while_the_answer_is_followed(socket_of, alice, conversation, slow):
    async with slow(), socket_of(alice, conversation) as socket:
        run_id = (await socket.ask(assistant="slow"))["run_id"]
        await socket.send_command({"type": "run.follow", "run_id": run_id})
        await socket.receive_event("TEXT_MESSAGE_CONTENT")
        for _ in range(2):
            await socket.send_command({"type": "run.cancel", "run_id": run_id})
        async with hang_timeout():
            last = (await socket.receive_until_end())[-1]
        assert (last["type"], last["outcome"]) == ("RUN_FINISHED", {"type": "cancelled"})
        assert scripted.closed == ["slow"]
        await socket.send_command({"type": "run.cancel", "run_id": run_id})
        await socket.send_command({"type": "nonsense"})
        assert (await socket.receive_event())["error"][
            "code"
        ] == "invalid"  # the stops say nothing, the first one or the last
    run = await Run.objects.select_related("message").aget()
    assert (run.status, run.message.text) == ("cancelled", "one")


# What it refuses ------------------------------------------------------------------------------------------------------

NO_ORDERS = {
    "nothing": "",
    "no JSON": "{",
    "no JSON but a word": "hello",
    "an array": [],
    "an array of orders": [{"type": "message.create", "text": "Hi"}],
    "a number": 5,
    "a number that is none": '{"type": "message.create", "text": NaN}',
    "null": None,
    "a text": '"message.create"',
    "no type": {"text": "Hi"},
    "an unknown type": {"type": "message.delete"},
    "an order's inside": {"type": "_create", "text": "Hi"},
    "a number as type": {"type": 5},
    "null as type": {"type": None},
    "an array as type": {"type": ["message.create"], "text": "Hi"},
    "an object as type": {"type": {"message.create": 1}, "text": "Hi"},
    "very deep": "[" * 100_000,
    "very deep inside": '{"type": "message.create", "text": ' + "[" * 100_000 + "]" * 100_000 + "}",
    "a number too long": '{"type": "message.create", "text": ' + "9" * 10_000 + "}",
    "half a surrogate pair as type": {"type": "\ud83e"},
    "a key that is a number": {"type": "message.create", "text": "Hi", "idempotency_key": 5},
    "a key that is empty": {"type": "message.create", "text": "Hi", "idempotency_key": ""},
    "a key that is too long": {"type": "message.create", "text": "Hi", "idempotency_key": "k" * 201},
    "a key with NUL": {"type": "message.create", "text": "Hi", "idempotency_key": "k\0"},
    "a key with half a surrogate pair": {"type": "message.create", "text": "Hi", "idempotency_key": "k\ud83e"},
    "a run that is none": {"type": "run.follow", "run_id": "abc"},
    "no run": {"type": "run.follow"},
    "a number as run": {"type": "run.follow", "run_id": 5},
    "an object as run": {"type": "run.cancel", "run_id": {}},
    "null as run": {"type": "run.cancel", "run_id": None},
    "half a surrogate pair as run": {"type": "run.cancel", "run_id": "\ud83e"},
    "a run that does not exist": {"type": "run.follow", "run_id": str(uuid.uuid4())},
} | {name: {"type": "message.create"} | body for name, body in BAD_MESSAGES.items()}


async def test_command_that_is_invalid_is_refused_and_changes_nothing(socket_of, alice, conversation, subtests):
    async with socket_of(alice, conversation) as socket:
        before = await all_rows()
        for name, order in NO_ORDERS.items():
            with subtests.test(name):
                await socket.send_command(order)
                received = await socket.receive_event()
                assert (received.keys(), received["type"]) == ({"type", "error"}, "error")
                assert received["error"].keys() == {"code", "message"}
                assert all(received["error"].values())
                assert await all_rows() == before
        await socket.ask()  # and goes on
    await wait_for_run(await Run.objects.aget())


async def test_command_in_bytes_is_refused(socket_of, alice, conversation):
    async with socket_of(alice, conversation) as socket:
        for data in (b"", b"\x00\xff", json.dumps({"type": "message.create", "text": "Hi"}).encode()):
            await socket.send_input({"type": "websocket.receive", "bytes": data})
            assert (await socket.receive_event())["type"] == "error"
    assert not await Message.objects.aexists()


async def test_position_that_is_not_a_number_is_refused(socket_of, alice, finished_run):
    run = await finished_run("one")
    async with socket_of(alice, run.conversation) as socket:
        for after in ("-1", "1.5", "1.0", '"5"', '"abc"', "true", "null", "[]", "1e999", "NaN"):
            await socket.send_command(f'{{"type": "run.follow", "run_id": "{run.pk}", "after": {after}}}')
            assert (await socket.receive_event())["error"]["code"] == "bad_position", after


async def test_command_for_a_run_elsewhere_is_refused(socket_of, alice, charlie, slow, ask, conversation, words):
    async with slow():
        elsewhere = await ask(await Assistant.objects.aget(slug="slow"))
        another = await Conversation.objects.acreate(owner=charlie, assistant=elsewhere.assistant)
        other = await another.ask("Hi")
        await engine.start(other)
        async with socket_of(alice, conversation) as socket:
            for run in (elsewhere, other):
                for kind in ("run.follow", "run.cancel"):
                    await socket.send_command({"type": kind, "run_id": str(run.pk)})
                    received = await socket.receive_event()
                    assert (received["type"], received["error"]["code"]) == ("error", "not_found")
    for run in (elsewhere, other):
        await wait_for_run(run)
        assert run.status == "completed"
