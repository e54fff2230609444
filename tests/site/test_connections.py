"""chat.connections and the protocols on top: what clients cannot hold for ever, on real sockets."""

import asyncio
from contextlib import asynccontextmanager, suppress

import pytest
import uvicorn

from chat import connections, uvicorn_internals
from chat.connections import Connections
from chat.uvicorn_internals import HttpProtocol, State, WebSocketProtocol
from tests.waiting import count_turns, hang_timeout, wait_until

HEAD = b"GET / HTTP/1.1\r\nHost: testserver\r\n"
ALICE, BOB = "127.0.0.8", "127.0.0.9"  # addresses


class App:
    """Answers with the path; waits for `gate` before it answers /slow. A socket sends what `talk` makes it send."""

    def __init__(self):
        self.gate = asyncio.Event()
        self.requests = []
        self.socket_ended = asyncio.Event()

    async def __call__(self, scope, receive, send):
        if scope["type"] == "websocket":
            return await self.talk(receive, send)
        self.requests.append(scope["path"])
        if scope["path"] == "/listen":
            return await self.answer(receive, send)
        if scope["path"] == "/slow":
            await self.gate.wait()
        body = scope["path"].encode()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
        await send({"type": "http.response.body", "body": body})

    async def talk(self, receive, send):
        try:
            await receive()
            await send({"type": "websocket.accept"})
            while True:
                await send({"type": "websocket.send", "bytes": b"x" * 1_000_000})
        finally:
            self.socket_ended.set()


@pytest.fixture
async def serve(monkeypatch):
    """`async with serve(limit=…) as server`: a server with these Connections. `server.app` is what it serves."""
    monkeypatch.setattr(connections, "SWEEP_INTERVAL", 0.02)

    @asynccontextmanager
    async def start(limit=100, limit_per_address=100, idle_timeout=60, send_timeout=60, **options):
        app = App()
        config = uvicorn.Config(app, port=0, http=HttpProtocol, ws=WebSocketProtocol, lifespan="off", log_level="error")
        clients = Connections(limit, limit_per_address, idle_timeout=idle_timeout, send_timeout=send_timeout, **options)
        server = uvicorn.Server(config)
        server.server_state = State(clients)
        config.load()
        server.lifespan = config.lifespan_class(config)
        await server.startup()
        server.app, server.clients, server.opened = app, clients, []
        server.port = server.servers[0].sockets[0].getsockname()[1]
        try:
            yield server
        finally:
            app.gate.set()
            for client in server.opened:
                client.writer.close()
            for protocol in list(server.server_state.connections):
                protocol.abort()
            await server.shutdown()

    return start


class Client:
    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer

    @classmethod
    async def open(cls, server, address=BOB, sends=b""):
        client = cls(*await asyncio.open_connection("127.0.0.1", server.port, local_addr=(address, 0)))
        server.opened.append(client)  # one that nobody holds would be closed
        client.writer.write(sends)
        await client.writer.drain()
        return client

    async def get(self, path="/", method="GET"):
        self.writer.write(f"{method} {path} HTTP/1.1\r\nHost: testserver\r\n\r\n".encode())
        return await self.status()

    async def status(self):
        """Returns the status of the next response, or None if the connection was closed without one."""
        async with hang_timeout():
            try:
                head = await self.reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
                self.body = await self.reader.readexactly(length)
            except (asyncio.IncompleteReadError, ConnectionError):
                return None
        self.head = head
        return int(head.split()[1])

    async def is_closed(self):
        async with hang_timeout():
            try:
                return await self.reader.read(1) == b""
            except ConnectionError:
                return True


@pytest.mark.parametrize("sends", [b"", HEAD, b"G", b"POST / HTTP/1.1\r\nContent-Length: 9"])
async def test_connection_without_a_complete_head_is_closed(serve, sends):
    async with serve(idle_timeout=0.1) as server:
        client = await Client.open(server, sends=sends)
        assert await client.is_closed()
        await wait_until(lambda: not len(server.clients))
        assert server.app.requests == []


async def test_connection_with_half_a_second_request_is_closed(serve):
    async with serve() as server:
        client = await Client.open(server)
        assert await client.get() == 200
        client.writer.write(HEAD)
        server.clients.idle_timeout = 0.1
        assert await client.is_closed()


