"""Streams of vendors, and of gateways to them."""

import json

from tests.providers.servers.stream import BOTH, USAGE, WEATHER, Stream, call, chunks, end, sse

SERVICES = {
    "OpenAI": [
        Stream(
            sse(
                *chunks(
                    {"role": "assistant", "content": "", "refusal": None},
                    {"content": "Hel"},
                    {"content": "lo"},
                    end(),
                    usage=USAGE | {"completion_tokens_details": {"reasoning_tokens": 0}},
                    service_tier="default",
                    system_fingerprint="fp_1",
                    obfuscation="mT4x",
                )
            ),
            text="Hello",
        ),
        Stream(
            sse(
                *chunks(
                    {"role": "assistant", "content": None, "tool_calls": [call("weather", "", index=0, id="call_a")]},
                    {"tool_calls": [call(None, '{"ci', index=0)]},
                    {"tool_calls": [call(None, 'ty":"Bern"}', index=0)]},
                    {"tool_calls": [call("clock", "", index=1, id="call_b", type="function")]},
                    {"tool_calls": [call(None, "{}", index=1)]},
                    end("tool_calls"),
                    usage=USAGE,
                )
            ),
            calls=BOTH,
            reason="tool_calls",
        ),
    ],
    "Azure OpenAI": [
        Stream(
            sse(
                {"id": "", "object": "", "choices": [], "prompt_filter_results": [{"prompt_index": 0}]},
                *chunks({"role": "assistant", "content": ""}, {"content": "Hel"}),
                {
                    "id": "",
                    "choices": [{"index": 0, "finish_reason": None, "content_filter_offsets": {"start_offset": 1}}],
                },
                *chunks(
                    {"delta": {"content": "lo"}, "content_filter_results": {"hate": {"filtered": False}}},
                    {
                        "delta": {},
                        "finish_reason": "content_filter",
                        "content_filter_results": {"hate": {"filtered": True}},
                    },
                    usage=USAGE,
                ),
            ),
            text="Hello",
            reason="content_filter",
        )
    ],
    "DeepSeek": [
        Stream(
            sse(
                ": keep-alive\n\n: keep-alive\n\n",
                *chunks(
                    {"role": "assistant", "content": None, "reasoning_content": ""},
                    {"content": None, "reasoning_content": "h"},
                    {"content": None, "reasoning_content": "m"},
                    {"content": "Hel", "reasoning_content": None},
                    {"content": "lo", "reasoning_content": None},
                ),
                *chunks(end(content="", reasoning_content=None), usage=None),
                {"choices": [], "usage": USAGE | {"prompt_cache_hit_tokens": 4, "prompt_cache_miss_tokens": 5}},
            ),
            thought="hm",
            text="Hello",
        ),
        Stream(
            sse(*chunks({"content": "Hello"}, end("insufficient_system_resource", content=""))),
            text="Hello",
            reason=None,
            error="The model stopped before its answer was complete.",
        ),
    ],
    "Qwen (Model Studio)": [
        Stream(
            sse(
                *chunks(
                    {"role": "assistant", "content": None, "reasoning_content": "hm"},
                    {
                        "content": None,
                        "tool_calls": [call("weather", '{"city": ', index=0, id="call_a", type="function")],
                    },
                    {"content": None, "tool_calls": [call("", '"Bern"}', index=0, id="", type="function")]},
                    end("tool_calls", content=""),
                    usage=USAGE,
                    system_fingerprint=None,
                )
            ),
            thought="hm",
            calls=WEATHER,
            reason="tool_calls",
        )
    ],
    "Kimi": [
        Stream(
            sse(
                *chunks(
                    {"role": "assistant", "content": ""},
                    {"reasoning_content": "hm"},
                    {"content": "Hello"},
                    {"delta": {}, "finish_reason": "stop", "usage": USAGE | {"cached_tokens": 4}},
                )
            ),
            thought="hm",
            text="Hello",
        ),
        Stream(
            sse(
                *chunks(
                    {"tool_calls": [call("weather", "", index=0, id="functions.weather:0")]},
                    {"tool_calls": [call(None, '{"city":"Bern"}', index=0)]},
                    {"tool_calls": [call("clock", "", index=1, id="functions.clock:1")]},
                    {"tool_calls": [call(None, "{}", index=1)]},
                    {"delta": {}, "finish_reason": "tool_calls", "usage": USAGE},
                )
            ),
            calls=BOTH,
            reason="tool_calls",
        ),
    ],
    "GLM": [
        Stream(
            sse(
                *chunks(
                    {"role": "assistant", "reasoning_content": "hm"},
                    {"role": "assistant", "content": "Hel"},
                    {"role": "assistant", "content": "lo"},
                    end("sensitive", role="assistant", content=""),
                    usage=USAGE,
                )
            ),
            thought="hm",
            text="Hello",
            reason="content_filter",
        ),
        Stream(
            sse(*chunks({"role": "assistant", "content": "Hello"}, end("network_error", role="assistant", content=""))),
            text="Hello",
            reason=None,
            error="The model stopped before its answer was complete.",
        ),
        Stream(
            json.dumps({"code": 500, "msg": "404 NOT_FOUND", "success": False}),
            reason=None,
            error="404 NOT_FOUND",
        ),
    ],
    "MiniMax": [
        Stream(
            sse(
                *chunks({"role": "assistant", "content": "<think>\nhm"}, {"content": "\n</think>\n\nHello"}, end()),
                {
                    "object": "chat.completion",
                    "choices": [],
                    "usage": USAGE,
                    "base_resp": {"status_code": 0, "status_msg": ""},
                },
            ),
            thought="hm",
            text="Hello",
        ),
        Stream(
            json.dumps({"choices": None, "base_resp": {"status_code": 1004, "status_msg": "login fail"}}),
            reason=None,
            error="login fail",
        ),
    ],
    "Mistral": [
        Stream(
            sse(
                *chunks(
                    {"role": "assistant", "content": ""},
                    {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}]},
                    {"content": [{"type": "text", "text": "Hel"}]},
                    {"content": "lo"},
                    end("model_length", content=""),
                    usage=USAGE,
                    p="abcdef",
                )
            ),
            thought="hm",
            text="Hello",
            reason="length",
        ),
        Stream(
            sse(
                *chunks(
                    end(
                        "tool_calls",
                        content="",
                        tool_calls=[
                            call("weather", '{"city": "Bern"}', id="D681PevKs", index=0),
                            call("clock", "{}", id="qa9XzPevK", index=1),
                        ],
                    ),
                    usage=USAGE,
                )
            ),
            calls=BOTH,
            reason="tool_calls",
        ),
    ],
    "Gemini's compatible address": [
        Stream(
            sse(
                *chunks(
                    {"role": "assistant", "content": "<thought>hm", "extra_content": {"google": {"thought": True}}},
                    {"role": "assistant", "content": "</thought>Hello"},
                    usage=None,
                ),
                *({**each, "usage": USAGE} for each in chunks(end(role="assistant"))),
            ),
            thought="hm",
            text="Hello",
        ),
        Stream(
            sse(
                *chunks(
                    {
                        "role": "assistant",
                        "tool_calls": [
                            call("weather", '{"city":"Bern"}', id="function-call-1", type="function")
                            | {"extra_content": {"google": {"thought_signature": "EjQK"}}}
                        ],
                    },
                    {"role": "assistant", "tool_calls": [call("clock", "{}", id="function-call-2", type="function")]},
                    end(role="assistant"),
                    usage=USAGE,
                )
            ),
            calls=BOTH,
        ),
        Stream(
            json.dumps([{"error": {"code": 400, "message": "Bad role.", "status": "INVALID_ARGUMENT"}}]),
            reason=None,
            error="Bad role.",
        ),
    ],
    "Anthropic's compatible address": [
        Stream(
            sse(
                *chunks(
                    {"role": "assistant", "content": None},
                    {"tool_calls": [call("weather", "", index=0, id="toolu_1", type="function")]},
                    {"tool_calls": [call("", '{"city": "Bern"}', index=0)]},
                    end("tool_calls"),
                    usage=USAGE,
                )
            ),
            calls=WEATHER,
            reason="tool_calls",
        )
    ],
    "OpenRouter": [
        Stream(
            sse(
                ": OPENROUTER PROCESSING\n\n" * 3,
                *chunks(
                    {
                        "delta": {
                            "role": "assistant",
                            "content": "",
                            "reasoning": "hm",
                            "reasoning_details": [{"type": "reasoning.text", "text": "hm", "index": 0}],
                        },
                        "native_finish_reason": None,
                    },
                    {"delta": {"role": "assistant", "content": "Hello"}, "native_finish_reason": None},
                    {
                        "delta": {"role": "assistant", "content": ""},
                        "finish_reason": "stop",
                        "native_finish_reason": "STOP",
                    },
                    provider="Moonshot AI",
                ),
                *({**each, "usage": USAGE | {"cost": 0.1}} for each in chunks({"role": "assistant", "content": ""})),
            ),
            thought="hm",
            text="Hello",
        ),
        Stream(
            sse(
                *chunks({"role": "assistant", "content": "Hello"}),
                *(
                    {**each, "error": {"code": 400, "message": "Provider disconnected."}}
                    for each in chunks(end("error", content=""))
                ),
            ),
            text="Hello",
            reason=None,
            error="Provider disconnected.",
        ),
    ],
    "LiteLLM": [
        Stream(
            sse(
                *chunks(
                    {"role": "assistant", "content": "Hello", "provider_specific_fields": None},
                    end(),
                    {"delta": {}},
                ),
                *({**each, "usage": USAGE} for each in chunks({"delta": {}})),
            ),
            text="Hello",
        ),
        Stream(
            sse(
                *chunks({"tool_calls": [call("weather", "{}", index=0, id="toolu_1")]}),
                *chunks({"tool_calls": [call(None, '{"city": "Bern"}', index=0)]}, end("tool_calls"), usage=USAGE),
            ),
            calls=WEATHER,
            reason="tool_calls",
        ),
        Stream(
            sse(
                *chunks({"content": "Hello"}),
                {"error": {"message": "litellm.APIError: no", "type": None, "code": "400"}},
                end="",
            ),
            text="Hello",
            reason=None,
            error="litellm.APIError: no",
        ),
    ],
    "Groq": [
        Stream(
            sse(
                *chunks(
                    {"role": "assistant", "content": "", "channel": "analysis"},
                    {"reasoning": "hm", "channel": "analysis"},
                ),
                *chunks({"content": "Hello"}),
                *({**each, "x_groq": {"id": "req_1", "usage": USAGE}} for each in chunks(end())),
            ),
            thought="hm",
            text="Hello",
        )
    ],
}
