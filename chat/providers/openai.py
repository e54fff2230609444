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
import re
import weakref
from contextlib import asynccontextmanager, contextmanager, suppress

import aiohttp
import httpx2
import openai
import orjson
from django.utils.translation import gettext

from ..events import Finish, Reasoning, Text, ToolCallArgs, ToolCallEnd, ToolCallStart, Usage
from . import ProviderError, errors, server

CONNECT_TIMEOUT = 5  # seconds; how long an answer may take is the engine's to say
KEPT = 60  # seconds that an idle connection waits for the next question, which so needs no new handshake
AFTER_DONE = 0.25  # seconds that the body may take to end after [DONE]
MAX_EVENT = 8_000_000  # bytes of one event; nothing real comes near, and a server must not fill our memory
LESSONS = 3  # how often we learn what stands around a text before we give up, where the next chunk is never like it
CONTENT = re.compile(rb'"content": ?("(?:[^"\\]|\\.)*")')
BOM = b"\xef\xbb\xbf"
BROKEN = (httpx2.HTTPError, httpx2.StreamError, aiohttp.ClientError, OSError)  # the transports' errors in mid-stream

log = logging.getLogger(__name__)
_clients = weakref.WeakKeyDictionary()  # event loop -> {(base_url, api_key): client}


def reply(request):
    return listen(_asked(request), Chunks())


@asynccontextmanager
async def _asked(request):
    params = dict(request.params)
    with _sentences():
        asking = _client(*_server(params)).chat.completions.with_streaming_response.create(
            model=request.model,
            messages=[],
            stream=True,
            stream_options={"include_usage": True},
            # As an argument each message would be compared with all types of messages there are.
            extra_body={"messages": request.messages} | params,
        )
        async with asking as response:
            yield response


def check(model_id, params):
    """Raises ProviderError with what to mend where nothing could even be asked."""
    _server(dict(params))


async def listen(asking, chunks):
    """What the answer to this request says, as `chunks` reads its events, to the end."""
    events = Events()
    async with asking as response:
        packets = _packets(response)
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


def _packets(response):
    """What arrives of the body, as it arrives; as the transport has it, where there is nothing to decode.

    The SDK and httpx2 hand each packet through seven generators, which together cost a tenth of all that a token costs.
    """
    if "content-encoding" in response.headers:
        return aiter(response.iter_bytes())
    stream = response.http_response.stream
    try:
        return Arrivals(stream._stream._aiohttp_response.content)
    except AttributeError:  # these names are nobody's promise
        return aiter(stream)


class Arrivals:
    """A body's packets as they arrive, as aiohttp's `iter_any` gives them.

    That tells the connection after each packet to go on, stopped or not, which has it parse nothing once more: a
    twentieth of all that a token costs. Here only a connection that did stop is told so.
    """

    def __init__(self, content):
        self.content, self.connection = content, content._protocol
        content._low_water = 0  # bytes; never does it hold less, and so leaves it to us

    def __aiter__(self):
        return self

    async def __anext__(self):
        if getattr(self.connection, "_reading_paused", True) and not self.content.is_eof():
            self.connection.resume_reading()
        packet = await self.content.readany()
        if not packet:
            raise StopAsyncIteration
        return packet


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


trusted = functools.cache(httpx2.create_ssl_context)  # reads all root certificates, which takes 40 ms


def _server(params):
    return server(params, "OPENAI_API_KEY", address="OPENAI_BASE_URL")


def _client(base_url, api_key):
    """The client for these params, whose connections are kept."""
    clients = _clients.setdefault(asyncio.get_running_loop(), {})
    if (base_url, api_key) not in clients:
        clients[base_url, api_key] = sdk(base_url, api_key, connections())
    return clients[base_url, api_key]


def connections(**how):
    """A client of HTTP that keeps its connections."""
    return openai.DefaultAioHttpClient(
        verify=trusted(),
        timeout=httpx2.Timeout(None, connect=CONNECT_TIMEOUT),
        limits=httpx2.Limits(max_connections=100_000, keepalive_expiry=KEPT),  # runs are bounded, not these
        **how,
    )


