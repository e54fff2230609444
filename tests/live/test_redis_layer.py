"""The channel layer of several processes, of which these tests have two in one event loop, and a real Redis server."""

import asyncio
import logging
from contextlib import ExitStack, closing

import pytest
import redis

from chat import broadcast, redis_connection
from chat.live import redis_layer
from chat.live.redis_layer import MAX_WAITING, RedisChannelLayer
from scripts import redis_server
from scripts.redis_server import TemporaryRedis
from tests.live.outages import Cluster
from tests.live.sockets import next_message, open_socket
from tests.server_process import free_port
from tests.timeouts import HANG_TIMEOUT
from tests.waiting import hang_timeout, wait_until

pytestmark = pytest.mark.skipif(redis_server.program() is None, reason="Redis is not installed")

GROUP = "user.1"


@pytest.fixture(scope="module")
def running_server():
    with TemporaryRedis(free_port()) as server:
        yield server


@pytest.fixture
def server(running_server, monkeypatch):
    """A server that each test may stop, or freeze for as long as it takes."""
    monkeypatch.setattr(redis_layer, "RETRY_DELAY", 0.05)
    monkeypatch.setattr(redis_connection, "TIMEOUT", HANG_TIMEOUT)
    if running_server.process is None:
        running_server.start()
    return running_server


@pytest.fixture
async def new_layer(server):
    layers = []

    def new_layer(database=0):
        layers.append(RedisChannelLayer(server.url[:-1] + str(database)))
        return layers[-1]

    yield new_layer
    for layer in layers:
        await layer.close()


@pytest.fixture
async def layers(server, new_layer):
    """The layers of two processes, each with a socket in the group, that hear each other."""
    both = new_layer(), new_layer()
    for layer in both:
        await layer.group_add(GROUP, "socket")
    await wait_until(lambda: listeners(server) == 2)
    return both


def listeners(server, database=0):
    channel = f"{redis_layer.PREFIX}{database}"
    with redis.Redis.from_url(server.url) as client:
        return dict(client.pubsub_numsub(channel))[channel.encode()]


def message(number):
    return {"type": "conversation.changed", "number": number}


async def receive(layer):
    async with hang_timeout():
        return (await layer.receive("socket"))["number"]


def assert_empty(layer):
    assert not layer.channels or layer.channels["socket"].empty()


async def test_group_is_told_on_all_processes_once_and_in_order(layers):
    here, there = layers
    for number in range(20):
        await here.group_send(GROUP, message(number))
    await there.group_send(GROUP, message(20))
    received = [await receive(there) for _ in range(21)]
    assert [number for number in received if number < 20] == list(range(20))
    assert 20 in received
    assert [await receive(here) for _ in range(21)] == list(range(21))
    assert_empty(here)
    assert_empty(there)


async def test_other_groups_are_not_told(layers):
    here, there = layers
    await here.group_send("user.2", message(1))
    await here.group_send(GROUP, message(2))
    assert await receive(there) == 2
    assert_empty(there)


async def test_sites_in_other_databases_of_the_server_are_not_told(layers, server, new_layer):
    here, there = layers
    stranger = new_layer(database=1)
    await stranger.group_add(GROUP, "socket")
    await wait_until(lambda: listeners(server, 1) == 1)
    await here.group_send(GROUP, message(1))
    assert await receive(there) == 1
    await stranger.group_send(GROUP, message(2))
    assert await receive(stranger) == 2
    assert_empty(there)


async def test_sockets_here_are_told_while_the_server_is_frozen(layers, server):
    here, there = layers
    server.freeze()
    try:
        await here.group_send(GROUP, message(1))  # would hang if it waited for the server
        assert await receive(here) == 1
        await here.group_add("user.2", "another")
        assert_empty(there)
    finally:
        server.resume()
    assert await receive(there) == 1


async def test_groups_work_again_once_the_server_is_back(layers, server, caplog):
    caplog.set_level(logging.INFO)
    here, there = layers
    server.stop()
    for number in range(3):
        await here.group_send(GROUP, message(number))
        assert await receive(here) == number
        await wait_until(lambda: not here.exchanges.get().sending)
    server.start()
    await wait_until(lambda: listeners(server) == 2)
    await here.group_send(GROUP, message(4))
    assert await receive(there) == 4
    await wait_until(lambda: not here.exchanges.get().sending)
    assert caplog.text.count("Redis fails at sending") == 1
    assert caplog.text.count("Redis works again at sending") == 1
    assert caplog.text.count("Redis fails at listening") == caplog.text.count("works again at listening") == 2


async def test_socket_that_came_while_the_server_was_away_is_told_later(server, new_layer):
    here, there = new_layer(), new_layer()
    server.stop()
    await there.group_add(GROUP, "socket")
    await asyncio.sleep(0)
    server.start()
    await wait_until(lambda: listeners(server) == 1)
    await here.group_send(GROUP, message(1))
    assert await receive(there) == 1


async def test_messages_are_sent_before_the_layer_closes(layers):
    here, there = layers
    await here.group_send(GROUP, message(1))
    await here.close()
    assert await receive(there) == 1


async def test_messages_that_wait_for_a_server_are_bounded(layers, server):
    here, there = layers
    server.freeze()
    try:
        await here.group_send(GROUP, message(0))
        await asyncio.sleep(0)  # it is on its way now
        for number in range(1, 2 * MAX_WAITING):
            await here.group_send(GROUP, message(number))
        assert len(here.exchanges.get().waiting) == MAX_WAITING
    finally:
        server.resume()
    received = [await receive(there)]
    while received[-1] != 2 * MAX_WAITING - 1:
        received.append(await receive(there))
    assert received == [0, *range(MAX_WAITING, 2 * MAX_WAITING)]


async def test_layer_without_a_close_is_left_alone(monkeypatch):
    monkeypatch.setattr(broadcast, "get_channel_layer", object)
    await broadcast.close()


@pytest.mark.process
@pytest.mark.slow
def test_pages_of_another_process_are_told_of_runs_and_changes(server, tmp_path):
    with Cluster(tmp_path, 2, REDIS_URL=server.url) as cluster, ExitStack() as users:
        cluster.start()
        here, there = (users.enter_context(closing(site.login("alice"))) for site in cluster.sites)
        conversation = here.post("/api/conversations", json={}).json()["id"]
        with open_socket(there, f"conversations/{conversation}") as page, open_socket(there, "news") as updates:
            cluster.wait_until(lambda: listeners(server) == 1, "the other process listens")
            run = here.ask("Hello", conversation=conversation, assistant="echo")
            assert next_message(page, "run.created")["run_id"] == run["run_id"]
            assert next_message(updates, "conversation.changed")["conversation"]["id"] == conversation
            here.delete(f"/api/conversations/{conversation}")
            assert next_message(updates, "conversation.deleted")["id"] == conversation
