"""Streams as the servers of chat completions send them: shortened, with the peculiarities of each.

docs/providers.md lists them.
"""

import json
from dataclasses import dataclass, field

DONE = "data: [DONE]\n\n"
USAGE = {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}


@dataclass
class Stream:
    """What a server sends, and what it means."""

    body: str
    thought: str = ""
    text: str = ""
    calls: list = field(default_factory=list)  # (name, arguments)
    reason: str = "stop"
    total: int | None = 12  # tokens
    error: str = ""  # a part of the sentence


def sse(*events, start="data: ", end=DONE):
    """Events as lines; a text stands as it is."""
    lines = (
        event if isinstance(event, str) else f"{start}{json.dumps(event, ensure_ascii=False)}\n\n" for event in events
    )
    return "".join(lines) + end


def chunks(*choices, usage=None, **head):
    """Chunks with this head, each of one choice: its delta, or the whole choice."""
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1764442800, "model": "m"} | head
    for choice in choices:
        choice = choice if "delta" in choice else {"delta": choice}
        yield head | {"choices": [{"index": 0} | choice | {"finish_reason": choice.get("finish_reason")}]}
    if usage:
        yield head | {"choices": [], "usage": usage}


def end(reason="stop", **delta):
    return {"delta": delta, "finish_reason": reason}


def call(name=None, arguments=None, **fields):
    function = {key: value for key, value in (("name", name), ("arguments", arguments)) if value is not None}
    return fields | ({"function": function} if function else {})


WEATHER = [("weather", {"city": "Bern"})]
BOTH = [*WEATHER, ("clock", {})]

