"""Tools that wait for the user's yes, as the agent handles them; tests.engine.test_resume has the API."""

import asyncio
import json

import pytest

from chat import engine
from chat.models import Assistant, Conversation
from chat.tools import asks_first
from tests import toolbox
from tests.providers.agent_runs import (
    FINAL_ANSWER,
    answered,
    assert_no_task_is_left,
    messages_after_question,
    outcome_of,
    text_part,
    tool_call_part,
)
from tests.upstream import CALLS, END, SILENCE, call, refusal
from tests.waiting import wait_for_run, wait_until

pytestmark = pytest.mark.slow  # loads the packages of agents

ASKED = (*call("transfer", {"amount": 5}), *CALLS)


def result(id, text=None, error=None):
    """The part of a call that an earlier message made."""
    return {"type": "tool_result", "id": id, "result": text, "error": error}


def results_shown(upstream):
    return {
        message["tool_call_id"]: message["content"]
        for message in messages_after_question(upstream)
        if message["role"] == "tool"
    }


async def test_call_that_needs_approval_ends_the_run_before_it_runs(agent_run, upstream):
    run = await agent_run(("I pay.", *ASKED), tools=["transfer"])
    status, _, parts = await outcome_of(run)
    assert (status, run.finish_reason) == ("completed", "tool_calls")
    assert parts == [{"type": "reasoning", "text": "I pay."}, tool_call_part("call_1", "transfer", {"amount": 5})]
    [interrupt] = run.interrupts
    assert (interrupt["toolCallId"], interrupt["message"]) == ("call_1", "Allow “transfer” to run?")
    assert toolbox.calls == []
    assert len(upstream.requests) == 1


@pytest.mark.parametrize("named", [["echo"], ["clock", "echo"]])
async def test_assistant_may_name_more_tools_that_need_approval(agent_run, named):
    run = await agent_run((*call("echo", {"text": "a"}), *CALLS), ask_first=named)
    _, _, parts = await outcome_of(run)
    assert parts == [tool_call_part("call_1", "echo", {"text": "a"})]
    assert len(run.interrupts) == 1
    assert toolbox.calls == []


async def test_approval_runs_the_tool_once_and_continues(agent_run, upstream):
    run = await agent_run(ASKED, FINAL_ANSWER, tools=["transfer"])
    await wait_for_run(run)
    after = await answered(run, True)
    status, _, parts = await outcome_of(after)
    assert (status, parts) == ("completed", [result("call_1", "5 moved"), text_part("All is done.")])
    assert [event.type for _, event in await wait_for_run(after)][:3] == [
        "RUN_STARTED",
        "TOOL_CALL_RESULT",
        "TEXT_MESSAGE_START",
    ]
    assert toolbox.calls == [("transfer", 5)]
    made, answered_call = messages_after_question(upstream)
    assert json.loads(made["tool_calls"][0]["function"]["arguments"]) == {"amount": 5}
    assert (answered_call["tool_call_id"], answered_call["content"]) == ("call_1", "5 moved")
    assert len(upstream.requests) == 2
    await run.message.arefresh_from_db()
    assert run.message.parts[0]["result"] is None  # the earlier message stays as it was


async def test_refusal_goes_to_the_model_and_the_tool_does_not_run(agent_run, upstream):
    run = await agent_run(ASKED, ("Then not.", *END), tools=["transfer"])
    await wait_for_run(run)
    after = await answered(run, False)
    status, _, parts = await outcome_of(after)
    refused = "The user did not allow this."
    assert (status, parts) == ("completed", [result("call_1", error=refused), text_part("Then not.")])
    assert results_shown(upstream) == {"call_1": refused}
    assert toolbox.calls == []


async def test_other_calls_of_the_turn_run_without_approval(agent_run, upstream):
    turn = (*call("transfer", {"amount": 5}, "a", 0), *call("echo", {"text": "b"}, "b", 1), *CALLS)
    run = await agent_run(turn, FINAL_ANSWER, tools=["transfer", "echo"])
    _, _, parts = await outcome_of(run)
    assert parts == [tool_call_part("a", "transfer", {"amount": 5}), tool_call_part("b", "echo", {"text": "b"}, "b!")]
    assert [interrupt["toolCallId"] for interrupt in run.interrupts] == ["a"]
    after = await answered(run, True)
    _, _, parts = await outcome_of(after)
    assert parts[0] == result("a", "5 moved")
    assert toolbox.calls == [("echo", "b"), ("transfer", 5)]
    assert results_shown(upstream) == {"a": "5 moved", "b": "b!"}


