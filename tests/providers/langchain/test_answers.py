"""What LangChain makes of a vendor's answer."""

import pytest

from chat.events import Finish, Reasoning, Text, ToolCallArgs, ToolCallEnd, ToolCallStart
from chat.providers import langchain
from tests.providers.langchain.vendors import WORDS, anthropic, gemini, ollama, responses, sse_event, text_block
from tests.providers.openai_stream import CHUNKS, REFUSALS, call
from tests.upstream import END, STOP, chunk, event, usage

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:Received unexpected tool content block"),  # said to a scripted server
]

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


async def test_usage_of_gemini_is_that_of_its_last_chunk(read_reply):
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


REASONED = ("output_item.added", {"output_index": 0, "item": {"type": "reasoning", "id": "rs_1", "summary": []}})
SUMMARY = {"item_id": "rs_1", "output_index": 0, "summary_index": 0}

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
