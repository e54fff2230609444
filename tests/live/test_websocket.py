"""The WebSocket endpoint, through the whole site as a server runs it: access, incoming messages, outgoing messages."""

import asyncio
import json
import uuid

import pytest
from channels.generic.websocket import AsyncWebsocketConsumer
from channels.layers import InMemoryChannelLayer

from chat import engine
from chat.engine import runner
from chat.events import Finish, Text, fold, from_json, text_of
from chat.live import consumers, session_check
from chat.models import Assistant, Conversation, Message, Run, RunEvent
from chatsite.asgi import application
from tests import scripted
from tests.api.test_bad_input import BAD_MESSAGES
from tests.assertions import assert_ag_ui
from tests.clients import SOCKET_TIMEOUT
from tests.live.event_stream import read_events
from tests.rows import all_rows, get_run, stored_events
from tests.waiting import wait_for_run

# Who may open it ------------------------------------------------------------------------------------------------------


async def test_socket_without_a_login_is_closed_with_4401(socket_of, conversation):
    async with socket_of(None, conversation) as socket:
        assert await socket.close_code() == 4401
        await socket.send_command({"type": "message.create", "text": "Hi"})
    assert not await Message.objects.aexists()


async def test_socket_with_an_unknown_session_is_closed_with_4401(socket_of, conversation):
    async with socket_of(None, conversation, cookie="sessionid=abcdefghijklmnopqrstuvwxyz012345") as socket:
        assert await socket.close_code() == 4401


async def test_socket_with_an_unreadable_session_key_is_closed_with_4401(socket_of, conversation):
    async with socket_of(None, conversation, cookie='sessionid="\\000abcdefghijklmnop"') as socket:
        assert await socket.close_code() == 4401


async def test_socket_of_another_user_is_closed_with_4404(socket_of, charlie, conversation):
    async with socket_of(charlie, conversation) as socket:
        assert await socket.close_code() == 4404
        await socket.send_command({"type": "message.create", "text": "Hi"})
    assert not await Message.objects.aexists()


async def test_socket_of_staff_is_closed_with_4404(socket_of, bob, conversation):
    async with socket_of(bob, conversation) as socket:
        assert await socket.close_code() == 4404


async def test_socket_of_an_unknown_conversation_is_closed_with_4404(socket_of, alice):
    async with socket_of(alice, uuid.uuid4()) as socket:
        assert await socket.close_code() == 4404


ANOTHER_SITE = [
    "https://evil.example",
    "http://testserver.evil.example",
    "http://eviltestserver",
    "http://testserver:81",
    "http://testserver@evil.example",
    "http://[",
    "http://[::1",
    "null",
    "testserver",
    "",
    "\xff",
]


async def test_origin_of_another_site_is_refused(socket_of, alice, conversation, subtests):
    for origin in ANOTHER_SITE:
        with subtests.test(origin):
            async with socket_of(alice, conversation, accepted=False, origin=origin) as socket:
                assert socket.refused_with == 4403


async def test_unknown_host_is_refused(socket_of, alice, conversation, subtests):
    for host in ("evil.example", "", None, "[", "testserver:evil"):
        headers = {"host": host, "origin": host and f"http://{host}"}
        with subtests.test(host):
            async with socket_of(alice, conversation, accepted=False, **headers) as socket:
                assert socket.refused_with == 4403


async def test_origin_that_is_trusted_or_missing_is_accepted(socket_of, alice, conversation, settings):
    settings.CSRF_TRUSTED_ORIGINS = ["https://chat.example", "https://*.talk.example"]
    for origin in ("https://chat.example", "https://a.talk.example", "HTTP://TESTSERVER", None):
        async with socket_of(alice, conversation, origin=origin) as socket:
            await socket.ask()
    for origin in ("http://chat.example", "https://a.chat.example", "https://eviltalk.example"):
        async with socket_of(alice, conversation, accepted=False, origin=origin) as socket:
            assert socket.refused_with == 4403


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
        mine = await one.ask("Over this socket")
        assert await two.receive_event() == mine
        for socket in (one, two):
            await socket.send_command({"type": "nonsense"})
            assert (await socket.receive_event())["type"] == "error"  # and nothing is received twice
        await wait_for_run(await Run.objects.aget(pk=mine["run_id"]))


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