async def test_calls_have_an_answer_each(agent_run, upstream):
    turn = (*call("transfer", {"amount": 5}, "a", 0), *call("transfer", {"amount": 6}, "b", 1), *CALLS)
    run = await agent_run(turn, FINAL_ANSWER, tools=["transfer"])
    await wait_for_run(run)
    assert [interrupt["toolCallId"] for interrupt in run.interrupts] == ["a", "b"]
    _, _, parts = await outcome_of(await answered(run, False, True))
    assert toolbox.calls == [("transfer", 6)]
    assert {part["id"]: part["result"] for part in parts[:2]} == {"a": None, "b": "6 moved"}
    assert results_shown(upstream) == {"a": "The user did not allow this.", "b": "6 moved"}


async def test_allowed_calls_run_together_and_each_reports_its_result(agent_run):
    first, second = toolbox.gate("first"), toolbox.gate("second")
    turn = (*call("pass_gate", {"gate": "first"}, "a", 0), *call("pass_gate", {"gate": "second"}, "b", 1), *CALLS)
    run = await agent_run(turn, FINAL_ANSWER, tools=["pass_gate"], ask_first=["pass_gate"])
    await wait_for_run(run)
    after = await answered(run, True, True)
    await wait_until(lambda: len(toolbox.calls) == 2)
    second.set()
    await wait_until(lambda: toolbox.ended == ["second"])
    first.set()
    _, _, parts = await outcome_of(after)
    assert parts[:2] == [result("b", "second is open"), result("a", "first is open")]


async def test_allowed_call_that_fails_is_shown_like_any_other(agent_run, upstream):
    turn = (*call("transfer", {"amount": 5000}), *CALLS)
    run = await agent_run(turn, ("It is too much.", *END), tools=["transfer"])
    await wait_for_run(run)
    status, _, parts = await outcome_of(await answered(run, True))
    assert (status, parts[0]) == ("completed", result("call_1", error="That is too much."))
    assert results_shown(upstream) == {"call_1": "That is too much."}


async def test_allowed_call_of_a_tool_that_no_longer_exists(agent_run):
    run = await agent_run(ASKED, FINAL_ANSWER, tools=["transfer", "echo"])
    await wait_for_run(run)
    await Assistant.objects.filter(pk=run.assistant_id).aupdate(tools=["echo"])
    status, _, parts = await outcome_of(await answered(run, True))
    assert status == "completed"
    assert "There is no tool called “transfer”" in parts[0]["error"]


async def test_call_with_a_result_does_not_run_again(agent_run, upstream, client_of, alice):
    run = await agent_run(ASKED, FINAL_ANSWER, ("Done, I say.", *END), tools=["transfer"])
    await wait_for_run(run)
    after = await answered(run, True)
    await wait_for_run(after)
    data = (await client_of(alice).send("POST", f"/api/messages/{after.message_id}/regenerate")).json()
    again = await type(run).objects.select_related("message", "conversation").aget(pk=data["run_id"])
    _, _, parts = await outcome_of(again)
    assert parts == [result("call_1", "5 moved"), text_part("Done, I say.")]
    assert toolbox.calls == [("transfer", 5)]
    assert results_shown(upstream) == {"call_1": "5 moved"}


async def test_resumed_run_may_ask_again(agent_run, upstream):
    again = (*call("transfer", {"amount": 6}), *CALLS)  # the model gives the same id once more
    run = await agent_run(ASKED, again, FINAL_ANSWER, tools=["transfer"])
    await wait_for_run(run)
    after = await answered(run, True)
    _, _, parts = await outcome_of(after)
    assert parts == [result("call_1", "5 moved"), tool_call_part("call_1_2", "transfer", {"amount": 6})]
    assert [interrupt["toolCallId"] for interrupt in after.interrupts] == ["call_1_2"]
    last = await answered(after, True)
    _, _, parts = await outcome_of(last)
    assert parts == [result("call_1_2", "6 moved"), text_part("All is done.")]
    assert toolbox.calls == [("transfer", 5), ("transfer", 6)]
    assert results_shown(upstream) == {"call_1": "5 moved", "call_1_2": "6 moved"}


async def test_resumed_run_has_a_fresh_limit_of_model_calls(agent_run, upstream):
    echo = (*call("echo", {"text": "a"}), *CALLS)
    run = await agent_run(echo, ASKED, echo, echo, FINAL_ANSWER, tools=["echo", "transfer"], max_model_calls=2)
    await wait_for_run(run)
    assert len(run.interrupts) == 1
    status, _, parts = await outcome_of(await answered(run, True))
    assert (status, parts[-1]) == ("completed", text_part("All is done."))
    assert ["tools" in request.body for request in upstream.requests] == [True, True, True, True, False]


