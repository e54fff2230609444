"""The vendors that LangChain brings, and answers in the wire format of each."""

import json
from contextlib import aclosing

import pytest

from chat.events import EventBuilder, closing_events, fold
from chat.providers import ProviderError, Request, langchain
from tests.providers.provider_runs import ProviderReply
from tests.upstream import END, event

# provider -> (model id, params for a server at this URL)
VENDORS = {
    "openai": ("langchain:openai:gpt-5-mini", lambda root_url: {"base_url": f"{root_url}/v1"}),
    "azure": ("azure_openai:deployed", lambda root_url: {"base_url": root_url}),
    "anthropic": ("anthropic:claude-haiku-4-5", lambda root_url: {"base_url": root_url}),
    "gemini": ("google_genai:gemini-2.5-flash", lambda root_url: {"base_url": root_url}),
    "vertex": (
        "google_vertexai:gemini-2.5-flash",
        lambda root_url: {"base_url": root_url, "api_version": "v1", "project": "p", "location": "l"},
    ),
    "ollama": ("ollama:llama3.2", lambda root_url: {"base_url": root_url}),
}
every_vendor = pytest.mark.parametrize("vendor", VENDORS)


def make_request(model_id, text="Hi", **fields):
    provider, _, model = model_id.partition(":")
    turns = fields.pop("turns", [("user", [{"type": "text", "text": text}])])
    return Request(model, turns, provider, **fields)


class LangChainReply(ProviderReply):
    """A reply of the LangChain provider, read without an engine."""

    async def read(self, model_id, params, **fields):
        self.builder, self.error, log = EventBuilder("m"), None, []
        try:
            async with aclosing(langchain.reply(make_request(model_id, params=params, **fields))) as pieces:
                async for piece in pieces:
                    log += self.builder.feed(piece)
        except ProviderError as error:
            self.error = error
        self.parts = fold([*log, *closing_events(log)])
        self.text = "".join(part["text"] for part in self.parts if part["type"] == "text")
        self.thought = "".join(part["text"] for part in self.parts if part["type"] == "reasoning")
        self.finish_reason = self.builder.finish_reason
        return self


def root_url(upstream):
    return upstream.base_url.removesuffix("/v1")


def anthropic(*blocks, stop="end_turn", usage=None):
    """Yields an answer of Anthropic's with these blocks, each {"start": {…}, "deltas": [{…}]}."""
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude", "content": []}
    counts = {"input_tokens": 9, "output_tokens": 1}
    yield sse_event("message_start", message=message | {"stop_reason": None, "stop_sequence": None, "usage": counts})
    for index, block in enumerate(blocks):
        yield sse_event("content_block_start", index=index, content_block=block["start"])
        for delta in block["deltas"]:
            yield sse_event("content_block_delta", index=index, delta=delta)
        yield sse_event("content_block_stop", index=index)
    if stop:
        delta = {"stop_reason": stop, "stop_sequence": None}
        yield sse_event("message_delta", delta=delta, usage=usage or {"output_tokens": 3})
        yield sse_event("message_stop")


def sse_event(type, **fields):
    return f"event: {type}\ndata: {json.dumps({'type': type} | fields)}\n\n".encode()


def text_block(*deltas, start=""):
    return {"start": {"type": "text", "text": start}, "deltas": [{"type": "text_delta", "text": d} for d in deltas]}


def gemini(*parts, finish=None, **fields):
    """A chunk of Gemini's with these parts; a text is one."""
    parts = [{"text": part} if isinstance(part, str) else part for part in parts]
    candidate = {"index": 0} | ({"content": {"role": "model", "parts": parts}} if parts else {})
    candidate |= {"finishReason": finish} if finish else {}
    return event({"candidates": [candidate], "modelVersion": "gemini-2.5-flash"} | fields).replace(b"\n", b"\r\n")


def ollama(content="", done=None, **message):
    """A line of Ollama's."""
    line = {"model": "llama3.2", "created_at": "2026-01-01T00:00:00Z", "done": bool(done)}
    line |= {"message": {"role": "assistant", "content": content} | message}
    if done:
        line |= {"done_reason": done, "prompt_eval_count": 9, "eval_count": 3, "total_duration": 5}
    return json.dumps(line).encode() + b"\n"


HALF = {  # the first half of an answer, then what a test wants to happen
    "openai": lambda *then: ["Hel", "lo", *then],
    "azure": lambda *then: ["Hel", "lo", *then],
    "anthropic": lambda *then: [*anthropic(text_block("Hel", "lo"), stop=None), *then],
    "gemini": lambda *then: [gemini("Hel"), gemini("lo"), *then],
    "vertex": lambda *then: [gemini("Hel"), gemini("lo"), *then],
    "ollama": lambda *then: [ollama("Hel"), ollama("lo"), *then],
}
WHOLE = {
    "openai": ["Hel", "lo", *END],
    "azure": ["Hel", "lo", *END],
    "anthropic": [*anthropic(text_block("Hel", "lo"))],
    "gemini": [gemini("Hel"), gemini("lo", finish="STOP")],
    "vertex": [gemini("Hel"), gemini("lo", finish="STOP")],
    "ollama": [ollama("Hel"), ollama("lo"), ollama(done="stop")],
}


def responses(*events, status="completed", **response):
    """A stream of OpenAI's responses interface."""
    whole = {"id": "resp_1", "object": "response", "created_at": 1, "model": "x", "output": [], "tools": []}
    whole |= {"parallel_tool_calls": True, "tool_choice": "auto", "status": status} | response
    for number, (type, fields) in enumerate([("created", {"response": whole | {"status": "in_progress"}}), *events]):
        yield event({"type": f"response.{type}", "sequence_number": number} | fields)
    counts = {"input_tokens": 9, "output_tokens": 3, "total_tokens": 12}
    counts |= {"output_tokens_details": {"reasoning_tokens": 2}, "input_tokens_details": {"cached_tokens": 4}}
    end = {"type": f"response.{status}", "sequence_number": 99, "response": whole | {"usage": counts}}
    yield event(end)


WORDS = {"item_id": "msg_1", "output_index": 1, "content_index": 0, "logprobs": []}

PATHS = {
    "openai": "/v1/chat/completions",
    "azure": "/openai/deployments/deployed/chat/completions?api-version=2024-10-21",
    "anthropic": "/v1/messages",
    "gemini": "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse",
    "vertex": "/v1/projects/p/locations/l/publishers/google/models/gemini-2.5-flash:streamGenerateContent?alt=sse",
    "ollama": "/api/chat",
}
