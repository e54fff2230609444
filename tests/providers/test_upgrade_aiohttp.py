"""The names of aiohttp that chat/providers/openai/aiohttp_stream.py uses. See docs/upgrading.md."""

from contextlib import aclosing

import pytest

from chat.events import Finish, Text
from chat.providers import Request, openai
from chat.providers.openai import aiohttp_stream
from tests.upstream import END, Answer, tokens

TURNS = [("user", [{"type": "text", "text": "Hi"}])]


@pytest.fixture
def answer(upstream):
    """`await answer()`: the text of one streamed answer, and whether the model finished."""

    async def ask():
        upstream.answers(Answer([*tokens("Hello there, how are you?"), *END]))
        request = Request("m", TURNS, params={"base_url": upstream.base_url})
        async with aclosing(openai.reply(request)) as pieces:
            received = [piece async for piece in pieces]
        text = "".join(piece.delta for piece in received if isinstance(piece, Text))
        return text, any(isinstance(piece, Finish) for piece in received)

    return ask


async def test_installed_aiohttp_has_the_names_that_the_fast_path_uses(answer, monkeypatch):
    used = []
    fast = aiohttp_stream.PacketReader.__init__

    def record(self, stream):
        fast(self, stream)
        used.append(self)

    monkeypatch.setattr(aiohttp_stream.PacketReader, "__init__", record)
    assert await answer() == ("Hello there, how are you?", True)
    assert used, "aiohttp has changed: streams are read through the SDK now, which costs more (docs/upgrading.md)."


async def test_stream_is_the_same_without_the_private_names(answer, monkeypatch):
    def missing(self, stream):
        raise AttributeError("_aiohttp_response")

    monkeypatch.setattr(aiohttp_stream.PacketReader, "__init__", missing)
    assert await answer() == ("Hello there, how are you?", True)
