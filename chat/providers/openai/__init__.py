"""`openai:MODEL` — OpenAI and every server that speaks its chat completions.

The official SDK brings authentication, addresses and typed errors. Its parsed chunks cost more per token than all the
rest of the site, so the stream is read raw: bytes from the aiohttp transport, one small SSE decoder, orjson.

Of an assistant's params, `base_url`, `api_key_env` and `api_key` choose the server; the rest goes into the request.
Format: https://platform.openai.com/docs/api-reference/chat-streaming
"""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib import import_module
from typing import Any

from ...events import Piece
from ..base import Request
from ..thoughts import reader_for
from . import client
from .chunks import Chunks
from .client import close
from .stream import read_stream
from .window import context_window

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
LIMITS = {"max_tokens", "max_completion_tokens", "n_predict"}
AGENT_PARAMS = (
    *("temperature", "top_p", "max_tokens", "max_completion_tokens", "stop", "seed"),
    *("presence_penalty", "frequency_penalty", "logit_bias", "reasoning_effort", "verbosity"),
)
PARAMS = (*AGENT_PARAMS, "response_format")


def reply(request: Request) -> AsyncGenerator[Piece, None]:
    return read_stream(_response(request), Chunks(reader_for(request)), request.activity)


def check(model_id: str, params: dict[str, Any]) -> None:
    """Raises ProviderError with what to correct if no request could be sent."""
    client.resolve(dict(params))


def param_names(model_id: str, with_tools: bool) -> dict[str, str]:
    """With tools, those that LangChain's chat model has arguments for."""
    return {name: name for name in (AGENT_PARAMS if with_tools else PARAMS)}


def with_output_limit(model_id: str, params: dict[str, Any], tokens: int) -> dict[str, Any]:
    """Limits the answer on compatible servers. OpenAI's models differ in which of the two names they accept."""
    if not client.is_compatible_server(params) or LIMITS & params.keys():
        return params
    return params | {"max_tokens": tokens}


@asynccontextmanager
async def _response(request: Request) -> AsyncIterator[Any]:
    params = dict(request.params)
    with client.translated_errors():
        opening = client.for_params(params).chat.completions.with_streaming_response.create(
            model=request.model,
            messages=[],
            stream=True,
            stream_options={"include_usage": True},
            # Passed as `messages`, each message would be compared with every type of message the SDK knows.
            extra_body={"messages": request.messages} | params,
        )
        async with opening as response:
            yield response


# Agents use LangChain's chat model of OpenAI, over the connections and the stream of this package.


def chat_model(request: Request) -> AbstractAsyncContextManager[Any]:
    return import_module("chat.providers.langchain").chat_model(request)


def check_chat_model(model_id: str, params: dict[str, Any]) -> None:
    import_module("chat.providers.langchain").check(model_id, params)
