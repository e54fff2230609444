"""How many streams, sockets and calls one user may have at a time."""

import asyncio
import json
import uuid

import pytest

from chat.live import limits
from chat.models import Assistant, Conversation, Message, Run
from chatsite.asgi import application
from tests.clients import asgi_request, asgi_response
from tests.timeouts import HANG_TIMEOUT
from tests.waiting import wait_for_run, wait_until


async def request_of(client_of, user, method, path, body=b"", *headers):
    """Returns a request through all that stands around Django, which has been sent."""
    client = client_of()
    await client.aforce_login(user)
    cookie = f"sessionid={client.cookies['sessionid'].value}; csrftoken={'x' * 32}".encode()
    headers = [(b"host", b"testserver"), (b"cookie", cookie), (b"x-csrftoken", b"x" * 32), *headers]
    site = asgi_request(application, *headers, method=method, path=path)
    await site.send_input({"type": "http.request", "body": body, "more_body": False})
    return site


async def leave(site):
    await site.send_input({"type": "http.disconnect"})
    await site.wait(HANG_TIMEOUT)


async def test_streams_of_a_user_are_limited(client_of, alice, ask, slow, settings):
    settings.MAX_STREAMS_PER_USER = 2
    async with slow() as gate:
        run = await ask(await Assistant.objects.aget(slug="slow"))
        two = [await request_of(client_of, alice, "GET", run.events_url) for _ in range(2)]
        assert [(await site.receive_output(HANG_TIMEOUT))["status"] for site in two] == [200, 200]
        status, headers, body = await asgi_response(await request_of(client_of, alice, "GET", run.events_url))
        assert (status, headers[b"Retry-After"]) == (429, b"2")
        assert json.loads(body)["error"]["code"] == "too_many_requests"
        await leave(two[0])
        again = await request_of(client_of, alice, "GET", run.events_url)
        assert (await again.receive_output(HANG_TIMEOUT))["status"] == 200
        gate.set()
        await wait_for_run(run)
    for site in (two[1], again):
        await leave(site)
    assert limits.streams.get().in_use == 0


async def test_streams_of_everyone_are_limited(client_of, alice, ask, slow, settings):
    settings.MAX_STREAMS = 1
    async with slow():
        run = await ask(await Assistant.objects.aget(slug="slow"))
        site = await request_of(client_of, alice, "GET", run.events_url)
        assert (await site.receive_output(HANG_TIMEOUT))["status"] == 200
        status, headers, _ = await asgi_response(await request_of(client_of, alice, "GET", run.events_url))
        assert (status, headers[b"Retry-After"]) == (503, b"2")
        await leave(site)


@pytest.mark.parametrize("accept", [b"text/event-stream", b"application/json"])
async def test_chat_call_counts_as_a_stream_and_not_as_a_request(client_of, alice, slow, settings, accept):
    settings.MAX_STREAMS_PER_USER = settings.MAX_REQUESTS_PER_USER = 1
    body, headers = (
        b'{"text": "Hi", "assistant": "slow"}',
        [(b"content-type", b"application/json"), (b"accept", accept)],
    )
    async with slow() as gate:
        first = await request_of(client_of, alice, "POST", "/api/chat", body, *headers)
        await wait_until(lambda: limits.streams.get().in_use == 1 and not limits.user_slots.get().in_use)
        status, _, _ = await asgi_response(await request_of(client_of, alice, "POST", "/api/chat", body, *headers))
        assert status == 429
        assert (await client_of(alice).get("/api/assistants")).status_code == 200
        gate.set()
        assert (await first.receive_output(HANG_TIMEOUT))["status"] == 200
        await leave(first)
    assert await Run.objects.acount() == 1  # what is refused starts nothing


async def test_sockets_of_a_user_are_limited(socket_of, alice, bob, conversation, settings):
    settings.MAX_SOCKETS_PER_USER = 1
    async with socket_of(alice, conversation) as socket:
        await socket.send_command("{")
        await socket.receive_event("error")
        async with socket_of(alice, path="/ws/news") as second:
            assert await second.close_code() == 4429
        async with socket_of(bob, path="/ws/news") as other:
            assert await other.receive_nothing()
    await wait_until(lambda: not limits.sockets.get().in_use)
    async with socket_of(alice, conversation) as socket:
        await socket.send_command("{")
        await socket.receive_event("error")


