"""Chunks, errors and refusals as servers of chat completions send them."""

import asyncio
import json

from tests.upstream import DONE, END, STOP, chunk, refusal, usage

ROLE = chunk({"role": "assistant", "content": ""})

TEXT = {"type": "text", "text": "Hello"}
THOUGHT = {"type": "reasoning", "text": "hm"}
AZURE = {"prompt_index": 0, "content_filter_results": {"hate": {"filtered": False, "severity": "safe"}}}


def call(name, arguments, id):
    return {"type": "tool_call", "id": id, "name": name, "arguments": arguments, "result": None, "error": None}


def calls(*deltas):
    """A chunk with deltas of tool calls: (index, id, name, arguments)."""
    return chunk(
        {
            "tool_calls": [
                {"index": index, "id": id, "type": "function", "function": {"name": name, "arguments": arguments}}
                for index, id, name, arguments in deltas
            ]
        }
    )


CHUNKS = {  # name -> (steps, the parts they make)
    "empty choices first": ([chunk(choices=[], prompt_filter_results=[AZURE]), "Hello", *END], [TEXT]),
    "usage in every chunk": ([chunk("Hello", usage=usage(9, 1)["usage"]), *END], [TEXT]),
    "choices are null": ([chunk(choices=None), "Hello", *END], [TEXT]),
    "no choices at all": ([{"id": "x"}, "Hello", *END], [TEXT]),
    "data is null": ([b"data: null\n\n", "Hello", *END], [TEXT]),
    "data that is no object": ([b"data: [1]\n\n", b'data: "x"\n\n', b"data: true\n\n", "Hello", *END], [TEXT]),
    "chunks in a list": ([b"data: " + json.dumps([chunk("Hel"), chunk("lo")]).encode() + b"\n\n", *END], [TEXT]),
    "choices that are none": ([b'data: {"choices": [7, null]}\n\n', "Hello", *END], [TEXT]),
    "choices are one object": ([chunk(choices={"index": 0, "delta": {"content": "Hello"}}), *END], [TEXT]),
    "usage that is none": ([b'data: {"usage": "much"}\n\n', "Hello", *END], [TEXT]),
    "details of the usage that are none": (
        ["Hello", STOP, usage(9, 3, completion_tokens_details=0, prompt_tokens_details=[]), DONE],
        [TEXT],
    ),
    "index as text": (
        [
            chunk(choices=[{"index": "1", "delta": {"content": "No"}}, {"index": "0", "delta": {"content": "Hello"}}]),
            *END,
        ],
        [TEXT],
    ),
    "content is a number": ([chunk({"content": 5}), chunk({"content": 0.5}), *END], [{"type": "text", "text": "50.5"}]),
    "content is zero": ([chunk({"content": 0}), *END], [{"type": "text", "text": "0"}]),
    "content is false": ([chunk({"content": False}), "Hello", *END], [TEXT]),
    "content is an object": ([chunk({"content": {"type": "text", "text": "Hello"}}), *END], [TEXT]),
    "delta is a text": ([chunk(choices=[{"index": 0, "delta": "Hello"}]), *END], [TEXT]),
    "text without a delta": ([chunk(choices=[{"index": 0, "text": "Hello"}]), *END], [TEXT]),
    "no delta": (
        [chunk(choices=[{"index": 0, "finish_reason": None, "content_filter_offsets": {}}]), "Hello", *END],
        [TEXT],
    ),
    "delta is null": ([chunk(choices=[{"index": 0, "delta": None}]), "Hello", *END], [TEXT]),
    "content is null": ([chunk({"role": "assistant", "content": None}), "Hello", *END], [TEXT]),
    "no index": ([chunk(choices=[{"delta": {"content": "Hello"}}]), *END], [TEXT]),
    "two choices": (
        [
            chunk(choices=[{"index": 1, "delta": {"content": "No"}}, {"index": 0, "delta": {"content": "Hello"}}]),
            chunk(choices=[{"index": 1, "delta": {}, "finish_reason": "length"}]),
            *END,
        ],
        [TEXT],
    ),
    "one choice in two": (
        [chunk(choices=[{"index": 0, "delta": {"content": "Hel"}}, {"index": 0, "delta": {"content": "lo"}}]), *END],
        [TEXT],
    ),
    "text and end in one chunk": ([chunk("Hello", "stop"), DONE], [TEXT]),
    "the whole text again at the end": (
        ["Hello", chunk(choices=[{"index": 0, "delta": {}, "message": {"content": "Hello"}, "finish_reason": "stop"}])],
        [TEXT],
    ),
    "reasoning_content": (
        [chunk({"reasoning_content": "h"}), chunk({"reasoning_content": "m"}), "Hello", *END],
        [THOUGHT, TEXT],
    ),
    "reasoning": ([chunk({"reasoning": "hm", "content": ""}), "Hello", *END], [THOUGHT, TEXT]),
    "both, with the same": ([chunk({"reasoning": "hm", "reasoning_content": "hm"}), "Hello", *END], [THOUGHT, TEXT]),
    "reasoning is an object": ([chunk({"reasoning": {"effort": "high"}}), "Hello", *END], [TEXT]),
    "refusal": ([chunk({"refusal": "Hel", "content": None}), chunk({"refusal": "lo"}), *END], [TEXT]),
    "content is a list": (
        [chunk({"content": [{"type": "text", "text": "Hel"}, "lo", {"type": "image_url", "image_url": {}}]}), *END],
        [TEXT],
    ),
    "content thinks": (
        [
            chunk({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}]}),
            chunk({"content": [{"type": "text", "text": "Hello"}]}),
            *END,
        ],
        [THOUGHT, TEXT],
    ),
    "a tool call": (
        [
            calls((0, "a", "clock", "")),
            calls((0, None, None, '{"time_')),
            calls((0, None, None, 'zone": "UTC"}')),
            *END,
        ],
        [call("clock", '{"time_zone": "UTC"}', id="a")],
    ),
    "tool names repeated": (
        [calls((0, "a", "f", '{"x"')), calls((0, "a", "f", ": 1}")), *END],
        [call("f", '{"x": 1}', id="a")],
    ),
    "parallel tool calls": (
        [calls((0, "a", "f", ""), (1, "b", "g", "")), calls((1, None, None, "2")), calls((0, None, None, "1")), *END],
        [call("f", "1", id="a"), call("g", "2", id="b")],
    ),
    "parallel tool calls under one index": (
        [calls((0, "a", "f", "1")), calls((0, "b", "g", "2")), *END],
        [call("f", "1", id="a"), call("g", "2", id="b")],
    ),
    "a tool call without an id": ([calls((0, "", "f", "1")), *END], [call("f", "1", id="call_0")]),
    "tool arguments as an object": ([calls((0, "a", "f", {"x": 1})), *END], [call("f", '{"x": 1}', id="a")]),
    "text, then a tool call": (["Hello", calls((0, "a", "f", "1")), *END], [TEXT, call("f", "1", id="a")]),
}


