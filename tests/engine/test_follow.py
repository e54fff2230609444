"""Reading a run from any position, while it is in progress and after it."""

import asyncio
import threading
from copy import copy
from types import SimpleNamespace

import pytest
from django.db import OperationalError
from django.db.backends.utils import CursorWrapper

from chat import engine
from chat.engine import log
from chat.events import Finish, Text, fold, text_of
from chat.models import Run, RunEvent
from tests.rows import stored_events
from tests.waiting import ENGINE_THREADS, count_turns, hang_timeout, wait_for_run, wait_until


async def types(run, after=0):
    return [event.type async for _, event in engine.follow(run, after) if event]


async def test_follow_continues_after_the_last_seen_event(finished_run):
    run = await finished_run("one two three")
    assert await types(run, after=5) == ["TEXT_MESSAGE_END", "RUN_FINISHED"]


async def test_follow_continues_after_any_stored_event(script, ask):
    gate = asyncio.Event()
    run = await ask(await script("slow", *map(Text, "abc"), gate.wait, *map(Text, "de"), Finish("stop")))
    await wait_until(stored_events)  # the first rows; what follows has rows of its own
    gate.set()
    await wait_for_run(run)
    log = await stored_events()
    assert await RunEvent.objects.acount() > 1
    for after in range(run.last_seq):
        rest = [(seq, event) async for seq, event in engine.follow(run, after) if event]
        assert [event.type for _, event in rest if not hasattr(event, "delta")] == [
            event.type for _, event in log[after:] if not hasattr(event, "delta")
        ]
        assert "".join(getattr(event, "delta", "") for _, event in rest) == "abcde"[max(0, after - 2) :]
        assert {seq for seq, _ in rest} <= set(range(after + 1, run.last_seq + 1))


@pytest.mark.parametrize("after", [3, 99])
@pytest.mark.parametrize("failing", range(5))
async def test_follow_waits_for_an_unavailable_database(finished_run, monkeypatch, after, failing):
    run = await finished_run("one two three")
    expected = [(seq, event) async for seq, event in engine.follow(run, after) if event]
    monkeypatch.setattr(log, "OUTAGE_DELAY", 0.01)
    execute, failed = CursorWrapper.execute, []

    def fail_one(self, sql, params=None):
        if not threading.current_thread().name.startswith(ENGINE_THREADS):
            failed.append(len(failed) == failing)
            if failed[-1]:
                raise OperationalError("the database is unavailable")
        return execute(self, sql, params)

    with monkeypatch.context() as patch:
        patch.setattr(CursorWrapper, "execute", fail_one)
        seen = [(seq, event) async for seq, event in engine.follow(run, after)]
    assert any(failed) is ((after, None) in seen)
    assert [(seq, event) for seq, event in seen if event] == expected


async def test_reader_of_an_earlier_attempt_starts_over_as_the_run_ends(finished_run, monkeypatch):
    run = await finished_run("one two three")
    await Run.objects.filter(pk=run.pk).aupdate(attempts=2)
    earlier = copy(run)
    await run.arefresh_from_db()
    ended = log.Log()
    for _, event in await stored_events():
        ended.append(event)
    ended.end()
    with monkeypatch.context() as patch:
        patch.setitem(engine.current().live, run.pk, SimpleNamespace(run=run, log=ended))  # about to be removed
        assert await types(earlier, after=4) == ["RUN_STARTED", "MESSAGES_SNAPSHOT", "RUN_FINISHED"]


async def test_follow_joins_deltas_that_wait_for_a_slow_reader(finished_run):
    run = await finished_run("one two three")
    deltas = [(seq, event.delta) async for seq, event in engine.follow(run) if hasattr(event, "delta")]
    assert deltas == [(5, "one two three")]


async def test_replay_of_a_long_answer_lets_other_tasks_run(script, ask):
    gate, deltas, seen = asyncio.Event(), 20_000, []
    run = await ask(await script("slow", *[Text("a")] * deltas, gate.wait, Finish("stop")))
    await wait_until(lambda: len(engine.current().live[run.pk].log) > deltas)
    async with count_turns() as turns:
        async for _, event in engine.follow(run):
            seen.append(getattr(event, "delta", ""))
            if sum(map(len, seen)) == deltas:
                break
    assert len(turns) >= deltas / log.MAX_EVENTS_PER_TURN - 1
    assert max(map(len, seen)) <= log.MAX_EVENTS_PER_TURN
    gate.set()
    await wait_for_run(run)


async def test_follow_yields_each_new_event_until_the_run_ends(script, ask):
    gate = asyncio.Event()
    run = await ask(await script("slow", Text("one"), gate.wait, Text(" two"), Finish("stop")))
    seen = []
    async with hang_timeout():
        async for seq, event in engine.follow(run):
            if event:
                seen.append((seq, event.type))
            if event and event.type == "TEXT_MESSAGE_CONTENT":
                gate.set()
    assert [seq for seq, _ in seen] == list(range(1, 7))
    assert seen[-1][1] == "RUN_FINISHED"


async def test_followers_read_the_same_from_different_positions(script, ask):
    gate = asyncio.Event()
    run = await ask(await script("slow", Text("one"), Text(" two"), gate.wait, Text(" three"), Finish("stop")))
    async with hang_timeout():
        async for seq, _ in engine.follow(run):
            if seq == 4:
                break
    complete, rest = asyncio.create_task(wait_for_run(run)), asyncio.create_task(types(run, after=4))
    gate.set()
    assert text_of(fold(event for _, event in await complete)) == "one two three"
    assert await rest == ["TEXT_MESSAGE_CONTENT", "TEXT_MESSAGE_END", "RUN_FINISHED"]


async def test_position_beyond_the_log_gets_a_snapshot_and_the_end(finished_run):
    run = await finished_run("one two three")
    seen = [(seq, event) async for seq, event in engine.follow(run, 99) if event]
    assert [(seq, event.type) for seq, event in seen] == [
        (1, "RUN_STARTED"),
        (6, "MESSAGES_SNAPSHOT"),
        (7, "RUN_FINISHED"),
    ]
    assert [message["content"] for message in seen[1][1].messages] == ["Hi", "one two three"]


async def test_log_that_was_deleted_gets_a_snapshot_and_the_end(finished_run):
    run = await finished_run("one two three")
    await RunEvent.objects.filter(run=run).adelete()
    assert await types(run) == ["RUN_STARTED", "MESSAGES_SNAPSHOT", "RUN_FINISHED"]


async def test_position_beyond_a_live_log_starts_over(script, ask):
    gate = asyncio.Event()
    run = await ask(await script("slow", Text("one"), gate.wait, Finish("stop")))
    seen = []
    async with hang_timeout():
        async for seq, event in engine.follow(run, 50):
            if event:
                seen.append((seq, event.type))
                gate.set()
    assert seen[:3] == [(1, "RUN_STARTED"), (1, "MESSAGES_SNAPSHOT"), (2, "TEXT_MESSAGE_START")]
    assert seen[-1] == (5, "RUN_FINISHED")
