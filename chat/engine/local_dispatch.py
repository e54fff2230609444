"""The process that accepted a message executes its run; another one takes it on only if that one does not."""

import uuid
from typing import TYPE_CHECKING

from django.conf import settings

from ..models import Run
from .dispatch import Dispatch, Slots

if TYPE_CHECKING:
    from .runner import Engine, LiveRun


class LocalDispatch(Dispatch):
    """Keeps the runs that wait for a slot, or for an answer before them, in memory."""

    def __init__(self, engine: "Engine") -> None:
        super().__init__(engine)
        self.slots = Slots(engine, self._on_end)
        self.queue: dict[uuid.UUID, LiveRun] = {}  # those that wait for a slot, in the order of arrival
        self.blocked: dict[uuid.UUID, Run] = {}  # those that build on an answer that is still being written

    @property
    def waiting_count(self) -> int:
        return len(self.queue)

    @property
    def adoption_limit(self) -> int:
        return max(0, settings.MAX_RUNS - len(self.engine.live))

    def submit(self, run: Run) -> None:
        self._enqueue(run, was_just_created=True)

    def withdraw(self, run: Run) -> None:
        self.blocked.pop(run.pk, None)
        if queued := self.queue.pop(run.pk, None):
            self.engine.release(queued)
        self._unblock(run.conversation_id)  # others may have waited for it

    def on_beat(self, unclaimed: list[Run]) -> None:
        for run in unclaimed:
            self._enqueue(run)

    def needs_wakeups(self, has_peers: bool) -> bool:
        return has_peers  # whose users may stop runs that are executed here

    def _enqueue(self, run: Run, was_just_created: bool = False) -> None:
        self.blocked.pop(run.pk, None)
        if run.pk not in self.engine.live:
            self.queue[run.pk] = self.engine.add(run)
        self._fill_slots(run.pk if was_just_created else None)

    def _fill_slots(self, just_created: uuid.UUID | None = None) -> None:
        """Gives free slots to the queued runs, first come first served, within each user's limit.

        `just_created` is the id of a run that was made just now: this process knows it as it is.
        """
        for run_id, live in list(self.queue.items()):
            if not self.slots.free_count:
                return
            if not self.slots.is_full_for(live.user_id):
                del self.queue[run_id]
                self.slots.begin(live, run_id == just_created)

    def _on_end(self, live: "LiveRun", has_other_ended: bool) -> None:
        if live.is_claimed:
            self._unblock(live.run.conversation_id)
        elif live.is_blocked and has_other_ended:  # perhaps the answer that it waits for
            self._enqueue(live.run)
        elif live.is_blocked:
            self.blocked[live.run.pk] = live.run
        self._fill_slots()

    def _unblock(self, conversation_id: uuid.UUID) -> None:
        """Queues the runs again that wait for an answer of this conversation."""
        for run in [run for run in self.blocked.values() if run.conversation_id == conversation_id]:
            self._enqueue(run)
