"""`anthropic: azure_openai: google_genai: google_vertexai: ollama:MODEL` and `langchain:PROVIDER:MODEL` — LangChain's
chat models, which convert the vendors' formats.

Of an assistant's params, `base_url`, `api_key_env` and `api_key` choose the server; the rest are arguments of the
vendor's chat model. LangChain and the vendors' packages are imported at their first use, and in a thread: that takes a
second or two, which the streams of others cannot wait for.

Agents use `chat_model`, `messages`, `Pieces` and `translated_errors`. These take and give LangChain's types, which stay
in this package and in `agent`.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from ...events import Piece
from ..base import Request
from ..thoughts import reader_for
from . import internals
from .errors import translated_errors
from .messages import messages
from .models import build, chat_model, vendor_and_model, vendor_row
from .ollama import loaded_window
from .params import PARAM_NAMES
from .pieces import Pieces
from .transport import TrackedTransport, close

__all__ = [
    "IS_LANGUAGE_MODEL",
    "Pieces",
    "chat_model",
    "check",
    "close",
    "context_window",
    "messages",
    "param_names",
    "reply",
    "translated_errors",
    "with_output_limit",
]

IS_LANGUAGE_MODEL = True


async def reply(request: Request) -> AsyncGenerator[Piece, None]:
    pieces = Pieces(reader_for(request))
    with_calls = not vendor_row(request).needs_offered_tools
    async with chat_model(request) as model:
        conversation = messages(request, with_calls=with_calls)
        with translated_errors():
            async with aclosing(internals.stream(model, conversation)) as chunks:
                async for chunk in chunks:
                    for piece in pieces.feed(chunk.message, chunk.generation_info):
                        yield piece
    for piece in pieces.close():
        yield piece


def check(model_id: str, params: dict[str, Any]) -> None:
    """Raises ProviderError with what to correct if no request could be sent."""
    provider, _, model = model_id.partition(":")
    request = Request(model, [("user", [{"type": "text", "text": "Hi"}])], provider, params=params)
    chat = build(request, TrackedTransport(request.activity))
    with translated_errors():
        internals.check_arguments(chat, messages(request))


def param_names(model_id: str, with_tools: bool) -> dict[str, str]:
    """Returns those of vendors whose chat model we know. An argument that another one lacks would fail the run."""
    return PARAM_NAMES.get(model_id.removeprefix("langchain:").partition(":")[0], {})


def with_output_limit(model_id: str, params: dict[str, Any], tokens: int) -> dict[str, Any]:
    """Limits the answer of Ollama's models. Elsewhere the thoughts of some models count, or the limit is an error."""
    return {"num_predict": tokens} | params if model_id.startswith("ollama:") else params


async def context_window(request: Request) -> int | None:
    """Returns the size of the model's context window in tokens, if its server tells it."""
    return await loaded_window(request) if vendor_and_model(request)[0] == "ollama" else None
