"""`openai_responses:` against a scripted server and aimock: requests and answers."""

import json

import pytest

from chat import engine, providers
from chat.models import Assistant
from chat.providers import base
from chat.providers.openai import stream
from chat.providers.responses_only import has_only_responses
from tests.assertions import without_seconds
from tests.providers.aimock import LONG, TEXT
from tests.providers.openai_responses.parts import THOUGHT
from tests.providers.provider_runs import outcome_of, wait_until_closed, wait_until_shown
from tests.providers.responses_stream import answer, message, reasoning
from tests.timeouts import HANG_TIMEOUT
from tests.upstream import SILENCE
from tests.waiting import hang_timeout, wait_for_run

pytestmark = pytest.mark.slow


# An answer as it should be --------------------------------------------------------------------------------------------


async def test_complete_answer_is_stored_with_its_usage(start_run, upstream):
    run = await start_run(*answer(reasoning("hm"), message("Hello", ", **you**", index=1)))
    assert await outcome_of(run) == ("completed", "", "Hello, **you**")
    assert run.finish_reason == "stop"
    assert without_seconds(run.message.parts) == [THOUGHT, {"type": "text", "text": "Hello, **you**"}]
    assert run.usage == [
        {
            "provider": "openai_responses",
            "model": "scripted",
            "input_tokens": 9,
            "output_tokens": 3,
            "total_tokens": 12,
            "reasoning_tokens": 1,
            "cached_input_tokens": 4,
        }
    ]
    assert len(upstream.requests) == 1


async def test_request_carries_the_assistants_settings(start_run, upstream):
    params = {"reasoning": {"effort": "low", "summary": "auto"}, "text": {"verbosity": "low"}}
    run = await start_run(*answer(message("one")), params=params, system_prompt="Be brief.")
    await wait_for_run(run)
    run = await run.conversation.ask("second")
    await engine.start(run)
    await wait_for_run(run)
    request = upstream.requests[-1]
    assert (request.method, request.path) == ("POST", "/v1/responses")
    assert request.body == {
        "model": "scripted",
        "input": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": "one"},
            {"role": "user", "content": "second"},
        ],
        "stream": True,
        "store": False,
        "reasoning": {"effort": "low", "summary": "auto"},
        "text": {"verbosity": "low"},
    }


async def test_images_are_sent_as_input_images(read_reply, upstream):
    parts = [{"type": "image", "media_type": "image/png", "data": "QUJD"}, {"type": "text", "text": "What is it?"}]
    await read_reply(*answer(message("ok")), turns=[("user", parts)])
    assert upstream.requests[0].body["input"] == [
        {
            "role": "user",
            "content": [
                {"type": "input_image", "image_url": "data:image/png;base64,QUJD"},
                {"type": "input_text", "text": "What is it?"},
            ],
        }
    ]


async def test_next_question_uses_the_same_connection(read_reply, upstream, monkeypatch):
    monkeypatch.setattr(stream, "DRAIN_TIMEOUT", HANG_TIMEOUT)
    for _ in range(3):
        reply = await read_reply(*answer(message("Hello")))
        assert (reply.text, reply.error) == ("Hello", None)
    assert upstream.connections == 1


async def test_server_that_stays_connected_after_the_end_is_left(start_run, upstream):
    run = await start_run(*answer(message("Hello")), SILENCE)
    assert await outcome_of(run) == ("completed", "", "Hello")
    await wait_until_closed(upstream.requests[0])


# Against aimock -------------------------------------------------------------------------------------------------------


@pytest.fixture
async def ask_aimock(aimock, ask, transactional_db):
    async def ask_aimock(text):
        params = {"base_url": f"{aimock.base_url}/v1"}
        fields = {"slug": "m", "name": "m", "model": "openai_responses:gpt-5-mini", "params": params}
        return await ask(await Assistant.objects.acreate(**fields), text)

    return ask_aimock


