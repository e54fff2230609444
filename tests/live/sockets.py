"""The WebSockets of a page, as a client of a real server process has them."""

import json

from websockets.sync.client import ClientConnection, connect

from tests.timeouts import HANG_TIMEOUT


def open_socket(client, path) -> ClientConnection:
    """`with open_socket(client, "news") as socket`: the socket /ws/news of a UserClient."""
    cookies = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
    url = str(client.base_url.join(f"/ws/{path}")).replace("http", "ws", 1)
    return connect(url, origin=str(client.base_url).rstrip("/"), additional_headers={"Cookie": cookies})


def next_message(socket, kind):
    """Returns the next message of this type."""
    while True:
        message = json.loads(socket.recv(timeout=HANG_TIMEOUT))
        if message["type"] == kind:
            return message
