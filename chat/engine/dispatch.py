"""Decides which process executes a run: the interface, and the slots that its implementations share.

Only the table DISPATCH in runner.py names these: LocalDispatch and QueueDispatch, which do not know each other, and for
RUNNER=web `Dispatch` itself, which executes nothing.

A run begins as a queued row, made together with its message. `RUNNER` says which process then executes it: the one that
accepted the message, or any that takes from the queue. Either way `Run.claim` decides between two that reach for the
same run, and `Run.finish` and `Run.requeue` between two that end it.
"""

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

from django.conf import settings

from ..models import Run

if TYPE_CHECKING:
    from .runner import Engine, LiveRun


class Dispatch:
    """Decides which queued runs this process executes. As it is here: none, and the others take what it accepts."""

    def __init__(self, engine: "Engine") -> None:
        self.engine = engine

    @property
    def waiting_count(self) -> int:
        """How many runs wait in this process for a slot."""
        return 0

    @property
    def adoption_limit(self) -> int:
        """How many unclaimed runs of other processes the heartbeat reads for `on_beat`."""
        return 0

    def submit(self, run: Run) -> None:
        """A run was made here, and its transaction is committed."""

    def withdraw(self, run: Run) -> None:
        """Forgets a run that will not begin here: it was cancelled, has ended, or another process has it."""

    def on_beat(self, unclaimed: list[Run]) -> None:
        """The heartbeat has come, and has found these queued runs."""

    def on_run_queued(self) -> None:
        """Another process has queued a run."""

    def needs_wakeups(self, has_peers: bool) -> bool:
        """Whether other processes may have something to tell this one."""
        return False


class Slots:
    """What this process executes at a time: at most MAX_RUNS runs, of one user MAX_RUNS_PER_USER.

    `on_end(live, has_other_ended)` is called with each run that has left its slot, whether it was claimed or not;
    `has_other_ended` says whether another run has ended here since it was begun.
    """

    def __init__(self, engine: "Engine", on_end: Callable[["LiveRun", bool], None]) -> None:
        self.engine = engine
        self.on_end = on_end
        self.in_use: Counter[int] = Counter()  # user's id -> runs that have a slot
        self.ended_count = 0  # claimed runs that have ended here

    @property
    def free_count(self) -> int:
        return 0 if self.engine.is_shutting_down else max(0, settings.MAX_RUNS - self.in_use.total())

    def is_full_for(self, user_id: int) -> bool:
        return self.in_use[user_id] >= settings.MAX_RUNS_PER_USER

    @property
    def full_users(self) -> list[int]:
        return [user_id for user_id in self.in_use if self.is_full_for(user_id)]

    def begin(self, live: "LiveRun", is_fresh: bool) -> None:
        """Executes the run in a slot. `is_fresh`: its row was made or read just now."""
        live.has_begun = True
        self.in_use[live.user_id] += 1
        self.engine.spawn(self._execute(live, is_fresh))

    async def _execute(self, live: "LiveRun", is_fresh: bool) -> None:
        ended_before = self.ended_count
        try:
            await live.execute(is_fresh)
        finally:
            self.in_use[live.user_id] -= 1
            if not self.in_use[live.user_id]:
                del self.in_use[live.user_id]
            has_other_ended = self.ended_count > ended_before
            self.ended_count += live.is_claimed
            self.engine.release(live)
            self.on_end(live, has_other_ended)
