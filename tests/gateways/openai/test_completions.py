"""POST /v1/chat/completions: what is asked, how the answer is sent, and what stays of it."""

import asyncio
import base64

import pytest
from django.utils import timezone

from accounts.models import ApiKey
from chat import hooks
from chat.engine import runner, temporary
from chat.events import Finish, Reasoning, Text, ToolCallEnd, ToolCallResult, ToolCallStart, Usage
from chat.live import session_check
from chat.models import Assistant, Attachment, Conversation, Message, Run
from chat.providers import ContextOverflow, ProviderError
from gateways.openai import completions
from gateways.openai.chat_request import read_params
from gateways.openai.schemas import parse_chat_request
from tests import scripted
from tests.gateways.openai.conftest import HI, deltas, read_chunks
from tests.images import PICTURE
from tests.rows import all_rows
from tests.waiting import hang_timeout, wait_until

ANSWER = [Reasoning("hm"), Text("Hello"), Text("\n“日本”\u2028"), Usage(3, 4, 7, 2, 1), Finish("stop")]
TEXT = "Hello\n“日本”\u2028"
USAGE = {
    "prompt_tokens": 3,
    "completion_tokens": 4,
    "total_tokens": 7,
    "prompt_tokens_details": {"cached_tokens": 1},
    "completion_tokens_details": {"reasoning_tokens": 2},
}


async def no_conversation():
    return not await Conversation.objects.aexists()


# The answer -----------------------------------------------------------------------------------------------------------


async def test_completion_has_text_thoughts_and_usage(complete, script):
    await script("words", *ANSWER)
    answer = await complete()
    assert answer.status_code == 200
    data = answer.json()
    assert data["id"].startswith("chatcmpl-") and answer["x-request-id"].startswith("req_")
    assert (data["object"], data["model"], data["usage"]) == ("chat.completion", "words", USAGE)
    assert data["choices"] == [
        {
            "index": 0,
            "message": {"role": "assistant", "content": TEXT, "refusal": None, "reasoning_content": "hm"},
            "logprobs": None,
            "finish_reason": "stop",
        }
    ]


async def test_stream_has_role_deltas_finish_reason_and_usage(complete, script):
    await script("words", *ANSWER)
    answer = await complete(stream=True, stream_options={"include_usage": True})
    assert answer["Content-Type"] == "text/event-stream; charset=utf-8"
    chunks = await read_chunks(answer)
    assert {(chunk["object"], chunk["model"]) for chunk in chunks} == {("chat.completion.chunk", "words")}
    assert len({(chunk["id"], chunk["created"]) for chunk in chunks}) == 1
    assert chunks[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert (deltas(chunks), deltas(chunks, "reasoning_content")) == (TEXT, "hm")
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks[:-1]] == [None] * (len(chunks) - 2) + ["stop"]
    assert (chunks[-1]["choices"], chunks[-1]["usage"]) == ([], USAGE)


async def test_stream_without_options_has_no_usage(complete, words):
    chunks = await read_chunks(await complete(stream=True))
    assert deltas(chunks) == "Hello Alice"
    assert not any("usage" in chunk for chunk in chunks)


@pytest.mark.parametrize(
    ("reason", "expected"), [("length", "length"), ("content_filter", "content_filter"), ("x", "stop")]
)
async def test_finish_reason_is_one_of_openais(complete, script, reason, expected):
    await script("words", Text("a"), Finish(reason))
    assert (await complete()).json()["choices"][0]["finish_reason"] == expected
    assert (await read_chunks(await complete(stream=True)))[-1]["choices"][0]["finish_reason"] == expected


async def test_tools_of_the_site_are_not_shown(complete, script):
    call = [ToolCallStart("1", "clock"), ToolCallEnd("1"), ToolCallResult("1", "noon")]
    await script("words", *call, Text("Noon."), Finish("stop"))
    assert deltas(await read_chunks(await complete(stream=True))) == "Noon."
    message = (await complete()).json()["choices"][0]["message"]
    assert message == {"role": "assistant", "content": "Noon.", "refusal": None}


async def test_silent_stream_is_kept_alive(complete, slow, monkeypatch):
    monkeypatch.setattr(runner, "READER_WAKE_INTERVAL", 0.01)
    monkeypatch.setattr(completions, "KEEPALIVE_DELAY", 0.01)
    async with slow() as gate:
        answer = await complete(model="slow", stream=True)
        async with hang_timeout():
            while completions.KEEPALIVE not in await anext(answer.streaming_content):
                pass
        gate.set()
        body = b"".join([chunk async for chunk in answer.streaming_content])
    assert body.endswith(b"data: [DONE]\n\n") and b" two" in body


# What is asked --------------------------------------------------------------------------------------------------------


