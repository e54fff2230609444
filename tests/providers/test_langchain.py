"""Every provider that LangChain brings, over its own wire format: that of aimock, which others wrote, and of a scripted
server for what aimock does not do."""

import asyncio
import json
import subprocess
import sys
from contextlib import aclosing

import pytest

from chat import engine, providers
from chat.events import (
    EventBuilder,
    Finish,
    Reasoning,
    Text,
    ToolCallArgs,
    ToolCallEnd,
    ToolCallStart,
    closing_events,
    fold,
)
from chat.models import Assistant
from chat.providers import ProviderError, Request, base, langchain
from chat.providers.langchain import models, vendors
from tests.providers.aimock import LONG, TEXT
from tests.providers.provider_runs import (
    ProviderReply,
    outcome_of,
    wait_until_closed,
    wait_until_idle,
    wait_until_shown,
)
from tests.providers.test_openai import CHUNKS, ERRORS, REFUSALS, call
from tests.upstream import END, FIN, RESET, SILENCE, STOP, Answer, Upstream, chunk, event, refusal, usage
from tests.waiting import wait_until

pytestmark = [
    pytest.mark.slow,
    # what a mock says that no real server does
    pytest.mark.filterwarnings("ignore:Received unexpected tool content block"),
    pytest.mark.filterwarnings("ignore:FUNCTION_CALL is not a valid FinishReason"),
]


@pytest.fixture(autouse=True)
def no_metadata_server(monkeypatch):
    monkeypatch.setenv("NO_GCE_CHECK", "true")  # otherwise Google's library looks for the metadata server of its cloud


# provider -> (model id, params for a server at this URL)
VENDORS = {
    "openai": ("langchain:openai:gpt-5-mini", lambda root_url: {"base_url": f"{root_url}/v1"}),
    "azure": ("azure_openai:deployed", lambda root_url: {"base_url": root_url}),
    "anthropic": ("anthropic:claude-haiku-4-5", lambda root_url: {"base_url": root_url}),
    "gemini": ("google_genai:gemini-2.5-flash", lambda root_url: {"base_url": root_url}),
    "vertex": (
        "google_vertexai:gemini-2.5-flash",
        lambda root_url: {"base_url": root_url, "api_version": "v1", "project": "p", "location": "l"},
    ),
    "ollama": ("ollama:llama3.2", lambda root_url: {"base_url": root_url}),
}
every_vendor = pytest.mark.parametrize("vendor", VENDORS)


@pytest.fixture
async def assistant(transactional_db):
    """`await assistant(vendor, root_url, **params)`: an assistant of this vendor, whose API is at that URL."""

    async def make(vendor, root_url, **params):
        model, params_for = VENDORS[vendor]
        slug = f"{vendor}-{await Assistant.objects.acount()}"
        return await Assistant.objects.acreate(
            slug=slug, name=vendor, model=model, params=params_for(root_url) | params
        )

    return make


def make_request(model_id, text="Hi", **fields):
    provider, _, model = model_id.partition(":")
    turns = fields.pop("turns", [("user", [{"type": "text", "text": text}])])
    return Request(model, turns, provider, **fields)


class LangChainReply(ProviderReply):
    """A reply of the LangChain provider, read without an engine."""

    async def read(self, model_id, params, **fields):
        self.builder, self.error, log = EventBuilder("m"), None, []
        try:
            async with aclosing(langchain.reply(make_request(model_id, params=params, **fields))) as pieces:
                async for piece in pieces:
                    log += self.builder.feed(piece)
        except ProviderError as error:
            self.error = error
        self.parts = fold([*log, *closing_events(log)])
        self.text = "".join(part["text"] for part in self.parts if part["type"] == "text")
        self.thought = "".join(part["text"] for part in self.parts if part["type"] == "reasoning")
        self.finish_reason = self.builder.finish_reason
        return self


@pytest.fixture
async def read_reply(upstream):
    """`await read_reply(vendor, *steps)`: the provider's reply, given this answer. At the end, none is in progress."""

    async def read_reply(vendor, *steps, params=None, **fields):
        if steps:
            upstream.written.clear()
            upstream.answers(*steps)
        model, params_for = VENDORS[vendor]
        return await LangChainReply().read(model, params_for(root_url(upstream)) | (params or {}), **fields)

    yield read_reply
    await wait_until_idle(upstream)


def root_url(upstream):
    return upstream.base_url.removesuffix("/v1")


# Against aimock -------------------------------------------------------------------------------------------------------


def token_counts(run):
    return [(call.get("input_tokens"), call.get("output_tokens"), call.get("total_tokens")) for call in run.usage]


@every_vendor
async def test_answer_is_stored_with_its_usage(aimock, assistant, ask, vendor):
    run = await ask(await assistant(vendor, aimock.base_url), "hello")
    assert await outcome_of(run) == ("completed", "", TEXT)
    assert run.finish_reason == "stop"
    assert run.message.parts == [{"type": "text", "text": TEXT}]
    assert token_counts(run) == ([(9, 7, 16)] if vendor != "ollama" else [])  # aimock reports no usage for Ollama
    assert run.usage == [] or {run.usage[0]["provider"], run.usage[0]["model"]} == {*run.model.split(":", 1)}


@every_vendor
async def test_tool_calls_arrive_with_names_and_arguments(aimock, assistant, ask, vendor):
    run = await ask(await assistant(vendor, aimock.base_url), "What is the weather?")
    assert await outcome_of(run) == ("completed", "", "")
    assert run.finish_reason == "tool_calls"
    calls = [(part["type"], part["name"], json.loads(part["arguments"])) for part in run.message.parts]
    assert calls == [("tool_call", "weather", {"city": "Bern", "days": 2}), ("tool_call", "clock", {})]
    assert len({part["id"] for part in run.message.parts}) == 2


@pytest.mark.parametrize("vendor", [vendor for vendor in VENDORS if vendor != "ollama"])  # which aimock lets not think
async def test_reasoning_is_kept_apart_from_the_answer(aimock, assistant, ask, vendor):
    run = await ask(await assistant(vendor, aimock.base_url), "think")
    assert await outcome_of(run) == ("completed", "", "Done.")
    assert [part["type"] for part in run.message.parts] == ["reasoning", "text"]
    assert run.message.parts[0]["text"] == "First I think about it."


@every_vendor
async def test_refusal_before_the_first_token_gives_a_sentence(aimock, assistant, ask, vendor):
    run = await ask(await assistant(vendor, aimock.base_url), "wrong key")
    assert await outcome_of(run) == ("failed", "authentication", "")
    assert run.error_message == "The provider rejected the API key."
    assert aimock.connections == 1


@every_vendor
async def test_rate_limit_gives_a_sentence(aimock, assistant, ask, vendor, monkeypatch):
    monkeypatch.setattr(base, "MAX_RETRIES", 1)
    run = await ask(await assistant(vendor, aimock.base_url), "too often")
    assert await outcome_of(run) == ("failed", "rate_limited", "")
    assert run.error_message == "Too many requests to the model. Try again in a minute."


