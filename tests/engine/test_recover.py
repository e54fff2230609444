"""What becomes of the runs of a process that died."""

import asyncio
import threading
import uuid

import pytest
from django.db import connection, transaction

from chat import engine
from chat.engine import heartbeat, recovery
from chat.events import Finish, Text, fold
from chat.models import Conversation, Run, ServerProcess
from tests import scripted
from tests.timeouts import HANG_TIMEOUT
from tests.waiting import hang_timeout, wait_for_run, wait_until

locks_rows = pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite locks no rows")


async def test_recovery_keeps_the_text_and_marks_the_run_interrupted(orphan):
    run = await orphan("half ", "an answer")
    seen = await wait_for_run(run)
    assert (run.status, run.error_code, run.process_id) == ("interrupted", "interrupted", None)
    assert [event.type for _, event in seen[-2:]] == ["TEXT_MESSAGE_END", "RUN_ERROR"]
    assert [seq for seq, _ in seen][-1] == run.last_seq
    message = await run.conversation.messages.aget(run=run)
    assert message.parts == fold(event for _, event in seen) == [{"type": "text", "text": "half an answer"}]


async def test_reader_ahead_of_the_journal_gets_what_is_stored(orphan):
    run = await orphan("half ", "an answer")  # seq 1 to 4; later positions saw events that were never journaled
    numbers = [seq for seq, _ in await wait_for_run(run)]
    for position in (5, 6, 7, 50):
        seen = [(seq, event) async for seq, event in engine.follow(run, position) if event]
        assert [event.type for _, event in seen] == ["RUN_STARTED", "MESSAGES_SNAPSHOT", "RUN_ERROR"]
        assert seen[1][1].messages[-1]["content"] == "half an answer"
        assert seen[-1][0] == run.last_seq
    assert [event.type async for _, event in engine.follow(run, 4) if event] == ["TEXT_MESSAGE_END", "RUN_ERROR"]
    assert min(seq for seq in numbers if seq > 4) > recovery.SEQ_GAP


async def test_process_that_died_is_deleted(orphan):
    dead = (await orphan("half")).process_id
    engine.current()
    await wait_until(lambda: ServerProcess.objects.exclude(pk=dead).aexists())

    async def forgotten():
        return not await ServerProcess.objects.filter(pk=dead).aexists()

    await wait_until(forgotten)


async def test_recovery_restarts_a_run_that_had_shown_nothing(orphan):
    run = await orphan()
    await wait_for_run(run)
    assert (run.status, run.attempts) == ("completed", 2)
    assert [seq for seq, _ in await wait_for_run(run)] == list(range(1, 6))
    assert len(scripted.requests) == 1


async def test_reader_of_the_lost_attempt_starts_over(orphan):
    run = await orphan()
    ahead = [(seq, event) async for seq, event in engine.follow(run, after=4) if event]
    assert [event.type for _, event in ahead[:2]] == ["RUN_STARTED", "MESSAGES_SNAPSHOT"]
    text = "".join(getattr(event, "delta", "") for _, event in ahead) or ahead[1][1].messages[-1]["content"]
    assert text == "second try"
    assert ahead[-1][1].type == "RUN_FINISHED"


async def test_recovery_restarts_a_run_a_limited_number_of_times(orphan):
    run = await orphan(attempts=recovery.MAX_ATTEMPTS)
    await wait_for_run(run)
    assert run.status == "interrupted"
    assert scripted.requests == []


async def test_recovery_cancels_a_run_that_was_to_be_cancelled(orphan):
    run = await orphan("half")
    await Run.objects.filter(pk=run.pk).aupdate(cancel_requested=True)
    await wait_for_run(run)
    assert (run.status, run.error) == ("cancelled", None)


async def test_process_with_a_heartbeat_keeps_its_runs(orphan, monkeypatch):
    monkeypatch.setattr(heartbeat, "MAX_MISSED_BEATS", 10)  # of ours, in which a busy machine beats once for the other
    run = await orphan("half")
    beats = 0

    async def beat():
        nonlocal beats
        beats += 1
        await ServerProcess.objects.filter(pk=run.process_id).aupdate(beat=100 + beats)
        peer = engine.current().heartbeat.peers.get(run.process_id)
        return peer is not None and peer.count > 120

    await wait_until(beat)
    await run.arefresh_from_db()
    assert run.status == "in_progress"


async def test_queued_run_that_nobody_claims_is_adopted(alice, script):
    conversation = await Conversation.objects.acreate(
        owner=alice, assistant=await script("left", Text("late but here"), Finish("stop"))
    )
    run = await conversation.ask("Hi")
    engine.current()
    await wait_until(lambda: Run.objects.filter(pk=run.pk, status="completed").aexists())
    assert len(scripted.requests) == 1