async def test_message_in_place_of_an_answer_does_not_allow_the_call(agent_run, upstream):
    run = await agent_run(ASKED, ("Fine.", *END), tools=["transfer"])
    await wait_for_run(run)
    after = await run.conversation.ask("Never mind")
    await engine.start(after)
    status, _, parts = await outcome_of(after)
    assert (status, parts) == ("completed", [text_part("Fine.")])
    assert toolbox.calls == []
    assert list(results_shown(upstream)) == ["call_1"]
    assert "not" in results_shown(upstream)["call_1"]


@pytest.mark.parametrize("arguments", ['{"amount": 5', "[5]"])
async def test_call_that_cannot_be_parsed_needs_no_approval(agent_run, arguments):
    run = await agent_run((*call("transfer", arguments), *CALLS), FINAL_ANSWER, tools=["transfer"])
    status, _, parts = await outcome_of(run)
    assert (status, run.interrupts, parts[-1]) == ("completed", [], text_part("All is done."))
    assert "JSON" in parts[0]["error"]


async def test_failure_after_an_allowed_call_does_not_run_it_again(agent_run, upstream):
    busy = refusal(500, {"error": {"message": "Busy"}}, retry_after="0")
    run = await agent_run(ASKED, *[busy] * 3, tools=["transfer"])
    await wait_for_run(run)
    status, code, parts = await outcome_of(await answered(run, True))
    assert (status, code, parts) == ("failed", "overloaded", [result("call_1", "5 moved")])
    assert toolbox.calls == [("transfer", 5)]
    assert len(upstream.requests) == 4


async def test_cancel_stops_an_allowed_call(agent_run):
    toolbox.gate("door")
    turn = (*call("pass_gate", {"gate": "door"}), *CALLS)
    run = await agent_run(turn, (SILENCE,), tools=["pass_gate"], ask_first=["pass_gate"])
    await wait_for_run(run)
    after = await answered(run, True)
    await wait_until(lambda: toolbox.calls)
    await engine.cancel(after)
    assert await outcome_of(after) == ("cancelled", "", [])
    assert toolbox.ended == ["door"]
    await assert_no_task_is_left()


async def test_tool_that_is_always_allowed_runs_without_asking(agent_run, upstream):
    again = (*call("transfer", {"amount": 6}, "call_2"), *CALLS)
    later = (*call("transfer", {"amount": 7}, "call_3"), *CALLS)
    run = await agent_run(ASKED, again, FINAL_ANSWER, later, FINAL_ANSWER, tools=["transfer"])
    await wait_for_run(run)
    [interrupt] = run.interrupts
    assert interrupt["metadata"]["toolKey"] == "transfer"
    assert interrupt["responseSchema"]["properties"].keys() == {"approved", "always"}
    status, _, parts = await outcome_of(await answered(run, True, always=True))
    assert (status, parts[-1]) == ("completed", text_part("All is done."))
    after = await run.conversation.ask("Once more")
    await engine.start(after)
    assert (await outcome_of(after))[0] == "completed"
    assert toolbox.calls == [("transfer", 5), ("transfer", 6), ("transfer", 7)]


async def test_tool_that_is_allowed_once_asks_again(agent_run):
    again = (*call("transfer", {"amount": 6}, "call_2"), *CALLS)
    run = await agent_run(ASKED, again, tools=["transfer"])
    await wait_for_run(run)
    after = await answered(run, True)
    await wait_for_run(after)
    assert len(after.interrupts) == 1
    assert toolbox.calls == [("transfer", 5)]


async def test_tool_that_is_always_allowed_asks_in_other_conversations(agent_run, alice):
    run = await agent_run(ASKED, FINAL_ANSWER, ASKED, tools=["transfer"])
    await wait_for_run(run)
    await wait_for_run(await answered(run, True, always=True))
    other = await Conversation.begin(alice, "Pay", run.assistant.slug)
    await engine.start(other)
    await wait_for_run(other)
    assert len(other.interrupts) == 1
    assert toolbox.calls == [("transfer", 5)]


async def test_other_tools_still_ask(agent_run):
    again = (*call("echo", {"text": "a"}, "call_2"), *CALLS)
    run = await agent_run(ASKED, again, tools=["transfer", "echo"], ask_first=["echo"])
    await wait_for_run(run)
    after = await answered(run, True, always=True)
    await wait_for_run(after)
    assert [interrupt["metadata"]["toolKey"] for interrupt in after.interrupts] == ["echo"]


