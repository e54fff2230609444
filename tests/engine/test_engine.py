"""The life of a run in one process: slots, cancel, retries, timeouts, and what is stored at the end."""

import asyncio
import uuid

import pytest
from django.utils import timezone, translation

from chat import engine
from chat.engine import heartbeat, journal, log, runner
from chat.engine import reply as reply_module
from chat.events import TERMINAL, Finish, Reasoning, Text, ToolCallArgs, ToolCallStart, Usage, fold
from chat.models import Conversation, Message, Run, RunEvent, ServerProcess
from chat.providers import ProviderError
from tests import scripted
from tests.assertions import without_seconds
from tests.rows import stored_events
from tests.waiting import wait_for_run, wait_until


async def wait_for_delta(run, text):
    """Waits until the reply holds this text."""
    async with asyncio.timeout(10):
        async for _, event in engine.follow(run):
            if event and text in getattr(event, "delta", ""):
                return


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


async def test_journal_holds_every_event_as_it_was_sent(script, ask):
    run = await ask(await script("plain", Text("a"), Text("b"), ToolCallStart("c", "t"), Finish("stop")))
    seen = await wait_for_run(run)
    stored = await stored_events(run=run)
    assert [seq for seq, _ in stored] == list(range(1, run.last_seq + 1))
    assert fold(event for _, event in seen) == (await Message.objects.aget(run=run)).parts
    assert fold(event for _, event in stored) == (await Message.objects.aget(run=run)).parts
    assert stored[-1] == seen[-1]


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
    blocked = engine.current().blocked
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
    blocked = engine.current().blocked
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


async def test_retry_at_most_twice_before_anything_is_shown(script, ask, monkeypatch):
    busy = ProviderError("Busy.", "overloaded", retryable=True, retry_after=0)
    answers = iter([[busy], [busy], [Text("at last"), Finish("stop")]])
    run = await ask(await script("busy", lambda request: next(answers)))
    await wait_for_run(run)
    assert (run.status, len(scripted.requests)) == ("completed", 3)

    answers = iter([[busy]] * 4)
    run = await ask(await script("busy", lambda request: next(answers)))
    seen = await wait_for_run(run)
    assert (run.status, run.error) == ("failed", {"code": "overloaded", "message": "Busy."})
    assert seen[-1][1].code == "overloaded"
    assert len(scripted.requests) == 6


@pytest.mark.parametrize(
    "steps",
    [
        [ProviderError("Wait a minute.", retryable=True, retry_after=60)],
        [ProviderError("Never.", retryable=False)],
        [Text("a"), ProviderError("Broken.", retryable=True, retry_after=0)],
    ],
)
async def test_retry_is_skipped_where_it_does_not_help(script, ask, steps):
    run = await ask(await script("bad", *steps))
    await wait_for_run(run)
    assert (run.status, len(scripted.requests)) == ("failed", 1)


async def test_stream_without_a_finish_is_interrupted(script, ask):
    run = await ask(await script("cut", Text("half an ans")))
    seen = await wait_for_run(run)
    assert (run.status, run.error_code) == ("interrupted", "broken_off")
    assert [event.type for _, event in seen[-2:]] == ["TEXT_MESSAGE_END", "RUN_ERROR"]
    assert (await Message.objects.aget(run=run)).text == "half an ans"


async def test_error_after_the_finish_is_ignored(script, ask):
    run = await ask(await script("late", Text("all"), Finish("stop"), ProviderError("Too late.")))
    await wait_for_run(run)
    assert (run.status, run.error) == ("completed", None)


async def test_error_that_is_unexpected_keeps_its_text_to_the_log(script, ask, caplog):
    run = await ask(await script("bug", Text("a"), ZeroDivisionError("secret detail")))
    await wait_for_run(run)
    assert (run.status, run.error_code) == ("failed", "internal")
    assert "secret" not in run.error_message
    assert "secret detail" in caplog.text


async def test_error_closes_what_is_open(script, ask):
    steps = [Text("a"), ToolCallStart("c", "t"), ToolCallArgs("c", "{"), ProviderError("Broken.")]
    seen = await wait_for_run(await ask(await script("open", *steps)))
    assert [event.type for _, event in seen[-3:]] == ["TOOL_CALL_ARGS", "TOOL_CALL_END", "RUN_ERROR"]


