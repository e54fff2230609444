"""What a client may send before Django sees it: headers and bodies; and the threads that requests share."""

import asyncio
import json
import threading

import pytest
from asgiref.sync import sync_to_async

from chat.asgi import bodies, threads
from chat.asgi.bodies import limit_body
from chat.asgi.headers import sanitize
from chat.asgi.threads import MAX_SLOW_PER_ADDRESS, READ_THREADS, share_database_threads
from chatsite.asgi import application
from tests.clients import asgi_request, asgi_response
from tests.timeouts import HANG_TIMEOUT
from tests.waiting import hang_timeout, wait_until


def body_part(body, more_body=False):
    return {"type": "http.request", "body": body, "more_body": more_body}


# Bodies ---------------------------------------------------------------------------------------------------------------


@pytest.fixture
def ten_bytes(settings):
    settings.MAX_BODY_BYTES = 10


def assert_refused(answer, status, code):
    actual_status, headers, body = answer
    assert actual_status == status
    assert headers[b"content-type"] == b"application/json"
    assert int(headers[b"content-length"]) == len(body)
    assert headers[b"connection"] == b"close"  # else the rest of the body would be read as the next request
    assert json.loads(body)["error"]["code"] == code


async def test_body_within_the_limit_arrives_complete(echo, ten_bytes):
    for headers, parts in (
        ([(b"content-length", b"10")], [b"0123456789"]),
        ([], [b"01234", b"56789"]),
        ([(b"content-length", b"0")], [b""]),
        ([], [b"", b"1", b""]),
    ):
        site = asgi_request(limit_body(echo), *headers)
        for place, part in enumerate(parts, 1):
            await site.send_input(body_part(part, more_body=place < len(parts)))
        assert (await asgi_response(site))[2] == b"".join(parts) == echo.bodies[-1]


@pytest.mark.parametrize("length", [b"11", b"9" * 20, b"9" * 5000, b"-1", b"+5", b"1.0", b"abc", b"", "١".encode()])
async def test_body_with_a_bad_or_large_length_is_refused_unread(echo, ten_bytes, length):
    site = asgi_request(limit_body(echo), (b"content-length", length))
    assert_refused(await asgi_response(site), 413, "too_large")
    assert echo.scopes == []


@pytest.mark.parametrize("headers", [[], [(b"content-length", b"5")], [(b"transfer-encoding", b"chunked")]])
async def test_body_that_exceeds_the_limit_is_refused_there(echo, ten_bytes, headers):
    site = asgi_request(limit_body(echo), *headers)
    for part in (b"0123456789", b"x", b"never read"):
        await site.send_input(body_part(part, more_body=True))
    assert_refused(await asgi_response(site), 413, "too_large")
    assert echo.scopes == []
    assert site.input_queue.qsize() == 1


async def test_body_that_does_not_arrive_in_time_is_refused(echo, monkeypatch):
    monkeypatch.setattr(bodies, "BODY_TIMEOUT", 0.05)
    site = asgi_request(limit_body(echo), (b"content-length", b"5"))
    await site.send_input(body_part(b"01", more_body=True))
    assert_refused(await asgi_response(site), 408, "timeout")
    assert echo.scopes == []


async def test_body_of_a_client_that_disconnects_is_not_passed_on(echo):
    site = asgi_request(limit_body(echo))
    await site.send_input(body_part(b"01", more_body=True))
    await site.send_input({"type": "http.disconnect"})
    await site.wait(HANG_TIMEOUT)
    assert echo.scopes == []
    assert site.output_queue.empty()


async def test_disconnect_after_the_body_reaches_the_application():
    heard = []

    async def listening(scope, receive, send):
        heard.extend([(await receive())["type"], (await receive())["type"]])

    site = asgi_request(limit_body(listening))
    await site.send_input(body_part(b"Hi"))
    await site.send_input({"type": "http.disconnect"})
    await site.wait(HANG_TIMEOUT)
    assert heard == ["http.request", "http.disconnect"]


