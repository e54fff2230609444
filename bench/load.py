"""Readers by the hundred: a minimal HTTP client that opens streams and notes how old each token is when it comes.

A token is the upstream's `@<ns>;`. Several may come in one frame, so they are found by pattern in whatever lines have
arrived. The chunked encoding is not taken apart: no server measured here splits a line over two chunks.
"""

import asyncio
import json
import re
import socket
import time
from array import array
from itertools import pairwise
from statistics import median, quantiles

TOKEN = re.compile(rb"@(\d+);")
END = re.compile(rb'"RUN_FINISHED"|\[DONE\]')
STARTS = 50  # a second: a thousand people whose answers take 20 s each begin as many
GRACE = 2  # seconds that the last tokens may be late before they count as lost


def request(method, path, body=None, headers=()):
    body = json.dumps(body).encode() if body is not None else b""
    headers = {"Host": "127.0.0.1", "Accept": "text/event-stream", "Connection": "close"} | dict(headers)
    headers |= {"Content-Type": "application/json", "Content-Length": len(body)}
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class Reader(asyncio.Protocol):
    """One answer being read. `sent` and `came` hold a time in ns for each token."""

    def __init__(self, request):
        self.request = request
        self.began = time.monotonic_ns()
        self.sent, self.came = array("q"), array("q")
        self.status, self.rest, self.ended = None, b"", False
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport):
        self.transport = transport
        transport.write(self.request)

    def data_received(self, data):
        now = time.monotonic_ns()
        if self.status is None:
            self.status = data[9:12].decode()
        lines, newline, self.rest = (self.rest + data).rpartition(b"\n")
        for sent in TOKEN.findall(lines):
            self.sent.append(int(sent))
            self.came.append(now)
        if newline and END.search(lines):
            self.ended = True
            self.transport.close()

    def connection_lost(self, exc):
        if not self.done.done():
            self.done.set_result(None)

    @property
    def first_token(self):
        """Seconds from the start of the request to the first token."""
        return (self.came[0] - self.began) / 1e9

    @property
    def in_order(self):
        return all(a < b for a, b in pairwise(self.sent))

    def pause(self):
        self.transport.pause_reading()

    def close(self):
        self.transport.abort()


async def read(port, request, receive_buffer=None):
    """Open one stream. With a small receive buffer the kernel takes in little for a reader that stops."""
    loop, reader = asyncio.get_running_loop(), Reader(request)
    sock = socket.socket()
    if receive_buffer:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    sock.setblocking(False)
    await loop.sock_connect(sock, ("127.0.0.1", port))
    await loop.create_connection(lambda: reader, sock=sock)
    return reader


async def bytes_of(target, request):
    """All bytes of an answer, headers and chunks too, as a multiple of the JSON in it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", target.port)
    writer.write(request)
    answer = await reader.read()
    writer.close()
    return len(answer) / sum(map(len, re.findall(rb"^data: (.*)$", answer, re.MULTILINE)))


async def ramp(port, requests, seconds, **options):
    """Open the streams evenly over so many seconds."""
    loop, began, opening = asyncio.get_running_loop(), asyncio.get_running_loop().time(), []
    for i, each in enumerate(requests):
        await asyncio.sleep(began + seconds * i / len(requests) - loop.time())
        opening.append(asyncio.create_task(read(port, each, **options)))
    return await asyncio.gather(*opening)


async def finish(readers, seconds):
    """Wait for the ends, no longer than so many seconds, then hang up."""
    await asyncio.wait([reader.done for reader in readers], timeout=seconds)
    for reader in readers:
        reader.close()


class Load:
    """What came of N streams of `count` tokens; latencies of the tokens that came between two times (ns)."""

    def __init__(self, readers, count, since=0, until=float("inf")):
        self.readers = readers
        self.expected = count * len(readers)
        self.tokens = sum(len(reader.sent) for reader in readers)
        self.failed = sum(not (reader.ended and reader.in_order and len(reader.sent) == count) for reader in readers)
        pairs = (pair for reader in readers for pair in zip(reader.sent, reader.came, strict=True))
        self.ages = [(came - sent) / 1e6 for sent, came in pairs if since <= came <= until]  # ms

    @property
    def delivered(self):
        """Percent of all tokens that came in time; never 100 while one is missing, doubled or out of order."""
        share = 100 * self.tokens / self.expected
        return min(share, 99.99) if self.failed else share

    @property
    def p50(self):
        return median(self.ages)

    @property
    def p99(self):
        return quantiles(self.ages, n=100)[98]

    @property
    def first_token(self):
        """Median seconds to the first token; a stream that never began counts as infinite."""
        return median(r.first_token if r.came else float("inf") for r in self.readers)


async def drive(target, streams, rate, seconds):
    """N streams of `rate` tokens a second: STARTS begin each second, then all live for so many seconds, then they end.

    Returns two Loads: over all of it, and over the time in which all are live. `cpu` of each is the server's in µs per
    token. Tokens that have not come GRACE after a stream that began on time would have ended count as not delivered.
    """
    over = max(0.5, streams / STARTS)
    count = round(rate * (over + seconds))
    asks = target.asks(f"bench-{rate}-{count}", streams)
    cpu = [target.cpu()]
    readers = await ramp(target.port, asks, over)
    since, before = time.monotonic_ns(), sum(len(r.sent) for r in readers)
    cpu.append(target.cpu())
    await asyncio.sleep(seconds)
    until, after = time.monotonic_ns(), sum(len(r.sent) for r in readers)
    cpu.append(target.cpu())
    await finish(readers, over + GRACE)
    cpu.append(target.cpu())
    whole, live = Load(readers, count), Load(readers, count, since, until)
    live.cpu = 1e6 * (cpu[2] - cpu[1]) / max(1, after - before)
    whole.cpu = 1e6 * (cpu[3] - cpu[0]) / max(1, whole.tokens)
    await target.settle()
    return whole, live
