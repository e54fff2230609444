"""Readers of a run that another process writes: what they get, when, and what their process asks the database.

The other process is played by the test, which writes its rows, and this one asks the database when the test says so.
"""

import threading

import pytest
from asgiref.sync import sync_to_async
from django.db import OperationalError, transaction
from django.db.backends.utils import CursorWrapper

from chat import events
from chat.engine import recovery, remote_logs
from chat.models import Conversation, Run, RunEvent
from tests.engine.other_process import assert_same
from tests.waiting import wait_until


async def test_reader_gets_each_event_once_from_any_position(here, started, read):
    other = await started("abc")
    readers = [await read(other, after) for after in (3, 0, 5, 1, 4, 2)]
    await other.write(other.deltas("de"))
    await here.remote_logs.fill()
    readers += [await read(other, after) for after in range(8)]
    await other.write(other.deltas("f"))
    await other.finish(other.deltas("g"))
    await here.remote_logs.fill()
    for reader in readers:
        await reader.ended()
        assert_same(reader, other)
    assert readers[1].text == "abcdefg"
    assert here.remote_logs.logs == {}


async def test_reader_that_comes_around_the_end_reads_the_same(here, started, read):
    other = await started("abc")
    early = await read(other)
    await other.finish()
    late = [await read(other, after) for after in range(len(other.written))]  # the log does not know of the end yet
    await here.remote_logs.fill()
    for reader in (early, *late, *[await read(other, after) for after in range(len(other.written))]):
        await reader.ended()
        assert_same(reader, other)


async def test_queued_run_is_followed_until_it_is_claimed_and_ends(here, queued, read):
    other = await queued()
    reader = await read(other)
    await here.remote_logs.fill()
    await other.claim()
    await here.remote_logs.fill()
    await other.write(other.opening + other.deltas("ab"))
    late = await read(other, run=await Run.objects.aget(pk=other.run.pk))
    await here.remote_logs.fill()
    assert len(here.remote_logs.logs) == 1
    await other.finish()
    await here.remote_logs.fill()
    for each in (reader, late):
        await each.ended()
        assert_same(each, other)


async def test_row_that_is_written_again_brings_only_what_is_new(here, started, read):
    other = await started()
    first = await read(other)
    await other.write(other.deltas("ab"))
    await here.remote_logs.fill()
    second = await read(other, 3)
    await other.write(other.deltas("abcd"), at=3)  # the answer to the commit was lost
    third = await read(other, 4)
    await here.remote_logs.fill()
    await other.write(other.deltas("abcd"), at=3)
    await here.remote_logs.fill()
    await other.finish()
    await here.remote_logs.fill()
    for reader in (first, second, third):
        await reader.ended()
        assert_same(reader, other)


async def test_numbers_that_jump_after_a_recovery_are_read_on(here, started, read):
    other = await started("abc")
    reader, ahead = await read(other), await read(other, after=99)
    await sync_to_async(recover)(other)
    await here.remote_logs.fill()
    await reader.ended()
    await ahead.ended()
    assert reader.text == "abc"
    assert reader.types[-2:] == ["TEXT_MESSAGE_END", "RUN_ERROR"]
    assert [seq for seq, _ in reader.seen[-2:]] == [5 + recovery.SEQ_GAP + 1, 5 + recovery.SEQ_GAP + 2]
    assert ahead.types == ["RUN_STARTED", "MESSAGES_SNAPSHOT", "RUN_ERROR"]
    assert ahead.seen[1][1].messages[-1]["content"] == "abc"


def recover(other):
    with transaction.atomic():
        assert recovery.interrupt(Run.objects.get(pk=other.run.pk), ("interrupted", "It was interrupted."))


@pytest.mark.parametrize("asks_between", [True, False])
async def test_reader_of_an_earlier_attempt_starts_over(here, started, read, asks_between):
    other = await started()
    reader = await read(other)
    await other.requeue()
    if asks_between:
        await here.remote_logs.fill()
    late = await read(other)
    await other.claim()
    await here.remote_logs.fill()
    await other.write(other.opening + other.deltas("new"))
    await wait_until(lambda: "MESSAGES_SNAPSHOT" in reader.types)
    await wait_until(lambda: len(here.remote_logs.logs) == 1)
    await here.remote_logs.fill()
    await other.finish()
    await here.remote_logs.fill()
    await reader.ended()
    await late.ended()
    assert reader.types[2:4] == ["RUN_STARTED", "MESSAGES_SNAPSHOT"]
    assert reader.text == "new"
    assert_same(late, other)