@every_vendor
async def test_lost_connection_keeps_the_text_so_far(aimock, assistant, ask, vendor):
    run = await ask(await assistant(vendor, aimock.base_url), "cut")
    status, code, text = await outcome_of(run)
    assert (status, code) == ("interrupted", "broken_off")
    assert text and LONG.startswith(text) and text != LONG
    assert run.error_message == "The connection to the model was lost before the answer was complete."


@every_vendor
async def test_stop_closes_the_connection_and_keeps_the_text(aimock, assistant, ask, vendor):
    run = await ask(await assistant(vendor, aimock.base_url), "slow")
    await wait_until_shown(run, LONG[:4])
    assert not aimock.hung_up.is_set()
    await engine.cancel(run)
    async with asyncio.timeout(1):
        await aimock.hung_up.wait()
    status, code, text = await outcome_of(run)
    assert (status, code) == ("cancelled", "")
    assert text and LONG.startswith(text)
    assert aimock.connections == 1


@every_vendor
async def test_connection_is_reused_for_the_next_question(aimock, vendor):
    model, params_for = VENDORS[vendor]
    for _ in range(3):
        reply = await LangChainReply().read(model, params_for(aimock.base_url), text="hello")
        assert (reply.text, reply.error) == (TEXT, None)
    assert aimock.connections == 1


@pytest.mark.parametrize("question", ["hello", "What is the weather?", "wrong key"])
async def test_openais_responses_api_is_supported(aimock, question):
    params = {"base_url": f"{aimock.base_url}/v1", "use_responses_api": True}
    reply = await LangChainReply().read("langchain:openai:gpt-5-mini", params, text=question)
    if question == "wrong key":
        assert reply.error.code == "authentication"
    elif question == "hello":
        assert (reply.text, reply.finish_reason, reply.builder.usage[0].total_tokens) == (TEXT, "stop", 16)
    else:
        assert [part["name"] for part in reply.parts] == ["weather", "clock"]
        assert reply.finish_reason == "tool_calls"


# A stop, on a server that sees it -------------------------------------------------------------------------------------


def anthropic(*blocks, stop="end_turn", usage=None):
    """Yields an answer of Anthropic's with these blocks, each {"start": {…}, "deltas": [{…}]}."""
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude", "content": []}
    counts = {"input_tokens": 9, "output_tokens": 1}
    yield sse_event("message_start", message=message | {"stop_reason": None, "stop_sequence": None, "usage": counts})
    for index, block in enumerate(blocks):
        yield sse_event("content_block_start", index=index, content_block=block["start"])
        for delta in block["deltas"]:
            yield sse_event("content_block_delta", index=index, delta=delta)
        yield sse_event("content_block_stop", index=index)
    if stop:
        delta = {"stop_reason": stop, "stop_sequence": None}
        yield sse_event("message_delta", delta=delta, usage=usage or {"output_tokens": 3})
        yield sse_event("message_stop")


def sse_event(type, **fields):
    return f"event: {type}\ndata: {json.dumps({'type': type} | fields)}\n\n".encode()


def text_block(*deltas, start=""):
    return {"start": {"type": "text", "text": start}, "deltas": [{"type": "text_delta", "text": d} for d in deltas]}


def gemini(*parts, finish=None, **fields):
    """A chunk of Gemini's with these parts; a text is one."""
    parts = [{"text": part} if isinstance(part, str) else part for part in parts]
    candidate = {"index": 0} | ({"content": {"role": "model", "parts": parts}} if parts else {})
    candidate |= {"finishReason": finish} if finish else {}
    return event({"candidates": [candidate], "modelVersion": "gemini-2.5-flash"} | fields).replace(b"\n", b"\r\n")


def ollama(content="", done=None, **message):
    """A line of Ollama's."""
    line = {"model": "llama3.2", "created_at": "2026-01-01T00:00:00Z", "done": bool(done)}
    line |= {"message": {"role": "assistant", "content": content} | message}
    if done:
        line |= {"done_reason": done, "prompt_eval_count": 9, "eval_count": 3, "total_duration": 5}
    return json.dumps(line).encode() + b"\n"


HALF = {  # the first half of an answer, then what a test wants to happen
    "openai": lambda *then: ["Hel", "lo", *then],
    "azure": lambda *then: ["Hel", "lo", *then],
    "anthropic": lambda *then: [*anthropic(text_block("Hel", "lo"), stop=None), *then],
    "gemini": lambda *then: [gemini("Hel"), gemini("lo"), *then],
    "vertex": lambda *then: [gemini("Hel"), gemini("lo"), *then],
    "ollama": lambda *then: [ollama("Hel"), ollama("lo"), *then],
}
WHOLE = {
    "openai": ["Hel", "lo", *END],
    "azure": ["Hel", "lo", *END],
    "anthropic": [*anthropic(text_block("Hel", "lo"))],
    "gemini": [gemini("Hel"), gemini("lo", finish="STOP")],
    "vertex": [gemini("Hel"), gemini("lo", finish="STOP")],
    "ollama": [ollama("Hel"), ollama("lo"), ollama(done="stop")],
}


@every_vendor
async def test_stop_before_the_first_token_closes_the_connection(upstream, assistant, ask, vendor):
    upstream.answers(SILENCE)
    run = await ask(await assistant(vendor, root_url(upstream)))
    await wait_until(lambda: upstream.requests)
    await engine.cancel(run)
    await wait_until_closed(upstream.requests[0])
    assert await outcome_of(run) == ("cancelled", "", "")


@every_vendor
async def test_connection_closes_when_the_reader_leaves(upstream, vendor):
    upstream.answers(*HALF[vendor](SILENCE))
    model, params_for = VENDORS[vendor]
    async with aclosing(langchain.reply(make_request(model, params=params_for(root_url(upstream))))) as pieces:
        assert await anext(pieces) == Text("Hel")
    await wait_until_closed(upstream.requests[0])


@every_vendor
@pytest.mark.parametrize("cut", [RESET, FIN, None], ids=["reset", "end", "clean end"])
async def test_answer_without_a_finish_is_broken_off(read_reply, vendor, cut):
    reply = await read_reply(vendor, *HALF[vendor](*([0.01, cut] if cut else [])))
    assert reply.text == "Hello"
    assert (reply.error.code, reply.error.broken_off) == ("broken_off", True)


@every_vendor
@pytest.mark.parametrize("cut", [RESET, FIN], ids=["reset", "end"])
async def test_server_that_hangs_up_before_the_head_is_unreachable(read_reply, upstream, vendor, cut):
    reply = await read_reply(vendor, Answer([cut], framing=None))
    assert (reply.error.code, reply.error.retryable) == ("unreachable", True)
    assert len(upstream.requests) == 1  # the engine asks again, not the provider


@every_vendor
async def test_failing_server_gets_one_request(read_reply, upstream, vendor):
    reply = await read_reply(vendor, refusal(503, {"error": {"message": "Busy."}}, retry_after="2"))
    assert (reply.error.code, reply.error.retryable) == ("overloaded", True)
    assert reply.error.retry_after == (None if vendor == "ollama" else 2)  # whose SDK keeps no headers
    assert len(upstream.requests) == 1


