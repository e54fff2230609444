"""Python functions whose run is stopped, times out or is left behind."""

import asyncio
import subprocess
import sys
import threading

import pytest

from chat import engine
from chat.executors import DaemonPool
from chat.models import Assistant
from chat.providers import Request
from chat.providers import python as python_provider
from chat.providers.python import Bridge, Stopped
from scripts.environment import ROOT
from tests.providers.python.functions import OwnError, all_threads_are_free
from tests.timeouts import GATE_TIMEOUT, HANG_TIMEOUT
from tests.waiting import wait_for_run, wait_until

pytestmark = pytest.mark.slow


async def test_stopped_thread_is_stopped_at_its_next_send(start_run):
    gate, seen = threading.Event(), []

    def reply(messages, send):
        try:
            send("so far")
            gate.wait(GATE_TIMEOUT)
            while True:
                try:
                    send("more")
                except Exception:
                    seen.append("taken for an error")
        except BaseException as error:
            seen.append(type(error))
            raise
        finally:
            seen.append("cleaned up")

    run = await start_run(reply)
    await wait_until(
        lambda: run.pk in engine.current().live and "so far" in str(engine.current().live[run.pk].log.events)
    )
    assert python_provider.pool.free == python_provider.MAX_THREADS - 1
    await engine.cancel(run)
    await wait_for_run(run)  # the run does not wait for it
    assert (run.status, run.message.text) == ("cancelled", "so far")
    assert python_provider.pool.free == python_provider.MAX_THREADS - 1
    gate.set()
    await wait_until(all_threads_are_free)
    assert seen == [Stopped, "cleaned up"]


async def test_stopped_generator_is_closed(start_run):
    seen = []

    def reply(messages, send):
        try:
            while True:
                yield "more "
        finally:
            seen.append("closed")

    run = await start_run(reply)
    await wait_until(
        lambda: run.pk in engine.current().live and "more" in str(engine.current().live[run.pk].log.events[:9])
    )
    await engine.cancel(run)
    await wait_for_run(run)
    assert run.status in ("cancelled", "completed")  # completed where it had reached the length of a whole answer
    await wait_until(all_threads_are_free)
    assert seen == ["closed"]


@pytest.mark.parametrize("kind", ["coroutine", "generator"])
async def test_stopped_coroutine_is_cancelled_and_closes_what_it_opened(start_run, caplog, kind):
    seen = []

    async def reply(messages, send):
        try:
            await send("so far")
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            seen.append("cleaned up")

    async def generator(messages, send):
        try:
            yield "so far"
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            seen.append("cleaned up")

    run = await start_run(reply if kind == "coroutine" else generator)
    await wait_until(
        lambda: run.pk in engine.current().live and "so far" in str(engine.current().live[run.pk].log.events)
    )
    await engine.cancel(run)
    await wait_for_run(run)
    assert (run.status, run.message.text, seen) == ("cancelled", "so far", ["cleaned up"])
    assert "failed" not in caplog.text


@pytest.mark.parametrize("is_async", [True, False])
async def test_error_after_the_stop_does_not_fail_the_run(start_run, caplog, is_async):
    caplog.set_level("INFO")
    gate = threading.Event()

    def reply(messages, send):
        try:
            send("so far")
            gate.wait(GATE_TIMEOUT)
            send("more")
        except BaseException:
            raise OwnError("in cleaning up") from None

    async def areply(messages, send):
        try:
            await send("so far")
            await asyncio.Event().wait()
        except BaseException:
            raise OwnError("in cleaning up") from None

    run = await start_run(areply if is_async else reply)
    await wait_until(
        lambda: run.pk in engine.current().live and "so far" in str(engine.current().live[run.pk].log.events)
    )
    await engine.cancel(run)
    await wait_for_run(run)
    gate.set()
    await wait_until(all_threads_are_free)
    assert run.status == "cancelled"
    assert "team.reply was stopped and raised OwnError" in caplog.text
    assert "failed" not in caplog.text