SERVERS = {
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
    "vLLM": [
        Stream(
            sse(
                *chunks(
                    {"role": "assistant", "content": ""},
                    {"reasoning": "h", "reasoning_content": "h"},
                    {"reasoning": "m", "reasoning_content": "m"},
                    {"content": "Hello"},
                    {"delta": {"content": ""}, "finish_reason": "stop", "stop_reason": None, "token_ids": None},
                    usage=USAGE,
                )
            ),
            thought="hm",
            text="Hello",
        ),
        Stream(  # without a reasoning parser; the opening tag is in the prompt
            sse(
                *chunks(
                    {"role": "assistant", "content": ""},
                    {"content": "hm\n</think>\n\n"},
                    {"content": "Hello"},
                    end(),
                    usage=USAGE,
                )
            ),
            thought="hm",
            text="Hello",
        ),
        Stream(  # the arguments once more at the end
            sse(
                *chunks(
                    {"tool_calls": [call("weather", None, index=0, id="chatcmpl-tool-1", type="function")]},
                    {"tool_calls": [call(None, '{"city": ', index=0)]},
                    {"tool_calls": [call(None, '"Bern"}', index=0)]},
                    {"tool_calls": [call(None, '{"city": "Bern"}', index=0)]},
                    end("tool_calls", content=""),
                    usage=USAGE,
                )
            ),
            calls=WEATHER,
            reason="tool_calls",
        ),
        Stream(
            sse(*chunks({"content": "Hello"}, end("abort", content=""))),
            text="Hello",
            reason=None,
            error="The model stopped before its answer was complete.",
        ),
        Stream(
            json.dumps(
                {"object": "error", "message": "No such adapter.", "type": "NotFound", "param": None, "code": 400}
            ),
            reason=None,
            error="No such adapter.",
        ),
    ],
    "SGLang": [
        Stream(
            sse(
                *chunks(
                    {"role": "assistant", "content": "", "reasoning_content": None, "tool_calls": None},
                    {"role": None, "content": None, "reasoning_content": "hm", "tool_calls": None},
                    {"role": None, "content": "Hello", "reasoning_content": None, "tool_calls": None},
                    {"delta": {"content": ""}, "finish_reason": "stop", "matched_stop": 151645},
                    usage=USAGE | {"prompt_tokens_details": None},
                )
            ),
            thought="hm",
            text="Hello",
        ),
        Stream(
            sse(
                *chunks(
                    {"tool_calls": [call("weather", "", index=0, id="call_1", type="function")], "content": None},
                    {"tool_calls": [call(None, '{"city": "Bern"}', index=0, id=None, type="function")]},
                    end("tool_calls", content=""),
                    usage=USAGE,
                )
            ),
            calls=WEATHER,
            reason="tool_calls",
        ),
    ],
    "llama.cpp": [
        Stream(
            sse(
                *chunks(
                    {"role": "assistant", "content": None},
                    {"reasoning_content": "hm"},
                    {"content": "Hello"},
                    end("length"),
                    usage=USAGE,
                    system_fingerprint="b7192",
                    timings={"prompt_n": 9},
                )
            ),
            thought="hm",
            text="Hello",
            reason="length",
        ),
        Stream(
            sse(
                *chunks({"content": "Hello"}),
                'error: {"code":500,"message":"slot is gone","type":"unknown"}\n\n',
                end="",
            ),
            text="Hello",
            reason=None,
            error="The model is overloaded or failing.",
        ),
    ],
    "Ollama": [
        Stream(
            sse(
                *chunks(
                    {"role": "assistant", "content": "", "reasoning": "hm"},
                    {"role": "assistant", "content": "Hello"},
                    end(role="assistant", content=""),
                    usage=USAGE,
                    system_fingerprint="fp_ollama",
                )
            ),
            thought="hm",
            text="Hello",
        ),
        Stream(  # all calls under one index
            sse(
                *chunks(
                    {
                        "role": "assistant",
                        "content": "",
                        "tool_calls": [call("weather", '{"city":"Bern"}', index=0, id="call_1", type="function")],
                    },
                    {
                        "role": "assistant",
                        "content": "",
                        "tool_calls": [call("clock", "{}", index=0, id="call_2", type="function")],
                    },
                    end("tool_calls", role="assistant", content=""),
                    usage=USAGE,
                )
            ),
            calls=BOTH,
            reason="tool_calls",
        ),
    ],
    "LM Studio": [
        Stream(
            sse(
                *chunks(
                    {"role": "assistant", "content": "<|channel|>analysis<|message|>hm"},
                    {"role": "assistant", "content": "<|end|><|start|>assistant<|channel|>final<|message|>"},
                    {"role": "assistant", "content": "Hello"},
                    end(),
                    usage=USAGE,
                )
            ),
            thought="hm",
            text="Hello",
        ),
        Stream(
            sse(
                *chunks({"content": "Hello"}),
                'event: error\ndata: {"error":{"message":"The model has crashed."}}\n\n',
                end="",
            ),
            text="Hello",
            reason=None,
            error="The model has crashed.",
        ),
    ],
    "TGI": [
        Stream(
            sse(
                *chunks(
                    {"role": "assistant", "content": "Hel"},
                    {"role": "assistant", "content": "lo"},
                    end("eos_token", role="assistant", content=""),
                    usage=USAGE,
                ),
                start="data:",
                end="",
            ),
            text="Hello",
        ),
        Stream(  # before 1.4.4, where the index is that of the token
            sse(
                *chunks(
                    {"index": 1, "delta": {"role": "assistant", "content": "Hel"}},
                    {"index": 2, "delta": {"role": "assistant", "content": "lo"}},
                    {"index": 3, "delta": {"role": "assistant", "content": ""}, "finish_reason": "length"},
                    object="text_completion",
                ),
                start="data:",
                end="",
            ),
            text="Hello",
            reason="length",
            total=None,
        ),
        Stream(  # before 3.2, where `tool_calls` is an object
            sse(
                *chunks(
                    {"role": "assistant", "tool_calls": call("weather", "{", index=0, id="", type="function")},
                    {
                        "role": "assistant",
                        "tool_calls": call("weather", '"city": "Bern"', index=0, id="", type="function"),
                    },
                    {"role": "assistant", "tool_calls": call("weather", "}", index=0, id="", type="function")},
                    end("eos_token", role="assistant", content=""),
                ),
                start="data:",
            ),
            calls=WEATHER,
            total=None,
        ),
        Stream(
            'data:{"error":"Input validation error: too much","error_type":"validation"}\n\n',
            reason=None,
            error="Input validation error: too much",
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
