"""Worker processes: for work on files that users send, which may take long, much memory, or the process with it.

A process of a pool does one task at a time. One that is late is killed, and one that dies takes its task alone with it.
Processes start when they are needed and end when they have been idle for a while. `chat.worker_process` is the program.

Why not a library: those at hand (concurrent.futures, loky, pebble) read pickles from their workers, which must not be
done with workers that a user's file may have taken over; and they import the server's main module in each.
"""

import asyncio
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from tempfile import NamedTemporaryFile
from typing import IO, Any, Concatenate, ParamSpec, TypeVar, cast

from django.conf import settings

from . import executors
from .executors import DaemonPool

IDLE_TIMEOUT = 60  # seconds until an idle process ends
MAX_TASKS_PER_PROCESS = 200  # memory that a library loses goes with the process
ENVIRONMENT = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PYTHONHOME", "PYTHONPATH", "SYSTEMROOT", "TMPDIR")

logger = logging.getLogger(__name__)

Task = Callable[..., dict[str, Any]]
P = ParamSpec("P")
R = TypeVar("R")


class TaskFailed(Exception):
    """The task has no result. `code` says why: what the task refused with, "too_slow", or "crashed"."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Pool:
    """At most `size` worker processes at a time, each with a thread that waits for it. For all event loops."""

    def __init__(self, name: str, size: int, program: str = "chat.worker_process") -> None:
        self._threads = DaemonPool(name, size)
        self._program = program
        self._idle: list[Worker] = []
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None

    async def run(self, function: Callable[Concatenate[Task, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Returns `function(task, *args, **kwargs)`, called in a thread.

        There, `task(name, timeout, **arguments)` lets a process do a task, and returns its result or raises
        TaskFailed. If the caller is cancelled, so is the task.
        """
        call = Call(self)
        future = asyncio.wrap_future(self._threads.submit(lambda: function(call.run, *args, **kwargs)))
        try:
            return await future
        finally:
            call.cancel()

    def take(self) -> "Worker":
        with self._lock:
            while self._idle:
                worker = self._idle.pop()
                if worker.is_alive:
                    return worker
        return Worker(self._program)

    def give_back(self, worker: "Worker") -> None:
        if not worker.is_alive or worker.task_count >= MAX_TASKS_PER_PROCESS:
            return worker.end()
        with self._lock:
            self._idle.append(worker)
            if self._timer:
                self._timer.cancel()
            self._timer = threading.Timer(IDLE_TIMEOUT, self.end_idle)
            self._timer.daemon = True
            self._timer.start()

    def end_idle(self) -> None:
        with self._lock:
            idle, self._idle = self._idle, []
        for worker in idle:
            worker.end()


class Call:
    """What one caller of a pool asks of its processes."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._worker: Worker | None = None
        self._is_cancelled = False
        self._lock = threading.Lock()

    def run(self, name: str, timeout: float, **arguments: Any) -> dict[str, Any]:
        worker = self._pool.take()
        with self._lock:
            self._worker = worker
            if self._is_cancelled:
                worker.kill()
        try:
            return worker.run(name, timeout, arguments)
        finally:
            with self._lock:
                self._worker = None
            self._pool.give_back(worker)

    def cancel(self) -> None:
        with self._lock:
            self._is_cancelled = True
            if self._worker:
                self._worker.kill()


class Worker:
    """A process that does tasks, one at a time."""

    def __init__(self, program: str) -> None:
        self.task_count = 0
        self._is_killed = False
        limits = settings.WORKER_MEMORY_BYTES, executors.SLOW_NICENESS if executors.lowers_priority else 0
        self._process = subprocess.Popen(
            [sys.executable, "-c", f"from {program} import main; main()", *map(str, limits)],
            cwd=settings.BASE_DIR,
            env={name: os.environ[name] for name in ENVIRONMENT if name in os.environ},  # no keys, no passwords
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # a library's complaints about a user's file would fill the log
            # Ctrl+C is for the server. In a session of its own, Linux would give it as much time as the whole server
            # (autogroups), whatever its priority.
            process_group=0,
        )

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def run(self, name: str, timeout: float, arguments: dict[str, Any]) -> dict[str, Any]:
        self.task_count += 1
        is_late = threading.Event()

        def kill() -> None:
            is_late.set()
            self.kill()

        timer = threading.Timer(timeout, kill)
        timer.daemon = True
        timer.start()
        try:
            answer = self._ask({"task": name, "timeout": timeout, "arguments": arguments})
        finally:
            timer.cancel()
        if "result" in answer:
            return answer["result"]
        if "error" in answer:
            logger.error("A worker process could not do its task:\n%s", answer["error"])
        is_slow = is_late.is_set() or self._process.returncode == -signal.SIGXCPU
        raise TaskFailed(answer.get("refused") or ("too_slow" if is_slow else "crashed"))

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """Returns the answer of the process, an empty one if it has ended."""
        stdin, stdout = cast(IO[bytes], self._process.stdin), cast(IO[bytes], self._process.stdout)
        try:
            stdin.write(json.dumps(request).encode() + b"\n")
            stdin.flush()
            return json.loads(stdout.readline())
        except (OSError, ValueError):
            self.end()
            if not self._is_killed:
                logger.warning("A worker process ended with %s in the middle of a task.", self._process.returncode)
            return {}

    def kill(self) -> None:
        """Ends the process, whatever it does. May be called from any thread."""
        self._is_killed = True
        self._process.kill()

    def end(self) -> None:
        """Ends the process and lets go of its pipes."""
        self._process.kill()
        with suppress(OSError), self._process:  # what could not be written to it is lost
            pass


@contextmanager
def path_of(file: Any) -> Iterator[str]:
    """The path of an uploaded file, or of a temporary copy if it is in memory."""
    if hasattr(file, "temporary_file_path"):
        yield file.temporary_file_path()
        return
    with NamedTemporaryFile(prefix="upload-", dir=settings.FILE_UPLOAD_TEMP_DIR) as copy:
        shutil.copyfileobj(file, copy)
        copy.flush()
        yield copy.name
