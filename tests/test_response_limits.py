"""What a server may send before it is decoded or parsed."""

import gzip
import inspect
import zlib

import httpx
import httpx2
import pytest

from chat import response_limits
from chat.response_limits import (
    MAX_DECODED_SIZE,
    MAX_ERROR_SIZE,
    MAX_EVENT_SIZE,
    EventLimit,
    limit_body,
    limit_error,
)


class Refused(Exception):
    pass


class Packets:
    """The packets of a body, as a stream of either library; remembers how many were read."""

    def __init__(self, packets):
        self.packets = packets
        self.read = 0

    async def __aiter__(self):
        for packet in self.packets:
            self.read += 1
            yield packet


def response(library, packets, status=200, **headers):
    stream = type("Stream", (Packets, library.AsyncByteStream), {})(packets)
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    return library.Response(status, headers=headers, stream=stream), stream


def unchanged(packet):
    return packet


LIBRARIES = pytest.mark.parametrize("library", [httpx, httpx2])


@LIBRARIES
async def test_abandoned_body_leaves_no_open_generator(library):
    """The collector would close one at any moment, in any thread: “async generator already executing”."""
    answer, _ = response(library, [b"a", b"b"])
    limit_body(answer, unchanged, ValueError)
    packets = aiter(answer.stream)
    assert await anext(packets) == b"a"
    assert not inspect.isasyncgen(packets)


@LIBRARIES
@pytest.mark.parametrize("compress", [gzip.compress, zlib.compress])
async def test_compressed_body_is_decoded_in_small_steps(library, compress):
    encoding = "gzip" if compress is gzip.compress else "deflate"
    text = b"a" * 10 * MAX_DECODED_SIZE
    answer, _ = response(library, [compress(text)], content_encoding=encoding)
    sizes = []
    limit_body(answer, lambda packet: sizes.append(len(packet)) or packet, Refused)
    assert await answer.aread() == text
    assert max(sizes) <= MAX_DECODED_SIZE


@LIBRARIES
async def test_encoding_that_cannot_be_decoded_in_small_steps_is_refused(library):
    for encoding in ("zstd", "br", "gzip, gzip"):
        answer, _ = response(library, [b"a"], content_encoding=encoding)
        with pytest.raises(Refused):
            limit_body(answer, unchanged, Refused)


@LIBRARIES
async def test_body_with_a_wrong_content_encoding_is_refused(library):
    answer, _ = response(library, [b"plain"], content_encoding="gzip")
    limit_body(answer, unchanged, Refused)
    with pytest.raises(Refused):
        await answer.aread()


@LIBRARIES
async def test_error_is_read_up_to_its_limit(library):
    packets = [b"e" * 10_000] * 1_000
    answer, stream = response(library, packets, status=500, content_type="text/plain; charset=punycode")
    limit_error(answer, Refused)
    await answer.aread()
    assert answer.text == "e" * MAX_ERROR_SIZE
    assert stream.read <= MAX_ERROR_SIZE // 10_000 + 1


@pytest.mark.parametrize("separator", [b"\n\n", b"\r\n\r\n", b"\r\r"])
@pytest.mark.parametrize("length", [1, 2, 3, 90])
def test_events_of_any_number_pass(separator, length, monkeypatch):
    monkeypatch.setattr(response_limits, "MAX_JSON_VALUES", 100)
    limit = EventLimit(Refused)
    event = b"data: " + b"[" * 90 + separator
    stream = event * 20
    for start in range(0, len(stream), length):
        assert limit(stream[start : start + length]) == stream[start : start + length]


@pytest.mark.parametrize("packet", [b"data: a\n" * 1_000, b"a" * 10_000])
def test_event_that_never_ends_is_refused(packet):
    limit = EventLimit(Refused)
    with pytest.raises(Refused):
        for _ in range(MAX_EVENT_SIZE // len(packet) + 1):
            limit(packet)


def test_event_with_too_many_values_is_refused():
    limit = EventLimit(Refused)
    with pytest.raises(Refused):
        for _ in range(60):
            limit(b"[]," * 1_000)


def test_lines_count_as_events_without_empty_lines():
    limit = EventLimit(Refused, [b"\n"])
    for _ in range(60):
        limit(b"[]," * 1_000 + b"\n")


def test_document_is_one_event_whatever_it_contains():
    limit = EventLimit(Refused, ())
    with pytest.raises(Refused):
        for _ in range(60):
            limit(b"[]," * 1_000 + b"\n\n")


@pytest.mark.parametrize("start", [b'data: {"a": "', b': "\ndata: {"a": "'])
def test_content_of_strings_in_an_event_is_not_counted(start):
    limit = EventLimit(Refused)
    limit(start)
    for _ in range(60):
        limit(b"[]," * 1_000)


def test_quotation_mark_in_another_line_hides_no_values():
    limit = EventLimit(Refused)
    limit(b': "\ndata: ')
    with pytest.raises(Refused):
        for _ in range(60):
            limit(b"[]," * 1_000)
