"""Tools that wait for the person's yes, as the agent handles them; tests.test_resume has what the doors say to it."""

import asyncio
import json

import pytest

from chat import engine
from chat.models import Assistant

from . import toolbox
from .conftest import over, until
from .test_agent import DONE_WITH_IT, agent_run, end, nothing_is_left, say, shown_to_model, used  # noqa: F401
from .test_openai import nothing_from_outside  # noqa: F401
from .upstream import CALLS, END, SILENCE, call, refusal

ASKED = (*call("transfer", {"amount": 5}), *CALLS)


async def answered(run, *yes):
    """Answer what it waits for, in order; gives the run that goes on, started."""
    after = await run.resume(dict(zip([one["id"] for one in run.interrupts], yes, strict=True)))
    await engine.start(after)
    return after


def result(id, text=None, error=None):
    """The part of a call that an earlier message made."""
    return {"type": "tool_result", "id": id, "result": text, "error": error}


def results_shown(upstream):
    return {one["tool_call_id"]: one["content"] for one in shown_to_model(upstream) if one["role"] == "tool"}


async def test_a_call_that_needs_a_yes_ends_the_run_before_it_is_used(agent_run, upstream):  # noqa: F811
    run = await agent_run(("I pay.", *ASKED), tools=["transfer"])
    status, _, parts = await end(run)
    assert (status, run.finish_reason) == ("completed", "tool_calls")
    assert parts == [{"type": "reasoning", "text": "I pay."}, used("call_1", "transfer", {"amount": 5})]
    [interrupt] = run.interrupts
    assert (interrupt["toolCallId"], interrupt["message"]) == ("call_1", "Allow “transfer” to run?")
    assert toolbox.used == []
    assert len(upstream.asked) == 1


@pytest.mark.parametrize("named", [["echo"], ["clock", "echo"]])
async def test_an_assistant_may_name_more_tools_that_ask_first(agent_run, named):  # noqa: F811
    run = await agent_run((*call("echo", {"text": "a"}), *CALLS), ask_first=named)
    _, _, parts = await end(run)
    assert parts == [used("call_1", "echo", {"text": "a"})]
    assert len(run.interrupts) == 1
    assert toolbox.used == []


async def test_yes_uses_the_tool_once_and_goes_on(agent_run, upstream):  # noqa: F811
    run = await agent_run(ASKED, DONE_WITH_IT, tools=["transfer"])
    await over(run)
    after = await answered(run, True)
    status, _, parts = await end(after)
    assert (status, parts) == ("completed", [result("call_1", "5 moved"), say("All is done.")])
    assert [event.type for _, event in await over(after)][:3] == [
        "RUN_STARTED",
        "TOOL_CALL_RESULT",
        "TEXT_MESSAGE_START",
    ]
    assert toolbox.used == [("transfer", 5)]
    made, told = shown_to_model(upstream)
    assert json.loads(made["tool_calls"][0]["function"]["arguments"]) == {"amount": 5}
    assert (told["tool_call_id"], told["content"]) == ("call_1", "5 moved")
    assert len(upstream.asked) == 2
    await run.message.arefresh_from_db()
    assert run.message.parts[0]["result"] is None  # the earlier message stays as it was


async def test_no_is_told_to_the_model_and_the_tool_is_not_used(agent_run, upstream):  # noqa: F811
    run = await agent_run(ASKED, ("Then not.", *END), tools=["transfer"])
    await over(run)
    after = await answered(run, False)
    status, _, parts = await end(after)
    refused = "The person did not allow this."
    assert (status, parts) == ("completed", [result("call_1", error=refused), say("Then not.")])
    assert results_shown(upstream) == {"call_1": refused}
    assert toolbox.used == []


async def test_the_other_calls_of_the_turn_run_without_being_asked_for(agent_run, upstream):  # noqa: F811
    turn = (*call("transfer", {"amount": 5}, "a", 0), *call("echo", {"text": "b"}, "b", 1), *CALLS)
    run = await agent_run(turn, DONE_WITH_IT, tools=["transfer", "echo"])
    _, _, parts = await end(run)
    assert parts == [used("a", "transfer", {"amount": 5}), used("b", "echo", {"text": "b"}, "b!")]
    assert [one["toolCallId"] for one in run.interrupts] == ["a"]
    after = await answered(run, True)
    _, _, parts = await end(after)
    assert parts[0] == result("a", "5 moved")
    assert toolbox.used == [("echo", "b"), ("transfer", 5)]
    assert results_shown(upstream) == {"a": "5 moved", "b": "b!"}


async def test_each_call_has_its_own_answer(agent_run, upstream):  # noqa: F811
    turn = (*call("transfer", {"amount": 5}, "a", 0), *call("transfer", {"amount": 6}, "b", 1), *CALLS)
    run = await agent_run(turn, DONE_WITH_IT, tools=["transfer"])
    await over(run)
    assert [one["toolCallId"] for one in run.interrupts] == ["a", "b"]
    _, _, parts = await end(await answered(run, False, True))
    assert toolbox.used == [("transfer", 6)]
    assert {part["id"]: part["result"] for part in parts[:2]} == {"a": None, "b": "6 moved"}
    assert results_shown(upstream) == {"a": "The person did not allow this.", "b": "6 moved"}


async def test_allowed_calls_run_at_once_and_each_tells_its_result(agent_run):  # noqa: F811
    first, second = toolbox.gate("first"), toolbox.gate("second")
    turn = (*call("pass_gate", {"gate": "first"}, "a", 0), *call("pass_gate", {"gate": "second"}, "b", 1), *CALLS)
    run = await agent_run(turn, DONE_WITH_IT, tools=["pass_gate"], ask_first=["pass_gate"])
    await over(run)
    after = await answered(run, True, True)
    await until(lambda: len(toolbox.used) == 2)
    second.set()
    await until(lambda: toolbox.ended == ["second"])
    first.set()
    _, _, parts = await end(after)
    assert parts[:2] == [result("b", "second is open"), result("a", "first is open")]


