"""`openai:MODEL` — OpenAI and every server that speaks its chat completions.

The official SDK brings authentication, addresses and typed errors. Its parsed chunks cost more per token than all the
rest of the site, so the stream is read raw: bytes from the aiohttp transport, one small SSE decoder, orjson. What the
decoder forgives is what servers were seen to send: comments, `id:` and `event:` lines, a BOM, CR line ends, multi-line
data, a missing last newline, a missing `[DONE]`.

Of an assistant's params, `base_url`, `api_key_env` and `api_key` choose the server; the rest goes into the request.
Format: https://platform.openai.com/docs/api-reference/chat-streaming
"""

import asyncio
import json
import logging
import os
import weakref
from contextlib import contextmanager

import aiohttp
import httpx2
import openai
import orjson

from ..events import Finish, Reasoning, Text, ToolCallArgs, ToolCallEnd, ToolCallStart, Usage
from . import ProviderError

CONNECT_TIMEOUT = 5  # seconds; how long an answer may take is the engine's to say
MAX_EVENT = 8_000_000  # bytes of one event; nothing real comes near, and a server must not fill our memory

log = logging.getLogger(__name__)
_clients = weakref.WeakKeyDictionary()  # event loop -> {(base_url, api_key): client}


async def reply(request):
    params = dict(request.params)
    client = _client(params.pop("base_url", None), params.pop("api_key_env", None), params.pop("api_key", None))
    asking = client.chat.completions.with_streaming_response.create(
        model=request.model,
        messages=_messages(request),
        stream=True,
        stream_options={"include_usage": True},
        extra_body=params,
    )
    chunks = Chunks()
    with _sentences():
        async with asking as response:
            kind = response.headers.get("content-type", "")
            if kind.startswith("text/html"):
                raise ProviderError("The model's address answered with a web page.", "not_a_stream", broken_off=True)
            if kind.startswith("application/json"):  # a server that does not stream answers at once
                for piece in chunks.pieces(await response.read()):
                    yield piece
            else:
                events = Events()
                async for data in response.iter_bytes():
                    for event in events.feed(data):
                        for piece in chunks.pieces(event):
                            yield piece
                    if chunks.done:
                        break
                for event in events.rest():
                    for piece in chunks.pieces(event):
                        yield piece
        for piece in chunks.rest():
            yield piece


async def close():
    """Close this loop's connections."""
    for client in _clients.pop(asyncio.get_running_loop(), {}).values():
        await client.close()


def _client(base_url, api_key_env, api_key):
    base_url = base_url or None
    if api_key_env:
        api_key = os.environ.get(api_key_env)
        if not api_key:
            raise ProviderError(f"The environment variable {api_key_env} is not set.", "not_configured")
    if api_key is None:
        if base_url or os.environ.get("OPENAI_API_KEY") is None and os.environ.get("OPENAI_BASE_URL"):
            api_key = "none"  # a server of one's own often wants no key, and OpenAI's key is not for others to see
        elif not os.environ.get("OPENAI_API_KEY"):
            raise ProviderError("The environment variable OPENAI_API_KEY is not set.", "not_configured")
    clients = _clients.setdefault(asyncio.get_running_loop(), {})
    if (base_url, api_key) not in clients:
        http_client = openai.DefaultAioHttpClient(
            timeout=httpx2.Timeout(None, connect=CONNECT_TIMEOUT),
            limits=httpx2.Limits(max_connections=100_000, max_keepalive_connections=100),  # runs are bounded, not these
        )
        clients[base_url, api_key] = openai.AsyncOpenAI(
            base_url=base_url,
            api_key=api_key,
            http_client=http_client,
            max_retries=0,  # the engine retries, for every provider alike
        )
    return clients[base_url, api_key]


def _messages(request):
    messages = [{"role": "system", "content": request.system_prompt}] if request.system_prompt else []
    for role, parts in request.turns:
        text = "".join(part["text"] for part in parts if part["type"] == "text")
        if text:
            messages.append({"role": role, "content": text})
    return messages


@contextmanager
def _sentences():
    """Whatever the SDK and its transports raise, as a sentence for the person."""
    try:
        yield
    except openai.APIStatusError as error:
        log.warning("The model's server answered %s: %s", error.status_code, error.message)
        raise _refusal(error.status_code, error.code, error.message, error.response.headers) from error
    except openai.APIError as error:
        log.warning("The model's server cannot be reached: %r", error.__cause__ or error)
        raise ProviderError("The model's server cannot be reached.", "unreachable", retryable=True) from error
    except openai.OpenAIError as error:
        raise ProviderError(f"The provider is not set up: {error}", "not_configured") from error
    except (httpx2.HTTPError, httpx2.StreamError, aiohttp.ClientError, OSError) as error:
        log.warning("The model's stream broke off: %r", error)
        raise _broken_off() from error


def _broken_off():
    return ProviderError(
        "The connection to the model broke off before the answer was complete.",
        "broken_off",
        retryable=True,
        broken_off=True,
    )


def _refusal(status, code, message, headers=None):
    """The error for an HTTP status, or for the like number in an error object in mid-stream."""
    sentences = {
        401: ("The provider refused the API key.", "authentication"),
        403: ("The provider does not allow this model for this key.", "permission"),
        404: ("The provider does not know this model.", "unknown_model"),
        429: ("The model is asked too often right now. Try again in a minute.", "rate_limited"),
    }
    if code == "insufficient_quota":
        return ProviderError("The provider's account has no quota left.", "quota")
    if code == "context_length_exceeded":
        return ProviderError("The conversation is too long for this model.", "context_length")
    if status in sentences:
        return ProviderError(*sentences[status], retryable=status == 429, retry_after=_seconds(headers))
    if status in (408, 409) or status >= 500:
        sentence = "The model is overloaded or failing. Try again in a minute."
        return ProviderError(sentence, "overloaded", retryable=True, retry_after=_seconds(headers))
    return ProviderError(f"The provider refused the request: {message[:300]}", "refused")


