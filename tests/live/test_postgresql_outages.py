"""PostgreSQL restarted, frozen, away, read-only or out of connections, with one server process and with two."""

import itertools
import os
import signal
import threading
from contextlib import ExitStack, contextmanager, suppress

import psycopg
import pytest

from scripts.postgresql import TemporaryServer, programs_folder
from tests.live.outages import Cluster, scene
from tests.server_process import free_port
from tests.timeouts import HANG_TIMEOUT

pytestmark = [
    pytest.mark.process,
    pytest.mark.slow,
    pytest.mark.skipif(programs_folder() is None, reason="PostgreSQL is not installed"),
]

AWAY = "cannot be reached"


class Server(TemporaryServer):
    """A PostgreSQL server that can be frozen."""

    def __exit__(self, *error):
        try:
            self.thaw()
        finally:
            super().__exit__(*error)

    def freeze(self):
        self._send(signal.SIGSTOP)

    def thaw(self):
        self._send(signal.SIGCONT)

    def _send(self, number):
        for process in self.processes():
            with suppress(ProcessLookupError):  # it has ended meanwhile
                os.kill(process, number)

    def execute(self, *statements):
        with psycopg.connect(self.url, autocommit=True, connect_timeout=5) as connection:
            return [connection.execute(statement) for statement in statements]


@pytest.fixture(scope="module")
def server():
    with Server(programs_folder(), free_port(), max_connections=60) as server:
        server.execute("CREATE ROLE site LOGIN", "CREATE ROLE others LOGIN")
        yield server


numbers = itertools.count(1)


@pytest.fixture(scope="module", params=[1, 2], ids=["one process", "two processes"])
def cluster(request, server, tmp_path_factory):
    name = f"site{next(numbers)}"  # this fixture may be set up twice: see xdist's worksteal
    server.execute(f"CREATE DATABASE {name} OWNER site")
    url = f"postgres://site@127.0.0.1:{server.port}/{name}"
    with Cluster(tmp_path_factory.mktemp("site"), request.param, DATABASE_URL=url) as cluster:
        yield cluster.start()


def test_restarted(cluster, server, tmp_path):
    with scene(cluster, tmp_path / "gate") as users:
        for _ in range(2):
            server.stop()
            server.start()
            users.wait_until_accepted()
        users.assert_back()


def test_away(cluster, server, tmp_path):
    with scene(cluster, tmp_path / "gate") as users:
        server.stop()
        try:
            users.assert_down(AWAY, "database_unavailable")
        finally:
            server.start()
        users.assert_back()


def test_frozen(cluster, server, tmp_path):
    with scene(cluster, tmp_path / "gate") as users:
        server.freeze()
        try:
            users.assert_down("", "database_unavailable")
        finally:
            server.thaw()
        users.assert_back()


def test_read_only(cluster, server, tmp_path):
    with scene(cluster, tmp_path / "gate") as users:
        server.execute("ALTER SYSTEM SET default_transaction_read_only = on", "SELECT pg_reload_conf()")
        try:
            users.assert_down("read-only", "database_read_only")
        finally:
            server.execute(
                "SET default_transaction_read_only = off",
                "ALTER SYSTEM RESET default_transaction_read_only",
                "SELECT pg_reload_conf()",
            )
        users.assert_back()


@contextmanager
def no_connections_left(server):
    """Another program takes all connections, also those that the site had."""
    taken, stop = ExitStack(), threading.Event()

    def take():
        while not stop.is_set():
            try:
                url = server.url.replace("postgres@", "others@")
                taken.enter_context(psycopg.connect(url, connect_timeout=5))
            except psycopg.OperationalError:
                server.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'site'")
                stop.wait(0.05)

    thread = threading.Thread(target=take, daemon=True)
    with taken:
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join(HANG_TIMEOUT)


def test_out_of_connections(cluster, server, tmp_path):
    with scene(cluster, tmp_path / "gate") as users:
        with no_connections_left(server):
            users.assert_down(AWAY, "database_unavailable")
        users.assert_back()
