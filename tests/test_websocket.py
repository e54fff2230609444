"""The WebSocket door, through the whole site as a server runs it: who may open it, what it takes, what it tells."""

import asyncio
import json
import uuid
from contextlib import asynccontextmanager

import pytest
from channels.generic.websocket import AsyncWebsocketConsumer
from channels.layers import InMemoryChannelLayer
from channels.testing import WebsocketCommunicator

from chat import access, consumers, engine
from chat.engine import runner
from chat.events import TERMINAL, Finish, Text, fold, from_json, text_of
from chat.models import Assistant, Conversation, Message, Run, RunEvent
from chatsite.asgi import application

from . import scripted
from .conftest import journaled, over
from .test_api import run_of, slow  # noqa: F401
from .test_bad_input import NO_MESSAGES, rows
from .test_sse import ag_ui, read

SECONDS = 10  # a patience, not a measure


class Socket(WebsocketCommunicator):
    async def say(self, order):
        await self.send_input({"type": "websocket.receive", "text": order if type(order) is str else json.dumps(order)})

    async def hear(self, kind=None):
        """The next message, or the next one of this type."""
        while True:
            told = await self.receive_json_from(SECONDS)
            if kind in (None, told["type"]):
                return told

    async def hear_the_end(self):
        """The run's events up to its last one."""
        told = [await self.hear()]
        while told[-1]["type"] not in TERMINAL:
            told.append(await self.hear())
        return told

    async def ask(self, text="Hi", **order):
        await self.say({"type": "message.create", "text": text, **order})
        return await self.hear("run.created")

    async def closed(self):
        """The code with which the site closes this socket, once it does."""
        while (told := await self.receive_output(SECONDS))["type"] != "websocket.close":
            pass
        return told["code"]


@pytest.fixture
def socket_of(client_of):
    """`async with socket_of(alice, conversation) as socket`: open, as her browser opens it."""

    @asynccontextmanager
    async def connect(person, conversation=None, accepted=True, path=None, **headers):
        headers = {"host": "testserver", "origin": "http://testserver"} | headers
        if person:
            client = client_of()
            await client.aforce_login(person)
            headers["cookie"] = f"sessionid={client.cookies['sessionid'].value}"
        pairs = [(name.encode(), value.encode("latin-1")) for name, value in headers.items() if value is not None]
        path = path or f"/ws/conversations/{getattr(conversation, 'pk', conversation)}"
        socket = Socket(application, path, pairs)
        try:
            told = await socket.connect(SECONDS)
            assert told[0] == accepted, told
            socket.refused_with = None if accepted else told[1]
            yield socket
        finally:
            await socket.disconnect(timeout=SECONDS)

    return connect


@pytest.fixture
async def words(script):
    return await script("words", Text("Hello"), Text(" Alice"), Finish("stop"))


@pytest.fixture
async def conversation(alice, words):
    return await Conversation.objects.acreate(owner=alice, assistant=words)


# Who may open it ------------------------------------------------------------------------------------------------------


async def test_without_a_login_it_is_closed_with_4401(socket_of, conversation):
    async with socket_of(None, conversation) as socket:
        assert await socket.closed() == 4401
        await socket.say({"type": "message.create", "text": "Hi"})
    assert not await Message.objects.aexists()


async def test_a_made_up_session_is_closed_with_4401(socket_of, conversation):
    async with socket_of(None, conversation, cookie="sessionid=abcdefghijklmnopqrstuvwxyz012345") as socket:
        assert await socket.closed() == 4401


async def test_a_session_that_no_database_can_look_for_is_closed_with_4401(socket_of, conversation):
    async with socket_of(None, conversation, cookie='sessionid="\\000abcdefghijklmnop"') as socket:
        assert await socket.closed() == 4401


async def test_a_stranger_is_closed_with_4404(socket_of, charlie, conversation):
    async with socket_of(charlie, conversation) as socket:
        assert await socket.closed() == 4404
        await socket.say({"type": "message.create", "text": "Hi"})
    assert not await Message.objects.aexists()


async def test_even_staff_is_closed_with_4404(socket_of, bob, conversation):
    async with socket_of(bob, conversation) as socket:
        assert await socket.closed() == 4404


async def test_a_conversation_that_does_not_exist_is_closed_with_4404(socket_of, alice):
    async with socket_of(alice, uuid.uuid4()) as socket:
        assert await socket.closed() == 4404


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


async def test_a_page_of_another_site_is_refused(socket_of, alice, conversation, subtests):
    for origin in ANOTHER_SITE:
        with subtests.test(origin):
            async with socket_of(alice, conversation, accepted=False, origin=origin) as socket:
                assert socket.refused_with == 4403


