"""What the assistants of the page's tests say, in a real server process: model ids `browser:<name>`.

A server that is to speak with these has `providers.REGISTRY["browser"] = "tests.browser.provider"` and an Assistant
with the slug and the model `browser:<slug>` for each of ASSISTANTS.
"""

import asyncio

from chat.events import Finish, Reasoning, Text, ToolCallArgs, ToolCallEnd, ToolCallResult, ToolCallStart
from chat.providers import ProviderError

ASSISTANTS = {
    "echo": "Says what you say.",
    "slow": "Counts to a hundred, and takes three seconds for it.",
    "flaky": "Breaks off in the middle, and answers when it is asked again.",
    "tools": "Thinks, and uses two tools, of which one fails.",
    "long": "Stops at its length limit.",
}

broke_off = set()  # the questions that `flaky` has failed on


async def reply(request):
    question = "".join(part["text"] for part in request.turns[-1][1] if part["type"] == "text")
    async for piece in globals()[request.model](question):
        yield piece


async def echo(question):
    for start in range(0, len(question), 7):
        yield Text(question[start : start + 7])
        await asyncio.sleep(0.005)
    yield Finish("stop")


async def slow(question):
    for number in range(1, 101):
        yield Text(f"{number} " if number % 10 else f"{number}\n\n")
        await asyncio.sleep(0.03)
    yield Finish("stop")


async def flaky(question):
    if question not in broke_off:
        broke_off.add(question)
        yield Text("Half of it")
        raise ProviderError("The model is overloaded. Try again in a minute.")
    yield Text("All of it.")
    yield Finish("stop")


async def tools(question):
    yield Reasoning("I should look at the clock.")
    yield ToolCallStart("call_1", "clock")
    yield ToolCallArgs("call_1", '{"time_zone": "UTC"}')
    yield ToolCallEnd("call_1")
    yield ToolCallResult("call_1", "12:00")
    yield ToolCallStart("call_2", "calculator")
    yield ToolCallArgs("call_2", '{"expression": "1/0"}')
    yield ToolCallEnd("call_2")
    yield ToolCallResult("call_2", "Division by zero.", metadata={"error": True})
    yield Text("It is noon.")
    yield Finish("stop")


async def long(question):
    yield Text("As much as there was room for")
    yield Finish("length")
