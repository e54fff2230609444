"""A stream of chat completions, and what it means."""

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
