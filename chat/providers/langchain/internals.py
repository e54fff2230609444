"""Private names of LangChain and of its vendors' packages. The only file that uses them.

Each use falls back to the public API if its name is gone. tests/test_upgrade_langchain.py then fails with a sentence
that says what is lost, and docs/upgrading.md lists them.
"""

import functools
import json
from collections.abc import AsyncGenerator
from importlib import import_module
from typing import Any, NamedTuple

from ..openai.chunks import text_of
from . import round_trip

MAX_GUESSED_LENGTH = 500  # characters


class Chunk(NamedTuple):
    message: Any
    generation_info: dict[str, Any] | None = None


def stream(model: Any, messages: list[Any], **kwargs: Any) -> AsyncGenerator[Any, None]:
    """Returns the model's chunks, each with `message` and `generation_info`.

    The public `astream` also merges all chunks of the stream into one and calls callbacks for each, which nobody uses
    here.
    """
    if has_private_stream(model):
        return model._astream(messages, **kwargs)
    return _public_stream(model, messages, **kwargs)


def has_private_stream(model: Any) -> bool:
    return hasattr(model, "_astream")


async def _public_stream(model: Any, messages: list[Any], **kwargs: Any) -> AsyncGenerator[Chunk, None]:
    async for message in model.astream(messages, **kwargs):
        yield Chunk(message)  # its response_metadata includes the generation's info


def check_arguments(model: Any, messages: list[Any]) -> None:
    """Makes the model build a request, as some classes validate their arguments only then."""
    if hasattr(model, "_get_request_payload"):
        model._get_request_payload(messages)


def parse_short_arguments_only() -> None:
    """Makes LangChain guess the rest of a tool call's arguments only if they are short.

    It parses each delta of them, and tries again for each character that it leaves out: minutes for a delta of some
    hundred kilobytes. Our agent reads the arguments itself. Without `parse_partial_json` LangChain's function stays.
    """
    ai = import_module("langchain_core.messages.ai")
    parse = getattr(ai, "parse_partial_json", None)
    if parse is None or hasattr(parse, "__wrapped__"):
        return

    @functools.wraps(parse)
    def parse_short(text: str, *, strict: bool = False) -> Any:
        return parse(text, strict=strict) if len(text) <= MAX_GUESSED_LENGTH else json.loads(text, strict=strict)

    vars(ai)["parse_partial_json"] = parse_short


@functools.cache
def with_reasoning(cls: Any) -> Any:
    """Returns a subclass of OpenAI's chat model that keeps what LangChain drops: reasoning, and what is to go back.

    Without `_convert_chunk_to_generation_chunk` the answer has no reasoning. Without `_get_request_payload` nothing
    goes back beside the calls of a tool.
    """

    class ReasoningModel(cls):
        def _convert_chunk_to_generation_chunk(self, chunk: Any, *args: Any) -> Any:
            generation = super()._convert_chunk_to_generation_chunk(chunk, *args)
            for choice in chunk["choices"]:
                delta = choice["delta"]
                if thought := delta.get("reasoning_content") or delta.get("reasoning"):
                    generation.message.additional_kwargs["reasoning_content"] = text_of(thought)
                if images := delta.get("images"):
                    generation.message.additional_kwargs["images"] = images
                if fields := delta.get("round_trip"):
                    generation.message.additional_kwargs["round_trip"] = fields
            return generation

        def _get_request_payload(self, input_: Any, **kwargs: Any) -> Any:
            payload = super()._get_request_payload(input_, **kwargs)
            if type(input_) is list:
                for message, converted in zip(input_, payload.get("messages", ()), strict=False):
                    if fields := message.additional_kwargs.get("round_trip"):
                        round_trip.restore(converted, fields)
            return payload

    return ReasoningModel if hasattr(cls, "_convert_chunk_to_generation_chunk") else cls


@functools.cache
def with_input_tokens(cls: Any) -> Any:
    """Returns a subclass of Anthropic's chat model that counts input tokens also if only the first event has them.

    Without `_make_message_chunk_from_anthropic_event` such servers' usage lacks the input tokens.
    """

    class CountingModel(cls):
        def _make_message_chunk_from_anthropic_event(self, event: Any, **kwargs: Any) -> Any:
            if event.type == "message_start":
                self.__dict__["start_usage"] = event.message.usage
            elif event.type == "message_delta" and (start := self.__dict__.get("start_usage")):
                for name in ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"):
                    if not getattr(event.usage, name, None):
                        setattr(event.usage, name, getattr(start, name, None))
            return super()._make_message_chunk_from_anthropic_event(event, **kwargs)

    return CountingModel if hasattr(cls, "_make_message_chunk_from_anthropic_event") else cls


def use_transport_for_anthropic(chat: Any, http_client: Any) -> None:
    """Makes Anthropic's chat model send through this client.

    Without `_client_params` and `_async_client` it uses its own connections, which only the garbage collector closes.
    """
    if not (hasattr(type(chat), "_client_params") and hasattr(type(chat), "_async_client")):
        return
    params = chat._client_params | {"http_client": http_client}
    vars(chat)["_async_client"] = import_module("anthropic").AsyncAnthropic(**params)  # it is a cached property


def replace_google_client(chat: Any, client: Any) -> None:
    """Makes Google's chat model use this client, and closes it with the model.

    Without `_client_cleanup` the garbage collector closes it.
    """
    chat.client = client
    if hasattr(chat, "_client_cleanup"):
        chat._client_cleanup = type(chat._client_cleanup)(client)
