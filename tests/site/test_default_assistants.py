"""The assistants that the site creates by itself: one for each vendor with an API key, and the models of an Ollama."""

from io import StringIO

import pytest
from asgiref.sync import sync_to_async
from django.core.management import call_command

from chat.default_assistants import MAX_OLLAMA_MODELS, _ollama_url, create_default_assistants, list_ollama_models
from chat.models import Assistant
from chat.providers.vision import is_known_to_see
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
    "OpenAI's model for responses alone": (
        {"OPENAI_API_KEY": "sk", "OPENAI_MODEL": "gpt-5.2-pro", "OPENAI_BASE_URL": "https://api.openai.com/v1"},
        {"openai": "openai_responses:gpt-5.2-pro"},
    ),
    "a compatible server's model of that name": (
        {"OPENAI_API_KEY": "sk", "OPENAI_MODEL": "gpt-5-codex", "OPENAI_BASE_URL": "http://127.0.0.1:8080/v1"},
        {"openai": "openai:gpt-5-codex"},
    ),
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


SEEING = {  # variables -> whether the assistant sees images
    "OpenAI": ({"OPENAI_API_KEY": "sk"}, True),
    "OpenAI's address": ({"OPENAI_API_KEY": "sk", "OPENAI_BASE_URL": "https://api.openai.com/v1"}, True),
    "a model of OpenAI that sees": ({"OPENAI_API_KEY": "sk", "OPENAI_MODEL": "gpt-4.1-nano"}, True),
    "a model of OpenAI that does not": ({"OPENAI_API_KEY": "sk", "OPENAI_MODEL": "o3-mini"}, False),
    "an unknown model of OpenAI": ({"OPENAI_API_KEY": "sk", "OPENAI_MODEL": "gpt-3.5-turbo"}, False),
    "a compatible server": ({"OPENAI_API_KEY": "sk", "OPENAI_BASE_URL": "http://127.0.0.1:8080/v1"}, False),
    "a model of a compatible server": (
        {"OPENAI_API_KEY": "sk", "OPENAI_BASE_URL": "http://127.0.0.1:8080/v1", "OPENAI_MODEL": "smollm2"},
        False,
    ),
    "a model of a compatible server that sees": (
        {"OPENAI_API_KEY": "sk", "OPENAI_BASE_URL": "https://x/v1", "OPENAI_MODEL": "qwen/qwen2.5-vl-7b-instruct"},
        True,
    ),
    "Anthropic": ({"ANTHROPIC_API_KEY": "sk", "ANTHROPIC_MODEL": "claude-x"}, True),
    "a server in Anthropic's format": ({"ANTHROPIC_API_KEY": "sk", "ANTHROPIC_BASE_URL": "https://x/"}, False),
    "Google": ({"GEMINI_API_KEY": "sk"}, True),
    "Azure, by its deployment": (
        {"AZURE_OPENAI_API_KEY": "sk", "AZURE_OPENAI_ENDPOINT": "https://x/", "AZURE_OPENAI_DEPLOYMENT": "our-gpt-4o"},
        True,
    ),
    "Azure": (
        {"AZURE_OPENAI_API_KEY": "sk", "AZURE_OPENAI_ENDPOINT": "https://x/", "AZURE_OPENAI_DEPLOYMENT": "ours"},
        False,
    ),
}


@pytest.mark.parametrize("kind", SEEING)
async def test_default_assistant_sees_images_only_if_its_model_is_known_to(setenv, kind):
    variables, sees_images = SEEING[kind]
    for name, value in variables.items():
        setenv(name, value)
    await create_assistants()
    assert (await Assistant.objects.aget(is_default=True)).sees_images == sees_images


MODELS = {
    True: "gpt-4o gpt-4o-mini gpt-4.1 gpt-5 openai/gpt-5.1-codex o1 o3 o4-mini claude-3-opus-20240229 claude-haiku-4-5 "
    "google/gemini-2.5-flash grok-4 us.amazon.nova-pro-v1:0 pixtral-12b mistral-small-3.2-24b llama-4-scout "
    "llama4:16x17b gemma3 gemma3:4b google/gemma-3-27b-it llava:13b bakllava llama3.2-vision:11b qwen2.5vl:7b "
    "Qwen/Qwen3-VL-8B-Instruct OpenGVLab/InternVL3-8B minicpm-v moondream glm-4.5v phi-4-multimodal-instruct "
    "HuggingFaceTB/SmolVLM-256M-Instruct",
    False: "gpt-4 gpt-3.5-turbo gpt-oss:20b o1-mini o3-mini deepseek-chat deepseek-v3.2 qwen3:8b llama3.2:3b mistral "
    "mistral-small gemma3:1b gemma-3-270m-it gemma2 phi4 kimi-k2 glm-4.6 smollm2 gemini-embedding-001 "
    "gpt-4o-transcribe gpt-4o-realtime-preview nova-micro command-r llama-3.3-70b x scripted",
}


@pytest.mark.parametrize(("sees", "model"), [(sees, model) for sees in MODELS for model in MODELS[sees].split()])
def test_model_is_known_to_see_by_its_name(sees, model):
    assert is_known_to_see(model) == sees


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


async def test_ollama_model_that_is_known_to_see_gets_images(prepare):
    await prepare(tags("llama3.2-vision:11b", "qwen3:8b"))
    assert {row.model: row.sees_images async for row in Assistant.objects.exclude(slug="demo")} == {
        "ollama:llama3.2-vision:11b": True,
        "ollama:qwen3:8b": False,
    }


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
