"""Clients of the site: HTTP, WebSocket and plain ASGI."""

import json

from asgiref.testing import ApplicationCommunicator
from channels.testing import WebsocketCommunicator
from django.test import AsyncClient

from chat.events import TERMINAL
from tests.timeouts import HANG_TIMEOUT


class Client(AsyncClient):
    """An async client that logs in before its first request, or sends an API key with each.

    `send` sends and receives JSON, as a program would.
    """

    def __init__(self, user=None, address="127.0.0.1", key=None, **kwargs):
        super().__init__(**kwargs)
        self.user = user
        self.key = key
        self.address = address

    async def request(self, **request):
        request["client"] = [self.address, 0]
        if self.user:
            user, self.user = self.user, None
            await self.aforce_login(user)
        return await super().request(**request)

    def generic(self, *args, headers=None, **kwargs):
        if self.key:
            headers = {"authorization": f"Bearer {self.key}"} | (headers or {})
        return super().generic(*args, headers=headers, **kwargs)

    async def send(self, method, path, data=None, **headers):
        body = {} if data is None else {"data": json.dumps(data), "content_type": "application/json"}
        return await self.generic(method, path, headers=headers, **body)


class Socket(WebsocketCommunicator):
    """A WebSocket to the whole site."""

    async def send_command(self, command):
        """Send this object as JSON, or this text as it is."""
        text = command if type(command) is str else json.dumps(command)
        await self.send_input({"type": "websocket.receive", "text": text})

    async def receive_json_from(self):
        return await super().receive_json_from(HANG_TIMEOUT)  # instead of a second

    async def receive_event(self, event_type=None):
        """Returns the next event, or the next one of this type."""
        while True:
            event = await self.receive_json_from()
            if event_type in (None, event["type"]):
                return event

    async def receive_until_end(self):
        """Returns the run's events up to its last one."""
        events = [await self.receive_event()]
        while events[-1]["type"] not in TERMINAL:
            events.append(await self.receive_event())
        return events

    async def ask(self, text="Hi", **fields):
        await self.send_command({"type": "message.create", "text": text, **fields})
        return await self.receive_event("run.created")

    async def close_code(self):
        """Wait until the site closes this socket. Returns the code."""
        while True:
            message = await self.receive_output(HANG_TIMEOUT)
            if message["type"] == "websocket.close":
                return message["code"]


class EchoApplication:
    """An ASGI application that returns the request's body and records what it received."""

    def __init__(self):
        self.scopes = []
        self.bodies = []
        self.disconnects = 0

    async def __call__(self, scope, receive, send):
        self.scopes.append(scope)
        body = b""
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.disconnects += 1
                return
            body += message["body"]
            more = message["more_body"]
        self.bodies.append(body)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body})


def asgi_request(app, *headers, **scope):
    """Returns a communicator for a POST request, or for what `scope` says."""
    scope = {"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": list(headers)} | scope
    return ApplicationCommunicator(app, scope)


async def asgi_response(communicator):
    """Returns (status, headers, body) of the complete response."""
    start = await communicator.receive_output(HANG_TIMEOUT)
    body = b""
    more = True
    while more:
        message = await communicator.receive_output(HANG_TIMEOUT)
        body += message["body"]
        more = message.get("more_body", False)
    await communicator.wait(HANG_TIMEOUT)
    return start["status"], dict(start["headers"]), body


def messages_url(conversation):
    return f"/api/conversations/{conversation.pk}/messages"
