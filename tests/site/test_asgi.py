"""What surrounds Django on the site: paths, limits on sends, start and shutdown."""

import asyncio
import gc
import json
import signal
import weakref
from contextlib import asynccontextmanager

import pytest
from asgiref.testing import ApplicationCommunicator
from django.core.handlers.asgi import ASGIRequest

from chat import engine
from chat.asgi import lifespan, send_timeout
from chat.asgi.send_timeout import limit_send_time
from chat.django_internals import LeanASGIHandler
from chat.events import Finish, Text
from chat.live import session_check
from chatsite.asgi import application
from tests.clients import asgi_request, asgi_response
from tests.timeouts import HANG_TIMEOUT
from tests.waiting import hang_timeout, wait_for_run


def body_part(body, more_body=False):
    return {"type": "http.request", "body": body, "more_body": more_body}


# Paths ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["http", "websocket"])
async def test_root_path_of_a_client_is_ignored(transactional_db, kind):
    """Daphne takes `Daphne-Root-Path` from any client: /x/admin/ would be /admin/, past what a proxy allows."""
    path = {"http": "/x/admin/", "websocket": "/x/ws/conversations/0b6e9a52-7b0c-4a5e-9a53-6c4f0e1f2a3b"}[kind]
    headers = [(b"host", b"testserver")]
    site = asgi_request(application, *headers, type=kind, method="GET", path=path, root_path="/x", subprotocols=[])
    if kind == "http":
        await site.send_input(body_part(b""))
        status, headers, _ = await asgi_response(site)
        assert (status, headers.get(b"Location")) == (404, None)
    else:
        await site.send_input({"type": "websocket.connect"})
        assert (await site.receive_output(HANG_TIMEOUT)) == {"type": "websocket.close", "code": 4404}
        await site.wait(HANG_TIMEOUT)


async def test_cookie_with_a_null_character_is_not_a_session(transactional_db):
    headers = [(b"host", b"testserver"), (b"cookie", rb'sessionid="\000abcdefghijklmnop"')]
    site = asgi_request(application, *headers, method="GET", path="/api/assistants")
    await site.send_input(body_part(b""))
    status, _, body = await asgi_response(site)
    assert (status, json.loads(body)["error"]["code"]) == (401, "not_authenticated")


# Sends ----------------------------------------------------------------------------------------------------------------


class Client:
    """Takes each message after `takes(message)`; `cut` counts the sends that were cancelled."""

    def __init__(self, takes=None):
        self.takes, self.taken, self.cut = takes, [], 0

    async def send(self, message):
        try:
            if self.takes is not None:
                await self.takes(message)
        except asyncio.CancelledError:
            self.cut += 1
            raise
        self.taken.append(message)


async def never(message):
    await asyncio.get_running_loop().create_future()


async def nothing_more():
    await asyncio.get_running_loop().create_future()


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(send_timeout, "SEND_TIMEOUT", 0.1)


async def test_send_to_a_client_that_reads_nothing_is_ended(impatient):
    ended = []

    async def talking(scope, receive, send):
        try:
            while True:
                await send({"type": "http.response.body", "body": b"x", "more_body": True})
        finally:
            ended.append(True)

    client = Client(never)
    async with hang_timeout():
        await limit_send_time(talking)({}, nothing_more, client.send)
    assert (ended, client.taken, client.cut) == ([True], [], 1)
    assert not asyncio.current_task().cancelling()


async def test_send_to_a_slow_client_is_not_cut(advance_clock):
    async def slowly(message):
        advance_clock(0.6 * send_timeout.SEND_TIMEOUT)
        for _ in range(2):  # the timer fires between them
            await asyncio.sleep(0)

    async def talking(scope, receive, send):
        for number in range(5):
            await send(number)

    client = Client(slowly)
    await limit_send_time(talking)({}, nothing_more, client.send)
    assert client.taken == [0, 1, 2, 3, 4]


async def test_send_after_a_long_silence_is_not_cut(impatient):
    async def thinking(scope, receive, send):
        await send(1)
        await asyncio.sleep(0.35)
        await send(2)

    client = Client()
    await limit_send_time(thinking)({}, nothing_more, client.send)
    assert client.taken == [1, 2]


async def test_send_cancelled_by_the_server_stays_cancelled(impatient):
    async def thinking(scope, receive, send):
        await nothing_more()

    task = asyncio.create_task(limit_send_time(thinking)({}, nothing_more, Client().send))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_send_timer_lets_errors_through(impatient):
    async def broken(scope, receive, send):
        raise RuntimeError("nobody expected this")

    with pytest.raises(RuntimeError):
        await limit_send_time(broken)({}, nothing_more, Client().send)


@asynccontextmanager
async def stream_of(client_of, user, run, send):
    """The run's stream through the whole site: yields its task and the queue of messages from the server."""
    client, messages = client_of(), asyncio.Queue()
    await client.aforce_login(user)
    messages.put_nowait(body_part(b""))
    cookie = f"sessionid={client.cookies['sessionid'].value}".encode()
    scope = {"type": "http", "method": "GET", "path": run.events_url, "query_string": b""}
    scope["headers"] = [(b"host", b"testserver"), (b"cookie", cookie)]
    task = asyncio.create_task(application(scope, messages.get, send))
    try:
        yield task, messages
    finally:
        task.cancel()
        await asyncio.wait([task])