async def test_another_host_is_refused(socket_of, alice, conversation, subtests):
    for host in ("evil.example", "", None, "[", "testserver:evil"):
        headers = {"host": host, "origin": host and f"http://{host}"}
        with subtests.test(host):
            async with socket_of(alice, conversation, accepted=False, **headers) as socket:
                assert socket.refused_with == 4403


async def test_a_trusted_origin_and_a_program_are_let_in(socket_of, alice, conversation, settings):
    settings.CSRF_TRUSTED_ORIGINS = ["https://chat.example", "https://*.talk.example"]
    for origin in ("https://chat.example", "https://a.talk.example", "HTTP://TESTSERVER", None):
        async with socket_of(alice, conversation, origin=origin) as socket:
            await socket.ask()
    for origin in ("http://chat.example", "https://a.chat.example", "https://eviltalk.example"):
        async with socket_of(alice, conversation, accepted=False, origin=origin) as socket:
            assert socket.refused_with == 4403


# message.create -------------------------------------------------------------------------------------------------------


async def test_a_message_is_kept_and_its_run_is_told_once(socket_of, alice, conversation):
    async with socket_of(alice, conversation) as socket:
        told = await socket.ask("Hi there")
        run = await Run.objects.select_related("message__parent").aget()
        assert told == {
            "type": "run.created",
            "message_id": str(run.message.parent_id),
            "reply_id": str(run.message_id),
            "run_id": str(run.pk),
            "events_url": f"/api/runs/{run.pk}/events",
        }
        assert run.message.parent.text == "Hi there"
        await over(run)
        await socket.say({"type": "nonsense"})
        assert (await socket.hear())["type"] == "error"  # and no second run.created before it
    assert (run.status, await Run.objects.acount(), await Message.objects.acount()) == ("completed", 1, 2)


async def test_a_message_may_name_its_parent_and_its_assistant(socket_of, alice, conversation, script):
    await script("other", Text("I am another"), Finish("stop"))
    async with socket_of(alice, conversation) as socket:
        first = await socket.ask()
        await over(await Run.objects.aget(pk=first["run_id"]))
        second = await socket.ask("Hi, edited", parent_id=None, assistant="other")
        third = await socket.ask("And?", parent_id=first["reply_id"])
    message = await Message.objects.aget(pk=third["message_id"])
    assert str(message.parent_id) == first["reply_id"]
    assert (await Run.objects.aget(pk=second["run_id"])).model == "scripted:other"


async def test_the_same_key_gives_the_same_run(socket_of, alice, conversation):
    async with socket_of(alice, conversation) as socket:
        told = [await socket.ask(idempotency_key="k1") for _ in range(3)]
        assert told[0] == told[1] == told[2]
        await over(await Run.objects.aget())
        await socket.say({"type": "message.create", "text": "Bye", "idempotency_key": "k1"})
        assert (await socket.hear("error"))["error"]["code"] == "idempotency_key_reused"
    assert (await Run.objects.acount(), len(scripted.asked)) == (1, 1)


async def test_a_key_is_the_same_over_both_doors(socket_of, client_of, alice, conversation):
    url = f"/api/conversations/{conversation.pk}/messages"
    answer = await client_of(alice).send("POST", url, {"text": "Hi"}, idempotency_key="k1")
    async with socket_of(alice, conversation) as socket:
        assert await socket.ask(idempotency_key="k1") == {"type": "run.created", **answer.json()}
    await over(await run_of(answer))
    assert len(scripted.asked) == 1


async def test_too_many_runs_are_refused(socket_of, alice, conversation, slow, settings):  # noqa: F811
    settings.MAX_RUNS_PER_USER = settings.MAX_WAITING_PER_USER = 1
    async with slow(), socket_of(alice, conversation) as socket:
        await socket.ask(assistant="slow")
        await socket.ask()
        await socket.say({"type": "message.create", "text": "One more"})
        assert (await socket.hear("error"))["error"]["code"] == "too_many_runs"
    assert await Run.objects.acount() == 2


async def test_a_message_to_a_deleted_conversation_closes_it(socket_of, alice, conversation):
    async with socket_of(alice, conversation) as socket:
        await conversation.adelete()
        await socket.say({"type": "message.create", "text": "Hi"})
        assert await socket.closed() == 4404


# run.created ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [None, "/ws/news"])
async def test_who_finds_it_open_misses_nothing(socket_of, alice, conversation, path, monkeypatch):
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


