"""Reads a streaming response to its end: bytes -> events -> pieces."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from contextlib import AbstractAsyncContextManager, suppress
from time import monotonic
from typing import Any, Protocol

import aiohttp
import httpx2

from ..activity import Activity
from . import aiohttp_stream
from .sse import SSEDecoder

MAX_BYTES_PER_TURN = 16_384  # that are read before other tasks have the loop: some 400 tokens, a few milliseconds
MAX_PIECES_PER_TURN = 500  # the same of one event that has many
DRAIN_TIMEOUT = 0.25  # seconds that the body may take to end after [DONE]
TRANSPORT_ERRORS = (httpx2.HTTPError, httpx2.StreamError, aiohttp.ClientError, OSError)  # raised in mid-stream


class ChunkReader(Protocol):
    """Turns the data of a stream's events into what `read_stream` yields, such as pieces."""

    done: bool  # whether [DONE] was read

    def feed(self, data: bytes, cut: bool = False) -> Iterable[Any]: ...

    def close(self) -> Iterable[Any]: ...


async def read_stream(
    opening: AbstractAsyncContextManager[Any], chunks: ChunkReader, activity: Activity
) -> AsyncGenerator[Any, None]:
    """Yields what `chunks` makes of the response's events; closes the response when it is left."""
    decoder = SSEDecoder()
    async with opening as response:
        packets = aiohttp_stream.packets(response)
        async for packet in packets:
            activity.last_at = monotonic()  # mark() would cost twice as much
            for part in (packet,) if len(packet) < MAX_BYTES_PER_TURN else _parts(packet):
                for data in decoder.feed(part):
                    for number, piece in enumerate(chunks.feed(data), 1):
                        yield piece
                        if number % MAX_PIECES_PER_TURN == 0:
                            await asyncio.sleep(0)
                if len(part) == MAX_BYTES_PER_TURN:
                    await asyncio.sleep(0)
            if chunks.done:
                await _drain(packets)
                break
        for data in decoder.close():
            for piece in chunks.feed(data, cut=True):
                yield piece
    for piece in chunks.close():
        yield piece


def _parts(packet: bytes) -> list[bytes]:
    return [packet[start : start + MAX_BYTES_PER_TURN] for start in range(0, len(packet), MAX_BYTES_PER_TURN)]


async def _drain(packets: AsyncIterator[bytes]) -> None:
    """Reads what follows [DONE]: only a connection whose response was read to the end serves the next request."""
    with suppress(*TRANSPORT_ERRORS):
        async with asyncio.timeout(DRAIN_TIMEOUT):
            async for _ in packets:
                pass
