"""The program of a worker process with tasks for tests."""

import os
import signal
import time

from chat import worker_process


def run(action, **arguments):
    return globals()[action](**arguments)


def whoami():
    groups = {"session": os.getsid(0), "process_group": os.getpgid(0)}
    return {"pid": os.getpid(), "niceness": os.nice(0), "environment": dict(os.environ), **groups}


def sleep(path):
    with open(path, "w") as file:
        file.write(str(os.getpid()))
    time.sleep(600)


def allocate(size):
    bytearray(size)
    return {}


def die():
    os.kill(os.getpid(), signal.SIGSEGV)


def refuse(code):
    raise worker_process.TaskRefused(code)


def fail():
    raise ZeroDivisionError


def chatter():
    print("a library's words")
    os.write(1, b"and more\n")
    return {"quiet": True}


def main():
    worker_process.TASKS["test"] = "tests.worker_tasks"
    worker_process.main()
