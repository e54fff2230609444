"""Every provider that LangChain brings, over its own wire format: that of aimock, which others wrote."""

import json

import pytest

from chat import engine
from chat.providers import base
from tests.providers.aimock import LONG, TEXT
from tests.providers.langchain.vendors import VENDORS, LangChainReply, every_vendor
from tests.providers.provider_runs import outcome_of, wait_until_shown
from tests.waiting import hang_timeout

pytestmark = [
    pytest.mark.slow,
    # what a mock says that no real server does
    pytest.mark.filterwarnings("ignore:Received unexpected tool content block"),
    pytest.mark.filterwarnings("ignore:FUNCTION_CALL is not a valid FinishReason"),
]


def token_counts(run):
    return [(call.get("input_tokens"), call.get("output_tokens"), call.get("total_tokens")) for call in run.usage]


@every_vendor
async def test_answer_is_stored_with_its_usage(aimock, assistant, ask, vendor):
    run = await ask(await assistant(vendor, aimock.base_url), "hello")
    assert await outcome_of(run) == ("completed", "", TEXT)
    assert run.finish_reason == "stop"
    assert run.message.parts == [{"type": "text", "text": TEXT}]
    assert token_counts(run) == ([(9, 7, 16)] if vendor != "ollama" else [])  # aimock reports no usage for Ollama
    assert run.usage == [] or {run.usage[0]["provider"], run.usage[0]["model"]} == {*run.model.split(":", 1)}


@every_vendor
async def test_tool_calls_arrive_with_names_and_arguments(aimock, assistant, ask, vendor):
    run = await ask(await assistant(vendor, aimock.base_url), "What is the weather?")
    assert await outcome_of(run) == ("completed", "", "")
    assert run.finish_reason == "tool_calls"
    calls = [(part["type"], part["name"], json.loads(part["arguments"])) for part in run.message.parts]
    assert calls == [("tool_call", "weather", {"city": "Bern", "days": 2}), ("tool_call", "clock", {})]
    assert len({part["id"] for part in run.message.parts}) == 2


@pytest.mark.parametrize("vendor", [vendor for vendor in VENDORS if vendor != "ollama"])  # which aimock lets not think
async def test_reasoning_is_kept_apart_from_the_answer(aimock, assistant, ask, vendor):
    run = await ask(await assistant(vendor, aimock.base_url), "think")
    assert await outcome_of(run) == ("completed", "", "Done.")
    assert [part["type"] for part in run.message.parts] == ["reasoning", "text"]
    assert run.message.parts[0]["text"] == "First I think about it."


@every_vendor
async def test_refusal_before_the_first_token_gives_a_sentence(aimock, assistant, ask, vendor):
    run = await ask(await assistant(vendor, aimock.base_url, api_key="wrong"), "wrong key")
    assert await outcome_of(run) == ("failed", "authentication", "")
    assert run.error_message == "The provider rejected the API key."
    assert aimock.connections == 1


@every_vendor
async def test_rate_limit_gives_a_sentence(aimock, assistant, ask, vendor, monkeypatch):
    monkeypatch.setattr(base, "MAX_RETRIES", 1)
    run = await ask(await assistant(vendor, aimock.base_url), "too often")
    assert await outcome_of(run) == ("failed", "rate_limited", "")
    assert run.error_message == "Too many requests to the model. Try again in a minute."


@every_vendor
async def test_lost_connection_keeps_the_text_so_far(aimock, assistant, ask, vendor):
    run = await ask(await assistant(vendor, aimock.base_url), "cut")
    status, code, text = await outcome_of(run)
    assert (status, code) == ("interrupted", "broken_off")
    assert text and LONG.startswith(text) and text != LONG
    assert run.error_message == "The connection to the model was lost before the answer was complete."


@every_vendor
async def test_stop_closes_the_connection_and_keeps_the_text(aimock, assistant, ask, vendor):
    run = await ask(await assistant(vendor, aimock.base_url), "slow")
    await wait_until_shown(run, LONG[:4])
    assert not aimock.hung_up.is_set()
    await engine.cancel(run)
    async with hang_timeout():
        await aimock.hung_up.wait()
    status, code, text = await outcome_of(run)
    assert (status, code) == ("cancelled", "")
    assert text and LONG.startswith(text)
    assert aimock.connections == 1


@every_vendor
async def test_connection_is_reused_for_the_next_question(aimock, vendor):
    model, params_for = VENDORS[vendor]
    for _ in range(3):
        reply = await LangChainReply().read(model, params_for(aimock.base_url), text="hello")
        assert (reply.text, reply.error) == (TEXT, None)
    assert aimock.connections == 1


@pytest.mark.parametrize("question", ["hello", "What is the weather?", "wrong key"])
async def test_openais_responses_api_is_supported(aimock, question):
    params = {"base_url": f"{aimock.base_url}/v1", "use_responses_api": True}
    reply = await LangChainReply().read("langchain:openai:gpt-5-mini", params, text=question)
    if question == "wrong key":
        assert reply.error.code == "authentication"
    elif question == "hello":
        assert (reply.text, reply.finish_reason, reply.builder.usage[0].total_tokens) == (TEXT, "stop", 16)
    else:
        assert [part["name"] for part in reply.parts] == ["weather", "clock"]
        assert reply.finish_reason == "tool_calls"
