"""The life of a run in one process: slots, cancel, retries, clocks, and what is settled at the end."""

import asyncio

import pytest
from django.utils import timezone

from chat import engine
from chat.engine import journal, log, runner, speech
from chat.events import TERMINAL, Finish, Reasoning, Text, ToolCallArgs, ToolCallStart, Usage, fold
from chat.models import Conversation, Message, Run, RunEvent, Worker
from chat.providers import ProviderError

from . import scripted
from .conftest import journaled, over, until, untimed


async def reached(run, text):
    """Wait until the run has said this."""
    async with asyncio.timeout(10):
        async for _, event in engine.follow(run):
            if event and text in getattr(event, "delta", ""):
                return


async def test_it_settles_the_rows_before_it_says_that_it_is_over(script, ask):
    run = await ask(await script("plain", Reasoning("hm"), Text("Hello"), Usage(3, 2, 5), Finish("stop")))
    async for _, event in engine.follow(run):
        if event and event.type in TERMINAL:
            stored = await Run.objects.select_related("message").aget(pk=run.pk)
            assert stored.status == "completed"
    assert untimed(stored.message.parts) == [
        {"type": "reasoning", "text": "hm"},
        {"type": "text", "text": "Hello"},
    ]
    assert stored.message.text == "Hello"
    assert stored.finish_reason == "stop"
    assert stored.total_usage == {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5}
    assert stored.created_at <= stored.started_at <= stored.first_token_at <= stored.finished_at
    assert stored.worker_id is None


async def test_the_journal_holds_every_event_as_it_was_sent(script, ask):
    run = await ask(await script("plain", Text("a"), Text("b"), ToolCallStart("c", "t"), Finish("stop")))
    seen = await over(run)
    stored = await journaled(run=run)
    assert [seq for seq, _ in stored] == list(range(1, run.last_seq + 1))
    assert fold(event for _, event in seen) == (await Message.objects.aget(run=run)).parts
    assert fold(event for _, event in stored) == (await Message.objects.aget(run=run)).parts
    assert stored[-1] == seen[-1]


async def test_a_run_goes_on_when_nobody_follows(script, ask):
    gate = asyncio.Event()
    run = await ask(await script("slow", Text("one"), gate.wait, Text(" two"), Finish("stop")))
    await reached(run, "one")
    gate.set()
    await until(lambda: Run.objects.filter(pk=run.pk, status="completed").aexists())


async def test_cancel_closes_the_stream_and_keeps_the_text(script, ask):
    run = await ask(await script("endless", Text("so far"), asyncio.Event().wait))
    await reached(run, "so far")
    await engine.cancel(run)
    seen = await over(run)
    assert seen[-1][1].outcome == {"type": "cancelled"}
    assert (run.status, run.error) == ("cancelled", None)
    assert (await Message.objects.aget(run=run)).text == "so far"
    assert scripted.closed == ["endless"]
    await engine.cancel(run)
    await run.arefresh_from_db()
    assert run.status == "cancelled"


async def test_a_person_has_so_many_runs_and_the_next_one_waits(script, ask, settings):
    settings.MAX_RUNS_PER_USER = 1
    gate = asyncio.Event()
    assistant = await script("gated", gate.wait, Text("done"), Finish("stop"))
    first, second, third = [await ask(assistant) for _ in range(3)]
    await until(lambda: Run.objects.filter(pk=first.pk, status="in_progress").aexists())
    assert [run.status async for run in Run.objects.filter(pk__in=[second.pk, third.pk])] == ["queued", "queued"]
    await engine.cancel(third)
    gate.set()
    assert (await over(second))[-1][1].type == "RUN_FINISHED"
    assert [event.type for _, event in await over(third)] == ["RUN_STARTED", "RUN_FINISHED"]
    assert (first.status, second.status, third.status) == ("queued", "completed", "cancelled")
    assert [request.model for request in scripted.asked] == ["gated", "gated"]


async def test_a_process_has_so_many_runs(script, ask, settings):
    settings.MAX_RUNS = 1
    gate = asyncio.Event()
    assistant = await script("gated", gate.wait, Text("done"), Finish("stop"))
    runs = [await ask(assistant) for _ in range(3)]
    await until(lambda: Run.objects.filter(status="in_progress").aexists())
    assert await Run.objects.filter(status="queued").acount() == 2
    gate.set()
    for run in runs:
        await over(run)
        assert run.status == "completed"


