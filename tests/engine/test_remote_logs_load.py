"""What many events and many readers of other processes' runs cost this one, and what is left when they are gone."""

import asyncio
from itertools import pairwise

import pytest
from asgiref.sync import sync_to_async
from django.db import connection
from django.test.utils import CaptureQueriesContext

from chat import events
from chat.engine import log, remote_logs, runner
from chat.engine.remote_logs import RemoteLog
from chat.models import ReadPosition, Run, RunEvent
from tests.engine.other_process import Reader, assert_same
from tests.waiting import count_turns, wait_until


async def test_log_is_kept_while_it_has_readers(here, started, read):
    other = await started("abc")
    first = await read(other)
    second = await read(other, after=4)
    assert len(here.remote_logs.logs) == 1
    await first.leave()
    assert len(here.remote_logs.logs) == 1
    await second.leave()
    assert here.remote_logs.logs == {}


async def test_query_ends_with_the_last_reader(here, started, read, monkeypatch):
    monkeypatch.setattr(remote_logs, "POLL_INTERVAL", 0.01)
    reader = await read(await started("abc"))
    assert here.remote_logs._filling is not None
    await reader.leave()
    await wait_until(lambda: here.remote_logs._filling is None)
    again = await read(await started("abc"))
    assert here.remote_logs._filling is not None
    await again.leave()


async def test_log_begins_where_its_first_reader_is(here, started, read):
    other = await started("abcdef")
    late = await read(other, after=7)
    (open_log,) = here.remote_logs.logs.values()
    assert (open_log.start, len(open_log)) == (8, 8)
    early = await read(other, after=2)
    assert len(here.remote_logs.logs) == 1
    await other.finish(other.deltas("g"))
    await here.remote_logs.fill()
    for reader in (late, early):
        await reader.ended()
        assert_same(reader, other)


async def test_shutdown_releases_readers_of_other_processes(here, started, read):
    reader = await read(await started("abc"))
    here.begin_shutdown()
    await reader.ended()
    assert here.remote_logs.logs == {}
    assert reader.text == "abc"


async def test_long_answer_of_another_process_lets_other_tasks_run(here, started, read):
    rows, length = 500, 100
    other = await started()
    for _ in range(rows):
        await other.write(other.deltas("a" * length))
    async with count_turns() as turns:
        reader = await read(other)
    assert reader.text == "a" * rows * length
    assert len(turns) >= rows / log.MAX_ROWS_PER_QUERY
    assert max(len(getattr(event, "delta", "")) for _, event in reader.seen) <= log.MAX_ROWS_PER_QUERY * length


async def test_query_reads_a_bounded_part_of_each_run(here, started, read, monkeypatch):
    monkeypatch.setattr(remote_logs, "MAX_EVENTS_PER_QUERY", 20)
    monkeypatch.setattr(remote_logs, "MIN_EVENTS_PER_RUN", 10)
    others = [await started() for _ in range(2)]
    readers = [await read(other) for other in others]
    for other in others:
        for _ in range(5):
            await other.write(other.deltas("abcdef"))
        await other.finish()
    steps = [[log.position.seq for log in here.remote_logs.logs.values()]]
    while await here.remote_logs.fill():
        steps.append([log.position.seq for log in here.remote_logs.logs.values()])
    assert steps == [[2, 2], [14, 14], [26, 26]]
    for reader, other in zip(readers, others, strict=True):
        await reader.ended()
        assert_same(reader, other)


async def test_readers_of_many_runs_are_woken_in_several_turns(here, started, read):
    others = [await started() for _ in range(3 * remote_logs.MAX_LOGS_PER_TURN)]
    readers = [await read(other) for other in others]
    for other in others:
        await other.write(other.deltas("a"))
    async with count_turns() as turns:
        counts = []
        filling = asyncio.create_task(here.remote_logs.fill())
        while not filling.done():
            counts.append(sum(reader.text == "a" for reader in readers))
            await asyncio.sleep(0)
    assert turns
    assert max(after - before for before, after in pairwise(counts)) <= 2 * remote_logs.MAX_LOGS_PER_TURN


@pytest.fixture
async def open_log():
    """A log that begins behind position 2."""
    return RemoteLog(Run(attempts=1), ReadPosition(2, 1, 10))


def numbered(*numbers):
    return [events.TextMessageContent("m", str(number)) for number in numbers]


async def test_log_may_be_filled_by_another_source_as_well(open_log):
    assert open_log.add(3, numbered(3, 4))
    assert open_log.add(3, numbered(3, 4, 5))  # the query is later
    assert open_log.add(2, numbered(2, 3))
    assert not open_log.add(7, numbered(7))  # 6 is missing
    assert open_log.events[2:] == numbered(3, 4, 5)
    assert list(open_log.next_events(2)) == [(5, events.join_deltas(numbered(3, 4, 5)))]
    assert open_log.add(6, numbered(6, 7))
    assert len(open_log) == 7


async def test_query_behind_another_source_catches_up(open_log):
    assert open_log.add(3, numbered(3, 4, 5))
    open_log.take(Run.IN_PROGRESS, 1, [remote_logs.Row(3, 20, numbered(3, 4))])
    assert (open_log.position, len(open_log)) == (ReadPosition(4, 3, 20), 5)
    open_log.take(Run.IN_PROGRESS, 1, [remote_logs.Row(5, 20, numbered(5, 6))])
    assert (open_log.position.seq, len(open_log), open_log.ended) == (6, 6, False)


async def test_readers_of_two_processes_read_the_same(script, ask, monkeypatch):
    """A hundred races of readers with the start and the end of runs, between two engines that run."""
    elsewhere = runner.Engine()
    assistant = await script("quick", *map(events.Text, "abcdef"), events.Finish("stop"))
    try:
        for _ in range(10):
            runs = await asyncio.gather(*(ask(assistant) for _ in range(10)))
            readers = []
            for number, run in enumerate(runs):
                for _ in range(number):
                    await asyncio.sleep(0)
                readers.append(Reader(elsewhere, run))
            for reader in readers:
                await reader.ended()
                assert reader.text == "abcdef"
                assert (reader.types[0], reader.types[-1]) == ("RUN_STARTED", "RUN_FINISHED")
                assert [seq for seq, _ in reader.seen] == sorted({seq for seq, _ in reader.seen})
        assert elsewhere.remote_logs.logs == {}
    finally:
        await elsewhere.shut_down()


async def test_query_looks_only_at_the_new_rows(here, started):
    """A plain join would make PostgreSQL read the whole table, as it does not know how short the ranges are."""
    other = await started()
    for _ in range(30):
        await other.write(other.deltas("ab"))
    plan = await sync_to_async(plan_of_query)([(other.run.pk, 1, ReadPosition(62, 61, 100))])
    parts = (
        ["seq >=", "seq <="] if connection.vendor == "postgresql" else ["SEARCH event USING INDEX", "seq>? AND seq<?"]
    )
    assert [part for part in parts if part not in plan] == [], plan


def plan_of_query(positions):
    explain = "EXPLAIN" if connection.vendor == "postgresql" else "EXPLAIN QUERY PLAN"
    with CaptureQueriesContext(connection) as queries:
        RunEvent.objects.read_many(positions, 50)
    with connection.cursor() as cursor:
        cursor.execute(f"{explain} {queries[0]['sql']}")
        return "\n".join(str(line[-1]) for line in cursor.fetchall())
