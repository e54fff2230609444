"""Errors that vendors send in mid-answer or in its place."""

import pytest

from tests.providers.langchain.vendors import HALF, every_vendor, sse_event
from tests.providers.openai_stream import ERRORS
from tests.upstream import END, event, refusal

pytestmark = pytest.mark.slow

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
