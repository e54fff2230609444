"""`manage.py serve` as a process, while clients do what clients should not."""

import asyncio
import http.client
import os
import signal
import socket
import time
from contextlib import ExitStack, closing
from pathlib import Path

import httpx
import pytest

from tests.server_process import PASSWORD, Site, poll_until
from tests.timeouts import HANG_TIMEOUT

pytestmark = [pytest.mark.process, pytest.mark.slow]

ATTACKER = "127.0.0.66"
HEAD = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n"
LIMITS = {"MAX_CONNECTIONS": "150", "MAX_CONNECTIONS_PER_ADDRESS": "100", "HEAD_TIMEOUT": "2"}


class Server(Site):
    def connect(self, sends=b"", address=ATTACKER):
        connection = socket.create_connection(
            ("127.0.0.1", self.port), timeout=HANG_TIMEOUT, source_address=(address, 0)
        )
        connection.sendall(sends)
        return connection

    def memory(self):
        """Returns the resident memory in bytes."""
        return int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def health_seconds(self):
        """How long the server takes to answer: the best of three, as the machine may have other things to do."""

        def once():
            start = time.monotonic()
            assert self.get("/health").status_code == 200
            return time.monotonic() - start

        return min(once() for _ in range(3))

    def get(self, path):
        return httpx.get(f"{self.url}{path}", timeout=HANG_TIMEOUT)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    site = Server(tmp_path_factory.mktemp("site"), **LIMITS).start()
    yield site
    site.close()


def is_closed(connection):
    try:
        while connection.recv(65536):
            pass
    except ConnectionError:
        pass
    return True


@pytest.mark.parametrize("sends", [b"", HEAD], ids=["silent", "half a request"])
def test_server_accepts_connections_while_many_clients_send_no_request(site, sends):
    with ExitStack() as stack:
        idle = [stack.enter_context(site.connect(sends, f"127.0.0.{70 + n % 4}")) for n in range(400)]
        assert site.health_seconds() < 2
        assert site.get("/accounts/login/").status_code == 200
        assert all(is_closed(connection) for connection in idle)


def test_server_accepts_connections_while_one_address_sends_no_request(site):
    with ExitStack() as stack:
        for _ in range(300):
            stack.enter_context(site.connect(HEAD))
        assert site.get("/accounts/login/").status_code == 200


def test_server_logs_its_own_refusals_once(tmp_path):
    server = Server(tmp_path, log=tmp_path / "log", **LIMITS)
    with closing(server.start()):
        for _ in range(5):
            with server.connect(b"BREW / HTTP/9.9\r\n\r\n") as connection:
                assert is_closed(connection)
    lines = [line for line in (tmp_path / "log").read_text().splitlines() if "Invalid HTTP request" in line]
    assert len(lines) == 1
    assert "WARNING uvicorn.error: Invalid HTTP request received." in lines[0]


def test_server_answers_health_while_bodies_arrive_slowly(site):
    start = b"POST /accounts/login/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n\r\nx"
    with ExitStack() as stack:
        for n in range(150):
            stack.enter_context(site.connect(start, f"127.0.0.{80 + n % 3}"))
        assert poll_until(lambda: site.get("/accounts/login/").status_code == 503)
        refused = site.get("/accounts/login/")
        assert refused.headers["Retry-After"] == "2"
        assert site.health_seconds() < 2
    assert poll_until(lambda: site.get("/accounts/login/").status_code == 200)


def test_server_reads_no_large_body_without_a_login(site):
    before = site.memory()
    part = b"x" * 65536
    for headers in (b"Content-Length: 100000000", b"Transfer-Encoding: chunked"):
        with ExitStack() as stack:
            head = b"POST /api/import HTTP/1.1\r\nHost: 127.0.0.1\r\n" + headers + b"\r\n\r\n"
            for connection in [stack.enter_context(site.connect(head)) for _ in range(20)]:
                try:
                    for _ in range(100):
                        connection.sendall(b"10000\r\n" + part + b"\r\n" if b"chunked" in headers else part)
                except ConnectionError:
                    continue  # it was refused and closed
                assert connection.recv(12) == b"HTTP/1.1 401"
    assert site.memory() - before < 20_000_000


def test_server_takes_a_large_body_of_a_user_from_disk(site):
    alice = site.login("alice")
    before = site.memory()
    answer = alice.post("/api/attachments", files={"file": ("large.png", b"\x89PNG\r\n\x1a\n" + bytes(9_000_000))})
    assert answer.status_code == 415, answer.text
    assert site.memory() - before < 20_000_000


def test_server_lets_another_address_log_in_during_many_attempts(site):
    async def login(address, password):
        transport = httpx.AsyncHTTPTransport(local_address=address)
        async with httpx.AsyncClient(base_url=site.url, transport=transport, timeout=HANG_TIMEOUT) as client:
            await client.get("/accounts/login/")
            form = {"username": "alice", "password": password, "csrfmiddlewaretoken": client.cookies["csrftoken"]}
            return (await client.post("/accounts/login/", data=form)).status_code

    async def attack():
        attempts = [asyncio.create_task(login(ATTACKER, "wrong")) for _ in range(90)]
        await asyncio.wait(attempts, return_when=asyncio.FIRST_COMPLETED)
        own = await login("127.0.0.1", PASSWORD)
        return own, await asyncio.gather(*attempts)

    own, others = asyncio.run(attack())
    assert own == 302
    assert set(others) == {200, 429}
    assert others.count(200) <= 40


def test_server_raises_its_limit_of_files_and_stops(tmp_path):
    server = Server(tmp_path)
    server.command = ["sh", "-c", 'ulimit -Sn 256; exec "$0" "$@"', *server.command]
    server.start()
    try:
        limits = Path(f"/proc/{server.process.pid}/limits").read_text()
        soft, hard = next(line.split()[3:5] for line in limits.splitlines() if line.startswith("Max open files"))
        assert soft == hard != "256"
        connection = http.client.HTTPConnection("127.0.0.1", server.port)
        connection.request("GET", "/health")
        assert connection.getresponse().read()
        assert server.stop() < max(10, server.start_seconds)
        assert server.process.returncode in (0, -signal.SIGTERM)
    finally:
        server.close()
