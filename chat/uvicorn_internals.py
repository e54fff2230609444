"""uvicorn's protocols, with limits that uvicorn has not: on a request's head, on idle and on stuck connections.

An ASGI application sees a request only when its head is complete, and a socket only when it has been upgraded, so
these limits are here. The methods that this file overrides are no documented interface;
tests/site/test_connections.py fails with a sentence when an upgrade changes one of them.
"""

import asyncio
from typing import Any

from uvicorn.middleware.proxy_headers import _TrustedHosts
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState

from .asgi.headers import MAX_HEADERS_BYTES
from .asgi.health import PATH as HEALTH_PATH
from .asgi.sends import SEND_TIMEOUT
from .connections import Admission, Connections

MAX_PIPELINED = 16  # requests that a client may send before it has read the first response
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
    """Returns what has the addresses of these hosts and networks, as uvicorn reads them."""
    return _TrustedHosts(addresses)


class Limited:
    """A connection that is counted, and aborted when its client takes nothing for SEND_TIMEOUT seconds.

    Closing is not enough: a transport that has something to send waits for the client even then.
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
    is_in_head = True  # between requests as well
    has_new_head = False  # one that begins, somewhere in the data that came last
    head_size = 0  # bytes of the head so far
    admission = Admission.OPEN

    def __init__(self, config, server_state, app_state, _loop=None):
        super().__init__(config, server_state, app_state, _loop)
        self.clients = server_state.clients

    def connection_made(self, transport):
        super().connection_made(transport)
        self.admission = self.clients.admit(self, self.address)
        if self.admission is Admission.REFUSED:
            self._refuse(BUSY)

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
        if not (self.parser.should_upgrade() and self._should_upgrade()):  # an upgrade is idle until it is made
            self.is_in_head = False
            self.clients.set_busy(self)
            if self.admission is Admission.RESERVE and self.url != HEALTH_PATH.encode():
                return self._refuse(BUSY)
        super().on_headers_complete()

    def on_body(self, body):
        if self.cycle is not None:
            super().on_body(body)

    def on_message_complete(self):
        self.is_in_head = self.has_new_head = True
        if self.cycle is not None:
            super().on_message_complete()

    def on_response_complete(self):
        super().on_response_complete()
        if self.cycle.response_complete:  # else the next one of a pipeline is under way
            self.clients.set_idle(self)

    def handle_websocket_upgrade(self):
        if self.admission is Admission.RESERVE:
            return self._refuse(BUSY)
        self.clients.discard(self)
        super().handle_websocket_upgrade()


class WebSocketProtocol(Limited, WebSocketsSansIOProtocol):
    close_deadline: asyncio.TimerHandle | None = None

    def __init__(self, config, server_state, app_state, _loop=None):
        super().__init__(config, server_state, app_state, _loop)
        self.clients = server_state.clients

    def connection_made(self, transport):
        super().connection_made(transport)
        self.clients.add(self, self.address)

    def connection_lost(self, exc):
        if self.close_deadline:
            self.close_deadline.cancel()
        super().connection_lost(exc)

    def data_received(self, data):
        super().data_received(data)
        if (
            not self.handshake_initiated
        ):  # the request, all of which came at once, was refused: uvicorn would say nothing
            self.handshake_complete = self.close_sent = True
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.transport.close()

    def handle_ping(self):
        """Answers a ping, unless the client takes nothing: answers would pile up."""
        if self.writable.is_set():
            super().handle_ping()
        else:
            self.conn.data_to_send()

    def keepalive_timeout(self):
        super().keepalive_timeout()
        self.abort()

    def on_task_complete(self, task):
        super().on_task_complete(task)
        self.close_deadline = self.loop.call_later(CLOSE_TIMEOUT, self.abort)
