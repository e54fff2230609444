"""What the site does around Django: bounds on bodies and sends, few database threads, start and end."""

import asyncio
import gc
import json
import signal
import threading
import weakref
from contextlib import asynccontextmanager

import pytest
from asgiref.sync import sync_to_async
from asgiref.testing import ApplicationCommunicator
from django.core.handlers.asgi import ASGIRequest

from chat import access, engine, server
from chat.events import Finish, Text
from chatsite.asgi import application

from .conftest import over


class Echo:
    """An application that gives back the body it got, and remembers what it saw."""

    def __init__(self):
        self.scopes, self.bodies, self.left = [], [], 0

    async def __call__(self, scope, receive, send):
        self.scopes.append(scope)
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.left += 1
                return
            body += message["body"]
            more = message["more_body"]
        self.bodies.append(body)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body})


@pytest.fixture
def echo():
    return Echo()


def request(app, *headers, **scope):
    scope = {"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": list(headers)} | scope
    return ApplicationCommunicator(app, scope)


async def answer_of(site):
    """(status, headers, body) of the whole answer."""
    start = await site.receive_output(10)
    body, more = b"", True
    while more:
        message = await site.receive_output(10)
        body += message["body"]
        more = message.get("more_body", False)
    await site.wait(10)
    return start["status"], dict(start["headers"]), body


def body_part(body, more_body=False):
    return {"type": "http.request", "body": body, "more_body": more_body}


# Bodies ---------------------------------------------------------------------------------------------------------------


@pytest.fixture
def ten_bytes(settings):
    settings.MAX_BODY_BYTES = 10


def assert_refused(answer, status, code):
    told, headers, body = answer
    assert told == status
    assert headers[b"content-type"] == b"application/json"
    assert int(headers[b"content-length"]) == len(body)
    assert headers[b"connection"] == b"close"  # else the rest of the body would be read as the next request
    assert json.loads(body)["error"]["code"] == code


async def test_a_body_within_the_bound_arrives_whole(echo, ten_bytes):
    for headers, parts in (
        ([(b"content-length", b"10")], [b"0123456789"]),
        ([], [b"01234", b"56789"]),
        ([(b"content-length", b"0")], [b""]),
        ([], [b"", b"1", b""]),
    ):
        site = request(server.bounded_body(echo), *headers)
        for place, part in enumerate(parts, 1):
            await site.send_input(body_part(part, more_body=place < len(parts)))
        assert (await answer_of(site))[2] == b"".join(parts) == echo.bodies[-1]


@pytest.mark.parametrize("length", [b"11", b"9" * 20, b"9" * 5000, b"-1", b"+5", b"1.0", b"abc", b"", "١".encode()])
async def test_a_length_beyond_the_bound_is_refused_before_the_body(echo, ten_bytes, length):
    site = request(server.bounded_body(echo), (b"content-length", length))
    assert_refused(await answer_of(site), 413, "too_large")
    assert echo.scopes == []


@pytest.mark.parametrize("headers", [[], [(b"content-length", b"5")], [(b"transfer-encoding", b"chunked")]])
async def test_a_body_that_grows_beyond_the_bound_is_refused_there(echo, ten_bytes, headers):
    site = request(server.bounded_body(echo), *headers)
    for part in (b"0123456789", b"x", b"never read"):
        await site.send_input(body_part(part, more_body=True))
    assert_refused(await answer_of(site), 413, "too_large")
    assert echo.scopes == []
    assert site.input_queue.qsize() == 1


async def test_a_body_that_does_not_arrive_is_refused(echo, monkeypatch):
    monkeypatch.setattr(server, "BODY_TIMEOUT", 0.05)
    site = request(server.bounded_body(echo), (b"content-length", b"5"))
    await site.send_input(body_part(b"01", more_body=True))
    assert_refused(await answer_of(site), 408, "timeout")
    assert echo.scopes == []


async def test_a_client_that_leaves_while_it_sends_is_forgotten(echo):
    site = request(server.bounded_body(echo))
    await site.send_input(body_part(b"01", more_body=True))
    await site.send_input({"type": "http.disconnect"})
    await site.wait(10)
    assert echo.scopes == []
    assert site.output_queue.empty()


async def test_the_application_hears_that_its_client_left():
    heard = []

    async def listening(scope, receive, send):
        heard.extend([(await receive())["type"], (await receive())["type"]])

    site = request(server.bounded_body(listening))
    await site.send_input(body_part(b"Hi"))
    await site.send_input({"type": "http.disconnect"})
    await site.wait(10)
    assert heard == ["http.request", "http.disconnect"]


