"""Lets any process that takes from the queue execute a run. The queue is the queued rows in the database.

A process takes only what it has a slot for: when PostgreSQL tells it of a queued run, when a run ends here, and at each
heartbeat, in case a wake-up was lost. All these processes hear of each run, and the first to claim it gets it.
"""

import asyncio
import logging
import random
import uuid
from collections.abc import Collection
from typing import TYPE_CHECKING

from ..models import Run
from .dispatch import Dispatch, Slots

if TYPE_CHECKING:
    from .runner import Engine, LiveRun

MAX_RUNS_PER_QUERY = 100

logger = logging.getLogger(__name__)


class QueueDispatch(Dispatch):
    """Takes queued runs of all processes. What waits stays in the database, so that others can take it."""

    def __init__(self, engine: "Engine") -> None:
        super().__init__(engine)
        self.slots = Slots(engine, self._on_end)
        self._wanted = asyncio.Event()
        engine.spawn(self._take_forever())

    def submit(self, run: Run) -> None:
        self._wanted.set()

    def withdraw(self, run: Run) -> None:
        self._wanted.set()  # what waited for it may begin

    def on_beat(self, unclaimed: list[Run]) -> None:
        """Looks at the queue. `unclaimed` is empty: `adoption_limit` is 0, since `_take` reads the queue itself."""
        self._wanted.set()

    def on_run_queued(self) -> None:
        self._wanted.set()

    def needs_wakeups(self, has_peers: bool) -> bool:
        return True

    def _on_end(self, live: "LiveRun", has_other_ended: bool) -> None:
        if live.is_claimed or live.is_taken:  # its slot is free, and what waited for its answer can begin
            self._wanted.set()

    async def _take_forever(self) -> None:
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            try:
                await self._take()
            except Exception:
                logger.exception("The queue could not be read; the next heartbeat tries again")

    async def _take(self) -> None:
        """Begins queued runs until there is no slot or nothing left. Users who have all their slots are passed over."""
        while limit := min(self.slots.free_count, MAX_RUNS_PER_QUERY):
            being_claimed = [run_id for run_id, live in self.engine.live.items() if not live.is_claimed]
            runs = await self.engine.run_in_database(_oldest_queued, being_claimed, self.slots.full_users, limit)
            random.shuffle(runs)  # so that two processes rarely reach for the same one
            begun_count = sum(self._begin(run) for run in runs)
            # None could begin, or all that the query found have begun: the next wake-up looks again.
            if not begun_count or begun_count == len(runs) < limit:
                return

    def _begin(self, run: Run) -> bool:
        is_here = run.pk in self.engine.live  # this process is still ending an attempt that it has lost
        if is_here or not self.slots.free_count or self.slots.is_full_for(run.conversation.owner_id):
            return False
        self.slots.begin(self.engine.add(run), is_fresh=True)
        return True


def _oldest_queued(except_for: Collection[uuid.UUID], full_users: Collection[int], limit: int) -> list[Run]:
    """Returns queued runs that could begin, oldest first, but none of these runs and users. Sync."""
    queued = Run.objects.ready().exclude(pk__in=except_for).exclude(conversation__owner_id__in=full_users)
    related = queued.select_related("conversation", "message__parent", "assistant")
    return list(related.order_by("created_at")[:limit])
