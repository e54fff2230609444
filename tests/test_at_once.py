"""Requests that come at the same moment, or too late, or while the clock steps back."""

import asyncio
import time
from datetime import timedelta

import pytest
from django.utils import timezone

from chat import engine
from chat.engine import journal, runner
from chat.models import Conversation, Message, Refused

from .conftest import over
from .test_api import at_once, conversation, first_words, messages_url, run_of, slow, words  # noqa: F401  fixtures


async def test_one_key_regenerates_once_however_many_ask_at_once(client_of, alice, finished_run):
    run, client = await finished_run("one"), client_of(alice)
    await client.get("/health")
    url = f"/api/messages/{run.message_id}/regenerate"
    answers = await at_once(*(client.send("POST", url, idempotency_key="k") for _ in range(5)))
    assert len({answer.content for answer in answers}) == 1
    assert await Message.objects.filter(role="assistant").acount() == 2


async def test_a_key_of_a_message_regenerates_nothing(client_of, alice, conversation):  # noqa: F811
    client = client_of(alice)
    first = await client.send("POST", messages_url(conversation), {"text": "Hi"}, idempotency_key="k")
    await over(await run_of(first))
    url = f"/api/messages/{first.json()['reply_id']}/regenerate"
    assert (await client.send("POST", url, idempotency_key="k")).status_code == 409


async def test_a_conversation_that_was_deleted_meanwhile_takes_no_message(finished_run):
    await finished_run("one")
    conversation = await Conversation.objects.aget()  # noqa: F811
    await Conversation.objects.all().adelete()
    with pytest.raises(Refused) as refused:
        await conversation.ask("Still there?")
    assert refused.value.status == 404


async def test_a_message_that_was_deleted_meanwhile_is_not_regenerated(finished_run):
    message = await Message.objects.aget(pk=(await finished_run("one")).message_id)
    await Conversation.objects.all().adelete()
    with pytest.raises(Refused) as refused:
        await message.regenerate()
    assert refused.value.status == 404


@pytest.mark.parametrize("step", [timedelta(0), timedelta(seconds=5)])
async def test_messages_keep_their_order_when_the_clock_does_not(alice, words, monkeypatch, step):  # noqa: F811
    conversation = await Conversation.objects.acreate(owner=alice, assistant=words)  # noqa: F811
    moment, parent = timezone.now(), None
    for number in range(6):
        monkeypatch.setattr(timezone, "now", lambda number=number: moment - number * step)
        run = await conversation.ask(str(number))
        assert (await Message.objects.aget(pk=run.message.parent_id)).parent_id == parent
        parent = run.message_id


async def test_a_question_that_waits_for_an_answer_begins_when_it_is_there(
    client_of,
    alice,
    slow,  # noqa: F811
    words,  # noqa: F811
    conversation,  # noqa: F811
    monkeypatch,
):
    monkeypatch.setattr(journal, "ADOPT_AFTER", 3600)  # nobody else looks for it
    client = client_of(alice)
    async with slow():
        first = await run_of(await client.send("POST", messages_url(conversation), {"text": "Hi", "assistant": "slow"}))
        await first_words(first)
        asked = await client.send("POST", messages_url(conversation), {"text": "And?", "assistant": "words"})
        second = await run_of(asked)
    await over(first)
    await over(second)
    assert second.status == "completed"


async def test_an_answer_that_ends_while_somebody_looks_whether_it_has(
    client_of,
    alice,
    slow,  # noqa: F811
    words,  # noqa: F811
    conversation,  # noqa: F811
    monkeypatch,
):
    monkeypatch.setattr(journal, "ADOPT_AFTER", 3600)  # nobody else looks for it
    claim, here, loop, first = runner.LiveRun._claim, engine.here(), asyncio.get_running_loop(), None

    def look(self, is_fresh):
        request = claim(self, is_fresh)
        if self.waits:  # and only now the answer before ends
            loop.call_soon_threadsafe(gate.set)
            deadline = time.monotonic() + 10
            while first.pk in here.live:
                assert time.monotonic() < deadline
                time.sleep(0.01)  # between looks: this is a thread of the database's
        return request

    client = client_of(alice)
    async with slow() as gate:
        first = await run_of(await client.send("POST", messages_url(conversation), {"text": "Hi", "assistant": "slow"}))
        await first_words(first)
        monkeypatch.setattr(runner.LiveRun, "_claim", look)
        second = await run_of(
            await client.send("POST", messages_url(conversation), {"text": "?", "assistant": "words"})
        )
        await over(second)
    assert second.status == "completed"
