"""Requests that come at the same moment, or too late, or while the clock steps back."""

import asyncio
import time
from datetime import timedelta

import pytest
from django.utils import timezone

from chat import engine
from chat.engine import heartbeat
from chat.errors import Refused
from chat.models import Conversation, Message, Run
from tests.clients import messages_url
from tests.rows import get_run
from tests.timeouts import HANG_TIMEOUT
from tests.waiting import run_together, wait_for_run, wait_for_text


async def test_concurrent_regenerations_with_one_key_start_one_run(client_of, alice, finished_run):
    run, client = await finished_run("one"), client_of(alice)
    await client.get("/health")
    url = f"/api/messages/{run.message_id}/regenerate"
    answers = await run_together(*(client.send("POST", url, idempotency_key="k") for _ in range(5)))
    assert len({answer.content for answer in answers}) == 1
    assert await Message.objects.filter(role="assistant").acount() == 2


async def test_key_of_a_message_cannot_be_reused_to_regenerate(client_of, alice, conversation):
    client = client_of(alice)
    first = await client.send("POST", messages_url(conversation), {"text": "Hi"}, idempotency_key="k")
    await wait_for_run(await get_run(first))
    url = f"/api/messages/{first.json()['reply_id']}/regenerate"
    assert (await client.send("POST", url, idempotency_key="k")).status_code == 409


async def test_deleted_conversation_refuses_a_message(finished_run):
    await finished_run("one")
    conversation = await Conversation.objects.aget()
    await Conversation.objects.all().adelete()
    with pytest.raises(Refused) as refused:
        await conversation.ask("Still there?")
    assert refused.value.status == 404


async def test_deleted_message_cannot_be_regenerated(finished_run):
    message = await Message.objects.aget(pk=(await finished_run("one")).message_id)
    await Conversation.objects.all().adelete()
    with pytest.raises(Refused) as refused:
        await message.regenerate()
    assert refused.value.status == 404


@pytest.mark.parametrize("step", [timedelta(0), timedelta(seconds=5)])
async def test_message_order_survives_a_clock_set_back(alice, words, monkeypatch, step):
    conversation = await Conversation.objects.acreate(owner=alice, assistant=words)
    moment, parent = timezone.now(), None
    for number in range(6):
        monkeypatch.setattr(timezone, "now", lambda number=number: moment - number * step)
        run = await conversation.ask(str(number))
        assert (await Message.objects.aget(pk=run.message.parent_id)).parent_id == parent
        parent = run.message_id


async def test_queued_question_starts_once_the_answer_before_it_ends(
    client_of,
    alice,
    slow,
    words,
    conversation,
    monkeypatch,
):
    monkeypatch.setattr(heartbeat, "ADOPT_DELAY", 3600)  # nobody else looks for it
    client = client_of(alice)
    async with slow():
        first = await get_run(
            await client.send("POST", messages_url(conversation), {"text": "Hi", "assistant": "slow"})
        )
        await wait_for_text(first)
        asked = await client.send("POST", messages_url(conversation), {"text": "And?", "assistant": "words"})
        second = await get_run(asked)
    await wait_for_run(first)
    await wait_for_run(second)
    assert second.status == "completed"


async def test_queued_question_starts_if_the_answer_ends_during_the_claim(
    client_of,
    alice,
    slow,
    words,
    conversation,
    monkeypatch,
):
    monkeypatch.setattr(heartbeat, "ADOPT_DELAY", 3600)  # nobody else looks for it
    claim, here, loop, first = Run.claim, engine.current(), asyncio.get_running_loop(), None

    def look(self, process_id):
        won = claim(self, process_id)
        if not won:  # and only now the answer before ends
            loop.call_soon_threadsafe(gate.set)
            deadline = time.monotonic() + HANG_TIMEOUT
            while first.pk in here.live:
                assert time.monotonic() < deadline
                time.sleep(0.01)  # before it looks again; in the database's thread, where nothing can be awaited
        return won

    client = client_of(alice)
    async with slow() as gate:
        first = await get_run(
            await client.send("POST", messages_url(conversation), {"text": "Hi", "assistant": "slow"})
        )
        await wait_for_text(first)
        monkeypatch.setattr(Run, "claim", look)
        second = await get_run(
            await client.send("POST", messages_url(conversation), {"text": "?", "assistant": "words"})
        )
        await wait_for_run(second)
    assert second.status == "completed"