async def test_queued_run_that_was_begun_before_and_is_cancelled_ends(here, started, read):
    other = await started()
    reader = await read(other)
    await other.requeue()
    run = await Run.objects.aget(pk=other.run.pk)
    assert await sync_to_async(run.cancel_queued)()
    await here.remote_logs.fill()
    await reader.ended()
    assert reader.types[-1] == "RUN_FINISHED"
    assert reader.seen[-1][0] == 2


async def test_run_that_this_process_claims_is_read_here_at_once(here, queued, read, script):
    assistant = await script("here", events.Text("mine"), events.Finish("stop"))
    other = await queued()
    await Run.objects.filter(pk=other.run.pk).aupdate(assistant=assistant, model=assistant.model)
    reader = await read(other)
    run = await Run.objects.select_related("conversation", "assistant").aget(pk=other.run.pk)
    here.dispatch.on_beat([run])
    assert here.remote_logs.logs == {}
    await reader.ended()
    assert reader.text == "mine"
    assert [seq for seq, _ in reader.seen] == [1, 2, 3, 4, 5]


async def test_reader_of_a_deleted_run_leaves(here, started, read):
    other = await started("abc")
    reader = await read(other)
    await Conversation.objects.all().adelete()
    await here.remote_logs.fill()
    await reader.ended()
    assert reader.types[-1] == "TEXT_MESSAGE_CONTENT"


async def test_readers_wait_for_an_unavailable_database_and_get_keepalives(here, started, read, monkeypatch):
    other = await started("abc")
    reader, ahead = await read(other), await read(other, after=50)
    await other.write(other.deltas("d"))

    def fail(self, sql, params=None):
        raise OperationalError("the database is unavailable")

    with monkeypatch.context() as patch:
        patch.setattr(CursorWrapper, "execute", fail)
        with pytest.raises(OperationalError):
            await here.remote_logs.fill()
        (open_log,) = here._logs()
        open_log.wake_if_quiet()
        open_log.wake_if_quiet()
        await wait_until(lambda: reader.pauses == [5] and ahead.pauses == [50])
    await other.finish()
    await here.remote_logs.fill()
    await reader.ended()
    assert_same(reader, other)


async def test_query_goes_on_after_a_failure(here, started, read, monkeypatch):
    monkeypatch.setattr(remote_logs, "POLL_INTERVAL", 0.01)
    monkeypatch.setattr(remote_logs, "RETRY_DELAY", 0.01)
    failures = iter([OperationalError("gone"), OSError("gone")])
    read_many = RunEvent.objects.read_many

    def failing(positions, reach):
        for failure in failures:
            raise failure
        return read_many(positions, reach)

    monkeypatch.setattr(RunEvent.objects, "read_many", failing)
    other = await started("abc")
    reader = await read(other)
    await other.finish()
    await reader.ended()
    assert_same(reader, other)
    assert next(failures, None) is None
    await wait_until(lambda: here.remote_logs._filling is None)


async def test_events_that_cannot_be_read_stop_nobody_else(here, started, read):
    strange, other = await started("abc"), await started("abc")
    reader, unlucky = await read(other), await read(strange)
    await RunEvent.objects.acreate(run=strange.run, seq=6, data='[{"type": "FROM_THE_FUTURE"}]')
    await other.finish()
    await here.remote_logs.fill()
    await reader.ended()
    assert_same(reader, other)
    with pytest.raises(KeyError):
        await unlucky.ended()


async def test_one_statement_reads_for_all_readers_of_all_runs(here, started, read, monkeypatch):
    others = [await started("abc") for _ in range(3)]
    readers = [await read(other, after) for other in others for after in range(10)]
    execute, statements = CursorWrapper.execute, []

    def note(self, sql, params=None):
        statements.append((threading.current_thread().name, sql))
        return execute(self, sql, params)

    for other in others:
        await other.write(other.deltas("de"))
    with monkeypatch.context() as patch:
        patch.setattr(CursorWrapper, "execute", note)
        await here.remote_logs.fill()
        await wait_until(lambda: all(reader.text.endswith("e") for reader in readers if reader.after < 7))
    assert [name.partition("_")[0] for name, _ in statements] == ["remote-logs"]
    for other in others:
        await other.finish()
    with monkeypatch.context() as patch:
        patch.setattr(CursorWrapper, "execute", note)
        statements.clear()
        await here.remote_logs.fill()
        for reader in readers:
            if reader.after < 8:
                await reader.ended()
    assert [name.partition("_")[0] for name, _ in statements if "chat_runevent" in _].count("remote-logs") == 1
