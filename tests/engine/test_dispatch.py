"""Who executes a run: the process that accepted it, none that only accepts, or any that takes from the queue."""

import asyncio
import dataclasses
import uuid

import pytest
from asgiref.sync import sync_to_async
from django.db import connection, connections, transaction

from chat.engine import heartbeat, queue_dispatch, runner, wakeup_listener
from chat.events import Finish, Text
from chat.models import Conversation, Run, ServerProcess, wakeups
from tests import scripted
from tests.waiting import wait_for_run, wait_until

NEVER = 3600  # seconds
needs_wakeups = pytest.mark.skipif(
    not connections.settings["default"]["ENGINE"].endswith("postgresql"), reason="SQLite has no NOTIFY"
)


@pytest.fixture
async def process(transactional_db, monkeypatch):
    """`process("worker")`: a process of this kind. Heartbeats come every 0.05 s."""
    monkeypatch.setattr(heartbeat, "HEARTBEAT_INTERVAL", 0.05)
    monkeypatch.setattr(heartbeat, "ADOPT_DELAY", -1)  # a queued run may be taken on at once
    engines = []

    def start(kind):
        engines.append(runner.Engine(gives_titles=False, runner=kind))
        return engines[-1]

    yield start
    for each in engines:
        if each.tasks:  # the test has not shut it down
            await each.shut_down()


@pytest.fixture
def queued(alice):
    """`await queued(assistant)`: a run in a new conversation of Alice's that no process has been told of."""

    async def make(assistant, owner=alice):
        conversation = await Conversation.objects.acreate(owner=owner, assistant=assistant)
        return await conversation.ask("Hi")

    return make


@pytest.fixture
async def gated(script):
    """An assistant whose replies wait for `gate`."""
    gate = asyncio.Event()
    assistant = await script("gated", gate.wait, Text("done"), Finish("stop"))
    assistant.gate = gate
    yield assistant
    gate.set()


async def beats(each, count=3):
    """Waits until a process has sent so many more heartbeats."""
    start = (await ServerProcess.objects.aget(pk=each.process_id)).beat
    await wait_until(lambda: ServerProcess.objects.filter(pk=each.process_id, beat__gte=start + count).aexists())


async def has_beaten(each):
    await wait_until(lambda: ServerProcess.objects.filter(pk=each.process_id).aexists())
    await beats(each)


def statuses():
    return sync_to_async(lambda: sorted(Run.objects.values_list("status", flat=True)))()


# Web processes


async def test_web_process_executes_nothing(process, queued, words):
    web = process("web")
    run = await queued(words)
    await web.start(run)
    await has_beaten(web)
    assert await statuses() == ["queued"]
    assert (web.live, web.dispatch.waiting_count) == ({}, 0)


async def test_web_process_cancels_what_is_queued(process, queued, words):
    web = process("web")
    run = await queued(words)
    await web.start(run)
    await web.cancel(run)
    assert await statuses() == ["cancelled"]


async def test_web_process_recovers_the_runs_of_a_dead_worker(process, queued, words, monkeypatch):
    monkeypatch.setattr(heartbeat, "OUTAGE_GRACE", 1)
    run = await queued(words)
    await Run.objects.filter(pk=run.pk).aupdate(status="in_progress", process_id=uuid.uuid4(), attempts=1)
    process("web")
    await wait_until(lambda: Run.objects.filter(pk=run.pk, status="queued", process_id=None).aexists())


# Workers


async def test_worker_takes_what_another_process_accepted(process, queued, words):
    web = process("web")
    run = await queued(words)
    await web.start(run)
    worker = process("worker")
    await wait_for_run(run)
    assert (run.status, run.attempts) == ("completed", 1)
    await wait_until(lambda: not worker.live)


async def test_web_process_that_takes_from_the_queue_too_executes_its_runs(process, queued, words):
    both = process("both")
    run = await queued(words)
    await both.start(run)
    await wait_for_run(run)
    assert run.status == "completed"


async def test_two_workers_execute_each_run_once(process, queued, script):
    assistant = await script("quick", Text("done"), Finish("stop"))
    runs = [await queued(assistant) for _ in range(20)]
    workers = [process("worker"), process("worker")]
    for run in runs:
        await wait_for_run(run)
        assert (run.status, run.attempts) == ("completed", 1)
    assert len(scripted.requests) == 20
    await wait_until(lambda: not any(worker.live for worker in workers))