async def test_an_allowed_call_that_fails_is_shown_like_any_other(agent_run, upstream):  # noqa: F811
    turn = (*call("transfer", {"amount": 5000}), *CALLS)
    run = await agent_run(turn, ("It is too much.", *END), tools=["transfer"])
    await over(run)
    status, _, parts = await end(await answered(run, True))
    assert (status, parts[0]) == ("completed", result("call_1", error="That is too much."))
    assert results_shown(upstream) == {"call_1": "That is too much."}


async def test_a_tool_that_is_gone_when_the_answer_comes(agent_run):  # noqa: F811
    run = await agent_run(ASKED, DONE_WITH_IT, tools=["transfer", "echo"])
    await over(run)
    await Assistant.objects.filter(pk=run.assistant_id).aupdate(tools=["echo"])
    status, _, parts = await end(await answered(run, True))
    assert status == "completed"
    assert "There is no tool called “transfer”" in parts[0]["error"]


async def test_what_was_used_already_is_told_and_not_used_again(agent_run, upstream, client_of, alice):  # noqa: F811
    run = await agent_run(ASKED, DONE_WITH_IT, ("Done, I say.", *END), tools=["transfer"])
    await over(run)
    after = await answered(run, True)
    await over(after)
    told = (await client_of(alice).send("POST", f"/api/messages/{after.message_id}/regenerate")).json()
    again = await type(run).objects.select_related("message", "conversation").aget(pk=told["run_id"])
    _, _, parts = await end(again)
    assert parts == [result("call_1", "5 moved"), say("Done, I say.")]
    assert toolbox.used == [("transfer", 5)]
    assert results_shown(upstream) == {"call_1": "5 moved"}


async def test_an_answered_run_may_ask_again(agent_run, upstream):  # noqa: F811
    again = (*call("transfer", {"amount": 6}), *CALLS)  # the model gives the same id once more
    run = await agent_run(ASKED, again, DONE_WITH_IT, tools=["transfer"])
    await over(run)
    after = await answered(run, True)
    _, _, parts = await end(after)
    assert parts == [result("call_1", "5 moved"), used("call_1_2", "transfer", {"amount": 6})]
    assert [one["toolCallId"] for one in after.interrupts] == ["call_1_2"]
    last = await answered(after, True)
    _, _, parts = await end(last)
    assert parts == [result("call_1_2", "6 moved"), say("All is done.")]
    assert toolbox.used == [("transfer", 5), ("transfer", 6)]
    assert results_shown(upstream) == {"call_1": "5 moved", "call_1_2": "6 moved"}


async def test_the_limit_counts_anew_after_an_answer(agent_run, upstream):  # noqa: F811
    echo = (*call("echo", {"text": "a"}), *CALLS)
    run = await agent_run(echo, ASKED, echo, echo, DONE_WITH_IT, tools=["echo", "transfer"], max_model_calls=2)
    await over(run)
    assert len(run.interrupts) == 1
    status, _, parts = await end(await answered(run, True))
    assert (status, parts[-1]) == ("completed", say("All is done."))
    assert ["tools" in asked.body for asked in upstream.asked] == [True, True, True, True, False]


async def test_who_writes_something_else_has_not_allowed_it(agent_run, upstream):  # noqa: F811
    run = await agent_run(ASKED, ("Fine.", *END), tools=["transfer"])
    await over(run)
    after = await run.conversation.ask("Never mind")
    await engine.start(after)
    status, _, parts = await end(after)
    assert (status, parts) == ("completed", [say("Fine.")])
    assert toolbox.used == []
    assert list(results_shown(upstream)) == ["call_1"]
    assert "not" in results_shown(upstream)["call_1"]


@pytest.mark.parametrize("arguments", ['{"amount": 5', "[5]"])
async def test_what_cannot_be_read_is_not_asked_for(agent_run, arguments):  # noqa: F811
    run = await agent_run((*call("transfer", arguments), *CALLS), DONE_WITH_IT, tools=["transfer"])
    status, _, parts = await end(run)
    assert (status, run.interrupts, parts[-1]) == ("completed", [], say("All is done."))
    assert "JSON" in parts[0]["error"]


async def test_a_model_that_fails_after_an_allowed_call_does_not_have_it_run_again(agent_run, upstream):  # noqa: F811
    busy = refusal(500, {"error": {"message": "Busy"}}, retry_after="0")
    run = await agent_run(ASKED, *[busy] * 3, tools=["transfer"])
    await over(run)
    status, code, parts = await end(await answered(run, True))
    assert (status, code, parts) == ("failed", "overloaded", [result("call_1", "5 moved")])
    assert toolbox.used == [("transfer", 5)]
    assert len(upstream.asked) == 4


async def test_cancel_stops_an_allowed_call(agent_run):  # noqa: F811
    toolbox.gate("door")
    turn = (*call("pass_gate", {"gate": "door"}), *CALLS)
    run = await agent_run(turn, (SILENCE,), tools=["pass_gate"], ask_first=["pass_gate"])
    await over(run)
    after = await answered(run, True)
    await until(lambda: toolbox.used)
    await engine.cancel(after)
    assert await end(after) == ("cancelled", "", [])
    assert toolbox.ended == ["door"]
    await nothing_is_left()


async def test_nothing_runs_between_the_question_and_the_answer(agent_run):  # noqa: F811
    run = await agent_run(ASKED, tools=["transfer"])
    await over(run)
    await nothing_is_left()
    assert not [task for task in asyncio.all_tasks() if "agent" in repr(task.get_coro())]
