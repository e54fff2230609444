"""Params of an assistant, packages that are missing, and what LangChain loads and tells others."""

import asyncio
import json
import subprocess
import sys

import pytest

from chat import providers
from chat.providers import ProviderError, langchain
from chat.providers.langchain import models, vendors
from tests.providers.langchain.vendors import (
    VENDORS,
    WHOLE,
    WORDS,
    LangChainReply,
    every_vendor,
    make_request,
    responses,
    root_url,
)
from tests.upstream import END, Answer, Upstream

pytestmark = pytest.mark.slow


# Params ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", ["anthropic:x", "google_genai:x", "ollama:x", "azure_openai:x", "langchain:openai:x"])
async def test_missing_package_gives_a_sentence(model, monkeypatch):
    vendor = model.split(":")[-2]
    package = vendors.VENDORS[vendor].package
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.delitem(models.classes, vendor, raising=False)
    sentence = f"Install it with: pip install {package.replace('_', '-')}"
    with pytest.raises(ProviderError, match=sentence):
        providers.check(model, {"api_key": "sk"})
    reply = await LangChainReply().read(model, {"api_key": "sk"})
    assert reply.error.code == "not_installed"
    assert sentence in str(reply.error)


UNBUILT = {  # model id -> a part of the sentence
    "langchain:groq:llama": "pip install langchain-groq",
    "langchain:bedrock_converse:claude": "pip install langchain-aws",
    "langchain:nobody:model": "LangChain has no provider with this name.",
    "langchain:gpt-5": "must have the form langchain:PROVIDER:MODEL.",
}


@pytest.mark.parametrize("model", UNBUILT)
async def test_provider_langchain_cannot_build_gives_a_sentence(model):
    with pytest.raises(ProviderError) as error:
        providers.check(model)
    assert UNBUILT[model] in str(error.value)
    assert UNBUILT[model] in str((await LangChainReply().read(model, {})).error)


PARAMS = {  # model id, params -> a part of the sentence
    "unknown": ("anthropic:x", {"temprature": 1}, "no parameter “temprature”"),
    "unknown to Gemini": ("google_genai:x", {"top": 1}, "no parameter “top”"),
    "unknown to Ollama": ("ollama:x", {"max_tokens": 1}, "no parameter “max_tokens”"),
    "unknown to OpenAI": ("langchain:openai:x", {"top_k": 1}, "no parameter “top_k”"),
    "unknown to any": ("langchain:langsmith:x", {"top_k": 1}, "no parameter “top_k”"),
    "of the wrong kind": ("anthropic:x", {"temperature": "hot"}, "invalid: temperature: "),
    "out of range": ("google_genai:x", {"temperature": 5}, "range"),
    "not for this model": ("anthropic:claude-sonnet-5-5", {"temperature": 0.5}, "`temperature` is not supported"),
    "an address of another name": ("anthropic:x", {"anthropic_api_url": "http://x"}, "no param"),
    "another one": ("langchain:openai:x", {"openai_api_base": "http://x"}, "no param"),
    "another one of Azure": ("azure_openai:x", {"azure_endpoint": "http://x"}, "no param"),
    "another one of Gemini": ("google_genai:x", {"client_options": {"api_endpoint": "http://x"}}, "no param"),
    "a proxy": ("anthropic:x", {"anthropic_proxy": "http://x"}, "no param"),
    "headers": ("langchain:openai:x", {"default_headers": {}}, "no param"),
    "arguments of a client": ("ollama:x", {"client_kwargs": {"proxy": "http://x"}}, "no param"),
    "arguments of anything": ("google_genai:x", {"model_kwargs": {"http_options": {}}}, "no param"),
    "another model": ("anthropic:x", {"model_name": "y"}, "no param"),
    "a timeout": ("anthropic:x", {"timeout": 1}, "no param"),
    "second tries": ("langchain:openai:x", {"max_retries": 5}, "no param"),
    "several answers": ("langchain:openai:x", {"n": 2}, "no param"),
    "no usage": ("anthropic:x", {"stream_usage": False}, "no param"),
    "the other Google": ("google_genai:x", {"vertexai": True}, "no param"),
    "an address that is no text": ("anthropic:x", {"base_url": 5}, "must be strings"),
    "a key that is none": ("anthropic:x", {"api_key": "sk-“quoted”"}, "contains invalid characters"),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", PARAMS)
async def test_invalid_params_give_a_sentence(kind):
    model, params, sentence = PARAMS[kind]
    params = {"base_url": "http://127.0.0.1:1", "api_key": "sk-hidden"} | params
    with pytest.raises(ProviderError) as error:
        providers.check(model, params)
    assert sentence in str(error.value)
    assert "sk-hidden" not in str(error.value)
    reply = await LangChainReply().read(model, params)
    assert str(reply.error) == str(error.value)


@every_vendor
@pytest.mark.parametrize("address", ["not an address", "ftp://127.0.0.1/", "http://:::", "http://exämple../"])
async def test_invalid_address_gives_a_sentence(vendor, address):
    model, params_for = VENDORS[vendor]
    reply = await LangChainReply().read(model, params_for(address))
    assert reply.error.code in ("unreachable", "not_configured")
    assert str(reply.error).endswith(".")
    await providers.close()


async def test_params_of_the_openai_provider_are_also_sent_by_its_agents(upstream):
    upstream.answers(*END)
    params = {"base_url": upstream.base_url, "temperature": 0.5, "top_k": 3, "max_tokens": 9, "metadata": {"a": "b"}}
    async with langchain.chat_model(make_request("openai:gpt-5-mini", params=params)) as model:
        async for _ in model._astream(langchain.messages(make_request("openai:x"))):
            pass
    body = upstream.requests[0].body
    assert {name: body[name] for name in ("temperature", "top_k", "max_tokens", "metadata")} == {
        name: value for name, value in params.items() if name != "base_url"
    }


async def test_vendor_known_only_to_langchain_answers(read_reply, upstream):
    """A vendor that the site does not list but whose package is installed."""
    stream = responses(("output_text.delta", WORDS | {"output_index": 0, "delta": "Hello"}))
    upstream.answers(b"".join(stream))
    reply = await LangChainReply().read(
        "langchain:langsmith:x", {"base_url": upstream.base_url, "api_key": "sk-theirs"}
    )
    assert (reply.text, reply.error, reply.finish_reason) == ("Hello", None, "stop")
    assert upstream.requests[0].headers["authorization"] == "Bearer sk-theirs"


async def test_vertex_takes_googles_application_default_credentials(upstream, monkeypatch, tmp_path):
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(65537, 2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    account = {"type": "service_account", "project_id": "p", "client_email": "a@b.c", "private_key": key.decode()}
    (tmp_path / "account.json").write_text(json.dumps(account | {"token_uri": f"{root_url(upstream)}/token"}))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "account.json"))
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "ours")
    monkeypatch.setenv("GOOGLE_VERTEX_BASE_URL", root_url(upstream))
    token = json.dumps({"access_token": "ya29.ours", "expires_in": 3600, "token_type": "Bearer"}).encode()
    whole = Answer(WHOLE["vertex"])
    upstream.answer = lambda request: Answer([token], framing=len(token)) if request.path == "/token" else whole
    reply = await LangChainReply().read("google_vertexai:gemini-2.5-flash", {"location": "europe-west1"})
    assert (reply.text, reply.error) == ("Hello", None)
    assert upstream.requests[-1].headers["authorization"] == "Bearer ya29.ours"
    assert "/projects/ours/locations/europe-west1/" in upstream.requests[-1].path


