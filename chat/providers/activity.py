"""The signs of life of a model's server."""

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Activity:
    """When the server last sent anything, and whether something else is waited for. The engine times out silence.

    Whatever a server sends while it works is a sign of life, even if no piece comes of it: comments, pings, empty
    chunks, its progress or the place in its queue. So it is the connection that marks, packet by packet.
    """

    __slots__ = ("last_at", "suspensions")

    def __init__(self) -> None:
        self.last_at = time.monotonic()
        self.suspensions = 0

    def mark(self) -> None:
        self.last_at = time.monotonic()

    @contextmanager
    def suspended(self) -> Iterator[None]:
        """While something works that has a time limit of its own, such as a tool, the server need not send anything."""
        self.suspensions += 1
        try:
            yield
        finally:
            self.suspensions -= 1
            self.mark()
