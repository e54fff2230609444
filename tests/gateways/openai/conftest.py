"""Calls of POST /v1/chat/completions, and what its streams say."""

import json

import pytest

from chat.engine import temporary
from tests.live.event_stream import read_body

URL = "/v1/chat/completions"
HI = [{"role": "user", "content": "Hi"}]


@pytest.fixture(autouse=True)
def short_sweep_interval(monkeypatch):
    monkeypatch.setattr(temporary, "SWEEP_INTERVAL", 0.02)


@pytest.fixture
async def complete(client_of, alice, key_of):
    """`await complete(model="words", …)`: the response to a request of Alice's, with these other parameters."""
    client = client_of(key=await key_of(alice, scopes=["chat"]))

    async def call(messages=HI, **params):
        return await client.send("POST", URL, {"model": "words", "messages": messages} | params)

    return call


async def read_chunks(response):
    """Returns the chunks of a stream that ends as it should."""
    body = (await read_body(response)).decode("ascii")
    assert body.endswith("data: [DONE]\n\n")
    blocks = body.removesuffix("data: [DONE]\n\n").split("\n\n")[:-1]
    return [json.loads(block.removeprefix("data: ")) for block in blocks if block != ": still here"]


def deltas(chunks, name="content"):
    """Returns the texts of these chunks, joined."""
    return "".join(choice["delta"].get(name) or "" for chunk in chunks for choice in chunk["choices"])
