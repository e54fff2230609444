"""What servers report when a conversation does not fit into the model's context window, and what only looks like it."""

import pytest

from chat.models import Assistant
from chat.providers import ContextOverflow, errors
from tests.providers.overflows import OVERFLOWS
from tests.providers.overflows.body import openai_error
from tests.providers.provider_runs import outcome_of
from tests.upstream import refusal


@pytest.mark.parametrize("server", OVERFLOWS)
def test_context_overflow_is_recognized_with_its_sizes(server):
    status, body, window, input_tokens = OVERFLOWS[server]
    error = errors.reported(body, status)
    assert isinstance(error, ContextOverflow), str(error)
    assert (error.code, error.retryable) == ("context_length", False)
    assert (error.window, error.input_tokens) == (window, input_tokens)
    assert str(error) == "The chat is too long for this model. Shorten the message or start a new chat."


OTHERS = {  # what only looks like it -> (status, body, code)
    "a rate limit in tokens": (
        429,
        openai_error(
            "Rate limit reached for gpt-4o in organization org-1 on tokens per min (TPM): Limit 30000, Used 20000, "
            "Requested 15000. Please try again in 10s.",
            "tokens",
            "rate_limit_exceeded",
        ),
        "rate_limited",
    ),
    "a rate limit in input tokens": (
        429,
        {
            "type": "error",
            "error": {
                "type": "rate_limit_error",
                "message": "Number of input tokens has exceeded your per-minute rate limit.",
            },
        },
        "rate_limited",
    ),
    "a rate limit in the stream": (
        None,
        openai_error("Number of input tokens exceeds your limit per minute.", "rate_limit_error"),
        "rate_limited",
    ),
    "throttling": (429, {"message": "Too many tokens, please wait before trying again."}, "rate_limited"),
    "Gemini's quota": (
        429,
        {
            "error": {
                "code": 429,
                "message": "You exceeded your current quota: input_token_count, limit: 125000",
                "status": "RESOURCE_EXHAUSTED",
            }
        },
        "rate_limited",
    ),
    "a long answer": (
        400,
        openai_error(
            "max_tokens is too large: 100000. This model supports at most 16384 completion tokens, whereas you "
            "provided 100000."
        ),
        "refused",
    ),
    "an answer longer than the window": (
        400,
        openai_error(
            "'max_tokens' or 'max_completion_tokens' is too large: 9000. This model's maximum context length is 8192 "
            "tokens and your request has 12 input tokens (9000 > 8192 - 12)."
        ),
        "refused",
    ),
    "a long name": (400, openai_error("Invalid 'user': string too long. Expected a string of at most 64."), "refused"),
    "another parameter": (400, openai_error("Unknown parameter: context_length"), "refused"),
    "a key": (401, openai_error("Your key is too long for the maximum context length"), "authentication"),
    "no credit": (402, openai_error("Prompt tokens exceed what your credit affords: 5000 > 200"), "quota"),
    "an overloaded server": (503, openai_error("The model is overloaded."), "overloaded"),
    "nothing": (400, {}, "refused"),
}


@pytest.mark.parametrize("kind", OTHERS)
def test_report_about_something_else_is_not_a_context_overflow(kind):
    status, body, code = OTHERS[kind]
    error = errors.reported(body, status)
    assert (type(error) is ContextOverflow, error.code) == (False, code)


@pytest.mark.parametrize("n_ctx", [0, -1, 2.5, "many", None, True, 10**30, [2048], "²"])
def test_size_that_is_not_a_number_of_tokens_is_ignored(n_ctx):
    error = errors.reported({"type": "exceed_context_size_error", "message": "m", "n_ctx": n_ctx}, 400)
    assert (type(error), error.window) == (ContextOverflow, None)


async def test_request_too_large_for_the_rate_limit_is_not_asked_again(upstream, ask):
    status, body, *_ = OVERFLOWS["OpenAI by the minute"]
    upstream.answers(refusal(status, body, retry_after="0"))
    assistant = await Assistant.objects.acreate(
        slug="large", name="Large", model="openai:x", params={"base_url": upstream.base_url}
    )
    run = await ask(assistant)
    assert await outcome_of(run) == ("failed", "context_length", "")
    assert len(upstream.requests) == 1
