"""What becomes of the runs of a process that died."""

import uuid

import pytest
from asgiref.sync import sync_to_async
from django.utils import timezone

from chat import engine
from chat.engine import journal
from chat.events import Finish, RunStarted, Text, TextMessageContent, TextMessageStart, fold
from chat.models import Run, RunEvent, Worker

from . import scripted
from .conftest import journaled, over, until


@pytest.fixture(autouse=True)
def fast(monkeypatch):
    monkeypatch.setattr(journal.Pulse, "BEAT", 0.03)
    monkeypatch.setattr(journal, "ADOPT_AFTER", 0)


@pytest.fixture
def orphan(alice, script):
    """A run whose process died after these deltas; its reader may have seen more."""

    async def leave(*deltas, attempts=1):
        from chat.models import Conversation

        assistant = await script("again", Text("second try"), Finish("stop"))
        conversation = await Conversation.objects.acreate(owner=alice, assistant=assistant)
        run = await conversation.ask("Hi")
        dead = await Worker.objects.acreate(pk=uuid.uuid4(), beat=5)
        await Run.objects.filter(pk=run.pk).aupdate(status="in_progress", worker_id=dead.pk, attempts=attempts)
        reply = str(run.message_id)
        log = [RunStarted(str(conversation.pk), str(run.pk)), TextMessageStart(reply)]
        log += [TextMessageContent(reply, delta) for delta in deltas]
        await sync_to_async(RunEvent.write)(run.pk, log[:2], after=0)
        if deltas:
            await sync_to_async(RunEvent.write)(run.pk, log[2:], after=2)
        await run.arefresh_from_db()
        return run

    return leave


async def test_the_answer_so_far_is_kept_and_marked_interrupted(orphan):
    run = await orphan("half ", "an answer")
    seen = await over(run)
    assert (run.status, run.error_code, run.worker_id) == ("interrupted", "interrupted", None)
    assert [event.type for _, event in seen[-2:]] == ["TEXT_MESSAGE_END", "RUN_ERROR"]
    assert [seq for seq, _ in seen][-1] == run.last_seq
    message = await run.conversation.messages.aget(run=run)
    assert message.parts == fold(event for _, event in seen) == [{"type": "text", "text": "half an answer"}]


async def test_a_reader_that_saw_what_was_lost_gets_what_is_stored(orphan):
    run = await orphan("half ", "an answer")  # seq 1 to 4; whoever is further saw events that were never journaled
    numbers = [seq for seq, _ in await over(run)]
    for position in (5, 6, 7, 50):
        seen = [(seq, event) async for seq, event in engine.follow(run, position) if event]
        assert [event.type for _, event in seen] == ["RUN_STARTED", "MESSAGES_SNAPSHOT", "RUN_ERROR"]
        assert seen[1][1].messages[-1]["content"] == "half an answer"
        assert seen[-1][0] == run.last_seq
    assert [event.type async for _, event in engine.follow(run, 4) if event] == ["TEXT_MESSAGE_END", "RUN_ERROR"]
    assert min(seq for seq in numbers if seq > 4) > journal.LOST


async def test_a_process_that_is_gone_is_forgotten(orphan):
    dead = (await orphan("half")).worker_id
    engine.here()
    await until(lambda: Worker.objects.exclude(pk=dead).aexists())

    async def forgotten():
        return not await Worker.objects.filter(pk=dead).aexists()

    await until(forgotten)


async def test_a_run_that_had_shown_nothing_is_begun_again(orphan):
    run = await orphan()
    await over(run)
    assert (run.status, run.attempts) == ("completed", 2)
    assert [seq for seq, _ in await over(run)] == list(range(1, 6))
    assert len(scripted.asked) == 1


async def test_a_reader_of_the_lost_attempt_starts_over(orphan):
    run = await orphan()
    ahead = [(seq, event) async for seq, event in engine.follow(run, after=4) if event]
    assert [event.type for _, event in ahead[:2]] == ["RUN_STARTED", "MESSAGES_SNAPSHOT"]
    text = "".join(getattr(event, "delta", "") for _, event in ahead) or ahead[1][1].messages[-1]["content"]
    assert text == "second try"
    assert ahead[-1][1].type == "RUN_FINISHED"


async def test_a_run_that_takes_its_process_down_is_not_begun_for_ever(orphan):
    run = await orphan(attempts=journal.MAX_ATTEMPTS)
    await over(run)
    assert run.status == "interrupted"
    assert scripted.asked == []


async def test_a_stop_that_the_dead_process_did_not_hear_is_still_a_stop(orphan):
    run = await orphan("half")
    await Run.objects.filter(pk=run.pk).aupdate(cancel_requested=True)
    await over(run)
    assert (run.status, run.error) == ("cancelled", None)


async def test_a_process_that_beats_keeps_its_runs(orphan):
    run = await orphan("half")
    beats = 0

    async def beat():
        nonlocal beats
        beats += 1
        await Worker.objects.filter(pk=run.worker_id).aupdate(beat=100 + beats)
        return engine.here().pulse.seen.get(run.worker_id, (0, 0))[0] > 105

    await until(beat)
    await run.arefresh_from_db()
    assert run.status == "in_progress"


async def test_a_queued_run_that_nobody_begins_is_taken_on(alice, script):
    from chat.models import Conversation

    conversation = await Conversation.objects.acreate(
        owner=alice, assistant=await script("left", Text("late but here"), Finish("stop"))
    )
    run = await conversation.ask("Hi")
    engine.here()
    await until(lambda: Run.objects.filter(pk=run.pk, status="completed").aexists())
    assert len(scripted.asked) == 1


async def test_the_events_of_runs_that_ended_long_ago_are_let_go(finished_run):
    old, recent = await finished_run("long ago"), await finished_run("just now")
    await Run.objects.filter(pk=old.pk).aupdate(finished_at=timezone.now() - journal.KEEP)
    assert await sync_to_async(journal.prune)() == 1
    assert not await RunEvent.objects.filter(run=old).aexists()
    assert len(await journaled(run=recent)) == recent.last_seq
    assert [event.type for _, event in await over(old)] == ["RUN_STARTED", "MESSAGES_SNAPSHOT", "RUN_FINISHED"]
