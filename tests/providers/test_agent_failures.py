"""What can go wrong with the tools and the model of an agent."""

import asyncio
import json
import random
import threading
from collections import Counter

import pytest

from chat import engine, tools
from chat.events import closing_events, fold
from chat.providers import base
from chat.providers.agent import run as agent_run_module
from chat.tools import execution
from tests import toolbox
from tests.providers.agent_runs import (
    ECHO,
    FINAL_ANSWER,
    assert_no_task_is_left,
    messages_after_question,
    outcome_of,
    reasoning_part,
    text_part,
    tool_call_part,
)
from tests.providers.provider_runs import wait_until_idle, wait_until_shown
from tests.upstream import CALLS, DONE, END, FIN, RESET, SILENCE, Answer, call, chunk, refusal
from tests.waiting import wait_for_run, wait_until

pytestmark = pytest.mark.slow


# What can go wrong with a tool ----------------------------------------------------------------------------------------

WRONG = {  # -> (name, arguments, in the sentence)
    "an unknown tool": ("ecko", {"text": "a"}, "There is no tool called “ecko”. Available tools: “echo”"),
    "a tool that was not chosen": ("clock", {}, "There is no tool called “clock”"),
    "no name": ("", {}, "There is no tool called “unknown”"),
    "arguments that are cut": ("echo", '{"text": "a', "not valid JSON"),
    "arguments in two pieces": ("echo", '{"text": "a"}{"text": "b"}', "not valid JSON"),
    "words for arguments": ("echo", "the text a", "not valid JSON"),
    "arguments that are nested too deep": ("echo", "[" * 100_000, "not valid JSON"),
    "a list of arguments": ("echo", '["a"]', "not a JSON object"),
    "an argument that is missing": ("echo", {}, "text"),
    "an argument of another kind": ("echo", {"text": {"a": 1}}, "text"),
    "an argument that is not known": ("echo", {"text": "a", "loud": True}, "loud"),
    "a tool that cannot do it": ("fail", {"text": "a"}, "There is no more paper."),
    "a tool with a mistake in it": ("break_down", {"text": "a"}, "The tool “break_down” failed."),
}


@pytest.mark.parametrize("what", WRONG)
async def test_tool_error_reaches_the_model_and_the_user(agent_run, upstream, what):
    name, arguments, sentence = WRONG[what]
    tools = [name] if name in ("fail", "break_down") else ["echo"]
    run = await agent_run((*call(name, arguments), *CALLS), FINAL_ANSWER, tools=tools)
    status, _, [step, answer] = await outcome_of(run)
    assert (status, answer) == ("completed", text_part("All is done."))
    assert step["result"] is None
    assert sentence in step["error"]
    assert "inner workings" not in step["error"]
    made, result = messages_after_question(upstream)
    assert (result["tool_call_id"], result["content"]) == ("call_1", step["error"])
    read = arguments if isinstance(arguments, dict) else {}  # many servers refuse what is not JSON
    assert json.loads(made["tool_calls"][0]["function"]["arguments"]) == read
    [event] = [event for _, event in await wait_for_run(run) if event.type == "TOOL_CALL_RESULT"]
    assert event.metadata == {"error": True}


async def test_empty_arguments_count_as_no_arguments(agent_run):
    run = await agent_run((*call("clock", ""), *CALLS), FINAL_ANSWER, tools=["clock"])
    _, _, parts = await outcome_of(run)
    assert parts[0]["result"]


async def test_line_breaks_and_split_characters_in_arguments_reach_the_tool(agent_run):
    pieces = ['{"text": "a\n', "\ud83d", '\ude00"}']
    deltas = [chunk({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}) for piece in pieces]
    run = await agent_run((*call("echo", ""), *deltas, *CALLS), FINAL_ANSWER)
    _, _, parts = await outcome_of(run)
    assert parts[0]["result"] == "a\n😀!"


async def test_tool_result_of_five_megabytes_is_cut(agent_run, upstream):
    run = await agent_run((*call("flood", {"size": 5_000_000}), *CALLS), FINAL_ANSWER, tools=["flood"])
    status, _, parts = await outcome_of(run)
    assert status == "completed"
    assert tools.MAX_RESULT_LENGTH < len(parts[0]["result"]) < tools.MAX_RESULT_LENGTH + 100
    assert messages_after_question(upstream)[1]["content"] == parts[0]["result"]