async def test_a_question_about_an_answer_waits_until_it_is_there(script, ask):
    gate = asyncio.Event()
    assistant = await script("gated", gate.wait, Text("the answer"), Finish("stop"))
    first = await ask(assistant)
    second = await first.conversation.ask("And?")
    await engine.start(second)
    await until(lambda: Run.objects.filter(pk=first.pk, status="in_progress").aexists())
    gate.set()
    await over(second)
    assert second.status == "completed"
    said = [parts[0]["text"] for _, parts in scripted.asked[-1].turns]
    assert said == ["Hi", "the answer", "And?"]


async def test_it_shows_the_model_the_branch_and_as_many_turns_as_it_remembers(script, ask):
    assistant = await script("plain", Text("yes"), Finish("stop"), memory_turns=2, system_prompt="Be brief.")
    run = await ask(assistant, "one")
    await over(run)
    for text in ("two", "three"):
        run = await run.conversation.ask(text)
        await engine.start(run)
        await over(run)
    assert [parts[0]["text"] for _, parts in scripted.asked[-1].turns] == ["two", "yes", "three"]
    assert scripted.asked[-1].system_prompt == "Be brief."


async def test_it_asks_again_at_most_twice_before_anything_is_shown(script, ask, monkeypatch):
    busy = ProviderError("Busy.", "overloaded", retryable=True, retry_after=0)
    answers = iter([[busy], [busy], [Text("at last"), Finish("stop")]])
    run = await ask(await script("busy", lambda request: next(answers)))
    await over(run)
    assert (run.status, len(scripted.asked)) == ("completed", 3)

    answers = iter([[busy]] * 4)
    run = await ask(await script("busy", lambda request: next(answers)))
    seen = await over(run)
    assert (run.status, run.error) == ("failed", {"code": "overloaded", "message": "Busy."})
    assert seen[-1][1].code == "overloaded"
    assert len(scripted.asked) == 6


@pytest.mark.parametrize(
    "steps",
    [
        [ProviderError("Wait a minute.", retryable=True, retry_after=60)],
        [ProviderError("Never.", retryable=False)],
        [Text("a"), ProviderError("Broken.", retryable=True, retry_after=0)],
    ],
)
async def test_it_asks_once_where_asking_again_does_not_help(script, ask, steps):
    run = await ask(await script("bad", *steps))
    await over(run)
    assert (run.status, len(scripted.asked)) == ("failed", 1)


async def test_a_stream_without_a_finish_is_interrupted(script, ask):
    run = await ask(await script("cut", Text("half an ans")))
    seen = await over(run)
    assert (run.status, run.error_code) == ("interrupted", "broken_off")
    assert [event.type for _, event in seen[-2:]] == ["TEXT_MESSAGE_END", "RUN_ERROR"]
    assert (await Message.objects.aget(run=run)).text == "half an ans"


async def test_an_error_after_the_finish_changes_nothing(script, ask):
    run = await ask(await script("late", Text("all"), Finish("stop"), ProviderError("Too late.")))
    await over(run)
    assert (run.status, run.error) == ("completed", None)


async def test_an_unexpected_error_is_a_sentence_without_its_text(script, ask, caplog):
    run = await ask(await script("bug", Text("a"), ZeroDivisionError("secret detail")))
    await over(run)
    assert (run.status, run.error_code) == ("failed", "internal")
    assert "secret" not in run.error_message
    assert "secret detail" in caplog.text


async def test_whatever_is_started_is_ended_also_on_error(script, ask):
    steps = [Text("a"), ToolCallStart("c", "t"), ToolCallArgs("c", "{"), ProviderError("Broken.")]
    seen = await over(await ask(await script("open", *steps)))
    assert [event.type for _, event in seen[-3:]] == ["TOOL_CALL_ARGS", "TOOL_CALL_END", "RUN_ERROR"]


@pytest.mark.parametrize(
    ("steps", "status"), [([asyncio.Event().wait], "failed"), ([Text("a"), asyncio.Event().wait], "interrupted")]
)
async def test_silence_ends_the_run(script, ask, monkeypatch, steps, status):
    monkeypatch.setattr(speech, "FIRST_TOKEN", 0.05)
    monkeypatch.setattr(speech, "BETWEEN_TOKENS", 0.05)
    run = await ask(await script("silent", *steps))
    await over(run)
    assert (run.status, run.error_code) == (status, "timeout")
    assert scripted.closed == ["silent"]


