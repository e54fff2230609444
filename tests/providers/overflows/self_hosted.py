"""Reports of servers that people run themselves."""

from tests.providers.overflows.body import openai_error

SELF_HOSTED = {
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
    "TabbyAPI": (400, openai_error("Context length 5000 is greater than max_seq_len 4096"), 4096, 5000),
}