def sdk(base_url, api_key, http_client):
    """OpenAI's client for this server; what else the environment tells of us goes to no address of an assistant's."""
    stranger = {"OpenAI-Organization": openai.Omit(), "OpenAI-Project": openai.Omit()}
    return openai.AsyncOpenAI(
        base_url=base_url,
        api_key=api_key or "none",  # a server of one's own often wants no key; the SDK does
        default_headers=stranger if base_url else None,
        http_client=http_client,
        max_retries=0,  # the engine retries, for every provider alike
    )


@contextmanager
def _sentences():
    """Whatever the SDK and its transports raise, as a sentence for the person."""
    try:
        yield
    except openai.APIStatusError as error:
        raise errors.reported(error.body, error.status_code, error.response.headers) from error
    except openai.APIError as error:
        raise errors.unreachable(error.__cause__ or error) from error
    except (openai.OpenAIError, httpx2.InvalidURL, UnicodeError) as error:
        raise errors.not_set_up(error) from error
    except BROKEN as error:
        raise errors.broken_off(error) from error


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
        """The events that are whole with this packet."""
        between = self.begun and not (self.whole or self.after_cr or self.line or self.data or self.name)
        if between and packet.startswith(b"data: {") and packet.find(b"\n") == len(packet) - 2 and b"\r" not in packet:
            if packet.endswith(b"\n"):
                return (packet[6:-2],)  # one event and nothing else, as nearly always
        return self._lines(packet)

    def _lines(self, packet):
        if not self.begun:
            packet = self._begin(packet)
        if self.after_cr or b"\r" in packet:
            packet = self._with_newlines(packet)
        if self.whole or b"\n" not in packet:
            self.line.append(packet)
            self._hold(len(packet))
            return
        if self.line:
            self.held -= sum(map(len, self.line))  # it is counted below
            packet = b"".join([*self.line, packet])
        *lines, rest = packet.split(b"\n")
        self.line = [rest] if rest else []
        for line in lines:
            if line.startswith(b"data:"):
                self.data.append(line[6:] if line[5:6] == b" " else line[5:])
                self.held += len(line)
            elif not line:
                if self.data:
                    yield self._event()
                self.name = b""
            elif line.startswith(b"event:"):
                self.name = line[6:].strip()
        self._hold(len(rest))

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
            sentence = gettext("The model's address answered with a web page.")
            raise ProviderError(sentence, "not_a_stream", broken_off=True)
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

    def _hold(self, size):
        self.held += size
        if self.held > MAX_EVENT:
            raise ProviderError(gettext("The model's server sent something without end."), "malformed")

    def _event(self):
        data, self.data, self.held = b"\n".join(self.data), [], 0
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
    """The data of the stream's events -> pieces. Knows the chunk format and its many dialects.

    Most servers repeat in each chunk all but the text. What stands around it is learned, and the next chunk with the
    same around its text is not parsed.
    """

    def __init__(self):
        self.done = False
        self.finished = False
        self.usage = None
        self.calls = Calls()
        self.before = self.after = None  # what stands around the text
        self.lessons = LESSONS

    def pieces(self, data, cut=False):
        """What this event says; `cut`: the stream's end may have cut it, and then it says nothing."""
        if self.before and data.startswith(self.before) and data.endswith(self.after) and not self.done:
            try:
                told = orjson.loads(data[len(self.before) : -len(self.after)])
            except orjson.JSONDecodeError:
                told = None
            if told and type(told) is str:
                self.lessons = LESSONS
                return (Text(told),)
        pieces = self._parsed(data, cut)
        if self.lessons and len(pieces) == 1 and type(pieces[0]) is Text:
            self.lessons -= 1
            self._learn(data)
        return pieces

    def _learn(self, data):
        """Find what stands around the text, and make sure that another text in its place is all that would be said."""
        if found := CONTENT.search(data):
            before, after = data[: found.start(1)], data[found.end(1) :]
            if list(self._parsed(before + b'"?"' + after, cut=True)) == [Text("?")]:
                self.before, self.after = before, after

    def _parsed(self, data, cut):
        if not data.startswith(b"{"):
            data = data.strip()
            self.done = self.done or data.startswith(b"[DONE]")
        if not data or self.done:
            return ()
        try:
            chunk = _parse(data)
            if error := chunk.get("error"):
                raise errors.reported(error)
            if usage := chunk.get("usage"):
                self.usage = self._usage(usage)
            return self.read([choice for choice in chunk.get("choices") or () if not choice.get("index")], chunk)
        except (ValueError, TypeError, AttributeError, KeyError, RecursionError) as error:
            if cut:
                return ()
            log.warning("The model's server sent a malformed chunk: %r", data[:200])
            raise errors.malformed() from error

    def read(self, choices, chunk):
        """What the chunk says in these choices; we ask for one, and of a server that sends more we read the first."""
        if len(choices) == 1 and not choices[0].get("finish_reason"):
            delta = choices[0].get("delta") or {}
            content = delta.get("content")
            if content and type(content) is str and len(delta) == 1:  # as nearly always
                return (Text(content),)
        return [piece for choice in choices for piece in self._choice(choice)]

    def rest(self):
        """What is to be said at the end of the stream; raises ProviderError if the model had not finished."""
        if self.usage:
            yield self.usage
        if not self.finished:
            raise errors.broken_off()

    def _choice(self, choice):
        # A message beside a delta is the text so far once more.
        delta = choice.get("delta", choice.get("message")) or {}
        if thought := delta.get("reasoning_content") or delta.get("reasoning"):
            yield Reasoning(text(thought))
        if content := delta.get("content"):
            if type(content) is str:
                yield Text(content)
            else:
                yield from self._parts(content)
        if refusal := delta.get("refusal"):
            yield Text(text(refusal))
        for call in delta.get("tool_calls") or ():
            function = call.get("function") or {}
            yield from self.calls.pieces(
                call.get("index"), call.get("id"), function.get("name"), function.get("arguments")
            )
        if reason := choice.get("finish_reason"):
            if reason == "error":
                raise errors.reported(choice.get("error"))
            yield from self.calls.end()
            self.finished = True
            yield Finish(str(reason))

    def _parts(self, content):
        """Content that is a list of parts; some models think in it."""
        for part in content if type(content) is list else [content]:
            if type(part) is dict and (thought := part.get("thinking")):
                yield Reasoning(text(thought))
            else:
                yield Text(text([part]))

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


class Calls:
    """Deltas of tool calls -> pieces. Those of one call belong together by index; its first id and name count.

    Where all calls have the same index or none, a new one is known by its own id and name.
    """

    def __init__(self):
        self.made = 0
        self.open = {}  # index -> id

    def pieces(self, index, id, name, arguments):
        index = index or 0
        known = self.open.get(index)
        if known is None or (id and name and str(id) != known):
            if known is not None:
                yield ToolCallEnd(known)
            known = self.open[index] = str(id or f"call_{index}")
            self.made += 1
            yield ToolCallStart(known, str(name or "unknown"))
        if arguments:
            yield ToolCallArgs(known, arguments if type(arguments) is str else json.dumps(arguments))

    def end(self):
        for id in self.open.values():
            yield ToolCallEnd(id)
        self.open.clear()


def _parse(data):
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        # orjson refuses bad UTF-8 and halves of surrogate pairs, which servers do send; the Narrator mends both.
        return json.loads(data.decode("utf-8", "replace"))


def text(content):
    """Text from what should be a string but may be a list of parts, each a string or {"text": …}."""
    if type(content) is list:
        return "".join(part if type(part) is str else text(part.get("text")) for part in content)
    return content if type(content) is str else ""
