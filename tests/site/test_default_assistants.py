"""The assistants that the site creates by itself: one for each vendor with an API key, and the models of an Ollama."""

from io import StringIO

import pytest
from asgiref.sync import sync_to_async
from django.core.management import call_command

from chat.default_assistants import MAX_OLLAMA_MODELS, _ollama_url, create_default_assistants, list_ollama_models
from chat.models import Assistant
from tests.upstream import SILENCE, Answer, whole

pytestmark = pytest.mark.slow

create_assistants = sync_to_async(create_default_assistants)


@pytest.fixture
def setenv(transactional_db):
    """Sets a variable for the test, but not while its database is emptied, which creates assistants again."""
    with pytest.MonkeyPatch.context() as environment:
        yield environment.setenv


async def model_of_each():
    """Returns {slug: model} of all assistants but the demo."""
    return {row.slug: row.model async for row in Assistant.objects.exclude(slug="demo")}


ENVIRONMENTS = {  # name -> (variables, the assistants)
    "nothing": ({}, {}),
    "OpenAI": ({"OPENAI_API_KEY": "sk"}, {"openai": "openai:gpt-5-mini"}),
    "Anthropic": ({"ANTHROPIC_API_KEY": "sk"}, {"anthropic": "anthropic:claude-sonnet-5-5"}),
    "Anthropic's model": (
        {"ANTHROPIC_API_KEY": "sk", "ANTHROPIC_MODEL": "claude-x"},
        {"anthropic": "anthropic:claude-x"},
    ),
    "Google": ({"GOOGLE_API_KEY": "sk"}, {"google": "google_genai:gemini-flash-latest"}),
    "Gemini": ({"GEMINI_API_KEY": "sk", "GOOGLE_MODEL": "gemini-x"}, {"google": "google_genai:gemini-x"}),
    "Azure": (
        {"AZURE_OPENAI_API_KEY": "sk", "AZURE_OPENAI_ENDPOINT": "https://x/", "AZURE_OPENAI_DEPLOYMENT": "ours"},
        {"azure": "azure_openai:ours"},
    ),
    "half of Azure": ({"AZURE_OPENAI_API_KEY": "sk", "AZURE_OPENAI_DEPLOYMENT": "ours"}, {}),
    "an empty key": ({"ANTHROPIC_API_KEY": " "}, {}),
    "two": (
        {"ANTHROPIC_API_KEY": "sk", "OPENAI_API_KEY": "sk"},
        {"openai": "openai:gpt-5-mini", "anthropic": "anthropic:claude-sonnet-5-5"},
    ),
}


@pytest.mark.parametrize("kind", ENVIRONMENTS)
async def test_vendor_with_a_key_gets_an_assistant(setenv, kind):
    variables, assistants = ENVIRONMENTS[kind]
    for name, value in variables.items():
        setenv(name, value)
    await create_assistants()
    await create_assistants()
    assert await model_of_each() == assistants
    default = await Assistant.objects.aget(is_default=True)
    assert default.slug == next(iter(assistants), "demo")
    assert default.sees_images == bool(assistants)


async def test_default_assistant_is_created_once_even_if_deleted(setenv):
    setenv("ANTHROPIC_API_KEY", "sk")
    setenv("GEMINI_API_KEY", "sk")
    await create_assistants()
    await Assistant.objects.filter(slug="anthropic").aupdate(model="anthropic:other", is_enabled=False)
    await Assistant.objects.filter(slug="google").adelete()
    await create_assistants()
    assert await model_of_each() == {"anthropic": "anthropic:other"}


async def test_existing_assistant_with_that_slug_is_not_changed(setenv):
    setenv("ANTHROPIC_API_KEY", "sk")
    await Assistant.objects.acreate(slug="anthropic", name="Ours", model="demo:")
    await create_assistants()
    assert await model_of_each() == {"anthropic": "demo:"}


