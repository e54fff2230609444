"""What servers report when a conversation does not fit into the model's context window, and what only looks like it."""

import json

import pytest

from chat.models import Assistant
from chat.providers import ContextOverflow, errors
from tests.providers.provider_runs import outcome_of
from tests.upstream import refusal


def openai_error(message, type="invalid_request_error", code=None, **more):
    return {"error": {"message": message, "type": type, "param": None, "code": code} | more}


# Server -> (status, body, the window that it tells, the size of the input that it tells)
OVERFLOWS = {
    "OpenAI": (
        400,
        openai_error(
            "This model's maximum context length is 128000 tokens. However, your messages resulted in 150,123 tokens. "
            "Please reduce the length of the messages.",
            code="context_length_exceeded",
        ),
        128_000,
        150_123,
    ),
    "OpenAI with the answer counted": (
        400,
        openai_error(
            "This model's maximum context length is 4097 tokens, however you requested 4116 tokens (3860 in your "
            "prompt; 256 for the completion). Please reduce your prompt; or completion length."
        ),
        4097,
        3860,
    ),
    "OpenAI's Responses": (
        400,
        openai_error(
            "Your input exceeds the context window of this model. Please adjust your input and try again.",
            code="context_length_exceeded",
        ),
        None,
        None,
    ),
    "OpenAI with a limit of its own": (
        400,
        openai_error(
            "Input tokens exceed the configured limit of 272000 tokens. Your messages resulted in 300000 tokens.",
            code="context_length_exceeded",
        ),
        272_000,
        300_000,
    ),
    "OpenAI by the minute": (
        429,
        openai_error(
            "Request too large for gpt-4o in organization org-12345678 on tokens per min (TPM): Limit 30000, Requested "
            "45000. The input or output tokens must be reduced in order to run successfully.",
            "tokens",
            "rate_limit_exceeded",
        ),
        30_000,
        45_000,
    ),
    "Groq": (
        413,
        openai_error(
            "Request too large for model `llama-3.1-8b-instant` in organization `org_1` service tier `on_demand` on "
            "tokens per minute (TPM): Limit 6000, Requested 7012, please reduce your message size and try again.",
            "tokens",
            "rate_limit_exceeded",
        ),
        6000,
        7012,
    ),
    "Azure": (
        400,
        openai_error(
            "This model's maximum context length is 16385 tokens. However, you requested 17000 tokens (16000 in the "
            "messages, 1000 in the completion). Please reduce the length of the messages or completion.",
            code="context_length_exceeded",
            status=400,
        ),
        16_385,
        16_000,
    ),
    "Anthropic": (
        400,
        {
            "type": "error",
            "error": {"type": "invalid_request_error", "message": "prompt is too long: 210000 tokens > 200000 maximum"},
        },
        200_000,
        210_000,
    ),
    "Anthropic with the answer counted": (
        400,
        {
            "type": "error",
            "error": {
                "type": "invalid_request_error",
                "message": "input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000, decrease "
                "input length or `max_tokens` and try again",
            },
        },
        200_000,
        None,
    ),
    "Anthropic by the size of the body": (
        413,
        {"type": "error", "error": {"type": "request_too_large", "message": "Request exceeds the maximum size"}},
        None,
        None,
    ),
    "Anthropic without long contexts": (
        429,
        {
            "type": "error",
            "error": {"type": "rate_limit_error", "message": "Extra usage is required for long context requests."},
        },
        None,
        None,
    ),
    "Gemini": (
        400,
        {
            "error": {
                "code": 400,
                "message": "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
                "status": "INVALID_ARGUMENT",
            }
        },
        1_048_576,
        1_200_000,
    ),
    "Gemini's compatible door": (
        400,
        [
            {
                "error": {
                    "code": 400,
                    "message": "The input token count exceeds the maximum number of tokens allowed 1048576.",
                    "status": "INVALID_ARGUMENT",
                }
            }
        ],
        1_048_576,
        None,
    ),
    "Vertex AI": (
        400,
        {
            "error": {
                "code": 400,
                "message": "Unable to submit request because the input token count is 40000 but model only supports "
                "up to 32768. Reduce the input token count and try again.",
                "status": "INVALID_ARGUMENT",
            }
        },
        32_768,
        40_000,
    ),
    "vLLM": (
        400,
        {
            "object": "error",
            "message": "This model's maximum context length is 2048 tokens. However, you requested 2500 tokens (2244 "
            "in the messages, 256 in the completion). Please reduce the length of the messages or completion.",
            "type": "BadRequestError",
            "param": None,
            "code": 400,
        },
        2048,
        2244,
    ),
    "vLLM of today": (
        400,
        openai_error(
            "This model's maximum context length is 8192 tokens. However, your request has 9000 input tokens. Please "
            "reduce the length of the input messages.",
            "BadRequestError",
            400,
        ),
        8192,
        9000,
    ),
    "vLLM with a decoder": (
        400,
        openai_error(
            "The decoder prompt (length 9000) is longer than the maximum model length of 8192. Make sure that "
            "`max_model_len` is no smaller than the number of text tokens.",
            "BadRequestError",
            400,
        ),
        8192,
        9000,
    ),
    "vLLM with little room": (
        400,
        openai_error(
            "'max_tokens' or 'max_completion_tokens' is too large: 4096. This model's maximum context length is 8192 "
            "tokens and your request has 5000 input tokens (4096 > 8192 - 5000).",
            "BadRequestError",
            400,
        ),
        8192,
        5000,
    ),
    "vLLM with the input alone": (
        400,
        openai_error(
            "You passed 9000 input tokens and requested 0 output tokens. However, the model's context length is only "
            "8192 tokens, resulting in a maximum input length of 8192 tokens.",
            "BadRequestError",
            400,
        ),
        8192,
        9000,
    ),
    "SGLang": (
        400,
        {
            "object": "error",
            "message": "The input (5000 tokens) is longer than the model's context length (4096 tokens).",
            "type": "BadRequestError",
            "code": 400,
        },
        4096,
        5000,
    ),
    "SGLang with the answer counted": (
        400,
        {
            "object": "error",
            "message": "Requested token count exceeds the model's maximum context length of 4096 tokens. You requested "
            "a total of 5000 tokens: 4000 tokens from the input messages and 1000 tokens for the completion.",
            "type": "BadRequestError",
            "code": 400,
        },
        4096,
        4000,
    ),
    "SGLang with a reserve": (
        400,
        {
            "object": "error",
            "message": "Input length (5000 tokens) exceeds the maximum allowed length (4090 tokens). Use a shorter "
            "input or enable --allow-auto-truncate.",
            "code": 400,
        },
        4090,
        5000,
    ),
    "llama.cpp": (
        400,
        {
            "error": {
                "code": 400,
                "message": "the request exceeds the available context size, try increasing it",
                "type": "exceed_context_size_error",
                "n_prompt_tokens": 2500,
                "n_ctx": 2048,
            }
        },
        2048,
        2500,
    ),
    "llama.cpp in words": (
        400,
        {
            "error": {
                "code": 400,
                "message": "request (9412 tokens) exceeds the available context size (8192 tokens), try increasing it",
                "type": "invalid_request_error",
            }
        },
        8192,
        9412,
    ),
    "llama.cpp behind a proxy": (
        400,
        {
            "detail": '{"error":{"code":400,"message":"the request exceeds the available context size",'
            '"type":"exceed_context_size_error","n_prompt_tokens":13392,"n_ctx":8192}}'
        },
        8192,
        13_392,
    ),
    "llama.cpp while it writes": (
        None,
        {"error": {"code": 500, "message": "Context size has been exceeded.", "type": "server_error"}},
        None,
        None,
    ),
    "llama-cpp-python": (
        400,
        openai_error(
            "This model's maximum context length is 2048 tokens, however you requested 2500 tokens (2400 in "
            "your prompt; 100 for the completion).",
            code="context_length_exceeded",
        ),
        2048,
        2400,
    ),
    "llama-cpp-python in words": (
        500,
        openai_error("Requested tokens (2500) exceed context window of 2048"),
        2048,
        2500,
    ),
    "Ollama": (500, {"error": "the input length exceeds the context length"}, None, None),
    "Ollama's cloud": (400, {"error": "prompt too long; exceeded max context length by 17 tokens"}, None, None),
    "LM Studio": (
        400,
        {
            "error": "Trying to keep the first 4563 tokens when context the overflows. However, the model is loaded "
            "with context length of only 4096 tokens, which is not enough. Try to load the model with a larger context "
            "length, or provide a shorter input"
        },
        4096,
        4563,
    ),
    "LM Studio with both sizes": (
        400,
        {
            "error": "The number of tokens to keep from the initial prompt is greater than the context length "
            "(n_keep: 13055>= n_ctx: 4096). Try to load the model with a larger context length, or provide a shorter "
            "input."
        },
        4096,
        13_055,
    ),
    "LM Studio in the engine's words": (
        400,
        {"error": "Cannot truncate prompt with n_keep (15028) >= n_ctx (7424)"},
        7424,
        15_028,
    ),
    "LM Studio while it writes": (
        None,
        {
            "error": "Reached context length of 4096 tokens with model (arch: qwen3) that does not currently support "
            "mid-generation context overflow."
        },
        4096,
        None,
    ),
    "OpenRouter": (
        400,
        {
            "error": {
                "message": "This endpoint's maximum context length is 131072 tokens. However, you requested about "
                "140000 tokens (139000 of text input, 1000 in the output). Please reduce the length of either one.",
                "code": 400,
                "metadata": {"provider_name": None},
            }
        },
        131_072,
        139_000,
    ),
    "OpenRouter for another server": (
        400,
        {
            "error": {
                "message": "Provider returned error",
                "code": 400,
                "metadata": {
                    "raw": json.dumps(
                        openai_error("The prompt is too long: 221782, model maximum context length: 202752")
                    ),
                    "provider_name": "Fireworks",
                },
            }
        },
        202_752,
        221_782,
    ),
    "Mistral": (
        400,
        {
            "object": "error",
            "message": "Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768 maximum "
            "context length",
            "type": "invalid_request_prompt",
            "code": "3051",
        },
        32_768,
        40_000,
    ),
    "DeepSeek": (
        400,
        openai_error(
            "This model's maximum context length is 65536 tokens. However, you requested 70000 tokens (66000 in the "
            "messages, 4000 in the completion). Please reduce the length of the messages or completion.",
            code="invalid_request_error",
        ),
        65_536,
        66_000,
    ),
    "LiteLLM": (
        400,
        openai_error(
            "litellm.BadRequestError: litellm.ContextWindowExceededError: ContextWindowExceededError: OpenAIException "
            "- This model's maximum context length is 8192 tokens. However, your messages resulted in 12000 tokens.",
            None,
            "400",
        ),
        8192,
        12_000,
    ),
    "TGI": (
        422,
        {
            "error": "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 2048. Given: 2244 `inputs` "
            "tokens and 100 `max_new_tokens`",
            "error_type": "validation",
        },
        2048,
        2244,
    ),
    "TGI with the input alone": (
        422,
        {
            "error": "Input validation error: `inputs` must have less than 1024 tokens. Given: 2000",
            "error_type": "validation",
        },
        1024,
        2000,
    ),
    "Qwen": (
        400,
        openai_error(
            "<400> InternalError.Algo.InvalidParameter: Range of input length should be [1, 129024]",
            code="invalid_parameter_error",
        ),
        129_024,
        None,
    ),
    "Kimi": (
        400,
        openai_error("Invalid request: Your request exceeded model token limit: 8192 (requested: 9000)"),
        8192,
        9000,
    ),
    "GLM": (400, {"error": {"code": "1261", "message": "Prompt exceeds max length"}}, None, None),
    "MiniMax": (400, openai_error("invalid params, context window exceeds limit (2013)"), None, None),
    "xAI": (
        400,
        {
            "code": "Client specified an invalid argument",
            "error": "This model's maximum prompt length is 131072 but the request contains 537812 tokens.",
        },
        131_072,
        537_812,
    ),
    "Cohere": (
        400,
        {
            "message": "too many tokens: total number of tokens in the prompt cannot exceed 4081 - received 4292. Try "
            "using a shorter prompt"
        },
        4081,
        4292,
    ),
    "Cerebras": (
        400,
        {
            "message": "Please reduce the length of the messages or completion. Current length is 9000 while limit is "
            "8192",
            "type": "invalid_request_error",
            "code": "context_length_exceeded",
        },
        8192,
        9000,
    ),
    "GitHub Models": (
        413,
        openai_error("Request body too large for gpt-4o model. Max size: 8000 tokens.", code="tokens_limit_reached"),
        8000,
        None,
    ),
    "Bedrock": (400, {"message": "Input is too long for requested model."}, None, None),
    "Cloudflare": (
        413,
        {
            "errors": [],
            "message": "AiError: The estimated number of input and maximum output tokens (9000) exceeded this model "
            "context window limit (8192).",
        },
        8192,
        9000,
    ),
    "TabbyAPI": (400, openai_error("Context length 5000 is greater than max_seq_len 4096"), 4096, 5000),
    "a proxy in front": (413, "<html><h1>413 Request Entity Too Large</h1></html>", None, None),
}


@pytest.mark.parametrize("server", OVERFLOWS)
def test_context_overflow_is_recognized_with_its_sizes(server):
    status, body, window, input_tokens = OVERFLOWS[server]
    error = errors.reported(body, status)
    assert isinstance(error, ContextOverflow), str(error)
    assert (error.code, error.retryable) == ("context_length", False)
    assert (error.window, error.input_tokens) == (window, input_tokens)
    assert str(error) == "The conversation is too long for this model. Shorten the message or start a new chat."


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
def test_report_about_something_else_is_no_context_overflow(kind):
    status, body, code = OTHERS[kind]
    error = errors.reported(body, status)
    assert (type(error) is ContextOverflow, error.code) == (False, code)


@pytest.mark.parametrize("n_ctx", [0, -1, 2.5, "many", None, True, 10**30, [2048], "²"])
def test_size_that_is_no_number_of_tokens_is_ignored(n_ctx):
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
