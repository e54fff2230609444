"""What `make run` finds set up, as assistants: each vendor's as soon as there is a key, and the models of an Ollama."""

from io import StringIO

import pytest
from asgiref.sync import sync_to_async
from django.core.management import call_command

from chat.apps import MOST_OF_OLLAMA, models_of_ollama, offer_assistants
from chat.models import Assistant

from .upstream import SILENCE, Answer, whole

offer = sync_to_async(offer_assistants)


@pytest.fixture
def setenv(transactional_db):
    """Sets a variable until the test is over, and not until its database is emptied, which makes offers anew."""
    with pytest.MonkeyPatch.context() as environment:
        yield environment.setenv


async def offered():
    """{slug: model} of all assistants but the demonstration."""
    return {a.slug: a.model async for a in Assistant.objects.exclude(slug="demo")}


FOUND = {  # variables -> the assistants
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


@pytest.mark.parametrize("kind", FOUND)
async def test_a_key_offers_its_vendors_model(setenv, kind):
    variables, assistants = FOUND[kind]
    for name, value in variables.items():
        setenv(name, value)
    await offer()
    await offer()
    assert await offered() == assistants
    default = await Assistant.objects.aget(is_default=True)
    assert default.slug == next(iter(assistants), "demo")
    assert default.sees_images == bool(assistants)


async def test_an_offer_is_made_once_whatever_becomes_of_it(setenv):
    setenv("ANTHROPIC_API_KEY", "sk")
    setenv("GEMINI_API_KEY", "sk")
    await offer()
    await Assistant.objects.filter(slug="anthropic").aupdate(model="anthropic:other", is_enabled=False)
    await Assistant.objects.filter(slug="google").adelete()
    await offer()
    assert await offered() == {"anthropic": "anthropic:other"}


async def test_an_assistant_of_that_name_is_left_alone(setenv):
    setenv("ANTHROPIC_API_KEY", "sk")
    await Assistant.objects.acreate(slug="anthropic", name="Ours", model="demo:")
    await offer()
    assert await offered() == {"anthropic": "demo:"}


async def test_what_staff_made_the_default_stays_it(setenv):
    setenv("ANTHROPIC_API_KEY", "sk")
    await Assistant.objects.acreate(slug="ours", name="Ours", model="python:ours.reply", is_default=True)
    await offer()
    assert (await Assistant.objects.aget(is_default=True)).slug == "ours"


# Ollama ---------------------------------------------------------------------------------------------------------------


def tags(*names, family="llama"):
    return whole({"models": [{"name": name, "model": name, "details": {"family": family}} for name in names]})


@pytest.fixture
def prepare(setenv, upstream):
    """`await prepare(answer)`: bring the site up where an Ollama answers so; gives the assistants."""
    setenv("OLLAMA_HOST", upstream.base_url.removesuffix("/v1"))

    async def prepare(answer):
        upstream.answer = lambda asked: answer
        await sync_to_async(call_command)("prepare", stdout=StringIO())
        return await offered()

    return prepare


async def test_each_model_of_an_ollama_is_offered(prepare, upstream):
    found = await prepare(tags("llama3.2:3b", "hf.co/a/B-GGUF:Q4"))
    assert found == {"ollama-llama3-2-3b": "ollama:llama3.2:3b", "ollama-hf-co-a-b-gguf-q4": "ollama:hf.co/a/B-GGUF:Q4"}
    assert [(asked.method, asked.path) for asked in upstream.asked] == [("GET", "/api/tags")]
    assert not (await Assistant.objects.aget(slug="ollama-llama3-2-3b")).sees_images


async def test_models_that_only_embed_are_not_offered(prepare):
    assert await prepare(tags("nomic-embed-text", "llama3.2")) == {"ollama-llama3-2": "ollama:llama3.2"}
    assert await prepare(tags("bge-m3", family="bert")) == {"ollama-llama3-2": "ollama:llama3.2"}


async def test_not_every_model_of_a_collection_is_offered(prepare):
    assert len(await prepare(tags(*[f"model-{number}" for number in range(100)]))) == MOST_OF_OLLAMA


async def test_a_model_that_is_named_is_offered_alone(prepare, upstream, setenv):
    setenv("OLLAMA_MODEL", "qwen3:8b")
    assert await prepare(tags("llama3.2")) == {"ollama-qwen3-8b": "ollama:qwen3:8b"}
    assert upstream.asked == []


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
async def test_what_is_no_ollama_offers_nothing(prepare, answer):
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
def test_the_address_is_read_as_ollama_reads_it(monkeypatch, host):
    from ollama._client import _parse_host

    from chat.apps import _address_of_ollama

    monkeypatch.setenv("OLLAMA_HOST", host)
    assert _address_of_ollama() == HOSTS[host] == _parse_host(host)


@pytest.mark.parametrize("host", ["127.0.0.1:1", "127.0.0.1:99999", "http://[", "ftp://127.0.0.1"])
def test_where_no_ollama_is_there_are_no_models(monkeypatch, host):
    monkeypatch.setenv("OLLAMA_HOST", host)
    assert models_of_ollama() == []
