"""This process's heartbeat, and what it sees of the other processes at each beat."""

import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from ..models import Run, ServerProcess

HEARTBEAT_INTERVAL = 1  # seconds
MAX_MISSED_BEATS = 3  # beats of ours through which another process's count may stand still
MAX_DELAY = MAX_MISSED_BEATS * HEARTBEAT_INTERVAL  # seconds between two beats of ours; more is an outage
OUTAGE_GRACE = 10  # beats of ours after an outage in which nobody is dead: others may find the database back later
ADOPT_DELAY = 2  # seconds that a queued run belongs to the process that accepted it


@dataclass(frozen=True, slots=True)
class Beat:
    """What one beat has seen in the database."""

    to_stop: set[uuid.UUID]  # runs of ours that another process asked to stop
    ours: set[uuid.UUID]  # all runs that we write
    unclaimed: list[Run]  # queued runs that could start, and that no process has started


@dataclass(slots=True)
class Peer:
    """Another process as we see it: its count, and for how many beats of ours the count has not changed."""

    count: int | None  # None: it writes runs but has no row
    missed: int = 0


class Heartbeat:
    """Counts this process's row up and watches the counts of the others. Sync; one transaction a beat.

    A process counts as dead when its count has stood still through MAX_MISSED_BEATS beats of ours. No clocks are
    compared. A database that was away stops all counts, but processes do not find it back at the same time: whoever
    could not beat in time itself forgets what it has seen, and watches for OUTAGE_GRACE beats longer. `adopts` are
    conditions on the queued runs of others that this process takes on.
    """

    def __init__(self, process_id: uuid.UUID, adopts: Mapping[str, Any] | None = None) -> None:
        self.process_id = process_id
        self.adopts = dict(adopts or {})
        self.peers: dict[uuid.UUID, Peer] = {}
        self.grace = 0  # beats that are left of OUTAGE_GRACE
        self.last_beat_at: float | None = None

    def beat(self, adoption_limit: int) -> Beat:
        """`adoption_limit` is how many queued runs of other processes to return."""
        try:
            beat = self._beat(adoption_limit)
        except Exception:
            self._forget()
            raise
        now = time.monotonic()
        if self.last_beat_at is not None and now - self.last_beat_at > MAX_DELAY:
            self._forget()  # a database or a process that was frozen fails no beat
        self.last_beat_at = now
        self.grace = max(0, self.grace - 1)
        return beat

    def _forget(self) -> None:
        self.peers = {}
        self.grace = OUTAGE_GRACE

    def _beat(self, adoption_limit: int) -> Beat:
        due = timezone.now() - timedelta(seconds=ADOPT_DELAY)
        queued = Run.objects.ready().filter(created_at__lt=due, **self.adopts)
        with transaction.atomic():
            if not ServerProcess.objects.filter(pk=self.process_id).update(beat=F("beat") + 1, seen_at=timezone.now()):
                ServerProcess.objects.create(pk=self.process_id)
            counts: dict[uuid.UUID, int | None] = dict(
                ServerProcess.objects.exclude(pk=self.process_id).values_list("id", "beat")
            )
            live = list(Run.objects.filter(status=Run.IN_PROGRESS).values_list("id", "process_id", "cancel_requested"))
            unclaimed = list(queued.select_related("conversation", "assistant").order_by("created_at")[:adoption_limit])
        for _, process_id, _ in live:
            if process_id is not None and process_id != self.process_id:
                counts.setdefault(process_id, None)
        self.peers = {process_id: self._seen(process_id, count) for process_id, count in counts.items()}
        ours = {run_id: to_stop for run_id, process_id, to_stop in live if process_id == self.process_id}
        return Beat({run_id for run_id, to_stop in ours.items() if to_stop}, set(ours), unclaimed)

    def _seen(self, process_id: uuid.UUID, count: int | None) -> Peer:
        before = self.peers.get(process_id)
        if before is None or before.count != count:
            return Peer(count)
        return Peer(count, before.missed + 1)

    @property
    def has_peers(self) -> bool:
        """Whether another process lives, as far as its heartbeats tell."""
        return any(peer.missed < MAX_MISSED_BEATS for peer in self.peers.values())

    @property
    def dead(self) -> dict[uuid.UUID, int | None]:
        """The processes that count as dead, each with its last known count."""
        if self.grace:
            return {}
        return {process_id: peer.count for process_id, peer in self.peers.items() if peer.missed >= MAX_MISSED_BEATS}
