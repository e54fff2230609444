"""Runs of one server process whose readers are on another: what they get, and what they get when it is killed."""

import itertools
from contextlib import closing

import psycopg
import pytest

from chat.events import fold
from scripts import redis_server
from scripts.postgresql import TemporaryServer, programs_folder
from scripts.redis_server import TemporaryRedis
from tests.live.outages import WORDS, Cluster, follower
from tests.server_process import free_port

pytestmark = [pytest.mark.process, pytest.mark.slow]

RUNS, READERS = 4, 3
needs_redis = pytest.mark.skipif(redis_server.program() is None, reason="Redis is not installed")
needs_postgresql = pytest.mark.skipif(programs_folder() is None, reason="PostgreSQL is not installed")
numbers = itertools.count(1)


@pytest.fixture(scope="module")
def server():
    with TemporaryServer(programs_folder(), free_port()) as server:
        yield server


def new_database(server):
    name = f"site{next(numbers)}"
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return {"DATABASE_URL": f"{server.url.rpartition('/')[0]}/{name}"}


@pytest.fixture(scope="module")
def redis_url():
    with TemporaryRedis(free_port()) as server:
        yield server.url


@pytest.fixture(
    params=[
        "sqlite",
        pytest.param("postgresql", marks=needs_postgresql),
        pytest.param("relay", marks=[needs_postgresql, needs_redis]),
    ]
)
def cluster(request, tmp_path):
    environment = {} if request.param == "sqlite" else new_database(request.getfixturevalue("server"))
    if request.param == "relay":
        environment["REDIS_URL"] = request.getfixturevalue("redis_url")
    with Cluster(tmp_path, 2, **environment) as cluster:
        yield cluster.start()


def assert_read(cluster, reader, reply):
    """The reader had each event once, in order, and what it had is what is stored."""
    cluster.wait_until(lambda: reader.has_ended, "the reader has the end")
    assert reader.refusals == []
    assert [seq for seq, _ in reader.events] == sorted({seq for seq, _ in reader.events})
    assert fold(event for _, event in reader.events) == reply["parts"]
    assert reader.text == reply["text"]


def has_relay(cluster):
    return "REDIS_URL" in cluster.sites[0].environment


def was_replaced(cluster, reader, reply):
    """Whether the reader, ahead of the journal through the relay, got the stored message in place of what it had."""
    cluster.wait_until(lambda: reader.has_ended, "the reader has the end")
    *_, started, snapshot, _ = [event for _, event in reader.events]
    if (started.type, snapshot.type) != ("RUN_STARTED", "MESSAGES_SNAPSHOT"):
        return False
    assert snapshot.messages[-1]["content"] == reply["text"]
    return True


def test_readers_of_both_processes_read_the_same(cluster, tmp_path):
    gate = tmp_path / "gate"
    with closing(cluster.sites[0].login("alice")) as here, closing(cluster.sites[1].login("alice")) as there:
        runs = [here.ask(str(gate), assistant="count") for _ in range(RUNS)]
        readers = {run["run_id"]: [follower(here, run), follower(there, run)] for run in runs}
        for number in range(1, READERS):  # come later
            for each in readers.values():
                cluster.wait_until(
                    lambda each=each, n=number: each[-1].words > n * WORDS, "the answer is read elsewhere"
                )
            for run in runs:
                readers[run["run_id"]].append(follower(there, run))
        gate.touch()
        for run in runs:
            reply = here.wait_for_end(run)
            assert reply["status"] == "completed"
            for reader in readers[run["run_id"]]:
                assert_read(cluster, reader, reply)


def test_readers_elsewhere_stay_when_the_process_is_killed(cluster, tmp_path):
    with closing(cluster.sites[0].login("alice")) as here, closing(cluster.sites[1].login("alice")) as there:
        run = here.ask(str(tmp_path / "gate"), assistant="count")
        readers = [follower(there, run) for _ in range(READERS)]
        cluster.wait_until(lambda: all(reader.words > WORDS for reader in readers), "the answer is read elsewhere")
        cluster.sites[0].kill()
        reply = there.wait_for_end(run)
        assert reply["status"] == "interrupted"
        for reader in readers:
            if not (has_relay(cluster) and was_replaced(cluster, reader, reply)):
                assert_read(cluster, reader, reply)
