"""Assistants with tools, through the engine, against a scripted server that speaks OpenAI's wire format."""

import asyncio
import base64
import json
import random
import threading
from collections import Counter
from contextlib import aclosing
from itertools import groupby

import pytest
from langsmith.utils import get_env_var

from chat import engine, providers, tools
from chat.events import Finish, Text, Usage, closing_events, fold
from chat.providers import Request, agent, base, openai
from chat.providers.agent import run as agent_run_module
from chat.tools import execution
from tests import toolbox
from tests.images import PICTURE
from tests.providers.agent_runs import (
    FINAL_ANSWER,
    assert_no_task_is_left,
    messages_after_question,
    outcome_of,
    text_part,
    tool_call_part,
)
from tests.providers.provider_runs import wait_until_closed, wait_until_idle, wait_until_shown
from tests.providers.vendor_turns import anthropic, google, named, tool_use
from tests.upstream import CALLS, DONE, END, FIN, RESET, SILENCE, Answer, call, chunk, refusal, tokens
from tests.waiting import wait_for_run, wait_until

pytestmark = pytest.mark.slow


@pytest.fixture
async def agent_pieces(upstream, monkeypatch):
    """`agent_pieces(*steps)`: the agent's pieces, without an engine."""
    toolbox.offer(monkeypatch)

    def ask(*steps):
        upstream.answers(*steps)
        params, turns = {"base_url": upstream.base_url}, [("user", [text_part("Hi")])]
        return agent.reply(Request("scripted", turns, "openai", params=params, tools=["echo"]))

    return ask


async def wait_for_events(run, kind, count=1):
    """Waits until a follower has received this many events of this type. Returns them."""
    async with asyncio.timeout(10), aclosing(engine.follow(run)) as events:
        seen = []
        async for _, event in events:
            if event and event.type == kind:
                seen.append(event)
            if len(seen) == count:
                return seen


def reasoning_part(text):
    return {"type": "reasoning", "text": text}


# The way to an answer -------------------------------------------------------------------------------------------------


async def test_calculator_call_leads_to_the_answer(agent_run, upstream):
    answer = "The square root of 71 is about 8.426, as 8.426 × 8.426 shows."
    run = await agent_run(
        (*call("calculator", {"expression": "sqrt(71)"}), *CALLS),
        (*tokens(answer), *END),
        tools=["calculator"],
        system_prompt="You reckon.",
        text="What is the square root of 71?",
    )
    status, _, parts = await outcome_of(run)
    assert status == "completed"
    [step, text] = parts
    assert step == tool_call_part("call_1", "calculator", {"expression": "sqrt(71)"}, step["result"])
    assert step["result"].startswith("8.426")
    assert text == text_part(answer)
    assert run.finish_reason == "stop"
    assert [counted["total_tokens"] for counted in run.usage] == [12, 12]
    assert run.message.parts[0]["seconds"] >= 0
    assert [kind for kind, _ in groupby(event.type for _, event in await wait_for_run(run))] == [
        "RUN_STARTED",
        "TOOL_CALL_START",
        "TOOL_CALL_ARGS",
        "TOOL_CALL_END",
        "TOOL_CALL_RESULT",
        "TEXT_MESSAGE_START",
        "TEXT_MESSAGE_CONTENT",
        "TEXT_MESSAGE_END",
        "RUN_FINISHED",
    ]

    first, second = (request.body for request in upstream.requests)
    assert [message["role"] for message in first["messages"]] == ["system", "user"]
    assert first["tools"] == second["tools"]
    [offer] = first["tools"]
    assert offer["function"]["name"] == "calculator"
    assert set(offer["function"]["parameters"]) == {"type", "properties", "required"}
    assert "expression" in offer["function"]["parameters"]["properties"]
    made, result = messages_after_question(upstream)
    assert made["tool_calls"][0]["id"] == result["tool_call_id"] == "call_1"
    assert json.loads(made["tool_calls"][0]["function"]["arguments"]) == {"expression": "sqrt(71)"}
    assert result["content"] == step["result"]


async def test_step_is_shown_while_it_runs(agent_run):
    gate = toolbox.gate("door")
    run = await agent_run((*call("pass_gate", {"gate": "door"}), *CALLS), FINAL_ANSWER, tools=["pass_gate"])
    await wait_for_events(run, "TOOL_CALL_END")
    await wait_until(lambda: toolbox.calls)
    assert toolbox.ended == []
    gate.set()
    assert await outcome_of(run) == (
        "completed",
        "",
        [tool_call_part("call_1", "pass_gate", {"gate": "door"}, "door is open"), text_part("All is done.")],
    )


