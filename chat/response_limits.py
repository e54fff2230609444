"""What the servers that we ask may send: limits that hold before anything decodes or parses a response.

The server of a model or of tools may be anybody's. Its JSON is counted before it is parsed, and its compressed bodies
are decoded in small steps.
"""

import zlib
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from functools import cache
from typing import Any

from .json_limits import JsonTooLarge, count_values, without_strings

MAX_EVENT_SIZE = 8_000_000  # bytes of one event, or of a document in place of a stream; no real one comes near
MAX_ERROR_SIZE = 100_000  # bytes of the body of an error or a redirect that are read
MAX_JSON_VALUES = 50_000  # in one document: parsed, each takes some hundred bytes and, in a vendor's package, 20 µs
MAX_DECODED_SIZE = 65_536  # bytes that one step of decoding may give
ENCODINGS = {"gzip", "x-gzip", "deflate"}  # those of which zlib decodes a limited part
SEPARATORS = (b"\n\n", b"\r\n\r\n", b"\r\r")  # between the events of a stream
IDENTITY = "identity"

Check = Callable[[bytes], bytes]
Decoder = Callable[[bytes], Iterator[bytes]]


class LimitedStream:
    """A response's body, decoded: see `limit_body`.

    It is no generator: one that its reader leaves in the middle is closed whenever the collector finds it.
    """

    def __init__(self, stream: Any, decode: Decoder, check: Check) -> None:
        self.stream = stream
        self.packets = aiter(stream)
        self.decode = decode
        self.check = check
        self.parts: Iterator[bytes] = iter(())  # of the packet

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        while not (part := next(self.parts, b"")):
            self.parts = self.decode(await anext(self.packets))
        passed = self.check(part)
        if not passed:
            raise StopAsyncIteration
        return passed

    async def aclose(self) -> None:
        await self.stream.aclose()


def limit_body(response: Any, check: Check, error: Callable[[], Exception]) -> None:
    """Passes the body of a response of httpx or httpx2 through `check`, decoded.

    `check` gets each packet and returns what to pass on of it; b"" ends the body. `error()` is raised for a body that
    cannot be decoded. The clients' own decoders give all that a packet contains at once: up to 30,000 times its size.
    """
    encoding = response.headers.get("content-encoding", IDENTITY).strip().lower()
    if encoding not in {IDENTITY, *ENCODINGS}:
        raise error()
    if encoding != IDENTITY:
        del response.headers["content-encoding"]
    decode = _whole if encoding == IDENTITY else _decoder(error)
    response.stream = _stream_class(response.stream.__class__)(response.stream, decode, check)


def limit_error(response: Any, error: Callable[[], Exception]) -> None:
    """Limits the body of an error or a redirect, of which the rest is not read.

    It is read as UTF-8: some of the encodings that a server can name take quadratic time.
    """
    limit_body(response, Beginning(MAX_ERROR_SIZE), error)
    response.encoding = "utf-8"


@cache
def _stream_class(kind: Any) -> Any:
    """Returns a LimitedStream that the library accepts, which requires a subclass of its own AsyncByteStream."""
    base = next(cls for cls in kind.__mro__ if cls.__name__ == "AsyncByteStream")
    return type("LimitedStream", (LimitedStream, base), {})


def _whole(packet: bytes) -> Iterator[bytes]:
    if packet:
        yield packet


def _decoder(error: Callable[[], Exception]) -> Decoder:
    decompressor = zlib.decompressobj(zlib.MAX_WBITS | 32)  # gzip or zlib, as it finds

    def decode(packet: bytes) -> Iterator[bytes]:
        try:
            while part := decompressor.decompress(packet, MAX_DECODED_SIZE):
                yield part
                packet = decompressor.unconsumed_tail
        except zlib.error:
            raise error() from None

    return decode


class Beginning:
    """Passes on the first `size` bytes of a body."""

    def __init__(self, size: int) -> None:
        self.left = size

    def __call__(self, packet: bytes) -> bytes:
        part = packet[: self.left]
        self.left -= len(part)
        return part


class EventLimit:
    """Raises `error()` for an event that is too long, or whose JSON has too many values.

    Events end with one of `separators`; without any, the body is one document. Of events that end in one packet, none
    is counted: a packet is small.
    """

    def __init__(
        self,
        error: Callable[[], Exception],
        separators: Sequence[bytes] = SEPARATORS,
        max_size: int = MAX_EVENT_SIZE,
    ) -> None:
        self.error = error
        self.separators = separators
        self.max_size = max_size
        self.tail = b""  # the last bytes: a separator may be split between two packets
        self._begin_event()

    def _begin_event(self) -> None:
        self.packets: list[bytes] = []  # of the event that has not ended
        self.size = 0
        self.values = 0  # in the packets, including those that strings seem to contain
        self.next_check = MAX_JSON_VALUES  # values, beyond which those in strings are left out

    def __call__(self, packet: bytes) -> bytes:
        data = self.tail + packet
        end = max((data.rfind(separator) for separator in self.separators), default=-1)
        if end >= 0:
            self._begin_event()
        rest = packet if end < 0 else data[end:]
        self.packets.append(rest)
        self.size += len(rest)
        self.values += count_values(rest)
        if self.size > self.max_size:
            raise self.error()
        if self.values > self.next_check:
            self._check_values()
        self.tail = data[-3:]
        return packet

    def _check_values(self) -> None:
        """Counts again without strings, line by line: a string ends with its line."""
        lines = b"".join(self.packets).split(b"\n")
        try:
            values = sum(count_values(without_strings(line, MAX_JSON_VALUES)) for line in lines[:MAX_JSON_VALUES])
        except JsonTooLarge:
            raise self.error() from None
        if values > MAX_JSON_VALUES or len(lines) > MAX_JSON_VALUES:
            raise self.error()
        self.next_check = 2 * self.values  # not again with each packet
