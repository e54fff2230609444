"""The end of a run as a value."""

import dataclasses
import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from .. import events
from ..redaction import redact

APPROVED = {  # the answer to the question whether a tool may run, as JSON Schema
    "type": "object",
    "properties": {"approved": {"type": "boolean"}},
    "required": ["approved"],
}


@dataclasses.dataclass(frozen=True, slots=True)
class Ending:
    """How a run ended. Each field is a column of Run; the terminal event says the same to the readers."""

    NO_ANSWER: ClassVar[str] = "no_answer"  # the finish reason of a reply without text, such as of thoughts alone
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
    interrupts: list[dict[str, Any]] = dataclasses.field(default_factory=list)  # see `interrupts_for`
    resume_state: list[dict[str, Any]] = dataclasses.field(default_factory=list)  # see events.ResumeState
    first_token_at: datetime | None = None
    finished_at: datetime | None = dataclasses.field(default_factory=timezone.now)

    @classmethod
    def with_error(cls, status: str, error: tuple[str, Any] | None, **more: Any) -> "Ending":
        """`error` is (code, sentence), or None; a lazy sentence is translated now, and keys in it are removed."""
        code, message = error or ("", "")
        return cls(status, code, redact(str(message)), **more)

    @property
    def notice(self) -> str | None:
        """A sentence about an end that is no error but that the user should know of."""
        return str(self.NOTICES[self.finish_reason]) if self.finish_reason in self.NOTICES else None


def interrupts_for(run_id: uuid.UUID, approvals: Sequence[events.Approval]) -> list[dict[str, Any]]:
    """AG-UI's interrupts that ask the user whether these tool calls may run."""
    expires = timezone.now() + timedelta(seconds=settings.APPROVAL_SECONDS)
    return [
        {
            "id": f"{run_id}:{number}",
            "reason": "tool_call",
            "message": approval.message,
            "toolCallId": approval.tool_call_id,
            "responseSchema": APPROVED,
            "expiresAt": expires.isoformat(timespec="seconds"),
        }
        for number, approval in enumerate(approvals, 1)
    ]