async def test_answer_after_a_step_is_streamed_while_it_is_written(agent_run):
    gate = asyncio.Event()
    start, rest = "So long that it can only be the answer, ", "and its end."
    run = await agent_run((*call("echo", {"text": "a"}), *CALLS), (*tokens(start), ".", gate.wait, rest, *END))
    await wait_until_shown(run, ".")
    gate.set()
    _, _, parts = await outcome_of(run)
    assert parts[-1] == text_part(f"{start}.{rest}")


async def test_answer_without_a_tool_call_is_streamed_once_it_is_too_long_for_a_remark(agent_run):
    gate = asyncio.Event()
    run = await agent_run(("a" * agent_run_module.MAX_REMARK_LENGTH, "b", gate.wait, "c", *END))
    await wait_until_shown(run, "b")
    gate.set()
    assert await outcome_of(run) == ("completed", "", [text_part("a" * agent_run_module.MAX_REMARK_LENGTH + "bc")])


async def test_short_answer_comes_in_the_deltas_that_the_model_wrote(agent_pieces):
    pieces = [piece async for piece in agent_pieces("No", ", ", "thanks.", *END)]
    assert [piece for piece in pieces if piece != Text("")] == [
        *map(Text, ("No", ", ", "thanks.")),
        Usage(9, 3, 12),
        Finish("stop"),
    ]


async def test_empty_answer_completes_the_run(agent_run):
    assert await outcome_of(await agent_run(END)) == ("completed", "", [])


async def test_finish_reason_is_kept(agent_run):
    run = await agent_run(("Too much", chunk(finish_reason="length"), DONE))
    assert await outcome_of(run) == ("completed", "", [text_part("Too much")])
    assert run.finish_reason == "length"


async def test_model_that_announces_calls_and_makes_none_has_answered(agent_run):
    run = await agent_run(("Done.", *CALLS))
    assert await outcome_of(run) == ("completed", "", [text_part("Done.")])
    assert run.finish_reason == "stop"
    assert run.interrupts == []


THOUGHT = chunk({"reasoning_content": "Hm."})
ECHO = (*call("echo", {"text": "a"}), *CALLS)
REMARKS = {  # kind of text around a call -> (turn, the parts before the answer)
    "a remark": (("Let me ", "see.", *ECHO), [reasoning_part("Let me see."), "call"]),
    "a thought and a remark": ((THOUGHT, "Let me see.", *ECHO), [reasoning_part("Hm.\n\nLet me see."), "call"]),
    "nothing": (("\n", "\n", *ECHO), ["call"]),
    "behind it": ((*call("echo", {"text": "a"}), "So.", *CALLS), ["call", reasoning_part("So.")]),
    "on both sides": (("Let me see.", *call("echo", {"text": "a"}), "So.", *CALLS), None),
    "too much of it": (("x" * 161, *ECHO), [text_part("x" * 161), "call"]),
    "a character in two halves": ((chunk("\ud83d"), chunk("\ude00"), *ECHO), [reasoning_part("😀"), "call"]),
}
REMARKS["on both sides"] = (REMARKS["on both sides"][0], [reasoning_part("Let me see."), "call", reasoning_part("So.")])


@pytest.mark.parametrize("kind", REMARKS)
async def test_remark_beside_a_tool_call_is_not_the_answer(agent_run, upstream, kind):
    turn, expected = REMARKS[kind]
    run = await agent_run(turn, FINAL_ANSWER)
    step = tool_call_part("call_1", "echo", {"text": "a"}, "a!")
    expected = [step if part == "call" else part for part in expected]
    assert await outcome_of(run) == ("completed", "", [*expected, text_part("All is done.")])
    words = "".join(part["text"] for part in expected if "text" in part).removeprefix("Hm.\n\n")
    assert (messages_after_question(upstream)[0]["content"] or "").strip() == words


async def test_text_after_a_step_is_streamed_at_a_shorter_length(agent_run):
    gate = asyncio.Event()
    run = await agent_run(ECHO, ("a" * agent_run_module.MAX_LATER_REMARK_LENGTH, "b", gate.wait, *END))
    await wait_until_shown(run, "b")
    gate.set()
    assert (await outcome_of(run))[0] == "completed"


