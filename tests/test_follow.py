"""Reading a run from any position, while it goes on and after."""

import asyncio

from chat import engine
from chat.events import Finish, Text, fold, text_of
from chat.models import RunEvent

from .conftest import journaled, over, until


async def types(run, after=0):
    return [event.type async for _, event in engine.follow(run, after) if event]


async def test_it_goes_on_after_the_last_seen_event(finished_run):
    run = await finished_run("one two three")
    assert await types(run, after=5) == ["TEXT_MESSAGE_END", "RUN_FINISHED"]


async def test_it_goes_on_behind_any_stored_event(script, ask):
    gate = asyncio.Event()
    run = await ask(await script("slow", *map(Text, "abc"), gate.wait, *map(Text, "de"), Finish("stop")))
    await until(journaled)  # the first rows; what follows has rows of its own
    gate.set()
    await over(run)
    log = await journaled()
    assert await RunEvent.objects.acount() > 1
    for after in range(run.last_seq):
        rest = [(seq, event) async for seq, event in engine.follow(run, after) if event]
        assert [event.type for _, event in rest if not hasattr(event, "delta")] == [
            event.type for _, event in log[after:] if not hasattr(event, "delta")
        ]
        assert "".join(getattr(event, "delta", "") for _, event in rest) == "abcde"[max(0, after - 2) :]
        assert {seq for seq, _ in rest} <= set(range(after + 1, run.last_seq + 1))


async def test_it_joins_deltas_that_wait_for_the_reader(finished_run):
    run = await finished_run("one two three")
    deltas = [(seq, event.delta) async for seq, event in engine.follow(run) if hasattr(event, "delta")]
    assert deltas == [(5, "one two three")]


async def test_it_gives_each_new_event_until_the_run_ends(script, ask):
    gate = asyncio.Event()
    run = await ask(await script("slow", Text("one"), gate.wait, Text(" two"), Finish("stop")))
    seen = []
    async with asyncio.timeout(10):
        async for seq, event in engine.follow(run):
            if event:
                seen.append((seq, event.type))
            if event and event.type == "TEXT_MESSAGE_CONTENT":
                gate.set()
    assert [seq for seq, _ in seen] == list(range(1, 7))
    assert seen[-1][1] == "RUN_FINISHED"


async def test_two_readers_read_the_same_from_different_positions(script, ask):
    gate = asyncio.Event()
    run = await ask(await script("slow", Text("one"), Text(" two"), gate.wait, Text(" three"), Finish("stop")))
    async with asyncio.timeout(10):
        async for seq, _ in engine.follow(run):
            if seq == 4:
                break
    whole, rest = asyncio.create_task(over(run)), asyncio.create_task(types(run, after=4))
    gate.set()
    assert text_of(fold(event for _, event in await whole)) == "one two three"
    assert await rest == ["TEXT_MESSAGE_CONTENT", "TEXT_MESSAGE_END", "RUN_FINISHED"]


async def test_a_position_beyond_the_log_gets_a_snapshot_and_the_end(finished_run):
    run = await finished_run("one two three")
    seen = [(seq, event) async for seq, event in engine.follow(run, 99) if event]
    assert [(seq, event.type) for seq, event in seen] == [
        (1, "RUN_STARTED"),
        (6, "MESSAGES_SNAPSHOT"),
        (7, "RUN_FINISHED"),
    ]
    assert [message["content"] for message in seen[1][1].messages] == ["Hi", "one two three"]


async def test_a_log_that_is_gone_gets_a_snapshot_and_the_end(finished_run):
    run = await finished_run("one two three")
    await RunEvent.objects.filter(run=run).adelete()
    assert await types(run) == ["RUN_STARTED", "MESSAGES_SNAPSHOT", "RUN_FINISHED"]


async def test_a_position_beyond_a_live_log_starts_over(script, ask):
    gate = asyncio.Event()
    run = await ask(await script("slow", Text("one"), gate.wait, Finish("stop")))
    seen = []
    async with asyncio.timeout(10):
        async for seq, event in engine.follow(run, 50):
            if event:
                seen.append((seq, event.type))
                gate.set()
    assert seen[:3] == [(1, "RUN_STARTED"), (1, "MESSAGES_SNAPSHOT"), (2, "TEXT_MESSAGE_START")]
    assert seen[-1] == (5, "RUN_FINISHED")
