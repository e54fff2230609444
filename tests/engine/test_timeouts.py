"""How long a run may be silent, and how long it may take."""

import asyncio

import pytest
from django.utils import translation

from chat.engine import reply as reply_module
from chat.events import Finish, Text
from tests import scripted
from tests.waiting import wait_for_run

LIMITS = {  # what the provider does, the assistant's limit -> status, sentence
    "first token": (
        [asyncio.Event().wait],
        "first_token_seconds",
        "failed",
        "The model did not start answering: it sent nothing for 1 second "
        "(the assistant's “maximum wait for the first token (seconds)”).",
    ),
    "silence": (
        [Text("a"), asyncio.Event().wait],
        "silence_seconds",
        "interrupted",
        "The model stopped responding: it sent nothing for 1 second (the assistant's “maximum silence (seconds)”).",
    ),
    "run": (
        [Text("a"), asyncio.Event().wait],
        "run_seconds",
        "interrupted",
        "The answer was cut short: it took longer than 1 second "
        "(the assistant's “maximum time for an answer (seconds)”).",
    ),
    "run without a word": (
        [asyncio.Event().wait],
        "run_seconds",
        "failed",
        "The model did not begin its answer within 1 second (the assistant's “maximum time for an answer (seconds)”).",
    ),
}


@pytest.mark.parametrize(
    ("steps", "setting", "status"),
    [
        ([asyncio.Event().wait], "FIRST_TOKEN_SECONDS", "failed"),
        ([Text("a"), asyncio.Event().wait], "SILENCE_SECONDS", "interrupted"),
    ],
)
async def test_timeout_ends_a_silent_run(script, ask, settings, steps, setting, status):
    setattr(settings, setting, 0.05)
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
    assert run.error_message.endswith("（アシスタントの「最初のトークンを待つ時間の上限（秒）」）。")