async def test_connection_with_half_an_upgrade_is_closed(serve):
    async with serve(idle_timeout=0.1) as server:
        assert await (await Client.open(server, sends=UPGRADE)).is_closed()


async def test_connection_that_waits_for_a_response_stays(serve):
    async with serve() as server:
        client = await Client.open(server)
        response = asyncio.create_task(client.get("/slow"))
        await wait_until(lambda: server.app.requests)
        server.clients.idle_timeout = 0.05
        await asyncio.sleep(0.3)  # many sweeps
        server.app.gate.set()
        assert await response == 200


async def test_idle_connections_make_room_for_a_new_one(serve):
    async with serve(limit=10) as server:
        idle = [await Client.open(server, sends=HEAD) for _ in range(10)]
        for _ in range(3):
            assert await (await Client.open(server, ALICE)).get() == 200
        assert [await client.is_closed() for client in idle[:3]] == [True] * 3
        assert len(server.clients) == 10


async def test_connections_of_one_address_are_limited(serve):
    async with serve(limit_per_address=3) as server:
        busy = [await Client.open(server, sends=b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n") for _ in range(3)]
        await wait_until(lambda: len(server.app.requests) == 3)
        refused = await Client.open(server)
        assert await refused.status() == 503
        assert b"retry-after: 2" in refused.head
        assert await (await Client.open(server, ALICE)).get() == 200
        server.app.gate.set()
        assert [await client.status() for client in busy] == [200] * 3
        assert await (await Client.open(server)).get() == 200  # in place of one that is idle now


async def test_connections_of_a_proxy_are_not_limited(serve):
    async with serve(limit_per_address=1, is_proxy=lambda address: address == BOB) as server:
        clients = [await Client.open(server) for _ in range(3)]
        assert [await client.get() for client in clients] == [200] * 3


async def test_health_answers_when_all_connections_are_busy(serve):
    async with serve(limit=2) as server:
        slow = b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n"
        busy = [await Client.open(server, sends=slow) for _ in range(2)]
        await wait_until(lambda: len(server.app.requests) == 2)
        assert await (await Client.open(server, ALICE)).get("/health") == 200
        assert await (await Client.open(server, ALICE)).get("/") == 503
        assert "/" not in server.app.requests
        server.app.gate.set()
        assert [await client.status() for client in busy] == [200] * 2


async def test_health_has_its_reserve_back_soon(serve, monkeypatch):
    monkeypatch.setattr(connections, "RESERVE", 2)
    monkeypatch.setattr(connections, "RESERVE_IDLE_TIMEOUT", 60)
    async with serve(limit=1) as server:
        await Client.open(server, sends=b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
        await wait_until(lambda: server.app.requests)
        idle = [await Client.open(server) for _ in range(2)]
        await wait_until(lambda: len(server.clients) == 3)
        assert await (await Client.open(server)).status() == 503
        monkeypatch.setattr(connections, "RESERVE_IDLE_TIMEOUT", 0.1)
        assert [await client.is_closed() for client in idle] == [True] * 2
        monkeypatch.setattr(connections, "RESERVE_IDLE_TIMEOUT", 60)
        assert await (await Client.open(server)).get("/health") == 200


@pytest.mark.parametrize("piece", [b"x" * 10_000, b"x: y\r\n" * 2_000], ids=["one header", "many headers"])
@pytest.mark.parametrize("start", [HEAD + b"x: ", b"GET /"], ids=["headers", "url"])
async def test_head_that_does_not_end_is_refused(serve, start, piece):
    async with serve() as server:
        client = await Client.open(server, sends=start)
        try:
            for _ in range(100):
                client.writer.write(piece)
                await client.writer.drain()
                await asyncio.sleep(0)
        except ConnectionError:
            pass
        assert await client.status() in (431, 400, None)  # None: it was still sending
        await wait_until(lambda: not len(server.clients))
        assert server.app.requests == []


async def test_head_after_a_large_body_is_counted_from_zero(serve):
    body = b"x" * 100_000
    async with serve() as server:
        client = await Client.open(server, sends=b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        assert await client.status() == 200
        assert await client.get() == 200


async def test_pipeline_of_requests_is_limited(serve):
    request = b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n"
    async with serve() as server:
        few = await Client.open(server, sends=request * 10)
        many = await Client.open(server, sends=request * 1_000)
        assert await many.is_closed()
        server.app.gate.set()
        assert [await few.status() for _ in range(10)] == [200] * 10


UPGRADE = HEAD + b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
KEY = b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (b"x: " + b"x" * 8_300 + b"\r\n", 431),
        (b"x: y\r\n" * 130, 431),
        (b"Content-Length: 9\r\n", None),
        (b"", 400),
    ],
    ids=["one that is large", "many", "a body", "no key"],
)
async def test_upgrade_that_the_library_refuses_is_closed(serve, headers, status):
    async with serve() as server:
        client = await Client.open(server, sends=UPGRADE + headers + b"\r\n")
        answer = await client.reader.read()
        assert answer.startswith(b"HTTP/1.1 %d" % status) if status else not answer
        await wait_until(lambda: not len(server.clients))


async def test_socket_whose_client_reads_nothing_is_aborted(serve, monkeypatch):
    monkeypatch.setattr(uvicorn_internals, "SEND_TIMEOUT", 0.2)
    async with serve() as server:
        client = await Client.open(server, sends=UPGRADE + KEY + b"\r\n")
        assert (await client.reader.readline()).startswith(b"HTTP/1.1 101")
        async with hang_timeout():
            await server.app.socket_ended.wait()
        await wait_until(lambda: not len(server.clients))


async def test_socket_whose_client_reads_nothing_gets_no_more_pongs(serve):
    ping = b"\x89\x80\0\0\0\0"
    async with serve() as server:
        client = await Client.open(server, sends=UPGRADE + KEY + b"\r\n")
        await client.reader.readline()
        (protocol,) = server.server_state.connections
        await wait_until(lambda: not protocol.writable.is_set())
        unsent = protocol.transport.get_write_buffer_size()
        protocol.data_received(ping * 1_000)
        assert protocol.transport.get_write_buffer_size() == unsent


def frame(kind, data=b"", is_last=True):
    """A frame from a client, of up to 65,535 bytes."""
    length = bytes([128 + len(data)]) if len(data) < 126 else b"\xfe" + len(data).to_bytes(2, "big")
    return bytes([128 * is_last + kind]) + length + b"\0\0\0\0" + data


CONTINUATION, TEXT, PING, PONG = 0, 1, 9, 10


async def open_socket(server):
    """Returns a client and the list of the messages that the application gets from it."""
    received = []

    async def listen(receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            received.append(message["text"])
        server.app.socket_ended.set()

    server.app.talk = listen
    client = await Client.open(server, sends=UPGRADE + KEY + b"\r\n")
    await client.reader.readuntil(b"\r\n\r\n")
    return client, received


@pytest.mark.parametrize(
    "frames",
    [
        frame(TEXT, b"{", False) + frame(CONTINUATION, b"1", False) * 40_000,
        frame(TEXT, b"", False) + frame(CONTINUATION, b"", False) * 40_000,
        frame(PING) * 40_000,
        frame(PONG, b"x") * 40_000,
        (frame(PING, b"a" * 125) + frame(PONG)) * 20_000,
    ],
    ids=["tiny pieces", "empty pieces", "pings", "pongs", "pings and pongs"],
)
async def test_socket_with_too_many_frames_without_a_message_is_closed(serve, frames):
    async with serve() as server:
        client, received = await open_socket(server)
        (protocol,) = server.server_state.connections
        counts = []
        count, protocol._count_frame = protocol._count_frame, lambda: (counts.append(None), count())
        client.writer.write(frames)
        with suppress(ConnectionError):
            await client.writer.drain()
        async with hang_timeout():
            await server.app.socket_ended.wait()
        assert received == []
        assert len(counts) < 4_000  # of 40,000: the rest is not even parsed
        await wait_until(lambda: not len(server.clients))


async def test_socket_with_messages_in_pieces_and_pings_stays(serve, monkeypatch):
    monkeypatch.setattr(uvicorn_internals, "MAX_FRAMES", 30)
    async with serve() as server:
        client, received = await open_socket(server)
        message = frame(TEXT, b"a", False) + frame(CONTINUATION, b"b", False) * 20 + frame(CONTINUATION, b"c")
        for _ in range(5):
            client.writer.write(message + frame(PING) * 5)
        await wait_until(lambda: len(received) == 5)
        assert received == [f"a{'b' * 20}c"] * 5


async def test_socket_is_not_closed_for_pings_over_a_long_time(serve, monkeypatch):
    monkeypatch.setattr(uvicorn_internals, "MAX_FRAMES", 3)
    monkeypatch.setattr(uvicorn_internals, "FRAMES_INTERVAL", 0)
    async with serve() as server:
        client, received = await open_socket(server)
        for _ in range(10):
            client.writer.write(frame(PING))
            await client.reader.readexactly(2)  # the pong
        client.writer.write(frame(TEXT, b"still here"))
        await wait_until(lambda: received == ["still here"])


async def test_messages_of_a_socket_arrive_complete_and_in_order(serve):
    async with serve() as server:
        client, received = await open_socket(server)
        messages = [f"{number}:{'x' * (number * 997 % 60_000)}" for number in range(40)]
        client.writer.write(b"".join(frame(TEXT, message.encode()) for message in messages))
        await wait_until(lambda: len(received) == len(messages))
        assert received == messages


async def test_socket_is_parsed_in_slices_between_which_others_go_on(serve):
    async with serve() as server:
        _, received = await open_socket(server)
        (protocol,) = server.server_state.connections
        slices = []
        parse, protocol._parse = protocol._parse, lambda data: (slices.append(len(turns)), parse(data))
        async with count_turns() as turns:
            await wait_until(lambda: turns)
            protocol.data_received(frame(TEXT, b"x" * 60_000))
            await wait_until(lambda: received)
        assert len(slices) == 60_000 // uvicorn_internals.SLICE_BYTES + 1
        assert slices == sorted(set(slices))  # each in a turn of its own


@pytest.mark.parametrize("count", [5, 1_000], ids=["leaves", "sends too many"])
async def test_running_request_of_a_pipeline_learns_that_its_client_has_left(serve, count):
    """It would write to a closed connection, which is an error in the log for each of them."""
    ends = []

    async def listen(receive, send):
        while (message := await receive())["type"] == "http.request":
            pass
        ends.append(message["type"])

    async with serve() as server:
        server.app.answer = listen
        client = await Client.open(server, sends=b"GET /listen HTTP/1.1\r\nHost: x\r\n\r\n" * count)
        await wait_until(lambda: server.app.requests)
        if count == 5:  # it does not read from a client with a pipeline, so it is the network that says so
            client.writer.transport.abort()
            for protocol in list(server.server_state.connections):
                protocol.transport.abort()
        await wait_until(lambda: ends)
        assert ends[0] == "http.disconnect"


@pytest.mark.parametrize(("size", "status"), [(1, 400), (2, 400), (500, 200), (8_000, 200)])
async def test_body_in_tiny_chunks_is_refused(serve, size, status):
    chunk = b"%x\r\n%b\r\n" % (size, b"x" * size)
    async with serve() as server:
        client = await Client.open(server, sends=b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
        client.writer.write(chunk * 20_000 + b"0\r\n\r\n" if size < 1000 else chunk * 100 + b"0\r\n\r\n")
        assert await client.status() in (status, None if status == 400 else status)  # None: it was still sending


async def test_socket_counts_as_a_connection(serve):
    async with serve(limit_per_address=1) as server:
        client = await Client.open(server, sends=UPGRADE + KEY + b"\r\n")
        await client.reader.readline()
        assert await (await Client.open(server)).status() == 503
        client.writer.transport.abort()
        await wait_until(lambda: not len(server.clients))


def test_uvicorn_has_the_methods_that_our_protocols_override():
    for ours, base in (
        (HttpProtocol, uvicorn_internals.HttpToolsProtocol),
        (WebSocketProtocol, uvicorn_internals.WebSocketsSansIOProtocol),
    ):
        own = [name for name in {**vars(uvicorn_internals.Limited), **vars(ours)} if callable(getattr(ours, name))]
        kept = {"abort", "has_unsent", "_refuse", "_cancel_stuck_timer", "__class__"}
        kept |= {"_parse", "_parse_slice", "_count_frame"}
        for name in set(own) - kept:
            assert hasattr(base, name), f"uvicorn's {base.__name__} has no {name} now: see chat/uvicorn_internals.py."


def test_ipv6_addresses_are_limited_by_network():
    assert connections.network_of("2001:db8::1") == connections.network_of("2001:db8::ffff") == "2001:db8::/64"
    assert connections.network_of("127.0.0.1") == "127.0.0.1"
    assert connections.network_of("no:address") == "no:address"
