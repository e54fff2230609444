"""The adapters to families of models. A provider is a name in registry.REGISTRY and one async generator of pieces.

    async def reply(request: Request):
        yield Text("Hello")
        yield Finish("stop")

It yields the pieces of `chat.events` (Text, Reasoning, tool call events, Usage, Finish), raises ProviderError with a
sentence for the user, and closes what it opened, also when it is cancelled. It needs no timeout and no retries: those
are the engine's. A reply without a Finish counts as broken off. docs/providers.md describes the rest.
"""

from ..events import Piece
from ..tools import Context
from .base import ContextOverflow, ProviderError, Reply, Request
from .checks import check, prepare, try_model
from .hints import advice, missing_key, with_advice
from .registry import (
    REGISTRY,
    close,
    context_window,
    is_language_model,
    load,
    param_names,
    resolve,
    with_output_limit,
)
from .servers import Server, server_of
from .turns import Part, Turn, alternating, has_content

__all__ = [
    "REGISTRY",
    "Context",
    "ContextOverflow",
    "Part",
    "Piece",
    "ProviderError",
    "Reply",
    "Request",
    "Server",
    "Turn",
    "advice",
    "alternating",
    "check",
    "close",
    "context_window",
    "has_content",
    "is_language_model",
    "load",
    "missing_key",
    "param_names",
    "prepare",
    "resolve",
    "server_of",
    "try_model",
    "with_advice",
    "with_output_limit",
]