def test_process_presumes_no_other_dead_after_its_own_outage(transactional_db, monkeypatch):
    ours = heartbeat.Heartbeat(uuid.uuid4())
    ServerProcess.objects.create(pk=uuid.uuid4(), beat=7)
    for _ in range(heartbeat.MAX_MISSED_BEATS + 2):
        ours.beat(0)
    assert len(ours.dead) == 1
    with monkeypatch.context() as away:
        away.setattr(Run.objects, "ready", lambda: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            ours.beat(0)
    for _ in range(heartbeat.OUTAGE_GRACE - 1):
        ours.beat(0)
        assert not ours.dead
    for _ in range(heartbeat.MAX_MISSED_BEATS + 1):
        ours.beat(0)
    assert len(ours.dead) == 1


def test_process_with_a_new_beat_keeps_its_runs(transactional_db, alice):
    conversation = Conversation.objects.create(owner=alice)
    message = conversation.messages.create(role="assistant")
    owner = ServerProcess.objects.create(pk=uuid.uuid4(), beat=8)
    run = Run.objects.create(
        conversation=conversation, message=message, model="x:y", status=Run.IN_PROGRESS, process_id=owner.pk
    )
    assert recovery.recover({owner.pk: 7}) == []
    run.refresh_from_db()
    assert run.status == Run.IN_PROGRESS
    recovery.recover({owner.pk: 8})
    run.refresh_from_db()
    assert run.status != Run.IN_PROGRESS


# Locks


@pytest.fixture
def left(alice, words):
    """`await left(process_id)`: a run that this process has begun, and of which it has shown nothing."""

    async def leave(process_id, attempts=1):
        conversation = await Conversation.objects.acreate(owner=alice, assistant=words)
        run = await conversation.ask("Hi")
        await Run.objects.filter(pk=run.pk).aupdate(status="in_progress", process_id=process_id, attempts=attempts)
        return run

    return leave


@pytest.fixture
async def dead(transactional_db, monkeypatch):
    monkeypatch.setattr(heartbeat, "HEARTBEAT_INTERVAL", 3600)
    return await ServerProcess.objects.acreate(pk=uuid.uuid4(), beat=5)


@locks_rows
async def test_locked_rows_are_left_to_the_next_recovery(left, dead):
    """A process that is frozen in a transaction holds locks; those who recover its runs do not wait for them."""
    run = await left(dead.pk)
    here = engine.current()
    for rows in (ServerProcess.objects.filter(pk=dead.pk), Run.objects.filter(pk=run.pk)):
        is_locked, is_over = threading.Event(), threading.Event()

        def hold(rows=rows, is_locked=is_locked, is_over=is_over):
            with transaction.atomic():
                list(rows.select_for_update())
                is_locked.set()
                is_over.wait(HANG_TIMEOUT)

        holding = asyncio.create_task(here.history_thread.run(hold))
        async with hang_timeout():
            await asyncio.to_thread(is_locked.wait, HANG_TIMEOUT)
            assert await here.run_in_database(recovery.recover, {dead.pk: 5}) == []
            is_over.set()
            await holding
        assert await Run.objects.filter(pk=run.pk, status="in_progress").aexists()
        assert await ServerProcess.objects.filter(pk=dead.pk).aexists()
    await here.run_in_database(recovery.recover, {dead.pk: 5})
    assert not await Run.objects.filter(pk=run.pk, process_id=dead.pk).aexists()
    assert not await ServerProcess.objects.filter(pk=dead.pk).aexists()


@locks_rows
async def test_server_ends_the_transaction_of_a_process_that_stands_still(transactional_db):
    def time_limit():
        with connection.cursor() as cursor:
            cursor.execute("SHOW idle_in_transaction_session_timeout")
            return cursor.fetchone()[0]

    assert await engine.current().run_in_database(time_limit) == "5s"


async def test_two_recoveries_at_once_settle_each_run_once(left, dead):
    runs = [await left(dead.pk, attempts=recovery.MAX_ATTEMPTS) for _ in range(10)]
    here = engine.current()
    ended = []
    while await Run.objects.filter(status="in_progress").aexists():
        threads = (here.database_thread, here.history_thread)
        for part in await asyncio.gather(*(thread.run(recovery.recover, {dead.pk: 5}) for thread in threads)):
            ended += part
    assert sorted(run.pk for run in ended) == sorted(run.pk for run in runs)
    for run in runs:
        seen = await wait_for_run(run)
        assert [event.type for _, event in seen] == ["RUN_STARTED", "RUN_ERROR"]
