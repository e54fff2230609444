"""The relay: what readers get before the journal has it, and what they get when the relay has lost something.

The other process is played by the test, which writes rows and sends entries; the Redis server is a real one.
"""

import asyncio
import time
import uuid

import pytest
import redis

from chat import engine, events
from chat.engine import heartbeat, recovery, relay
from chat.engine.log import Log
from chat.engine.redis_streams import KEPT_ENTRIES, KEPT_SECONDS, RedisStreams
from chat.engine.relay import Entry
from chat.events import Finish, Text
from chat.models import Run
from scripts import redis_server
from scripts.redis_server import TemporaryRedis
from tests.engine.other_process import assert_same
from tests.server_process import free_port
from tests.waiting import hang_timeout, wait_for_run, wait_until

pytestmark = pytest.mark.skipif(redis_server.program() is None, reason="Redis is not installed")


@pytest.fixture(scope="module")
def server():
    with TemporaryRedis(free_port()) as server:
        yield server


@pytest.fixture
def client(server):
    with redis.Redis.from_url(server.url) as client:
        client.flushall()
        yield client


@pytest.fixture
async def streams(server, client):
    streams = RedisStreams(server.url)
    yield streams
    await streams.close()


@pytest.fixture
def relayed(here, streams, monkeypatch):
    """This process, with a relay that reads when the test says so."""
    monkeypatch.setattr(relay, "READ_INTERVAL", 3600)
    here.relay = relay.Relay(here, streams)
    return here


@pytest.fixture
def send(streams):
    """`await send(other, new, first)`: the other process sends events, of which the first has this number."""

    async def send(other, new, first, attempt=1):
        entry = Entry(other.run.pk, attempt, first, first + len(new) - 1, events.pack(new))
        await streams.write([entry])

    return send


# The transport


async def test_entries_come_once_and_in_order(streams):
    run, other = uuid.uuid4(), uuid.uuid4()
    await streams.write([Entry(run, 1, 1, 2, "a"), Entry(other, 1, 1, 1, "b")])
    await streams.write([Entry(run, 1, 3, 3, "c")])
    await streams.write([Entry(run, 1, 3, 3, "c"), Entry(other, 1, 2, 2, "d")])  # again, and another one
    assert [entry.data for entry in await streams.read([(run, 1, 0), (other, 1, 0)])] == ["a", "c", "b", "d"]
    assert await streams.read([(run, 1, 2)]) == [Entry(run, 1, 3, 3, "c")]
    assert list(await streams.read([(run, 1, 3), (uuid.uuid4(), 1, 0)])) == []


async def test_former_owner_of_a_run_sends_in_vain(streams):
    run = uuid.uuid4()
    await streams.write([Entry(run, 1, 1, 5, "old")])
    await streams.write([Entry(run, 2, 1, 1, "new")])
    await streams.write([Entry(run, 1, 6, 6, "of a process that was frozen"), Entry(run, 2, 2, 2, "more")])
    assert [entry.data for entry in await streams.read([(run, 1, 0)])] == ["old", "new", "more"]


async def test_stream_is_short_and_expires(streams, client):
    run = uuid.uuid4()
    for seq in range(1, 4 * KEPT_ENTRIES):
        await streams.write([Entry(run, 1, seq, seq, "x")])
    (key,) = client.keys()
    assert KEPT_ENTRIES <= client.xlen(key) <= 2 * KEPT_ENTRIES
    assert 0 < client.ttl(key) <= KEPT_SECONDS


async def test_failure_is_raised(streams, client):
    client.config_set("maxmemory", 1)
    try:
        with pytest.raises(redis.ResponseError):
            await streams.write([Entry(uuid.uuid4(), 1, 1, 1, "x")])
    finally:
        client.config_set("maxmemory", 0)
    away = RedisStreams(f"redis://127.0.0.1:{free_port()}/0")
    with pytest.raises(redis.ConnectionError):
        await away.read([(uuid.uuid4(), 1, 0)])
    await away.close()


# Readers


async def test_reader_has_events_before_the_journal_and_none_twice(relayed, started, read, send):
    other = await started("ab")
    reader = await read(other)
    await send(other, other.deltas("cd"), 5)
    await relayed.relay.read(relayed.remote_logs)
    await wait_until(lambda: reader.text == "abcd")
    await other.write(other.deltas("cde"))
    await relayed.remote_logs.fill()
    late = await read(other, 4)
    await send(other, other.deltas("ef"), 7)
    await relayed.relay.read(relayed.remote_logs)
    await wait_until(lambda: reader.text == "abcdef")
    await other.write(other.deltas("f"))
    await other.finish(other.deltas("g"))
    await send(other, other.written[8:], 9)
    await relayed.relay.read(relayed.remote_logs)
    for each in (reader, late):
        await each.ended()
        assert_same(each, other)
    assert relayed.remote_logs.logs == {}


