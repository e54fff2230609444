"""Threads for database work, with a connection each."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor

STEP_BACK = 10  # niceness; SQLite's work is in the process, and without this every stream waits while it commits


def database_thread(name):
    """An executor of one thread, which gives way to the event loop where both want the same core (on Linux)."""
    return ThreadPoolExecutor(1, name, initializer=_step_back)


def _step_back():
    try:
        thread = threading.get_native_id()
        os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + STEP_BACK)
    except (AttributeError, OSError):  # not on this system, or not allowed here
        pass
