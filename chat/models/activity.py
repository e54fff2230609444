"""What the list of conversations shows of each: that it is being answered, or how its last answer ended."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from .ending import Ending, Status


class WithActivity(models.Model):
    """The columns and properties of a conversation about its activity.

    Its runs say whether it is being answered: `Conversation.load_activity` and `with_activity` look that up.
    """

    class Outcome(models.TextChoices):
        """How the last answer ended, if the user has to do something about it."""

        FAILED = "failed", _("failed")
        WAITING = "waiting", _("waiting for approval")

    seen_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text=_("When its owner last saw it in a visible window.")
    )
    answered_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text=_("When an answer last ended that the user did not stop.")
    )
    outcome = models.CharField(max_length=10, blank=True, editable=False, choices=Outcome, default="", db_default="")

    is_answering = False

    class Meta:
        abstract = True

    @property
    def activity(self) -> str | None:
        """Returns "answering", "waiting" (for approval), "failed" or "answered"; the last two until it is seen.

        `is_answering` must have been looked up.
        """
        if self.is_answering:
            return "answering"
        if self.answered_at is None:
            return None
        if self.outcome == self.Outcome.WAITING:
            is_expired = timezone.now() - self.answered_at > timedelta(seconds=settings.APPROVAL_SECONDS)
            return None if is_expired else "waiting"
        if self.is_seen:
            return None
        return self.outcome or "answered"

    @property
    def is_seen(self) -> bool:
        """Whether the owner has seen the conversation since its last answer."""
        return bool(self.seen_at and self.answered_at and self.seen_at >= self.answered_at)

    @classmethod
    def activity_after(cls, ending: Ending) -> dict[str, Any]:
        """Returns the values of these columns after an answer has ended."""
        if ending.status == Status.CANCELLED:
            return {"outcome": ""}
        if ending.interrupts:
            return {"outcome": cls.Outcome.WAITING, "answered_at": ending.finished_at}
        outcome = "" if ending.status == Status.COMPLETED else cls.Outcome.FAILED
        return {"outcome": outcome, "answered_at": ending.finished_at}
