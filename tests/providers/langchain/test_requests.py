"""What a vendor receives."""

import json

import pytest

from chat.providers import langchain
from tests.providers.langchain.vendors import PATHS, VENDORS, WHOLE, every_vendor, make_request

pytestmark = pytest.mark.slow

IMAGE = {"type": "image", "media_type": "image/png", "data": "aGVsbG8="}
LINKED = {"type": "image", "url": "https://example.com/a.png"}


def text_part(text):
    return {"type": "text", "text": text}


def tool_call_part(id, name, arguments="{}", result=None, error=None):
    return {"type": "tool_call", "id": id, "name": name, "arguments": arguments, "result": result, "error": error}


def plain_messages(request):
    """Returns LangChain's messages for this request, as plain values."""
    plain = []
    for message in langchain.messages(request):
        value = (message.type, message.content)
        if getattr(message, "tool_calls", None):
            value += ([(call["id"], call["name"], call["args"]) for call in message.tool_calls],)
        if message.type == "tool":
            value += (message.tool_call_id, message.name, message.status)
        plain.append(value)
    return plain


def test_messages_hold_the_system_prompt_and_the_turns():
    turns = [("user", [text_part("a")]), ("assistant", [{"type": "reasoning", "text": "hm"}, text_part("b")])]
    turns += [("user", []), ("assistant", []), ("user", [text_part("c"), text_part("d")])]
    expected = [("system", "Be brief."), ("human", "a"), ("ai", "b"), ("human", "cd")]
    assert plain_messages(make_request("anthropic:x", turns=turns, system_prompt="Be brief.")) == expected


def test_messages_follow_each_call_with_its_result():
    parts = [
        text_part("Let me see. "),
        tool_call_part("a", "f", '{"x": 1}', "one"),
        tool_call_part("b", "g", error="No."),
        text_part("So. "),
    ]
    parts += [
        text_part("Well. "),
        {"type": "reasoning", "text": "hm"},
        tool_call_part("c", "f", "{broken"),
        tool_call_part("d", "f", "[1]", ""),
    ]
    assert plain_messages(make_request("anthropic:x", turns=[("user", [text_part("q")]), ("assistant", parts)])) == [
        ("human", "q"),
        ("ai", "Let me see. ", [("a", "f", {"x": 1}), ("b", "g", {})]),
        ("tool", "one", "a", "f", "success"),
        ("tool", "No.", "b", "g", "error"),
        ("ai", "So. Well. ", [("c", "f", {}), ("d", "f", {})]),
        ("tool", "This tool call was not executed.", "c", "f", "error"),
        ("tool", "", "d", "f", "success"),
    ]


def test_messages_include_results_that_came_later():
    calls = [tool_call_part(id, "f") for id in "abc"]
    later = [{"type": "tool_result", "id": "a", "result": "one", "error": None}, text_part("Done.")]
    turns = [("user", [text_part("q")]), ("assistant", calls), ("assistant", later)]
    answers = {"b": {"result": None, "error": "No."}, "c": True}
    assert plain_messages(make_request("anthropic:x", turns=turns, decisions=answers))[2:] == [
        ("tool", "one", "a", "f", "success"),
        ("tool", "No.", "b", "f", "error"),
        ("tool", "This tool call was not executed.", "c", "f", "error"),
        ("ai", "Done."),
    ]


HAS_IMAGE = {  # vendor -> where the image is in the request, and what is there
    "openai": lambda body: body["messages"][0]["content"][1]["image_url"]["url"] == "data:image/png;base64,aGVsbG8=",
    "azure": lambda body: body["messages"][0]["content"][1]["image_url"]["url"] == "data:image/png;base64,aGVsbG8=",
    "anthropic": lambda body: (
        body["messages"][0]["content"][1]["source"] == {"type": "base64", "media_type": "image/png", "data": "aGVsbG8="}
    ),
    "gemini": lambda body: (
        body["contents"][0]["parts"][1]["inlineData"] == {"mime_type": "image/png", "data": "aGVsbG8="}
    ),
    "vertex": lambda body: (
        body["contents"][0]["parts"][1]["inlineData"] == {"mime_type": "image/png", "data": "aGVsbG8="}
    ),
    "ollama": lambda body: body["messages"][0]["images"] == ["aGVsbG8="],
}


@every_vendor
async def test_images_are_sent_in_the_vendors_format(read_reply, upstream, vendor):
    await read_reply(vendor, *WHOLE[vendor], turns=[("user", [text_part("Look"), IMAGE])])
    assert HAS_IMAGE[vendor](upstream.requests[0].body), upstream.requests[0].body


async def test_images_may_be_urls(read_reply, upstream):
    await read_reply("anthropic", *WHOLE["anthropic"], turns=[("user", [LINKED])])
    content = upstream.requests[0].body["messages"][0]["content"]
    assert content == [{"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}}]


TEMPERATURE_IN = {  # vendor -> where a temperature of 0.5 is in the request
    "anthropic": lambda body: body["temperature"],
    "gemini": lambda body: body["generationConfig"]["temperature"],
    "vertex": lambda body: body["generationConfig"]["temperature"],
    "ollama": lambda body: body["options"]["temperature"],
}


@every_vendor
async def test_request_carries_the_assistants_settings(read_reply, upstream, vendor):
    params = {"temperature": 0.5, "api_key": "sk-theirs"}
    if vendor == "openai":  # whose gpt-5 takes no temperature, and LangChain knows
        params["base_url"], VENDORS["openai"] = upstream.base_url, VENDORS["openai"]
    reply = await read_reply(vendor, *WHOLE[vendor], params=params, system_prompt="Be brief.")
    assert (reply.text, reply.error) == ("Hello", None)
    (request,) = upstream.requests
    assert (request.method, request.path) == ("POST", PATHS[vendor])
    if vendor != "openai":
        assert TEMPERATURE_IN.get(vendor, lambda body: body["temperature"])(request.body) == 0.5
    assert "Be brief." in json.dumps(request.body)
    assert "sk-theirs" in json.dumps(request.headers)
    assert "api_key" not in json.dumps(request.body)
