"""`openai:MODEL` — OpenAI and every server that speaks its chat completions.

The official SDK brings authentication, addresses and typed errors. Its parsed chunks cost more per token than all the
rest of the site, so the stream is read raw: bytes from the aiohttp transport, one small SSE decoder, orjson. What the
decoder forgives is what servers were seen to send: comments, `id:` and `event:` lines, a BOM, CR line ends, multi-line
data, a missing last newline, a missing `[DONE]`, one JSON object in place of a stream.

Of an assistant's params, `base_url`, `api_key_env` and `api_key` choose the server; the rest goes into the request.
Format: https://platform.openai.com/docs/api-reference/chat-streaming
"""

import asyncio
import functools
import json
import logging
import os
import re
import weakref
from contextlib import contextmanager, suppress

import aiohttp
import httpx2
import openai
import orjson

from ..events import Finish, Reasoning, Text, ToolCallArgs, ToolCallEnd, ToolCallStart, Usage, clean
from . import ProviderError

CONNECT_TIMEOUT = 5  # seconds; how long an answer may take is the engine's to say
KEPT = 60  # seconds that an idle connection waits for the next question, which so needs no new handshake
AFTER_DONE = 0.25  # seconds that the body may take to end after [DONE]
MAX_EVENT = 8_000_000  # bytes of one event; nothing real comes near, and a server must not fill our memory
BOM = b"\xef\xbb\xbf"
BROKEN = (httpx2.HTTPError, httpx2.StreamError, aiohttp.ClientError, OSError)  # the transports' errors in mid-stream

log = logging.getLogger(__name__)
_clients = weakref.WeakKeyDictionary()  # event loop -> {(base_url, api_key): client}


async def reply(request):
    params = dict(request.params)
    events, chunks = Events(), Chunks()
    with _sentences():
        client = _client(params.pop("base_url", None), params.pop("api_key_env", None), params.pop("api_key", None))
        asking = client.chat.completions.with_streaming_response.create(
            model=request.model,
            messages=_messages(request),
            stream=True,
            stream_options={"include_usage": True},
            extra_body=params,
        )
        async with asking as response:
            plain = "content-encoding" not in response.headers  # nothing to decode: four generators less per token
            packets = aiter(response.http_response.stream if plain else response.iter_bytes())
            async for packet in packets:
                for data in events.feed(packet):
                    for piece in chunks.pieces(data):
                        yield piece
                if chunks.done:
                    await _end(packets)
                    break
            for data in events.rest():
                for piece in chunks.pieces(data, cut=True):
                    yield piece
    for piece in chunks.rest():
        yield piece


async def _end(packets):
    """Read what little follows [DONE]: a connection whose answer was read to the end serves the next request, too."""
    with suppress(*BROKEN):
        async with asyncio.timeout(AFTER_DONE):
            async for _ in packets:
                pass


async def close():
    """Close this loop's connections."""
    for client in _clients.pop(asyncio.get_running_loop(), {}).values():
        await client.close()


_trusted = functools.cache(httpx2.create_ssl_context)  # reads all root certificates, which takes 40 ms