@every_vendor
async def test_missing_server_is_unreachable(vendor):
    model, params_for = VENDORS[vendor]
    reply = await LangChainReply().read(model, params_for("http://127.0.0.1:1"))
    assert (reply.error.code, reply.error.retryable) == ("unreachable", True)
    await providers.close()


@every_vendor
async def test_web_page_is_not_an_answer(read_reply, vendor):
    page = b"<!DOCTYPE html>\n<html><body>data: Please log in</body></html>"
    reply = await read_reply(vendor, Answer([page], headers={"content-type": "text/html"}, framing=len(page)))
    assert reply.error.code in ("not_a_stream", "malformed", "broken_off")
    assert reply.parts == []


@every_vendor
async def test_key_is_never_logged(read_reply, vendor, caplog):
    for answer in (refusal(400, b"no"), Answer([RESET]), Answer([b"nonsense\r\n\r\n"], framing=None)):
        reply = await read_reply(vendor, answer, params={"api_key": "sk-hidden"})
        assert reply.error
    assert caplog.records
    assert "sk-hidden" not in caplog.text


# Answers --------------------------------------------------------------------------------------------------------------

TEXT_PART = {"type": "text", "text": "Hello"}
THOUGHT = {"type": "reasoning", "text": "hm"}


@pytest.mark.parametrize("vendor", ["openai", "azure"])
@pytest.mark.parametrize("dialect", CHUNKS)
async def test_openai_dialects_are_read(read_reply, vendor, dialect):
    steps, parts = CHUNKS[dialect]
    reply = await read_reply(vendor, *steps)
    assert (reply.error, reply.parts) == (None, parts)
    assert reply.finish_reason == ("tool_calls" if parts[-1]["type"] == "tool_call" else "stop")


async def test_usage_in_every_chunk_is_not_added_up(read_reply):
    reply = await read_reply(
        "openai", chunk("Hel", usage=usage(9, 1)["usage"]), chunk("lo", usage=usage(9, 2)["usage"]), *END
    )
    assert [counts.total_tokens for counts in reply.builder.usage] == [12]


async def test_lines_that_break_openais_sdk_are_read(read_reply):
    lines = event(chunk("Hel")) + b": comment\n\nid: 1\n\nevent: ping\n\n" + event(chunk("lo"))
    reply = await read_reply("openai", b"\xef\xbb\xbf" + lines + event(STOP))
    assert (reply.text, reply.error) == ("Hello", None)


@pytest.mark.parametrize("kind", REFUSALS)
async def test_refusal_gives_the_same_sentence_as_the_openai_provider(read_reply, kind):
    answer, code, times, sentence = REFUSALS[kind]
    reply = await read_reply("openai", answer)
    assert reply.error.code == code
    assert sentence in str(reply.error)
    assert reply.error.retryable == (times > 1 or reply.error.retry_after == 30)


def thinking_block(*deltas, signature=None):
    block = {"start": {"type": "thinking", "thinking": "", "signature": ""}}
    block["deltas"] = [{"type": "thinking_delta", "thinking": delta} for delta in deltas]
    block["deltas"] += [{"type": "signature_delta", "signature": signature}] if signature else []
    return block


def tool_use_block(id, name, *deltas, input=None):
    start = {"type": "tool_use", "id": id, "name": name, "input": input or {}}
    return {"start": start, "deltas": [{"type": "input_json_delta", "partial_json": delta} for delta in deltas]}


REDACTED = {"start": {"type": "redacted_thinking", "data": "xyz"}, "deltas": []}
CITED = {
    "start": {"type": "text", "text": "", "citations": []},
    "deltas": [
        {"type": "text_delta", "text": "Hello"},
        {
            "type": "citations_delta",
            "citation": {
                "type": "char_location",
                "cited_text": "x",
                "document_index": 0,
                "document_title": "t",
                "start_char_index": 0,
                "end_char_index": 1,
            },
        },
    ],
}
SUMMED = {"input_tokens": 9, "output_tokens": 3, "cache_read_input_tokens": 4}
ANTHROPIC = {  # name -> (steps, parts, finish reason)
    "text": (anthropic(text_block("Hel", "lo")), [TEXT_PART], "stop"),
    "text in the start": (anthropic(text_block("lo", start="Hel")), [TEXT_PART], "stop"),
    "two texts": (anthropic(text_block("Hel"), text_block("lo")), [TEXT_PART], "stop"),
    "thoughts": (
        anthropic(thinking_block("h", "m", signature="abc"), text_block("Hello")),
        [THOUGHT, TEXT_PART],
        "stop",
    ),
    "thoughts that are hidden": (anthropic(REDACTED, text_block("Hello")), [TEXT_PART], "stop"),
    "citations": (anthropic(CITED), [TEXT_PART], "stop"),
    "too long": (anthropic(text_block("Hello"), stop="max_tokens"), [TEXT_PART], "length"),
    "a window that is full": (
        anthropic(text_block("Hello"), stop="model_context_window_exceeded"),
        [TEXT_PART],
        "length",
    ),
    "refusal": (anthropic(text_block("Hello"), stop="refusal"), [TEXT_PART], "content_filter"),
    "a stop sequence": (anthropic(text_block("Hello"), stop="stop_sequence"), [TEXT_PART], "stop"),
    "something new": (anthropic(text_block("Hello"), stop="Bored"), [TEXT_PART], "bored"),
    "pings": ([sse_event("ping"), *anthropic(text_block("Hello")), sse_event("ping")], [TEXT_PART], "stop"),
    "text, then two calls": (
        anthropic(
            text_block("Hello"),
            tool_use_block("a", "f", '{"x"', ": 1}"),
            tool_use_block("b", "g", input={"y": 2}),
            stop="tool_use",
        ),
        [TEXT_PART, call("f", '{"x": 1}', id="a"), call("g", '{"y": 2}', id="b")],
        "tool_calls",
    ),
    "a call without arguments": (
        anthropic(tool_use_block("a", "f", ""), stop="tool_use"),
        [call("f", "", id="a")],
        "tool_calls",
    ),
}


@pytest.mark.parametrize("thinking", [False, True])
@pytest.mark.parametrize("kind", ANTHROPIC)
async def test_anthropics_blocks(read_reply, kind, thinking):
    steps, parts, reason = ANTHROPIC[kind]
    ANTHROPIC[kind] = steps, parts, reason = [*steps], parts, reason
    params = {"thinking": {"type": "enabled", "budget_tokens": 1024}} if thinking else {}
    reply = await read_reply("anthropic", *steps, params=params)
    assert (reply.error, reply.parts, reply.finish_reason) == (None, parts, reason)


@pytest.mark.parametrize("reported, counts", [({"output_tokens": 3}, (9, 3, 12, None)), (SUMMED, (13, 3, 16, 4))])
async def test_anthropics_usage_is_read_at_the_beginning_or_the_end(read_reply, reported, counts):
    reply = await read_reply("anthropic", *anthropic(text_block("Hello"), usage=reported))
    (usage,) = reply.builder.usage
    assert counts[:3] == (usage.input_tokens, usage.output_tokens, usage.total_tokens)
    assert counts[3] == (usage.cached_input_tokens or None)


