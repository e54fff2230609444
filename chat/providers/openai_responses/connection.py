"""The connection of one response: opened with the defaults of this site, and cancelled at the server if it is left."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import openai

from .. import errors
from ..openai.stream import TRANSPORT_ERRORS
from .events import ResponseEvents

CANCEL_TIMEOUT = 5  # seconds that a server may take to cancel a response in the background
ENCRYPTED_REASONING = "reasoning.encrypted_content"

logger = logging.getLogger(__name__)
_without_encryption: set[tuple[str, str]] = set()  # (address, model) of those that cannot encrypt their reasoning


@asynccontextmanager
async def open_response(
    sdk: openai.AsyncOpenAI, body: dict[str, Any], events: ResponseEvents, *, encrypts: bool = False
) -> AsyncIterator[Any]:
    """The streaming response to a request with this body, whose `events` are read meanwhile.

    `encrypts`: whether to ask for reasoning that can be sent back although the server stores nothing. A model that does
    not think refuses such a request, and is then asked again without it.
    """
    body = {"store": bool(body.get("background"))} | body  # what goes on in the background is stored until it is read
    async with AsyncExitStack() as stack:
        if body.get("background"):
            stack.push_async_callback(_cancel_unfinished, sdk, events)
        yield await _open(stack, sdk, body, encrypts=encrypts)


async def _open(stack: AsyncExitStack, sdk: openai.AsyncOpenAI, body: dict[str, Any], *, encrypts: bool) -> Any:
    key = str(sdk.base_url), str(body["model"])
    if encrypts and key not in _without_encryption:
        include = [*(body.get("include") or ()), ENCRYPTED_REASONING]
        try:
            return await stack.enter_async_context(_create(sdk, body | {"include": include}))
        except openai.BadRequestError as error:
            if error.param != "include":
                raise
            _without_encryption.add(key)
    return await stack.enter_async_context(_create(sdk, body))


def _create(sdk: openai.AsyncOpenAI, body: dict[str, Any]) -> Any:
    # Passed as `input`, each item would be compared with every type of item the SDK knows.
    return sdk.responses.with_streaming_response.create(
        model=body["model"], input=[], stream=True, extra_body=body | {"stream": True}
    )


async def _cancel_unfinished(sdk: openai.AsyncOpenAI, events: ResponseEvents) -> None:
    """Cancels a response that goes on in the background, and is billed, although nobody reads it any more."""
    if events.id is None or events.done:
        return
    try:
        async with asyncio.timeout(CANCEL_TIMEOUT):
            await sdk.responses.cancel(events.id)
    except (TimeoutError, openai.OpenAIError, *TRANSPORT_ERRORS) as error:
        logger.warning("The response could not be cancelled: %s", errors.describe(error))