async def test_requests_of_a_user_wait_in_a_queue_of_limited_length(client_of, alice, settings, monkeypatch):
    settings.MAX_REQUESTS_PER_USER = 2
    monkeypatch.setattr(limits, "MAX_WAITING_PER_USER", 5)
    slots = limits.user_slots.get()
    async with slots.hold(alice.pk), slots.hold(alice.pk):
        client = client_of()
        await client.aforce_login(alice)
        posts = [asyncio.create_task(client.send("POST", "/api/conversations", {})) for _ in range(8)]
        await wait_until(lambda: sum(post.done() for post in posts) == 3)
        assert slots.waiting == 5
        assert not await Conversation.objects.aexists()
    answers = await asyncio.gather(*posts)
    refused = [answer for answer in answers if answer.status_code != 201]
    assert [(answer.status_code, answer["Retry-After"]) for answer in refused] == [(429, "2")] * 3
    assert await Conversation.objects.acount() == 5
    assert (slots.in_use, slots.waiting) == (0, 0)


async def test_commands_of_a_user_over_many_sockets_are_limited_like_requests(socket_of, alice, conversation, settings):
    settings.MAX_REQUESTS_PER_USER = 1
    async with socket_of(alice, conversation) as one, socket_of(alice, conversation) as other:
        slots = limits.user_slots.get()
        async with slots.hold(alice.pk):
            for socket in (one, other):
                await socket.send_command({"type": "message.create", "text": "Hi"})
            await wait_until(lambda: slots.waiting == 2)
            assert not await Message.objects.aexists()
        for socket in (one, other):
            run = await Run.objects.aget(pk=(await socket.receive_event("run.created"))["run_id"])
            await wait_for_run(run)


async def test_command_is_refused_when_too_many_wait(socket_of, alice, conversation, settings, monkeypatch):
    settings.MAX_REQUESTS_PER_USER = 1
    monkeypatch.setattr(limits, "MAX_WAITING_PER_USER", 0)
    async with socket_of(alice, conversation) as socket, limits.user_slots.get().hold(alice.pk):
        await socket.send_command({"type": "message.create", "text": "Hi"})
        assert (await socket.receive_event("error"))["error"]["code"] == "too_many_requests"


async def test_stream_over_the_limit_is_refused_before_its_run_is_read(client_of, alice, settings):
    settings.MAX_STREAMS_PER_USER = 1
    async with limits.streams.get().hold(alice.pk):
        path = f"/api/runs/{uuid.uuid4()}/events"
        status, _, _ = await asgi_response(await request_of(client_of, alice, "GET", path))
        assert status == 429
    status, _, _ = await asgi_response(await request_of(client_of, alice, "GET", path))
    assert status == 404
    assert not limits.streams.get().in_use


async def test_socket_over_the_limit_is_refused_before_its_conversation_is_read(socket_of, alice, settings):
    settings.MAX_SOCKETS_PER_USER = 1
    async with limits.sockets.get().hold(alice.pk), socket_of(alice, uuid.uuid4()) as socket:
        assert await socket.close_code() == 4429
    async with socket_of(alice, uuid.uuid4()) as socket:
        assert await socket.close_code() == 4404
        assert not limits.sockets.get().in_use  # while its client has not left yet


async def test_call_holds_its_slot_until_its_response_is_read(client_of, alice, conversation, settings):
    """100 messages of 100 kB each would otherwise be in memory once for each connection."""
    settings.MAX_REQUESTS_PER_USER = 2
    slots, is_read = limits.user_slots.get(), asyncio.Event()
    path = f"/api/conversations/{conversation.pk}/messages"
    client = client_of()
    await client.aforce_login(alice)
    headers = [(b"host", b"testserver"), (b"cookie", f"sessionid={client.cookies['sessionid'].value}".encode())]
    scope = asgi_request(application, *headers, method="GET", path=path).scope
    started = []

    async def send(message):
        started.append(message["type"])
        if message["type"] == "http.response.body":
            await is_read.wait()

    readers = [asyncio.create_task(application(scope, Receiver().receive, send)) for _ in range(5)]
    await wait_until(lambda: slots.waiting == 3 and started.count("http.response.body") == 2)
    is_read.set()
    await asyncio.gather(*readers)
    assert started.count("http.response.start") == 5
    assert (slots.in_use, slots.waiting) == (0, 0)


class Receiver:
    """An empty body, and then a client that stays."""

    has_sent = False

    async def receive(self):
        if self.has_sent:
            await asyncio.Event().wait()
        self.has_sent = True
        return {"type": "http.request", "body": b"", "more_body": False}