def _client(base_url, api_key_env, api_key):
    """The client for these params. OpenAI's key goes to no address but OpenAI's and OPENAI_BASE_URL."""
    if not all(param is None or type(param) is str for param in (base_url, api_key_env, api_key)):
        raise ProviderError("The params base_url, api_key_env and api_key have to be text.", "not_configured")
    if api_key_env or not (api_key or base_url):
        name = api_key_env or "OPENAI_API_KEY"
        api_key = os.environ.get(name, "").strip()
        if not api_key and (api_key_env or not os.environ.get("OPENAI_BASE_URL")):
            raise ProviderError(f"The environment variable {name} is not set.", "not_configured")
    if api_key and not (api_key.isascii() and api_key.isprintable()):
        raise ProviderError("The API key holds characters that no key has.", "not_configured")
    clients = _clients.setdefault(asyncio.get_running_loop(), {})
    if (base_url, api_key) not in clients:
        http_client = openai.DefaultAioHttpClient(
            verify=_trusted(),
            timeout=httpx2.Timeout(None, connect=CONNECT_TIMEOUT),
            limits=httpx2.Limits(max_connections=100_000, keepalive_expiry=KEPT),  # runs are bounded, not these
        )
        stranger = {"OpenAI-Organization": openai.Omit(), "OpenAI-Project": openai.Omit()}
        clients[base_url, api_key] = openai.AsyncOpenAI(
            base_url=base_url or None,
            api_key=api_key or "none",  # a server of one's own often wants no key; the SDK does
            default_headers=stranger if base_url else None,
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
        raise _reported(error.body, error.status_code, error.response.headers) from error
    except openai.APIError as error:
        log.warning("The model's server cannot be reached: %s", _plain(error.__cause__ or error))
        raise ProviderError("The model's server cannot be reached.", "unreachable", retryable=True) from error
    except (openai.OpenAIError, httpx2.InvalidURL, UnicodeError) as error:
        log.warning("The provider is not set up: %s", _plain(error))
        raise ProviderError("The model's address or API key is not set up rightly.", "not_configured") from error
    except BROKEN as error:
        log.warning("The model's stream broke off: %s", _plain(error))
        raise _broken_off() from error


def _plain(error):
    """For the log; some errors' repr shows the request's headers and the key in them."""
    return f"{type(error).__name__}: {error}"


def _broken_off():
    return ProviderError(
        "The connection to the model broke off before the answer was complete.",
        "broken_off",
        retryable=True,
        broken_off=True,
    )


SENTENCES = {
    401: ("The provider refused the API key.", "authentication"),
    402: ("The provider's account has no quota left.", "quota"),
    403: ("The provider does not allow this model for this key.", "permission"),
    404: ("The provider does not know this model, or its address is wrong.", "unknown_model"),
    413: ("The conversation is too long for this model.", "context_length"),
    429: ("The model is asked too often right now. Try again in a minute.", "rate_limited"),
    500: ("The model is overloaded or failing. Try again in a minute.", "overloaded"),
}
STATUSES = {  # what a server may say in place of an HTTP status, or to say it better
    "context_length_exceeded": 413,
    "insufficient_quota": 402,
    "internal_server_error": 500,
    "overloaded_error": 500,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "server_error": 500,
}


def _reported(error, status=None, headers=None):
    """The ProviderError of what a server reports: a refusal's body, or an error object in mid-stream.

    Seen are {"message", "code", "type"} with words or numbers, the same inside of a list or an "error", and plain text.
    """
    if type(error) is list and error:
        error = error[0]
    if type(error) is dict:
        error = error.get("error") or error
    if type(error) is not dict:
        error = {"message": error}
    message = clean(str(error.get("message") or error.get("detail") or "no reason given"))[:300]
    words = [str(error.get("code")), str(error.get("type"))]
    log.warning("The model's server reported an error (%s, %s): %s", status, ", ".join(words), message)
    status = next((STATUSES[word] for word in words if word in STATUSES), status)
    if status is None:
        status = next((int(word) for word in words if re.fullmatch("[45][0-9]{2}", word)), 400)
    retryable = status in (408, 409, 429) or status >= 500
    if status in SENTENCES or retryable:
        sentence, code = SENTENCES.get(status, SENTENCES[500])
    else:
        sentence, code = f"The provider reported an error: {message}", "refused"
    return ProviderError(sentence, code, retryable=retryable, retry_after=_seconds(headers))


def _seconds(headers):
    """What Retry-After says, or None; it may also be a date, which nobody sends."""
    try:
        seconds = float((headers or {}).get("retry-after", ""))
    except ValueError:
        return None
    return seconds if seconds >= 0 else None


class Events:
    """Bytes of a server-sent event stream -> the `data` of each event, as bytes; `error` events as error objects.

    One JSON object in place of a stream is its only event; a web page is refused.
    """

    def __init__(self):
        self.begun = self.after_cr = self.whole = False
        self.line = []  # packets of the line whose end did not come yet
        self.data = []  # the lines of the event whose end did not come yet
        self.held = 0  # bytes of both
        self.name = b""

    def feed(self, packet):
        if not self.begun:
            packet = self._begin(packet)
        if self.after_cr or b"\r" in packet:
            packet = self._with_newlines(packet)
        if self.whole or b"\n" not in packet:
            self.line.append(packet)
            self._hold(packet)
            return
        if self.line:
            self.held -= sum(map(len, self.line))  # it is counted below
            packet = b"".join([*self.line, packet])
        *lines, rest = packet.split(b"\n")
        self.line = [rest] if rest else []
        for line in lines:
            if line.startswith(b"data:"):
                self.data.append(line[6:] if line[5:6] == b" " else line[5:])
            elif not line:
                if self.data:
                    yield self._event()
                self.name = b""
            elif line.startswith(b"event:"):
                self.name = line[6:].strip()
        if self.data:
            self._hold(packet)
        else:
            self.held = len(rest)

    def rest(self):
        """What the server left unfinished at the end of the stream; the end may have cut it anywhere."""
        if self.whole:
            yield b"".join(self.line)
        else:
            yield from self.feed(b"\n\n")

    def _begin(self, packet):
        """The stream's first bytes without a BOM; they tell what kind of answer it is."""
        packet = b"".join([*self.line, packet])
        self.line = []
        if len(packet) < 3 and BOM.startswith(packet):
            self.line = [packet]
            return b""
        packet = packet.removeprefix(BOM)
        first = packet.lstrip()[:1]
        if first == b"<":
            raise ProviderError("The model's address answered with a web page.", "not_a_stream", broken_off=True)
        self.begun, self.whole = bool(first), first in (b"{", b"[")
        return packet

    def _with_newlines(self, packet):
        """CR and CR LF as LF, also where a CR LF comes in two packets."""
        if self.after_cr and packet:
            packet, self.after_cr = packet.removeprefix(b"\n"), False
        if b"\r" in packet:
            self.after_cr = packet.endswith(b"\r")
            packet = packet.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        return packet

    def _hold(self, packet):
        self.held += len(packet)
        if self.held > MAX_EVENT:
            raise ProviderError("The model's server sent something without end.", "malformed")

    def _event(self):
        data, self.data = b"\n".join(self.data), []
        if self.name == b"error":
            try:
                told = orjson.loads(data)
            except orjson.JSONDecodeError:
                told = data.decode(errors="replace")
            if type(told) is not dict or not told.get("error"):
                return orjson.dumps({"error": told or "no reason given"})
        elif self.name and not data.lstrip().startswith((b"{", b"[DONE]")):
            return b""  # such as a ping, which may say anything
        return data


class Chunks:
    """The data of the stream's events -> pieces. Knows the chunk format and its many dialects."""

    def __init__(self):
        self.done = False
        self.finished = False
        self.usage = None
        self.calls = {}  # index -> id of the tool calls that are open

    def pieces(self, data, cut=False):
        """What this event says; `cut`: the stream's end may have cut it, and then it says nothing."""
        if not data.startswith(b"{"):
            data = data.strip()
            self.done = self.done or data.startswith(b"[DONE]")
        if not data or self.done:
            return ()
        try:
            chunk = _parse(data)
            if error := chunk.get("error"):
                raise _reported(error)
            if usage := chunk.get("usage"):
                self.usage = self._usage(usage)
            pieces = []
            for choice in chunk.get("choices") or ():
                if not choice.get("index"):  # we ask for one; of a server that sends more we read the first
                    pieces += self._choice(choice)
            return pieces
        except (ValueError, TypeError, AttributeError, KeyError, RecursionError) as error:
            if cut:
                return ()
            log.warning("The model's server sent a malformed chunk: %r", data[:200])
            raise ProviderError("The model's server sent something that cannot be read.", "malformed") from error

    def rest(self):
        """What is to be said at the end of the stream; raises ProviderError if the model had not finished."""
        if self.usage:
            yield self.usage
        if not self.finished:
            raise _broken_off()

    def _choice(self, choice):
        # A message beside a delta is the text so far once more.
        delta = choice.get("delta", choice.get("message")) or {}
        if thought := delta.get("reasoning_content") or delta.get("reasoning"):
            yield Reasoning(_text(thought))
        if content := delta.get("content"):
            if type(content) is str:
                yield Text(content)
            else:
                yield from self._parts(content)
        if refusal := delta.get("refusal"):
            yield Text(_text(refusal))
        for call in delta.get("tool_calls") or ():
            yield from self._call(call)
        if reason := choice.get("finish_reason"):
            if reason == "error":
                raise _reported(choice.get("error"))
            for call in self.calls.values():
                yield ToolCallEnd(call)
            self.calls.clear()
            self.finished = True
            yield Finish(str(reason))

    def _parts(self, content):
        """Content that is a list of parts; some models think in it."""
        for part in content if type(content) is list else [content]:
            if type(part) is dict and (thought := part.get("thinking")):
                yield Reasoning(_text(thought))
            else:
                yield Text(_text([part]))

    def _call(self, call):
        """A tool call's deltas belong together by index; only the first one's id and name count.

        Where all calls have the same index or none, a new one is known by its own id and name.
        """
        index, function = call.get("index") or 0, call.get("function") or {}
        known, id, name = self.calls.get(index), call.get("id"), function.get("name")
        if known is None or (id and name and str(id) != known):
            if known is not None:
                yield ToolCallEnd(known)
            known = self.calls[index] = str(id or f"call_{index}")
            yield ToolCallStart(known, str(name or "unknown"))
        if arguments := function.get("arguments"):
            yield ToolCallArgs(known, arguments if type(arguments) is str else json.dumps(arguments))

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


def _parse(data):
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        # orjson refuses bad UTF-8 and halves of surrogate pairs, which servers do send; the Narrator mends both.
        return json.loads(data.decode("utf-8", "replace"))


def _text(content):
    """Text from what should be a string but may be a list of parts, each a string or {"text": …}."""
    if type(content) is list:
        return "".join(part if type(part) is str else _text(part.get("text")) for part in content)
    return content if type(content) is str else ""
