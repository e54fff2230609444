"""Runs of an agent against a scripted upstream."""

import asyncio
import json

from chat import engine
from chat.events import closing_events, fold
from tests.assertions import without_seconds
from tests.upstream import CALLS, END, call, tokens
from tests.waiting import wait_for_run

FINAL_ANSWER = (*tokens("All is done."), *END)
ECHO = (*call("echo", {"text": "a"}), *CALLS)


async def answered(run, *yes, always=False):
    """Answers the interrupts in order; returns the run that continues, started. `always` holds for all of them."""
    ids = [interrupt["id"] for interrupt in run.interrupts]
    after = await run.resume(dict(zip(ids, yes, strict=True)), ids if always else ())
    await engine.start(after)
    return after


async def outcome_of(run):
    """Waits for the run's end, and checks that its events are closed and agree with its rows.

    Returns its status, error code and parts.
    """
    events = [event for _, event in await wait_for_run(run)]
    assert fold(events) == run.message.parts
    assert closing_events(events) == []
    assert bool(run.error_message) == (run.status in ("failed", "interrupted"))
    return run.status, run.error_code, without_seconds(run.message.parts)


def tool_call_part(id, name, arguments, result=None, error=None):
    arguments = arguments if isinstance(arguments, str) else json.dumps(arguments)
    return {"type": "tool_call", "id": id, "name": name, "arguments": arguments, "result": result, "error": error}


def text_part(text):
    return {"type": "text", "text": text}


def reasoning_part(text):
    return {"type": "reasoning", "text": text}


def messages_after_question(upstream, number=-1):
    """Returns the messages of this request that follow the user's first one."""
    messages = upstream.requests[number].body["messages"]
    return messages[[message["role"] for message in messages].index("user") + 1 :]


async def assert_no_task_is_left():
    """Shuts the engine down. Afterwards only the test and the scripted server may have tasks."""
    await engine.shut_down()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    assert [task for task in others if "upstream.py" not in repr(task)] == []