async def test_messages_become_instructions_and_turns(complete, words):
    words.system_prompt, words.params = "You are Words.", {"top_k": 1, "max_tokens": 50, "temperature": 1}
    await words.asave()
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "developer", "content": [{"type": "text", "text": "Be kind."}]},
        {"role": "user", "content": "One", "name": "alice"},
        {"role": "assistant", "content": "Two", "reasoning_content": "hm"},
        {"role": "user", "content": [{"type": "text", "text": "Th"}, {"type": "text", "text": "ree"}]},
    ]
    params = {"temperature": 0.5, "max_completion_tokens": 100, "stop": ["x"], "user": "u", "metadata": {"a": "b"}}
    assert (await complete(messages, **params)).status_code == 200
    request = scripted.requests[-1]
    assert request.system_prompt == "You are Words.\n\nBe brief.\n\nBe kind."
    texts = [(role, "".join(part["text"] for part in parts)) for role, parts in request.turns]
    assert texts == [("user", "One"), ("assistant", "Two"), ("user", "Three")]
    assert request.params == {"top_k": 1, "temperature": 0.5, "max_tokens": 50, "stop": ["x"]}
    await words.arefresh_from_db()
    assert words.params == {"top_k": 1, "max_tokens": 50, "temperature": 1}


async def test_image_is_read_like_an_upload(complete, words):
    words.sees_images = True
    await words.asave()
    url = "data:image/png;base64," + base64.b64encode(PICTURE).decode()
    messages = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url, "detail": "low"}}]}]
    assert (await complete(messages)).status_code == 200
    (part,) = scripted.requests[-1].turns[0][1]
    assert part["type"] == "image" and part["data"]
    await wait_until(no_conversation)
    assert not await Attachment.objects.aexists()


# What stays -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", [False, True])
async def test_nothing_stays_of_an_answer(complete, words, stream):
    before = await all_rows(ApiKey)
    answer = await complete(stream=stream)
    if stream:
        await read_chunks(answer)
    await wait_until(no_conversation)
    assert await all_rows(ApiKey) == before


async def test_hooks_are_called_before_an_answer_is_deleted(complete, words, settings, monkeypatch):
    found = []
    settings.RUN_ENDED = ["tests.gateways.openai.test_completions.count_rows"]
    monkeypatch.setattr(hooks, "found", found, raising=False)
    await complete()
    await wait_until(no_conversation)
    assert found == [1]


def count_rows(run):
    hooks.found.append(Run.objects.filter(pk=run.pk).count())


async def test_stored_answer_is_a_conversation_of_the_user(complete, client_of, alice, words):
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "A question"},
        {"role": "assistant", "content": "An answer"},
        *HI,
    ]
    answer = await complete(messages, store=True)
    client = client_of(alice)
    (item,) = (await client.get("/api/conversations")).json()["items"]
    assert (item["id"], item["title"]) == (answer["X-Conversation-Id"], "A question")
    items = (await client.get(f"/api/conversations/{item['id']}/messages")).json()["items"]
    assert [message["text"] for message in items] == ["A question", "An answer", "Hi", "Hello Alice"]
    assert [message["parent_id"] for message in items[1:]] == [message["id"] for message in items[:-1]]
    found = await client.get("/api/conversations", {"q": "an answer"})
    assert len(found.json()["items"]) == 1
    await client.send("POST", f"/api/messages/{items[-1]['id']}/regenerate")
    await wait_until(lambda: len(scripted.requests) == 2)
    assert scripted.requests[-1].system_prompt == "Be brief."


async def test_params_are_those_of_the_assistant_that_was_asked(complete, client_of, alice, words, script):
    other = await script("other", Text("Hi"), Finish("stop"))
    other.params = {"max_tokens": 50}
    await other.asave()
    answer = await complete(store=True, max_tokens=100_000, temperature=0.5)
    run = await Run.objects.aget(pk=answer["X-Run-Id"])
    call = f"/api/messages/{run.message_id}/regenerate"
    for assistant, params in (("words", {"max_tokens": 100_000, "temperature": 0.5}), ("other", {"max_tokens": 50})):
        count = len(scripted.requests)
        assert (await client_of(alice).send("POST", call, {"assistant": assistant})).status_code == 202
        await wait_until(lambda count=count: len(scripted.requests) > count)
        assert scripted.requests[-1].params == params