def _seconds(headers):
    try:
        return float((headers or {}).get("retry-after", ""))
    except ValueError:
        return None


class Events:
    """Bytes of a server-sent event stream -> the `data` of each event, as bytes; `error` events as error objects."""

    def __init__(self):
        self.buffer = b""
        self.data = []
        self.name = b""
        self.began = False

    def feed(self, chunk):
        self.buffer += chunk
        if not self.began and len(self.buffer) >= 3:
            self.buffer, self.began = self.buffer.removeprefix(b"\xef\xbb\xbf"), True
        if len(self.buffer) > MAX_EVENT:
            raise ProviderError("The model's server sent something without end.", "malformed")
        if b"\r" in self.buffer:
            self.buffer = self.buffer.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        *lines, self.buffer = self.buffer.split(b"\n")
        for line in lines:
            if line.startswith(b"data:"):
                self.data.append(line[6:] if line[5:6] == b" " else line[5:])
            elif not line:
                if self.data:
                    yield self._event()
                self.name = b""
            elif line.startswith(b"event:"):
                self.name = line[6:].strip()

    def rest(self):
        """What the server left unfinished at the end of the stream."""
        if self.buffer:
            yield from self.feed(b"\n")
        if self.data:
            yield self._event()

    def _event(self):
        data, self.data = b"\n".join(self.data), []
        if self.name == b"error" and not data.lstrip().startswith(b"{"):
            return orjson.dumps({"error": {"message": data.decode(errors="replace")}})
        return data


class Chunks:
    """The data of the stream's events -> pieces. Knows the chunk format and its many dialects."""

    def __init__(self):
        self.done = False
        self.finished = False
        self.usage = None
        self.calls = {}  # index -> id of the tool calls that are open

    def pieces(self, data):
        if not data.strip() or self.done:
            return ()
        if data.startswith(b"[DONE]"):
            self.done = True
            return ()
        try:
            chunk = _parse(data)
            if error := chunk.get("error"):
                raise self._error(error)
            if usage := chunk.get("usage"):
                self.usage = self._usage(usage)
            for choice in chunk.get("choices") or ():
                if not choice.get("index"):  # we ask for one; of a server that sends more we read the first
                    return list(self._choice(choice))
            return ()
        except (ValueError, TypeError, AttributeError, KeyError) as error:
            log.warning("The model's server sent a malformed chunk: %r", data[:200])
            raise ProviderError("The model's server sent something that cannot be read.", "malformed") from error

    def rest(self):
        """What is to be said at the end of the stream; raises ProviderError if the model had not finished."""
        if not self.finished:
            raise _broken_off()
        if self.usage:
            yield self.usage

    def _choice(self, choice):
        delta = choice.get("delta") or choice.get("message") or {}
        if thought := delta.get("reasoning_content") or delta.get("reasoning"):
            yield Reasoning(_text(thought))
        if content := delta.get("content"):
            yield Text(content if type(content) is str else _text(content))
        if refusal := delta.get("refusal"):
            yield Text(_text(refusal))
        for call in delta.get("tool_calls") or ():
            yield from self._call(call)
        if reason := choice.get("finish_reason"):
            for call in self.calls.values():
                yield ToolCallEnd(call)
            self.calls.clear()
            self.finished = True
            yield Finish(str(reason)[:50])

    def _call(self, call):
        """A tool call's deltas belong together by index; only the first one's id and name count."""
        index, function = call.get("index", 0), call.get("function") or {}
        if index not in self.calls:
            self.calls[index] = str(call.get("id") or f"call_{index}")
            yield ToolCallStart(self.calls[index], str(function.get("name") or "unknown"))
        if arguments := function.get("arguments"):
            yield ToolCallArgs(self.calls[index], arguments if type(arguments) is str else json.dumps(arguments))

    def _usage(self, usage):
        def count(value):
            return value if type(value) is int and 0 <= value < 2**53 else None

        details = usage.get("completion_tokens_details") or {}
        cached = usage.get("prompt_tokens_details") or {}
        return Usage(
            count(usage.get("prompt_tokens")),
            count(usage.get("completion_tokens")),
            count(usage.get("total_tokens")),
            count(details.get("reasoning_tokens")),
            count(cached.get("cached_tokens")),
        )

    def _error(self, error):
        """The ProviderError of an error object in mid-stream, whose code may be a word or an HTTP status."""
        if type(error) is not dict:
            error = {"message": str(error)}
        message, code = str(error.get("message") or "no reason given"), error.get("code") or error.get("type")
        log.warning("The model's server reported an error in its stream: %s (%s)", message, code)
        words = {"rate_limit_exceeded": 429, "server_error": 500, "overloaded_error": 500, "internal_server_error": 500}
        status = int(code) if str(code).isdigit() else words.get(code, 400)
        return _refusal(status, code, message)


def _parse(data):
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        # orjson refuses bad UTF-8 and halves of surrogate pairs, which servers do send; the Narrator mends both.
        return json.loads(data.decode("utf-8", "replace"))


def _text(content):
    """Text from what should be a string but may be a list of parts, each a string or {"text": …}."""
    if type(content) is str:
        return content
    if type(content) is list:
        return "".join(part if type(part) is str else part.get("text") or "" for part in content)
    return ""
