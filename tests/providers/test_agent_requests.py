"""What an agent sends: params, the memory, and what vendors want to see again."""

import base64
import json

import pytest
from langsmith.utils import get_env_var

from chat import engine, providers
from chat.providers import agent, openai
from tests.images import PICTURE
from tests.providers.agent_runs import ECHO, FINAL_ANSWER, outcome_of, reasoning_part, text_part, tool_call_part
from tests.providers.vendor_turns import anthropic, google, named, tool_use
from tests.upstream import CALLS, END, call, chunk
from tests.waiting import wait_for_run

pytestmark = pytest.mark.slow


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