@pytest.mark.parametrize(
    ("steps", "status"), [([asyncio.Event().wait], "failed"), ([Text("a"), asyncio.Event().wait], "interrupted")]
)
async def test_timeout_ends_a_silent_run(script, ask, settings, steps, status):
    settings.FIRST_TOKEN_SECONDS = 0.05
    settings.SILENCE_SECONDS = 0.05
    run = await ask(await script("silent", *steps))
    await wait_for_run(run)
    assert (run.status, run.error_code) == (status, "timeout")
    assert scripted.closed == ["silent"]


async def test_timeout_after_the_finish_completes_the_run(script, ask, monkeypatch):
    monkeypatch.setattr(reply_module, "USAGE_TIMEOUT", 0.05)
    run = await ask(await script("silent", Text("all"), Finish("stop"), asyncio.Event().wait))
    await wait_for_run(run)
    assert run.status == "completed"


async def test_timeout_ends_a_run_that_takes_too_long(script, ask, settings):
    settings.RUN_SECONDS = 0.1

    def endless(request):
        while True:
            yield Text("on ")
            yield lambda: asyncio.sleep(0.001)

    run = await ask(await script("endless", endless))
    await wait_for_run(run)
    assert (run.status, run.error_code) == ("interrupted", "timeout")


LIMITS = {  # what the provider does, the assistant's limit -> status, sentence
    "first token": (
        [asyncio.Event().wait],
        "first_token_seconds",
        "failed",
        "The model did not start answering: it sent nothing for 1 seconds "
        "(the assistant's “seconds until the first token”).",
    ),
    "silence": (
        [Text("a"), asyncio.Event().wait],
        "silence_seconds",
        "interrupted",
        "The model stopped responding: it sent nothing for 1 seconds (the assistant's “seconds of silence”).",
    ),
    "run": (
        [Text("a"), asyncio.Event().wait],
        "run_seconds",
        "interrupted",
        "The answer was cut short: it took longer than 1 seconds (the assistant's “seconds for an answer”).",
    ),
    "run without a word": (
        [asyncio.Event().wait],
        "run_seconds",
        "failed",
        "The model did not begin its answer within 1 seconds (the assistant's “seconds for an answer”).",
    ),
}


async def test_timeout_of_an_assistant_counts_before_that_of_the_site(script, ask):
    runs = {}
    for kind, (steps, field, _, _) in LIMITS.items():
        runs[kind] = await ask(await script(kind, *steps, **{field: 1}))
    for kind, run in runs.items():
        await wait_for_run(run)
        assert (run.status, run.error_code, run.error_message) == (LIMITS[kind][2], "timeout", LIMITS[kind][3])


async def test_timeout_of_an_assistant_may_be_longer_than_that_of_the_site(script, ask, settings):
    settings.FIRST_TOKEN_SECONDS = settings.SILENCE_SECONDS = settings.RUN_SECONDS = 0.1
    limits = {"first_token_seconds": 60, "silence_seconds": 60, "run_seconds": 60}
    pause = lambda: asyncio.sleep(0.3)  # noqa: E731
    run = await ask(await script("slow", pause, Text("a"), pause, Text("b"), Finish("stop"), **limits))
    await wait_for_run(run)
    assert (run.status, run.message.text) == ("completed", "ab")


async def test_timeout_of_an_assistant_is_named_in_the_language_of_the_user(script, ask):
    with translation.override("ja"):
        run = await ask(await script("slow", asyncio.Event().wait, first_token_seconds=1))
    await wait_for_run(run)
    assert run.error_message.endswith("（アシスタントの「最初のトークンまでの秒数」）。")


async def test_reply_is_cut_off_at_its_limit(script, ask, settings):
    settings.MAX_REPLY_LENGTH = 10
    run = await ask(await script("long", *[Text("four")] * 9))
    await wait_for_run(run)
    assert (run.status, run.finish_reason) == ("completed", "length")
    assert run.notice
    assert (await Message.objects.aget(run=run)).text == "four" * 3


async def test_provider_that_is_unknown_fails_the_run(script, ask):
    run = await ask(await script("gone", model="nowhere:x"))
    await wait_for_run(run)
    assert (run.status, run.error_code) == ("failed", "unknown_provider")