@pytest.fixture
async def cookie(client_of, alice):
    """The header of Alice's session."""
    client = client_of()
    await client.aforce_login(alice)
    return b"cookie", f"sessionid={client.cookies['sessionid'].value}".encode()


LARGE = bodies.MAX_ANONYMOUS_BODY_BYTES + 1


@pytest.mark.parametrize(
    ("path", "length"), [("/", LARGE), ("/api/import", LARGE), ("/api/attachments", 100), ("/api/import", 0)]
)
@pytest.mark.parametrize("session", [None, b"sessionid=nobody", b"sessionid="])
async def test_large_body_without_a_login_is_refused_unread(echo, transactional_db, path, length, session):
    headers = [(b"content-length", str(length).encode())] + ([(b"cookie", session)] if session else [])
    site = asgi_request(limit_body(echo), *headers, path=path)
    assert_refused(await asgi_response(site), 401, "not_authenticated")
    assert echo.scopes == []


async def test_large_body_without_a_login_in_chunks_is_refused_at_the_limit(echo, transactional_db):
    site = asgi_request(limit_body(echo), (b"transfer-encoding", b"chunked"))
    for part in (b"x" * bodies.MAX_ANONYMOUS_BODY_BYTES, b"x", b"never read"):
        await site.send_input(body_part(part, more_body=True))
    assert_refused(await asgi_response(site), 401, "not_authenticated")
    assert site.input_queue.qsize() == 1


async def test_large_body_of_an_inactive_user_is_refused(echo, alice, cookie):
    alice.is_active = False
    await alice.asave()
    site = asgi_request(limit_body(echo), cookie, (b"content-length", str(LARGE).encode()))
    assert_refused(await asgi_response(site), 401, "not_authenticated")


async def test_large_body_of_a_user_is_written_to_disk_once(cookie):
    taken = []

    async def taking(scope, receive, send):
        assert receive.take_file is not None
        file = receive.take_file()
        taken.append((file._rolled, file.read()))
        assert (await receive())["type"] == "http.disconnect"

    site = asgi_request(limit_body(taking), cookie, path="/api/import")
    parts = [bytes([number]) * 50_000 for number in range(10)]
    for place, part in enumerate(parts, 1):
        await site.send_input(body_part(part, more_body=place < len(parts)))
    await site.send_input({"type": "http.disconnect"})
    await site.wait(HANG_TIMEOUT)
    assert taken == [(True, b"".join(parts))]


async def test_large_body_reaches_another_application_in_parts(echo, cookie):
    site = asgi_request(limit_body(echo), cookie)
    parts = [b"a" * 100_000, b"b" * 100_000]
    for place, part in enumerate(parts, 1):
        await site.send_input(body_part(part, more_body=place < len(parts)))
    assert (await asgi_response(site))[2] == b"".join(parts)


async def test_body_that_arrives_slowly_but_steadily_is_taken(echo, cookie, advance_clock):
    part = b"x" * bodies.MIN_BODY_RATE
    site = asgi_request(limit_body(echo), cookie, (b"content-length", b"%d" % (20 * len(part))))
    for place in range(1, 21):
        await site.send_input(body_part(part, more_body=place < 20))
        await wait_until(site.input_queue.empty)
        advance_clock(1.5)  # all of it takes more than BODY_TIMEOUT
        for _ in range(2):  # the timer fires between them
            await asyncio.sleep(0)
    assert (await asgi_response(site))[2] == part * 20