async def test_worker_leaves_what_it_has_no_slot_for_to_others(process, queued, gated, settings):
    settings.MAX_RUNS = 2
    for _ in range(3):
        await queued(gated)
    worker = process("worker")
    await has_beaten(worker)
    assert await statuses() == ["in_progress", "in_progress", "queued"]
    assert len(worker.live) == 2
    other = process("worker")
    await wait_until(lambda: Run.objects.filter(process_id=other.process_id).aexists())
    assert await statuses() == ["in_progress"] * 3


async def test_worker_takes_the_next_run_when_another_process_was_faster(process, queued, words, settings, monkeypatch):
    settings.MAX_RUNS = 1
    monkeypatch.setattr(heartbeat, "HEARTBEAT_INTERVAL", NEVER)
    claim, taken = Run.claim, []

    def claim_too_late(self, process_id):
        if not taken:
            taken.append(self.pk)
            Run.objects.filter(pk=self.pk).update(status="in_progress", process_id=uuid.uuid4())
        return claim(self, process_id)

    monkeypatch.setattr(Run, "claim", claim_too_late)
    runs = [await queued(words) for _ in range(2)]
    process("worker")
    await wait_until(lambda: taken)
    (other,) = (run for run in runs if run.pk not in taken)
    await wait_until(Run.objects.filter(pk=other.pk, status="completed").aexists)  # there is no other process


async def test_worker_takes_the_next_run_when_one_ends(process, queued, script, settings, monkeypatch):
    settings.MAX_RUNS = 1
    gate = asyncio.Event()
    assistant = await script("gated", gate.wait, Text("done"), Finish("stop"))
    runs = [await queued(assistant) for _ in range(3)]
    worker = process("worker")
    await has_beaten(worker)
    monkeypatch.setattr(queue_dispatch.QueueDispatch, "on_beat", lambda self, unclaimed: None)
    gate.set()
    for run in runs:
        await wait_for_run(run)
        assert run.status == "completed"


async def test_user_with_all_their_slots_keeps_no_other_user_waiting(process, queued, gated, bob, settings):
    settings.MAX_RUNS_PER_USER, settings.MAX_RUNS = 1, 3
    for _ in range(5):
        await queued(gated)
    last = await queued(gated, bob)
    worker = process("worker")
    await wait_until(lambda: Run.objects.filter(pk=last.pk, status="in_progress").aexists())
    await beats(worker)
    assert await statuses() == ["in_progress"] * 2 + ["queued"] * 4


async def test_queued_question_waits_for_the_answer_before_it(process, queued, gated):
    first = await queued(gated)
    second = await first.conversation.ask("And?")
    worker = process("worker")
    await has_beaten(worker)
    assert await statuses() == ["in_progress", "queued"]
    gated.gate.set()
    await wait_for_run(second)
    texts = [parts[0]["text"] for _, parts in scripted.requests[-1].turns]
    assert texts == ["Hi", "done", "And?"]


async def test_worker_that_shuts_down_takes_nothing(process, queued, words):
    worker = process("worker")
    await has_beaten(worker)
    worker.begin_shutdown()
    await queued(words)
    await beats(worker)
    assert await statuses() == ["queued"]


async def test_worker_survives_a_queue_that_cannot_be_read(process, queued, words, monkeypatch, caplog):
    read, failures = queue_dispatch._oldest_queued, iter([OSError("gone")])

    def failing(*args):
        for failure in failures:
            raise failure
        return read(*args)

    monkeypatch.setattr(queue_dispatch, "_oldest_queued", failing)
    process("worker")
    run = await queued(words)
    await wait_for_run(run)
    assert run.status == "completed"
    assert "The queue could not be read" in caplog.text


async def test_run_that_was_started_meanwhile_is_not_claimed(queued, words):
    """It has been started and queued again since it was read, so that its attempts are not what they were."""
    run = await queued(words)
    await Run.objects.filter(pk=run.pk).aupdate(attempts=1)
    assert not await sync_to_async(run.claim)(uuid.uuid4())
    await run.arefresh_from_db()
    run = await Run.objects.select_related("message").aget(pk=run.pk)
    assert await sync_to_async(run.claim)(uuid.uuid4())
    assert run.attempts == 2


# Wake-ups


