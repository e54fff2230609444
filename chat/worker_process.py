"""The program of a worker process: reads tasks from standard input, a line of JSON each, and answers with such lines.

It works on files that users sent, in libraries written in C. So its memory and its time are limited, it has a low
priority and no secrets in its environment, and it speaks JSON: a file that takes over this process cannot make the site
run code, as it could with pickle. It starts fast, because it loads neither Django's settings nor its models.
"""

import importlib
import json
import os
import queue
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

TASKS = {  # name -> the module with its function `run`
    "extract": "chat.extraction.task",
    "image": "chat.image_codec",
    "import": "chat.importers.task",
}
MAX_OUTPUT_BYTES = 2_000_000_000  # of one file that a task writes


class TaskRefused(Exception):
    """The file cannot be taken. `code` says why; the site has the sentences."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def main() -> None:
    answers = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(2, 1)  # what a library prints is no answer
    memory_bytes, niceness = map(int, sys.argv[1:])
    _limit_resources(memory_bytes, niceness)
    tasks: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_read_tasks, args=(tasks,), daemon=True).start()
    while True:
        request = json.loads(tasks.get())
        # A task may name a time of its own, beside that which it may take on a busy machine.
        _limit_cpu_time(request["arguments"].get("cpu_seconds", request["timeout"]))
        answer = _run(request["task"], request["arguments"])
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def _read_tasks(tasks: "queue.SimpleQueue[str]") -> None:
    """Ends the process as soon as the site's has ended, even in the middle of a task."""
    for line in sys.stdin:
        tasks.put(line)
    os._exit(0)


def _run(task: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """Returns {"result"}, or {"refused": code}, or {"error": the traceback of a fault of ours}."""
    try:
        return {"result": importlib.import_module(TASKS[task]).run(**arguments)}
    except TaskRefused as refusal:
        return {"refused": refusal.code}
    except MemoryError:
        return {"refused": "too_large"}
    except Exception:
        return {"error": traceback.format_exc()}


def _limit_resources(memory_bytes: int, niceness: int) -> None:
    """Limits the memory to `memory_bytes` more than is in use now, and what else a file could use up."""
    try:
        os.nice(niceness)
        import resource
    except (ImportError, OSError):  # not on this system
        return
    limits = {resource.RLIMIT_CORE: 0, resource.RLIMIT_FSIZE: MAX_OUTPUT_BYTES}
    if (size := _address_space()) is not None:
        limits[resource.RLIMIT_AS] = size + memory_bytes
    for name, limit in limits.items():
        _lower_limit(name, limit)


def _address_space() -> int | None:
    """Returns the bytes that this process has mapped, most of them libraries; None if the system does not say."""
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return None


@contextmanager
def allow_memory(size: int) -> Iterator[None]:
    """Allows so many bytes more while the block runs: for a file that is mapped, which takes none of its own."""
    try:
        import resource
    except ImportError:
        yield
        return
    limit, hard = resource.getrlimit(resource.RLIMIT_AS)
    if limit == resource.RLIM_INFINITY:
        yield
        return
    resource.setrlimit(resource.RLIMIT_AS, (limit + size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (limit, hard))


def _limit_cpu_time(seconds: float) -> None:
    """Ends the process after so many more seconds of work. The site ends it earlier, if the site is still there."""
    try:
        import resource
    except ImportError:
        return
    usage = resource.getrusage(resource.RUSAGE_SELF)
    _lower_limit(resource.RLIMIT_CPU, int(usage.ru_utime + usage.ru_stime + seconds) + 1)


def _lower_limit(name: int, limit: int) -> None:
    import resource

    hard = resource.getrlimit(name)[1]
    if hard == resource.RLIM_INFINITY or limit <= hard:
        resource.setrlimit(name, (limit, hard))
