"""The adapters to families of models. A provider is a name in this registry and one async generator of events.

    async def reply(request: Request):
        yield Text("Hello")
        yield Finish("stop")

It yields the pieces of `chat.events` (Text, Reasoning, tool call events, Usage, Finish), raises ProviderError with a
sentence for the person, and closes what it opened also when it is cancelled. It needs no clock and no retry: those
are the engine's. A reply without a Finish counts as broken off.
"""

import sys
from dataclasses import dataclass, field
from importlib import import_module

from ..events import clean

REGISTRY = {  # the part of an assistant's model id before the colon -> the module that has `reply`
    "demo": "chat.providers.demo",
    "openai": "chat.providers.openai",
}


class ProviderError(Exception):
    """The model cannot answer; the message is a sentence for the person.

    `retryable`: the same request may work in a moment; `retry_after`: seconds the provider asked to wait, or None.
    `broken_off`: the stream ended before the model said that it was done.
    """

    def __init__(self, message, code="provider_error", *, retryable=False, retry_after=None, broken_off=False):
        super().__init__(clean(message))
        self.code, self.retryable, self.retry_after, self.broken_off = code[:50], retryable, retry_after, broken_off


@dataclass(frozen=True)
class Request:
    """What a provider is asked: the turns from the oldest to the question, and how the assistant wants it answered."""

    model: str  # without the provider's name
    turns: list  # (role, parts): role is "user" or "assistant", parts as in chat.events.fold
    system_prompt: str = ""
    params: dict = field(default_factory=dict)
    tools: list = field(default_factory=list)  # names in chat.tools


def find(model_id):
    """The generator function and the model name of `provider:model`; raises ProviderError with what to mend."""
    name, colon, model = model_id.partition(":")
    if not colon or name not in REGISTRY:
        known = ", ".join(f"{name}:" for name in sorted(REGISTRY))
        raise ProviderError(
            f"“{model_id}” names no provider. A model id begins with one of {known}.", "unknown_provider"
        )
    return import_module(REGISTRY[name]).reply, model


async def close():
    """Close what the providers that were used keep open for this event loop."""
    for path in REGISTRY.values():
        module = sys.modules.get(path)
        if hasattr(module, "close"):
            await module.close()