async def test_what_the_relay_has_lost_comes_from_the_journal(relayed, started, read, send):
    other = await started("a")
    reader = await read(other)
    await send(other, other.deltas("d"), 6)
    await relayed.relay.read(relayed.remote_logs)
    (log,) = relayed.remote_logs.logs.values()
    assert (len(log), log.has_gap) == (3, True)
    await send(other, other.deltas("e"), 7)
    await relayed.relay.read(relayed.remote_logs)  # asks for nothing
    assert len(log) == 3
    await other.write(other.deltas("bc"))
    await relayed.remote_logs.fill()
    assert (len(log), log.has_gap) == (5, False)
    await relayed.relay.read(relayed.remote_logs)
    await wait_until(lambda: reader.text == "abcde")
    await other.write(other.deltas("de"))
    await other.finish()
    await relayed.remote_logs.fill()
    await reader.ended()
    assert_same(reader, other)


async def test_relay_that_brings_everything_makes_queries_rarer(relayed, started, read, send):
    other = await started("a")
    reader = await read(other)
    await other.write(other.deltas("b"))
    await relayed.remote_logs.fill()
    assert not relayed.remote_logs._relay_was_first
    await send(other, other.deltas("c"), 5)
    await relayed.relay.read(relayed.remote_logs)
    await other.write(other.deltas("c"))
    await relayed.remote_logs.fill()
    assert relayed.remote_logs._relay_was_first
    await reader.leave()


async def test_queued_run_is_read_from_its_first_event_on(relayed, queued, read, send):
    other = await queued()
    reader = await read(other)
    await other.claim()
    await send(other, other.opening + other.deltas("ab"), 1)
    await relayed.relay.read(relayed.remote_logs)
    await wait_until(lambda: reader.text == "ab")
    (log,) = relayed.remote_logs.logs.values()
    log.take(Run.QUEUED, 0, [])  # a query that began before the claim
    assert not log.ended
    await other.write(other.opening + other.deltas("ab"))
    await other.finish()
    await relayed.remote_logs.fill()
    await reader.ended()
    assert_same(reader, other)


async def test_reader_does_not_hear_another_attempt_under_the_same_number(relayed, started, read, send):
    other = await started()
    reader = await read(other)
    await send(other, other.deltas("wrong"), 3, attempt=2)
    await relayed.relay.read(relayed.remote_logs)
    await send(other, other.deltas("late"), 3, attempt=1)  # is refused by the server
    await relayed.relay.read(relayed.remote_logs)
    await other.write(other.deltas("right"))
    await other.finish()
    await relayed.remote_logs.fill()
    await reader.ended()
    assert reader.text == "right"
    assert_same(reader, other)


async def test_reader_that_is_ahead_of_the_journal_gets_the_message_that_was_kept(relayed, started, read, send):
    other = await started("ab")
    reader = await read(other)
    await send(other, other.deltas("lost with the process"), 5)
    await relayed.relay.read(relayed.remote_logs)
    await wait_until(lambda: reader.text == "ablost with the process")
    await other.finish()
    await relayed.remote_logs.fill()
    await reader.ended()
    snapshot, end = reader.seen[-2][1], reader.seen[-1][1]
    assert (snapshot.type, end.type) == ("MESSAGES_SNAPSHOT", "RUN_FINISHED")
    assert snapshot.messages[-1]["content"] == "ab"


# Writing


async def test_run_is_sent_whole_while_it_is_written(server, client, streams, script, ask, settings, monkeypatch):
    settings.REDIS_URL = server.url
    gate = asyncio.Event()

    run = await ask(await script("gated", Text("one "), gate.wait, Text("two"), Finish("stop")))

    async def sent():
        return [event for entry in await streams.read([(run.pk, 1, 0)]) for event in events.unpack(entry.data)]

    async def wait_until_sent(kind):
        async with hang_timeout():
            while kind not in [event.type for event in await sent()]:
                await asyncio.sleep(0.01)  # before the next look: another task sends

    await wait_until_sent("TEXT_MESSAGE_CONTENT")
    gate.set()
    await wait_for_run(run)
    await wait_until_sent("RUN_FINISHED")
    stored = [event async for _, event in engine.follow(run)]
    assert events.fold(await sent()) == events.fold(stored) == run.message.parts
    assert engine.current().relay._runs == {}


