"""A temporary conversation lives while a page shows it, and a minute later nothing of it is left."""

from datetime import timedelta

import pytest
from asgiref.sync import sync_to_async
from django.db import OperationalError, connection, transaction
from django.utils import timezone

from chat import engine
from chat.engine import heartbeat, temporary
from chat.live import consumers
from chat.models import Attachment, Conversation, Message, Run, RunEvent
from tests.waiting import wait_for_run, wait_for_text, wait_until

NEWS = "/ws/news"


@pytest.fixture(autouse=True)
def hurry(monkeypatch):
    """Sweeps come every 20 ms, pages are asked as often, and nobody waits for pages to come back."""
    monkeypatch.setattr(temporary, "SWEEP_INTERVAL", 0.02)
    monkeypatch.setattr(temporary, "MAX_MISSED_SWEEPS", 10_000)
    monkeypatch.setattr(temporary, "GRACE", 0)
    monkeypatch.setattr(consumers, "POLL_INTERVAL", 0.02)


@pytest.fixture
async def secret(alice, words):
    return await Conversation.objects.acreate(owner=alice, assistant=words, is_temporary=True)


async def exists(conversation):
    return await Conversation.objects.filter(pk=conversation.pk).aexists()


async def is_gone(conversation):
    return not await exists(conversation)


async def age(conversation, seconds=1_000):
    """Let so much time have passed since a page showed it last."""
    at = timezone.now() - timedelta(seconds=seconds)
    await Conversation.objects.filter(pk=conversation.pk).aupdate(updated_at=at)


async def show(socket, conversation):
    await socket.send_command({"type": "conversation.show", "conversation_id": str(conversation.pk)})


async def wait_until_shown(conversation):
    recent = timezone.now() - timedelta(seconds=10)
    await wait_until(Conversation.objects.filter(pk=conversation.pk, updated_at__gt=recent).aexists)


async def forget(conversation):
    """Wait until what the pages have said is stored, and let it be long ago."""
    await wait_until(lambda: not engine.current().temporary.shown)
    await age(conversation)


async def test_temporary_conversation_is_deleted_with_all_its_rows(alice, secret):
    run = await secret.ask("Between us")
    image = {"data": b"x", "media_type": "image/webp", "width": 1, "height": 1}
    await Attachment.objects.acreate(owner=alice, message_id=run.message.parent_id, **image)
    await engine.start(run)
    await wait_for_run(run)
    await age(secret)
    await wait_until(lambda: is_gone(secret))
    for model in (Conversation, Message, Run, RunEvent, Attachment):
        assert not await model.objects.aexists(), model


async def test_temporary_conversation_stays_while_a_page_shows_it(socket_of, alice, secret):
    async with socket_of(alice, path=NEWS) as socket:
        await age(secret, 30)
        await show(socket, secret)
        await wait_until_shown(secret)
        await age(secret, 30)
        await socket.receive_event("conversation.show_again")
        await show(socket, secret)
        await wait_until_shown(secret)


async def test_temporary_conversation_is_deleted_when_its_page_stops_reporting(socket_of, alice, secret):
    async with socket_of(alice, path=NEWS) as socket:  # a page that crashed, or lost its network: the socket stays open
        await show(socket, secret)
        await socket.receive_event("conversation.show_again")
        await forget(secret)
        assert (await socket.receive_event("conversation.deleted"))["id"] == str(secret.pk)
    assert await is_gone(secret)


async def test_temporary_conversation_stays_for_the_last_page(socket_of, alice, secret):
    async with socket_of(alice, path=NEWS) as last:
        async with socket_of(alice, path=NEWS) as first:
            for socket in (first, last):
                await show(socket, secret)
                await socket.receive_event("conversation.show_again")
        await age(secret, 30)
        await show(last, secret)
        await wait_until_shown(secret)
        await last.send_command({"type": "conversation.show", "conversation_id": None})
        await forget(secret)
        await wait_until(lambda: is_gone(secret))


async def test_temporary_conversation_is_kept_by_the_keep_call(client_of, alice, charlie, secret, conversation):
    before = timezone.now() - timedelta(seconds=30)
    await Conversation.objects.aupdate(updated_at=before)
    engine.current()
    for row in (secret, conversation):
        assert (await client_of(charlie).send("POST", f"/api/conversations/{row.pk}/keep")).status_code == 404
        assert (await client_of(alice).send("POST", f"/api/conversations/{row.pk}/keep")).status_code == 204
    await wait_until_shown(secret)
    assert (await Conversation.objects.aget(pk=conversation.pk)).updated_at == before


