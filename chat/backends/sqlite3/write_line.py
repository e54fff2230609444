"""A lock that goes to its threads in the order in which they asked for it."""

import threading
from collections import deque


class WriteLine:
    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._waiting: deque[threading.Lock] = deque()  # each is released when it is that thread's turn
        self._is_held = False

    @property
    def waiting_count(self) -> int:
        return len(self._waiting)

    def acquire(self, timeout: float) -> bool:
        """Waits for at most `timeout` seconds. Returns whether the lock is held now."""
        with self._guard:
            if not self._is_held:
                self._is_held = True
                return True
            turn = threading.Lock()
            turn.acquire()
            self._waiting.append(turn)
        if turn.acquire(timeout=timeout):
            return True
        with self._guard:
            if turn not in self._waiting:
                return True  # handed over at the last moment
            self._waiting.remove(turn)
            return False

    def release(self) -> None:
        """Hands the lock to the thread that has waited longest."""
        with self._guard:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._is_held = False