async def test_default_that_staff_chose_is_kept(setenv):
    setenv("ANTHROPIC_API_KEY", "sk")
    await Assistant.objects.acreate(slug="ours", name="Ours", model="python:ours.reply", is_default=True)
    await create_assistants()
    assert (await Assistant.objects.aget(is_default=True)).slug == "ours"


# Ollama ---------------------------------------------------------------------------------------------------------------


def tags(*names, family="llama"):
    return whole({"models": [{"name": name, "model": name, "details": {"family": family}} for name in names]})


@pytest.fixture
def prepare(setenv, upstream):
    """`await prepare(answer)` runs the command where an Ollama gives this answer; returns the assistants."""
    setenv("OLLAMA_HOST", upstream.base_url.removesuffix("/v1"))

    async def prepare(answer):
        upstream.answer = lambda request: answer
        await sync_to_async(call_command)("prepare", stdout=StringIO())
        return await model_of_each()

    return prepare


async def test_ollama_gets_an_assistant_for_each_model(prepare, upstream):
    await prepare(tags("llama3.2:3b", "hf.co/a/B-GGUF:Q4"))
    assert await model_of_each() == {
        "ollama-llama3-2-3b": "ollama:llama3.2:3b",
        "ollama-hf-co-a-b-gguf-q4": "ollama:hf.co/a/B-GGUF:Q4",
    }
    assert [(request.method, request.path) for request in upstream.requests] == [("GET", "/api/tags")]
    assert not (await Assistant.objects.aget(slug="ollama-llama3-2-3b")).sees_images


async def test_ollama_embedding_models_get_no_assistant(prepare):
    assert await prepare(tags("nomic-embed-text", "llama3.2")) == {"ollama-llama3-2": "ollama:llama3.2"}
    assert await prepare(tags("bge-m3", family="bert")) == {"ollama-llama3-2": "ollama:llama3.2"}


async def test_ollama_models_are_limited(prepare):
    assert len(await prepare(tags(*[f"model-{number}" for number in range(100)]))) == MAX_OLLAMA_MODELS


async def test_ollama_model_variable_selects_one_model(prepare, upstream, setenv):
    setenv("OLLAMA_MODEL", "qwen3:8b")
    assert await prepare(tags("llama3.2")) == {"ollama-qwen3-8b": "ollama:qwen3:8b"}
    assert upstream.requests == []


@pytest.mark.parametrize(
    "answer",
    [
        whole({"models": None}),
        whole({"models": [{"details": {}}]}),
        whole([]),
        Answer([b"<html>"], framing=6),
        Answer([b"no"], 404, framing=2),
        Answer([SILENCE], framing=None),
    ],
    ids=["no list", "no names", "no object", "a page", "404", "silence"],
)
async def test_ollama_with_an_invalid_response_gets_no_assistant(prepare, answer):
    assert await prepare(answer) == {}


HOSTS = {
    "": "http://127.0.0.1:11434",
    "0.0.0.0": "http://0.0.0.0:11434",
    "somewhere:1234": "http://somewhere:1234",
    "http://somewhere": "http://somewhere:80",
    "https://somewhere/ollama/": "https://somewhere:443/ollama",
    "[::1]:5": "http://[::1]:5",
    ":5": "http://127.0.0.1:5",
}


@pytest.mark.parametrize("host", HOSTS)
def test_ollama_host_is_parsed_as_ollama_does(monkeypatch, host):
    from ollama._client import _parse_host

    monkeypatch.setenv("OLLAMA_HOST", host)
    assert _ollama_url() == HOSTS[host] == _parse_host(host)


@pytest.mark.parametrize("host", ["127.0.0.1:1", "127.0.0.1:99999", "http://[", "ftp://127.0.0.1"])
def test_ollama_that_cannot_be_reached_has_no_models(monkeypatch, host):
    monkeypatch.setenv("OLLAMA_HOST", host)
    assert list_ollama_models() == []
