"""A temporary conversation exists while a page shows it, and is deleted within a minute after that."""

import threading
import uuid
from datetime import timedelta

import pytest
from asgiref.sync import sync_to_async
from django.db import OperationalError, connection, transaction
from django.utils import timezone

from chat import engine
from chat.engine import heartbeat, temporary
from chat.live import consumers
from chat.models import Attachment, Conversation, Message, Run, RunEvent
from tests.timeouts import GATE_TIMEOUT
from tests.waiting import wait_for_run, wait_for_text, wait_until

NEWS = "/ws/news"


@pytest.fixture(autouse=True)
def short_intervals(monkeypatch):
    """Sweeps and polls of the pages come every 20 ms, and sweeps do not wait for pages to reconnect."""
    monkeypatch.setattr(temporary, "SWEEP_INTERVAL", 0.02)
    monkeypatch.setattr(temporary, "MAX_MISSED_SWEEPS", 10_000)
    monkeypatch.setattr(temporary, "GRACE", 0)
    monkeypatch.setattr(consumers, "POLL_INTERVAL", 0.02)


@pytest.fixture
async def temporary_chat(alice, words):
    return await Conversation.objects.acreate(owner=alice, assistant=words, is_temporary=True)


async def exists(conversation):
    return await Conversation.objects.filter(pk=conversation.pk).aexists()


async def is_deleted(conversation):
    return not await exists(conversation)


async def backdate(conversation, seconds=1_000):
    """Sets the time since a page last showed the conversation."""
    at = timezone.now() - timedelta(seconds=seconds)
    await Conversation.objects.filter(pk=conversation.pk).aupdate(updated_at=at)


async def show(socket, conversation):
    await socket.send_command({"type": "conversation.show", "conversation_id": str(conversation.pk)})


async def wait_until_shown(conversation):
    recent = timezone.now() - timedelta(seconds=10)
    await wait_until(Conversation.objects.filter(pk=conversation.pk, updated_at__gt=recent).aexists)


async def expire(conversation):
    """Waits until the pages' reports are stored, and backdates them."""
    sweeper = engine.current().temporary
    await wait_until(lambda: not sweeper.shown)
    last_sweep_at = sweeper.last_sweep_at  # of the sweep before the one that may be storing them now
    await wait_until(lambda: sweeper.last_sweep_at > last_sweep_at)
    await backdate(conversation)


async def test_temporary_conversation_is_deleted_with_all_its_rows(alice, temporary_chat):
    run = await temporary_chat.ask("Between us")
    image = {"data": b"x", "media_type": "image/webp", "width": 1, "height": 1}
    await Attachment.objects.acreate(owner=alice, message_id=run.message.parent_id, **image)
    await engine.start(run)
    await wait_for_run(run)
    await backdate(temporary_chat)
    await wait_until(lambda: is_deleted(temporary_chat))
    for model in (Conversation, Message, Run, RunEvent, Attachment):
        assert not await model.objects.aexists(), model


async def test_temporary_conversation_stays_while_a_page_shows_it(socket_of, alice, temporary_chat):
    async with socket_of(alice, path=NEWS) as socket:
        await backdate(temporary_chat, 30)
        await show(socket, temporary_chat)
        await wait_until_shown(temporary_chat)
        await backdate(temporary_chat, 30)
        await socket.receive_event("conversation.show_again")
        await show(socket, temporary_chat)
        await wait_until_shown(temporary_chat)


async def test_report_during_the_storage_of_another_is_not_lost(temporary_chat, monkeypatch):
    renew, stored, go_on = temporary._renew, threading.Event(), threading.Event()

    def slowly(shown):
        renew(shown)
        if shown:
            stored.set()
            go_on.wait(GATE_TIMEOUT)

    monkeypatch.setattr(temporary, "_renew", slowly)
    sweeper = engine.current().temporary
    sweeper.keep(temporary_chat.pk)
    await wait_until(stored.is_set)
    await backdate(temporary_chat, 30)
    sweeper.keep(temporary_chat.pk)
    go_on.set()
    await wait_until_shown(temporary_chat)


async def test_temporary_conversation_is_deleted_when_its_page_stops_reporting(socket_of, alice, temporary_chat):
    async with socket_of(alice, path=NEWS) as socket:  # a page that crashed, or lost its network: the socket stays open
        await show(socket, temporary_chat)
        await socket.receive_event("conversation.show_again")
        await expire(temporary_chat)
        assert (await socket.receive_event("conversation.deleted"))["id"] == str(temporary_chat.pk)
    assert await is_deleted(temporary_chat)


async def test_temporary_conversation_stays_for_the_last_page(socket_of, alice, temporary_chat):
    async with socket_of(alice, path=NEWS) as last:
        async with socket_of(alice, path=NEWS) as first:
            for socket in (first, last):
                await show(socket, temporary_chat)
                await socket.receive_event("conversation.show_again")
        await backdate(temporary_chat, 30)
        await show(last, temporary_chat)
        await wait_until_shown(temporary_chat)
        await last.send_command({"type": "conversation.show", "conversation_id": None})
        await expire(temporary_chat)
        await wait_until(lambda: is_deleted(temporary_chat))


async def test_temporary_conversation_is_kept_by_the_keep_call(client_of, alice, charlie, temporary_chat, conversation):
    before = timezone.now() - timedelta(seconds=30)
    await Conversation.objects.aupdate(updated_at=before)
    engine.current()
    for row in (temporary_chat, conversation):
        assert (await client_of(charlie).send("POST", f"/api/conversations/{row.pk}/keep")).status_code == 404
        assert (await client_of(alice).send("POST", f"/api/conversations/{row.pk}/keep")).status_code == 204
    await wait_until_shown(temporary_chat)
    assert (await Conversation.objects.aget(pk=conversation.pk)).updated_at == before