# run.follow -----------------------------------------------------------------------------------------------------------


async def test_events_equal_those_of_sse_with_run_id_and_seq(socket_of, client_of, alice, finished_run):
    run = await finished_run("one two 🤙")
    async with socket_of(alice, run.conversation) as socket:
        await socket.send_command({"type": "run.follow", "run_id": str(run.pk)})
        received = await socket.receive_until_end()
    assert received == [
        event | {"runId": str(run.pk), "seq": seq} for seq, event in await read_events(client_of(alice), run)
    ]
    for event in received:
        seq, run_id = event.pop("seq"), event["runId"]
        assert (type(seq), run_id) == (int, str(run.pk))
        assert_ag_ui(event if event["type"].startswith("RUN_") else {k: v for k, v in event.items() if k != "runId"})


async def test_events_arrive_while_the_answer_is_written(socket_of, alice, conversation, slow):
    async with slow() as gate, socket_of(alice, conversation) as socket:
        run_id = (await socket.ask(assistant="slow"))["run_id"]
        await socket.send_command({"type": "run.follow", "run_id": run_id})
        assert (await socket.receive_event("TEXT_MESSAGE_CONTENT"))["delta"] == "one"
        assert (await Run.objects.aget()).status == "in_progress"
        gate.set()
        assert (await socket.receive_event("TEXT_MESSAGE_CONTENT"))["delta"] == " two"
        last = await socket.receive_event("RUN_FINISHED")
    assert (await Run.objects.aget()).last_seq == last["seq"]


async def test_position_continues_after_the_last_event(socket_of, alice, finished_run):
    run = await finished_run("one two three")
    async with socket_of(alice, run.conversation) as socket:
        await socket.send_command({"type": "run.follow", "run_id": str(run.pk), "after": 5})
        assert [(event["seq"], event["type"]) for event in await socket.receive_until_end()] == [
            (6, "TEXT_MESSAGE_END"),
            (7, "RUN_FINISHED"),
        ]


async def test_position_of_the_last_event_sends_nothing(socket_of, alice, finished_run):
    run = await finished_run("one two three")
    async with socket_of(alice, run.conversation) as socket:
        await socket.send_command({"type": "run.follow", "run_id": str(run.pk), "after": 7})
        other = (await socket.ask())["run_id"]
        await socket.send_command({"type": "run.follow", "run_id": other})
        assert {event["runId"] for event in await socket.receive_until_end()} == {other}


async def test_position_beyond_the_log_gets_a_snapshot_and_the_end(socket_of, alice, finished_run):
    run = await finished_run("one two three")
    async with socket_of(alice, run.conversation) as socket:
        for after in (8, 2**31, 2**63, 10**100):
            await socket.send_command({"type": "run.follow", "run_id": str(run.pk), "after": after})
            received = [event["type"] for event in await socket.receive_until_end()]
            assert received == ["RUN_STARTED", "MESSAGES_SNAPSHOT", "RUN_FINISHED"]


async def test_follow_again_replaces_the_earlier_one(socket_of, alice, conversation, slow):
    async with slow() as gate, socket_of(alice, conversation) as socket:
        run_id = (await socket.ask(assistant="slow"))["run_id"]
        await socket.send_command({"type": "run.follow", "run_id": run_id})
        first = await socket.receive_event("TEXT_MESSAGE_CONTENT")
        await socket.send_command({"type": "run.follow", "run_id": run_id, "after": first["seq"]})
        await socket.send_command({"type": "nonsense"})
        assert (await socket.receive_event())["type"] == "error"  # by now it follows anew
        gate.set()
        assert [event["seq"] for event in await socket.receive_until_end()] == [4, 5, 6]


