"""`manage.py prepare` asks the servers of the environment for their models, and says what is wrong with one."""

import pytest
from asgiref.sync import sync_to_async

from chat import found_assistants, model_servers
from chat.found_assistants import MAX_MODELS
from chat.model_servers import FoundModel, compatible_models
from chat.models import Assistant
from tests.site.prepared import models, prepare, rows
from tests.upstream import Answer, refusal

pytestmark = pytest.mark.slow

KEY = "sk-test-0123456789abcdef"


# Servers that speak OpenAI's format -----------------------------------------------------------------------------------


def listed(*rows, **fields):
    return {"object": "list", "data": [{"object": "model"} | row for row in rows]} | fields


SERVERS = {  # server -> (documents, what is found)
    "llama.cpp": (
        {
            "/v1/models": listed({"id": "smollm2", "owned_by": "llamacpp", "meta": {"n_ctx_train": 8192}}),
            "/props": {
                "default_generation_settings": {"n_ctx": 2048},
                "modalities": {"vision": False, "audio": False},
                "chat_template_caps": {"supports_tools": True},
            },
        },
        [FoundModel("smollm2", sees_images=False, uses_tools=True, window=2048)],
    ),
    "llama.cpp without /props": (
        {"/v1/models": listed({"id": "gemma", "owned_by": "llamacpp", "meta": {"n_ctx": 4096}})},
        [FoundModel("gemma", window=4096)],
    ),
    "vLLM": (
        {"/v1/models": listed({"id": "Qwen/Qwen3-8B", "owned_by": "vllm", "max_model_len": 40960})},
        [FoundModel("Qwen/Qwen3-8B", window=40960)],
    ),
    "SGLang": (
        {"/v1/models": listed({"id": "glm-4.6", "owned_by": "sglang", "max_model_len": 202752})},
        [FoundModel("glm-4.6", window=202752)],
    ),
    "OpenRouter": (
        {
            "/v1/models": listed(
                {
                    "id": "openai/gpt-x",
                    "context_length": 400000,
                    "architecture": {"input_modalities": ["text", "image"], "output_modalities": ["text"]},
                    "supported_parameters": ["tools", "reasoning", "max_tokens"],
                },
                {"id": "a/painter", "architecture": {"input_modalities": ["text"], "output_modalities": ["image"]}},
            )
        },
        [FoundModel("openai/gpt-x", sees_images=True, thinks=True, uses_tools=True, window=400000)],
    ),
    "LM Studio": (
        {
            "/v1/models": listed(
                {"id": "qwen2.5-vl-7b", "owned_by": "organization_owner"},
                {"id": "text-embedding-nomic", "owned_by": "organization_owner"},
            ),
            "/api/v0/models": listed(
                {
                    "id": "qwen2.5-vl-7b",
                    "type": "vlm",
                    "max_context_length": 131072,
                    "loaded_context_length": 4096,
                    "capabilities": ["tool_use"],
                },
                {"id": "text-embedding-nomic", "type": "embeddings"},
            ),
        },
        [FoundModel("qwen2.5-vl-7b", sees_images=True, uses_tools=True, window=4096)],
    ),
    "Ollama": (
        {
            "/v1/models": listed({"id": "qwen3:8b", "owned_by": "library"}),
            "/api/show": {
                "capabilities": ["completion", "tools", "thinking"],
                "model_info": {"qwen3.context_length": 40960},
                "parameters": 'stop    "<|im_end|>"\nnum_ctx 16384\ntop_k 20',
            },
        },
        [FoundModel("qwen3:8b", sees_images=False, thinks=True, uses_tools=True, window=16384, max_window=40960)],
    ),
    "Mistral": (
        {
            "/v1/models": listed(
                {
                    "id": "mistral-large",
                    "capabilities": {"completion_chat": True, "function_calling": True, "vision": False},
                    "max_context_length": 131072,
                },
                {"id": "mistral-x", "capabilities": {"completion_chat": False}},
            )
        },
        [FoundModel("mistral-large", sees_images=False, uses_tools=True, window=131072)],
    ),
    "Groq": (
        {"/v1/models": listed({"id": "llama-3.3-70b", "context_window": 131072}, {"id": "whisper-large-v3"})},
        [FoundModel("llama-3.3-70b", window=131072)],
    ),
    "Together, a bare list": (
        {"/v1/models": [{"id": "a/b", "type": "chat", "context_length": 8192}, {"id": "a/c", "type": "image"}]},
        [FoundModel("a/b", window=8192)],
    ),
    "Fireworks": (
        {
            "/v1/models": listed(
                {"id": "f/m", "supports_chat": True, "supports_image_input": True, "supports_tools": False},
                {"id": "f/e", "supports_chat": False},
            )
        },
        [FoundModel("f/m", sees_images=True, uses_tools=False)],
    ),
    "names alone": ({"/v1/models": {"models": [{"name": "a"}, {"name": 5}, "b", None]}}, [FoundModel("a")]),
    "nonsense in every field": (
        {
            "/v1/models": listed(
                {
                    "id": "a",
                    "owned_by": ["llamacpp"],
                    "meta": 5,
                    "architecture": "x",
                    "capabilities": 7,
                    "context_length": "long",
                    "max_model_len": True,
                    "context_window": -1,
                    "max_context_length": 10**12,
                    "supports_tools": "yes",
                }
            )
        },
        [FoundModel("a")],
    ),
    "nonsense in its own document": (
        {"/v1/models": listed({"id": "a", "owned_by": "llamacpp"}), "/props": [5]},
        [FoundModel("a")],
    ),
}


