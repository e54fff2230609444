"""What the machine gives: cores, file descriptors, free ports, and how much of it others use."""

import os
import resource
import socket
import time

import psutil

CORES = sorted(os.sched_getaffinity(0))
SERVER_CORE, LOAD_CORE = CORES[0], CORES[-1]  # one for the server under measure, one for model, client and set-up


def raise_file_limit():
    _, limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


class OtherProcesses:
    """What processes that are not ours took of the machine. Above a few percent, the figures are not worth much."""

    def __init__(self):
        self.own = psutil.Process()
        self.since = self.busy(), self.ours(), time.monotonic()

    def busy(self):
        times = psutil.cpu_times()
        return times.user + times.nice + times.system + times.steal

    def ours(self):
        times = [process.cpu_times() for process in [self.own, *self.own.children(recursive=True)]]
        return sum(t.user + t.system + t.children_user + t.children_system for t in times)

    def percent(self):
        busy, ours, began = self.since
        theirs = (self.busy() - busy) - (self.ours() - ours)
        return max(0, 100 * theirs / (time.monotonic() - began) / os.cpu_count())
