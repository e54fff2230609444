"""Checks of an assistant's model for the admin: can it be used, and does it answer?"""

import asyncio
from contextlib import aclosing
from typing import Any

from django.utils.translation import gettext

from ..events import Text, clean_text
from ..redaction import add_secrets_of, redact
from .base import ProviderError, Request
from .credentials import only_bound_keys
from .registry import load, resolve, responsible_module

TRIAL_PROMPT = "Answer in one short sentence: who are you?"
TRIAL_TIMEOUT = 60  # seconds; a self-hosted server may have to load the model first
MAX_TRIAL_LENGTH = 200  # characters; the rest of the answer is not waited for


def check(
    model_id: str, params: dict[str, Any] | None = None, tools: object = (), *, may_bind_keys: bool = True
) -> None:
    """Raises ProviderError with what to correct if an assistant with this model could not answer.

    `may_bind_keys`: whether a key of the environment may be sent to an address that the environment does not name.
    """
    add_secrets_of(params)
    module = responsible_module(model_id, tools)
    if hasattr(module, "check"):
        with only_bound_keys(not may_bind_keys):
            module.check(model_id, params or {})


async def prepare(model_id: str, params: dict[str, Any], tools: object) -> None:
    """Imports in a thread what a first answer of this model would wait for. Raises ProviderError like `check`."""
    await load(model_id)
    await asyncio.to_thread(check, model_id, params, tools)
    module = responsible_module(model_id, tools)
    if hasattr(module, "prepare"):
        await module.prepare()


async def try_model(model_id: str, params: dict[str, Any], system_prompt: str = "") -> str:
    """Returns the beginning of the model's answer to TRIAL_PROMPT; raises ProviderError if there is none."""
    reply, model = resolve(model_id)
    turns = [("user", [{"type": "text", "text": TRIAL_PROMPT}])]
    request = Request(model, turns, model_id.partition(":")[0], system_prompt, params)
    answer = ""
    try:
        async with asyncio.timeout(TRIAL_TIMEOUT), aclosing(reply(request)) as pieces:
            async for piece in pieces:
                if isinstance(piece, Text):
                    answer += piece.delta
                if len(answer) >= MAX_TRIAL_LENGTH:
                    return f"{redact(clean_text(answer))[:MAX_TRIAL_LENGTH]} …"
    except TimeoutError:
        if not answer:
            sentence = gettext("The model did not answer within %(seconds)s seconds.") % {"seconds": TRIAL_TIMEOUT}
            raise ProviderError(sentence, "timeout") from None
    if not answer:
        raise ProviderError(gettext("The model returned an empty answer."))
    return redact(clean_text(answer))