async def test_silence_after_the_finish_is_an_end(script, ask, monkeypatch):
    monkeypatch.setattr(speech, "AFTER_FINISH", 0.05)
    run = await ask(await script("silent", Text("all"), Finish("stop"), asyncio.Event().wait))
    await over(run)
    assert run.status == "completed"


async def test_a_run_takes_no_longer_than_its_limit(script, ask, monkeypatch):
    monkeypatch.setattr(speech, "RUN_LIMIT", 0.1)

    def endless(request):
        while True:
            yield Text("on ")
            yield lambda: asyncio.sleep(0.001)

    run = await ask(await script("endless", endless))
    await over(run)
    assert (run.status, run.error_code) == ("interrupted", "timeout")


async def test_a_reply_is_no_longer_than_its_limit(script, ask, monkeypatch):
    monkeypatch.setattr("chat.events.MAX_REPLY", 10)
    run = await ask(await script("long", *[Text("four")] * 9))
    await over(run)
    assert (run.status, run.finish_reason) == ("completed", "length")
    assert run.notice
    assert (await Message.objects.aget(run=run)).text == "four" * 3


async def test_an_assistant_whose_provider_is_gone_says_so(script, ask):
    run = await ask(await script("gone", model="nowhere:x"))
    await over(run)
    assert (run.status, run.error_code) == ("failed", "unknown_provider")


async def test_a_conversation_deleted_meanwhile_hurts_no_other_run(script, ask):
    gate = asyncio.Event()
    assistant = await script("gated", Text("a"), gate.wait, Text("b"), Finish("stop"))
    doomed, other = await ask(assistant), await ask(assistant)
    await reached(doomed, "a")
    await Conversation.objects.filter(pk=doomed.conversation_id).adelete()
    gate.set()
    await over(other)
    assert other.status == "completed"
    assert [event async for event in engine.follow(doomed)] == []


async def test_a_journal_that_cannot_write_tries_again_and_loses_nothing(script, ask, monkeypatch):
    monkeypatch.setattr(journal, "PATIENCE", 0.01)
    failures = iter([OSError("disk full")] * 3)
    insert = journal.Journal._insert

    def failing(self, rows):
        for failure in failures:
            raise failure
        insert(self, rows)

    monkeypatch.setattr(journal.Journal, "_insert", failing)
    run = await ask(await script("plain", Text("kept"), Finish("stop")))
    await over(run)
    assert run.status == "completed"
    assert len(await journaled(run=run)) == run.last_seq


@pytest.mark.parametrize(
    ("took", "rows", "seconds"),
    [(0.002, 1, 0.1), (0.002, 40, 0.1), (0.002, 100, 0.25), (0.002, 1000, 0.5), (0.1, 10, 0.4), (2, 10, 0.5)],
)
def test_ticks_are_longer_where_there_is_much_to_write(took, rows, seconds):
    assert journal.pause(took, rows) == pytest.approx(seconds)


async def test_a_sentence_that_no_database_takes_harms_no_run(script, ask):
    bad = await ask(await script("bad", Text("a"), ProviderError("a \0 b \ud83d", "c" * 60)))
    await over(bad)
    assert (bad.status, bad.error_message) == ("failed", "a  b \ufffd")


async def test_a_run_that_cannot_be_written_harms_no_other(script, ask, monkeypatch):
    insert = journal.Journal._insert

    def refusing(self, rows):
        if any("poison" in data for *_, data in rows):
            raise ValueError("The database refuses this.")
        insert(self, rows)

    monkeypatch.setattr(journal.Journal, "_insert", refusing)
    gate = asyncio.Event()
    bad = await ask(await script("bad", Text("good so far"), gate.wait, Text(" poison"), asyncio.Event().wait))
    good = await ask(await script("good", Text("a"), gate.wait, Text("b"), Finish("stop")))
    await until(lambda: RunEvent.objects.filter(run=bad, data__contains="so far").aexists())
    gate.set()
    await over(good)
    assert good.status == "completed"
    assert (await over(bad))[-1][1].type == "RUN_ERROR"
    assert (bad.status, bad.error_code, bad.message.text) == ("interrupted", "internal", "good so far")
    await until(lambda: set(scripted.closed) == {"bad", "good"})


async def test_an_error_after_an_empty_finish_is_not_asked_again(script, ask):
    cut = ProviderError("cut", retryable=True, retry_after=0)
    run = await ask(await script("empty", Finish("content_filter"), cut))
    await over(run)
    assert (run.status, len(scripted.asked)) == ("completed", 1)


