"""uvicorn's protocols, with limits that uvicorn lacks: on a request's head, on idle and on stuck connections.

An ASGI application sees a request only when its head is complete, and a socket only when it has been upgraded, so
these limits are here. The methods that this file overrides are not a documented interface:
tests/site/test_connections.py names the one that an upgrade has changed.
"""

import asyncio
from typing import Any

from uvicorn.middleware.proxy_headers import _TrustedHosts
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState

from .asgi.headers import MAX_HEADERS_BYTES
from .asgi.health import PATH as HEALTH_PATH
from .asgi.send_timeout import SEND_TIMEOUT
from .connections import Admission, Connections

MAX_PIPELINED = 16  # requests that a client may send before it has read the first response
SLICE_BYTES = 8_192  # parsed for a socket in one turn of the loop; they may hold 1,400 frames, which take 4 ms
MAX_FRAMES = 1_000  # without a complete message: pings, pongs and fragments
FRAMES_INTERVAL = 30  # seconds in which so many may come; browsers send none, other clients about one ping
MAX_SMALL_CHUNKS = 4_000  # that a body may have in excess of one per CHUNK_BYTES; each costs as much as these bytes
CHUNK_BYTES = 64
CLOSE_TIMEOUT = 10  # seconds that a closed socket may take to send what is left

TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
BUSY = (
    b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\nretry-after: 2\r\n"
    b"content-type: text/plain\r\ncontent-length: 19\r\n\r\nThe server is busy."
)


class State(ServerState):
    """What the connections of a server share."""

    def __init__(self, clients: Connections) -> None:
        super().__init__()
        self.clients = clients


def proxies(addresses: list[str]) -> Any:
    """Returns uvicorn's set of trusted proxies, made of hosts and networks; `address in proxies(…)` is all we use."""
    return _TrustedHosts(addresses)


class Limited:
    """A connection that is counted, and aborted when its client reads nothing for SEND_TIMEOUT seconds.

    Closing is not enough: a transport with unsent data waits for the client even then.
    """

    transport: asyncio.Transport
    loop: asyncio.AbstractEventLoop
    client: tuple[str, int] | None
    clients: Connections
    stuck_timer: asyncio.TimerHandle | None = None

    @property
    def address(self) -> str:
        return self.client[0] if self.client else ""

    def abort(self) -> None:
        self.transport.abort()

    def has_unsent(self) -> bool:
        return self.transport.get_write_buffer_size() > 0

    def connection_lost(self, exc):
        self.clients.discard(self)
        self._cancel_stuck_timer()
        super().connection_lost(exc)  # type: ignore[misc]

    def pause_writing(self):
        super().pause_writing()  # type: ignore[misc]
        self.stuck_timer = self.loop.call_later(SEND_TIMEOUT, self.abort)

    def resume_writing(self):
        super().resume_writing()  # type: ignore[misc]
        self._cancel_stuck_timer()

    def _cancel_stuck_timer(self):
        if self.stuck_timer:
            self.stuck_timer.cancel()
            self.stuck_timer = None


