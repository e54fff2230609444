"""Ollama drops what does not fit without a word, but tells how large a window it has loaded a model with."""

import json

import pytest

from chat import engine
from chat.engine import window
from chat.models import Assistant
from tests.upstream import SILENCE, Answer, whole
from tests.waiting import wait_for_run

pytestmark = pytest.mark.slow

LONG = "word " * 500
ANSWER = [
    {"model": "x", "created_at": "2026-01-01T00:00:00Z", "message": {"role": "assistant", "content": "yes"}},
    {"model": "x", "created_at": "2026-01-01T00:00:00Z", "message": {"role": "assistant", "content": ""}, "done": True}
    | {"done_reason": "stop", "prompt_eval_count": 9, "eval_count": 1},
]
LOADED = {"models": [{"model": "other:latest", "context_length": 512}, {"model": "x:latest", "context_length": 2048}]}


@pytest.fixture
def talk(upstream, ask):
    """`await talk(answer)`: the last of four runs, in a conversation of 2,500 tokens, when /api/ps is answered so."""

    async def talk(loaded, **fields):
        lines = b"".join(json.dumps(line).encode() + b"\n" for line in ANSWER)
        reply = Answer([lines], headers={"content-type": "application/x-ndjson"})
        upstream.answer = lambda request: loaded if request.path == "/api/ps" else reply
        params = {"base_url": upstream.base_url.removesuffix("/v1")}
        assistant = await Assistant.objects.acreate(slug="o", name="O", model="ollama:x", params=params, **fields)
        run = await ask(assistant, f"0 {LONG}")
        await wait_for_run(run)
        for number in range(1, 4):
            run = await run.conversation.ask(f"{number} {LONG}")
            await engine.start(run)
            await wait_for_run(run)
        assert run.status == "completed"
        return run

    return talk


def paths(upstream):
    return [request.path for request in upstream.requests]


async def test_conversation_is_kept_within_the_window_that_ollama_reports(talk, upstream):
    run = await talk(whole(LOADED))
    assert run.message.parts[0] == {"type": "context_trimmed", "kept": 3}
    sent = upstream.requests[-1].body["messages"]
    assert [message["content"][:2] for message in sent] == ["2 ", "ye", "3 "]
    assert paths(upstream).count("/api/ps") == 1  # once the conversation was long


@pytest.mark.parametrize(
    "answer",
    [
        whole({"models": []}),
        whole({"models": [{"model": "x:latest"}]}),
        whole({"models": [{"model": "x:latest", "context_length": 0}]}),
        whole({"models": "none"}),
        whole([]),
        Answer([b"404 page not found"], 404),
        Answer([b"<html>"], 500),
        Answer([SILENCE]),
    ],
    ids=["not loaded", "no size", "no tokens", "no list", "no object", "not found", "failed", "silent"],
)
async def test_all_is_sent_while_ollama_does_not_report_a_window(talk, upstream, monkeypatch, answer):
    monkeypatch.setattr(window, "LOOK_UP_TIMEOUT", 0.5)
    run = await talk(answer)
    assert [part["type"] for part in run.message.parts] == ["text"]
    assert len(upstream.requests[-1].body["messages"]) == 7
    assert paths(upstream).count("/api/ps") == 1


async def test_window_of_the_assistant_takes_precedence(talk, upstream):
    run = await talk(whole(LOADED), context_window=100_000)
    assert [part["type"] for part in run.message.parts] == ["text"]
    assert "/api/ps" not in paths(upstream)


async def test_model_that_was_not_loaded_is_asked_about_again(talk, upstream, monkeypatch):
    monkeypatch.setattr(window, "LOOK_UP_INTERVAL", 0)
    await talk(whole({"models": []}))
    assert paths(upstream).count("/api/ps") == 3  # with each long request
