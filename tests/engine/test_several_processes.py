"""What a process does about the runs of others, about its heartbeat, and when it shuts down."""

import asyncio

import pytest
from django.utils import timezone

from chat import engine
from chat.engine import heartbeat, runner
from chat.events import TERMINAL, Finish, Text
from chat.models import Run, RunEvent, ServerProcess
from tests import scripted
from tests.rows import stored_events
from tests.waiting import hang_timeout, wait_for_delta, wait_for_run, wait_until


async def test_process_that_is_considered_dead_writes_nothing_more(script, ask):
    gate = asyncio.Event()
    run = await ask(await script("gated", Text("a"), gate.wait, Text("b"), Finish("stop")))
    await wait_for_delta(run, "a")
    await Run.objects.filter(pk=run.pk).aupdate(
        status="interrupted", process_id=None, error_code="interrupted", finished_at=timezone.now(), last_seq=3
    )
    before = len(await stored_events(run=run))
    gate.set()
    seen = await wait_for_run(run)
    assert seen[-1][1].type == "RUN_ERROR"
    assert len(await stored_events(run=run)) <= max(before, 3)
    assert run.status == "interrupted"


async def test_process_stops_runs_that_were_taken_over(script, ask, monkeypatch):
    monkeypatch.setattr(heartbeat, "HEARTBEAT_INTERVAL", 0.05)
    run = await ask(await script("endless", Text("a"), asyncio.Event().wait))
    await wait_for_delta(run, "a")
    await Run.objects.filter(pk=run.pk).aupdate(
        status="interrupted", process_id=None, error_code="interrupted", finished_at=timezone.now(), last_seq=9
    )
    await wait_until(lambda: scripted.closed == ["endless"])


async def test_run_can_be_cancelled_by_another_process(script, ask, monkeypatch):
    monkeypatch.setattr(heartbeat, "HEARTBEAT_INTERVAL", 0.05)
    run = await ask(await script("endless", Text("a"), asyncio.Event().wait))
    await wait_for_delta(run, "a")
    await Run.objects.filter(pk=run.pk).aupdate(cancel_requested=True)
    await wait_for_run(run)
    assert run.status == "cancelled"


@pytest.mark.parametrize("is_queued_here", [False, True])
async def test_cancel_reaches_another_process(is_queued_here, script, ask, settings):
    run = await ask(await script("endless", Text("a"), asyncio.Event().wait))
    await wait_for_delta(run, "a")
    elsewhere = runner.Engine()
    if is_queued_here:
        settings.MAX_RUNS = 0
        await elsewhere.start(run)
    await elsewhere.cancel(run)
    await elsewhere.shut_down()
    await wait_for_run(run)
    assert run.status == "cancelled"


@pytest.mark.parametrize("is_elsewhere", [False, True])
async def test_cancel_ends_a_run_that_would_be_handed_back(is_elsewhere, script, ask, monkeypatch):
    monkeypatch.setattr(heartbeat, "HEARTBEAT_INTERVAL", 3600)
    is_stopping, gate = asyncio.Event(), asyncio.Event()

    async def reply():
        try:
            await asyncio.Event().wait()
        finally:
            is_stopping.set()
            await gate.wait()

    run = await ask(await script("silent", reply, Finish("stop")))
    await wait_until(lambda: scripted.requests)
    engine.current().live[run.pk].stop(Run.INTERRUPTED)  # as at shutdown
    async with hang_timeout():
        await is_stopping.wait()
    elsewhere = runner.Engine()
    await (elsewhere if is_elsewhere else engine).cancel(run)
    await elsewhere.shut_down()
    gate.set()
    seen = await wait_for_run(run)
    assert (run.status, run.error, run.attempts) == ("cancelled", None, 1)
    assert seen[-1][1].type == "RUN_FINISHED"


async def test_cancel_ends_a_run_that_was_handed_back_meanwhile(script, ask, monkeypatch):
    run = await ask(await script("silent", asyncio.Event().wait))
    await wait_until(lambda: Run.objects.filter(pk=run.pk, status="in_progress").aexists())
    request = Run.request_cancel

    def hand_back_first(self):
        Run.objects.filter(pk=run.pk).update(status="queued", process_id=None)
        return request(self)

    monkeypatch.setattr(Run, "request_cancel", hand_back_first)
    elsewhere = runner.Engine()
    await elsewhere.cancel(run)
    await elsewhere.shut_down()
    await wait_for_run(run)
    assert run.status == "cancelled"


async def test_shutdown_does_not_wait_for_code_that_catches_the_cancellation(script, ask, monkeypatch, caplog):
    released = asyncio.Event()

    async def wait_on():
        while not released.is_set():
            try:
                await released.wait()
            except asyncio.CancelledError:
                pass

    monkeypatch.setattr(runner, "STOP_TIMEOUT", 0.05)
    run = await ask(await script("stubborn", Text("a"), wait_on))
    await wait_for_delta(run, "a")
    async with hang_timeout():
        await engine.shut_down()
    assert "These tasks do not end" in caplog.text
    released.set()


async def test_shutdown_interrupts_runs_and_requeues_silent_ones(script, ask):
    speaking = await ask(await script("speaking", Text("a"), asyncio.Event().wait))
    silent = await ask(await script("silent", asyncio.Event().wait))
    await wait_for_delta(speaking, "a")
    await wait_until(lambda: Run.objects.filter(pk=silent.pk, status="in_progress").aexists())
    await engine.shut_down()
    await speaking.arefresh_from_db()
    await silent.arefresh_from_db()
    assert (speaking.status, speaking.error_code) == ("interrupted", "interrupted")
    assert (silent.status, silent.process_id) == ("queued", None)
    assert not await RunEvent.objects.filter(run=silent).aexists()


async def test_shutdown_releases_readers_without_a_terminal_event(script, ask):
    run = await ask(await script("endless", Text("a"), asyncio.Event().wait))
    await wait_for_delta(run, "a")
    seen = []

    async def read():
        async for _, event in engine.follow(run):
            seen.append(event)

    reader = asyncio.create_task(read())
    await wait_until(lambda: len(seen) >= 3)
    engine.current().begin_shutdown()
    async with hang_timeout():
        await reader
    assert not any(event and event.type in TERMINAL for event in seen)


async def test_heartbeat_survives_errors(script, ask, monkeypatch, caplog):
    monkeypatch.setattr(heartbeat, "HEARTBEAT_INTERVAL", 0.02)
    beat, failures = heartbeat.Heartbeat.beat, iter([OSError("gone"), OSError("gone")])

    def failing(self, adoption_limit):
        for failure in failures:
            raise failure
        return beat(self, adoption_limit)

    monkeypatch.setattr(heartbeat.Heartbeat, "beat", failing)
    engine.current()
    await wait_until(lambda: ServerProcess.objects.filter(beat__gte=1).aexists())
    assert caplog.text.count("The heartbeat failed") == 2
