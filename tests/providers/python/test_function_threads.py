"""The team's own functions: how many run at a time, with which connections and which context."""

import asyncio
import contextvars
import sys
import threading
from contextlib import aclosing

import pytest
from asgiref.sync import sync_to_async
from django.db import connections

from chat.events import Finish, Text
from chat.executors import DaemonPool
from chat.models import Assistant
from chat.providers import Request
from chat.providers import python as python_provider
from tests.providers.python.functions import all_threads_are_free, answer
from tests.timeouts import GATE_TIMEOUT
from tests.waiting import wait_for_run, wait_until

pytestmark = pytest.mark.slow


async def test_threads_are_limited_and_all_runs_end(start_run, ask, monkeypatch, settings):
    settings.MAX_RUNS_PER_USER = 40
    monkeypatch.setattr(python_provider, "pool", DaemonPool("function", 4))
    lock, running, max_running = threading.Lock(), 0, 0
    enough = threading.Barrier(4)  # so that four run at the same time

    def reply(messages, send):
        nonlocal running, max_running
        with lock:
            running += 1
            max_running = max(max_running, running)
        enough.wait(GATE_TIMEOUT)
        for word in messages[-1]["content"].split():
            send(f"{word} ")
        with lock:
            running -= 1

    first = await start_run(reply, "number 0")
    assistant = await Assistant.objects.aget(slug="team")
    runs = [first] + [await ask(assistant, f"number {number}") for number in range(1, 40)]
    for number, run in enumerate(runs):
        await wait_for_run(run)
        assert (run.status, run.message.text) == ("completed", f"number {number} ")
    assert max_running == 4
    await wait_until(lambda: python_provider.pool.free == 4)


async def test_run_that_waits_for_a_thread_does_not_time_out(start_run, ask, monkeypatch, settings):
    monkeypatch.setattr(python_provider, "pool", DaemonPool("function", 1))
    monkeypatch.setattr(python_provider, "KEEPALIVE_INTERVAL", 0.05)
    gate, begun = threading.Event(), threading.Event()

    def reply(messages, send):
        send("I am ")
        begun.set()
        gate.wait(GATE_TIMEOUT)
        return "here"

    first = await start_run(reply)
    await wait_until(begun.is_set)
    settings.FIRST_TOKEN_SECONDS = 1  # from here on; the first run may be silent for longer
    second = await ask(await Assistant.objects.aget(slug="team"))
    asyncio.get_running_loop().call_later(2, gate.set)  # twice as long as a model may be silent
    for run in (first, second):
        await wait_for_run(run)
        assert (run.status, run.message.text) == ("completed", "I am here")
    assert run.finished_at.timestamp() - run.started_at.timestamp() > 1


async def test_thread_leaves_no_database_connection(start_run):
    used = []

    def reply(messages, send):
        count = Assistant.objects.count()
        used.extend([connections["default"], connections["default"].connection])
        return str(count)

    run = await start_run(reply)
    await wait_for_run(run)
    assert (run.status, run.message.text) == ("completed", str(await Assistant.objects.acount()))
    await wait_until(all_threads_are_free)
    assert used[1] is not None
    assert used[0].connection is None


async def test_coroutine_queries_the_database_and_leaves_nothing_stale(start_run):
    used = []

    def outlive():
        connections["default"].close_at = 0  # as if it had been open for CONN_MAX_AGE
        return connections["default"]

    async def reply(messages, send):
        await send(str(await Assistant.objects.acount()))
        used.append(await sync_to_async(outlive)())

    run = await start_run(reply)
    await wait_for_run(run)
    assert (run.status, run.message.text) == ("completed", str(await Assistant.objects.acount()))
    assert used[0].connection is None  # nothing stale is left for the next


name = contextvars.ContextVar("name", default="nobody")


@pytest.mark.parametrize("is_async", [False, True])
async def test_run_has_a_context_of_its_own(transactional_db, team, monkeypatch, is_async):
    monkeypatch.setattr(python_provider, "pool", DaemonPool("function", 1))
    name.set("the test")

    def reply(messages, send):
        before = name.get()
        name.set("the function")
        return before

    async def areply(messages, send):
        return reply(messages, send)

    answers = await asyncio.gather(*[answer(areply if is_async else reply, team) for _ in range(3)])
    assert answers == [[Text("nobody"), Finish("stop")]] * 3


async def test_import_does_not_block_the_loop(team, settings, monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "slow_to_import.py").write_text(
        f"import {__name__} as tests\n"
        "tests.gate.wait(tests.GATE_TIMEOUT)\n"
        "def reply(messages, send): return 'imported'\n"
    )
    monkeypatch.setattr(sys.modules[__name__], "gate", threading.Event(), raising=False)
    settings.PYTHON_PROVIDERS = ["slow_to_import"]
    request = Request("slow_to_import.reply", [("user", [{"type": "text", "text": "Hi"}])])

    async def read_pieces():
        async with aclosing(python_provider.reply(request)) as pieces:
            return [piece async for piece in pieces]

    task = asyncio.create_task(read_pieces())
    await wait_until(lambda: "slow_to_import" in sys.modules)
    gate.set()  # noqa: F821  nobody could, if the loop waited for the import
    assert Text("imported") in await task
    del sys.modules["slow_to_import"]
