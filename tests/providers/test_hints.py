"""Staff are told what to do about an error of a run; others read only what happened."""

import pytest
from django.contrib.auth.models import Permission

from chat.models import Assistant, Conversation
from chat.providers import ProviderError, with_advice
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


async def test_answer_with_a_wrong_key_does_not_name_its_variable(ask, assistant, upstream, monkeypatch):
    monkeypatch.setenv("OPENAI_BASE_URL", upstream.base_url)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    upstream.answers(refusal(401, {"error": {"message": f"Incorrect API key: {KEY}"}}))
    run = await ask(await assistant("openai:m"))
    await wait_for_run(run)
    assert (run.error_code, run.error_message) == ("authentication", REJECTED)


async def test_answer_without_a_server_does_not_name_the_address_variable(ask, assistant, monkeypatch):
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    run = await ask(await assistant("openai:m"))
    await wait_for_run(run)
    assert (run.error_code, run.error_message) == ("unreachable", UNREACHABLE)


IN_ASSISTANT = " Start the server, or correct its address in the assistant."
OFTEN = " If this happens often, raise the limit at the provider."
HINTS = [  # model, params, environment, code -> what is added
    ("openai:m", {}, {"OPENAI_API_KEY": KEY}, "authentication", " Correct OPENAI_API_KEY."),
    ("openai_responses:m", {}, {"OPENAI_API_KEY": KEY}, "authentication", " Correct OPENAI_API_KEY."),
    ("anthropic:m", {}, {"ANTHROPIC_API_KEY": KEY}, "authentication", " Correct ANTHROPIC_API_KEY."),
    ("google_genai:m", {}, {"GEMINI_API_KEY": KEY}, "authentication", " Correct GEMINI_API_KEY."),
    ("openai:m", {"api_key_env": "OUR_KEY", "base_url": "http://x"}, {}, "authentication", " Correct OUR_KEY."),
    ("openai:m", {"api_key": KEY}, {"OPENAI_API_KEY": KEY}, "authentication", " Correct the API key in the assistant."),
    ("langchain:x:m", {}, {}, "authentication", ""),
    ("openai:m", {}, {"OPENAI_BASE_URL": "http://x"}, "unreachable", " Start the server, or correct OPENAI_BASE_URL."),
    ("ollama:m", {}, {}, "unreachable", " Start the server, or correct OLLAMA_HOST."),
    ("openai:m", {"base_url": "http://y"}, {"OPENAI_BASE_URL": "http://x"}, "unreachable", IN_ASSISTANT),
    ("openai:m", {}, {}, "unreachable", ""),
    ("python:x", {}, {}, "unreachable", ""),
    ("openai:m", {}, {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": "http://x"}, "rate_limited", OFTEN),
    ("openai:m", {}, {}, "unknown_model", " Check the assistant's model (“openai:m”) and address."),
    ("openai:m", {}, {}, "refused", ""),
]


@pytest.mark.parametrize(("model_id", "params", "environment", "code", "added"), HINTS)
def test_hint_names_the_variable_that_the_assistant_uses(monkeypatch, model_id, params, environment, code, added):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert with_advice(ProviderError("It failed.", code), model_id, params) == f"It failed.{added}"


async def failed(ask, assistant, upstream, monkeypatch):
    """Returns a run of Alice's that failed with a wrong key."""
    monkeypatch.setenv("OPENAI_BASE_URL", upstream.base_url)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    upstream.answers(refusal(401, {"error": {"message": "No"}}))
    run = await ask(await assistant("openai:m"))
    await wait_for_run(run)
    return run


async def test_run_has_advice_for_staff_alone(ask, assistant, upstream, monkeypatch, client_of, alice):
    run = await failed(ask, assistant, upstream, monkeypatch)
    path = f"/api/runs/{run.pk}"
    data = (await client_of(alice).get(path)).json()
    assert (data["error"]["message"], data["advice"]) == (REJECTED, None)
    alice.is_staff = True
    await alice.asave()
    advice = (await client_of(alice).get(path)).json()["advice"]
    assert advice == {"sentence": "Correct OPENAI_API_KEY.", "assistant_url": None, "run_url": None}
    permissions = Permission.objects.filter(codename__in=["change_assistant", "view_run"])
    await alice.user_permissions.aset([permission async for permission in permissions])
    advice = (await client_of(alice).get(path)).json()["advice"]
    assert advice["assistant_url"] == f"/admin/chat/assistant/{run.assistant_id}/change/"
    assert advice["run_url"] == f"/admin/chat/run/{run.pk}/change/"
    await Conversation.objects.aupdate(is_temporary=True)  # the admin does not have it
    assert (await client_of(alice).get(path)).json()["advice"]["run_url"] is None


async def test_run_without_error_has_no_advice(finished_run, client_of, alice):
    run = await finished_run("one")
    alice.is_staff = True
    await alice.asave()
    assert (await client_of(alice).get(f"/api/runs/{run.pk}")).json()["advice"] is None
