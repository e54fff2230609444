"""An agent that the user stops."""

import asyncio
import threading
from contextlib import aclosing

import pytest

from chat import engine
from chat.events import Text
from tests import toolbox
from tests.providers.agent_runs import ECHO, assert_no_task_is_left, outcome_of, text_part
from tests.providers.provider_runs import wait_until_closed, wait_until_idle, wait_until_shown
from tests.upstream import CALLS, SILENCE, call
from tests.waiting import wait_until

pytestmark = pytest.mark.slow


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