async def test_tool_that_takes_too_long_is_stopped(agent_run, monkeypatch):
    monkeypatch.setattr(execution, "TOOL_TIMEOUT", 0.1)
    toolbox.gate("door")
    run = await agent_run((*call("pass_gate", {"gate": "door"}), *CALLS), FINAL_ANSWER, tools=["pass_gate"])
    status, _, parts = await outcome_of(run)
    assert (status, parts[-1]) == ("completed", text_part("All is done."))
    assert "took longer than" in parts[0]["error"]
    assert toolbox.ended == ["door"]


async def test_tool_that_fails_leaves_the_others_alone(agent_run):
    turn = (*call("fail", {"text": "a"}, "a", 0), *call("echo", {"text": "b"}, "b", 1), *CALLS)
    _, _, parts = await outcome_of(await agent_run(turn, FINAL_ANSWER, tools=["fail", "echo"]))
    assert [(part["result"], part["error"]) for part in parts[:2]] == [
        (None, "There is no more paper."),
        ("b!", None),
    ]


async def test_model_without_available_tools_just_answers(agent_run, upstream):
    gate = asyncio.Event()
    run = await agent_run(("Hello", gate.wait, *END), tools=["no_such_tool"])
    await wait_until_shown(run, "Hello")  # nothing is held back where no call can come
    gate.set()
    assert await outcome_of(run) == ("completed", "", [text_part("Hello")])
    assert "tools" not in upstream.requests[0].body


async def test_call_without_available_tools_gets_an_error(agent_run):
    _, _, parts = await outcome_of(await agent_run(ECHO, FINAL_ANSWER, tools=["no_such_tool"]))
    assert parts[0]["error"] == "There is no tool called “echo”. Available tools: none."


# What can go wrong with the model -------------------------------------------------------------------------------------


async def test_model_that_fails_before_its_first_piece_is_asked_again(agent_run, upstream, monkeypatch):
    monkeypatch.setattr(base, "MAX_RETRY_DELAY", 10)
    run = await agent_run(refusal(500, {"error": {"message": "Busy"}}, retry_after="0"), ECHO, FINAL_ANSWER)
    status, _, parts = await outcome_of(run)
    assert (status, [part["type"] for part in parts]) == ("completed", ["tool_call", "text"])
    assert len(upstream.requests) == 3


async def test_model_that_refuses_after_a_step_is_asked_again(agent_run, upstream):
    refused = refusal(429, {"error": {"message": "Slow down"}}, retry_after="0")
    status, _, parts = await outcome_of(await agent_run(ECHO, refused, (FIN,), FINAL_ANSWER))
    assert status == "completed"
    assert parts == [tool_call_part("call_1", "echo", {"text": "a"}, "a!"), text_part("All is done.")]
    assert toolbox.calls == [("echo", "a")]
    assert len(upstream.requests) == 4


async def test_model_that_keeps_refusing_after_a_step_fails_the_run(agent_run, upstream):
    run = await agent_run(ECHO, *[refusal(429, {"error": {"message": "Slow down"}}, retry_after="0")] * 3)
    status, code, parts = await outcome_of(run)
    assert (status, code) == ("failed", "rate_limited")
    assert parts == [tool_call_part("call_1", "echo", {"text": "a"}, "a!")]
    assert len(upstream.requests) == 4
    assert toolbox.calls == [("echo", "a")]


@pytest.mark.parametrize("how", [FIN, RESET])
async def test_turn_that_is_cut_off_keeps_its_text(agent_run, upstream, how):
    run = await agent_run(ECHO, ("All is ", "well", how))
    status, code, parts = await outcome_of(run)
    assert (status, code) == ("interrupted", "broken_off")
    assert parts == [tool_call_part("call_1", "echo", {"text": "a"}, "a!"), text_part("All is well")]
    assert len(upstream.requests) == 2


async def test_cut_in_the_middle_of_a_call_runs_no_tool(agent_run):
    head, *_ = call("echo", {"text": "a"})
    status, code, parts = await outcome_of(await agent_run(("Let me see.", head, FIN)))
    assert (status, code) == ("interrupted", "broken_off")
    assert parts == [reasoning_part("Let me see."), tool_call_part("call_1", "echo", "")]
    assert toolbox.calls == []


async def test_turn_without_a_finish_reason_runs_no_tool(agent_run):
    run = await agent_run((*call("echo", {"text": "a"}), DONE))
    assert await outcome_of(run) == ("interrupted", "broken_off", [tool_call_part("call_1", "echo", {"text": "a"})])
    assert toolbox.calls == []


async def test_error_in_the_middle_of_a_turn_fails_the_run_and_keeps_the_text(agent_run):
    broken = {"error": {"message": "It fell over.", "type": "server_error"}}
    status, code, parts = await outcome_of(await agent_run(ECHO, ("All is ", broken)))
    assert (status, code) == ("failed", "overloaded")
    assert parts[-1] == text_part("All is ")