async def test_conversation_deleted_during_a_run_affects_no_other_run(script, ask):
    gate = asyncio.Event()
    assistant = await script("gated", Text("a"), gate.wait, Text("b"), Finish("stop"))
    doomed, other = await ask(assistant), await ask(assistant)
    await wait_for_delta(doomed, "a")
    await Conversation.objects.filter(pk=doomed.conversation_id).adelete()
    gate.set()
    await wait_for_run(other)
    assert other.status == "completed"
    assert [event async for event in engine.follow(doomed)] == []


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
    await asyncio.wait([waiting], timeout=5)
    assert waiting.cancelled()


@pytest.mark.parametrize(
    ("took", "rows", "seconds"),
    [(0.002, 1, 0.1), (0.002, 40, 0.1), (0.002, 100, 0.25), (0.002, 1000, 0.5), (0.1, 10, 0.4), (2, 10, 0.5)],
)
def test_journal_pause_grows_with_the_rows(took, rows, seconds):
    assert journal.pause(took, rows) == pytest.approx(seconds)


async def test_error_message_is_cleaned_for_the_database(script, ask):
    bad = await ask(await script("bad", Text("a"), ProviderError("a \0 b \ud83d", "c" * 60)))
    await wait_for_run(bad)
    assert (bad.status, bad.error_message) == ("failed", "a  b \ufffd")


async def test_run_that_cannot_be_written_affects_no_other(script, ask, monkeypatch):
    append_many = RunEvent.objects.append_many

    def refusing(rows, process_id):
        if any("poison" in data for *_, data in rows):
            raise ValueError("The database refuses this.")
        append_many(rows, process_id)

    monkeypatch.setattr(RunEvent.objects, "append_many", refusing)
    gate = asyncio.Event()
    bad = await ask(await script("bad", Text("good so far"), gate.wait, Text(" poison"), asyncio.Event().wait))
    good = await ask(await script("good", Text("a"), gate.wait, Text("b"), Finish("stop")))
    await wait_until(lambda: RunEvent.objects.filter(run=bad, data__contains="so far").aexists())
    gate.set()
    await wait_for_run(good)
    assert good.status == "completed"
    assert (await wait_for_run(bad))[-1][1].type == "RUN_ERROR"
    assert (bad.status, bad.error_code, bad.message.text) == ("interrupted", "internal", "good so far")
    await wait_until(lambda: set(scripted.closed) == {"bad", "good"})


async def test_retry_is_skipped_after_an_empty_finish(script, ask):
    cut = ProviderError("cut", retryable=True, retry_after=0)
    run = await ask(await script("empty", Finish("content_filter"), cut))
    await wait_for_run(run)
    assert (run.status, len(scripted.requests)) == ("completed", 1)


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


async def test_cancel_comes_from_another_process(script, ask, monkeypatch):
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


async def test_journal_serves_followers_in_another_process(script, ask):
    gate = asyncio.Event()
    run = await ask(await script("gated", Text("one"), gate.wait, Text(" two"), Finish("stop")))
    elsewhere, seen = runner.Engine(), []
    async with asyncio.timeout(20):
        async for seq, event in log.follow(elsewhere, run):
            if event:
                seen.append((seq, event))
            if getattr(event, "delta", "") == "one":
                gate.set()
    await elsewhere.shut_down()
    await run.arefresh_from_db()
    assert seen[-1][0] == run.last_seq
    assert fold(event for _, event in seen) == [{"type": "text", "text": "one two"}]


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
    async with asyncio.timeout(20):
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
    async with asyncio.timeout(5):
        await reader
    assert not any(event and event.type in TERMINAL for event in seen)


async def test_heartbeat_survives_errors(script, ask, monkeypatch, caplog):
    monkeypatch.setattr(heartbeat, "HEARTBEAT_INTERVAL", 0.02)
    beat, failures = heartbeat.Heartbeat.beat, iter([OSError("gone"), OSError("gone")])

    def failing(self, room):
        for failure in failures:
            raise failure
        return beat(self, room)

    monkeypatch.setattr(heartbeat.Heartbeat, "beat", failing)
    engine.current()
    await wait_until(lambda: ServerProcess.objects.filter(beat__gte=1).aexists())
    assert caplog.text.count("The heartbeat failed") == 2