async def test_follow_is_limited_per_socket(socket_of, alice, conversation, slow, monkeypatch):
    monkeypatch.setattr(consumers, "MAX_FOLLOWED_RUNS", 1)
    async with slow(), socket_of(alice, conversation) as socket:
        run_ids = [(await socket.ask(assistant="slow"))["run_id"], (await socket.ask())["run_id"]]
        for run_id in run_ids:
            await socket.send_command({"type": "run.follow", "run_id": run_id})
        assert (await socket.receive_event("error"))["error"]["code"] == "too_many_runs"
        await socket.send_command({"type": "run.follow", "run_id": run_ids[0]})
        await socket.receive_event("RUN_STARTED")


async def test_socket_that_disconnects_does_not_stop_the_run(socket_of, alice, conversation, slow):
    async with slow() as gate:
        async with socket_of(alice, conversation) as socket:
            run_id = (await socket.ask(assistant="slow"))["run_id"]
            await socket.send_command({"type": "run.follow", "run_id": run_id})
            await socket.receive_event("TEXT_MESSAGE_CONTENT")
        assert scripted.closed == []
        gate.set()
        run = await Run.objects.aget(pk=run_id)
        events = await wait_for_run(run)
    assert run.status == "completed"
    assert text_of(fold(event for _, event in events)) == "one two"
    assert session_check.watchers.get().checks == set()


@pytest.mark.parametrize("leaves_before", ["run.created", "RUN_STARTED", "TEXT_MESSAGE_CONTENT"])
async def test_socket_that_disconnects_logs_no_error(client_of, alice, conversation, slow, caplog, leaves_before):
    client = client_of()
    await client.aforce_login(alice)
    inputs, has_left = asyncio.Queue(), asyncio.Event()

    async def send(message):
        """As uvicorn's: once the client has left, each send raises ClientDisconnected, an OSError."""
        event = json.loads(message.get("text", "{}"))
        if event.get("type") == leaves_before:
            has_left.set()
        if has_left.is_set():
            raise OSError
        if event.get("type") == "run.created":
            inputs.put_nowait(command({"type": "run.follow", "run_id": event["run_id"]}))

    def command(data):
        return {"type": "websocket.receive", "text": json.dumps(data)}

    cookie = f"sessionid={client.cookies['sessionid'].value}"
    headers = [(b"host", b"testserver"), (b"cookie", cookie.encode())]
    path = f"/ws/conversations/{conversation.pk}"
    scope = {"type": "websocket", "path": path, "query_string": b"", "headers": headers, "subprotocols": []}
    async with slow() as gate, asyncio.timeout(SOCKET_TIMEOUT):
        socket = asyncio.create_task(application(scope, inputs.get, send))
        inputs.put_nowait({"type": "websocket.connect"})
        inputs.put_nowait(command({"type": "message.create", "text": "Hi", "assistant": "slow"}))
        await has_left.wait()
        gate.set()
        run = await Run.objects.aget()
        await wait_for_run(run)
        inputs.put_nowait({"type": "websocket.disconnect", "code": 1006})
        await socket
    assert run.status == "completed"
    assert [record for record in caplog.records if record.levelname in ("WARNING", "ERROR")] == []
    assert session_check.watchers.get().checks == set()


async def test_socket_is_closed_with_4404_if_the_run_is_deleted(socket_of, alice, conversation, slow):
    async with slow(), socket_of(alice, conversation) as socket:
        run_id = (await socket.ask(assistant="slow"))["run_id"]
        await socket.send_command({"type": "run.follow", "run_id": run_id})
        await socket.receive_event("TEXT_MESSAGE_CONTENT")
        async with asyncio.timeout(SOCKET_TIMEOUT):
            while len(await stored_events()) < 3:
                await asyncio.sleep(0.01)
        await conversation.adelete()
        assert await socket.close_code() == 4404


async def test_follow_of_an_unreadable_log_sends_an_error(socket_of, alice, finished_run):
    run = await finished_run("one")
    await RunEvent.objects.filter(run=run).aupdate(data="not JSON")
    async with socket_of(alice, run.conversation) as socket:
        await socket.send_command({"type": "run.follow", "run_id": str(run.pk)})
        assert (await socket.receive_event("error"))["error"]["code"] == "server_error"