async def test_bodies_of_one_address_at_a_time_are_limited(echo, monkeypatch):
    monkeypatch.setattr(bodies, "MAX_BODIES_PER_ADDRESS", 2)
    app, client, header = limit_body(echo), {"client": ("127.0.0.9", 1)}, (b"content-length", b"5")
    dripping = [asgi_request(app, header, **client) for _ in range(2)]
    for site in dripping:
        await site.send_input(body_part(b"0", more_body=True))
    await asyncio.sleep(0)
    refused = asgi_request(app, header, **client)
    answer = await asgi_response(refused)
    assert_refused(answer, 429, "too_many_requests")
    assert answer[1][b"retry-after"] == b"2"
    other = asgi_request(app, header, client=("127.0.0.8", 1))
    await other.send_input(body_part(b"01234"))
    assert (await asgi_response(other))[0] == 200
    empty = asgi_request(app, **client)
    await empty.send_input(body_part(b""))
    assert (await asgi_response(empty))[0] == 200
    for site in dripping:
        await site.send_input({"type": "http.disconnect"})
        await site.wait(HANG_TIMEOUT)
    again = asgi_request(app, header, **client)
    await again.send_input(body_part(b"01234"))
    assert (await asgi_response(again))[0] == 200


async def test_uploads_of_one_user_at_a_time_are_limited(cookie, monkeypatch):
    monkeypatch.setattr(bodies, "MAX_UPLOADS_PER_USER", 1)
    gate, started = asyncio.Event(), []

    async def working(scope, receive, send):
        started.append(scope)
        await gate.wait()

    app = limit_body(working)
    two = [asgi_request(app, cookie, path="/api/import") for _ in range(2)]
    for site in two:
        await site.send_input(body_part(b"x"))
    await wait_until(lambda: started)
    assert len(started) == 1
    assert sum(site.input_queue.qsize() for site in two) == 1  # the other is not read
    gate.set()
    for site in two:
        await site.wait(HANG_TIMEOUT)
    assert len(started) == 2


# Headers --------------------------------------------------------------------------------------------------------------


MANY = [(f"x-{number}".encode(), b"x" * 7_000) for number in range(5)]


@pytest.mark.parametrize(
    "headers",
    [
        [(b"content-type", b'a/b;x="' + b";" * 200_000)],
        [(b"content-type", b'a/b;x="' + b";" * 600)] * 2,
        [(b"cookie", b'a="' + rb"\"" * 5_000)],
        [(b"x", b"")] * 101,
        MANY,
    ],
    ids=["content type", "two content types", "cookie", "number", "all together"],
)
@pytest.mark.parametrize("kind", ["http", "websocket"])
@pytest.mark.parametrize("path", ["/", "/health", "/ws/news"])
async def test_headers_that_are_too_large_are_refused(headers, kind, path):
    site = asgi_request(application, (b"host", b"testserver"), *headers, type=kind, path=path, subprotocols=[])
    if kind == "http":
        await site.send_input(body_part(b""))
        assert_refused(await asgi_response(site), 431, "headers_too_large")
    else:
        await site.send_input({"type": "websocket.connect"})
        assert await site.receive_output(HANG_TIMEOUT) == {"type": "websocket.close", "code": 4431}


async def test_url_that_is_too_long_is_refused():
    site = asgi_request(application, query_string=b"q" * 10_000)
    await site.send_input(body_part(b""))
    assert_refused(await asgi_response(site), 431, "headers_too_large")


@pytest.mark.parametrize("content_type", [b"a/b; x*=nope''a", b"a/b; charset*=utf-8''a%00b", b"a/b; charset*=idna''a"])
async def test_content_type_that_cannot_be_read_is_a_bad_request(transactional_db, content_type):
    headers = [(b"host", b"testserver"), (b"content-type", content_type)]
    site = asgi_request(application, *headers, path="/api/assistants")
    await site.send_input(body_part(b""))
    assert (await asgi_response(site))[0] == 400


@pytest.mark.parametrize("cookie", [rb'sessionid="\000abc"', rb'sessionid="abc\0\00000"', b'a="' + rb"\"" * 600 + b'"'])
async def test_cookie_that_no_browser_sends_is_dropped(cookie):
    assert sanitize({"headers": [(b"cookie", cookie), (b"x", b"1")]})["headers"] == [(b"x", b"1")]


# Threads --------------------------------------------------------------------------------------------------------------


