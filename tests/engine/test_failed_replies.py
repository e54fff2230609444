"""Replies that fail or end early: what is tried again, and what is kept."""

import asyncio

import pytest

from chat.events import Finish, Text, ToolCallArgs, ToolCallStart
from chat.models import Message, RunEvent
from chat.providers import ProviderError
from tests import scripted
from tests.waiting import wait_for_run, wait_until


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
