"""The status of a run, and its end as a value."""

import dataclasses
from datetime import datetime
from typing import Any, ClassVar

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from .. import events
from ..redaction import redact


class Status(models.TextChoices):
    QUEUED = "queued", _("queued")
    IN_PROGRESS = "in_progress", _("in progress")
    COMPLETED = "completed", _("completed")
    FAILED = "failed", _("failed")
    CANCELLED = "cancelled", _("cancelled")
    INTERRUPTED = "interrupted", _("interrupted")


@dataclasses.dataclass(frozen=True, slots=True)
class Ending:
    """How a run ended. Each field is a column of Run; the terminal event says the same to the readers."""

    NO_ANSWER: ClassVar[str] = "no_answer"  # the finish reason of a reply without text, such as of thoughts alone
    INTERRUPTED: ClassVar[Any] = _("The server stopped while this answer was being written.")
    NOTICES: ClassVar[dict[str, Any]] = {
        NO_ANSWER: _("The model finished without giving an answer."),
        "length": _("The answer reached its length limit."),
        "content_filter": _("The provider's content filter cut the answer short."),
    }

    status: str
    error_code: str = ""
    error_message: str = ""  # the sentence that the user sees
    finish_reason: str = ""
    usage: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    interrupts: list[dict[str, Any]] = dataclasses.field(default_factory=list)  # see `approvals.interrupts_for`
    resume_state: list[dict[str, Any]] = dataclasses.field(default_factory=list)  # see events.ResumeState
    first_token_at: datetime | None = None
    finished_at: datetime | None = dataclasses.field(default_factory=timezone.now)

    @classmethod
    def with_error(cls, status: str, error: tuple[str, Any] | None, **more: Any) -> "Ending":
        """`error` is (code, sentence), or None; a lazy sentence is translated now, and keys in it are removed."""
        code, message = error or ("", "")
        return cls(status, code, redact(str(message)), **more)

    def as_event(self, thread_id: str, run_id: str) -> events.Event:
        """Returns the event that ends the log of this run."""
        usage = [{events.camel(name): value for name, value in call.items()} for call in self.usage] or None
        if self.error_code:
            return events.RunError(self.error_message, self.error_code, usage)
        outcome: dict[str, Any] = {"type": "cancelled" if self.status == Status.CANCELLED else "success"}
        if self.interrupts:
            outcome = {"type": "interrupt", "interrupts": self.interrupts}
        result = {"finishReason": self.finish_reason or None, "notice": self.notice}
        return events.RunFinished(thread_id, run_id, outcome, result, usage)

    @property
    def notice(self) -> str | None:
        """A sentence about an end that is no error but that the user should know of."""
        return str(self.NOTICES[self.finish_reason]) if self.finish_reason in self.NOTICES else None


class WithEnding(models.Model):
    """The columns and properties of a run about its status, and how it ended."""

    Status = Status
    QUEUED = Status.QUEUED
    IN_PROGRESS = Status.IN_PROGRESS
    COMPLETED = Status.COMPLETED
    FAILED = Status.FAILED
    CANCELLED = Status.CANCELLED
    INTERRUPTED = Status.INTERRUPTED
    OPEN = (QUEUED, IN_PROGRESS)

    status = models.CharField(_("status"), max_length=20, choices=Status, default=QUEUED)
    error_code = models.CharField(_("error code"), max_length=50, blank=True)
    error_message = models.TextField(_("error"), blank=True, help_text=_("The message shown to the user."))
    finish_reason = models.CharField(_("finish reason"), max_length=50, blank=True)
    usage = models.JSONField(
        default=list,
        blank=True,
        help_text=_("For each model call: provider, model, and token counts named as in AG-UI's TokenUsage."),
    )
    first_token_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    last_seq = models.PositiveIntegerField(
        _("last sequence number"),
        null=True,
        help_text=_("Sequence number of the terminal event, once the run has ended."),
    )

    class Meta:
        abstract = True

    @property
    def is_open(self):
        return self.status in self.OPEN

    @property
    def is_broken_off(self):
        """Whether the answer broke off, or never came, and can be continued."""
        broken_off = self.finish_reason in ("length", Ending.NO_ANSWER)
        return self.status in (self.INTERRUPTED, self.CANCELLED) or broken_off

    @property
    def error(self):
        return {"code": self.error_code, "message": self.error_message} if self.error_code else None

    @property
    def ending(self) -> Ending:
        """How the run ended, as stored in its row."""
        return Ending(**{field.name: getattr(self, field.name) for field in dataclasses.fields(Ending)})

    @property
    def notice(self) -> str | None:
        return self.ending.notice

    @property
    def total_usage(self):
        """The token counts of all model calls together, or None if there are none."""
        total: dict[str, int] = {}
        for call in self.usage:
            for name, count in call.items():
                if name.endswith("_tokens"):
                    total[name] = total.get(name, 0) + count
        return total or None