async def test_run_does_not_wait_for_a_relay_that_is_away(script, ask, settings, caplog):
    settings.REDIS_URL = f"redis://:secret-word@127.0.0.1:{free_port()}/0"
    run = await ask(await script("away", Text("one"), Finish("stop")))
    await wait_for_run(run)
    assert (run.status, run.message.text) == (Run.COMPLETED, "one")
    await wait_until(lambda: "The relay fails at writing" in caplog.text)
    assert "secret-word" not in caplog.text and "Traceback" not in caplog.text


async def test_long_event_is_left_to_the_journal(here, streams, relayed):
    class Live:
        run = Run(attempts=1)
        log = Log()

    writing = relay.Writing(Live())
    Live.log.append(events.TextMessageContent("m", "x" * relay.MAX_DATA_LENGTH))
    assert writing.take() is None
    Live.log.append(events.TextMessageContent("m", "y"))
    entry = writing.take()
    assert (entry.first, entry.last) == (2, 2)
    assert writing.take() is None


# Ownership


async def test_process_that_stood_still_sends_nothing_before_its_next_heartbeat(
    server, client, streams, script, ask, settings, monkeypatch
):
    settings.REDIS_URL = server.url
    monkeypatch.setattr(heartbeat, "HEARTBEAT_INTERVAL", 3600)
    gate = asyncio.Event()
    run = await ask(await script("gated", Text("one "), gate.wait, Text("two"), Finish("stop")))
    await wait_until(lambda: client.exists(f"chat:run:{run.pk.hex}"))
    (before,) = client.xrevrange(f"chat:run:{run.pk.hex}", count=1)
    time.sleep(1.5 * relay.STALL_TIMEOUT)  # noqa: ASYNC251  # all of the process stands still
    await asyncio.sleep(2 * relay.WRITE_INTERVAL)  # for the turn of the writer, which is due, and notices
    gate.set()
    await wait_for_run(run)
    await engine.current().relay.write()  # as it does next
    assert client.xrevrange(f"chat:run:{run.pk.hex}", count=1) == [before]
    here = engine.current()
    here.confirmed_at = asyncio.get_running_loop().time()  # as the heartbeat does
    await wait_until(lambda: client.xrevrange(f"chat:run:{run.pk.hex}", count=1)[0][0] == b"1-%d" % run.last_seq)


async def test_heartbeat_confirms_which_runs_are_ours(script, ask, monkeypatch):
    monkeypatch.setattr(heartbeat, "HEARTBEAT_INTERVAL", 0.05)
    now = asyncio.get_running_loop().time()
    await wait_until(lambda: engine.current().confirmed_at > now)


async def test_run_that_was_lost_is_sent_no_further(relayed, client):
    class Live:
        run = Run(attempts=1)
        log = Log()
        is_lost = False

    relayed.relay._runs[Live.run.pk] = relay.Writing(Live())
    Live.log.append(events.TextMessageContent("m", "x"))
    await relayed.relay.write()
    Live.is_lost = True
    Live.log.append(events.TextMessageContent("m", "y"))
    Live.log.end()
    await relayed.relay.write()
    ((last, _),) = client.xrevrange(f"chat:run:{Live.run.pk.hex}")
    assert last == b"1-1"
    assert relayed.relay._runs == {}


async def test_end_of_a_recovered_run_is_the_last_that_the_relay_takes(relayed, client, started, read, send):
    other = await started("ab")
    reader = await read(other)
    await send(other, other.deltas("c"), 5)
    (run,) = await relayed.run_in_database(recovery.recover, {other.process_id: None})
    await relayed.relay.send_end(run)
    await send(other, other.deltas("of a process that lives on"), 6)
    ((last, _), *_) = client.xrevrange(f"chat:run:{run.pk.hex}")
    assert last == b"1-%d" % run.last_seq
    await relayed.relay.read(relayed.remote_logs)
    await relayed.remote_logs.fill()
    await reader.ended()
    assert [event.type for _, event in reader.seen[-2:]] == ["MESSAGES_SNAPSHOT", "RUN_ERROR"]
    assert reader.seen[-2][1].messages[-1]["content"] == "ab"
