"""The table of providers, and the choice of one by an assistant's model id."""

import asyncio
import sys
from collections.abc import Mapping
from contextlib import suppress
from importlib import import_module
from types import ModuleType
from typing import Any

from django.utils.translation import gettext

from .base import ProviderError, Reply, Request

LANGCHAIN = "chat.providers.langchain"
REGISTRY = {  # the part of an assistant's model id before the colon -> the module that has `reply`
    "anthropic": LANGCHAIN,
    "azure_openai": LANGCHAIN,
    "demo": "chat.providers.demo",
    "google_genai": LANGCHAIN,
    "google_vertexai": LANGCHAIN,
    "langchain": LANGCHAIN,
    "ollama": LANGCHAIN,
    "openai": "chat.providers.openai",
    "openai_responses": "chat.providers.openai_responses",
    "python": "chat.providers.python",
}
_loaded: set[str] = set()  # paths
AGENT = "chat.providers.agent"  # answers with tools, over the `chat_model` of the provider's module


async def load(model_id: str) -> None:
    """Imports the provider's module in a thread, unless it has been: the SDK of a vendor takes half a second.

    What cannot be imported is left to `resolve`, which says why.
    """
    path = REGISTRY.get(model_id.partition(":")[0])
    if path and path not in _loaded:  # and not sys.modules, which has a module before it is complete
        with suppress(ImportError):
            await asyncio.to_thread(import_module, path)
            _loaded.add(path)


def resolve(model_id: str, tools: object = ()) -> tuple[Reply, str]:
    """Returns the generator function and the model's name of `provider:model`.

    With tools, a provider that has a `chat_model` answers through the agent; other providers use tools as they please.
    Raises ProviderError with what to correct.
    """
    return responsible_module(model_id, tools).reply, model_id.partition(":")[2]


def responsible_module(model_id: str, tools: object = ()) -> ModuleType:
    """Returns the module whose `reply` answers: the provider's, or the agent's."""
    module = provider_module(model_id)
    return import_module(AGENT) if tools and hasattr(module, "chat_model") else module


def provider_module(model_id: str) -> ModuleType:
    """Returns the module of this model id's provider, of which `IS_LANGUAGE_MODEL` and `chat_model` are optional."""
    name, colon, _ = model_id.partition(":")
    if not colon or name not in REGISTRY:
        known = ", ".join(f"{name}:" for name in sorted(REGISTRY))
        sentence = gettext("“%(model)s” does not name a provider. A model ID starts with one of %(known)s.")
        raise ProviderError(sentence % {"model": model_id, "known": known}, "unknown_provider")
    return import_module(REGISTRY[name])


def is_language_model(model_id: str) -> bool:
    """Tells whether the provider's model follows instructions, such as to write a title."""
    name = model_id.partition(":")[0]
    return name in REGISTRY and getattr(import_module(REGISTRY[name]), "IS_LANGUAGE_MODEL", False)


def with_output_limit(model_id: str, params: dict[str, Any], tokens: int) -> dict[str, Any]:
    """Returns the params with at most this many tokens for the answer, where the model's server surely accepts that."""
    module = provider_module(model_id)
    return module.with_output_limit(model_id, params, tokens) if hasattr(module, "with_output_limit") else params


def param_names(model_id: str, with_tools: bool) -> Mapping[str, str]:
    """Returns {OpenAI's name: the provider's name} of the parameters of a request that the provider takes."""
    module = provider_module(model_id)
    return module.param_names(model_id, with_tools) if hasattr(module, "param_names") else {}


async def context_window(request: Request) -> int | None:
    """Returns the size of the model's context window in tokens, if its server tells it without being sent a message."""
    ask = getattr(provider_module(f"{request.provider}:"), "context_window", None)
    return await ask(request) if ask else None


async def close() -> None:
    """Closes the connections that the used providers keep open for the running event loop."""
    for path in dict.fromkeys(REGISTRY.values()):
        module = sys.modules.get(path)
        if module is not None and hasattr(module, "close"):
            await module.close()
