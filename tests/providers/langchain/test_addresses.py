"""Which address and which key a provider of LangChain's uses."""

import json
from contextlib import aclosing

import pytest

from chat import providers
from chat.providers import ProviderError
from tests.providers.langchain.vendors import (
    PATHS,
    VENDORS,
    WHOLE,
    LangChainReply,
    every_vendor,
    make_request,
    root_url,
)
from tests.upstream import END, Upstream, refusal

pytestmark = pytest.mark.slow

KEYS = {  # vendor -> (the variable of its key, the header that carries it)
    "openai": ("OPENAI_API_KEY", "authorization"),
    "azure": ("AZURE_OPENAI_API_KEY", "api-key"),
    "anthropic": ("ANTHROPIC_API_KEY", "authorization"),
    "gemini": ("GOOGLE_API_KEY", "x-goog-api-key"),
    "vertex": ("GOOGLE_API_KEY", "x-goog-api-key"),
    "ollama": ("OLLAMA_API_KEY", "authorization"),
}
ADDRESSES = {  # vendor -> the variables that name a server, without which it is the vendor's
    "openai": lambda root_url: {"OPENAI_BASE_URL": f"{root_url}/v1"},
    "azure": lambda root_url: {"AZURE_OPENAI_ENDPOINT": root_url},
    "anthropic": lambda root_url: {"ANTHROPIC_BASE_URL": root_url},
    "gemini": lambda root_url: {"GOOGLE_GEMINI_BASE_URL": root_url},
    "vertex": lambda root_url: {"GOOGLE_VERTEX_BASE_URL": root_url},
    "ollama": lambda root_url: {"OLLAMA_HOST": root_url},
}


@every_vendor
async def test_address_and_key_come_from_the_environment(upstream, monkeypatch, vendor):
    variable, header = KEYS[vendor]
    monkeypatch.setenv(variable, " sk-ours\n")
    for name, value in ADDRESSES[vendor](root_url(upstream)).items():
        monkeypatch.setenv(name, value)
    upstream.answers(*WHOLE[vendor])
    reply = await LangChainReply().read(VENDORS[vendor][0], {})
    assert (reply.text, reply.error) == ("Hello", None)
    assert upstream.requests[0].headers[header].removeprefix("Bearer ").strip() == "sk-ours"


@every_vendor
async def test_site_keys_are_not_sent_to_an_assistants_own_address(read_reply, upstream, monkeypatch, vendor):
    for name, _ in KEYS.values():
        monkeypatch.setenv(name, "sk-ours")
    for name in ("AZURE_OPENAI_AD_TOKEN", "ANTHROPIC_AUTH_TOKEN", "GEMINI_API_KEY", "LANGSMITH_API_KEY"):
        monkeypatch.setenv(name, "sk-ours")
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "ours")
    reply = await read_reply(vendor, *WHOLE[vendor], params={"project": None} if vendor == "vertex" else {})
    assert (reply.text, reply.error) == ("Hello", None)
    assert "ours" not in json.dumps(upstream.requests[0].headers)
    assert "ours" not in upstream.requests[0].path
    reply = await read_reply(vendor, *WHOLE[vendor], params={"api_key": "sk-theirs"})
    assert upstream.requests[1].headers[KEYS[vendor][1]].endswith("sk-theirs")
    assert "ours" not in json.dumps(upstream.requests[1].headers)


@every_vendor
async def test_assistant_names_the_variable_of_its_key(read_reply, upstream, monkeypatch, vendor):
    monkeypatch.setenv("OTHER_KEY", "sk-theirs")
    await read_reply(vendor, *WHOLE[vendor], params={"api_key_env": "OTHER_KEY"})
    assert upstream.requests[0].headers[KEYS[vendor][1]].endswith("sk-theirs")


@every_vendor
async def test_redirect_takes_no_key_to_another_address(read_reply, upstream, vendor):
    other = Upstream()
    other.answers(*WHOLE[vendor])
    await other.start()
    try:
        reply = await read_reply(
            vendor, refusal(307, b"", location=f"{root_url(other)}{PATHS[vendor]}"), params={"api_key": "sk"}
        )
        assert reply.error.code == "refused"
        assert other.requests == []
    finally:
        await other.stop()


@pytest.mark.parametrize("vendor", ["openai:scripted", "anthropic:x"])
@pytest.mark.parametrize(
    "name", ["SECRET_KEY", "DATABASE_URL", "MY_SECRET_TOKEN", "PATH", "secret_key", "A_KEY\n", "_KEY"]
)
async def test_variable_that_is_not_an_api_key_is_never_sent(upstream, monkeypatch, vendor, name):
    monkeypatch.setenv(name, "hush")
    upstream.answers(*END)
    params = {"base_url": upstream.base_url, "api_key_env": name}
    with pytest.raises(ProviderError) as error:
        providers.check(vendor, params)
    assert error.value.code == "not_configured"
    assert str(error.value).startswith(f"“{name}” cannot be used for api_key_env.")
    reply, _ = providers.resolve(vendor)
    with pytest.raises(ProviderError):
        async with aclosing(reply(make_request(vendor, params=params))) as pieces:
            await anext(pieces)
    assert upstream.requests == []


MISSING = {  # model id -> the variable that its sentence names
    "openai:gpt-5-mini": "OPENAI_API_KEY",
    "langchain:openai:gpt-5-mini": "OPENAI_API_KEY",
    "azure_openai:deployed": "AZURE_OPENAI_API_KEY",
    "anthropic:claude-haiku-4-5": "ANTHROPIC_API_KEY",
    "langchain:anthropic:claude-haiku-4-5": "ANTHROPIC_API_KEY",
    "google_genai:gemini-2.5-flash": "GOOGLE_API_KEY or GEMINI_API_KEY",
    "google_vertexai:gemini-2.5-flash": "GOOGLE_CLOUD_PROJECT",
    "langchain:langsmith:x": "OPENAI_API_KEY",
}


@pytest.mark.parametrize("model", MISSING)
async def test_missing_key_gives_a_sentence(model, monkeypatch):
    sentence = f"The environment variable {MISSING[model]} is not set."
    with pytest.raises(ProviderError, match=sentence) as error:
        providers.check(model)
    assert error.value.code == "not_configured"
    if not model.startswith("openai:"):
        reply = await LangChainReply().read(model, {})
        assert (str(reply.error), reply.error.code) == (sentence, "not_configured")
    monkeypatch.setenv(MISSING[model].split(" ")[-1], "set")
    if model.startswith("azure_openai:"):
        with pytest.raises(ProviderError, match="AZURE_OPENAI_ENDPOINT is not set"):
            providers.check(model)
        monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", "https://example.openai.azure.com/")
    providers.check(model)