async def test_events_folded_are_the_stored_message(socket_of, alice, conversation, script):
    letters = "".join(chr(n) for n in range(1, 400)) + "👩‍👩‍👧漢字"
    await script("letters", *map(Text, letters), Finish("stop"))
    async with socket_of(alice, conversation) as socket:
        run_id = (await socket.ask(assistant="letters"))["run_id"]
        await socket.send_command({"type": "run.follow", "run_id": run_id})
        received = await socket.receive_until_end()
    run = await Run.objects.select_related("message").aget(pk=run_id)
    for event in received:
        del event["seq"]
        if not event["type"].startswith("RUN_"):
            del event["runId"]
    assert fold(from_json(json.dumps(event)) for event in received) == run.message.parts
    assert run.message.text == letters


# run.cancel -----------------------------------------------------------------------------------------------------------


async def test_cancel_works_while_the_answer_is_followed(socket_of, alice, conversation, slow):
    async with slow(), socket_of(alice, conversation) as socket:
        run_id = (await socket.ask(assistant="slow"))["run_id"]
        await socket.send_command({"type": "run.follow", "run_id": run_id})
        await socket.receive_event("TEXT_MESSAGE_CONTENT")
        for _ in range(2):
            await socket.send_command({"type": "run.cancel", "run_id": run_id})
        async with asyncio.timeout(2):
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
        theirs = await Conversation.objects.acreate(owner=charlie, assistant=elsewhere.assistant)
        other = await theirs.ask("Hi")
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


# How long it stays ----------------------------------------------------------------------------------------------------


async def test_socket_is_closed_with_4401_at_logout(socket_of, client_of, alice, conversation, slow, monkeypatch):
    monkeypatch.setattr(session_check, "CHECK_INTERVAL", 0.02)
    monkeypatch.setattr(consumers, "POLL_INTERVAL", 0.02)
    async with slow() as gate, socket_of(alice, conversation) as here, socket_of(alice, conversation) as elsewhere:
        run_id = (await here.ask(assistant="slow"))["run_id"]
        await here.send_command({"type": "run.follow", "run_id": run_id})
        await here.receive_event("TEXT_MESSAGE_CONTENT")
        client = client_of()
        client.cookies["sessionid"] = dict(here.scope["headers"])[b"cookie"].decode().removeprefix("sessionid=")
        assert (await client.post("/accounts/logout/")).status_code == 302
        assert await here.close_code() == 4401
        gate.set()
        await here.send_command({"type": "message.create", "text": "Still me"})
        await elsewhere.send_command({"type": "run.follow", "run_id": run_id})
        assert (await elsewhere.receive_until_end())[-1]["type"] == "RUN_FINISHED"
        await wait_for_run(await Run.objects.aget())  # there is no other
        assert await here.receive_nothing()


async def test_socket_is_closed_with_4401_if_the_account_is_deactivated(socket_of, alice, conversation, monkeypatch):
    monkeypatch.setattr(session_check, "CHECK_INTERVAL", 0.02)
    monkeypatch.setattr(consumers, "POLL_INTERVAL", 0.02)
    async with socket_of(alice, conversation) as socket:
        alice.is_active = False
        await alice.asave()
        assert await socket.close_code() == 4401


async def test_socket_is_closed_with_1012_at_shutdown(socket_of, alice, conversation, monkeypatch):
    monkeypatch.setattr(consumers, "POLL_INTERVAL", 0.02)
    async with socket_of(alice, conversation) as socket:
        engine.current().begin_shutdown()
        assert await socket.close_code() == 1012


async def test_socket_stays_open_without_traffic(socket_of, alice, conversation, monkeypatch):
    monkeypatch.setattr(session_check, "CHECK_INTERVAL", 0.01)
    monkeypatch.setattr(consumers, "POLL_INTERVAL", 0.01)
    monkeypatch.setattr(runner, "READER_WAKE_INTERVAL", 0.01)
    async with socket_of(alice, conversation) as socket:
        assert await socket.receive_nothing(0.3)
        await socket.ask()
