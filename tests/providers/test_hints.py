"""Where a key or an address of the environment is wrong, the reader is told which variable to correct."""

import pytest

from chat.models import Assistant
from chat.providers import ProviderError, with_hint
from tests.upstream import refusal
from tests.waiting import wait_for_run

KEY = "sk-test-0123456789abcdef"
REJECTED = "The provider rejected the API key."
UNREACHABLE = "The model's server cannot be reached."


@pytest.fixture
def assistant(transactional_db):
    async def create(model, **params):
        return await Assistant.objects.acreate(slug="a", name="A", model=model, params=params)

    return create


async def test_answer_with_a_wrong_key_names_its_variable(ask, assistant, upstream, monkeypatch):
    monkeypatch.setenv("OPENAI_BASE_URL", upstream.base_url)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    upstream.answers(refusal(401, {"error": {"message": f"Incorrect API key: {KEY}"}}))
    run = await ask(await assistant("openai:m"))
    await wait_for_run(run)
    assert (run.error_code, run.error_message) == ("authentication", f"{REJECTED} Correct OPENAI_API_KEY.")


async def test_answer_without_a_server_names_the_address_variable(ask, assistant, monkeypatch):
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    run = await ask(await assistant("openai:m"))
    await wait_for_run(run)
    assert (run.error_code, run.error_message) == (
        "unreachable",
        f"{UNREACHABLE} Start it, or correct OPENAI_BASE_URL.",
    )


HINTS = [  # model, params, environment, code -> what is added
    ("openai:m", {}, {"OPENAI_API_KEY": KEY}, "authentication", " Correct OPENAI_API_KEY."),
    ("openai_responses:m", {}, {"OPENAI_API_KEY": KEY}, "authentication", " Correct OPENAI_API_KEY."),
    ("anthropic:m", {}, {"ANTHROPIC_API_KEY": KEY}, "authentication", " Correct ANTHROPIC_API_KEY."),
    ("google_genai:m", {}, {"GEMINI_API_KEY": KEY}, "authentication", " Correct GEMINI_API_KEY."),
    ("openai:m", {"api_key_env": "OUR_KEY", "base_url": "http://x"}, {}, "authentication", " Correct OUR_KEY."),
    ("openai:m", {"api_key": KEY}, {"OPENAI_API_KEY": KEY}, "authentication", ""),
    ("openai:m", {"base_url": "http://x"}, {"OPENAI_API_KEY": KEY}, "authentication", ""),
    ("langchain:x:m", {}, {}, "authentication", ""),
    ("openai:m", {}, {"OPENAI_BASE_URL": "http://x"}, "unreachable", " Start it, or correct OPENAI_BASE_URL."),
    ("ollama:m", {}, {}, "unreachable", " Start it, or correct OLLAMA_HOST."),
    ("openai:m", {"base_url": "http://y"}, {"OPENAI_BASE_URL": "http://x"}, "unreachable", ""),
    ("openai:m", {}, {}, "unreachable", ""),
    ("python:x", {}, {}, "unreachable", ""),
    ("openai:m", {}, {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": "http://x"}, "rate_limited", ""),
]


@pytest.mark.parametrize(("model_id", "params", "environment", "code", "added"), HINTS)
def test_hint_names_the_variable_that_the_assistant_uses(monkeypatch, model_id, params, environment, code, added):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert with_hint(ProviderError("It failed.", code), model_id, params) == f"It failed.{added}"
