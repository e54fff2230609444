"""`manage.py prepare` asks Ollama for its models, and says what is wrong with it."""

import pytest

from chat import found_assistants
from chat.found_assistants import MAX_MODELS, OLLAMA_WINDOW
from chat.model_servers import ollama_url
from tests.site.prepared import models, prepare, rows
from tests.upstream import SILENCE, Answer

pytestmark = pytest.mark.slow


def tags(*names, family="llama"):
    return {"models": [{"name": name, "model": name, "details": {"family": family}} for name in names]}


@pytest.fixture
def ollama(setenv, upstream, serve):
    """`await ollama(tags, shown)`: what is printed where an Ollama has these documents; `shown` by model."""
    setenv("OLLAMA_HOST", upstream.base_url.removesuffix("/v1"))

    async def run(document, shown=()):
        shown = dict(shown)
        serve({"/api/tags": document, "/api/show": lambda request: shown.get(request.body["model"])})
        return await prepare()

    return run


async def test_ollama_gets_an_assistant_for_each_model(ollama, upstream):
    shown = {
        "llama3.2:3b": {"capabilities": ["completion", "tools"], "model_info": {"llama.context_length": 131072}},
        "gemma3:4b": {"capabilities": ["completion", "vision"], "parameters": "num_ctx 16384"},
        "qwen3:8b": {"capabilities": ["completion", "thinking"], "model_info": {"qwen3.context_length": 2048}},
    }
    lines = await ollama(tags("llama3.2:3b", "hf.co/a/B-GGUF:Q4", "gemma3:4b", "qwen3:8b"), shown)
    assert await models() == {
        "ollama-llama3-2-3b": "ollama:llama3.2:3b",
        "ollama-hf-co-a-b-gguf-q4": "ollama:hf.co/a/B-GGUF:Q4",
        "ollama-gemma3-4b": "ollama:gemma3:4b",
        "ollama-qwen3-8b": "ollama:qwen3:8b",
    }
    found = await rows()
    assert {slug: row.sees_images for slug, row in found.items() if row.sees_images} == {"ollama-gemma3-4b": True}
    windows = {row.model.partition(":")[2]: row.context_window for row in found.values()}
    assert windows == {
        "llama3.2:3b": OLLAMA_WINDOW,
        "hf.co/a/B-GGUF:Q4": OLLAMA_WINDOW,
        "gemma3:4b": 16384,
        "qwen3:8b": 2048,
    }
    assert all(row.params["num_ctx"] == row.context_window for row in found.values())
    assert [slug for slug, row in found.items() if row.params.get("reasoning")] == ["ollama-qwen3-8b"]
    assert all(row.starters for row in found.values())
    assert "gemma3:4b (images, 16,384 tokens)" in lines[0]


async def test_ollama_embedding_models_get_no_assistant(ollama):
    await ollama(tags("nomic-embed-text", "llama3.2"))
    assert await models() == {"ollama-llama3-2": "ollama:llama3.2"}
    await ollama(tags("bge-m3", family="bert"))
    assert await models() == {"ollama-llama3-2": "ollama:llama3.2"}


async def test_ollama_models_are_limited(ollama):
    await ollama(tags(*[f"model-{number}" for number in range(100)]))
    assert len(await models()) == MAX_MODELS


@pytest.mark.parametrize("name", ["qwen3:8b", "llama3.2"])
async def test_ollama_model_variable_selects_one_model(ollama, setenv, name):
    setenv("OLLAMA_MODEL", name)
    assert len(await ollama(tags("llama3.2:latest", "qwen3:8b"))) == 1
    assert list((await models()).values()) == [f"ollama:{name}"]


async def test_terminal_says_that_ollama_does_not_have_the_model(ollama, setenv):
    setenv("OLLAMA_MODEL", "qwen3:8b")
    lines = await ollama(tags("llama3.2"))
    assert lines[0] == "Ollama does not have OLLAMA_MODEL=qwen3:8b. Download it with “ollama pull qwen3:8b”."
    assert await models() == {"ollama-qwen3-8b": "ollama:qwen3:8b"}


async def test_terminal_says_that_ollama_has_no_model(ollama):
    lines = await ollama(tags())
    assert lines == ["Ollama has no chat model. Download one with “ollama pull llama3.2”, and start again."]


@pytest.mark.parametrize(
    "answer",
    [
        {"models": None},
        [],
        Answer([b"<html>"], framing=6),
        Answer([b"no"], 404, framing=2),
        Answer([SILENCE], framing=None),
    ],
    ids=["no list", "no object", "a page", "404", "silence"],
)
async def test_ollama_with_an_invalid_response_gets_no_assistant(ollama, monkeypatch, answer):
    monkeypatch.setattr(found_assistants, "OLLAMA_HOST_TIMEOUT", 0.2)
    (line,) = await ollama(answer)
    assert line.startswith("No Ollama answers at ") and line.endswith("or correct OLLAMA_HOST.")
    assert await models() == {}


async def test_ollama_that_is_not_there_is_not_mentioned(setenv, monkeypatch):
    setenv("OLLAMA_HOST", "")
    monkeypatch.setattr(found_assistants, "ollama_url", lambda: "http://127.0.0.1:1")
    assert await prepare() == []


async def test_model_of_an_ollama_that_does_not_answer_yet_gets_an_assistant(setenv):
    setenv("OLLAMA_HOST", "127.0.0.1:1")
    setenv("OLLAMA_MODEL", "qwen3:8b")
    assert (await prepare())[0].startswith("No Ollama answers at ")
    assert await models() == {"ollama-qwen3-8b": "ollama:qwen3:8b"}


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
    assert ollama_url() == HOSTS[host] == _parse_host(host)


@pytest.mark.parametrize("host", ["127.0.0.1:1", "127.0.0.1:99999", "http://[", "ftp://127.0.0.1"])
async def test_ollama_that_cannot_be_reached_has_no_models(setenv, host):
    setenv("OLLAMA_HOST", host)
    assert len(await prepare()) == 1
    assert await models() == {}
