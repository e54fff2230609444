"""The assistants that the site creates by itself: one for each vendor with an API key."""

import pytest
from asgiref.sync import sync_to_async

from chat.default_assistants import create_default_assistants
from chat.models import Assistant
from chat.providers.vision import is_known_to_see

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


SEEING = {  # name -> (variables, whether the assistant sees images)
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


@pytest.mark.parametrize("language", ["en", "ja"])
async def test_default_assistants_have_starters_in_the_users_language(setenv, client_of, alice, language):
    setenv("OPENAI_API_KEY", "sk")
    await create_assistants()
    answer = await client_of(alice).get("/api/assistants", headers={"accept-language": language})
    for row in answer.json()["items"]:
        assert row["starters"]
        assert all(starter.isascii() == (language == "en") for starter in row["starters"])