async def test_coroutine_that_does_not_stop_does_not_delay_its_run(start_run, caplog, monkeypatch):
    monkeypatch.setattr(python_provider, "CANCEL_TIMEOUT", 0.01)
    gate = asyncio.Event()

    async def reply(messages, send):
        await send("so far")
        while not gate.is_set():
            try:
                await gate.wait()
            except asyncio.CancelledError:
                pass

    run = await start_run(reply)
    await wait_until(
        lambda: run.pk in engine.current().live and "so far" in str(engine.current().live[run.pk].log.events)
    )
    await engine.cancel(run)
    await wait_for_run(run)
    assert run.status == "cancelled"
    assert "team.reply was cancelled and is still running" in caplog.text
    gate.set()


async def test_run_frees_its_thread_when_the_engine_shuts_down(start_run):
    gate, ended = threading.Event(), threading.Event()

    def reply(messages, send):
        try:
            send("so far")
            gate.wait(GATE_TIMEOUT)
            send("more")
        finally:
            ended.set()

    run = await start_run(reply)
    await wait_until(
        lambda: run.pk in engine.current().live and "so far" in str(engine.current().live[run.pk].log.events)
    )
    await engine.shut_down()
    await run.arefresh_from_db()
    assert run.status == "interrupted"
    gate.set()
    await wait_until(all_threads_are_free)
    assert ended.is_set()


def test_function_that_never_ends_does_not_keep_the_process_alive():
    code = """
import asyncio, django, sys, time, types
django.setup()
from django.conf import settings
from chat.providers import Request
from chat.providers import python as python_provider

def reply(messages, send):
    send("so far")
    time.sleep(600)  # a function that never returns: the site must not wait for it

sys.modules["team"] = types.SimpleNamespace(reply=reply)
settings.PYTHON_PROVIDERS = ["team.reply"]

async def main():
    async for piece in python_provider.reply(Request("team.reply", [])):
        if piece.delta:
            print(piece.delta)
            break

asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=HANG_TIMEOUT)
    assert (done.returncode, done.stdout) == (0, "so far\n"), done.stderr


async def test_silent_function_times_out(start_run, settings):
    settings.FIRST_TOKEN_SECONDS = 0.05
    gate = threading.Event()
    run = await start_run(lambda messages, send: gate.wait(GATE_TIMEOUT) and "too late")
    await wait_for_run(run)
    assert (run.status, run.error_code, run.message.parts) == ("failed", "timeout", [])
    gate.set()
    await wait_until(all_threads_are_free)


async def test_run_stopped_while_waiting_for_a_thread_calls_nothing(start_run, ask, monkeypatch):
    monkeypatch.setattr(python_provider, "pool", DaemonPool("function", 1))
    gate, begun, calls = threading.Event(), threading.Event(), []

    def reply(messages, send):
        calls.append(messages[-1]["content"])
        begun.set()
        gate.wait(GATE_TIMEOUT)

    first = await start_run(reply, "one")
    await wait_until(begun.is_set)
    second = await ask(await Assistant.objects.aget(slug="team"), "two")
    await wait_until(lambda: len(python_provider.pool.queues) == 1)
    await engine.cancel(second)
    await wait_for_run(second)
    gate.set()
    await wait_for_run(first)
    await wait_until(lambda: python_provider.pool.free == 1)
    assert (first.status, second.status, calls) == ("completed", "cancelled", ["one"])


async def test_run_stopped_at_the_moment_it_begins_calls_nothing(team):
    """The thread is there, but its reader has gone."""
    request = Request("team.reply", [("user", [{"type": "text", "text": "Hi"}])])
    calls, bridge = [], Bridge()
    bridge.close()
    async with python_provider._run_in_thread("team.reply", lambda *args: calls.append(args), request, bridge):
        await wait_until(all_threads_are_free)
    assert calls == []
