"""A Redis or Valkey server for the tests."""

import shutil
import signal
import socket
import subprocess
import tempfile
import time
from typing import Any

TIMEOUT = 60  # seconds for a start


def program():
    """Returns the path of the server's program, or None."""
    return shutil.which("redis-server") or shutil.which("valkey-server")


class TemporaryRedis:
    """A server that keeps nothing on disk. `stop` kills it, so that `start` begins without any data."""

    def __init__(self, port, *options):
        self.command = [program(), "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        self.command += options
        self.port = port
        self.url = f"redis://127.0.0.1:{port}/0"
        self.process: Any = None

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="chat-redis-")
        return self.start()

    def __exit__(self, *error):
        self.stop()
        self.folder.cleanup()

    def start(self):
        self.process = subprocess.Popen(
            [*self.command, "--dir", self.folder.name], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + TIMEOUT
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return self
            except OSError:
                assert self.process.poll() is None, "The Redis server does not start."
                assert time.monotonic() < deadline, "The Redis server does not answer."
                time.sleep(0.02)  # before the next attempt: a port gives no signal when it opens

    def stop(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None

    def freeze(self):
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)