# Paths ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["http", "websocket"])
async def test_no_client_moves_the_root_of_the_site(transactional_db, kind):
    """Daphne takes `Daphne-Root-Path` from any client: /x/admin/ would be /admin/, past what a proxy allows."""
    path = {"http": "/x/admin/", "websocket": "/x/ws/conversations/0b6e9a52-7b0c-4a5e-9a53-6c4f0e1f2a3b"}[kind]
    headers = [(b"host", b"testserver")]
    site = request(application, *headers, type=kind, method="GET", path=path, root_path="/x", subprotocols=[])
    if kind == "http":
        await site.send_input(body_part(b""))
        status, told, _ = await answer_of(site)
        assert (status, told.get(b"Location")) == (404, None)
    else:
        await site.send_input({"type": "websocket.connect"})
        with pytest.raises(ValueError, match="No route found"):
            await site.wait(10)
        assert site.output_queue.empty()


async def test_a_cookie_that_spells_nul_is_nobodys_session(transactional_db):
    headers = [(b"host", b"testserver"), (b"cookie", rb'sessionid="\000abcdefghijklmnop"')]
    site = request(application, *headers, method="GET", path="/api/assistants")
    await site.send_input(body_part(b""))
    status, _, body = await answer_of(site)
    assert (status, json.loads(body)["error"]["code"]) == (401, "not_authenticated")


# Sends ----------------------------------------------------------------------------------------------------------------


class Client:
    """Takes a message whenever it is let; `cut` is how many waited in vain."""

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
    monkeypatch.setattr(server, "SEND_TIMEOUT", 0.1)


async def test_a_client_that_takes_nothing_is_cut(impatient):
    ended = []

    async def talking(scope, receive, send):
        try:
            while True:
                await send({"type": "http.response.body", "body": b"x", "more_body": True})
        finally:
            ended.append(True)

    client = Client(never)
    async with asyncio.timeout(5):
        await server.bounded_send(talking)({}, nothing_more, client.send)
    assert (ended, client.taken, client.cut) == ([True], [], 1)
    assert not asyncio.current_task().cancelling()


async def test_a_slow_client_is_not_cut(impatient):
    async def slowly(message):
        await asyncio.sleep(0.06)

    async def talking(scope, receive, send):
        for number in range(5):
            await send(number)

    client = Client(slowly)
    await server.bounded_send(talking)({}, nothing_more, client.send)
    assert client.taken == [0, 1, 2, 3, 4]


async def test_silence_of_the_application_is_not_cut(impatient):
    async def thinking(scope, receive, send):
        await send(1)
        await asyncio.sleep(0.35)
        await send(2)

    client = Client()
    await server.bounded_send(thinking)({}, nothing_more, client.send)
    assert client.taken == [1, 2]


async def test_a_server_that_cancels_is_obeyed(impatient):
    async def thinking(scope, receive, send):
        await nothing_more()

    task = asyncio.create_task(server.bounded_send(thinking)({}, nothing_more, Client().send))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_an_applications_error_is_the_servers_to_see(impatient):
    async def broken(scope, receive, send):
        raise RuntimeError("nobody expected this")

    with pytest.raises(RuntimeError):
        await server.bounded_send(broken)({}, nothing_more, Client().send)


@asynccontextmanager
async def stream_of(client_of, person, run, send):
    """The run's stream through the whole site; gives the task and the queue of what the server says to it."""
    client, said = client_of(), asyncio.Queue()
    await client.aforce_login(person)
    said.put_nowait(body_part(b""))
    cookie = f"sessionid={client.cookies['sessionid'].value}".encode()
    scope = {"type": "http", "method": "GET", "path": run.events_url, "query_string": b""}
    scope["headers"] = [(b"host", b"testserver"), (b"cookie", cookie)]
    task = asyncio.create_task(application(scope, said.get, send))
    try:
        yield task, said
    finally:
        task.cancel()
        await asyncio.wait([task])


def readers():
    return access._books[asyncio.get_running_loop()][0]


async def all_have_gone():
    while readers():
        await asyncio.sleep(0.01)


async def test_a_reader_that_takes_nothing_is_let_go_of(client_of, alice, script, ask, impatient):
    gate, waits = asyncio.Event(), asyncio.Event()

    async def first_words_only(message):
        if b"delta" in message.get("body", b""):
            waits.set()
            await never(message)

    run = await ask(await script("slow", Text("one"), gate.wait, Finish("stop")))
    client = Client(first_words_only)
    before = asyncio.all_tasks()
    async with stream_of(client_of, alice, run, client.send) as (task, _):
        async with asyncio.timeout(5):
            await waits.wait()
            assert len(readers()) == 1
            await task
            await all_have_gone()
        assert client.cut == 1
    left = {one.get_coro().__qualname__ for one in asyncio.all_tasks() - before - {task}}
    assert not {name for name in left if "ASGIHandler" in name}
    gate.set()
    await over(run)
    assert run.status == "completed"


