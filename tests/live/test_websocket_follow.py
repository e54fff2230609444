"""The events of a run, over a WebSocket."""

import asyncio
import json

import pytest

from chat.events import Finish, Text, fold, from_json, text_of
from chat.live import consumers, session_check
from chat.models import Run, RunEvent
from chatsite.asgi import application
from tests import scripted
from tests.assertions import assert_ag_ui
from tests.live.event_stream import read_events
from tests.rows import stored_events
from tests.waiting import hang_timeout, wait_for_run, wait_until


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
        await socket.send_command({"type": "message.create", "text": "One more", "follow": True})
        assert (await socket.receive_event("error"))["error"]["code"] == "too_many_runs"
        assert await Run.objects.acount() == 2
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
    async with slow() as gate, hang_timeout():
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

        async def are_stored():
            return len(await stored_events()) >= 3

        await wait_until(are_stored)
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