async def test_next_question_is_sent_with_the_earlier_steps(agent_run, upstream):
    run = await agent_run(ECHO, FINAL_ANSWER, ("Fine.", *END))
    await wait_for_run(run)
    after = await run.conversation.ask("And now?")
    await engine.start(after)
    await wait_for_run(after)
    made, result, answer_part, question = messages_after_question(upstream)
    assert made["tool_calls"][0]["id"] == result["tool_call_id"] == "call_1"
    assert (result["content"], answer_part["content"], question["content"]) == ("a!", "All is done.", "And now?")


# Several calls, and the ids they have ---------------------------------------------------------------------------------


async def test_parallel_calls_run_at_once_and_each_reports_its_result(agent_run, upstream):
    first, second = toolbox.gate("first"), toolbox.gate("second")
    turn = (*call("pass_gate", {"gate": "first"}, "a", 0), *call("pass_gate", {"gate": "second"}, "b", 1), *CALLS)
    run = await agent_run(turn, FINAL_ANSWER, tools=["pass_gate"])
    await wait_until(lambda: len(toolbox.calls) == 2)
    second.set()
    [result] = await wait_for_events(run, "TOOL_CALL_RESULT")
    assert (result.tool_call_id, result.content) == ("b", "second is open")
    assert toolbox.ended == ["second"]
    first.set()
    _, _, parts = await outcome_of(run)
    assert [part.get("result") for part in parts[:2]] == ["first is open", "second is open"]
    results = {message["tool_call_id"]: message["content"] for message in messages_after_question(upstream)[1:]}
    assert results == {"a": "first is open", "b": "second is open"}


async def test_calls_beyond_the_parallel_limit_wait(agent_run):
    gate = toolbox.gate("door")
    count = agent.MAX_PARALLEL_CALLS + 5
    calls = [chunk for n in range(count) for chunk in call("pass_gate", {"gate": "door"}, f"call_{n}", n)]
    run = await agent_run((*calls, *CALLS), FINAL_ANSWER, tools=["pass_gate"])
    await wait_until(lambda: len(toolbox.calls) >= agent.MAX_PARALLEL_CALLS)
    assert len(toolbox.calls) == agent.MAX_PARALLEL_CALLS
    gate.set()
    _, _, parts = await outcome_of(run)
    assert [part["result"] for part in parts[:-1]] == ["door is open"] * count


def bare(name, arguments):
    """A whole call in one delta without id and index, as some servers send it."""
    return chunk({"tool_calls": [{"function": {"name": name, "arguments": json.dumps(arguments)}}]})


async def test_call_ids_repeated_in_each_turn_are_made_unique(agent_run, upstream):
    turns = [(*call("echo", {"text": text}, "call_0"), *CALLS) for text in "ab"]
    run = await agent_run(*turns, FINAL_ANSWER)
    _, _, parts = await outcome_of(run)
    assert parts[:2] == [
        tool_call_part("call_0", "echo", {"text": "a"}, "a!"),
        tool_call_part("call_0_2", "echo", {"text": "b"}, "b!"),
    ]
    made = messages_after_question(upstream)
    assert [message["content"] for message in made if message["role"] == "tool"] == ["a!", "b!"]
    assert [message["tool_call_id"] for message in made if message["role"] == "tool"] == ["call_0", "call_0"]

    after = await run.conversation.ask("Again")  # the model begins from 0 once more
    upstream.requests.clear()
    upstream.written.clear()
    upstream.answers(*turns[0])
    upstream.answers(*FINAL_ANSWER)
    await engine.start(after)
    _, _, parts = await outcome_of(after)
    assert parts[0] == tool_call_part("call_0_3", "echo", {"text": "a"}, "a!")


async def test_call_ids_repeated_in_one_turn_are_made_unique(agent_run, upstream):
    turn = (*call("echo", {"text": "a"}, "x", 0), *call("echo", {"text": "b"}, "x", 1), *CALLS)
    run = await agent_run(turn, FINAL_ANSWER)
    _, _, parts = await outcome_of(run)
    assert parts[:2] == [
        tool_call_part("x", "echo", {"text": "a"}, "a!"),
        tool_call_part("x_2", "echo", {"text": "b"}, "b!"),
    ]
    made, *results = messages_after_question(upstream)
    ids = [call["id"] for call in made["tool_calls"]]
    assert len(set(ids)) == 2
    assert {message["tool_call_id"]: message["content"] for message in results} == dict(
        zip(ids, ("a!", "b!"), strict=True)
    )