def thought_part(text, **fields):
    return {"text": text, "thought": True} | fields


def function_call_part(name, args, **fields):
    return {"functionCall": {"name": name, "args": args} | fields}


def tokens_of_gemini(prompt, answer, thoughts=0, cached=0):
    counts = {"promptTokenCount": prompt, "candidatesTokenCount": answer, "thoughtsTokenCount": thoughts}
    counts |= {"cachedContentTokenCount": cached, "totalTokenCount": prompt + answer + thoughts}
    return {"usageMetadata": counts}


GEMINI = {
    "text": ([gemini("Hel"), gemini("lo"), gemini(finish="STOP")], [TEXT_PART], "stop"),
    "text and end at once": ([gemini("Hello", finish="STOP")], [TEXT_PART], "stop"),
    "two texts in a chunk": ([gemini("Hel", "lo", finish="STOP")], [TEXT_PART], "stop"),
    "as Gemini 3": ([gemini("Hello", finish="STOP", modelVersion="gemini-3.5-flash")], [TEXT_PART], "stop"),
    "thoughts": (
        [gemini(thought_part("h")), gemini(thought_part("m"), "Hello", finish="STOP")],
        [THOUGHT, TEXT_PART],
        "stop",
    ),
    "a signature": (
        [gemini({"text": "Hello", "thoughtSignature": "YWJj"}, finish="STOP")],
        [TEXT_PART],
        "stop",
    ),
    "too long": ([gemini("Hello", finish="MAX_TOKENS")], [TEXT_PART], "length"),
    "safety": ([gemini("Hello"), gemini(finish="SAFETY")], [TEXT_PART], "content_filter"),
    "recitation": ([gemini("Hello"), gemini(finish="RECITATION")], [TEXT_PART], "content_filter"),
    "a blocked question": ([event({"promptFeedback": {"blockReason": "SAFETY"}})], [], "content_filter"),
    "calls": (
        [gemini(function_call_part("f", {"x": 1}, id="a"), function_call_part("g", {}, id="b")), gemini(finish="STOP")],
        [call("f", '{"x": 1}', id="a"), call("g", "{}", id="b")],
        "tool_calls",
    ),
}


@pytest.mark.parametrize("vendor", ["gemini", "vertex"])
@pytest.mark.parametrize("kind", GEMINI)
async def test_geminis_parts(read_reply, vendor, kind):
    steps, parts, reason = GEMINI[kind]
    reply = await read_reply(vendor, *steps)
    assert (reply.error, reply.parts, reply.finish_reason) == (None, parts, reason)


async def test_geminis_usage_is_that_of_its_last_chunk(read_reply):
    steps = [gemini("Hel", **tokens_of_gemini(9, 1, 2)), gemini("lo", **tokens_of_gemini(9, 2, 2))]
    reply = await read_reply("gemini", *steps, gemini(finish="STOP", **tokens_of_gemini(9, 3, 2, cached=4)))
    (usage,) = reply.builder.usage
    assert (usage.input_tokens, usage.output_tokens, usage.total_tokens) == (9, 5, 14)
    assert (usage.reasoning_tokens, usage.cached_input_tokens) == (2, 4)


OLLAMA = {
    "text": ([ollama("Hel"), ollama("lo"), ollama(done="stop")], {}, [TEXT_PART], "stop"),
    "too long": ([ollama("Hello"), ollama(done="length")], {}, [TEXT_PART], "length"),
    "thoughts": (
        [ollama(thinking="h"), ollama(thinking="m"), ollama("Hello"), ollama(done="stop")],
        {"reasoning": True},
        [THOUGHT, TEXT_PART],
        "stop",
    ),
    "calls": (
        [
            ollama(tool_calls=[{"function": {"name": "f", "arguments": {"x": 1}}}]),
            ollama(tool_calls=[{"function": {"name": "g", "arguments": {}}}]),
            ollama(done="stop"),
        ],
        {},
        [("f", '{"x": 1}'), ("g", "{}")],
        "tool_calls",
    ),
}


@pytest.mark.parametrize("kind", OLLAMA)
async def test_ollamas_lines(read_reply, kind):
    steps, params, parts, reason = OLLAMA[kind]
    reply = await read_reply("ollama", *steps, params=params)
    reported = [(part["name"], part["arguments"]) if part["type"] == "tool_call" else part for part in reply.parts]
    assert (reply.error, reported, reply.finish_reason) == (None, parts, reason)
    assert [counts.total_tokens for counts in reply.builder.usage] == [12]


def responses(*events, status="completed", **response):
    """A stream of OpenAI's responses interface."""
    whole = {"id": "resp_1", "object": "response", "created_at": 1, "model": "x", "output": [], "tools": []}
    whole |= {"parallel_tool_calls": True, "tool_choice": "auto", "status": status} | response
    for number, (type, fields) in enumerate([("created", {"response": whole | {"status": "in_progress"}}), *events]):
        yield event({"type": f"response.{type}", "sequence_number": number} | fields)
    counts = {"input_tokens": 9, "output_tokens": 3, "total_tokens": 12}
    counts |= {"output_tokens_details": {"reasoning_tokens": 2}, "input_tokens_details": {"cached_tokens": 4}}
    end = {"type": f"response.{status}", "sequence_number": 99, "response": whole | {"usage": counts}}
    yield event(end)


REASONED = ("output_item.added", {"output_index": 0, "item": {"type": "reasoning", "id": "rs_1", "summary": []}})
SUMMARY = {"item_id": "rs_1", "output_index": 0, "summary_index": 0}
WORDS = {"item_id": "msg_1", "output_index": 1, "content_index": 0, "logprobs": []}
RESPONSES = {  # name -> (stream, parts, finish reason or error code)
    "reasoning and text": (
        responses(
            REASONED,
            ("reasoning_summary_text.delta", SUMMARY | {"delta": "h"}),
            ("reasoning_summary_text.delta", SUMMARY | {"delta": "m"}),
            ("output_text.delta", WORDS | {"delta": "Hel"}),
            ("output_text.delta", WORDS | {"delta": "lo"}),
        ),
        [THOUGHT, TEXT_PART],
        "stop",
    ),
    "refusal": (responses(("refusal.done", WORDS | {"refusal": "Hello"})), [TEXT_PART], "stop"),
    "too long": (
        responses(
            ("output_text.delta", WORDS | {"delta": "Hello"}),
            status="incomplete",
            incomplete_details={"reason": "max_output_tokens"},
        ),
        [TEXT_PART],
        "length",
    ),
    "filtered": (
        responses(status="incomplete", incomplete_details={"reason": "content_filter"}),
        [],
        "content_filter",
    ),
    "a failure": (
        responses(status="failed", error={"code": "server_error", "message": "The GPU is gone."}),
        [],
        "overloaded",
    ),
    "an error": (
        [event({"type": "error", "code": "rate_limit_exceeded", "message": "Slow down.", "sequence_number": 1})],
        [],
        "rate_limited",
    ),
    "an error event": (
        [b"event: error\n", event({"error": {"code": "rate_limit_exceeded", "message": "Slow down."}})],
        [],
        "rate_limited",
    ),
}


