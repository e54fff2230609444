"""The life of a run in one process: slots, order, cancel, and what is stored at the end."""

import asyncio
import threading

import pytest
from asgiref.sync import sync_to_async
from django.db import connection

from chat import engine
from chat.engine import heartbeat
from chat.events import TERMINAL, Finish, Reasoning, Text, Usage
from chat.models import Conversation, Message, Run, RunEvent, ServerProcess
from tests import scripted
from tests.assertions import without_seconds
from tests.waiting import wait_for_delta, wait_for_run, wait_until


async def test_run_is_stored_before_its_terminal_event(script, ask):
    run = await ask(await script("plain", Reasoning("hm"), Text("Hello"), Usage(3, 2, 5), Finish("stop")))
    async for _, event in engine.follow(run):
        if event and event.type in TERMINAL:
            stored = await Run.objects.select_related("message").aget(pk=run.pk)
            assert stored.status == "completed"
    assert without_seconds(stored.message.parts) == [
        {"type": "reasoning", "text": "hm"},
        {"type": "text", "text": "Hello"},
    ]
    assert stored.message.text == "Hello"
    assert stored.finish_reason == "stop"
    assert stored.total_usage == {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5}
    assert stored.created_at <= stored.started_at <= stored.first_token_at <= stored.finished_at
    assert stored.process_id is None


async def test_run_continues_without_followers(script, ask):
    gate = asyncio.Event()
    run = await ask(await script("slow", Text("one"), gate.wait, Text(" two"), Finish("stop")))
    await wait_for_delta(run, "one")
    gate.set()
    await wait_until(lambda: Run.objects.filter(pk=run.pk, status="completed").aexists())


async def test_cancel_closes_the_stream_and_keeps_the_text(script, ask):
    run = await ask(await script("endless", Text("so far"), asyncio.Event().wait))
    await wait_for_delta(run, "so far")
    await engine.cancel(run)
    seen = await wait_for_run(run)
    assert seen[-1][1].outcome == {"type": "cancelled"}
    assert (run.status, run.error) == ("cancelled", None)
    assert (await Message.objects.aget(run=run)).text == "so far"
    assert scripted.closed == ["endless"]
    await engine.cancel(run)
    await run.arefresh_from_db()
    assert run.status == "cancelled"


async def test_runs_over_the_user_limit_are_queued(script, ask, settings):
    settings.MAX_RUNS_PER_USER = 1
    gate = asyncio.Event()
    assistant = await script("gated", gate.wait, Text("done"), Finish("stop"))
    first, second, third = [await ask(assistant) for _ in range(3)]
    await wait_until(lambda: Run.objects.filter(pk=first.pk, status="in_progress").aexists())
    assert [run.status async for run in Run.objects.filter(pk__in=[second.pk, third.pk])] == ["queued", "queued"]
    await engine.cancel(third)
    gate.set()
    assert (await wait_for_run(second))[-1][1].type == "RUN_FINISHED"
    assert [event.type for _, event in await wait_for_run(third)] == ["RUN_STARTED", "RUN_FINISHED"]
    assert (first.status, second.status, third.status) == ("queued", "completed", "cancelled")
    assert [request.model for request in scripted.requests] == ["gated", "gated"]


async def test_runs_over_the_process_limit_are_queued(script, ask, settings):
    settings.MAX_RUNS = 1
    gate = asyncio.Event()
    assistant = await script("gated", gate.wait, Text("done"), Finish("stop"))
    runs = [await ask(assistant) for _ in range(3)]
    await wait_until(lambda: Run.objects.filter(status="in_progress").aexists())
    assert await Run.objects.filter(status="queued").acount() == 2
    gate.set()
    for run in runs:
        await wait_for_run(run)
        assert run.status == "completed"


async def test_question_waits_for_the_answer_before_it(script, ask):
    gate = asyncio.Event()
    assistant = await script("gated", gate.wait, Text("the answer"), Finish("stop"))
    first = await ask(assistant)
    second = await first.conversation.ask("And?")
    await engine.start(second)
    await wait_until(lambda: Run.objects.filter(pk=first.pk, status="in_progress").aexists())
    gate.set()
    await wait_for_run(second)
    assert second.status == "completed"
    texts = [parts[0]["text"] for _, parts in scripted.requests[-1].turns]
    assert texts == ["Hi", "the answer", "And?"]


@pytest.mark.parametrize("withdraws", [False, True])
async def test_question_waits_for_the_answers_before_a_cancelled_one(withdraws, script, ask):
    gate = asyncio.Event()
    assistant = await script("gated", Text("the answer"), gate.wait, Finish("stop"))
    first = await ask(assistant)
    second, third = [await first.conversation.ask(text) for text in ("Two", "Three")]
    await engine.start(second)
    blocked = engine.current().dispatch.blocked
    await wait_until(lambda: blocked.keys() == {second.pk})
    if withdraws:
        await second.message.parent.withdraw()
    await engine.cancel(second)
    await engine.start(third)
    await wait_until(lambda: blocked.keys() == {third.pk})
    gate.set()
    await wait_for_run(third)
    asked = [parts[0]["text"] for _, parts in scripted.requests[-1].turns]
    assert asked[:2] == ["Hi", "the answer"]
    assert len(scripted.requests) == 2


