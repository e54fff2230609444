"""Runs of an agent against a scripted upstream."""

import asyncio
import json

from chat import engine
from chat.events import closing_events, fold
from tests.assertions import without_seconds
from tests.upstream import END, tokens
from tests.waiting import wait_for_run

DONE_WITH_IT = (*tokens("All is done."), *END)


async def end(run):
    """(status, error code, parts) of the run once it is over; whatever was begun is ended and the rows say the same."""
    told = [event for _, event in await wait_for_run(run)]
    assert fold(told) == run.message.parts
    assert closing_events(told) == []
    assert bool(run.error_message) == (run.status in ("failed", "interrupted"))
    return run.status, run.error_code, without_seconds(run.message.parts)


def used(id, name, arguments, result=None, error=None):
    """A tool call's part."""
    arguments = arguments if isinstance(arguments, str) else json.dumps(arguments)
    return {"type": "tool_call", "id": id, "name": name, "arguments": arguments, "result": result, "error": error}


def say(text):
    return {"type": "text", "text": text}


def shown_to_model(upstream, number=-1):
    """The messages of this request after the question."""
    messages = upstream.requests[number].body["messages"]
    return messages[[message["role"] for message in messages].index("user") + 1 :]


async def nothing_is_left():
    """No task is, besides the test and the scripted server, once the engine is gone."""
    await engine.shut_down()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    assert [task for task in others if "upstream.py" not in repr(task)] == []
