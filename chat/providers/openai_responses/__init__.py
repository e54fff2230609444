"""`openai_responses:MODEL` — OpenAI's Responses API, the only one in which its newest models think and use tools.

The request is sent by the official SDK and the stream is read raw, as in `openai:`, with its connections.

Of an assistant's params, `base_url`, `api_key_env` and `api_key` choose the server; the rest goes into the request.
Nothing is stored at OpenAI, unless the params say so. Format: https://platform.openai.com/docs/api-reference/responses
"""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib import import_module
from typing import Any

from ...events import Piece
from ..base import Request
from ..openai import client
from ..openai.client import close
from ..openai.stream import read_stream
from ..openai.window import context_window
from ..thoughts import reader_for
from .connection import open_response
from .events import ResponseEvents
from .input import input_items

__all__ = [
    "IS_LANGUAGE_MODEL",
    "chat_model",
    "check",
    "check_chat_model",
    "close",
    "context_window",
    "param_names",
    "reply",
    "with_output_limit",
]

IS_LANGUAGE_MODEL = True


def reply(request: Request) -> AsyncGenerator[Piece, None]:
    events = ResponseEvents(reader_for(request))
    return read_stream(_response(request, events), events, request.activity)


def check(model_id: str, params: dict[str, Any]) -> None:
    """Raises ProviderError with what to correct if no request could be sent."""
    client.resolve(dict(params))


def param_names(model_id: str, with_tools: bool) -> dict[str, str]:
    limit = "max_tokens" if with_tools else "max_output_tokens"  # LangChain's chat model has a name of its own
    return {"temperature": "temperature", "top_p": "top_p", "max_tokens": limit, "max_completion_tokens": limit}


def with_output_limit(model_id: str, params: dict[str, Any], tokens: int) -> dict[str, Any]:
    """Limits the answer on compatible servers. At OpenAI the thoughts count, too."""
    return {"max_output_tokens": tokens} | params if client.is_compatible_server(params) else params


@asynccontextmanager
async def _response(request: Request, events: ResponseEvents) -> AsyncIterator[Any]:
    params = dict(request.params)
    with client.translated_errors():
        sdk = client.for_params(params)
        body = {"model": request.model, "input": input_items(request.messages)} | params
        async with open_response(sdk, body, events) as response:
            yield response


# Agents use LangChain's chat model of OpenAI, over the connections and the stream of this package.


def chat_model(request: Request) -> AbstractAsyncContextManager[Any]:
    return import_module("chat.providers.langchain").chat_model(request)


def check_chat_model(model_id: str, params: dict[str, Any]) -> None:
    import_module("chat.providers.langchain").check(model_id, params)