async def test_other_branch_waits_for_no_answer(script, ask):
    gate = asyncio.Event()
    gated = await script("gated", Text("the answer"), gate.wait, Finish("stop"))
    first = await ask(gated)
    await script("plain", Text("yes"), Finish("stop"))
    other = await first.conversation.ask("Hello", instead=first.message.parent, assistant="plain")
    following = await first.conversation.ask("And?", parent_id=other.message_id, assistant="plain")
    for run in (other, following):
        await engine.start(run)
    await wait_for_run(following)
    assert following.status == "completed"
    gate.set()


async def test_waiting_questions_cost_nothing_until_the_answer_before_them_ends(script, ask, monkeypatch):
    monkeypatch.setattr(heartbeat, "HEARTBEAT_INTERVAL", 0.01)
    monkeypatch.setattr(heartbeat, "ADOPT_DELAY", -1)  # a queued run may be taken on at once
    gate = asyncio.Event()
    gated = await script("gated", gate.wait, Text("the answer"), Finish("stop"))
    plain = await script("plain", Text("yes"), Finish("stop"))
    first = await ask(gated)
    waiting = [await first.conversation.ask(f"And {number}?", parent_id=first.message_id) for number in range(5)]
    for run in waiting:
        await engine.start(run)
    blocked = engine.current().dispatch.blocked
    await wait_until(lambda: blocked.keys() == {run.pk for run in waiting})
    claims = []
    claim = Run.claim
    monkeypatch.setattr(Run, "claim", lambda run, process_id: claims.append(run.pk) or claim(run, process_id))
    beats = (await ServerProcess.objects.aget()).beat
    other = await ask(plain)
    await wait_for_run(other)
    await wait_until(lambda: ServerProcess.objects.filter(beat__gt=beats + 3).aexists())
    assert claims == [other.pk]
    assert blocked.keys() == {run.pk for run in waiting}
    gate.set()
    for run in waiting:
        await wait_for_run(run)
        assert run.status == "completed"
    assert not blocked


async def test_request_holds_the_branch_up_to_the_remembered_turns(script, ask):
    assistant = await script("plain", Text("yes"), Finish("stop"), memory_turns=2, system_prompt="Be brief.")
    run = await ask(assistant, "one")
    await wait_for_run(run)
    for text in ("two", "three"):
        run = await run.conversation.ask(text)
        await engine.start(run)
        await wait_for_run(run)
    assert [parts[0]["text"] for _, parts in scripted.requests[-1].turns] == ["two", "yes", "three"]
    assert scripted.requests[-1].system_prompt == "Be brief."


async def test_conversation_deleted_during_a_run_affects_no_other_run(script, ask):
    gate = asyncio.Event()
    assistant = await script("gated", Text("a"), gate.wait, Text("b"), Finish("stop"))
    doomed, other = await ask(assistant), await ask(assistant)
    await wait_for_delta(doomed, "a")
    await Conversation.objects.filter(pk=doomed.conversation_id).adelete()
    gate.set()
    await wait_for_run(other)
    assert other.status == "completed"
    await wait_until(lambda: not engine.current().live)
    assert [event async for event in engine.follow(doomed)] == []


@pytest.mark.parametrize("kind", ["conversation", "user"])
async def test_events_written_during_a_deletion_do_not_make_it_fail(script, ask, alice, kind):
    """The journal writes events between the statements that delete a run's events and the run."""
    gate, loop = asyncio.Event(), asyncio.get_running_loop()
    run = await ask(await script("gated", Text("a"), gate.wait, Text("b"), Finish("stop")))
    await wait_for_delta(run, "a")
    await wait_until(lambda: RunEvent.objects.filter(run_id=run.pk).aexists())
    doomed = alice if kind == "user" else await Conversation.objects.aget(pk=run.conversation_id)
    written = threading.Event()
    finish = engine.current().journal.finish

    def finish_and_tell(*args):
        future = finish(*args)
        future.add_done_callback(lambda _: written.set())
        return future

    def let_it_write(execute, sql, params, many, context):
        result = execute(sql, params, many, context)
        if sql.startswith('DELETE FROM "chat_runevent"'):
            loop.call_soon_threadsafe(gate.set)
            written.wait(0.5)  # to the end where the journal waits for this transaction
        return result

    def delete():
        with connection.execute_wrapper(let_it_write):
            doomed.delete()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine.current().journal, "finish", finish_and_tell)
        await sync_to_async(delete)()
    await wait_until(lambda: not engine.current().live)
    assert gate.is_set()
    assert not await Run.objects.aexists()
    assert not await RunEvent.objects.aexists()
