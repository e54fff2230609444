"""What is over is deleted, and the process goes on meanwhile."""

import threading

from asgiref.sync import sync_to_async
from django.utils import timezone

from chat import engine
from chat.engine import heartbeat, retention, runner
from chat.models import Run, RunEvent, ServerProcess
from tests.rows import stored_events
from tests.timeouts import GATE_TIMEOUT
from tests.waiting import wait_for_run, wait_until


async def test_retention_deletes_the_events_of_old_runs(finished_run):
    old, recent = await finished_run("long ago"), await finished_run("just now")
    await Run.objects.filter(pk=old.pk).aupdate(finished_at=timezone.now() - retention.EVENT_RETENTION)
    assert await sync_to_async(retention.prune)() == 1
    assert not await RunEvent.objects.filter(run=old).aexists()
    assert len(await stored_events(run=recent)) == recent.last_seq
    assert [event.type for _, event in await wait_for_run(old)] == ["RUN_STARTED", "MESSAGES_SNAPSHOT", "RUN_FINISHED"]


async def test_retention_does_not_delay_the_beats_of_the_process(transactional_db, monkeypatch):
    may_end = threading.Event()
    began = threading.Event()

    def prune():
        began.set()
        may_end.wait(GATE_TIMEOUT)
        return 0

    monkeypatch.setattr(runner, "prune", prune)
    monkeypatch.setattr(heartbeat, "HEARTBEAT_INTERVAL", 0.02)
    process_id = engine.current().process_id
    await wait_until(began.is_set)

    async def has_beaten():
        row = await ServerProcess.objects.filter(pk=process_id).afirst()
        return row and row.beat > 3

    try:
        await wait_until(has_beaten)
    finally:
        may_end.set()
