"""Streams of OpenAI's Responses API for tests/upstream.py, regular as OpenAI's own."""

import json
import re

CREATED = {"id": "resp_1", "object": "response", "status": "in_progress", "output": [], "error": None, "usage": None}
USAGE = {
    "input_tokens": 9,
    "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 0},
    "output_tokens": 3,
    "output_tokens_details": {"reasoning_tokens": 1},
    "total_tokens": 12,
}


def event(type, **fields):
    return f"event: {type}\ndata: {json.dumps({'type': type} | fields)}\n\n".encode()


def delta(text, index=0, **fields):
    place = {"item_id": f"msg_{index}", "output_index": index, "content_index": 0}
    return event("response.output_text.delta", **place | {"delta": text, "logprobs": [], "obfuscation": "aB3"} | fields)


def message_item(text, index=0, **fields):
    part = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    item = {"id": f"msg_{index}", "type": "message", "status": "completed", "role": "assistant", "content": [part]}
    return item | fields


def message(*deltas, index=0, **fields):
    """Yields the events of a message."""
    item = message_item("".join(deltas), index, **fields)
    place = {"item_id": item["id"], "output_index": index, "content_index": 0}
    yield added(item | {"content": [], "status": "in_progress"}, index)
    yield event("response.content_part.added", **place, part={"type": "output_text", "text": "", "annotations": []})
    for text in deltas:
        yield delta(text, index)
    yield event("response.output_text.done", **place, text="".join(deltas), logprobs=[])
    yield event("response.content_part.done", **place, part=item["content"][0])
    yield done(item, index)


def reasoning_item(*parts, index=0, **fields):
    summary = [{"type": "summary_text", "text": text} for text in parts]
    return {"id": f"rs_{index}", "type": "reasoning", "summary": summary} | fields


def reasoning(*parts, index=0, **fields):
    """Yields the events of an item of reasoning with these parts of its summary."""
    item = reasoning_item(*parts, index=index, **fields)
    yield added(reasoning_item(index=index), index)
    for number, text in enumerate(parts):
        place = {"item_id": item["id"], "output_index": index, "summary_index": number}
        yield event("response.reasoning_summary_part.added", **place, part={"type": "summary_text", "text": ""})
        for piece in re.findall(r".{1,4}", text, re.DOTALL):
            yield event("response.reasoning_summary_text.delta", **place, delta=piece, obfuscation="x")
        yield event("response.reasoning_summary_text.done", **place, text=text)
        yield event("response.reasoning_summary_part.done", **place, part={"type": "summary_text", "text": text})
    yield done(item, index)


def call_item(name, arguments, id="call_1", index=0, **fields):
    item = {"id": f"fc_{index}", "type": "function_call", "status": "completed", "call_id": id, "name": name}
    return item | {"arguments": arguments} | fields


def call(name, arguments, id="call_1", index=0):
    """Yields the events of a function's call; arguments that are no text are written as JSON."""
    arguments = arguments if isinstance(arguments, str) else json.dumps(arguments)
    item = call_item(name, arguments, id, index)
    place = {"item_id": item["id"], "output_index": index}
    yield added(item | {"arguments": "", "status": "in_progress"}, index)
    for piece in re.findall(r".{1,8}", arguments, re.DOTALL):
        yield event("response.function_call_arguments.delta", **place, delta=piece, obfuscation="x")
    yield event("response.function_call_arguments.done", **place, arguments=arguments, name=name)
    yield done(item, index)


def added(item, index=0):
    return event("response.output_item.added", output_index=index, item=item)


def done(item, index=0):
    return event("response.output_item.done", output_index=index, item=item)


def started():
    """Yields the events before the first item."""
    yield event("response.created", response=CREATED)
    yield event("response.in_progress", response=CREATED)


def completed(*output, status="completed", **fields):
    """Returns the last event, which has the whole response; `output` are its items."""
    response = CREATED | {"status": status, "output": list(output), "usage": USAGE, "incomplete_details": None}
    return event(f"response.{status}", response=response | fields)


def answer(*parts):
    """Yields a whole response: its parts, each the events of an item, between the first events and the last one."""
    yield from started()
    items = []
    for part in parts:
        for data in part:
            yield data
            if data.startswith(b"event: response.output_item.done"):
                items.append(json.loads(data.partition(b"data: ")[2])["item"])
    yield completed(*items)
