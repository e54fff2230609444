"""The provider of the browser tests' assistants. Its models are `browser:<name>`; ASSISTANTS describes them.

A server that uses it sets `providers.REGISTRY["browser"] = "tests.browser.provider"` and has an Assistant with the slug
and the model `browser:<slug>` for each of them.
"""

import asyncio
import base64
import json
import secrets

from chat.engine.reply import CONTINUE_PROMPT
from chat.events import (
    Approval,
    Finish,
    GeneratedImage,
    Reasoning,
    Text,
    ToolCallArgs,
    ToolCallEnd,
    ToolCallResult,
    ToolCallStart,
)
from chat.providers import ProviderError
from tests.browser.gates import gates
from tests.images import image_file

ASSISTANTS = {
    "echo": "Repeats the question.",
    "small": "Repeats the question, and has a small context window.",
    "slow": "Counts to a hundred in three seconds. With a gate in the question, waits for it after fifty.",
    "flaky": "Fails in the middle, and succeeds when the question is asked again.",
    "fails": "Fails with the code that the question names.",
    "tools": "Thinks and uses two tools, one of which fails.",
    "long": "Stops at its length limit.",
    "halves": "Stops in the middle of a sentence, and can continue.",
    "seer": "Gives the sizes of the images in the question.",
    "painter": "Draws the same image each time.",
    "ponders": "Thinks, and answers only when it is asked again.",
    "reader": "Gives the lengths of the texts in the question.",
    "patient": "Waits for its gate before the first word.",
    "waits": "Uses a tool that runs until the test opens its gate.",
    "many": "Uses many tools.",
    "bursts": "Repeats the question in large pieces.",
    "mirror": "Repeats the question as a thought, a tool result and a reply.",
    "asks": "Uses a tool that needs approval.",
    "asks-twice": "Uses two tools that both need approval.",
    "asks-always": "Uses tools that can always be allowed.",
}

failed_questions = set()  # of `flaky`


async def reply(request):
    if request.model in ("seer", "reader"):
        async for piece in describe_attachments(request):
            yield piece
        return
    parts = [parts for role, parts in request.turns if role == "user"][-1]
    question = "".join(part["text"] for part in parts if part["type"] == "text")
    if request.decisions:
        async for piece in resume(request.decisions, question):
            yield piece
        return
    async for piece in globals()[request.model.replace("-", "_")](question):
        yield piece


def gate(question):
    """Waits for the gate named by the question's last word."""
    return gates[question.split()[-1]].wait()


async def echo(question):
    for start in range(0, len(question), 7):
        yield Text(question[start : start + 7])
        await asyncio.sleep(0.005)
    yield Finish("stop")


small = echo


async def slow(question):
    for number in range(1, 101):
        if number == 51 and "gate:" in question:
            await gate(question)
        yield Text(f"{number} " if number % 10 else f"{number}\n\n")
        await asyncio.sleep(0.03)
    yield Finish("stop")


async def flaky(question):
    if question not in failed_questions:
        failed_questions.add(question)
        yield Text("Half of it")
        raise ProviderError("The model is overloaded. Try again in a minute.")
    yield Text("All of it.")
    yield Finish("stop")


async def fails(question):
    raise ProviderError("The model failed.", question.split()[-1])
    yield


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


async def painter(question):
    yield Text("Here it is:")
    yield GeneratedImage(base64.b64encode(image_file("PNG", (40, 40))).decode())
    yield Text("I hope you like it.")
    yield Finish("stop")


async def ponders(question):
    if question != "Nothing":
        yield Text("After all, yes.") if "Answer now." in question else Reasoning("Hm.")
    yield Finish("stop")


async def long(question):
    yield Text("As much as there was room for")
    yield Finish("length")


async def halves(question):
    if question == CONTINUE_PROMPT:
        yield Reasoning("Where was I?")
        yield Text(" ends here.")
        yield Finish("stop")
    else:
        yield Text("This sentence")
        yield Finish("length")


async def describe_attachments(request):
    for part in request.turns[-1][1]:
        if part["type"] == "image":
            yield Text(f"An image, {part['width']} by {part['height']}. ")
        else:
            yield Text(f"A text of {len(part['text'])}. ")
    yield Finish("stop")


def call(name, **arguments):
    """Returns the id and the pieces of a tool call without a result."""
    id = f"call_{secrets.token_hex(4)}"
    return id, [ToolCallStart(id, name), ToolCallArgs(id, json.dumps(arguments)), ToolCallEnd(id)]


async def bursts(question):
    for start in range(0, len(question), 200):
        yield Text(question[start : start + 200])
        await asyncio.sleep(0.4)
    yield Finish("stop")


async def mirror(question):
    yield Reasoning(question)
    id, pieces = call("look_up", words=question)
    for piece in pieces:
        yield piece
    yield ToolCallResult(id, question)
    yield Text(question)
    yield Finish("stop")


async def patient(question):
    await gate(question)
    async for piece in slow(question):
        yield piece


async def waits(question):
    yield Reasoning("The user wants a number.\n\nI had better use the calculator.")
    id, pieces = call("calculator", expression="sqrt(71)")
    for piece in pieces:
        yield piece
    await gate(question)
    yield ToolCallResult(id, "8.426149773176359")
    async for piece in slow(question):
        yield piece


async def many(question):
    for number in range(1, 7):
        id, pieces = call("search_conversations", words=f"word {number}")
        for piece in pieces:
            yield piece
        yield ToolCallResult(id, json.dumps({"found": number}), metadata={"error": True} if number == 4 else None)
    if "gate:" in question:
        await gate(question)
    yield Text("Nothing of use was found.")
    yield Finish("stop")


async def asks(question):
    yield Text("I can send it for you.")
    id, pieces = call("send_mail", to="bob@example.com", subject=question, text="Dear Bob,\n\nare you free?\n\nAlice")
    for piece in pieces:
        yield piece
    yield Approval(id, "May this mail be sent?")
    yield Finish("tool_calls")


async def asks_twice(question):
    for place in ("Rome", "Oslo"):
        id, pieces = call("book_table", place=place, people=2)
        for piece in pieces:
            yield piece
        yield Approval(id, f"May a table in {place} be booked?")
    yield Finish("tool_calls")


async def asks_always(question):
    for place, tool in (("Rome", "book_table"), ("Oslo", "book_table"), ("Bonn", "book_room")):
        id, pieces = call(tool, place=place)
        for piece in pieces:
            yield piece
        yield Approval(id, f"Allow “{tool}” to run?", f"travel/{tool}", "1")
    yield Finish("tool_calls")


async def resume(answers, question):
    if question.startswith("Slowly"):
        await gate(question)
    for id, is_allowed in answers.items():
        if is_allowed:
            yield ToolCallResult(id, "Done.")
        else:
            yield ToolCallResult(id, "You did not allow this.", metadata={"error": True})
    for word in ("It", " is", " sent." if all(answers.values()) else " not sent."):
        yield Text(word)
        await asyncio.sleep(0.05)
    yield Finish("stop")
