"""Our turns and parts -> LangChain's messages."""

import json
from collections.abc import Iterator
from importlib import import_module
from typing import Any

from ..base import Request
from ..turns import CALL_PARTS, Part, alternating

NOT_EXECUTED = "This tool call was not executed."
UNFINISHED = "I did not finish this answer."

Parts = dict[str, Any]  # by the id of a tool call


def messages(request: Request, *, with_calls: bool = True) -> list[Any]:
    """Returns the system prompt and the turns as LangChain's messages.

    Each tool call is followed by its ToolMessage. Its result is that of the part, of a later `tool_result` part, or of
    the request's decisions if they are dicts; without any it is an error. Between results and the next question stands
    an answer, without which some vendors (Mistral) and templates refuse the request. Calls are left out if not
    `with_calls`.
    """
    types = import_module("langchain_core.messages")
    results = {id: answer for id, answer in request.decisions.items() if isinstance(answer, dict)}
    results |= {part["id"]: part for _, parts in request.turns for part in parts if part["type"] == "tool_result"}
    states = {id: state for state in request.resume_state for id in state["calls"]}
    converted = [types.SystemMessage(request.system_prompt)] if request.system_prompt else []
    for role, parts in alternating(request.turns, with_calls=with_calls):
        if role == "user":
            if converted and converted[-1].type == "tool":
                converted.append(types.AIMessage(UNFINISHED))
            converted.append(types.HumanMessage(_user_content(parts)))
        else:
            shown = parts if with_calls else [part for part in parts if part["type"] not in CALL_PARTS]
            converted += _assistant_messages(types, shown, results, states)
    return converted


def _user_content(parts: list[Part]) -> Any:
    """Returns a user's message as text; with images as a list of LangChain's standard content blocks."""
    blocks: list[dict[str, Any]] = []
    for part in parts:
        if part["type"] == "text" and part["text"]:
            blocks.append({"type": "text", "text": part["text"]})
        elif part["type"] == "image":
            source = {"url": part["url"]} if part.get("url") else {"base64": part.get("data")}
            media_type = {"mime_type": part["media_type"]} if part.get("media_type") else {}
            blocks.append({"type": "image", **source, **media_type})
    if all(block["type"] == "text" for block in blocks):
        return "".join(block["text"] for block in blocks)
    return blocks


def _assistant_messages(types: Any, parts: list[Part], results: Parts, states: Parts) -> Iterator[Any]:
    """Yields a message for each text with the calls that follow it, and one for each call's result.

    Calls of which there is a state were made by one message, which is made again.
    """
    text = ""
    calls: list[Part] = []
    for part in parts:
        if part["type"] == "text":
            if calls:
                yield from _calls_and_results(types, text, calls, results, states)
                text = ""
                calls = []
            text += part["text"]
        elif part["type"] == "tool_call":
            if calls and states.get(part["id"]) is not states.get(calls[-1]["id"]):
                yield from _calls_and_results(types, text, calls, results, states)
                text = ""
                calls = []
            calls.append(part)
    if calls:
        yield from _calls_and_results(types, text, calls, results, states)
    elif text:
        yield types.AIMessage(text)


def _calls_and_results(types: Any, text: str, calls: list[Part], results: Parts, states: Parts) -> Iterator[Any]:
    state = states.get(calls[0]["id"], {"content": text})
    fields = {name: value for name, value in state.items() if name != "calls"}
    yield types.AIMessage(**fields, tool_calls=[_tool_call(call) for call in calls])
    for call in calls:
        yield _tool_message(types, call, results.get(call["id"], {}))


def _tool_call(part: Part) -> dict[str, Any]:
    """Returns the call; one whose arguments are not a JSON object was never executed, but vendors require an object."""
    try:
        arguments = json.loads(part["arguments"])
    except (ValueError, RecursionError):
        arguments = {}
    return {"id": part["id"], "name": part["name"], "args": arguments if isinstance(arguments, dict) else {}}


def _tool_message(types: Any, call: Part, later: dict[str, Any]) -> Any:
    error = call.get("error") or later.get("error")
    result = call.get("result")
    if result is None:
        result = later.get("result")
    if result is None and not error:
        error = NOT_EXECUTED
    return types.ToolMessage(
        error or result, tool_call_id=call["id"], name=call["name"], status="error" if error else "success"
    )