async def test_calls_without_an_id(agent_run, upstream):
    run = await agent_run((bare("echo", {"text": "a"}), *CALLS), (bare("echo", {"text": "b"}), *CALLS), FINAL_ANSWER)
    _, _, parts = await outcome_of(run)
    assert [part.get("result") for part in parts] == ["a!", "b!", None]
    assert len({part["id"] for part in parts[:2]}) == 2


# The limit ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [1, 3])
async def test_model_at_the_limit_is_asked_once_more_without_tools(agent_run, upstream, limit):
    run = await agent_run(*[ECHO] * limit, FINAL_ANSWER, max_model_calls=limit)
    status, _, parts = await outcome_of(run)
    assert (status, parts[-1]) == ("completed", text_part("All is done."))
    assert len(parts) == limit + 1
    assert len(upstream.requests) == limit + 1
    assert ["tools" in request.body for request in upstream.requests] == [True] * limit + [False]


async def test_answer_at_the_limit_is_not_held_back(agent_run):
    gate = asyncio.Event()
    run = await agent_run(ECHO, ("So", gate.wait, " be it.", *END), max_model_calls=1)
    await wait_until_shown(run, "So")
    gate.set()
    assert (await outcome_of(run))[2][-1] == text_part("So be it.")


async def test_endless_loop_of_calls_fails_the_run(agent_run, upstream):
    run = await agent_run(ECHO)
    status, code, parts = await outcome_of(run)
    assert (status, code) == ("failed", "no_answer")
    assert [part["result"] for part in parts] == ["a!", "a!", "a!", None]
    assert "No more tool calls" in parts[-1]["error"]
    assert len(upstream.requests) == 4
    assert len(toolbox.calls) == 3


async def test_text_beside_one_call_too_many_is_the_answer(agent_run):
    run = await agent_run(ECHO, ("It is a.", *ECHO), max_model_calls=1)
    status, _, parts = await outcome_of(run)
    assert (status, run.finish_reason) == ("completed", "length")
    assert [part["type"] for part in parts] == ["tool_call", "text", "tool_call"]
    assert parts[1] == text_part("It is a.")


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


async def test_model_that_fails_before_it_says_anything_is_asked_again(agent_run, upstream, monkeypatch):
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
    settings.FIRST_TOKEN_SECONDS = 1
    settings.SILENCE_SECONDS = 1
    assert await outcome_of(await agent_run(("a", 0.4, "b", 0.4, "c", 0.4, "d", *END))) == (
        "completed",
        "",
        [text_part("abcd")],
    )


async def test_turn_that_was_complete_before_the_cut_counts(agent_run):
    turn = (*call("echo", {"text": "a"}), chunk(finish_reason="tool_calls"), RESET)
    status, _, parts = await outcome_of(await agent_run(turn, FINAL_ANSWER))
    assert (status, parts[0]["result"], parts[1]) == ("completed", "a!", text_part("All is done."))


async def test_model_that_falls_silent_after_a_step_interrupts_the_run(agent_run, settings):
    settings.FIRST_TOKEN_SECONDS = 0.3
    status, code, parts = await outcome_of(await agent_run(ECHO, (SILENCE,)))
    assert (status, code) == ("interrupted", "timeout")
    assert parts == [tool_call_part("call_1", "echo", {"text": "a"}, "a!")]


# The end by the user ------------------------------------------------------------------------------------------------


async def test_cancel_in_the_middle_of_a_turn_closes_the_connection(agent_run, upstream):
    run = await agent_run(ECHO, ("a" * 50, SILENCE))
    await wait_until_shown(run, "aa")
    await engine.cancel(run)
    await wait_until_closed(upstream.requests[-1])
    status, _, parts = await outcome_of(run)
    assert (status, parts[-1]) == ("cancelled", text_part("a" * 50))
    await assert_no_task_is_left()


async def test_cancel_while_text_is_held_back(agent_run, upstream):
    run = await agent_run(("Let me", SILENCE))
    await wait_until(lambda: upstream.requests)
    await engine.cancel(run)
    await wait_until_closed(upstream.requests[0])
    assert await outcome_of(run) == ("cancelled", "", [])
    await assert_no_task_is_left()