async def a_moment():
    await asyncio.sleep(0)


ERRORS = {  # in mid-answer
    "a code that is a word": (
        {"error": {"message": "m", "type": "server_error", "code": "rate_limit_exceeded"}},
        "rate_limited",
    ),
    "a code that is a status": ({"error": {"message": "m", "code": 502, "metadata": {}}}, "overloaded"),
    "a status as text": ({"error": {"message": "m", "code": "429"}}, "rate_limited"),
    "a code of the provider's own": ({"error": {"message": "Too long.", "code": 1301}}, "refused"),
    "a type": ({"error": {"message": "m", "type": "overloaded_error"}}, "overloaded"),
    "too long": ({"error": {"message": "m", "code": "context_length_exceeded"}}, "context_length"),
    "a text": ({"error": "Too long."}, "refused"),
    "a list": ({"error": ["Too long."]}, "refused"),
    "nothing much": ({"error": {"message": None}}, "refused"),
    "with a choice": (chunk("", "error", error={"message": "m", "code": 502}), "overloaded"),
    "in the choice": (
        chunk(choices=[{"index": 0, "delta": {}, "finish_reason": "error", "error": {"code": 502}}]),
        "overloaded",
    ),
    "an event": (b'event: error\ndata: {"error": {"message": "m", "code": 502}}\n\n', "overloaded"),
    "an event without wrapping": (b'event: error\ndata: {"message": "m", "code": 502}\n\n', "overloaded"),
    "an event in plain text": (b"event: error\ndata: Too long.\n\n", "refused"),
    "an event in plain text with CR LF": (b"event: error\r\ndata: Too\r\ndata: long.\r\n\r\n", "refused"),
    "an event with nothing": (b"event: error\ndata:\n\n", "refused"),
    "no JSON": (b"data: {broken\n\n", "malformed"),
    "too deep": (b"data: " + b"[" * 100_000 + b"\n\n", "malformed"),
}

SOON = {"retry_after": "0"}
QUOTA = {
    "error": {"message": "You exceeded your current quota.", "type": "insufficient_quota", "code": "insufficient_quota"}
}
TOO_LONG = {
    "error": {"message": "This model's maximum …", "type": "invalid_request_error", "code": "context_length_exceeded"}
}
REFUSALS = {  # name -> (answer, code, how often it is asked, part of the sentence)
    "401": (
        refusal(401, {"error": {"message": "Incorrect API key provided: sk-abc."}}),
        "authentication",
        1,
        "API key",
    ),
    "402": (refusal(402, {"error": {"message": "Insufficient Balance"}}), "quota", 1, "no quota left"),
    "403": (refusal(403, {"error": {"message": "no"}}), "permission", 1, "does not allow"),
    "404": (refusal(404, {"error": "model 'x' not found"}), "unknown_model", 1, "has no such model"),
    "400": (refusal(400, {"error": {"message": "Bad \0temperature."}}), "refused", 1, "an error: Bad temperature."),
    "400 too long": (refusal(400, TOO_LONG), "context_length", 1, "too long for this model"),
    "400 in a list": (
        refusal(400, [{"error": {"code": 400, "message": "Bad role."}}]),
        "refused",
        1,
        "error: Bad role.",
    ),
    "400 in plain text": (refusal(400, b"Bad role."), "refused", 1, "error: Bad role."),
    "400 without a body": (refusal(400, b""), "refused", 1, "error: no reason given"),
    "422": (refusal(422, {"detail": [{"msg": "Bad role."}]}), "refused", 1, "Bad role."),
    "quota": (refusal(429, QUOTA, **SOON), "quota", 1, "no quota left"),
    "429": (refusal(429, {"error": {"message": "Slow down."}}, **SOON), "rate_limited", 3, "Try again in a minute."),
    "429 much later": (
        refusal(429, {"error": {"message": "Slow down."}}, retry_after="30"),
        "rate_limited",
        1,
        "Too many requests",
    ),
    "500": (refusal(500, {"error": {"message": "Oh."}}, **SOON), "overloaded", 3, "Try again in a minute."),
    "502 web page": (refusal(502, b"<html>Bad gateway</html>", **SOON), "overloaded", 3, "Try again in a minute."),
    "503": (refusal(503, {"error": {"message": "Busy.", "code": None}}, **SOON), "overloaded", 3, "overloaded"),
    "408": (refusal(408, b"", **SOON), "overloaded", 3, "overloaded"),
}