async def test_a_reader_that_leaves_is_let_go_of(client_of, alice, script, ask):
    gate, reads = asyncio.Event(), asyncio.Event()

    async def reading(message):
        if b"delta" in message.get("body", b""):
            reads.set()

    run = await ask(await script("slow", Text("one"), gate.wait, Finish("stop")))
    async with stream_of(client_of, alice, run, Client(reading).send) as (task, said):
        async with asyncio.timeout(5):
            await reads.wait()
            assert len(readers()) == 1
            said.put_nowait({"type": "http.disconnect"})
            await task
            await all_have_gone()
    gate.set()
    await over(run)
    assert run.status == "completed"


@pytest.fixture
def requests(monkeypatch):
    """Weak references to all requests that Django makes, while no collector looks for those that hold each other."""
    made = []

    class Remembered(ASGIRequest):
        def __init__(self, *args):
            super().__init__(*args)
            made.append(weakref.ref(self))

    monkeypatch.setattr(server.Django, "request_class", Remembered)
    gc.disable()
    yield made
    gc.enable()


async def test_a_reader_that_leaves_leaves_nothing_to_the_collector(client_of, alice, script, ask, requests):
    reads = asyncio.Event()

    async def reading(message):
        if b"delta" in message.get("body", b""):
            reads.set()

    run = await ask(await script("slow", Text("one"), Finish("stop")))
    async with asyncio.timeout(5), stream_of(client_of, alice, run, Client(reading).send) as (task, said):
        await reads.wait()
        said.put_nowait({"type": "http.disconnect"})
        await task
    await over(run)
    assert [request() for request in requests] == [None]


# Threads --------------------------------------------------------------------------------------------------------------


async def test_any_number_of_connections_share_a_few_threads():
    here, everybody, seen = [], asyncio.Event(), {}

    async def asking(scope, receive, send):
        here.append(scope)
        if len(here) == 100:
            everybody.set()
        await everybody.wait()
        seen[scope] = {await sync_to_async(threading.get_ident)() for _ in range(3)}

    app = server.few_threads(asking)
    await asyncio.gather(*(app(number, None, None) for number in range(100)))
    assert {len(threads) for threads in seen.values()} == {1}
    assert len(set.union(*seen.values())) == server.DATABASE_THREADS


async def test_a_slow_query_holds_up_only_those_who_share_its_thread():
    gate, answered = threading.Event(), []

    async def asking(scope, receive, send):
        await sync_to_async(gate.wait if scope == "slow" else int)()
        answered.append(scope)

    app = server.few_threads(asking)
    slow = asyncio.create_task(app("slow", None, None))
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        await asyncio.gather(*(app(number, None, None) for number in range(1, server.DATABASE_THREADS)))
    assert "slow" not in answered
    gate.set()
    await slow


# Start and end --------------------------------------------------------------------------------------------------------


@pytest.fixture
def signals():
    """The signals that arrive where the server listens for them; ours put themselves before it."""
    heard = []
    before = {number: signal.signal(number, lambda n, _: heard.append(n)) for number in (signal.SIGTERM, signal.SIGINT)}
    yield heard
    for number, handler in before.items():
        signal.signal(number, handler)


@asynccontextmanager
async def started():
    site = ApplicationCommunicator(application, {"type": "lifespan"})
    await site.send_input({"type": "lifespan.startup"})
    assert await site.receive_output(10) == {"type": "lifespan.startup.complete"}
    yield
    await site.send_input({"type": "lifespan.shutdown"})
    assert await site.receive_output(10) == {"type": "lifespan.shutdown.complete"}
    await site.wait(10)


async def test_the_engine_starts_and_leaves_with_the_server(script, ask, signals):
    async with started():
        here = engine.here()
        assert not here.leaving
        run = await ask(await script("slow", Text("one"), nothing_more))
        async with asyncio.timeout(5):
            async for _, event in engine.follow(run):
                if event and event.type == "TEXT_MESSAGE_CONTENT":
                    break
    assert here.leaving
    assert not here.tasks
    await run.arefresh_from_db()
    assert (run.status, run.error_code) == ("interrupted", "interrupted")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_readers_are_let_go_as_soon_as_the_server_is_told_to_end(script, ask, signals, number):
    async with started():
        run = await ask(await script("slow", Text("one"), nothing_more))
        reading = asyncio.create_task(over(run))
        signal.raise_signal(number)
        async with asyncio.timeout(2):
            seen = await reading
        assert signals == [number]
        assert not any(event.type.startswith("RUN_FINISHED") for _, event in seen)
