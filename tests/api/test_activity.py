"""What the list of conversations says of each: being answered, waiting for approval, failed or answered until seen."""

from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from asgiref.sync import sync_to_async
from django.conf import settings
from django.utils import timezone

from chat import engine
from chat.events import Approval, Finish, Text, ToolCallArgs, ToolCallEnd, ToolCallStart
from chat.models import Conversation, Run
from tests.waiting import wait_for_run

NEWS = "/ws/news"
CALL = [ToolCallStart("a", "pay"), ToolCallArgs("a", "{}"), ToolCallEnd("a"), Approval("a", "May pay run?")]


async def activity_of(client, conversation_id):
    """Returns the activity, which is the same in the list, in a search and in the conversation itself."""
    [listed] = [row for row in (await client.get("/api/conversations")).json()["items"] if row["id"] == conversation_id]
    [found] = [
        row for row in (await client.get("/api/conversations?q=Hi")).json()["items"] if row["id"] == conversation_id
    ]
    row = (await client.get(f"/api/conversations/{conversation_id}")).json()
    assert row["activity"] == listed["activity"] == found["activity"]
    return row["activity"]


@asynccontextmanager
async def news_of(socket_of, user):
    """`await told(activity)`: waits for news with this activity."""
    async with socket_of(user, path=NEWS) as socket:

        async def told(activity):
            while (await socket.receive_event("conversation.changed"))["conversation"]["activity"] != activity:
                pass

        yield socket, told


async def test_activity_is_answering_then_answered_until_seen_on_any_device(client_of, alice, ask, slow, socket_of):
    client = client_of(alice)
    async with (
        slow() as gate,
        news_of(socket_of, alice) as (phone, on_phone),
        news_of(socket_of, alice) as (_, on_desk),
    ):
        run = await ask(await slow_assistant())
        id = str(run.conversation_id)
        await on_phone("answering")
        await on_desk("answering")
        assert await activity_of(client, id) == "answering"
        gate.set()
        await on_phone("answered")
        await on_desk("answered")
        assert await activity_of(client, id) == "answered"
        await phone.send_json_to({"type": "conversation.seen", "conversation_id": id})
        await on_phone(None)
        await on_desk(None)
        assert await activity_of(client, id) is None


async def slow_assistant():
    return await sync_to_async(Conversation._meta.get_field("assistant").related_model.objects.get)(slug="slow")


@pytest.mark.parametrize(
    ("steps", "activity", "when_seen"),
    [
        ([Text("Hi"), Finish("stop")], "answered", None),
        ([Text("Hi"), Finish("length")], "answered", None),
        ([Text("Half"), ValueError("broken")], "failed", None),
        ([ValueError("broken")], "failed", None),
        ([*CALL, Finish("tool_calls")], "waiting", "waiting"),
    ],
)
async def test_activity_tells_how_the_last_answer_ended(client_of, alice, ask, script, steps, activity, when_seen):
    client = client_of(alice)
    run = await ask(await script("ends", *steps))
    await wait_for_run(run)
    id = str(run.conversation_id)
    assert await activity_of(client, id) == activity
    assert (await client.send("PATCH", f"/api/conversations/{id}", {"is_seen": True})).json()["activity"] == when_seen
    assert (await client.send("PATCH", f"/api/conversations/{id}", {"is_seen": False})).json()["activity"] == activity


async def test_activity_is_empty_after_an_answer_that_the_user_stopped(client_of, alice, ask, slow):
    async with slow():
        run = await ask(await slow_assistant())
        await client_of(alice).send("POST", f"/api/runs/{run.pk}/cancel", {})
        await wait_for_run(run)
        assert await activity_of(client_of(alice), str(run.conversation_id)) is None


async def test_activity_is_announced_when_a_queued_run_is_stopped(alice, ask, slow, socket_of):
    async with slow(), news_of(socket_of, alice) as (_, told):
        run = await ask(await slow_assistant())
        await told("answering")
        queued = await run.conversation.ask("And then?", parent_id=run.message_id)
        await engine.start(queued)
        await told("answering")
        await Run.objects.filter(pk=run.pk).aupdate(status="completed", finished_at=timezone.now(), last_seq=1)
        await engine.cancel(queued)
        await told(None)


async def test_activity_is_announced_when_a_run_is_interrupted(alice, orphan, socket_of):
    async with news_of(socket_of, alice) as (_, told):
        await orphan("one", attempts=3)
        engine.current()
        await told("failed")


async def test_activity_waiting_ends_with_the_request_and_with_another_message(client_of, alice, ask, script):
    payer = await script("payer", *CALL, Finish("tool_calls"))
    run = await ask(payer)
    await wait_for_run(run)
    id = str(run.conversation_id)
    expired = timezone.now() - timedelta(seconds=settings.APPROVAL_SECONDS + 1)
    await Conversation.objects.filter(pk=id).aupdate(answered_at=expired)
    assert await activity_of(client_of(alice), id) is None
    await Conversation.objects.filter(pk=id).aupdate(answered_at=timezone.now())
    assert await activity_of(client_of(alice), id) == "waiting"
    await script("payer", Text("Never mind."), Finish("stop"))
    conversation = await Conversation.objects.select_related("assistant").aget(pk=id)
    await conversation.ask("Rather not.")
    assert await Conversation.objects.filter(pk=id, outcome="").aexists()


async def test_activity_is_seen_only_by_the_owner(client_of, alice, charlie, finished_run, socket_of):
    run = await finished_run("one")
    id = str(run.conversation_id)
    async with socket_of(charlie, path=NEWS) as socket:
        for wrong in (id, "x", None, 5, [id]):
            await socket.send_json_to({"type": "conversation.seen", "conversation_id": wrong})
            assert (await socket.receive_event("error"))["error"]["code"] == "not_found"
    refused = await client_of(charlie).send("PATCH", f"/api/conversations/{id}", {"is_seen": True})
    assert refused.status_code == 404
    assert await activity_of(client_of(alice), id) == "answered"
