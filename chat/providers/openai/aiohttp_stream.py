"""aiohttp's internals: a response's packets straight from its stream. The only file that uses them.

tests/providers/test_upgrade_aiohttp.py fails when an upgrade has changed them; the stream then falls back to the public
API, which gives the same packets at a higher cost.
"""

from collections.abc import AsyncIterator
from typing import Any


def packets(response: Any) -> AsyncIterator[bytes]:
    """Returns the packets of the SDK's response as they arrive.

    The SDK and httpx2 pass each packet through seven generators, which is a tenth of a token's whole cost. They are
    bypassed, unless the stream is compressed.
    """
    stream = response.http_response.stream
    try:
        return PacketReader(stream)
    except AttributeError:  # the stream is being decompressed, or the names below have changed
        return aiter(stream)


class PacketReader:
    """The packets of aiohttp's `iter_any`, with fewer calls.

    `iter_any` calls resume_reading() after every packet, even if reading was never paused, and each call runs the
    parser on nothing: 5 % of a token's cost. This calls it only when reading was paused.
    """

    def __init__(self, stream: Any):
        self.content = stream._stream._aiohttp_response.content
        self.protocol = self.content._protocol
        _ = self.protocol._reading_paused, self.content._low_water  # raises AttributeError if they are gone
        self.content._low_water = 0  # bytes; at 0 aiohttp never resumes by itself, `__anext__` does

    def __aiter__(self) -> "PacketReader":
        return self

    async def __anext__(self) -> bytes:
        if self.protocol._reading_paused and not self.content.is_eof():
            self.protocol.resume_reading()
        packet = await self.content.readany()
        if not packet:
            raise StopAsyncIteration
        return packet