async def test_cancel_stops_the_tools_that_run(agent_run):
    toolbox.gate("a"), toolbox.gate("b")
    turn = (*call("pass_gate", {"gate": "a"}, "a", 0), *call("pass_gate", {"gate": "b"}, "b", 1), *CALLS)
    run = await agent_run(turn, tools=["pass_gate"])
    await wait_until(lambda: len(toolbox.calls) == 2)
    await engine.cancel(run)
    status, _, parts = await outcome_of(run)
    assert status == "cancelled"
    assert [(part["result"], part["error"]) for part in parts] == [(None, None)] * 2
    assert sorted(toolbox.ended) == ["a", "b"]
    await assert_no_task_is_left()


async def test_cancel_does_not_wait_for_a_tool_in_a_thread(agent_run):
    gate = toolbox.thread_gate("a")
    turn = (*call("pass_gate_in_thread", {"gate": "a"}), *CALLS)
    try:
        run = await agent_run(turn, tools=["pass_gate_in_thread"])
        await wait_until(lambda: toolbox.calls)
        await engine.cancel(run)
        assert (await outcome_of(run))[0] == "cancelled"
        assert toolbox.ended == []
        await assert_no_task_is_left()
    finally:
        gate.set()
    await wait_until(lambda: not any(thread.name == "tool" for thread in threading.enumerate()))


async def test_reader_that_leaves_closes_the_connection(agent_pieces, upstream):
    before = asyncio.all_tasks()
    async with aclosing(agent_pieces("a" * 200, SILENCE)) as pieces:
        async for piece in pieces:
            if piece != Text(""):
                break
    await wait_until_closed(upstream.requests[0])
    await wait_until_idle(upstream)
    assert [task for task in asyncio.all_tasks() - before if "upstream.py" not in repr(task)] == []


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


# Requests -------------------------------------------------------------------------------------------------------------


def test_tools_make_an_agent():
    assert providers.resolve("openai:gpt-5", ["echo"]) == (agent.reply, "gpt-5")
    assert providers.resolve("openai:gpt-5")[0] is openai.reply
    assert providers.resolve("anthropic:claude", ["echo"])[0] is agent.reply


async def test_params_of_an_assistant_reach_openai(agent_run, upstream, monkeypatch):
    monkeypatch.setenv("OUR_KEY", "sk-ours")
    run = await agent_run(ECHO, FINAL_ANSWER, params={"temperature": 0.5, "api_key_env": "OUR_KEY"})
    await outcome_of(run)
    for request in upstream.requests:
        assert (request.body["model"], request.body["temperature"]) == ("scripted", 0.5)
        assert request.headers["authorization"] == "Bearer sk-ours"


async def test_environment_names_openais_server(agent_run, upstream, monkeypatch):
    monkeypatch.setenv("OPENAI_BASE_URL", upstream.base_url)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-house")
    run = await agent_run(ECHO, FINAL_ANSWER, params={"base_url": None})
    assert (await outcome_of(run))[0] == "completed"
    assert upstream.requests[0].headers["authorization"] == "Bearer sk-of-the-house"


async def test_missing_key_fails_the_run(agent_run, upstream):
    status, code, parts = await outcome_of(await agent_run(FINAL_ANSWER, params={"base_url": None}))
    assert (status, code, parts) == ("failed", "not_configured", [])
    assert upstream.requests == []


async def test_memory_of_five_turns_never_cuts_a_call_from_its_result(agent_run, upstream):
    run = await agent_run(ECHO, FINAL_ANSWER)
    await wait_for_run(run)
    for number in range(5):
        run = await run.conversation.ask(f"Question {number}")
        await engine.start(run)
        await wait_for_run(run)
    messages = upstream.requests[-1].body["messages"]
    questions = [message["content"] for message in messages if message["role"] == "user"]
    assert questions == [f"Question {number}" for number in range(5)]
    assert not any(message.get("tool_calls") for message in messages)


async def test_langsmith_tracing_stays_off(agent_run, monkeypatch):
    monkeypatch.setenv("LANGSMITH_TRACING", "true")
    get_env_var.cache_clear()
    try:
        _, _, parts = await outcome_of(await agent_run((*call("traced", {}), *CALLS), FINAL_ANSWER, tools=["traced"]))
    finally:
        get_env_var.cache_clear()
    assert parts[0]["result"] == "False"