async def test_database_threads_are_shared_by_all_connections():
    here, everybody, seen = [], asyncio.Event(), {}

    async def asking(scope, receive, send):
        here.append(scope["path"])
        if len(here) == 100:
            everybody.set()
        await everybody.wait()
        seen[scope["path"]] = {await sync_to_async(threading.get_ident)() for _ in range(3)}

    app = share_database_threads(asking)
    await asyncio.gather(*(app({"path": f"/{number}"}, None, None) for number in range(100)))
    assert {len(threads) for threads in seen.values()} == {1}
    assert len(set.union(*seen.values())) == READ_THREADS


async def test_writes_and_reads_have_separate_database_threads():
    used = {}

    async def asking(scope, receive, send):
        used.setdefault(scope.get("method", "socket"), set()).add(await sync_to_async(threading.get_ident)())

    app = share_database_threads(asking)
    scopes = [{"type": "http", "method": method} for method in ("GET", "HEAD", "POST", "PATCH", "DELETE")]
    for scope in [*scopes, {"type": "websocket"}] * 8:
        await app({"path": "/", **scope}, None, None)
    reading = used["GET"] | used["HEAD"]
    writing = set.union(*(threads for method, threads in used.items() if method not in ("GET", "HEAD")))
    assert not reading & writing


@pytest.fixture
def slow_path():
    """`asking` is an application that calls a thread for each request; for the path that is `slow`, a thread that
    waits for `gate`. `answered` has the paths of the requests that are done."""
    gate = threading.Event()

    class Asking:
        slow = "/slow"

        def __init__(self):
            self.answered = []
            self.gate = gate

        async def __call__(self, scope, receive, send):
            await sync_to_async(gate.wait if scope["path"] == self.slow else int)()
            self.answered.append(scope["path"])

    yield Asking()
    gate.set()


async def test_database_thread_with_a_slow_query_delays_no_other(slow_path):
    app = share_database_threads(slow_path)
    slow = asyncio.create_task(app({"path": "/slow"}, None, None))
    await asyncio.sleep(0)
    async with hang_timeout():
        await asyncio.gather(*(app({"path": f"/{number}"}, None, None) for number in range(1, READ_THREADS)))
    assert "/slow" not in slow_path.answered
    slow_path.gate.set()
    await slow


@pytest.mark.parametrize(
    "path",
    [
        "/admin/",
        "/admin/chat/run/",
        "/api/export",
        "/api/conversations/0b6e9a52-7b0c-4a5e-9a53-6c4f0e1f2a3b/export",
        "/api/import",
        "/api/attachments",
    ],
)
async def test_database_threads_are_not_taken_by_slow_paths(slow_path, path):
    slow_path.slow = path
    app = share_database_threads(slow_path)
    client = {"client": ("127.0.0.9", 1)}
    slow = [asyncio.create_task(app({"path": path, **client}, None, None)) for _ in range(MAX_SLOW_PER_ADDRESS)]
    await asyncio.sleep(0)
    async with hang_timeout():
        await asyncio.gather(*(app({"path": f"/api/{number}"}, None, None) for number in range(READ_THREADS)))
    assert path not in slow_path.answered
    slow_path.gate.set()
    await asyncio.gather(*slow)


async def test_database_threads_for_slow_paths_have_a_queue_of_limited_length(slow_path, monkeypatch):
    monkeypatch.setattr(threads, "MAX_SLOW_PER_ADDRESS", 1)
    monkeypatch.setattr(threads, "MAX_WAITING_PER_ADDRESS", 1)
    slow_path.slow = "/admin/"
    app = share_database_threads(slow_path)
    headers = [(b"accept", b"text/html")]
    two = [asgi_request(app, path="/admin/", client=("127.0.0.9", 1)) for _ in range(2)]
    for request in two:
        await request.send_input(body_part(b""))
    await asyncio.sleep(0)
    status, headers, page = await asgi_response(asgi_request(app, *headers, path="/admin/", client=("127.0.0.9", 2)))
    assert (status, headers[b"retry-after"]) == (429, b"2")
    assert headers[b"content-type"] == b"text/html; charset=utf-8"
    assert "too many requests in progress" in page.decode()
    slow_path.gate.set()
    for request in two:
        await request.wait(HANG_TIMEOUT)