@pytest.mark.parametrize("kind", RESPONSES)
async def test_openais_responses(read_reply, kind):
    steps, parts, reason = RESPONSES[kind]
    reply = await read_reply("openai", b"".join(steps), params={"use_responses_api": True})
    assert (reply.parts, reply.error.code if reply.error else reply.finish_reason) == (parts, reason)
    if kind == "reasoning and text":
        (usage,) = reply.builder.usage
        assert (usage.total_tokens, usage.reasoning_tokens, usage.cached_input_tokens) == (12, 2, 4)


SHAPES = {  # content, additional_kwargs -> pieces
    "text in a list": (["Hello"], {}, [Text("Hello")]),
    "LangChain's own reasoning": ([{"type": "reasoning", "reasoning": "hm"}], {}, [Reasoning("hm")]),
    "Mistral": ([{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}], {}, [Reasoning("hm")]),
    "Bedrock": ([{"type": "reasoning_content", "reasoning_content": {"text": "hm"}}], {}, [Reasoning("hm")]),
    "DeepSeek": ("Hello", {"reasoning_content": "hm"}, [Reasoning("hm"), Text("Hello")]),
    "a signature": ([{"type": "reasoning_content", "reasoning_content": {"signature": "x"}}], {}, []),
    "an empty text": ([{"type": "text"}], {}, []),
    "an image": ([{"type": "image_url", "image_url": {"url": "data:"}}], {}, []),
    "a call beside its chunk": ([{"type": "tool_use", "id": "a", "name": "f", "input": {}}], {}, []),
    "nothing": ([], {"reasoning_content": None}, []),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_shapes_of_content(shape):
    from langchain_core.messages import AIMessageChunk

    content, more, pieces = SHAPES[shape]
    assert langchain.Pieces().feed(AIMessageChunk(content=content, additional_kwargs=more)) == pieces


def test_pieces_of_a_call_in_parts():
    from langchain_core.messages import AIMessageChunk

    def part(id, name, args):
        return {"index": 0, "id": id, "name": name, "args": args, "type": "tool_call_chunk"}

    pieces = langchain.Pieces()
    made = pieces.feed(AIMessageChunk(content="", tool_call_chunks=[part("a", "f", None)]))
    made += pieces.feed(AIMessageChunk(content="", tool_call_chunks=[part(None, None, '{"x": 1}')]))
    made += pieces.feed(AIMessageChunk(content="", response_metadata={"finish_reason": "tool_calls"}))
    made += pieces.feed(AIMessageChunk(content="", response_metadata={"finish_reason": "tool_calls"}))
    made += pieces.close()
    assert made == [ToolCallStart("a", "f"), ToolCallArgs("a", '{"x": 1}'), ToolCallEnd("a"), Finish("tool_calls")]


# Errors in mid-answer -------------------------------------------------------------------------------------------------

FAILURES = {  # vendor -> an error after the first half of an answer, its code
    "openai": ({"error": {"message": "m", "type": "server_error", "code": None}}, "overloaded"),
    "azure": ({"error": {"message": "m", "code": "429"}}, "rate_limited"),
    "anthropic": (sse_event("error", error={"type": "overloaded_error", "message": "Overloaded"}), "overloaded"),
    "gemini": (event({"error": {"code": 429, "message": "m", "status": "RESOURCE_EXHAUSTED"}}), "rate_limited"),
    "vertex": (event({"error": {"code": 503, "message": "m", "status": "UNAVAILABLE"}}), "overloaded"),
    "ollama": (b'{"error": "The GPU is gone."}\n', "refused"),
}


@every_vendor
async def test_error_in_mid_answer_gives_a_sentence_after_the_text(read_reply, vendor):
    error, code = FAILURES[vendor]
    reply = await read_reply(vendor, *HALF[vendor](error))
    assert reply.text == "Hello"
    assert (reply.error.code, reply.error.broken_off) == (code, False)
    assert "{" not in str(reply.error)


@pytest.mark.parametrize("kind", ERRORS)
async def test_error_in_mid_answer_has_the_same_code_as_the_openai_provider(read_reply, kind):
    step, code = ERRORS[kind]
    reply = await read_reply("openai", "Hello", step, "more", *END)
    assert reply.text == "Hello"
    assert (reply.error.code, reply.error.broken_off) == (code, False)


MALFORMED = {
    "openai": b"data: {broken\n\n",
    "azure": b'data: {"choices": [{"delta": 7}\n\n',
    "anthropic": b"event: content_block_delta\ndata: {broken\n\n",
    "gemini": b"data: {broken\r\n\r\n",
    "vertex": b'data: "x\r\n\r\n',
    "ollama": b"{broken\n",
}


@every_vendor
async def test_malformed_chunk_gives_a_sentence(read_reply, vendor):
    reply = await read_reply(vendor, *HALF[vendor](MALFORMED[vendor]))
    assert reply.text == "Hello"
    assert reply.error.code == "malformed"


REFUSED = {  # vendor, status, body -> code, seconds to wait
    "a key of Google's that is none": (
        "gemini",
        400,
        {
            "error": {
                "code": 400,
                "message": "API key not valid.",
                "status": "INVALID_ARGUMENT",
                "details": [{"@type": "x", "reason": "API_KEY_INVALID"}],
            }
        },
        "authentication",
        None,
    ),
    "a quota of Google's": (
        "gemini",
        429,
        {
            "error": {
                "code": 429,
                "message": "Quota exceeded.",
                "status": "RESOURCE_EXHAUSTED",
                "details": [{"violations": []}, {"@type": "RetryInfo", "retryDelay": "7.5s"}],
            }
        },
        "rate_limited",
        7.5,
    ),
    "too long for Gemini": (
        "gemini",
        400,
        {"error": {"code": 400, "message": "The input token count exceeds the maximum number of tokens allowed 10."}},
        "context_length",
        None,
    ),
    "too long for Claude": (
        "anthropic",
        400,
        {"type": "error", "error": {"type": "invalid_request_error", "message": "prompt is too long: 2 > 1"}},
        "context_length",
        None,
    ),
    "no credit with Anthropic": (
        "anthropic",
        400,
        {"type": "error", "error": {"type": "billing_error", "message": "Your credit balance is too low."}},
        "quota",
        None,
    ),
    "overloaded at Anthropic": (
        "anthropic",
        529,
        {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}},
        "overloaded",
        None,
    ),
    "a model that is not pulled": ("ollama", 404, {"error": "model 'x' not found"}, "unknown_model", None),
    "a deployment that is not there": (
        "azure",
        404,
        {"error": {"code": "DeploymentNotFound", "message": "The API deployment does not exist."}},
        "unknown_model",
        None,
    ),
}


@pytest.mark.parametrize("kind", REFUSED)
async def test_vendors_own_errors(read_reply, kind):
    vendor, status, body, code, wait = REFUSED[kind]
    reply = await read_reply(vendor, refusal(status, body))
    assert (reply.error.code, reply.error.retry_after) == (code, wait)


# Requests -------------------------------------------------------------------------------------------------------------

IMAGE = {"type": "image", "media_type": "image/png", "data": "aGVsbG8="}
LINKED = {"type": "image", "url": "https://example.com/a.png"}


