"""`openai:` against a real server on loopback: requests, answers, and the scripted models."""

import asyncio
import json
import sys
from urllib.request import urlopen

import pytest

from chat import engine, providers
from chat.providers.openai import stream
from tests.providers.provider_runs import ProviderReply, outcome_of, wait_until_closed
from tests.timeouts import HANG_TIMEOUT
from tests.upstream import ANSWER, DONE, END, RESET, SILENCE, STOP, chunk, model_behavior, usage
from tests.waiting import wait_for_run

pytestmark = pytest.mark.slow


async def test_complete_answer_is_stored_with_its_usage(start_run, upstream):
    counts = {"completion_tokens_details": {"reasoning_tokens": 1}, "prompt_tokens_details": {"cached_tokens": 4}}
    first = chunk({"role": "assistant", "content": "", "refusal": None})
    run = await start_run(first, "Hello", ", **you**", STOP, usage(9, 3, **counts), DONE)
    assert await outcome_of(run) == ("completed", "", "Hello, **you**")
    assert run.finish_reason == "stop"
    assert run.notice is None
    assert run.message.parts == [{"type": "text", "text": "Hello, **you**"}]
    assert run.usage == [
        {
            "provider": "openai",
            "model": "scripted",
            "input_tokens": 9,
            "output_tokens": 3,
            "total_tokens": 12,
            "reasoning_tokens": 1,
            "cached_input_tokens": 4,
        }
    ]
    assert len(upstream.requests) == 1


async def test_request_carries_the_assistants_settings(start_run, upstream, ask):
    fields = {"system_prompt": "Be brief.", "memory_turns": 2}
    run = await start_run("one", *END, params={"temperature": 0.2, "reasoning_effort": "low"}, assistant=fields)
    await wait_for_run(run)
    for question in ("second", "third"):
        run = await run.conversation.ask(question)
        await engine.start(run)
        await wait_for_run(run)
    request = upstream.requests[-1]
    assert (request.method, request.path) == ("POST", "/v1/chat/completions")
    assert request.body == {
        "model": "scripted",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "second"},
            {"role": "assistant", "content": "one"},
            {"role": "user", "content": "third"},
        ],
        "stream": True,
        "stream_options": {"include_usage": True},
        "temperature": 0.2,
        "reasoning_effort": "low",
    }


async def test_turn_without_text_is_not_sent(read_reply, upstream):
    call = {"type": "tool_call", "id": "c", "name": "clock", "arguments": "{}", "result": "now", "error": None}
    turns = [("user", [{"type": "text", "text": "a"}]), ("assistant", []), ("user", [{"type": "text", "text": "b"}])]
    turns += [("assistant", [{"type": "reasoning", "text": "hm"}, call, {"type": "text", "text": "c"}])]
    await read_reply("ok", *END, turns=[*turns, ("user", [{"type": "text", "text": "d"}])])
    messages = [(message["role"], message["content"]) for message in upstream.requests[0].body["messages"]]
    assert messages == [("user", "a\n\nb"), ("assistant", "c"), ("user", "d")]


@pytest.mark.parametrize("late", [(), (0.02,)], ids=["at once", "a little later"])
async def test_next_question_uses_the_same_connection(read_reply, upstream, monkeypatch, late):
    monkeypatch.setattr(stream, "DRAIN_TIMEOUT", HANG_TIMEOUT)
    for _ in range(3):
        reply = await read_reply("Hi", *END, *late)
        assert (reply.text, reply.error) == ("Hi", None)
    assert upstream.connections == 1


async def test_server_that_stays_connected_after_done_is_left(start_run, upstream):
    run = await start_run("Hi", *END, SILENCE)
    assert await outcome_of(run) == ("completed", "", "Hi")
    assert (run.finished_at - run.first_token_at).total_seconds() < 2
    await wait_until_closed(upstream.requests[0])


async def test_cut_after_done_changes_nothing(read_reply):
    reply = await read_reply("Hi", *END, RESET)
    assert (reply.text, reply.error, reply.builder.usage[0].total_tokens) == ("Hi", None, 12)


# name of the scripted model -> what it says and thinks, and the code of the error that ends it
SCRIPTED = {
    "anything": (ANSWER, "", None),
    "echo": ("Hi", "", None),
    "think": (ANSWER, "First I think about it.", None),
    "cut": (ANSWER[:100], "", "broken_off"),
    "error": (ANSWER[:100], "", "overloaded"),
    "status-503": ("", "", "overloaded"),
    "status-401": ("", "", "authentication"),
}


@pytest.mark.parametrize("model", SCRIPTED)
async def test_scripted_models_behave_as_documented(upstream, model):
    upstream.answer = model_behavior(upstream, pace=0.0001)
    reply = await ProviderReply().read({"base_url": upstream.base_url}, model=model)
    text, thought, code = SCRIPTED[model]
    assert reply.text.startswith(text)
    assert "".join(part["text"] for part in reply.parts if part["type"] == "reasoning") == thought
    assert (reply.error and reply.error.code) == code
    assert (reply.text == text) == (reply.builder.finish_reason == "stop" or not text)


@pytest.mark.process
async def test_scripted_model_runs_as_a_process():
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "tests.upstream", "--pace", "0", stdout=pipe)
    try:
        address = (await process.stdout.readline()).decode().split()[-1]
        reply = await ProviderReply().read({"base_url": address}, model="echo")
        assert (reply.text, reply.error) == ("Hi", None)
        with urlopen(address.removesuffix("/v1") + "/requests") as response:  # noqa: ASYNC210
            assert [request["body"]["model"] for request in json.load(response)] == ["echo"]
    finally:
        process.kill()
        await process.wait()
        await providers.close()