# What vendors want to see again ---------------------------------------------------------------------------------------


async def test_anthropic_receives_its_thinking_calls_and_tools_again(agent_run, upstream):
    thinking = (
        {"type": "thinking", "thinking": "", "signature": ""},
        {"type": "thinking_delta", "thinking": "Hm."},
        {"type": "signature_delta", "signature": "c2ln"},
    )
    words = ({"type": "text", "text": ""}, {"type": "text_delta", "text": "All is done."})
    run = await agent_run(
        named(anthropic(thinking, tool_use("toolu_1", "echo", '{"text": ', '"a"}'))),
        named(anthropic(tool_use("toolu_2", "echo", '{"text": '))),  # its message has the same id
        named(anthropic(words, stop="end_turn")),
        model="anthropic:scripted",
        params={"base_url": upstream.base_url.removesuffix("/v1"), "api_key": "k"},
        max_model_calls=2,
    )
    status, _, [thinks, first, second, answer_part] = await outcome_of(run)
    assert (status, run.finish_reason) == ("completed", "stop")
    assert [thinks, first, answer_part] == [
        reasoning_part("Hm."),
        tool_call_part("toolu_1", "echo", {"text": "a"}, "a!"),
        text_part("All is done."),
    ]
    assert "not valid JSON" in second["error"]
    body = upstream.requests[-1].body
    _, made, result, made_again, result_again = body["messages"]
    assert made["content"] == [
        {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"},
        {"type": "tool_use", "id": "toolu_1", "name": "echo", "input": {"text": "a"}},
    ]
    assert (result["content"][0]["tool_use_id"], result["content"][0].get("is_error")) == ("toolu_1", False)
    assert made_again["content"] == [{"type": "tool_use", "id": "toolu_2", "name": "echo", "input": {}}]
    assert (result_again["content"][0]["tool_use_id"], result_again["content"][0]["is_error"]) == ("toolu_2", True)
    assert "tools" in body  # its API wants them wherever their results are, and is told to use none
    assert body["tool_choice"] == {"type": "none"}


async def test_google_receives_its_thought_signatures_again(agent_run, upstream):
    wanted = {"functionCall": {"name": "echo", "args": {"text": "a"}}, "thoughtSignature": "c2ln"}
    run = await agent_run(
        [f"data: {json.dumps(google(wanted, reason='STOP'))}\n\n".encode()],
        [f"data: {json.dumps(google({'text': 'All is done.'}, reason='STOP'))}\n\n".encode()],
        model="google_genai:gemini-3-pro",
        params={"base_url": upstream.base_url.removesuffix("/v1"), "api_key": "k"},
    )
    status, _, [step, answer_part] = await outcome_of(run)
    assert (status, step["result"], answer_part) == ("completed", "a!", text_part("All is done."))
    _, made, result = upstream.requests[-1].body["contents"]
    assert made["parts"][0]["functionCall"]["args"] == {"text": "a"}
    assert made["parts"][0]["thoughtSignature"] == "c2ln"
    assert result["parts"][0]["functionResponse"]["name"] == "echo"


PICTURE_URL = f"data:image/jpeg;base64,{base64.b64encode(PICTURE).decode()}"


async def test_agent_keeps_the_images_that_its_model_makes(agent_run, upstream):
    drawn = chunk({"content": "", "images": [{"type": "image_url", "image_url": {"url": PICTURE_URL}}]})
    run = await agent_run((drawn, *ECHO), ("See above: this is what you wanted, I think.", drawn, *END))
    status, _, parts = await outcome_of(run)
    assert (status, [part["type"] for part in parts]) == ("completed", ["image", "tool_call", "text"])  # the same again
    assert PICTURE_URL not in json.dumps(upstream.requests[-1].body)


async def test_google_keeps_the_images_that_its_model_makes(agent_run, upstream):
    drawn = {"inlineData": {"mimeType": "image/jpeg", "data": PICTURE_URL.partition(",")[2]}}
    run = await agent_run(
        [f"data: {json.dumps(google({'text': 'Here:'}, drawn, reason='STOP'))}\n\n".encode()],
        model="google_genai:gemini-2.5-flash-image",
        params={"base_url": upstream.base_url.removesuffix("/v1"), "api_key": "k"},
        tools=[],
    )
    status, _, parts = await outcome_of(run)
    assert (status, [part["type"] for part in parts]) == ("completed", ["text", "image"])