async def test_runs_started_elsewhere_are_told_once(socket_of, client_of, alice, conversation):
    url, client = f"/api/conversations/{conversation.pk}/messages", client_of(alice)
    async with socket_of(alice, conversation) as one, socket_of(alice, conversation) as two:
        first, again = [await client.send("POST", url, {"text": "Hi"}, idempotency_key="k1") for _ in range(2)]
        await over(await run_of(first))
        other = await client.send("POST", f"/api/messages/{first.json()['reply_id']}/regenerate")
        await over(await run_of(other))
        assert first.json() == again.json()
        for socket in (one, two):
            told = [await socket.hear(), await socket.hear()]
            assert told == [{"type": "run.created", **answer.json()} for answer in (first, other)]
        mine = await one.ask("Over this socket")
        assert await two.hear() == mine
        for socket in (one, two):
            await socket.say({"type": "nonsense"})
            assert (await socket.hear())["type"] == "error"  # and nothing is told twice
        await over(await Run.objects.aget(pk=mine["run_id"]))


async def test_runs_of_other_conversations_are_not_told(socket_of, client_of, alice, charlie, conversation, words):
    async with socket_of(alice, conversation) as socket:
        for owner in (alice, charlie):
            other = await Conversation.objects.acreate(owner=owner, assistant=words)
            url = f"/api/conversations/{other.pk}/messages"
            await over(await run_of(await client_of(owner).send("POST", url, {"text": "Hi"})))
        await socket.say({"type": "nonsense"})
        assert (await socket.hear())["type"] == "error"


# run.follow -----------------------------------------------------------------------------------------------------------


async def test_events_are_those_of_the_stream_with_their_run_and_number(socket_of, client_of, alice, finished_run):
    run = await finished_run("one two 🤙")
    async with socket_of(alice, run.conversation) as socket:
        await socket.say({"type": "run.follow", "run_id": str(run.pk)})
        told = await socket.hear_the_end()
    assert told == [event | {"runId": str(run.pk), "seq": seq} for seq, event in await read(client_of(alice), run)]
    for event in told:
        seq, run_id = event.pop("seq"), event["runId"]
        assert (type(seq), run_id) == (int, str(run.pk))
        ag_ui(event if event["type"].startswith("RUN_") else {k: v for k, v in event.items() if k != "runId"})


async def test_an_answer_arrives_as_it_is_written(socket_of, alice, conversation, slow):  # noqa: F811
    async with slow() as gate, socket_of(alice, conversation) as socket:
        run_id = (await socket.ask(assistant="slow"))["run_id"]
        await socket.say({"type": "run.follow", "run_id": run_id})
        assert (await socket.hear("TEXT_MESSAGE_CONTENT"))["delta"] == "one"
        assert (await Run.objects.aget()).status == "in_progress"
        gate.set()
        assert (await socket.hear("TEXT_MESSAGE_CONTENT"))["delta"] == " two"
        last = await socket.hear("RUN_FINISHED")
    assert (await Run.objects.aget()).last_seq == last["seq"]


async def test_a_reader_goes_on_behind_its_last_event(socket_of, alice, finished_run):
    run = await finished_run("one two three")
    async with socket_of(alice, run.conversation) as socket:
        await socket.say({"type": "run.follow", "run_id": str(run.pk), "after": 5})
        assert [(event["seq"], event["type"]) for event in await socket.hear_the_end()] == [
            (6, "TEXT_MESSAGE_END"),
            (7, "RUN_FINISHED"),
        ]


async def test_behind_the_last_event_there_is_nothing(socket_of, alice, finished_run):
    run = await finished_run("one two three")
    async with socket_of(alice, run.conversation) as socket:
        await socket.say({"type": "run.follow", "run_id": str(run.pk), "after": 7})
        other = (await socket.ask())["run_id"]
        await socket.say({"type": "run.follow", "run_id": other})
        assert {event["runId"] for event in await socket.hear_the_end()} == {other}


async def test_a_position_beyond_the_log_gets_a_snapshot_and_the_end(socket_of, alice, finished_run):
    run = await finished_run("one two three")
    async with socket_of(alice, run.conversation) as socket:
        for after in (8, 2**31, 2**63, 10**100):
            await socket.say({"type": "run.follow", "run_id": str(run.pk), "after": after})
            told = [event["type"] for event in await socket.hear_the_end()]
            assert told == ["RUN_STARTED", "MESSAGES_SNAPSHOT", "RUN_FINISHED"]