def text_part(text):
    return {"type": "text", "text": text}


def tool_call_part(id, name, arguments="{}", result=None, error=None):
    return {"type": "tool_call", "id": id, "name": name, "arguments": arguments, "result": result, "error": error}


def plain_messages(request):
    """Returns LangChain's messages for this request, as plain values."""
    plain = []
    for message in langchain.messages(request):
        value = (message.type, message.content)
        if getattr(message, "tool_calls", None):
            value += ([(call["id"], call["name"], call["args"]) for call in message.tool_calls],)
        if message.type == "tool":
            value += (message.tool_call_id, message.name, message.status)
        plain.append(value)
    return plain


def test_messages_hold_the_system_prompt_and_the_turns():
    turns = [("user", [text_part("a")]), ("assistant", [{"type": "reasoning", "text": "hm"}, text_part("b")])]
    turns += [("user", []), ("assistant", []), ("user", [text_part("c"), text_part("d")])]
    expected = [("system", "Be brief."), ("human", "a"), ("ai", "b"), ("human", "cd")]
    assert plain_messages(make_request("anthropic:x", turns=turns, system_prompt="Be brief.")) == expected


def test_messages_follow_each_call_with_its_result():
    parts = [
        text_part("Let me see. "),
        tool_call_part("a", "f", '{"x": 1}', "one"),
        tool_call_part("b", "g", error="No."),
        text_part("So. "),
    ]
    parts += [
        text_part("Well. "),
        {"type": "reasoning", "text": "hm"},
        tool_call_part("c", "f", "{broken"),
        tool_call_part("d", "f", "[1]", ""),
    ]
    assert plain_messages(make_request("anthropic:x", turns=[("user", [text_part("q")]), ("assistant", parts)])) == [
        ("human", "q"),
        ("ai", "Let me see. ", [("a", "f", {"x": 1}), ("b", "g", {})]),
        ("tool", "one", "a", "f", "success"),
        ("tool", "No.", "b", "g", "error"),
        ("ai", "So. Well. ", [("c", "f", {}), ("d", "f", {})]),
        ("tool", "This tool call was not executed.", "c", "f", "error"),
        ("tool", "", "d", "f", "success"),
    ]


def test_messages_include_results_that_came_later():
    calls = [tool_call_part(id, "f") for id in "abc"]
    later = [{"type": "tool_result", "id": "a", "result": "one", "error": None}, text_part("Done.")]
    turns = [("user", [text_part("q")]), ("assistant", calls), ("assistant", later)]
    answers = {"b": {"result": None, "error": "No."}, "c": True}
    assert plain_messages(make_request("anthropic:x", turns=turns, decisions=answers))[2:] == [
        ("tool", "one", "a", "f", "success"),
        ("tool", "No.", "b", "f", "error"),
        ("tool", "This tool call was not executed.", "c", "f", "error"),
        ("ai", "Done."),
    ]


HAS_IMAGE = {  # vendor -> where the image is in the request, and what is there
    "openai": lambda body: body["messages"][0]["content"][1]["image_url"]["url"] == "data:image/png;base64,aGVsbG8=",
    "azure": lambda body: body["messages"][0]["content"][1]["image_url"]["url"] == "data:image/png;base64,aGVsbG8=",
    "anthropic": lambda body: (
        body["messages"][0]["content"][1]["source"] == {"type": "base64", "media_type": "image/png", "data": "aGVsbG8="}
    ),
    "gemini": lambda body: (
        body["contents"][0]["parts"][1]["inlineData"] == {"mime_type": "image/png", "data": "aGVsbG8="}
    ),
    "vertex": lambda body: (
        body["contents"][0]["parts"][1]["inlineData"] == {"mime_type": "image/png", "data": "aGVsbG8="}
    ),
    "ollama": lambda body: body["messages"][0]["images"] == ["aGVsbG8="],
}


@every_vendor
async def test_images_are_sent_in_the_vendors_format(read_reply, upstream, vendor):
    await read_reply(vendor, *WHOLE[vendor], turns=[("user", [text_part("Look"), IMAGE])])
    assert HAS_IMAGE[vendor](upstream.requests[0].body), upstream.requests[0].body


