"""Two server processes with a relay, while its Redis server dies, freezes, forgets, is full or refuses them.

Readers go on in each of these, and all that was accepted and written is there once; see tests.live.outages.
"""

import pytest
import redis

from scripts import redis_server
from scripts.redis_server import TemporaryRedis
from tests.live.outages import WORDS, Cluster, scene
from tests.server_process import free_port

pytestmark = [
    pytest.mark.process,
    pytest.mark.slow,
    pytest.mark.skipif(redis_server.program() is None, reason="Redis is not installed"),
]


@pytest.fixture
def server():
    with TemporaryRedis(free_port()) as server:
        yield server


@pytest.fixture
def cluster(server, tmp_path):
    with Cluster(tmp_path, 2, REDIS_URL=server.url) as cluster:
        yield cluster.start()


def stop(server):
    server.stop()
    return server.start


def freeze(server):
    server.freeze()
    return server.resume


def fill(server):
    client = redis.Redis.from_url(server.url)
    client.config_set("maxmemory", 1)
    return lambda: client.config_set("maxmemory", 0)


def flush(server):
    redis.Redis.from_url(server.url).flushall()
    return lambda: None


def change_password(server):
    client = redis.Redis.from_url(server.url)
    client.config_set("requirepass", "another")
    client.execute_command("CLIENT", "KILL", "SKIPME", "yes", "TYPE", "normal")
    return lambda: client.config_set("requirepass", "")


@pytest.mark.parametrize("break_it", [stop, freeze, fill, flush, change_password])
def test_readers_go_on_whatever_happens_to_the_relay(cluster, server, tmp_path, break_it):
    with scene(cluster, tmp_path / "gate") as site:
        for _ in range(2):
            mend = break_it(server)
            before = {key: each.words for key, each in site.followers.items()}
            site.wait_until(
                lambda before=before: all(each.words > before[key] + WORDS for key, each in site.followers.items()),
                "readers on both processes go on without the relay",
            )
            site.wait_until_accepted()
            mend()
            wait_until_relayed(cluster, server)
        site.assert_back()
    assert cluster.log().count("The relay fails") <= 2 * 2 * 2 + 1


def wait_until_relayed(cluster, server):
    """Waits until runs are sent to the server again."""

    def entries():
        with redis.Redis.from_url(server.url) as client:
            return {key: client.xinfo_stream(key)["last-generated-id"] for key in client.keys()}

    def has_moved():
        try:
            now = entries()
        except redis.RedisError:  # such as one that has just expired
            return False
        return any(now[key] != before.get(key) for key in now)

    before = entries()
    cluster.wait_until(has_moved, "runs are sent to the relay again")


def test_site_starts_without_its_relay_and_finds_it_later(server, tmp_path):
    server.stop()
    with Cluster(tmp_path, 2, REDIS_URL=server.url) as cluster:
        cluster.start()
        with scene(cluster, tmp_path / "gate") as site:
            server.start()
            wait_until_relayed(cluster, server)
            site.assert_back()


def test_nothing_of_ended_runs_stays_in_the_relay(cluster, server, tmp_path):
    with scene(cluster, tmp_path / "gate") as site:
        site.assert_back()
    with redis.Redis.from_url(server.url) as client:
        assert client.keys()
        assert all(0 < client.ttl(key) <= 60 for key in client.keys())
