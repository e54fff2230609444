"""What many sockets of one user cost when much changes at once: nobody else waits for their queries."""

import threading
from contextlib import AsyncExitStack

import pytest
from channels import consumer
from django.db.backends.utils import CursorWrapper

from chat import broadcast
from chat.live import conversation_updates
from chat.models import Conversation
from tests.timeouts import GATE_TIMEOUT
from tests.waiting import ENGINE_THREADS, wait_for_run, wait_until

UPDATES = "/ws/news"
SOCKETS, CHANGES = 10, 20


@pytest.fixture
def statements(monkeypatch):
    """The SQL statements of all threads but the engine's, which works at intervals."""
    seen = []
    execute = CursorWrapper.execute

    def record(self, sql, params=None):
        if not threading.current_thread().name.startswith(ENGINE_THREADS):
            seen.append(sql)
        return execute(self, sql, params)

    monkeypatch.setattr(CursorWrapper, "execute", record)
    return seen


@pytest.fixture
def sockets_of(socket_of):
    """`await sockets_of(stack, alice, …)`: as many sockets as one user may well have."""

    async def connect(stack, *args, **options):
        return [await stack.enter_async_context(socket_of(*args, **options)) for _ in range(SOCKETS)]

    return connect


def count_visits(monkeypatch):
    """A list that grows whenever Channels visits a database thread."""
    visits = []
    visit = consumer.aclose_old_connections

    async def count():
        visits.append(None)
        await visit()

    monkeypatch.setattr(consumer, "aclose_old_connections", count)
    return visits


async def test_runs_are_announced_to_sockets_without_a_query(sockets_of, alice, finished_run, statements, monkeypatch):
    run = await finished_run("one")
    async with AsyncExitStack() as stack:
        sockets = await sockets_of(stack, alice, run.conversation)
        visits = count_visits(monkeypatch)
        statements.clear()
        for _ in range(CHANGES):
            await broadcast.announce_run(run)
        for socket in sockets:
            announced = await socket.receive_event()
            assert announced == {
                "type": "run.created",
                "message_id": str(run.message.parent_id),
                "reply_id": str(run.message_id),
                "run_id": str(run.pk),
                "events_url": run.events_url,
            }
            assert await socket.receive_nothing()
        assert (statements, visits) == ([], [])


async def test_burst_of_changes_is_read_once_for_all_sockets_of_a_user(
    sockets_of, alice, conversation, statements, monkeypatch
):
    others = [await Conversation.objects.acreate(owner=alice, title=f"Chat {n}") for n in range(CHANGES)]
    async with AsyncExitStack() as stack:
        sockets = await sockets_of(stack, alice, path=UPDATES)
        visits = count_visits(monkeypatch)
        statements.clear()
        for other in others:
            await broadcast.notify_user(alice.pk, other.pk)
        for socket in sockets:
            titles = [(await socket.receive_event("conversation.changed"))["conversation"]["title"] for _ in others]
            assert titles == [other.title for other in others]
        assert visits == []
        assert 1 <= len(statements) <= CHANGES  # and not SOCKETS × CHANGES


async def test_change_during_a_query_is_read_again(socket_of, alice, conversation, monkeypatch):
    gate, reading = threading.Event(), threading.Event()
    read = conversation_updates._read

    def read_slowly(user, ids):
        rows = read(user, ids)
        reading.set()
        assert gate.wait(GATE_TIMEOUT)
        return rows

    monkeypatch.setattr(conversation_updates, "_read", read_slowly)
    async with socket_of(alice, path=UPDATES) as one, socket_of(alice, path=UPDATES) as other:
        await broadcast.notify_user(alice.pk, conversation.pk)
        await wait_until(reading.is_set)
        await Conversation.objects.filter(pk=conversation.pk).aupdate(title="Renamed")
        await broadcast.notify_user(alice.pk, conversation.pk)
        gate.set()
        for socket in (one, other):
            titles = [(await socket.receive_event("conversation.changed"))["conversation"]["title"] for _ in range(2)]
            assert titles == [conversation.title, "Renamed"]


async def test_updates_continue_after_a_query_failed(socket_of, alice, conversation, monkeypatch):
    def fail(user, ids):
        raise ValueError

    with monkeypatch.context() as patch:
        patch.setattr(conversation_updates, "_read", fail)
        with pytest.raises(ValueError):
            await conversation_updates.updates.get().read(alice, str(conversation.pk))
    assert str(conversation.pk) in await conversation_updates.updates.get().read(alice, str(conversation.pk))


async def test_updates_are_only_about_the_users_own_conversations(alice, charlie, conversation):
    temporary = await Conversation.objects.acreate(owner=alice, is_temporary=True)
    read = conversation_updates.updates.get().read
    assert await read(charlie, str(conversation.pk)) is None
    assert await read(alice, str(temporary.pk)) is None


async def test_run_of_another_tab_is_announced_with_the_ids_of_its_rows(socket_of, ask, alice, words):
    run = await ask(words)
    await wait_for_run(run)
    async with socket_of(alice, run.conversation) as socket:
        again = await run.message.regenerate()
        await broadcast.announce_run(again)
        announced = await socket.receive_event("run.created")
        assert (announced["run_id"], announced["reply_id"]) == (str(again.pk), str(again.message_id))
        assert announced["message_id"] == str(run.message.parent_id)
        await again.adelete()