async def test_server_that_never_ends_its_turn_is_not_waited_for(agent_run, monkeypatch):
    monkeypatch.setattr(agent_run_module, "AFTER_FINISH_TIMEOUT", 0.1)
    turn = (*call("echo", {"text": "a"}), chunk(finish_reason="tool_calls"), SILENCE)
    status, _, parts = await outcome_of(await agent_run(turn, FINAL_ANSWER))
    assert (status, parts[0]["result"], parts[1]) == ("completed", "a!", text_part("All is done."))


async def test_slow_model_is_not_timed_out_while_its_text_is_held_back(agent_run, settings):
    settings.SILENCE_SECONDS = 2
    assert await outcome_of(await agent_run(("a", 0.7, "b", 0.7, "c", 0.7, "d", *END))) == (
        "completed",
        "",
        [text_part("abcd")],
    )


async def test_turn_that_was_complete_before_the_cut_counts(agent_run):
    turn = (*call("echo", {"text": "a"}), chunk(finish_reason="tool_calls"), RESET)
    status, _, parts = await outcome_of(await agent_run(turn, FINAL_ANSWER))
    assert (status, parts[0]["result"], parts[1]) == ("completed", "a!", text_part("All is done."))


async def test_model_that_falls_silent_after_a_step_interrupts_the_run(agent_run, settings):
    settings.FIRST_TOKEN_SECONDS = 2  # the first step has to begin in this time, too
    status, code, parts = await outcome_of(await agent_run(ECHO, (SILENCE,)))
    assert (status, code) == ("interrupted", "timeout")
    assert parts == [tool_call_part("call_1", "echo", {"text": "a"}, "a!")]


# Whatever happens ---------------------------------------------------------------------------------------------------

FAULTS = [  # a model's answers; what is listed several times is drawn more often
    *[ECHO] * 3,
    *[FINAL_ANSWER] * 2,
    (*call("echo", '{"text": '), *CALLS),
    (*call("ecko", {"text": "a"}), *CALLS),
    (*call("fail", {"text": "a"}), *CALLS),
    (*call("break_down", {"text": "a"}, "a", 0), *call("echo", {"text": "b"}, "b", 1), *CALLS),
    (*call("pass_gate", {"gate": "shut"}), *CALLS),
    (*call("pass_gate_in_thread", {"gate": "shut too"}), *CALLS),
    (*call("transfer", {"amount": 5}), *CALLS),
    ("All is ", FIN),
    (*call("echo", {"text": "a"}), RESET),
    ("All is ", SILENCE),
    (SILENCE,),
    ("All is ", b'data: {"choices": [{]\n\n'),
    (b"<html>",),
    ("All is ", {"error": {"message": "It fell over.", "type": "server_error"}}),
    refusal(429, {"error": {"message": "Slow down"}}, retry_after="0"),
    refusal(500, {"error": {"message": "Busy"}}, retry_after="0"),
    refusal(401, {"error": {"message": "No"}}),
]


async def test_runs_with_random_faults_all_end(agent_run, upstream, monkeypatch, settings):
    settings.MAX_RUNS_PER_USER = 100
    settings.FIRST_TOKEN_SECONDS = 1
    settings.SILENCE_SECONDS = 0.5
    monkeypatch.setattr(execution, "TOOL_TIMEOUT", 0.3)
    toolbox.gate("shut")
    door = toolbox.thread_gate("shut too")

    def answer(request):
        chosen = random.Random(f"{request.body['model']} {upstream.times(request.body['model'])}").choice(FAULTS)
        return chosen if isinstance(chosen, Answer) else Answer(list(chosen))

    async def finish_run(number):
        dice = random.Random(number)
        offered = ["echo", "fail", "break_down", "pass_gate", "pass_gate_in_thread", "transfer"]
        run = await agent_run(model=f"openai:{number}", slug=f"agent-{number}", tools=offered)
        if dice.random() < 0.3:
            await asyncio.sleep(dice.random())
            await engine.cancel(run)
        events = [event for _, event in await wait_for_run(run)]
        assert run.status in ("completed", "failed", "interrupted", "cancelled")
        assert fold(events) == run.message.parts
        assert closing_events(events) == []
        assert len(events) > 1
        return run.status

    upstream.answer = answer
    try:
        statuses = Counter(await asyncio.gather(*map(finish_run, range(200))))
    finally:
        door.set()
    assert set(statuses) == {"completed", "failed", "interrupted", "cancelled"}
    await wait_until_idle(upstream)
    await wait_until(lambda: not any(thread.name == "tool" for thread in threading.enumerate()))
    await assert_no_task_is_left()
