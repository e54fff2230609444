"""Which address and which key `openai:` uses."""

import json

import pytest

from chat import providers
from tests.providers.provider_runs import ProviderReply, outcome_of
from tests.upstream import END, RESET, Answer, Upstream, refusal

pytestmark = pytest.mark.slow


async def test_address_and_key_come_from_environment_variables(upstream, monkeypatch):
    monkeypatch.setenv("OPENAI_BASE_URL", upstream.base_url)
    monkeypatch.setenv("OPENAI_API_KEY", " sk-ours\n")
    monkeypatch.setenv("OPENAI_ORG_ID", "org-ours")
    upstream.answers("Hello", *END)
    reply = await ProviderReply().read({})
    assert reply.text == "Hello"
    assert upstream.requests[0].headers["authorization"] == "Bearer sk-ours"
    assert upstream.requests[0].headers["openai-organization"] == "org-ours"


@pytest.mark.parametrize("key", [None, "", " "])
async def test_address_from_the_environment_needs_no_key(upstream, monkeypatch, key):
    monkeypatch.setenv("OPENAI_BASE_URL", upstream.base_url)
    if key is not None:
        monkeypatch.setenv("OPENAI_API_KEY", key)
    upstream.answers("Hello", *END)
    assert (await ProviderReply().read({})).text == "Hello"
    assert upstream.requests[0].headers["authorization"] == "Bearer none"


async def test_environment_key_is_not_sent_to_an_assistants_own_address(read_reply, upstream, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-ours")
    monkeypatch.setenv("OPENAI_ORG_ID", "org-ours")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj-ours")
    await read_reply("Hello", *END)
    assert "ours" not in json.dumps(upstream.requests[0].headers)
    assert upstream.requests[0].headers["authorization"] == "Bearer none"


async def test_redirect_takes_no_key_to_another_address(upstream, monkeypatch):
    other = Upstream()
    other.answers("Hello", *END)
    await other.start()
    monkeypatch.setenv("OPENAI_BASE_URL", upstream.base_url)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-ours")
    upstream.answers(refusal(307, b"", location=f"{other.base_url}/chat/completions"))
    try:
        reply = await ProviderReply().read({})
        assert (reply.text, len(other.requests)) == ("Hello", 1)
        assert "ours" not in json.dumps(other.requests[0].headers)
    finally:
        await providers.close()
        await other.stop()


async def test_assistant_names_the_variable_of_its_key(read_reply, upstream, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-ours")
    monkeypatch.setenv("OTHER_KEY", "sk-theirs")
    await read_reply("Hello", *END, params={"api_key_env": "OTHER_KEY"})
    assert upstream.requests[0].headers["authorization"] == "Bearer sk-theirs"
    assert "api_key_env" not in upstream.requests[0].body


async def test_assistant_can_have_its_own_key(read_reply, upstream):
    await read_reply("Hello", *END, params={"api_key": "sk-theirs"})
    assert upstream.requests[0].headers["authorization"] == "Bearer sk-theirs"
    assert "api_key" not in upstream.requests[0].body


async def test_missing_key_is_reported_in_a_sentence(start_run, upstream):
    run = await start_run(params={"base_url": ""})
    assert await outcome_of(run) == ("failed", "not_configured", "")
    assert run.error_message == "The environment variable OPENAI_API_KEY is not set."
    run = await start_run(params={"api_key_env": "NO_SUCH_KEY"})
    assert await outcome_of(run) == ("failed", "not_configured", "")
    assert run.error_message == "The environment variable NO_SUCH_KEY is not set."
    assert upstream.requests == []


@pytest.mark.parametrize(
    "params, code",
    [
        ({"base_url": "http://127.0.0.1:1/v1"}, "unreachable"),
        ({"base_url": "not an address"}, "unreachable"),
        ({"base_url": "ftp://127.0.0.1/"}, "unreachable"),
        ({"base_url": "http://127.0.0.1:99999/"}, "unreachable"),
        ({"base_url": "http://:::"}, "not_configured"),
        ({"base_url": "http://exämple../"}, "not_configured"),
        ({"base_url": 5}, "not_configured"),
        ({"base_url": []}, "not_configured"),
        ({"base_url": "http://127.0.0.1:1/v1", "api_key": "sk-“quoted”"}, "not_configured"),
        ({"base_url": "http://127.0.0.1:1/v1", "api_key": "sk\r\nHost: x"}, "not_configured"),
        ({"base_url": "http://127.0.0.1:1/v1", "api_key": ["sk"]}, "not_configured"),
    ],
)
async def test_invalid_address_or_key_is_reported_in_a_sentence(upstream, params, code):
    reply = await ProviderReply().read(params)
    assert reply.error.code == code
    assert str(reply.error).endswith(".")


@pytest.mark.parametrize(
    "answer",
    [Answer([b"nonsense\r\n\r\n"], framing=None), Answer([RESET]), Answer([RESET], framing=None), refusal(401, b"no")],
    ids=["nonsense", "reset", "reset at once", "refusal"],
)
async def test_key_stays_out_of_the_log(read_reply, caplog, answer):
    reply = await read_reply(answer, params={"api_key": "sk-secret"})
    assert reply.error is not None
    assert len(caplog.records) > 0
    assert "sk-secret" not in caplog.text
