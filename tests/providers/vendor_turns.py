"""Turns of a model in the formats of vendors, for agents."""

import json


def anthropic(*blocks, stop="tool_use"):
    """Anthropic's events of one turn; a block is (its start, its deltas)."""
    started = {"id": "m", "type": "message", "role": "assistant", "model": "x", "content": [], "stop_reason": None}
    yield {"type": "message_start", "message": started | {"usage": {"input_tokens": 9, "output_tokens": 1}}}
    for index, (block, *deltas) in enumerate(blocks):
        yield {"type": "content_block_start", "index": index, "content_block": block}
        for delta in deltas:
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    yield {"type": "message_delta", "delta": {"stop_reason": stop}, "usage": {"output_tokens": 3}}
    yield {"type": "message_stop"}


def named(events):
    return [f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in events]


def tool_use(id, name, *arguments):
    deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in arguments]
    return {"type": "tool_use", "id": id, "name": name, "input": {}}, *deltas


def google(*parts, reason=None):
    candidate = {"content": {"role": "model", "parts": list(parts)}, "index": 0}
    return {"candidates": [candidate | ({"finishReason": reason} if reason else {})]}
