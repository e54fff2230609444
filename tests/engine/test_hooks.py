"""The three hooks that let an app extend the core: REQUEST_CONTEXT, RUN_CHECKS and RUN_ENDED."""

import asyncio
import threading

import pytest
from django.db import OperationalError

from chat import engine
from chat.engine import runner
from chat.errors import Refused
from chat.events import Finish, Text
from chat.hooks import Addition
from chat.models import Assistant, Conversation, Run, RunEvent
from chat.providers import ProviderError
from tests import scripted
from tests.assertions import assert_error
from tests.rows import all_rows
from tests.waiting import wait_for_run, wait_until

HERE = __name__
hook_calls = []  # (run's id, run's status, name of the thread or id of the owner) of each call of a RUN_ENDED hook


@pytest.fixture
def no_hook_calls():
    hook_calls.clear()


# REQUEST_CONTEXT ------------------------------------------------------------------------------------------------------


def add_facts(run):
    return Addition(instructions=f"This is run {run.pk}.", tools=("clock", "calculator"))


def add_nothing(run):
    return None


def refuse_to_add(run):
    raise Refused("The documents cannot be reached.", "no_documents")


def fail_to_add(run):
    raise RuntimeError("secret")


async def test_request_context_adds_instructions_and_tools(settings, script, ask):
    settings.REQUEST_CONTEXT = [f"{HERE}.add_nothing", f"{HERE}.add_facts"]
    assistant = await script("words", Text("Hi"), Finish("stop"), system_prompt="Be kind.", tools=["clock"])
    run = await ask(assistant)
    await wait_for_run(run)
    request = scripted.requests[-1]
    assert request.system_prompt == f"Be kind.\n\nThis is run {run.pk}."
    assert request.tools == ["clock", "calculator"]


outages = []  # the messages of the errors that `add_after_an_outage` still raises


def add_after_an_outage(run):
    if outages:
        raise OperationalError(outages.pop())
    return Addition(instructions="The database is back.")


async def test_request_context_waits_for_an_unavailable_database(settings, script, ask, monkeypatch):
    monkeypatch.setattr(runner, "RETRY_DELAY", 0.01)
    settings.REQUEST_CONTEXT = [f"{HERE}.add_after_an_outage"]
    outages.append("the server closed the connection")
    run = await ask(await script("words", Text("Hi"), Finish("stop")))
    await wait_for_run(run)
    assert (run.status, run.error_code) == ("completed", "")
    assert "The database is back." in scripted.requests[-1].system_prompt


@pytest.mark.parametrize(
    ("hook", "code", "sentence"),
    [
        ("refuse_to_add", "no_documents", "The documents cannot be reached."),
        ("fail_to_add", "internal", "Something went wrong on our side. Try again."),
    ],
)
async def test_request_context_that_raises_fails_the_run(settings, words, ask, hook, code, sentence):
    settings.REQUEST_CONTEXT = [f"{HERE}.{hook}"]
    run = await ask(words)
    events = await wait_for_run(run)
    assert (run.status, run.error_code, run.error_message) == ("failed", code, sentence)
    assert [event.type for _, event in events] == ["RUN_STARTED", "RUN_ERROR"]
    assert scripted.requests == []


# RUN_CHECKS -----------------------------------------------------------------------------------------------------------


def refuse_charlies_words(conversation, assistant):
    if assistant.slug == "words" and conversation.owner.username == "charlie":
        raise Refused("Not this one.", "not_this_one", 403)


async def test_run_check_refuses_with_its_sentence_and_leaves_no_rows(settings, client_of, alice, charlie, words):
    settings.RUN_CHECKS = [*settings.RUN_CHECKS, f"{HERE}.refuse_charlies_words"]
    client = client_of(charlie)
    row = await Conversation.objects.acreate(owner=charlie, assistant=words)
    await client.get("/health")
    before = await all_rows()
    for path in (f"/api/conversations/{row.pk}/messages", "/api/chat"):
        response = await client.send("POST", path, {"text": "Hi", "assistant": "words"})
        assert assert_error(response, 403) == "not_this_one"
        assert response.json()["error"]["message"] == "Not this one."
        assert await all_rows() == before
    assert (await client_of(alice).send("POST", "/api/chat", {"text": "Hi", "assistant": "words"})).status_code == 200


async def test_run_check_also_applies_to_a_regeneration(settings, client_of, alice, finished_run):
    run = await finished_run("one")
    settings.RUN_CHECKS = [f"{HERE}.refuse_everything"]
    response = await client_of(alice).send("POST", f"/api/messages/{run.message_id}/regenerate")
    assert assert_error(response, 409) == "closed"
    assert await Run.objects.acount() == 1


def refuse_everything(conversation, assistant):
    raise Refused("Closed.", "closed", 409)


# RUN_ENDED ---------------------------------------------------------------------------------------------------------


def record_call(run):
    hook_calls.append((run.pk, Run.objects.get(pk=run.pk).status, threading.current_thread().name))


async def assistant_named(slug):
    return await Assistant.objects.aget(slug=slug)


async def record_call_in_loop(run):
    assert threading.current_thread() is threading.main_thread()
    hook_calls.append((run.pk, run.status, run.conversation.owner_id))