async def test_show_refuses_all_but_the_users_own_temporary_conversations(
    socket_of, alice, charlie, secret, conversation
):
    async with socket_of(charlie, path=NEWS) as others, socket_of(alice, path=NEWS) as hers:
        for socket, value in ((others, str(secret.pk)), (hers, str(conversation.pk)), (hers, 5), (hers, "secret")):
            await socket.send_command({"type": "conversation.show", "conversation_id": value})
            assert (await socket.receive_event("error"))["error"]["code"] == "not_found"
        for nonsense in ("[", "[]", {"type": "run.follow"}):
            await hers.send_command(nonsense)
            assert (await hers.receive_event("error"))["error"]["code"] == "invalid"
        assert not engine.current().temporary.shown


async def test_running_answer_is_stopped_when_no_page_is_left(alice, secret, slow):
    async with slow():
        run = await secret.ask("Count", assistant="slow")
        await engine.start(run)
        await wait_for_text(run)
        await age(secret, temporary.LEASE + 1)
        await wait_until(lambda: is_gone(secret))
        await wait_until(lambda: not engine.current().live)
    assert not await Run.objects.aexists()


async def test_temporary_conversation_is_deleted_even_if_its_run_does_not_end(orphan, monkeypatch):
    monkeypatch.setattr(heartbeat, "MAX_MISSED_BEATS", 10**6)  # nobody finds its process dead
    run = await orphan("half")
    conversation = await Conversation.objects.aget(pk=run.conversation_id)
    await Conversation.objects.filter(pk=run.conversation_id).aupdate(is_temporary=True)
    await age(conversation, temporary.LEASE + 1)
    engine.current()
    await wait_until(Run.objects.filter(cancel_requested=True).aexists)
    assert await exists(conversation)
    await age(conversation, temporary.STOP_LEASE + 1)
    await wait_until(lambda: is_gone(conversation))


async def test_other_conversations_stay(secret, conversation):
    await Conversation.objects.aupdate(updated_at=timezone.now() - timedelta(days=100))
    engine.current()
    await wait_until(lambda: is_gone(secret))
    assert await exists(conversation)


async def assert_goes_with_the_grace(conversation, monkeypatch):
    assert await exists(conversation)
    monkeypatch.setattr(temporary, "GRACE", 0)
    await wait_until(lambda: is_gone(conversation))


async def test_pages_have_time_to_reconnect_after_a_start(secret, monkeypatch):
    await age(secret)
    monkeypatch.setattr(temporary, "GRACE", 10**6)
    looked_after = engine.current().temporary
    looked_after.keep(secret.pk)
    await wait_until_shown(secret)
    await age(secret)
    await wait_until(lambda: looked_after.last_sweep_at > looked_after.stable_since)
    await assert_goes_with_the_grace(secret, monkeypatch)


async def test_pages_have_time_to_reconnect_after_an_outage(secret, monkeypatch):
    looked_after = engine.current().temporary
    await wait_until(lambda: looked_after.stable_since)
    renew = temporary._renew

    def fail(shown):
        raise OperationalError("the database is away")

    monkeypatch.setattr(temporary, "_renew", fail)
    looked_after.keep(secret.pk)
    await wait_until(lambda: looked_after.stable_since is None)
    monkeypatch.setattr(temporary, "GRACE", 10**6)
    await age(secret)
    monkeypatch.setattr(temporary, "_renew", renew)
    await wait_until_shown(secret)  # what was said during the outage was not forgotten
    await forget(secret)
    await wait_until(lambda: looked_after.stable_since)
    await assert_goes_with_the_grace(secret, monkeypatch)


async def test_pages_have_time_to_reconnect_after_a_pause(secret, monkeypatch):
    looked_after = engine.current().temporary
    await wait_until(lambda: looked_after.stable_since)
    before = looked_after.stable_since
    monkeypatch.setattr(temporary, "MAX_MISSED_SWEEPS", -1)  # the process was frozen for longer than that
    await wait_until(lambda: looked_after.stable_since > before)


async def test_lease_and_delays_add_up_to_less_than_a_minute():
    shown_at = consumers.POLL_INTERVAL + temporary.SWEEP_INTERVAL  # the page went just after its word
    assert shown_at + temporary.STOP_LEASE + temporary.SWEEP_INTERVAL <= 60
    assert temporary.GRACE + temporary.SWEEP_INTERVAL * 2 <= 60


async def test_expired_conversations_are_found_by_index(secret):
    def explain():
        with transaction.atomic(), connection.cursor() as cursor:
            if connection.vendor == "postgresql":  # which reads a table as small as this one without an index
                cursor.execute("SET LOCAL enable_seqscan = off")
            return temporary._not_shown_for(1).order_by("updated_at").explain()

    assert "temporary_by_activity" in await sync_to_async(explain)()
