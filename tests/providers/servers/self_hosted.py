"""Streams of servers that people run themselves."""

import json

from tests.providers.servers.stream import BOTH, USAGE, WEATHER, Stream, call, chunks, end, sse

SELF_HOSTED = {
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
}