async def test_images_may_be_urls(read_reply, upstream):
    await read_reply("anthropic", *WHOLE["anthropic"], turns=[("user", [LINKED])])
    content = upstream.requests[0].body["messages"][0]["content"]
    assert content == [{"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}}]


PATHS = {
    "openai": "/v1/chat/completions",
    "azure": "/openai/deployments/deployed/chat/completions?api-version=2024-10-21",
    "anthropic": "/v1/messages",
    "gemini": "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse",
    "vertex": "/v1/projects/p/locations/l/publishers/google/models/gemini-2.5-flash:streamGenerateContent?alt=sse",
    "ollama": "/api/chat",
}
TEMPERATURE_IN = {  # vendor -> where a temperature of 0.5 is in the request
    "anthropic": lambda body: body["temperature"],
    "gemini": lambda body: body["generationConfig"]["temperature"],
    "vertex": lambda body: body["generationConfig"]["temperature"],
    "ollama": lambda body: body["options"]["temperature"],
}


@every_vendor
async def test_request_carries_the_assistants_settings(read_reply, upstream, vendor):
    params = {"temperature": 0.5, "api_key": "sk-theirs"}
    if vendor == "openai":  # whose gpt-5 takes no temperature, and LangChain knows
        params["base_url"], VENDORS["openai"] = upstream.base_url, VENDORS["openai"]
    reply = await read_reply(vendor, *WHOLE[vendor], params=params, system_prompt="Be brief.")
    assert (reply.text, reply.error) == ("Hello", None)
    (request,) = upstream.requests
    assert (request.method, request.path) == ("POST", PATHS[vendor])
    if vendor != "openai":
        assert TEMPERATURE_IN.get(vendor, lambda body: body["temperature"])(request.body) == 0.5
    assert "Be brief." in json.dumps(request.body)
    assert "sk-theirs" in json.dumps(request.headers)
    assert "api_key" not in json.dumps(request.body)


# Addresses, keys and params -------------------------------------------------------------------------------------------

KEYS = {  # vendor -> (the variable of its key, the header that carries it)
    "openai": ("OPENAI_API_KEY", "authorization"),
    "azure": ("AZURE_OPENAI_API_KEY", "api-key"),
    "anthropic": ("ANTHROPIC_API_KEY", "authorization"),
    "gemini": ("GOOGLE_API_KEY", "x-goog-api-key"),
    "vertex": ("GOOGLE_API_KEY", "x-goog-api-key"),
    "ollama": ("OLLAMA_API_KEY", "authorization"),
}
ADDRESSES = {  # vendor -> the variables that name a server, without which it is the vendor's
    "openai": lambda root_url: {"OPENAI_BASE_URL": f"{root_url}/v1"},
    "azure": lambda root_url: {"AZURE_OPENAI_ENDPOINT": root_url},
    "anthropic": lambda root_url: {"ANTHROPIC_BASE_URL": root_url},
    "gemini": lambda root_url: {"GOOGLE_GEMINI_BASE_URL": root_url},
    "vertex": lambda root_url: {"GOOGLE_VERTEX_BASE_URL": root_url},
    "ollama": lambda root_url: {"OLLAMA_HOST": root_url},
}


@every_vendor
async def test_address_and_key_come_from_the_environment(upstream, monkeypatch, vendor):
    variable, header = KEYS[vendor]
    monkeypatch.setenv(variable, " sk-ours\n")
    for name, value in ADDRESSES[vendor](root_url(upstream)).items():
        monkeypatch.setenv(name, value)
    upstream.answers(*WHOLE[vendor])
    reply = await LangChainReply().read(VENDORS[vendor][0], {})
    assert (reply.text, reply.error) == ("Hello", None)
    assert upstream.requests[0].headers[header].removeprefix("Bearer ").strip() == "sk-ours"


@every_vendor
async def test_site_keys_are_not_sent_to_an_assistants_own_address(read_reply, upstream, monkeypatch, vendor):
    for name, _ in KEYS.values():
        monkeypatch.setenv(name, "sk-ours")
    for name in ("AZURE_OPENAI_AD_TOKEN", "ANTHROPIC_AUTH_TOKEN", "GEMINI_API_KEY", "LANGSMITH_API_KEY"):
        monkeypatch.setenv(name, "sk-ours")
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "ours")
    reply = await read_reply(vendor, *WHOLE[vendor], params={"project": None} if vendor == "vertex" else {})
    assert (reply.text, reply.error) == ("Hello", None)
    assert "ours" not in json.dumps(upstream.requests[0].headers)
    assert "ours" not in upstream.requests[0].path
    reply = await read_reply(vendor, *WHOLE[vendor], params={"api_key": "sk-theirs"})
    assert upstream.requests[1].headers[KEYS[vendor][1]].endswith("sk-theirs")
    assert "ours" not in json.dumps(upstream.requests[1].headers)


@every_vendor
async def test_assistant_names_the_variable_of_its_key(read_reply, upstream, monkeypatch, vendor):
    monkeypatch.setenv("OTHER_KEY", "sk-theirs")
    await read_reply(vendor, *WHOLE[vendor], params={"api_key_env": "OTHER_KEY"})
    assert upstream.requests[0].headers[KEYS[vendor][1]].endswith("sk-theirs")


@every_vendor
async def test_redirect_takes_no_key_to_another_address(read_reply, upstream, vendor):
    other = Upstream()
    other.answers(*WHOLE[vendor])
    await other.start()
    try:
        reply = await read_reply(
            vendor, refusal(307, b"", location=f"{root_url(other)}{PATHS[vendor]}"), params={"api_key": "sk"}
        )
        assert reply.error.code == "refused"
        assert other.requests == []
    finally:
        await other.stop()


@pytest.mark.parametrize("vendor", ["openai:scripted", "anthropic:x"])
@pytest.mark.parametrize(
    "name", ["SECRET_KEY", "DATABASE_URL", "MY_SECRET_TOKEN", "PATH", "secret_key", "A_KEY\n", "_KEY"]
)
async def test_variable_that_is_not_an_api_key_is_never_sent(upstream, monkeypatch, vendor, name):
    monkeypatch.setenv(name, "hush")
    upstream.answers(*END)
    params = {"base_url": upstream.base_url, "api_key_env": name}
    with pytest.raises(ProviderError) as error:
        providers.check(vendor, params)
    assert error.value.code == "not_configured"
    assert str(error.value).startswith(f"“{name}” cannot be used for api_key_env.")
    reply, _ = providers.resolve(vendor)
    with pytest.raises(ProviderError):
        async with aclosing(reply(make_request(vendor, params=params))) as pieces:
            await anext(pieces)
    assert upstream.requests == []


MISSING = {  # model id -> the variable that its sentence names
    "openai:gpt-5-mini": "OPENAI_API_KEY",
    "langchain:openai:gpt-5-mini": "OPENAI_API_KEY",
    "azure_openai:deployed": "AZURE_OPENAI_API_KEY",
    "anthropic:claude-haiku-4-5": "ANTHROPIC_API_KEY",
    "langchain:anthropic:claude-haiku-4-5": "ANTHROPIC_API_KEY",
    "google_genai:gemini-2.5-flash": "GOOGLE_API_KEY or GEMINI_API_KEY",
    "google_vertexai:gemini-2.5-flash": "GOOGLE_CLOUD_PROJECT",
    "langchain:langsmith:x": "OPENAI_API_KEY",
}


@pytest.mark.parametrize("model", MISSING)
async def test_missing_key_gives_a_sentence(model, monkeypatch):
    sentence = f"The environment variable {MISSING[model]} is not set."
    with pytest.raises(ProviderError, match=sentence) as error:
        providers.check(model)
    assert error.value.code == "not_configured"
    if not model.startswith("openai:"):
        reply = await LangChainReply().read(model, {})
        assert (str(reply.error), reply.error.code) == (sentence, "not_configured")
    monkeypatch.setenv(MISSING[model].split(" ")[-1], "set")
    if model.startswith("azure_openai:"):
        with pytest.raises(ProviderError, match="AZURE_OPENAI_ENDPOINT is not set"):
            providers.check(model)
        monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", "https://example.openai.azure.com/")
    providers.check(model)


@pytest.mark.parametrize("model", ["anthropic:x", "google_genai:x", "ollama:x", "azure_openai:x", "langchain:openai:x"])
async def test_missing_package_gives_a_sentence(model, monkeypatch):
    vendor = model.split(":")[-2]
    package = vendors.VENDORS[vendor].package
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.delitem(models.classes, vendor, raising=False)
    sentence = f"Install it with: pip install {package.replace('_', '-')}"
    with pytest.raises(ProviderError, match=sentence):
        providers.check(model, {"api_key": "sk"})
    reply = await LangChainReply().read(model, {"api_key": "sk"})
    assert reply.error.code == "not_installed"
    assert sentence in str(reply.error)


UNBUILT = {  # model id -> a part of the sentence
    "langchain:groq:llama": "pip install langchain-groq",
    "langchain:bedrock_converse:claude": "pip install langchain-aws",
    "langchain:nobody:model": "LangChain has no provider with this name.",
    "langchain:gpt-5": "must have the form langchain:PROVIDER:MODEL.",
}


@pytest.mark.parametrize("model", UNBUILT)
async def test_provider_langchain_cannot_build_gives_a_sentence(model):
    with pytest.raises(ProviderError) as error:
        providers.check(model)
    assert UNBUILT[model] in str(error.value)
    assert UNBUILT[model] in str((await LangChainReply().read(model, {})).error)


PARAMS = {  # model id, params -> a part of the sentence
    "unknown": ("anthropic:x", {"temprature": 1}, "no parameter “temprature”"),
    "unknown to Gemini": ("google_genai:x", {"top": 1}, "no parameter “top”"),
    "unknown to Ollama": ("ollama:x", {"max_tokens": 1}, "no parameter “max_tokens”"),
    "unknown to OpenAI": ("langchain:openai:x", {"top_k": 1}, "no parameter “top_k”"),
    "unknown to any": ("langchain:langsmith:x", {"top_k": 1}, "no parameter “top_k”"),
    "of the wrong kind": ("anthropic:x", {"temperature": "hot"}, "invalid: temperature: "),
    "out of range": ("google_genai:x", {"temperature": 5}, "range"),
    "not for this model": ("anthropic:claude-sonnet-5-5", {"temperature": 0.5}, "`temperature` is not supported"),
    "an address of another name": ("anthropic:x", {"anthropic_api_url": "http://x"}, "no param"),
    "another one": ("langchain:openai:x", {"openai_api_base": "http://x"}, "no param"),
    "another one of Azure": ("azure_openai:x", {"azure_endpoint": "http://x"}, "no param"),
    "another one of Gemini": ("google_genai:x", {"client_options": {"api_endpoint": "http://x"}}, "no param"),
    "a proxy": ("anthropic:x", {"anthropic_proxy": "http://x"}, "no param"),
    "headers": ("langchain:openai:x", {"default_headers": {}}, "no param"),
    "arguments of a client": ("ollama:x", {"client_kwargs": {"proxy": "http://x"}}, "no param"),
    "arguments of anything": ("google_genai:x", {"model_kwargs": {"http_options": {}}}, "no param"),
    "another model": ("anthropic:x", {"model_name": "y"}, "no param"),
    "a timeout": ("anthropic:x", {"timeout": 1}, "no param"),
    "second tries": ("langchain:openai:x", {"max_retries": 5}, "no param"),
    "several answers": ("langchain:openai:x", {"n": 2}, "no param"),
    "no usage": ("anthropic:x", {"stream_usage": False}, "no param"),
    "the other Google": ("google_genai:x", {"vertexai": True}, "no param"),
    "an address that is no text": ("anthropic:x", {"base_url": 5}, "must be strings"),
    "a key that is none": ("anthropic:x", {"api_key": "sk-“quoted”"}, "contains invalid characters"),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", PARAMS)
async def test_invalid_params_give_a_sentence(kind):
    model, params, sentence = PARAMS[kind]
    params = {"base_url": "http://127.0.0.1:1", "api_key": "sk-hidden"} | params
    with pytest.raises(ProviderError) as error:
        providers.check(model, params)
    assert sentence in str(error.value)
    assert "sk-hidden" not in str(error.value)
    reply = await LangChainReply().read(model, params)
    assert str(reply.error) == str(error.value)


@every_vendor
@pytest.mark.parametrize("address", ["not an address", "ftp://127.0.0.1/", "http://:::", "http://exämple../"])
async def test_invalid_address_gives_a_sentence(vendor, address):
    model, params_for = VENDORS[vendor]
    reply = await LangChainReply().read(model, params_for(address))
    assert reply.error.code in ("unreachable", "not_configured")
    assert str(reply.error).endswith(".")
    await providers.close()


async def test_params_of_the_openai_provider_are_also_sent_by_its_agents(upstream):
    upstream.answers(*END)
    params = {"base_url": upstream.base_url, "temperature": 0.5, "top_k": 3, "max_tokens": 9, "metadata": {"a": "b"}}
    async with langchain.chat_model(make_request("openai:gpt-5-mini", params=params)) as model:
        async for _ in model._astream(langchain.messages(make_request("openai:x"))):
            pass
    body = upstream.requests[0].body
    assert {name: body[name] for name in ("temperature", "top_k", "max_tokens", "metadata")} == {
        name: value for name, value in params.items() if name != "base_url"
    }


async def test_vendor_known_only_to_langchain_answers(read_reply, upstream):
    """A vendor that the site does not list but whose package is installed."""
    stream = responses(("output_text.delta", WORDS | {"output_index": 0, "delta": "Hello"}))
    upstream.answers(b"".join(stream))
    reply = await LangChainReply().read(
        "langchain:langsmith:x", {"base_url": upstream.base_url, "api_key": "sk-theirs"}
    )
    assert (reply.text, reply.error, reply.finish_reason) == ("Hello", None, "stop")
    assert upstream.requests[0].headers["authorization"] == "Bearer sk-theirs"


async def test_vertex_takes_googles_application_default_credentials(upstream, monkeypatch, tmp_path):
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(65537, 2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    account = {"type": "service_account", "project_id": "p", "client_email": "a@b.c", "private_key": key.decode()}
    (tmp_path / "account.json").write_text(json.dumps(account | {"token_uri": f"{root_url(upstream)}/token"}))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "account.json"))
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "ours")
    monkeypatch.setenv("GOOGLE_VERTEX_BASE_URL", root_url(upstream))
    token = json.dumps({"access_token": "ya29.ours", "expires_in": 3600, "token_type": "Bearer"}).encode()
    whole = Answer(WHOLE["vertex"])
    upstream.answer = lambda request: Answer([token], framing=len(token)) if request.path == "/token" else whole
    reply = await LangChainReply().read("google_vertexai:gemini-2.5-flash", {"location": "europe-west1"})
    assert (reply.text, reply.error) == ("Hello", None)
    assert upstream.requests[-1].headers["authorization"] == "Bearer ya29.ours"
    assert "/projects/ours/locations/europe-west1/" in upstream.requests[-1].path


