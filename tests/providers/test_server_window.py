"""Compatible servers that tell a model's context window, before a conversation is too long for it."""

import pytest

from chat import engine
from chat.engine import window
from chat.models import Assistant
from chat.providers import Request, context_window
from tests.upstream import END, RESET, SILENCE, Answer, refusal, whole
from tests.waiting import wait_for_run

pytestmark = pytest.mark.slow

LONG = "word " * 500


def models(**fields):
    return {"object": "list", "data": [{"id": "other", "object": "model"}, {"id": "x", "object": "model"} | fields]}


SERVERS = {  # what they tell of a window of 2,048 tokens: path -> document
    "vLLM": {"/v1/models": models(max_model_len=2048, owned_by="vllm")},
    "SGLang": {"/v1/models": models(max_model_len=2048, owned_by="sglang")},
    "llama.cpp": {
        "/props": {"default_generation_settings": {"n_ctx": 2048, "params": {}}, "total_slots": 1},
        "/v1/models": models(meta={"n_ctx_train": 8192}),
    },
    "Ollama": {
        "/api/ps": {"models": [{"name": "x:latest", "model": "x:latest", "context_length": 2048}]},
        "/v1/models": models(owned_by="library"),
    },
    "LM Studio": {
        "/api/v0/models": models(state="loaded", max_context_length=131_072, loaded_context_length=2048),
        "/v1/models": models(),
    },
    "OpenRouter": {"/v1/models": models(context_length=2048, architecture={}, pricing={})},
    "Groq": {"/v1/models": models(context_window=2048)},
    "Mistral": {"/v1/models": models(max_context_length=2048, capabilities={})},
}


@pytest.fixture
def serve(upstream):
    """`serve(documents)`: the server has these documents, and answers every message."""

    def serve(documents):
        def answer(request):
            if request.method != "GET":
                return Answer(["yes", *END])
            document = documents.get(request.path)
            if document is None:
                return refusal(404, {"error": "not found"})
            return document if isinstance(document, Answer) else whole(document)

        upstream.answer = answer

    return serve


@pytest.fixture
def long_talk(upstream, ask):
    """`await long_talk()`: the last of three runs, in a conversation of 1,900 tokens."""

    async def talk(**fields):
        params = {"base_url": upstream.base_url}
        assistant = await Assistant.objects.acreate(slug="o", name="O", model="openai:x", params=params, **fields)
        run = await ask(assistant, f"0 {LONG}")
        await wait_for_run(run)
        for number in (1, 2):
            run = await run.conversation.ask(f"{number} {LONG}")
            await engine.start(run)
            await wait_for_run(run)
        return run

    return talk


def gets(upstream):
    return [request.path for request in upstream.requests if request.method == "GET"]


@pytest.mark.parametrize("server", SERVERS)
async def test_window_is_requested_from_the_server(serve, upstream, server):
    serve(SERVERS[server])
    params = {"base_url": upstream.base_url, "api_key": "sk-own"}
    assert await context_window(Request("x", [], "openai", params=params)) == 2048
    assert await context_window(Request("y", [], "openai", params=params)) == (2048 if server == "llama.cpp" else None)
    assert {request.headers["authorization"] for request in upstream.requests} == {"Bearer sk-own"}


async def test_conversation_is_kept_within_the_window_that_the_server_reports(serve, long_talk, upstream):
    serve(SERVERS["vLLM"])
    run = await long_talk()
    assert run.message.parts[0] == {"type": "context_trimmed", "kept": 3}
    assert sorted(gets(upstream)) == ["/api/ps", "/api/v0/models", "/props", "/v1/models"]  # once, when it was long


@pytest.mark.parametrize(
    "document",
    [
        Answer([b"<html>"]),
        Answer([b"{broken"]),
        Answer([b"[" * 100_000]),
        Answer([b'{"data": [' + b"0," * 100_000]),
        Answer([b" " * 3_000_000]),
        Answer([b"{", RESET]),
        Answer([SILENCE]),
        Answer([b""], 302, {"location": "http://127.0.0.1:9/models"}),
        whole([]),
        whole(None),
        whole({"data": "none", "default_generation_settings": 7}),
        whole(
            {"data": [None, "x", {"id": "x", "max_model_len": "2048"}], "default_generation_settings": {"n_ctx": {}}}
        ),
        whole(models(max_model_len=-1, context_length=2**40, context_window=True)),
    ],
)
async def test_all_is_sent_while_the_server_does_not_report_a_window(serve, long_talk, upstream, monkeypatch, document):
    monkeypatch.setattr(window, "LOOK_UP_TIMEOUT", 0.5)
    serve(dict.fromkeys(["/props", "/api/ps", "/api/v0/models", "/v1/models"], document))
    run = await long_talk()
    assert (run.status, run.message.parts) == ("completed", [{"type": "text", "text": "yes"}])
    assert len(upstream.requests[-1].body["messages"]) == 5


async def test_vendors_of_openais_models_are_not_asked(monkeypatch):
    def fail(**options):
        raise AssertionError

    monkeypatch.setattr("chat.providers.openai.client.http_client", fail)
    for params in ({}, {"base_url": "https://api.openai.com/v1"}, {"base_url": "https://x.openai.azure.com/v1"}):
        assert await context_window(Request("x", [], "openai", params=params)) is None


async def test_short_conversations_ask_no_server(serve, upstream, ask):
    serve(SERVERS["vLLM"])
    params = {"base_url": upstream.base_url}
    run = await ask(await Assistant.objects.acreate(slug="o", name="O", model="openai:x", params=params))
    await wait_for_run(run)
    assert gets(upstream) == []