async def test_aimock_answers_with_usage(ask_aimock):
    run = await ask_aimock("hello")
    assert await outcome_of(run) == ("completed", "", TEXT)
    assert (run.finish_reason, run.usage[0]["total_tokens"]) == ("stop", 16)


async def test_aimock_thinks(ask_aimock):
    run = await ask_aimock("think")
    assert await outcome_of(run) == ("completed", "", "Done.")
    assert [part["type"] for part in run.message.parts] == ["reasoning", "text"]
    assert run.message.parts[0]["text"] == "First I think about it."


async def test_aimock_calls_tools(ask_aimock):
    run = await ask_aimock("What is the weather?")
    assert await outcome_of(run) == ("completed", "", "")
    calls = [(part["id"], part["name"], json.loads(part["arguments"])) for part in run.message.parts]
    assert calls == [("call_a", "weather", {"city": "Bern", "days": 2}), ("call_b", "clock", {})]
    assert run.finish_reason == "tool_calls"


async def test_aimock_refuses(ask_aimock, monkeypatch):
    monkeypatch.setattr(base, "MAX_RETRIES", 0)
    assert await outcome_of(await ask_aimock("wrong key")) == ("failed", "authentication", "")


async def test_aimock_cuts_the_stream(ask_aimock):
    status, code, text = await outcome_of(await ask_aimock("torn"))
    assert (status, code) == ("interrupted", "broken_off")
    assert text and LONG.startswith(text) and text != LONG


async def test_aimock_sees_a_stop(ask_aimock, aimock):
    run = await ask_aimock("slow")
    await wait_until_shown(run, LONG[:4])
    await engine.cancel(run)
    async with hang_timeout():
        await aimock.hung_up.wait()
    assert (await outcome_of(run))[0] == "cancelled"


# In the admin, and for titles -----------------------------------------------------------------------------------------


def test_check_needs_a_key(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(providers.ProviderError, match="OPENAI_API_KEY is not set"):
        providers.check("openai_responses:gpt-5")
    with pytest.raises(providers.ProviderError, match="OPENAI_API_KEY is not set"):
        providers.check("openai_responses:gpt-5", tools=["clock"])
    providers.check("openai_responses:gpt-5", {"api_key": "sk"}, tools=["clock"])


async def test_trial_shows_the_models_answer(upstream):
    upstream.answers(*answer(reasoning("hm"), message("I am ", "a model.", index=1)))
    params = {"base_url": upstream.base_url}
    assert await providers.try_model("openai_responses:scripted", params) == "I am a model."


@pytest.mark.parametrize(
    "model",
    [
        *("o1-pro", "o3-pro-2025-06-10", "gpt-5-pro", "gpt-5.4-pro-2026-03-05", "gpt-5-codex", "codex-mini-latest"),
        *("gpt-5.1-codex-max", "o3-deep-research", "o4-mini-deep-research", "computer-use-preview", "gpt-5.6-sol"),
    ],
)
def test_models_with_responses_alone_are_known(model):
    assert has_only_responses(model)


@pytest.mark.parametrize("model", ["gpt-5-mini", "gpt-5", "o3", "o1", "gpt-4.1", "o4-mini", "prompt-pro", "solar-pro"])
def test_models_that_also_have_chat_completions_are_distinguished(model):
    assert not has_only_responses(model)


def test_titles_are_written_by_the_model_and_limited_on_servers_of_ones_own():
    assert providers.is_language_model("openai_responses:gpt-5")
    own = {"base_url": "http://127.0.0.1:1/v1"}
    assert providers.with_output_limit("openai_responses:m", own, 50) == own | {"max_output_tokens": 50}
    assert (
        providers.with_output_limit("openai_responses:m", own | {"max_output_tokens": 9}, 50)["max_output_tokens"] == 9
    )
    assert providers.with_output_limit("openai_responses:m", {}, 50) == {}