@pytest.mark.parametrize("server", SERVERS)
async def test_capabilities_of_models_are_read_from_each_kind_of_server(upstream, serve, server):
    documents, found = SERVERS[server]
    serve(documents)
    assert await sync_to_async(compatible_models)(upstream.base_url + "/", KEY) == found
    assert all(request.headers["authorization"] == f"Bearer {KEY}" for request in upstream.requests)


async def test_compatible_server_gets_an_assistant_for_each_model(setenv, upstream, serve):
    """The first is the default, in place of the model of OpenAI that no such server has."""
    setenv("OPENAI_BASE_URL", upstream.base_url)
    setenv("OPENAI_API_KEY", KEY)
    serve({"/v1/models": listed({"id": "qwen/vl:7b", "max_model_len": 4096}, {"id": "phi-4"})})
    lines = await prepare()
    assert await models() == {"openai": "openai:qwen/vl:7b", "openai-phi-4": "openai:phi-4"}
    first = (await rows())["openai"]
    assert (first.name, first.is_default, first.context_window) == ("qwen/vl:7b", True, 4096)
    assert first.starters
    assert lines == [f"Models at {upstream.base_url}: qwen/vl:7b (4,096 tokens), phi-4"]


async def test_compatible_server_needs_no_key(setenv, upstream, serve):
    setenv("OPENAI_BASE_URL", upstream.base_url)
    serve({"/v1/models": listed({"id": "smollm2"})})
    await prepare()
    assert await models() == {"openai": "openai:smollm2"}
    assert "authorization" not in upstream.requests[0].headers


async def test_named_model_of_a_compatible_server_gets_the_only_assistant(setenv, upstream, serve):
    setenv("OPENAI_BASE_URL", upstream.base_url)
    setenv("OPENAI_MODEL", "b")
    serve({"/v1/models": listed({"id": "a"}, {"id": "b", "context_length": 512})})
    await prepare()
    assert await models() == {"openai": "openai:b"}
    assert (await rows())["openai"].context_window == 512


async def test_named_model_that_is_not_listed_is_used_with_a_warning(setenv, upstream, serve):
    setenv("OPENAI_BASE_URL", upstream.base_url)
    setenv("OPENAI_MODEL", "c")
    serve({"/v1/models": listed({"id": "a"}, {"id": "b"})})
    assert (await prepare())[0] == f"{upstream.base_url} does not list OPENAI_MODEL=c. It lists: a, b."
    assert await models() == {"openai": "openai:c"}


async def test_gateway_with_very_many_models_gets_one_assistant(setenv, upstream, serve):
    setenv("OPENAI_BASE_URL", upstream.base_url)
    serve({"/v1/models": listed(*({"id": f"m{number}"} for number in range(MAX_MODELS + 1)))})
    assert "offers 21 models. OPENAI_MODEL chooses one" in (await prepare())[0]
    assert await models() == {"openai": "openai:m0"}


async def test_assistant_that_nobody_edited_follows_its_server_to_another_model(setenv, upstream, serve):
    setenv("OPENAI_BASE_URL", upstream.base_url)
    serve({"/v1/models": listed({"id": "old", "max_model_len": 512})})
    await prepare()
    serve({"/v1/models": listed({"id": "new", "max_model_len": 1024})})
    await prepare()
    row = (await rows())["openai"]
    assert (row.model, row.name, row.context_window) == ("openai:new", "new", 1024)
    await Assistant.objects.filter(slug="openai").aupdate(name="Ours")
    serve({"/v1/models": listed({"id": "newer"})})
    await prepare()
    assert (await rows())["openai"].model == "openai:new"