async def test_a_process_that_was_taken_for_dead_writes_nothing_more(script, ask):
    gate = asyncio.Event()
    run = await ask(await script("gated", Text("a"), gate.wait, Text("b"), Finish("stop")))
    await reached(run, "a")
    stored = await Run.objects.aget(pk=run.pk)
    stored.end("interrupted", error=("interrupted", "Taken for dead."), last_seq=3)
    await Run.objects.filter(pk=run.pk).aupdate(
        status="interrupted", worker_id=None, error_code="interrupted", finished_at=timezone.now(), last_seq=3
    )
    before = len(await journaled(run=run))
    gate.set()
    seen = await over(run)
    assert seen[-1][1].type == "RUN_ERROR"
    assert len(await journaled(run=run)) <= max(before, 3)
    assert run.status == "interrupted"


async def test_a_process_whose_runs_were_taken_stops_them(script, ask, monkeypatch):
    monkeypatch.setattr(journal.Pulse, "BEAT", 0.05)
    run = await ask(await script("endless", Text("a"), asyncio.Event().wait))
    await reached(run, "a")
    await Run.objects.filter(pk=run.pk).aupdate(
        status="interrupted", worker_id=None, error_code="interrupted", finished_at=timezone.now(), last_seq=9
    )
    await until(lambda: scripted.closed == ["endless"])


async def test_another_process_can_ask_for_a_stop(script, ask, monkeypatch):
    monkeypatch.setattr(journal.Pulse, "BEAT", 0.05)
    run = await ask(await script("endless", Text("a"), asyncio.Event().wait))
    await reached(run, "a")
    await Run.objects.filter(pk=run.pk).aupdate(cancel_requested=True)
    await over(run)
    assert run.status == "cancelled"


async def test_a_run_of_another_process_is_asked_to_stop(script, ask):
    run = await ask(await script("endless", Text("a"), asyncio.Event().wait))
    await reached(run, "a")
    elsewhere = runner.Engine()
    await elsewhere.cancel(run)
    await elsewhere.leave()
    await over(run)
    assert run.status == "cancelled"


async def test_another_process_reads_the_run_from_the_journal(script, ask):
    gate = asyncio.Event()
    run = await ask(await script("gated", Text("one"), gate.wait, Text(" two"), Finish("stop")))
    elsewhere, seen = runner.Engine(), []
    async with asyncio.timeout(20):
        async for seq, event in log.follow(elsewhere, run):
            if event:
                seen.append((seq, event))
            if getattr(event, "delta", "") == "one":
                gate.set()
    await elsewhere.leave()
    await run.arefresh_from_db()
    assert seen[-1][0] == run.last_seq
    assert fold(event for _, event in seen) == [{"type": "text", "text": "one two"}]


async def test_leaving_ends_live_runs_and_hands_back_what_had_said_nothing(script, ask):
    speaking = await ask(await script("speaking", Text("a"), asyncio.Event().wait))
    silent = await ask(await script("silent", asyncio.Event().wait))
    await reached(speaking, "a")
    await until(lambda: Run.objects.filter(pk=silent.pk, status="in_progress").aexists())
    await engine.leave()
    await speaking.arefresh_from_db()
    await silent.arefresh_from_db()
    assert (speaking.status, speaking.error_code) == ("interrupted", "interrupted")
    assert (silent.status, silent.worker_id) == ("queued", None)
    assert not await RunEvent.objects.filter(run=silent).aexists()


async def test_leaving_lets_readers_go_without_an_end(script, ask):
    run = await ask(await script("endless", Text("a"), asyncio.Event().wait))
    await reached(run, "a")
    seen = []

    async def read():
        async for _, event in engine.follow(run):
            seen.append(event)

    reader = asyncio.create_task(read())
    await until(lambda: len(seen) >= 3)
    engine.here().say_goodbye()
    async with asyncio.timeout(5):
        await reader
    assert not any(event and event.type in TERMINAL for event in seen)


async def test_the_heartbeat_survives_a_bad_moment(script, ask, monkeypatch, caplog):
    monkeypatch.setattr(journal.Pulse, "BEAT", 0.02)
    beat, failures = journal.Pulse.beat, iter([OSError("gone"), OSError("gone")])

    def failing(self, room):
        for failure in failures:
            raise failure
        return beat(self, room)

    monkeypatch.setattr(journal.Pulse, "beat", failing)
    engine.here()
    await until(lambda: Worker.objects.filter(beat__gte=1).aexists())
    assert caplog.text.count("The heartbeat failed") == 2