def fail_after_run(run):
    raise RuntimeError("broken hook")


async def wait_forever(run):
    await asyncio.get_running_loop().create_future()


async def wait_for_hook_calls(count=1):
    """Waits until there are this many hook calls, and a moment longer for calls too many. Returns them."""
    await wait_until(lambda: len(hook_calls) >= count)
    await asyncio.sleep(0.05)
    return hook_calls


@pytest.mark.parametrize(
    ("steps", "status"),
    [
        ([Text("Hi"), Finish("stop")], "completed"),
        ([ProviderError("No.")], "failed"),
        ([Text("Half")], "interrupted"),
    ],
)
async def test_run_ended_is_called_once_after_the_commit(settings, no_hook_calls, script, ask, steps, status):
    settings.RUN_ENDED = [f"{HERE}.record_call"]
    run = await ask(await script("any", *steps))
    await wait_for_run(run)
    assert [call[:2] for call in await wait_for_hook_calls()] == [(run.pk, status)]
    assert hook_calls[0][2] != threading.main_thread().name


async def test_run_ended_is_called_for_a_cancelled_run(settings, no_hook_calls, slow, ask):
    settings.RUN_ENDED = [f"{HERE}.record_call_in_loop"]
    async with slow():
        run = await ask(await assistant_named("slow"))
        await engine.cancel(run)
        await wait_for_run(run)
    assert await wait_for_hook_calls() == [(run.pk, "cancelled", run.conversation.owner_id)]


async def test_run_ended_is_called_for_a_queued_run_that_is_cancelled(settings, no_hook_calls, slow, ask):
    settings.RUN_ENDED = [f"{HERE}.record_call"]
    settings.MAX_RUNS_PER_USER = 1
    async with slow():
        first = await ask(await assistant_named("slow"))
        second = await ask(await assistant_named("slow"))
        await engine.cancel(await Run.objects.aget(pk=second.pk))  # as a request has it, without its conversation
        assert [call[:2] for call in await wait_for_hook_calls()] == [(second.pk, "cancelled")]
    await wait_for_run(first)
    assert {call[0] for call in await wait_for_hook_calls(2)} == {first.pk, second.pk}


async def test_run_ended_is_called_after_a_recovery(settings, no_hook_calls, orphan):
    settings.RUN_ENDED = [f"{HERE}.record_call", f"{HERE}.record_call_in_loop"]
    run = await orphan("half ", "an answer")
    await wait_for_run(run)
    calls = await wait_for_hook_calls(2)
    assert [call[:2] for call in calls] == [(run.pk, "interrupted")] * 2


async def test_run_ended_is_not_called_for_a_run_that_starts_again(settings, no_hook_calls, orphan):
    settings.RUN_ENDED = [f"{HERE}.record_call"]
    run = await orphan()
    await wait_for_run(run)
    assert [call[:2] for call in await wait_for_hook_calls()] == [(run.pk, "completed")]


async def test_run_ended_is_called_for_a_run_that_the_shutdown_interrupts(settings, no_hook_calls, slow, ask):
    settings.RUN_ENDED = [f"{HERE}.record_call"]
    async with slow():
        run = await ask(await assistant_named("slow"))
        await wait_until(lambda: len(engine.current().live[run.pk].log) > 2)
        await engine.shut_down()
        assert [call[:2] for call in hook_calls] == [(run.pk, "interrupted")]


async def test_run_ended_is_called_for_a_run_that_cannot_be_written(settings, no_hook_calls, script, ask, monkeypatch):
    settings.RUN_ENDED = [f"{HERE}.record_call"]
    append_many = RunEvent.objects.append_many

    def refuse(rows, process_id):
        if any("unwritable" in data for _, _, data in rows):
            raise ValueError("the database refuses this")
        append_many(rows, process_id)

    monkeypatch.setattr(RunEvent.objects, "append_many", refuse)
    run = await ask(await script("bad", Text("unwritable"), Finish("stop")))
    assert [call[0] for call in await wait_for_hook_calls()] == [run.pk]
    await run.arefresh_from_db()
    assert run.status == hook_calls[0][1] == "interrupted"


async def test_run_ended_hook_that_fails_or_hangs_delays_no_run(settings, no_hook_calls, words, ask, caplog):
    settings.RUN_ENDED = [f"{HERE}.fail_after_run", f"{HERE}.record_call", f"{HERE}.wait_forever"]
    for _ in range(2):
        run = await ask(words)
        await wait_for_run(run)
        assert run.status == "completed"
    assert len(await wait_for_hook_calls(2)) == 2
    assert "A RUN_ENDED hook failed" in caplog.text
    for task in engine.current().hook_tasks:
        task.cancel()


def test_default_hooks_are_those_of_accounts_and_the_run_limit(settings):
    assert settings.REQUEST_CONTEXT == ["accounts.hooks.personal_instructions"]
    checks = ["chat.api_keys.refuse_other_assistants", "chat.limits.refuse_too_many_open_runs"]
    assert settings.RUN_CHECKS == checks
    assert settings.RUN_ENDED == []
