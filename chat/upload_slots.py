"""Limits how many uploads are read at a time: one of each user, and as many in all as there are processes for it.

With two processes, another user's upload need not wait for those of the first.
"""

from .per_loop import PerLoop
from .slots import Slots

MAX_WAITING = 100
MAX_WAITING_PER_USER = 20  # a page sends the ten files of a message at once


def upload_slots(processes: int, wait_timeout: float) -> PerLoop[Slots]:
    """Returns the slots of each event loop. An upload waits for at most `wait_timeout` seconds."""
    return PerLoop(
        lambda: Slots(
            processes,
            1,
            max_waiting=MAX_WAITING,
            max_waiting_per_key=MAX_WAITING_PER_USER,
            wait_timeout=wait_timeout,
        )
    )
