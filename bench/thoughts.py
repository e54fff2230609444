"""What it costs to look for thoughts in a model's text: µs of CPU per chunk of an OpenAI stream, with and without.

`python -m bench.thoughts` measures both in turn and prints {kind of text: [with, without]} as JSON.
"""

import json
import os
import time

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatsite.settings")

import django

django.setup()

from chat.events import Text  # noqa: E402
from chat.providers.openai.chunks import Chunks  # noqa: E402

REPEATS = 15
CHUNKS = 10_000
WORDS = [" Okay", ", the", " user", " asks", " for", " a", " poem", " about", " trains", "."]
KINDS = {  # the first deltas, and those that are repeated
    "an answer": (["Hello"], WORDS),
    "an answer of code": (["Hello"], [*WORDS[:5], " <div", ' class="a">', "</", "div", ">"]),
    "a thought": (["<think>", "\n"], WORDS),
    "a thought without its opening tag": (["Okay"], WORDS),
}


class NoThoughts:
    """In place of the reader: all text is the answer."""

    def feed(self, text):
        return (Text(text),)

    def feed_all(self, pieces):
        return pieces


def chunk(text):
    choice = {"index": 0, "delta": {"content": text}, "logprobs": None, "finish_reason": None}
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "x", "usage": None}
    return json.dumps(head | {"choices": [choice]}).encode()


def cost(first, repeated, thoughts=None):
    """Returns µs per chunk."""
    chunks = Chunks(thoughts)
    for text in first:
        chunks.feed(chunk(text))
    data = [chunk(text) for text in repeated] * (CHUNKS // len(repeated))
    start = time.process_time()
    for each in data:
        for _ in chunks.feed(each):
            pass
    return 1e6 * (time.process_time() - start) / len(data)


def measure(first, repeated):
    both = [(cost(first, repeated), cost(first, repeated, NoThoughts())) for _ in range(REPEATS)]
    return [min(costs) for costs in zip(*both, strict=True)]


if __name__ == "__main__":
    print(json.dumps({kind: measure(*texts) for kind, texts in KINDS.items()}))
