"""Assistants with tools, through the engine, against a scripted server that speaks OpenAI's format."""

import asyncio
import json
from contextlib import aclosing
from itertools import groupby

import pytest

from chat import engine
from chat.events import Finish, Text, Usage
from chat.providers import agent
from chat.providers.agent import run as agent_run_module
from tests import toolbox
from tests.providers.agent_runs import (
    ECHO,
    FINAL_ANSWER,
    messages_after_question,
    outcome_of,
    reasoning_part,
    text_part,
    tool_call_part,
)
from tests.providers.provider_runs import wait_until_shown
from tests.upstream import CALLS, DONE, END, call, chunk, tokens
from tests.waiting import hang_timeout, wait_for_run, wait_until

pytestmark = pytest.mark.slow


async def wait_for_events(run, kind, count=1):
    """Waits until a follower has received this many events of this type. Returns them."""
    async with hang_timeout(), aclosing(engine.follow(run)) as events:
        seen = []
        async for _, event in events:
            if event and event.type == kind:
                seen.append(event)
            if len(seen) == count:
                return seen


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


async def test_short_answer_keeps_the_deltas_of_the_model(agent_pieces):
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