def readers():
    return session_check.watchers.get().checks


async def all_have_gone():
    while readers():
        await asyncio.sleep(0.01)


async def test_stream_of_a_client_that_reads_nothing_ends(client_of, alice, script, ask, impatient):
    gate, waits = asyncio.Event(), asyncio.Event()

    async def first_words_only(message):
        if b"delta" in message.get("body", b""):
            waits.set()
            await never(message)

    run = await ask(await script("slow", Text("one"), gate.wait, Finish("stop")))
    client = Client(first_words_only)
    before = asyncio.all_tasks()
    async with stream_of(client_of, alice, run, client.send) as (task, _):
        async with hang_timeout():
            await waits.wait()
            assert len(readers()) == 1
            await task
            await all_have_gone()
        assert client.cut == 1
    left = {other.get_coro().__qualname__ for other in asyncio.all_tasks() - before - {task}}
    assert not {name for name in left if "ASGIHandler" in name}
    gate.set()
    await wait_for_run(run)
    assert run.status == "completed"


async def test_stream_of_a_reader_that_leaves_ends(client_of, alice, script, ask):
    gate, reads = asyncio.Event(), asyncio.Event()

    async def reading(message):
        if b"delta" in message.get("body", b""):
            reads.set()

    run = await ask(await script("slow", Text("one"), gate.wait, Finish("stop")))
    async with stream_of(client_of, alice, run, Client(reading).send) as (task, messages):
        async with hang_timeout():
            await reads.wait()
            assert len(readers()) == 1
            messages.put_nowait({"type": "http.disconnect"})
            await task
            await all_have_gone()
    gate.set()
    await wait_for_run(run)
    assert run.status == "completed"


@pytest.fixture
def requests(monkeypatch):
    """Weak references to all requests that Django makes; the garbage collector is off."""
    made = []

    class Remembered(ASGIRequest):
        def __init__(self, *args):
            super().__init__(*args)
            made.append(weakref.ref(self))

    monkeypatch.setattr(LeanASGIHandler, "request_class", Remembered)
    gc.disable()
    yield made
    gc.enable()


async def test_stream_leaves_no_garbage_to_collect(client_of, alice, script, ask, requests):
    reads = asyncio.Event()

    async def reading(message):
        if b"delta" in message.get("body", b""):
            reads.set()

    run = await ask(await script("slow", Text("one"), Finish("stop")))
    async with hang_timeout(), stream_of(client_of, alice, run, Client(reading).send) as (task, messages):
        await reads.wait()
        messages.put_nowait({"type": "http.disconnect"})
        await task
    await wait_for_run(run)
    assert [request() for request in requests] == [None]


# Start and end --------------------------------------------------------------------------------------------------------


@pytest.fixture
def signals():
    """The signals that reach the server's own handlers."""
    heard = []
    before = {number: signal.signal(number, lambda n, _: heard.append(n)) for number in (signal.SIGTERM, signal.SIGINT)}
    yield heard
    for number, handler in before.items():
        signal.signal(number, handler)


@asynccontextmanager
async def started():
    site = ApplicationCommunicator(application, {"type": "lifespan"})
    await site.send_input({"type": "lifespan.startup"})
    assert await site.receive_output(HANG_TIMEOUT) == {"type": "lifespan.startup.complete"}
    yield
    await site.send_input({"type": "lifespan.shutdown"})
    assert await site.receive_output(HANG_TIMEOUT) == {"type": "lifespan.shutdown.complete"}
    await site.wait(HANG_TIMEOUT)


async def test_lifespan_warms_up_before_the_server_says_that_it_has_started(transactional_db, signals, monkeypatch):
    loaded = []

    async def warm_up():
        loaded.append("the providers")

    monkeypatch.setattr(lifespan, "warm_up", warm_up)
    async with started():
        assert loaded


async def test_lifespan_does_not_wait_forever_for_the_warm_up(transactional_db, signals, monkeypatch):
    ended = asyncio.Event()

    async def warm_up():
        try:
            await nothing_more()
        finally:
            ended.set()

    monkeypatch.setattr(lifespan, "warm_up", warm_up)
    monkeypatch.setattr(lifespan, "WARM_UP_TIMEOUT", 0.01)
    async with started():
        assert not engine.current().is_shutting_down
        assert not ended.is_set()
    async with hang_timeout():
        await ended.wait()


async def test_lifespan_starts_and_shuts_down_the_engine(script, ask, signals):
    async with started():
        here = engine.current()
        assert not here.is_shutting_down
        run = await ask(await script("slow", Text("one"), nothing_more))
        async with hang_timeout():
            async for _, event in engine.follow(run):
                if event and event.type == "TEXT_MESSAGE_CONTENT":
                    break
    assert here.is_shutting_down
    assert not here.tasks
    await run.arefresh_from_db()
    assert (run.status, run.error_code) == ("interrupted", "interrupted")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_signal_ends_streams_before_the_server_shuts_down(script, ask, signals, number):
    async with started():
        run = await ask(await script("slow", Text("one"), nothing_more))
        reading = asyncio.create_task(wait_for_run(run))
        signal.raise_signal(number)
        async with hang_timeout():
            seen = await reading
        assert signals == [number]
        assert not any(event.type.startswith("RUN_FINISHED") for _, event in seen)
