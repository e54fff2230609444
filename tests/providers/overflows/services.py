"""Reports of vendors, and of gateways to them."""

import json

from tests.providers.overflows.body import openai_error

SERVICES = {
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
    "Ollama's cloud": (400, {"error": "prompt too long; exceeded max context length by 17 tokens"}, None, None),
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
    "a proxy in front": (413, "<html><h1>413 Request Entity Too Large</h1></html>", None, None),
}