@pytest.fixture
def heard(monkeypatch):
    """The channels that the processes of the test listen to, one entry for each connection."""
    connected, listen = [], wakeup_listener.Listener._listen

    async def note(self):
        on_connect = self.on_connect
        self.on_connect = lambda: (connected.append(self), on_connect())
        try:
            await listen(self)
        finally:
            self.on_connect = on_connect

    monkeypatch.setattr(wakeup_listener.Listener, "_listen", note)
    return connected


@pytest.fixture
async def asleep(process, heard, monkeypatch, settings):
    """`await asleep("worker")`: a process that listens, and whose heartbeats find nothing from now on."""
    settings.RUNNER = "web"

    async def start(kind):
        each = process(kind)
        await wait_until(lambda: heard)
        beat = each.heartbeat.beat
        finding_nothing = {"to_stop": set(), "unclaimed": []}
        monkeypatch.setattr(each.heartbeat, "beat", lambda limit: dataclasses.replace(beat(limit), **finding_nothing))
        monkeypatch.setattr(each.dispatch, "on_beat", lambda unclaimed: None)
        return each

    return start


@needs_wakeups
async def test_queued_run_wakes_a_worker(asleep, queued, words):
    await asleep("worker")
    run = await queued(words)
    await wait_for_run(run)
    assert run.status == "completed"


@needs_wakeups
async def test_run_that_is_handed_back_wakes_a_worker(asleep, queued, words):
    await asleep("worker")
    run = await queued(words)
    await wait_for_run(run)
    await Run.objects.filter(pk=run.pk).aupdate(status="in_progress", process_id=uuid.uuid4(), attempts=1)
    await run.arefresh_from_db()
    assert await sync_to_async(transaction.atomic(run.requeue))(run.process_id)
    await wait_for_run(run)
    assert (run.status, run.attempts) == ("completed", 2)


@needs_wakeups
async def test_cancel_of_a_queued_run_wakes_a_worker_for_the_next(asleep, process, queued, words, monkeypatch):
    worker, web = await asleep("worker"), process("web")
    wakes = []
    monkeypatch.setattr(worker.dispatch, "on_run_queued", lambda: wakes.append("queued"))
    run = await queued(words)
    await wait_until(lambda: len(wakes) == 1)
    await web.cancel(run)
    await wait_until(lambda: len(wakes) == 2)


@needs_wakeups
async def test_transaction_that_fails_wakes_nobody(asleep, monkeypatch):
    worker = await asleep("worker")
    wakes = []
    monkeypatch.setattr(worker.dispatch, "on_run_queued", lambda: wakes.append("queued"))
    monkeypatch.setattr(
        worker.listener, "handlers", worker.listener.handlers | {wakeups.CANCEL_REQUESTED: wakes.append}
    )

    @sync_to_async
    def fail():
        with transaction.atomic():
            wakeups.notify_run_queued()
            raise OSError("later")

    with pytest.raises(OSError, match="later"):
        await fail()
    await sync_to_async(transaction.atomic(wakeups.notify_cancel_requested))("later")
    await wait_until(lambda: wakes)
    assert wakes == ["later"]


@needs_wakeups
@pytest.mark.parametrize("kind", ["worker", "embedded"])
async def test_cancel_wakes_the_process_of_the_run(kind, asleep, process, queued, gated):
    web = process("web")
    await has_beaten(web)
    owner = await asleep(kind)
    run = await queued(gated)
    if kind == "embedded":
        await owner.start(run)
    await wait_until(lambda: owner.live and next(iter(owner.live.values())).is_claimed)
    await web.cancel(run)
    await wait_for_run(run)
    assert run.status == "cancelled"


@needs_wakeups
async def test_single_embedded_process_listens_to_nobody_and_wakes_nobody(heard, process, queued, words):
    alone = process("embedded")
    run = await queued(words)
    await alone.start(run)
    await has_beaten(alone)
    assert alone.listener._task is None
    other = process("embedded")
    await wait_until(lambda: len(heard) == 2)
    await other.shut_down()
    await wait_until(lambda: alone.listener._task is None)


@needs_wakeups
async def test_connection_that_is_lost_is_made_again(asleep, heard, queued, words, monkeypatch):
    monkeypatch.setattr(wakeup_listener, "RETRY_DELAY", 0.01)
    await asleep("worker")

    @sync_to_async
    def cut():
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND query LIKE 'LISTEN%'"
            )
            return len(cursor.fetchall())

    assert await cut() == 1
    await wait_until(lambda: len(heard) == 2)
    run = await queued(words)
    await wait_for_run(run)
    assert run.status == "completed"