SIGN = (*call("sign", {"contract": "A"}), *CALLS)
SIGN_AGAIN = (*call("sign", {"contract": "B"}, "call_2"), *CALLS)


async def test_tool_that_asks_every_time_cannot_be_allowed_for_the_conversation(agent_run):
    run = await agent_run(SIGN, SIGN_AGAIN, tools=["sign"])
    await wait_for_run(run)
    [interrupt] = run.interrupts
    assert interrupt["responseSchema"]["properties"].keys() == {"approved"}
    assert interrupt["metadata"]["toolKey"] == "sign"
    after = await answered(run, True, always=True)
    await wait_for_run(after)
    assert len(after.interrupts) == 1
    assert toolbox.calls == [("sign", "A")]
    assert (await Conversation.objects.aget()).allowed_tools == {}


@pytest.mark.parametrize("ask_every_time", [["transfer"], ["transfer", "echo"]])
async def test_permission_of_before_does_not_count_for_an_assistant_that_asks_every_time(agent_run, ask_every_time):
    run = await agent_run(ASKED, FINAL_ANSWER, ASKED, tools=["transfer"])
    await wait_for_run(run)
    await wait_for_run(await answered(run, True, always=True))
    await Assistant.objects.aupdate(ask_every_time=ask_every_time)
    after = await run.conversation.ask("Once more")
    await engine.start(after)
    await wait_for_run(after)
    assert [interrupt["responseSchema"]["properties"].keys() for interrupt in after.interrupts] == [{"approved"}]
    assert toolbox.calls == [("transfer", 5)]


async def test_tool_that_asks_every_time_in_an_assistant_needs_not_be_named_twice(agent_run):
    echo = (*call("echo", {"text": "a"}), *CALLS)
    run = await agent_run(echo, tools=["echo"], ask_every_time=["echo"])
    await wait_for_run(run)
    assert len(run.interrupts) == 1
    assert toolbox.calls == []


async def test_removing_the_permission_counts_for_the_next_call(agent_run, client_of, alice):
    """Also for a run that has begun: its tools are looked up at each call."""
    door = toolbox.gate("door")
    turn = (*call("pass_gate", {"gate": "door"}, "call_2"), *CALLS)
    again = (*call("transfer", {"amount": 6}, "call_3"), *CALLS)
    run = await agent_run(ASKED, turn, again, tools=["transfer", "pass_gate"])
    await wait_for_run(run)
    after = await answered(run, True, always=True)
    await wait_until(lambda: len(toolbox.calls) == 2)
    path = f"/api/conversations/{run.conversation_id}"
    changed = await client_of(alice).send("PATCH", path, {"allowed_tools": []})
    assert (changed.status_code, changed.json()["allowed_tools"]) == (200, [])
    door.set()
    await wait_for_run(after)
    assert [interrupt["toolCallId"] for interrupt in after.interrupts] == ["call_3"]
    assert toolbox.calls == [("transfer", 5), ("pass_gate", "door")]


async def test_changed_tool_asks_again(agent_run, monkeypatch):
    run = await agent_run(ASKED, FINAL_ANSWER, ASKED, tools=["transfer"])
    await wait_for_run(run)
    await wait_for_run(await answered(run, True, always=True))

    @asks_first
    async def transfer(amount: int, to: str = "Bob") -> str:
        """Moves money."""
        toolbox.calls.append((to, amount))

    monkeypatch.setattr(toolbox, "transfer", transfer)
    after = await run.conversation.ask("Once more")
    await engine.start(after)
    await wait_for_run(after)
    assert len(after.interrupts) == 1
    assert toolbox.calls == [("transfer", 5)]


async def test_questions_are_in_the_order_of_the_calls(agent_run):
    """Whichever of them is looked up first."""
    turn = [call("transfer", {"amount": number}, f"call_{number}", number) for number in range(1, 9)]
    run = await agent_run((*[line for lines in turn for line in lines], *CALLS), tools=["transfer"])
    await wait_for_run(run)
    assert [interrupt["toolCallId"] for interrupt in run.interrupts] == [f"call_{number}" for number in range(1, 9)]


async def test_open_approval_leaves_nothing_running(agent_run):
    run = await agent_run(ASKED, tools=["transfer"])
    await wait_for_run(run)
    await assert_no_task_is_left()
    assert not [task for task in asyncio.all_tasks() if "agent" in repr(task.get_coro())]