async def test_following_anew_takes_the_place_of_the_earlier(socket_of, alice, conversation, slow):  # noqa: F811
    async with slow() as gate, socket_of(alice, conversation) as socket:
        run_id = (await socket.ask(assistant="slow"))["run_id"]
        await socket.say({"type": "run.follow", "run_id": run_id})
        first = await socket.hear("TEXT_MESSAGE_CONTENT")
        await socket.say({"type": "run.follow", "run_id": run_id, "after": first["seq"]})
        await socket.say({"type": "nonsense"})
        assert (await socket.hear())["type"] == "error"  # by now it follows anew
        gate.set()
        assert [event["seq"] for event in await socket.hear_the_end()] == [4, 5, 6]


async def test_a_socket_follows_no_more_runs_than_it_may(socket_of, alice, conversation, slow, monkeypatch):  # noqa: F811
    monkeypatch.setattr(consumers, "MAX_FOLLOWED", 1)
    async with slow(), socket_of(alice, conversation) as socket:
        run_ids = [(await socket.ask(assistant="slow"))["run_id"], (await socket.ask())["run_id"]]
        for run_id in run_ids:
            await socket.say({"type": "run.follow", "run_id": run_id})
        assert (await socket.hear("error"))["error"]["code"] == "too_many_runs"
        await socket.say({"type": "run.follow", "run_id": run_ids[0]})
        await socket.hear("RUN_STARTED")


async def test_a_socket_that_goes_stops_no_run(socket_of, alice, conversation, slow):  # noqa: F811
    async with slow() as gate:
        async with socket_of(alice, conversation) as socket:
            run_id = (await socket.ask(assistant="slow"))["run_id"]
            await socket.say({"type": "run.follow", "run_id": run_id})
            await socket.hear("TEXT_MESSAGE_CONTENT")
        assert scripted.closed == []
        gate.set()
        run = await Run.objects.aget(pk=run_id)
        seen = await over(run)
    assert run.status == "completed"
    assert text_of(fold(event for _, event in seen)) == "one two"
    assert access._books[asyncio.get_running_loop()][0] == set()


async def test_a_run_that_is_gone_closes_it_with_4404(socket_of, alice, conversation, slow):  # noqa: F811
    async with slow(), socket_of(alice, conversation) as socket:
        run_id = (await socket.ask(assistant="slow"))["run_id"]
        await socket.say({"type": "run.follow", "run_id": run_id})
        await socket.hear("TEXT_MESSAGE_CONTENT")
        async with asyncio.timeout(SECONDS):
            while len(await journaled()) < 3:
                await asyncio.sleep(0.01)
        await conversation.adelete()
        assert await socket.closed() == 4404


async def test_a_log_that_cannot_be_read_says_so(socket_of, alice, finished_run):
    run = await finished_run("one")
    await RunEvent.objects.filter(run=run).aupdate(data="not JSON")
    async with socket_of(alice, run.conversation) as socket:
        await socket.say({"type": "run.follow", "run_id": str(run.pk)})
        assert (await socket.hear("error"))["error"]["code"] == "server_error"


async def test_the_events_folded_are_the_stored_message(socket_of, alice, conversation, script):
    letters = "".join(chr(n) for n in range(1, 400)) + "👩‍👩‍👧漢字"
    await script("letters", *map(Text, letters), Finish("stop"))
    async with socket_of(alice, conversation) as socket:
        run_id = (await socket.ask(assistant="letters"))["run_id"]
        await socket.say({"type": "run.follow", "run_id": run_id})
        told = await socket.hear_the_end()
    run = await Run.objects.select_related("message").aget(pk=run_id)
    for event in told:
        del event["seq"]
        if not event["type"].startswith("RUN_"):
            del event["runId"]
    assert fold(from_json(json.dumps(event)) for event in told) == run.message.parts
    assert run.message.text == letters


# run.cancel -----------------------------------------------------------------------------------------------------------


async def test_a_stop_is_answered_at_once_while_the_answer_goes_on(socket_of, alice, conversation, slow):  # noqa: F811
    async with slow(), socket_of(alice, conversation) as socket:
        run_id = (await socket.ask(assistant="slow"))["run_id"]
        await socket.say({"type": "run.follow", "run_id": run_id})
        await socket.hear("TEXT_MESSAGE_CONTENT")
        for _ in range(2):
            await socket.say({"type": "run.cancel", "run_id": run_id})
        async with asyncio.timeout(2):
            last = (await socket.hear_the_end())[-1]
        assert (last["type"], last["outcome"]) == ("RUN_FINISHED", {"type": "cancelled"})
        assert scripted.closed == ["slow"]
        await socket.say({"type": "run.cancel", "run_id": run_id})
        await socket.say({"type": "nonsense"})
        assert (await socket.hear())["error"]["code"] == "invalid"  # the stops say nothing, the first one or the last
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
} | {name: {"type": "message.create"} | body for name, body in NO_MESSAGES.items()}


