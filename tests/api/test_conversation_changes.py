"""Conversations are created, read, changed and deleted."""

import asyncio

from django.utils.dateparse import parse_datetime

from chat import engine
from chat.models import Assistant, Conversation, Message, Run, RunEvent
from tests import scripted
from tests.api.answers import PLAIN
from tests.rows import all_rows
from tests.waiting import hang_timeout, wait_for_run, wait_for_text


def in_milliseconds(moment):
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


async def test_create_conversation_uses_the_default_assistant(client_of, alice):
    await Assistant.objects.filter(is_default=True).aupdate(slug="usual")
    answer = await client_of(alice).send("POST", "/api/conversations", {})
    assert answer.status_code == 201
    row = await Conversation.objects.select_related("assistant").aget()
    data = answer.json()
    assert parse_datetime(data.pop("created_at")) == in_milliseconds(row.created_at)
    assert parse_datetime(data.pop("updated_at")) == in_milliseconds(row.updated_at)
    assert data == {"id": str(row.pk), "title": "", "assistant": "usual", **PLAIN}
    assert row.owner_id == alice.pk
    assert not await Message.objects.aexists()


async def test_create_conversation_takes_title_and_assistant(client_of, alice, words):
    answer = await client_of(alice).send("POST", "/api/conversations", {"title": " 旅行 ", "assistant": "words"})
    assert answer.status_code == 201
    assert (answer.json()["title"], answer.json()["assistant"]) == ("旅行", "words")
    row = await Conversation.objects.aget()
    assert (row.title, row.assistant_id) == ("旅行", words.pk)


async def test_create_conversation_with_the_same_key_creates_one(client_of, alice, charlie, words):
    first, again, other = [
        await client_of(user).send("POST", "/api/conversations", {}, **{"Idempotency-Key": key})
        for user, key in ((alice, "k"), (alice, "k"), (alice, "l"))
    ]
    assert [answer.status_code for answer in (first, again, other)] == [201, 201, 201]
    assert first.json() == again.json()
    assert first.json()["id"] != other.json()["id"]
    charlies = await client_of(charlie).send("POST", "/api/conversations", {}, **{"Idempotency-Key": "k"})
    assert charlies.json()["id"] != first.json()["id"]
    await client_of(alice).send("DELETE", f"/api/conversations/{first.json()['id']}")
    gone = await client_of(alice).send("POST", "/api/conversations", {}, **{"Idempotency-Key": "k"})
    assert gone.status_code == 404
    assert await Conversation.objects.acount() == 3


async def test_create_conversation_without_any_assistant_is_refused(client_of, alice):
    await Assistant.objects.all().adelete()
    answer = await client_of(alice).send("POST", "/api/conversations", {})
    assert answer.status_code == 409
    assert answer.json()["error"]["code"] == "no_assistant"
    assert not await Conversation.objects.aexists()


async def test_get_conversation(client_of, alice, conversation):
    answer = await client_of(alice).get(f"/api/conversations/{conversation.pk}")
    assert answer.status_code == 200
    assert answer.json()["id"] == str(conversation.pk)
    assert answer.json()["assistant"] == "words"


async def test_change_conversation_title_changes_nothing_else(client_of, alice, conversation):
    answer = await client_of(alice).send("PATCH", f"/api/conversations/{conversation.pk}", {"title": "Renamed"})
    assert answer.status_code == 200
    assert answer.json()["title"] == "Renamed"
    row = await Conversation.objects.aget()
    assert (row.title, row.assistant_id) == ("Renamed", conversation.assistant_id)
    assert row.updated_at == conversation.updated_at


async def test_change_conversation_assistant_changes_nothing_else(client_of, alice, conversation):
    await Conversation.objects.aupdate(title="Kept")
    answer = await client_of(alice).send("PATCH", f"/api/conversations/{conversation.pk}", {"assistant": "demo"})
    assert answer.status_code == 200
    assert answer.json()["assistant"] == "demo"
    row = await Conversation.objects.select_related("assistant").aget()
    assert (row.title, row.assistant.slug) == ("Kept", "demo")


async def test_change_conversation_with_an_empty_body_changes_nothing(client_of, alice, conversation):
    before = await all_rows()
    answer = await client_of(alice).send("PATCH", f"/api/conversations/{conversation.pk}", {})
    assert answer.status_code == 200
    assert await all_rows() == before


async def test_delete_conversation_deletes_messages_runs_and_events(client_of, alice, finished_run, settings):
    settings.UNDO_SECONDS = 0
    run = await finished_run("one two")
    kept = await Conversation.objects.acreate(owner=alice)
    client = client_of(alice)
    answer = await client.send("DELETE", f"/api/conversations/{run.conversation_id}")
    assert answer.status_code == 204
    assert answer.content == b""
    assert (await client.get(f"/api/conversations/{run.conversation_id}")).status_code == 404
    assert (await client.get(run.events_url)).status_code == 404
    assert (await client.send("DELETE", f"/api/conversations/{run.conversation_id}")).status_code == 404
    assert [row.pk async for row in Conversation.objects.all()] == [kept.pk]
    for model in (Message, Run, RunEvent):
        assert not await model.objects.aexists()


async def test_delete_conversation_cancels_a_running_answer(client_of, alice, slow, ask, caplog, settings):
    settings.UNDO_SECONDS = 0
    async with slow(), slow("other"):
        run = await ask(await Assistant.objects.aget(slug="slow"))
        other = await ask(await Assistant.objects.aget(slug="other"))
        await wait_for_text(run)
        await wait_for_text(other)
        reader = asyncio.create_task(over_or_gone(run))
        async with hang_timeout():
            answer = await client_of(alice).send("DELETE", f"/api/conversations/{run.conversation_id}")
            assert answer.status_code == 204
            assert (await reader)[-1] == "RUN_FINISHED"
        assert scripted.closed == ["slow"]
        assert not await Message.objects.filter(conversation_id=run.conversation_id).aexists()
        assert not await RunEvent.objects.filter(run_id=run.pk).aexists()
    await wait_for_run(other)
    assert other.status == "completed"
    assert not await RunEvent.objects.filter(run_id=run.pk).aexists()
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


async def over_or_gone(run):
    return [event.type async for _, event in engine.follow(run) if event]


async def test_delete_conversation_deletes_queued_runs(client_of, alice, slow, words, ask, settings):
    settings.MAX_RUNS_PER_USER, settings.UNDO_SECONDS = 1, 0
    async with slow():
        first = await ask(await Assistant.objects.aget(slug="slow"))
        await wait_for_text(first)
        waiting = await ask(words)
        async with hang_timeout():
            answer = await client_of(alice).send("DELETE", f"/api/conversations/{waiting.conversation_id}")
        assert answer.status_code == 204
        assert not await Run.objects.filter(pk=waiting.pk).aexists()
    await wait_for_run(first)
    assert [request.model for request in scripted.requests] == ["slow"]
