"""What a model's server can do to the site: each function gives an Answer for tests/upstream.py, or its steps.

They are bounded in size, so that a test against a site without limits ends as well.
"""

import gzip
import json

import zstandard

from tests.upstream import CALLS, END, Answer, call, chunk, event


def many_calls(count, name="echo", arguments='{"text": "a"}'):
    """So many tool calls in one turn, each in a chunk of its own."""
    calls = [
        chunk({"tool_calls": [{"index": number, "id": f"call_{number}", "function": function(name, arguments)}]})
        for number in range(count)
    ]
    return Answer([packet(calls), *CALLS])


def many_calls_in_one_chunk(count, name="echo", arguments='{"text": "a"}'):
    calls = [
        {"index": number, "id": f"call_{number}", "function": function(name, arguments)} for number in range(count)
    ]
    return Answer([chunk({"tool_calls": calls}), *CALLS])


def long_arguments(length, delta_length=8, name="echo"):
    """One tool call whose arguments are a string of this length that never ends, in deltas of that length."""
    (head, *_) = call(name, "")
    delta = chunk({"tool_calls": [{"index": 0, "function": {"arguments": "a" * delta_length}}]})
    start = chunk({"tool_calls": [{"index": 0, "function": {"arguments": '{"text": "'}}]})
    return Answer([head, start, event(delta) * (length // delta_length), *CALLS])


def long_id(length, deltas=100, name="echo"):
    """A tool call with an id of this length."""
    head, *arguments = call(name, {"text": "a" * 8 * deltas}, id="i" * length)
    return Answer([head, *arguments, *CALLS])


def alternating(count):
    """A thought and a text in turn, so many of each."""
    pair = [chunk({"reasoning_content": "a"}), chunk("b")]
    return Answer([packet(pair) * count, *END])


def tiny_chunks(count):
    """An answer of so many chunks of one character, in packets as large as the network makes them."""
    return Answer([event(chunk("a")) * count, *END])


def endless_line(size):
    """An event that never ends: no line break in so many bytes."""
    return Answer([b'data: {"choices": [{"delta": {"content": "', *[b"a" * 65_536] * (size // 65_536)])


def leading_space(size):
    return Answer([b" " * 1_000] * (size // 1_000))


def huge_error(size, status=400):
    body = json.dumps({"error": {"message": "e" * size, "code": "c" * size, "type": "t" * size}}).encode()
    return Answer([body], status, {"content-type": "application/json"}, len(body))


def function(name, arguments):
    return {"name": name, "arguments": arguments}


def packet(chunks):
    return b"".join(map(event, chunks))


def many_keys_and_choices(count):
    """One chunk with so many fields and so many empty choices: copied for each choice, it would fill the memory."""
    return {f"{number:x}": 0 for number in range(count)} | {"choices": [{"index": 0}] * count}


def endless_error(size, status=500):
    """An error whose body goes on for so many bytes."""
    return Answer([b"e" * 65_536] * (size // 65_536), status)


def compressed(size, encoding="gzip", status=200):
    """A body of spaces that is a thousandth as long on its way."""
    body = {"gzip": gzip.compress, "zstd": zstandard.compress}[encoding](b" " * size)
    return Answer([body], status, {"content-encoding": encoding}, len(body))