async def test_deleted_assistant_of_a_compatible_server_stays_deleted(setenv, upstream, serve):
    setenv("OPENAI_BASE_URL", upstream.base_url)
    serve({"/v1/models": listed({"id": "a"})})
    await prepare()
    await Assistant.objects.filter(slug="openai").adelete()
    await prepare()
    assert await models() == {}


FAULTS = {  # documents -> the sentence; {url} is the address
    "a wrong key": ({"/v1/models": refusal(401, {})}, "{url} rejects OPENAI_API_KEY. Correct it."),
    "a key without rights": ({"/v1/models": refusal(403, {})}, "{url} rejects OPENAI_API_KEY. Correct it."),
    "no list": (
        {},
        "{url}/models is no list of models. Correct OPENAI_BASE_URL, or name the model in OPENAI_MODEL.",
    ),
    "a page": (
        {"/v1/models": Answer([b"<html>"], framing=6)},
        "{url}/models is no list of models. Correct OPENAI_BASE_URL, or name the model in OPENAI_MODEL.",
    ),
    "no models": ({"/v1/models": listed()}, "{url} has no chat model. Load one, and start the site again."),
    "a redirect": (
        {"/v1/models": Answer([], 302, {"location": "http://127.0.0.1:1/"}, 0)},
        "{url}/models is no list of models. Correct OPENAI_BASE_URL, or name the model in OPENAI_MODEL.",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_terminal_says_what_to_change_about_a_compatible_server(setenv, upstream, serve, fault):
    documents, sentence = FAULTS[fault]
    setenv("OPENAI_BASE_URL", upstream.base_url)
    setenv("OPENAI_API_KEY", KEY)
    serve(documents)
    assert await prepare() == [sentence.format(url=upstream.base_url)]


async def test_endless_answer_is_not_a_list(setenv, upstream, serve, monkeypatch):
    """The timeout of a socket would begin anew with each packet."""
    monkeypatch.setattr(model_servers, "DOCUMENT_TIMEOUT", 0.2)
    setenv("OPENAI_BASE_URL", upstream.base_url)
    serve({"/v1/models": Answer([b"{", *[0.05, b" "] * 1000])})
    assert "is no list of models" in (await prepare())[0]


async def test_terminal_says_that_a_key_is_missing(setenv, upstream, serve):
    setenv("OPENAI_BASE_URL", upstream.base_url)
    serve({"/v1/models": refusal(401, {})})
    assert await prepare() == [f"{upstream.base_url} needs a key. Set OPENAI_API_KEY."]


async def test_terminal_says_how_the_address_should_end(setenv, upstream, serve):
    address = upstream.base_url.removesuffix("/v1")
    setenv("OPENAI_BASE_URL", address)
    serve({"/v1/models": listed({"id": "a"})})
    assert await prepare() == [f"OPENAI_BASE_URL lacks the end of the address. Set it to {address}/v1."]


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("http://127.0.0.1:9/v1", "No server answers at http://127.0.0.1:9/v1. Start it, or correct OPENAI_BASE_URL."),
        ("127.0.0.1:8080/v1", "OPENAI_BASE_URL is 127.0.0.1:8080/v1, but must begin with http:// or https://."),
        (
            "http://user:a-long-password@127.0.0.1:9/v1",
            "No server answers at http://user:***@127.0.0.1:9/v1. Start it, or correct OPENAI_BASE_URL.",
        ),
    ],
)
async def test_terminal_says_that_an_address_is_wrong(setenv, address, sentence):
    setenv("OPENAI_BASE_URL", address)
    assert await prepare() == [sentence]
    assert (await Assistant.objects.aget(is_default=True)).slug == "demo"


# Keys of vendors ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("variable", ["OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY"])
@pytest.mark.parametrize("status", [200, 400, 401])
async def test_terminal_says_that_a_vendor_rejects_the_key(setenv, upstream, serve, monkeypatch, variable, status):
    checks = {slug: (upstream.base_url, *more) for slug, (_url, *more) in found_assistants.KEY_CHECKS.items()}
    monkeypatch.setattr(found_assistants, "KEY_CHECKS", checks)
    setenv(variable, KEY)
    serve({"/v1": {} if status == 200 else refusal(status, {})})
    lines = await prepare()
    assert [KEY in value for value in upstream.requests[0].headers.values()].count(True) == 1
    assert lines == [] if status == 200 else lines[0].endswith(f"rejects the key in {variable}. Correct it.")


async def test_terminal_says_that_a_vendor_cannot_be_reached(setenv, monkeypatch):
    monkeypatch.setattr(found_assistants, "KEY_CHECKS", {"openai": ("http://127.0.0.1:9", "Authorization", "Bearer ")})
    setenv("OPENAI_API_KEY", KEY)
    assert await prepare() == ["api.openai.com cannot be reached from this machine, so its models cannot answer."]
