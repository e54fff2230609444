"""Temporary conversations: they exist while a page or a request shows them, and are deleted within a minute after that.

A page reports every few seconds that it shows one (`keep`), which is stored as its last activity. Any process deletes
the conversations that were not kept for LEASE seconds, so neither a closed page nor the process that it was connected
to has to report anything. All times are the database's, so no clocks are compared.
"""

import asyncio
import itertools
import logging
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models import DateTimeField, ExpressionWrapper
from django.db.models.functions import Now

from .. import broadcast
from ..models import Conversation, Run

if TYPE_CHECKING:
    from .runner import Engine

SWEEP_INTERVAL = 5  # seconds
LEASE = 35  # seconds since a page last reported that it shows the conversation; pages do so every 5
STOP_LEASE = 45  # seconds, while a run is being stopped: by then its answer has been written, or its process died
# After a start, or an outage of the database, the pages need this long to reconnect and report what they show: they
# try at least every 20 s.
GRACE = 30  # seconds
MAX_MISSED_SWEEPS = 3  # intervals that may pass between two sweeps without an outage
MAX_PER_SWEEP = 20
MAX_PER_DELETION = 100  # conversations in one transaction: 60 ms

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Hold:
    """What a request that keeps a temporary conversation knows of its run."""

    has_ended: bool = False


class TemporaryConversations:
    """Stores which temporary conversations are shown, and deletes the others."""

    def __init__(self, engine: "Engine") -> None:
        self.engine = engine
        self.shown: set[uuid.UUID] = set()  # since the last sweep
        self.held: set[uuid.UUID] = set()  # by requests that are open here
        self.released: set[uuid.UUID] = set()  # by requests that have ended since the last sweep
        self.unused: set[uuid.UUID] = set()  # by those that ended before: their RUN_ENDED hooks have had an interval
        self.stable_since: float | None = None  # loop time since which each sweep has succeeded
        self.last_sweep_at = 0.0

    def keep(self, conversation_id: uuid.UUID) -> None:
        """Notes that a page shows this conversation."""
        self.shown.add(conversation_id)

    @contextmanager
    def hold(self, run: Run) -> Iterator[Hold]:
        """Keeps the conversation of this run while the block runs. Then stops the run, in whichever process it is,
        and deletes the conversation within seconds.
        """
        hold = Hold()
        self.held.add(run.conversation_id)
        try:
            yield hold
        finally:
            self.held.discard(run.conversation_id)
            if not self.engine.is_shutting_down:  # else another process deletes it
                self.engine.spawn(self._release(run, hold))

    async def _release(self, run: Run, hold: Hold) -> None:
        if not hold.has_ended:
            await self.engine.cancel(run)
        self.released.add(run.conversation_id)

    async def sweep_forever(self) -> None:
        while True:
            try:
                await self._sweep()
            except Exception:
                logger.exception("Could not sweep the temporary conversations; trying again")
                self.stable_since = None
            await asyncio.sleep(SWEEP_INTERVAL)

    async def _sweep(self) -> None:
        shown, self.shown = self.shown | self.held, set()  # a page that reports meanwhile is stored by the next sweep
        try:
            await self.engine.run_in_database(_renew, shown)
        except Exception:
            self.shown |= shown
            raise
        await self._delete_unused()
        if self._is_stable(asyncio.get_running_loop().time()):
            await self._delete_expired()

    async def _delete_unused(self) -> None:
        """Deletes what requests have left, many at a time: that takes a tenth of what one by one does."""
        open_runs = []
        while self.unused:
            batch = set(itertools.islice(self.unused, MAX_PER_DELETION))
            open_runs += await self.engine.run_in_database(_delete_ended, batch)
            self.unused -= batch
        self.unused = self.released | {run.conversation_id for run in open_runs}
        self.released = set()
        for run in open_runs:  # of another process
            await self.engine.cancel(run)

    def _is_stable(self, now: float) -> bool:
        """Whether the open pages have had time to report. A gap between sweeps means that the process was frozen."""
        if self.stable_since is None or now - self.last_sweep_at > MAX_MISSED_SWEEPS * SWEEP_INTERVAL:
            self.stable_since = now
        self.last_sweep_at = now
        return now - self.stable_since >= GRACE

    async def _delete_expired(self) -> None:
        for conversation, open_runs in await self.engine.run_in_database(_expired):
            conversation_id = conversation.pk
            for run in open_runs:
                await self.engine.cancel(run)
            if await self.engine.run_in_database(_delete, conversation):
                await broadcast.notify_user(conversation.owner_id, conversation_id, "deleted")


def _renew(shown: set[uuid.UUID]) -> None:
    if shown:
        Conversation.objects.filter(pk__in=shown, is_temporary=True).update(updated_at=Now())


def _not_shown_for(seconds: float):
    """Returns the temporary conversations that no page has shown for this long."""
    before = ExpressionWrapper(Now() - timedelta(seconds=seconds), DateTimeField())
    return Conversation.objects.filter(is_temporary=True, updated_at__lt=before)


def _expired() -> list[tuple[Conversation, list[Run]]]:
    """Returns up to MAX_PER_SWEEP conversations that no page shows any more, each with its open runs."""
    conversations = list(_not_shown_for(LEASE).order_by("updated_at")[:MAX_PER_SWEEP])
    return [(conversation, list(conversation.runs.open())) for conversation in conversations]


def _delete(conversation: Conversation) -> bool:
    """Deletes the conversation, unless a page has shown it since or a run is still ending. Returns whether it did."""
    with transaction.atomic():
        conversation.runs.lock()
        is_running = conversation.runs.open().exists()
        if not _not_shown_for(STOP_LEASE if is_running else LEASE).lock(conversation.pk):
            return False
        conversation.delete()
        return True


def _delete_ended(conversation_ids: set[uuid.UUID]) -> list[Run]:
    """Deletes those of these conversations that have no open run. Returns the open runs of the others."""
    with transaction.atomic():
        runs = Run.objects.filter(conversation_id__in=conversation_ids)
        runs.lock()
        open_runs = list(runs.open())
        running = {run.conversation_id for run in open_runs}
        Conversation.objects.filter(pk__in=conversation_ids - running, is_temporary=True).delete()
    return open_runs