async def test_vertex_without_credentials_gives_a_sentence(upstream, monkeypatch, tmp_path):
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "nothing.json"))
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "ours")
    reply = await LangChainReply().read("google_vertexai:gemini-2.5-flash", {})
    assert (reply.error.code, reply.error.retryable) == ("not_configured", False)


# What is loaded, and what is told to others ---------------------------------------------------------------------------


def test_site_start_loads_no_vendor_package():
    code = """
import os, sys, django
os.environ["DJANGO_SETTINGS_MODULE"] = "chatsite.settings"
django.setup()
from django.core.management import call_command
call_command("check")
import chat.admin, chatsite.asgi
heavy = "anthropic google httpx langchain langchain_core langgraph langsmith ollama openai".split()
print(sorted({name.partition(".")[0] for name in sys.modules} & {*heavy}))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


async def test_conversations_are_sent_to_nobody_else(read_reply, upstream, monkeypatch):
    collector = Upstream()
    collector.answers(Answer([b"{}"], framing=2))
    await collector.start()
    monkeypatch.setenv("LANGSMITH_API_KEY", "lsv2_x")
    monkeypatch.setenv("LANGSMITH_ENDPOINT", root_url(collector))
    try:
        reply = await read_reply("openai", *WHOLE["openai"])
        assert reply.text == "Hello"
        await asyncio.sleep(0.5)  # LangSmith's client collects what it sends for a quarter of a second
        assert collector.requests == []
    finally:
        await collector.stop()


def test_own_error_is_passed_on_unchanged():
    with pytest.raises(ZeroDivisionError), langchain.translated_errors():
        1 / 0  # noqa: B018
    with pytest.raises(ProviderError) as error, langchain.translated_errors(), langchain.translated_errors():
        try:
            raise ProviderError("No.", "refused") from OSError()
        except ProviderError as refused:
            raise RuntimeError from refused
    assert (error.value.code, type(error.value.__cause__)) == ("refused", OSError)