class HttpProtocol(Limited, HttpToolsProtocol):
    is_in_head = True  # also between requests
    has_new_head = False  # whether a request ended in the data that came last, so that the next head begins there
    head_size = 0  # bytes of the head so far
    admission = Admission.OPEN
    running = None  # the request that is being answered; uvicorn's `cycle` is the newest one
    body_size, chunk_count = 0, 0

    def __init__(self, config, server_state, app_state, _loop=None):
        super().__init__(config, server_state, app_state, _loop)
        self.clients = server_state.clients

    def connection_made(self, transport):
        super().connection_made(transport)
        self.admission = self.clients.admit(self, self.address)
        if self.admission is Admission.REFUSED:
            self._refuse(BUSY)

    def abort(self):
        """Tells the request that is being answered that its client is gone; uvicorn tells only the newest one."""
        super().abort()
        if self.running:
            self.running.disconnected = True
            self.running.message_event.set()

    def connection_lost(self, exc):
        super().connection_lost(exc)
        if self.running:
            self.running.disconnected = True
            self.running.message_event.set()

    def _start_asgi_task(self, cycle, app):
        self.running = cycle
        super()._start_asgi_task(cycle, app)

    def data_received(self, data):
        if self.transport.is_closing():
            return
        self.head_size += len(data)
        super().data_received(data)
        if not self.is_in_head or self.has_new_head:
            self.head_size = 0
            self.has_new_head = False
        elif self.head_size > MAX_HEADERS_BYTES and not self.transport.is_closing():
            self._refuse(TOO_LARGE)

    def _refuse(self, response):
        self.transport.write(response)
        self.transport.close()

    def on_headers_complete(self):
        if self.transport.is_closing():
            return
        if len(self.pipeline) >= MAX_PIPELINED:
            return self.abort()
        if not (self.parser.should_upgrade() and self._should_upgrade()):  # a connection to be upgraded stays idle
            self.is_in_head = False
            self.clients.set_busy(self)
            if self.admission is Admission.RESERVE and self.url != HEALTH_PATH.encode():
                return self._refuse(BUSY)
        super().on_headers_complete()

    def on_body(self, body):
        self.body_size += len(body)
        self.chunk_count += 1
        if self.chunk_count > MAX_SMALL_CHUNKS + self.body_size / CHUNK_BYTES:
            raise ValueError("The chunks are too small.")  # makes the parser fail
        if self.cycle is not None:
            super().on_body(body)

    def on_message_complete(self):
        self.body_size = self.chunk_count = 0
        self.is_in_head = self.has_new_head = True
        if self.cycle is not None:
            super().on_message_complete()

    def on_response_complete(self):
        super().on_response_complete()
        if self.cycle.response_complete:  # otherwise the next request of a pipeline is being answered
            self.clients.set_idle(self)

    def handle_websocket_upgrade(self):
        if self.admission is Admission.RESERVE:
            return self._refuse(BUSY)
        self.clients.discard(self)
        super().handle_websocket_upgrade()


class WebSocketProtocol(Limited, WebSocketsSansIOProtocol):
    close_deadline: asyncio.TimerHandle | None = None
    next_slice: asyncio.Handle | None = None
    frame_count, counted_since = 0, 0.0

    def __init__(self, config, server_state, app_state, _loop=None):
        super().__init__(config, server_state, app_state, _loop)
        self.clients = server_state.clients
        self.unparsed = bytearray()

    def connection_made(self, transport):
        super().connection_made(transport)
        self.clients.add(self, self.address)

    def connection_lost(self, exc):
        if self.close_deadline:
            self.close_deadline.cancel()
        self.unparsed.clear()
        super().connection_lost(exc)

    def data_received(self, data):
        """Parses the data over several turns of the loop: a read of 256 kB may hold 40,000 frames."""
        if not self.handshake_initiated:  # this is the request
            return self._parse(data)
        self.unparsed += data
        if self.next_slice is None:
            self._parse_slice()

    def _parse_slice(self):
        self.next_slice = None
        if self.transport.is_closing():
            return self.unparsed.clear()
        data = bytes(self.unparsed[:SLICE_BYTES])
        del self.unparsed[:SLICE_BYTES]
        self._parse(data)
        if self.unparsed and not self.transport.is_closing():
            self.transport.pause_reading()
            self.next_slice = self.loop.call_soon(self._parse_slice)
        elif not self.read_paused and not self.transport.is_closing():
            self.transport.resume_reading()

    async def receive(self):
        message = await super().receive()
        if self.unparsed and not self.transport.is_closing():  # uvicorn resumes reading when it has no more messages
            self.transport.pause_reading()
        return message

    def _parse(self, data):
        super().data_received(data)
        if not self.handshake_initiated:  # the request was refused: uvicorn would leave it without a response
            self.handshake_complete = self.close_sent = True
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.transport.close()

    def _count_frame(self):
        """Counts a frame that completes no message; a client might send these without end."""
        now = self.loop.time()
        if now - self.counted_since > FRAMES_INTERVAL:
            self.frame_count, self.counted_since = 0, now
        self.frame_count += 1
        if self.frame_count > MAX_FRAMES:
            self.abort()

    def handle_cont(self, event):
        self._count_frame()
        super().handle_cont(event)

    def handle_pong(self, event):
        self._count_frame()
        super().handle_pong(event)

    def send_receive_event_to_app(self):
        self.frame_count = 0
        super().send_receive_event_to_app()

    def handle_ping(self):
        """Answers a ping, unless the client does not read: answers would pile up."""
        self._count_frame()
        if self.writable.is_set() and not self.transport.is_closing():
            super().handle_ping()
        else:
            self.conn.data_to_send()

    def keepalive_timeout(self):
        super().keepalive_timeout()
        self.abort()

    def on_task_complete(self, task):
        super().on_task_complete(task)
        self.close_deadline = self.loop.call_later(CLOSE_TIMEOUT, self.abort)
