"""Threads: for database work, with a connection each, and for functions that may never end."""

import os
import threading
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor

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


class Threads:
    """At most `most` threads at a time, one for each call; further calls wait in line.

    A thread cannot be stopped: one that overruns keeps its place until it is done. These are daemons, unlike those of
    the standard library's pool, so that the process can leave without them. None is kept for later.
    """

    def __init__(self, name, most):
        self.name, self.free = name, most
        self.line = deque()
        self.lock = threading.Lock()

    def submit(self, function):
        """What `function()` gives, as a Future; cancelled while in line it is not called at all."""
        call = Future(), function
        with self.lock:
            if not self.free:
                self.line.append(call)
                return call[0]
            self.free -= 1
        try:
            threading.Thread(target=self._work, args=call, name=self.name, daemon=True).start()
        except RuntimeError:  # there is no room for one more
            with self.lock:
                self.free += 1
            raise
        return call[0]

    def _work(self, future, function):
        while True:
            if future.set_running_or_notify_cancel():
                try:
                    result = function()
                except BaseException as error:
                    future.set_exception(error)
                else:
                    future.set_result(result)
            with self.lock:
                if not self.line:
                    self.free += 1
                    return
                future, function = self.line.popleft()
