"""The journal writes every event of a run once, in groups."""

import asyncio
import uuid

import pytest

from chat import engine
from chat.engine import heartbeat, journal, log, runner
from chat.events import Finish, Text, ToolCallStart, fold
from chat.models import Message, RunEvent, ServerProcess
from tests.rows import stored_events
from tests.timeouts import HANG_TIMEOUT
from tests.waiting import hang_timeout, wait_for_run, wait_until


async def test_journal_holds_every_event_as_it_was_sent(script, ask):
    run = await ask(await script("plain", Text("a"), Text("b"), ToolCallStart("c", "t"), Finish("stop")))
    seen = await wait_for_run(run)
    stored = await stored_events(run=run)
    assert [seq for seq, _ in stored] == list(range(1, run.last_seq + 1))
    assert fold(event for _, event in seen) == (await Message.objects.aget(run=run)).parts
    assert fold(event for _, event in stored) == (await Message.objects.aget(run=run)).parts
    assert stored[-1] == seen[-1]


async def test_journal_retries_a_failed_commit_and_loses_nothing(script, ask, monkeypatch):
    monkeypatch.setattr(journal, "RETRY_DELAY", 0.01)
    failures = iter([OSError("disk full")] * 3)
    append_many = RunEvent.objects.append_many

    def failing(rows, process_id):
        for failure in failures:
            raise failure
        append_many(rows, process_id)

    monkeypatch.setattr(RunEvent.objects, "append_many", failing)
    run = await ask(await script("plain", Text("kept"), Finish("stop")))
    await wait_for_run(run)
    assert run.status == "completed"
    assert len(await stored_events(run=run)) == run.last_seq


@pytest.mark.parametrize("turns", range(6))
async def test_journal_ends_when_it_is_cancelled_while_it_wakes_up(turns, monkeypatch):
    monkeypatch.setattr(journal, "TICK_INTERVAL", 60)
    alone = journal.Journal(uuid.uuid4(), {})
    waiting = asyncio.create_task(alone._next_tick(asyncio.get_running_loop().time() + 60))
    await asyncio.sleep(0)
    alone.wake()
    await asyncio.sleep(0)
    alone.wake()
    for _ in range(turns):
        await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting], timeout=HANG_TIMEOUT)
    assert waiting.cancelled()


@pytest.mark.parametrize(
    ("took", "rows", "seconds"),
    [(0.002, 1, 0.1), (0.002, 40, 0.1), (0.002, 100, 0.25), (0.002, 1000, 0.5), (0.1, 10, 0.4), (2, 10, 0.5)],
)
def test_journal_pause_grows_with_the_rows(took, rows, seconds):
    assert journal.pause(took, rows, journal.MAX_ROWS_PER_SECOND) == pytest.approx(seconds)


async def test_journal_pauses_less_while_other_processes_live(script, ask, monkeypatch):
    monkeypatch.setattr(heartbeat, "HEARTBEAT_INTERVAL", 0.05)
    current = engine.current()
    await wait_until(lambda: ServerProcess.objects.filter(pk=current.process_id).aexists())
    assert current.journal.max_rows_per_second == journal.MAX_ROWS_PER_SECOND
    other = await ServerProcess.objects.acreate(pk=uuid.uuid4())
    await wait_until(lambda: current.journal.max_rows_per_second > journal.MAX_ROWS_PER_SECOND)
    monkeypatch.setattr(heartbeat, "OUTAGE_GRACE", 0)
    await wait_until(lambda: current.journal.max_rows_per_second == journal.MAX_ROWS_PER_SECOND)
    assert other.pk not in current.heartbeat.peers or current.heartbeat.peers[other.pk].missed


async def test_journal_serves_followers_in_another_process(script, ask):
    gate = asyncio.Event()
    run = await ask(await script("gated", Text("one"), gate.wait, Text(" two"), Finish("stop")))
    elsewhere, seen = runner.Engine(), []
    async with hang_timeout():
        async for seq, event in log.follow(elsewhere, run):
            if event:
                seen.append((seq, event))
            if getattr(event, "delta", "") == "one":
                gate.set()
    await elsewhere.shut_down()
    await run.arefresh_from_db()
    assert seen[-1][0] == run.last_seq
    assert fold(event for _, event in seen) == [{"type": "text", "text": "one two"}]
