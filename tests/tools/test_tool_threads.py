"""Tools that are slow, blocked or stopped, and the threads and connections that they use."""

import asyncio
import sys
import threading
from functools import partial

import pytest
from django.contrib.auth import get_user_model
from django.db import connections

from chat import tools
from chat.executors import DaemonPool
from chat.tools import Context, execution
from tests.timeouts import GATE_TIMEOUT, HANG_TIMEOUT
from tests.tools.calls import refusal, use
from tests.waiting import hang_timeout, wait_until


@pytest.mark.parametrize("is_async", [False, True])
async def test_slow_tool_times_out(offer, monkeypatch, caplog, is_async):
    monkeypatch.setattr(execution, "TOOL_TIMEOUT", 0.1)
    gate, closed = threading.Event(), []

    def overrun() -> str:
        """Wait."""
        gate.wait(GATE_TIMEOUT)
        return "late"

    async def aoverrun() -> str:
        """Wait."""
        try:
            await asyncio.sleep(10)
        finally:
            closed.append(True)

    function = aoverrun if is_async else overrun
    offer(function)
    try:
        assert await refusal(function.__name__, {}) == f"The tool “{function.__name__}” took longer than 0.1 seconds."
    finally:
        gate.set()
    assert "took longer" in caplog.text
    assert closed == ([True] if is_async else [])
    await wait_until(lambda: execution.pool.free == execution.MAX_THREADS)


async def test_coroutine_that_ignores_cancellation_is_left_behind(offer, monkeypatch):
    monkeypatch.setattr(execution, "TOOL_TIMEOUT", 0.05)
    monkeypatch.setattr(execution, "CANCEL_TIMEOUT", 0.05)
    gate = asyncio.Event()

    async def stubborn() -> str:
        """Wait, whatever happens."""
        while not gate.is_set():
            try:
                await gate.wait()
            except asyncio.CancelledError:
                pass

    offer(stubborn)
    async with hang_timeout():
        assert "took longer" in await refusal("stubborn", {})
    gate.set()


@pytest.mark.parametrize("is_async", [False, True])
async def test_cancelled_run_stops_a_tool_that_can_be_stopped(offer, is_async):
    begun, gate, stopped = threading.Event(), threading.Event(), []

    def wait_here() -> str:
        """Wait."""
        begun.set()
        gate.wait(GATE_TIMEOUT)

    async def await_here() -> str:
        """Wait."""
        begun.set()
        try:
            await asyncio.sleep(10)
        finally:
            stopped.append(True)

    function = await_here if is_async else wait_here
    offer(function)
    run = asyncio.create_task(use(function.__name__, {}))
    try:
        await wait_until(begun.is_set)
        run.cancel()
        async with hang_timeout():
            with pytest.raises(asyncio.CancelledError):
                await run
        assert stopped == ([True] if is_async else [])
    finally:
        gate.set()
    await wait_until(lambda: execution.pool.free == execution.MAX_THREADS)


def test_threads_of_one_owner_leave_room_for_others():
    pool = DaemonPool("tool", 3, max_per_owner=2)
    gates = {owner: threading.Event() for owner in "abc"}
    began = []

    def enter(owner):
        began.append(owner)
        gates[owner].wait(GATE_TIMEOUT)

    calls = [pool.submit(partial(enter, owner), owner) for owner in "aaaabbbcc"]
    assert [call.running() for call in calls] == [True, True, False, False, True, False, False, False, False]
    gates["b"].set()
    calls[5].result(HANG_TIMEOUT)  # b's second one, as a has all that it may have
    gates["c"].set()
    for call in calls[4:]:
        call.result(HANG_TIMEOUT)
    assert began[2:] == ["b", "b", "c", "b", "c"]  # in turns
    assert not calls[2].running()
    calls[2].cancel()
    calls.append(pool.submit(partial(enter, "a"), "a"))
    assert sum(map(len, pool.queues.values())) == 2  # the cancelled one is gone
    gates["a"].set()
    calls[-1].result(HANG_TIMEOUT)
    assert began[7:] == ["a", "a"]


async def test_hanging_tools_of_one_user_leave_threads_to_others(offer, monkeypatch):
    gate = threading.Event()

    def hang(seconds: int = 0) -> str:
        """Wait, or not."""
        if seconds:
            gate.wait(GATE_TIMEOUT)
        return "done"

    offer(hang)
    async with tools.load(["hang"], Context(1)) as first, tools.load(["hang"], Context(2)) as second:
        uses = [asyncio.create_task(first["hang"].use({"seconds": 1})) for _ in range(2 * execution.MAX_THREADS)]
        await wait_until(lambda: execution.pool.threads_of[1] == execution.MAX_THREADS_PER_USER)
        assert await second["hang"].use({}) == "done"
        gate.set()
        await asyncio.gather(*uses)
    await wait_until(lambda: execution.pool.free == execution.MAX_THREADS)


async def test_threads_are_limited_and_further_calls_wait(offer, monkeypatch):
    pool = DaemonPool("tool", 2)
    monkeypatch.setattr(execution, "pool", pool)
    gate, inside = threading.Event(), []

    def enter(number: int) -> int:
        """Wait with the others."""
        inside.append(number)
        gate.wait(GATE_TIMEOUT)
        return number

    offer(enter)
    uses = [asyncio.create_task(use("enter", {"number": number})) for number in range(6)]
    try:
        await wait_until(lambda: sum(map(len, pool.queues.values())) == 4)
        assert len(inside) == 2
        assert not pool.free
        uses[5].cancel()
        await asyncio.wait([uses[5]])
    finally:
        gate.set()
    assert await asyncio.gather(*uses[:5]) == ["0", "1", "2", "3", "4"]
    await wait_until(lambda: pool.free == 2)
    assert 5 not in inside
    await wait_until(lambda: not [thread for thread in threading.enumerate() if thread.name == "tool"])


async def test_endless_thread_does_not_keep_the_process_alive(offer):
    script = (
        "import threading; from chat.executors import DaemonPool;"
        "begun = threading.Event();"
        "DaemonPool('tool', 1).submit(lambda: (begun.set(), threading.Event().wait()));"
        "begun.wait(); print('left')"
    )
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", script, stdout=asyncio.subprocess.PIPE)
    async with hang_timeout():
        output, _ = await process.communicate()
    assert (output, process.returncode) == (b"left\n", 0)


async def test_tool_closes_its_database_connection(offer, alice):
    used = []

    def count() -> int:
        """Count people."""
        connection = connections["default"]
        people = get_user_model().objects.count()
        assert connection.connection is not None
        used.append(connection)
        return people

    offer(count)
    assert await asyncio.gather(use("count", {}), use("count", {})) == ["1", "1"]
    assert len({id(wrapper) for wrapper in used} | {id(connections["default"])}) == 3  # each thread has its own
    assert [wrapper.connection for wrapper in used] == [None, None]