async def test_vertex_without_credentials_gives_a_sentence(upstream, monkeypatch, tmp_path):
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "nothing.json"))
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "ours")
    reply = await LangChainReply().read("google_vertexai:gemini-2.5-flash", {})
    assert (reply.error.code, reply.error.retryable) == ("not_configured", False)


# What is loaded, and what is told to others ---------------------------------------------------------------------------


def test_site_start_loads_no_vendor_package():
    code = """
import os, sys, django
os.environ["DJANGO_SETTINGS_MODULE"] = "chatsite.settings"
django.setup()
from django.core.management import call_command
call_command("check")
import chat.admin, chatsite.asgi
heavy = "anthropic google httpx langchain langchain_core langgraph langsmith ollama openai".split()
print(sorted({name.partition(".")[0] for name in sys.modules} & {*heavy}))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


async def test_conversations_are_sent_to_the_vendor_only(read_reply, upstream, monkeypatch):
    collector = Upstream()
    collector.answers(Answer([b"{}"], framing=2))
    await collector.start()
    monkeypatch.setenv("LANGSMITH_API_KEY", "lsv2_x")
    monkeypatch.setenv("LANGSMITH_ENDPOINT", root_url(collector))
    try:
        reply = await read_reply("openai", *WHOLE["openai"])
        assert reply.text == "Hello"
        await asyncio.sleep(0.5)  # LangSmith's client collects what it sends for a quarter of a second
        assert collector.requests == []
    finally:
        await collector.stop()


def test_own_error_is_passed_on_unchanged():
    with pytest.raises(ZeroDivisionError), langchain.translated_errors():
        1 / 0  # noqa: B018
    with pytest.raises(ProviderError) as error, langchain.translated_errors(), langchain.translated_errors():
        try:
            raise ProviderError("No.", "refused") from OSError()
        except ProviderError as refused:
            raise RuntimeError from refused
    assert (error.value.code, type(error.value.__cause__)) == ("refused", OSError)