@pytest.mark.parametrize(
    ("own", "params"),
    [
        ({"n_predict": 500}, {"n_predict": 500}),
        ({"max_completion_tokens": 500}, {"max_completion_tokens": 500}),
        ({"max_tokens": 500, "max_output_tokens": 700}, {"max_tokens": 500, "max_output_tokens": 700}),
        ({"max_tokens": 2_000}, {"max_tokens": 1_000}),
        ({"max_tokens": None}, {"max_output_tokens": 1_000}),
        ({"max_tokens": "500"}, {"max_output_tokens": 1_000}),
        ({}, {"max_output_tokens": 1_000}),
    ],
)
def test_assistants_own_limit_stays_whatever_its_name(own, params):
    request = parse_chat_request({"model": "a", "messages": HI, "max_completion_tokens": 1_000})
    names = {"max_tokens": "max_output_tokens", "max_completion_tokens": "max_output_tokens"}
    assert read_params(request, Assistant(slug="a", params=own), names) == params


@pytest.mark.parametrize("params", [{}, {"stream": True}])
async def test_assistant_without_a_provider_says_so(complete, words, params):
    words.model = "unheard:of"
    await words.asave()
    answer = await complete(**params)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "unknown_provider")
    answer = await complete(temperature=1, **params)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "unsupported_parameter")


async def test_reader_that_leaves_stops_the_run(complete, slow):
    async with slow():
        answer = await complete(model="slow", stream=True)
        await anext(answer.streaming_content)
        await answer.frames.aclose()
        await wait_until(lambda: scripted.closed == ["slow"])
        await wait_until(no_conversation)


async def test_client_that_leaves_while_it_waits_stops_the_run(complete, slow):
    async with slow():
        task = asyncio.create_task(complete(model="slow"))
        await wait_until(lambda: scripted.requests)
        task.cancel()
        await wait_until(lambda: scripted.closed == ["slow"])
        await wait_until(no_conversation)


async def test_reader_of_a_stored_answer_may_leave(complete, slow):
    async with slow() as gate:
        answer = await complete(model="slow", stream=True, store=True)
        await anext(answer.streaming_content)
        await answer.frames.aclose()
        gate.set()
        await wait_until(Run.objects.filter(status="completed", message__text="one two").aexists)


async def test_open_answer_outlives_the_sweeps(complete, slow, monkeypatch):
    for name, value in (("SWEEP_INTERVAL", 0.02), ("GRACE", 0), ("LEASE", 0.1), ("STOP_LEASE", 0.1)):
        monkeypatch.setattr(temporary, name, value)
    async with slow() as gate:
        answer = await complete(model="slow", stream=True)
        gone = await Conversation.objects.acreate(
            owner=(await Conversation.objects.select_related("owner").aget()).owner, is_temporary=True
        )
        await wait_until(lambda: deleted(gone))
        gate.set()
        assert deltas(await read_chunks(answer)) == "one two"


async def deleted(conversation):
    return not await Conversation.objects.filter(pk=conversation.pk).aexists()


async def test_stream_ends_with_its_key(complete, slow, monkeypatch):
    monkeypatch.setattr(session_check, "CHECK_INTERVAL", 0.01)
    monkeypatch.setattr(runner, "READER_WAKE_INTERVAL", 0.01)
    async with slow():
        answer = await complete(model="slow", stream=True)
        await ApiKey.objects.aupdate(expires_at=timezone.now())
        chunks = await read_chunks(answer)
    assert chunks[-1]["error"]["code"] == "invalid_key"
    await wait_until(lambda: scripted.closed == ["slow"])


# Failures -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (ContextOverflow("Too long."), 400, "context_length_exceeded"),
        (ProviderError("Slow down.", "rate_limited"), 429, "rate_limit_exceeded"),
        (ProviderError("Broken.", "overloaded"), 503, "overloaded"),
        (ProviderError("Odd.", "malformed"), 502, "malformed"),
        (ProviderError("No.", "refused"), 400, "refused"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
async def test_run_that_fails_at_once_is_an_error_with_its_status(complete, script, error, status, code, stream):
    await script("words", error)
    answer = await complete(stream=stream)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert answer.json()["error"]["message"] == str(error)
    assert answer.json()["error"].keys() == {"message", "type", "param", "code"}
    await wait_until(no_conversation)


async def test_run_that_fails_later_ends_its_stream_with_an_error(complete, script):
    await script("words", Text("one"), ProviderError("Broken.", "broken_off"))
    chunks = await read_chunks(await complete(stream=True))
    assert deltas(chunks[:-1]) == "one"
    assert (chunks[-1]["error"]["code"], chunks[-1]["error"]["type"]) == ("broken_off", "server_error")


async def test_answer_that_is_stopped_elsewhere_is_an_error(complete, client_of, alice, slow):
    async with slow():
        answer = await complete(model="slow", stream=True, store=True)
        await client_of(alice).send("POST", f"/api/runs/{answer['X-Run-Id']}/cancel")
        chunks = await read_chunks(answer)
    assert chunks[-1]["error"]["code"] == "cancelled"
    assert (await Message.objects.filter(role="assistant").aget()).text == "one"
