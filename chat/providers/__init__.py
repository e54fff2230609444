"""The adapters to families of models. A provider is a name in this registry and one async generator of events.

    async def reply(request: Request):
        yield Text("Hello")
        yield Finish("stop")

It yields the pieces of `chat.events` (Text, Reasoning, tool call events, Usage, Finish), raises ProviderError with a
sentence for the person, and closes what it opened also when it is cancelled. It needs no clock and no retry: those
are the engine's. A reply without a Finish counts as broken off.
"""

import asyncio
import os
import re
import sys
from contextlib import aclosing
from dataclasses import dataclass, field
from importlib import import_module

from django.utils.translation import gettext

from ..events import Text, clean
from ..tools import Context

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
    "python": "chat.providers.callbacks",
}


RETRIES = 2  # times that the same is asked again, while nothing of the answer was shown
LONGEST_WAIT = 10  # seconds that a provider's Retry-After is obeyed; longer ones fail at once


class ProviderError(Exception):
    """The model cannot answer; the message is a sentence for the person.

    `retryable`: the same request may work in a moment; `retry_after`: seconds the provider asked to wait, or None.
    `broken_off`: the stream ended before the model said that it was done.
    """

    def __init__(self, message, code="provider_error", *, retryable=False, retry_after=None, broken_off=False):
        super().__init__(clean(str(message)))
        self.code, self.retryable, self.retry_after, self.broken_off = code[:50], retryable, retry_after, broken_off

    def pause(self, attempt):
        """Seconds until the same may be asked again, after the attempt of this number (from 0); None: not any more."""
        seconds = self.retry_after if self.retry_after is not None else 0.5 * 2**attempt
        return seconds if self.retryable and attempt < RETRIES and seconds <= LONGEST_WAIT else None


@dataclass(frozen=True)
class Request:
    """What a provider is asked: the turns from the oldest to the question, and how the assistant wants it answered."""

    model: str  # without the provider's name
    turns: list  # (role, parts): role is "user" or "assistant", parts as in chat.events.fold
    provider: str = ""
    system_prompt: str = ""
    params: dict = field(default_factory=dict)
    tools: list = field(default_factory=list)  # names in chat.tools
    ask_first: list = field(default_factory=list)  # which of them wait for the person's yes
    max_model_calls: int = 3  # of an agent, before it has to answer
    context: Context = field(default_factory=Context)  # whom the tools work for
    # Tool calls of the last turn that waited for the person: id -> yes, no, or {"result", "error"} of one that has run.
    answers: dict = field(default_factory=dict)

    @property
    def messages(self):
        """System prompt and turns as OpenAI's messages: a content is text, or with images a list of content parts."""
        messages = [{"role": "system", "content": self.system_prompt}] if self.system_prompt else []
        for role, parts in self.turns:
            content = "".join(part["text"] for part in parts if part["type"] == "text")
            images = [f"data:{part['media_type']};base64,{part['data']}" for part in parts if part["type"] == "image"]
            if images:
                seen = [{"type": "image_url", "image_url": {"url": url}} for url in images]
                content = [*seen, {"type": "text", "text": content}]
            if content:
                messages.append({"role": role, "content": content})
        return messages


def find(model_id, tools=()):
    """The generator function and the model name of `provider:model`; raises ProviderError with what to mend.

    With tools it is an agent's, where LangChain has the model; other providers use tools as they please.
    """
    name, colon, model = model_id.partition(":")
    if not colon or name not in REGISTRY:
        known = ", ".join(f"{name}:" for name in sorted(REGISTRY))
        sentence = gettext("“%(model)s” names no provider. A model id begins with one of %(known)s.")
        raise ProviderError(sentence % {"model": model_id, "known": known}, "unknown_provider")
    if tools and is_model(model_id):
        return import_module("chat.providers.agent").reply, model
    return import_module(REGISTRY[name]).reply, model


def is_model(model_id):
    """Whether a language model answers, which does what it is told and can use tools; others say what they say."""
    name = model_id.partition(":")[0]
    return name == "openai" or REGISTRY.get(name) == LANGCHAIN


def check(model_id, params=None, tools=()):
    """Raises ProviderError with what to mend where an assistant with this model could not answer."""
    find(model_id, tools)
    agent = tools and is_model(model_id)
    module = import_module(LANGCHAIN if agent else REGISTRY[model_id.partition(":")[0]])
    if hasattr(module, "check"):
        module.check(model_id, params or {})


FIRST_WORDS = "Answer in one short sentence: who are you?"
FIRST_WORDS_LIMIT = 15  # seconds that whoever asks waits
ENOUGH = 200  # characters


async def first_words(model_id, params, system_prompt=""):
    """What the model answers to FIRST_WORDS, to see whether it does; raises ProviderError where it does not."""
    reply, model = find(model_id)
    turns, words = [("user", [{"type": "text", "text": FIRST_WORDS}])], ""
    request = Request(model, turns, model_id.partition(":")[0], system_prompt, params)
    try:
        async with asyncio.timeout(FIRST_WORDS_LIMIT), aclosing(reply(request)) as pieces:
            async for piece in pieces:
                words += piece.delta if isinstance(piece, Text) else ""
                if len(words) >= ENOUGH:
                    return f"{clean(words[:ENOUGH])} …"
    except TimeoutError:
        if not words:
            sentence = gettext("The model said nothing within %(seconds)s seconds.") % {"seconds": FIRST_WORDS_LIMIT}
            raise ProviderError(sentence, "timeout") from None
    if not words:
        raise ProviderError(gettext("The model ended its answer without a word."))
    return clean(words)


KEY_NAMES = re.compile("[A-Z][A-Z0-9_]*_(KEY|TOKEN)")  # variables that may hold a provider's key …
NO_KEY_NAMES = re.compile("SECRET")  # … and Django's own and the like, which staff must not send to a server of theirs


def server(params, *keys, address=None, needed=True):
    """(address or None, key or None) that these params choose: `base_url`, `api_key_env` and `api_key`, taken out.

    Where they choose none, the first of the environment's `keys` that is set; it is needed unless the variable
    `address` names a server. The environment's keys go to no address but the provider's and that variable's.
    """
    base_url, name, key = (params.pop(param, None) for param in ("base_url", "api_key_env", "api_key"))
    if not all(param is None or type(param) is str for param in (base_url, name, key)):
        sentence = gettext("The params base_url, api_key_env and api_key have to be text.")
        raise ProviderError(sentence, "not_configured")
    if name and (not KEY_NAMES.fullmatch(name) or NO_KEY_NAMES.search(name)):
        sentence = gettext(
            "“%(name)s” is no variable for api_key_env. Its name has to end in _KEY or _TOKEN, without SECRET in it."
        )
        raise ProviderError(sentence % {"name": name}, "not_configured")
    if name or not (key or base_url):
        names = [name] if name else keys
        key = next((key for name in names if (key := os.environ.get(name, "").strip())), None)
        if not key and (name or (needed and not os.environ.get(address or ""))):
            raise ProviderError(not_set(*names), "not_configured")
    if key and not (key.isascii() and key.isprintable()):
        raise ProviderError(gettext("The API key holds characters that no key has."), "not_configured")
    return base_url or None, key or None


def not_set(*names):
    """The sentence that none of these variables is set."""
    known = gettext(" or ").join(names)
    return gettext("The environment variable %(name)s is not set.") % {"name": known}


async def close():
    """Close what the providers that were used keep open for this event loop."""
    for path in REGISTRY.values():
        module = sys.modules.get(path)
        if hasattr(module, "close"):
            await module.close()
