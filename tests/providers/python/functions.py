"""Functions that answer, and the pieces that they send."""

from contextlib import aclosing

from chat.events import Text
from chat.providers import Request
from chat.providers import python as python_provider
from tests.waiting import hang_timeout


async def read_pieces(bridge):
    """Yields the bridge's pieces. Fails after 20 s."""
    async with hang_timeout(), aclosing(aiter(bridge)) as pieces:
        async for piece in pieces:
            yield piece


async def answer(function, team, text="Hi"):
    """Returns the provider's pieces, without the empty ones that it sends as a sign of life."""
    team(function)
    request = Request("team.reply", [("user", [{"type": "text", "text": text}])])
    async with aclosing(python_provider.reply(request)) as pieces:
        return [piece async for piece in pieces if piece != Text("")]


def all_threads_are_free():
    return python_provider.pool.free == python_provider.MAX_THREADS


def generator(messages, send):
    yield "Hello "
    send("the")
    yield Text("re")


class OwnError(Exception):
    pass


def chain_of(*answers, **fields):
    from langchain_core.language_models import GenericFakeChatModel
    from langchain_core.messages import AIMessage
    from langchain_core.prompts import ChatPromptTemplate

    messages = iter([AIMessage(answer, **fields) if isinstance(answer, str) else answer for answer in answers])
    return ChatPromptTemplate.from_messages([("human", "{question}")]) | GenericFakeChatModel(messages=messages)