async def test_what_is_no_order_is_refused_and_changes_nothing(socket_of, alice, conversation, subtests):
    async with socket_of(alice, conversation) as socket:
        before = await rows()
        for name, order in NO_ORDERS.items():
            with subtests.test(name):
                await socket.say(order)
                told = await socket.hear()
                assert (told.keys(), told["type"]) == ({"type", "error"}, "error")
                assert told["error"].keys() == {"code", "message"}
                assert all(told["error"].values())
                assert await rows() == before
        await socket.ask()  # and goes on
    await over(await Run.objects.aget())


async def test_bytes_are_refused(socket_of, alice, conversation):
    async with socket_of(alice, conversation) as socket:
        for data in (b"", b"\x00\xff", json.dumps({"type": "message.create", "text": "Hi"}).encode()):
            await socket.send_input({"type": "websocket.receive", "bytes": data})
            assert (await socket.hear())["type"] == "error"
    assert not await Message.objects.aexists()


async def test_a_position_that_is_no_whole_number_is_refused(socket_of, alice, finished_run):
    run = await finished_run("one")
    async with socket_of(alice, run.conversation) as socket:
        for after in ("-1", "1.5", "1.0", '"5"', '"abc"', "true", "null", "[]", "1e999", "NaN"):
            await socket.say(f'{{"type": "run.follow", "run_id": "{run.pk}", "after": {after}}}')
            assert (await socket.hear())["error"]["code"] == "bad_position", after


async def test_runs_of_others_and_elsewhere_do_not_exist(socket_of, alice, charlie, slow, ask, conversation, words):  # noqa: F811
    async with slow():
        elsewhere = await ask(await Assistant.objects.aget(slug="slow"))
        theirs = await Conversation.objects.acreate(owner=charlie, assistant=elsewhere.assistant)
        other = await theirs.ask("Hi")
        await engine.start(other)
        async with socket_of(alice, conversation) as socket:
            for run in (elsewhere, other):
                for kind in ("run.follow", "run.cancel"):
                    await socket.say({"type": kind, "run_id": str(run.pk)})
                    told = await socket.hear()
                    assert (told["type"], told["error"]["code"]) == ("error", "not_found")
    for run in (elsewhere, other):
        await over(run)
        assert run.status == "completed"


# How long it stays ----------------------------------------------------------------------------------------------------


async def test_a_logout_closes_it_with_4401(socket_of, client_of, alice, conversation, slow, monkeypatch):  # noqa: F811
    monkeypatch.setattr(access, "EVERY", 0.02)
    monkeypatch.setattr(consumers, "LOOK", 0.02)
    async with slow() as gate, socket_of(alice, conversation) as here, socket_of(alice, conversation) as elsewhere:
        run_id = (await here.ask(assistant="slow"))["run_id"]
        await here.say({"type": "run.follow", "run_id": run_id})
        await here.hear("TEXT_MESSAGE_CONTENT")
        client = client_of()
        client.cookies["sessionid"] = dict(here.scope["headers"])[b"cookie"].decode().removeprefix("sessionid=")
        assert (await client.post("/accounts/logout/")).status_code == 302
        assert await here.closed() == 4401
        gate.set()
        await here.say({"type": "message.create", "text": "Still me"})
        await elsewhere.say({"type": "run.follow", "run_id": run_id})
        assert (await elsewhere.hear_the_end())[-1]["type"] == "RUN_FINISHED"
        await over(await Run.objects.aget())  # there is no other
        assert await here.receive_nothing()


async def test_a_person_who_is_shut_out_is_closed_with_4401(socket_of, alice, conversation, monkeypatch):
    monkeypatch.setattr(access, "EVERY", 0.02)
    monkeypatch.setattr(consumers, "LOOK", 0.02)
    async with socket_of(alice, conversation) as socket:
        alice.is_active = False
        await alice.asave()
        assert await socket.closed() == 4401


async def test_a_server_that_leaves_closes_it_with_1012(socket_of, alice, conversation, monkeypatch):
    monkeypatch.setattr(consumers, "LOOK", 0.02)
    async with socket_of(alice, conversation) as socket:
        engine.here().say_goodbye()
        assert await socket.closed() == 1012


async def test_silence_does_not_close_it(socket_of, alice, conversation, monkeypatch):
    monkeypatch.setattr(access, "EVERY", 0.01)
    monkeypatch.setattr(consumers, "LOOK", 0.01)
    monkeypatch.setattr(runner, "LOOK_AROUND", 0.01)
    async with socket_of(alice, conversation) as socket:
        assert await socket.receive_nothing(0.3)
        await socket.ask()
