"""Which process owns a run, so that it alone writes it: conditional updates that only one process wins."""

import uuid
from typing import TYPE_CHECKING

from django.db import models, transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from .ending import Status
from .journal import RunEvent
from .wakeups import notify_cancel_requested, notify_run_queued

if TYPE_CHECKING:
    from .conversations import Message, RunQuerySet


class WithOwner(models.Model):
    """The columns and methods of a run about the process that owns it."""

    started_at = models.DateTimeField(null=True)
    process_id = models.UUIDField(_("process"), null=True, help_text=_("The process that is writing the reply."))
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    cancel_requested = models.BooleanField(
        _("cancel requested"), default=False, help_text=_("Another process has asked to stop this run.")
    )

    class Meta:
        abstract = True

    if TYPE_CHECKING:  # columns of a run, and its manager
        conversation_id: uuid.UUID
        message: Message
        status: str

    def _rows(self) -> "RunQuerySet":
        return type(self)._default_manager.all()  # type: ignore[return-value]  # the manager of Run

    def claim(self, process_id: uuid.UUID) -> bool:
        """Starts this queued run in this process, and returns whether it did. Sync.

        It does not if an earlier answer of the same branch is still open, or if a process has started the run since
        this row was read, even if the run is queued again: `attempts` differs then.
        """
        others = self._rows().open().filter(conversation_id=self.conversation_id).exclude(pk=self.pk)
        queued = self._rows().filter(pk=self.pk, status=Status.QUEUED, attempts=self.attempts)
        if self._start(queued.exclude(models.Exists(others)), process_id):  # nearly always: nothing else is open
            return True
        if not queued.exists():  # another process was faster
            return False
        open_answers = set(others.values_list("message_id", flat=True))
        if open_answers.intersection(self.message.path_to_root()):
            return False
        return self._start(queued, process_id)

    def _start(self, queued: "RunQuerySet", process_id: uuid.UUID) -> bool:
        now = timezone.now()
        claimed = queued.update(
            status=Status.IN_PROGRESS,
            process_id=process_id,
            started_at=now,
            attempts=F("attempts") + 1,
            cancel_requested=False,
        )
        if claimed:
            self.status = Status.IN_PROGRESS
            self.process_id = process_id
            self.started_at = now
            self.attempts += 1
        return claimed == 1

    def request_cancel(self) -> bool:
        """Asks the process that writes this run to stop it; returns whether there is one. Sync, one transaction."""
        in_progress = self._rows().filter(pk=self.pk, status=Status.IN_PROGRESS)
        with transaction.atomic():
            is_requested = in_progress.update(cancel_requested=True) == 1
            if is_requested:
                notify_cancel_requested(self.pk)
        return is_requested

    def requeue(self, process_id: uuid.UUID | None) -> bool:
        """Puts a run back in the queue, for any process. Its readers must have seen nothing of it.

        `process_id` is that of its owner, which may be dead. Returns whether that one still had it and nobody has asked
        to cancel it. Sync, in the caller's transaction.
        """
        in_progress = self._rows().filter(pk=self.pk, status=Status.IN_PROGRESS)
        owned = in_progress.filter(process_id=process_id, cancel_requested=False)
        if owned.update(status=Status.QUEUED, process_id=None, started_at=None) != 1:
            return False
        RunEvent.objects.filter(run_id=self.pk).delete()
        notify_run_queued()
        return True