async def test_show_refuses_all_but_the_users_own_temporary_conversations(
    socket_of, alice, charlie, temporary_chat, conversation
):
    async with socket_of(charlie, path=NEWS) as others, socket_of(alice, path=NEWS) as hers:
        for socket, value in (
            (others, str(temporary_chat.pk)),
            (hers, str(conversation.pk)),
            (hers, 5),
            (hers, "secret"),
        ):
            await socket.send_command({"type": "conversation.show", "conversation_id": value})
            assert (await socket.receive_event("error"))["error"]["code"] == "not_found"
        for nonsense in ("[", "[]", {"type": "run.follow"}):
            await hers.send_command(nonsense)
            assert (await hers.receive_event("error"))["error"]["code"] == "invalid"
        assert not engine.current().temporary.shown


async def test_running_answer_is_stopped_when_no_page_is_left(alice, temporary_chat, slow):
    async with slow():
        run = await temporary_chat.ask("Count", assistant="slow")
        await engine.start(run)
        await wait_for_text(run)
        await backdate(temporary_chat, temporary.LEASE + 1)
        await wait_until(lambda: is_deleted(temporary_chat))
        await wait_until(lambda: not engine.current().live)
    assert not await Run.objects.aexists()


async def test_request_that_ends_stops_its_run_in_another_process(temporary_chat, monkeypatch):
    monkeypatch.setattr(temporary, "SWEEP_INTERVAL", 3_600)
    run = await temporary_chat.ask("Hi")
    row = Run.objects.filter(pk=run.pk)
    await row.aupdate(status=Run.IN_PROGRESS, process_id=uuid.uuid4())
    with engine.hold_temporary(run) as hold:
        hold.has_ended = True
    with engine.hold_temporary(run):
        assert not await row.filter(cancel_requested=True).aexists()
    await wait_until(row.filter(cancel_requested=True).aexists)


async def test_temporary_conversation_is_deleted_even_if_its_run_does_not_end(orphan, monkeypatch):
    monkeypatch.setattr(heartbeat, "MAX_MISSED_BEATS", 10**6)  # no process considers its process dead
    run = await orphan("half")
    conversation = await Conversation.objects.aget(pk=run.conversation_id)
    await Conversation.objects.filter(pk=run.conversation_id).aupdate(is_temporary=True)
    await backdate(conversation, temporary.LEASE + 1)
    engine.current()
    await wait_until(Run.objects.filter(cancel_requested=True).aexists)
    assert await exists(conversation)
    await backdate(conversation, temporary.STOP_LEASE + 1)
    await wait_until(lambda: is_deleted(conversation))


async def test_other_conversations_stay(temporary_chat, conversation):
    await Conversation.objects.aupdate(updated_at=timezone.now() - timedelta(days=100))
    engine.current()
    await wait_until(lambda: is_deleted(temporary_chat))
    assert await exists(conversation)


async def assert_deleted_after_grace_period(conversation, monkeypatch):
    assert await exists(conversation)
    monkeypatch.setattr(temporary, "GRACE", 0)
    await wait_until(lambda: is_deleted(conversation))


async def test_pages_have_time_to_reconnect_after_a_start(temporary_chat, monkeypatch):
    await backdate(temporary_chat)
    monkeypatch.setattr(temporary, "GRACE", 10**6)
    sweeper = engine.current().temporary
    sweeper.keep(temporary_chat.pk)
    await wait_until_shown(temporary_chat)
    await backdate(temporary_chat)
    await wait_until(lambda: sweeper.stable_since and sweeper.last_sweep_at > sweeper.stable_since)
    await assert_deleted_after_grace_period(temporary_chat, monkeypatch)


async def test_pages_have_time_to_reconnect_after_an_outage(temporary_chat, monkeypatch):
    sweeper = engine.current().temporary
    await wait_until(lambda: sweeper.stable_since)
    renew = temporary._renew

    def fail(shown):
        raise OperationalError("the database is down")

    monkeypatch.setattr(temporary, "_renew", fail)
    sweeper.keep(temporary_chat.pk)
    await wait_until(lambda: sweeper.stable_since is None)
    monkeypatch.setattr(temporary, "GRACE", 10**6)
    await backdate(temporary_chat)
    monkeypatch.setattr(temporary, "_renew", renew)
    await wait_until_shown(temporary_chat)  # reports during the outage were kept
    await expire(temporary_chat)
    await wait_until(lambda: sweeper.stable_since)
    await assert_deleted_after_grace_period(temporary_chat, monkeypatch)


async def test_pages_have_time_to_reconnect_after_a_pause(temporary_chat, monkeypatch):
    sweeper = engine.current().temporary
    await wait_until(lambda: sweeper.stable_since)
    before = sweeper.stable_since
    monkeypatch.setattr(temporary, "MAX_MISSED_SWEEPS", -1)  # the process was frozen for longer than that
    await wait_until(lambda: sweeper.stable_since > before)


async def test_lease_and_delays_add_up_to_less_than_a_minute():
    shown_at = consumers.POLL_INTERVAL + temporary.SWEEP_INTERVAL  # the page was closed just after its report
    assert shown_at + temporary.STOP_LEASE + temporary.SWEEP_INTERVAL <= 60
    assert temporary.GRACE + temporary.SWEEP_INTERVAL * 2 <= 60


async def test_expired_conversations_are_found_by_index(temporary_chat):
    def explain():
        with transaction.atomic(), connection.cursor() as cursor:
            if connection.vendor == "postgresql":  # which reads a table as small as this one without an index
                cursor.execute("SET LOCAL enable_seqscan = off")
            return temporary._not_shown_for(1).order_by("updated_at").explain()

    assert "temporary_by_activity" in await sync_to_async(explain)()
