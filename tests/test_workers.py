"""Worker processes: what they may use, how they end, and what becomes of a task that goes wrong."""

import asyncio
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from chat import executors, workers
from chat.workers import Pool, TaskFailed
from scripts.environment import ROOT
from tests.timeouts import HANG_TIMEOUT
from tests.waiting import wait_until

pytestmark = pytest.mark.slow


@pytest.fixture
def pool():
    pool = Pool("test", 2, "tests.worker_tasks")
    yield pool
    pool.end_idle()


def call(task, action, timeout=HANG_TIMEOUT, **arguments):
    return task("test", timeout, action=action, **arguments)


def is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def started(path):
    """Returns the process id that a `sleep` task has written to this file."""
    await wait_until(lambda: path.exists() and path.read_text())
    return int(path.read_text())


async def test_worker_process_does_one_task_after_the_other(pool):
    first = await pool.run(call, "whoami")
    second = await pool.run(call, "whoami")
    assert first["pid"] == second["pid"] != os.getpid()


async def test_worker_process_has_low_priority_and_no_secrets(pool, monkeypatch):
    monkeypatch.setattr(executors, "lowers_priority", True)
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    process = await pool.run(call, "whoami")
    assert process["niceness"] == min(19, os.nice(0) + 15)
    assert process["environment"].keys() <= {*workers.ENVIRONMENT, "LC_CTYPE"}


async def test_worker_process_shares_the_time_of_the_server_and_not_its_signals(pool):
    """Linux divides time between sessions first, whatever the priority of their processes."""
    process = await pool.run(call, "whoami")
    assert process["session"] == os.getsid(0)
    assert process["process_group"] == process["pid"] != os.getpgid(0)


async def test_worker_process_imports_no_django():
    code = "import sys, chat.worker_process, chat.image_codec; print(*sys.modules)"
    process = await asyncio.to_thread(subprocess.run, [sys.executable, "-c", code], cwd=ROOT, capture_output=True)
    modules = process.stdout.decode().split()
    assert "chat.image_codec" in modules
    assert not [name for name in modules if name.startswith("django")]


async def test_worker_process_starts_after_another_has_been_idle_for_long(pool, monkeypatch):
    monkeypatch.setattr(workers, "IDLE_TIMEOUT", 0)
    process = await pool.run(call, "whoami")
    await wait_until(lambda: not is_running(process["pid"]))
    assert (await pool.run(call, "whoami"))["pid"] != process["pid"]


async def test_worker_process_is_replaced_after_its_last_task(pool, monkeypatch):
    monkeypatch.setattr(workers, "MAX_TASKS_PER_PROCESS", 1)
    assert (await pool.run(call, "whoami"))["pid"] != (await pool.run(call, "whoami"))["pid"]


async def test_task_refuses_with_a_code(pool):
    with pytest.raises(TaskFailed) as failure:
        await pool.run(call, "refuse", code="odd")
    assert failure.value.code == "odd"


async def test_task_that_needs_too_much_memory_is_refused(pool, settings):
    with pytest.raises(TaskFailed) as failure:
        await pool.run(call, "allocate", size=settings.WORKER_MEMORY_BYTES + 1)
    assert failure.value.code == "too_large"
    assert await pool.run(call, "allocate", size=settings.WORKER_MEMORY_BYTES // 2) == {}


async def test_task_that_times_out_is_killed(pool, tmp_path):
    late = await pool.run(call, "whoami")
    sleeping = asyncio.create_task(pool.run(call, "sleep", timeout=0.2, path=str(tmp_path / "pid")))
    await wait_until(lambda: not pool._idle)  # it has that process
    other = await pool.run(call, "whoami")
    with pytest.raises(TaskFailed) as failure:
        await sleeping
    assert failure.value.code == "too_slow"
    assert not is_running(late["pid"])
    assert (await pool.run(call, "whoami"))["pid"] == other["pid"] != late["pid"]


async def test_task_that_crashes_affects_no_other(pool, tmp_path, caplog):
    sleeping = asyncio.create_task(pool.run(call, "sleep", path=str(tmp_path / "pid")))
    pid = await started(tmp_path / "pid")
    with pytest.raises(TaskFailed) as failure:
        await pool.run(call, "die")
    assert failure.value.code == "crashed"
    assert "ended with -11" in caplog.text
    assert is_running(pid)
    assert (await pool.run(call, "whoami"))["pid"] != pid
    sleeping.cancel()


async def test_task_with_a_bug_is_logged(pool, caplog):
    with pytest.raises(TaskFailed), caplog.at_level(logging.ERROR):
        await pool.run(call, "fail")
    assert "ZeroDivisionError" in caplog.text


async def test_task_ends_with_its_caller(pool, tmp_path, caplog):
    sleeping = asyncio.create_task(pool.run(call, "sleep", path=str(tmp_path / "pid")))
    pid = await started(tmp_path / "pid")
    sleeping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sleeping
    await wait_until(lambda: not is_running(pid))
    assert caplog.text == ""


async def test_task_may_print(pool):
    assert await pool.run(call, "chatter") == {"quiet": True}


async def test_task_waits_for_a_free_process(tmp_path):
    pool = Pool("test", 1, "tests.worker_tasks")
    sleeping = asyncio.create_task(pool.run(call, "sleep", path=str(tmp_path / "pid")))
    await started(tmp_path / "pid")
    waiting = asyncio.create_task(pool.run(call, "whoami"))
    sleeping.cancel()
    assert (await waiting)["pid"] != await started(tmp_path / "pid")
    pool.end_idle()


def test_worker_process_ends_with_the_site(tmp_path):
    """Also when the site is killed while the process is at work."""
    code = (
        "import django; django.setup(); import asyncio, sys; from chat.workers import Pool\n"
        "run = lambda task: task('test', 600, action='sleep', path=sys.argv[1])\n"
        "asyncio.run(Pool('test', 1, 'tests.worker_tasks').run(run))"
    )
    path = tmp_path / "pid"
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"}
    site = subprocess.Popen([sys.executable, "-c", code, str(path)], cwd=ROOT, env=environment)

    async def kill_the_site():
        pid = await started(path)
        site.send_signal(signal.SIGKILL)
        site.wait()
        await wait_until(lambda: not is_running(pid))

    asyncio.run(kill_the_site())


def test_interpreter_does_not_wait_for_a_task(tmp_path):
    """Or else a shutdown would take as long as the slowest task."""
    code = (
        "import django; django.setup(); import os, sys, threading, time; from chat.workers import Pool\n"
        "pool = Pool('test', 1, 'tests.worker_tasks')\n"
        "run = lambda: pool.take().run('test', 600, {'action': 'sleep', 'path': sys.argv[1]})\n"
        "pool._threads.submit(run)\n"
        "while not os.path.exists(sys.argv[1]): time.sleep(0.01)\n"
    )
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"}
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "pid")], cwd=ROOT, env=environment, timeout=HANG_TIMEOUT)


def test_site_does_not_load_the_decoders():
    """They are for worker processes: a fault in one of them then meets no keys and no database."""
    code = "import sys, chatsite.asgi; print('PIL' in sys.modules, 'chat.importers.task' in sys.modules)"
    process = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True)
    assert process.stdout.split() == [b"False", b"False"]
