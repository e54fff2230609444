"""Approvals: a run that has ended with questions whether tools may run, and the user's decisions."""

import uuid
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from .. import events
from ..errors import Refused

APPROVED: dict[str, Any] = {  # the answer to the question whether a tool may run, as JSON Schema
    "type": "object",
    "properties": {"approved": {"type": "boolean"}},
    "required": ["approved"],
}
ALWAYS = {"always": {"type": "boolean", "description": "Whether its later calls here may run without asking"}}


class WithApprovals(models.Model):
    """The columns and methods of a run about approvals. `Run.resume` continues with the user's decisions."""

    interrupts = models.JSONField(  # AG-UI's name for questions to the user; a run with some is COMPLETED
        _("pending approvals"),
        default=list,
        blank=True,
        help_text=_("AG-UI interrupts that wait for the user's answer."),
    )
    decisions = models.JSONField(
        _("approval decisions"),
        default=dict,
        blank=True,
        help_text=_("For a run that resumes another: the user's decision, or the result, for each tool call."),
    )
    resume_state = models.JSONField(  # see events.ResumeState
        default=list, db_default=models.Value([], models.JSONField()), blank=True, editable=False
    )

    class Meta:
        abstract = True

    @property
    def is_approval_expired(self) -> bool:
        now = timezone.now()
        return any(datetime.fromisoformat(interrupt["expiresAt"]) < now for interrupt in self.interrupts)

    @property
    def is_repeatable(self):
        """Whether it may start again if it has shown nothing yet. A tool that the user allowed must not run twice."""
        return True not in self.decisions.values()

    def decisions_by_call(self, decisions: dict[str, bool]) -> dict[str, bool]:
        """Returns the decisions, one for each interrupt, by tool call. Raises Refused if one is missing."""
        calls = {interrupt["id"]: interrupt["toolCallId"] for interrupt in self.interrupts}
        if not calls:
            raise Refused(gettext("This run is not waiting for an approval."), "not_waiting", 409)
        if decisions.keys() != calls.keys():
            sentence = gettext("Respond to all of these interrupts in one request: %(interrupts)s.")
            raise Refused(sentence % {"interrupts": ", ".join(calls)}, "not_all_answered")
        return {call: decisions[id] for id, call in calls.items()}

    def tools_of(self, interrupt_ids: Collection[str]) -> dict[str, str]:
        """Returns the tools of these interrupts that may be allowed for the conversation, key -> version."""
        asked = [interrupt for interrupt in self.interrupts if interrupt["id"] in interrupt_ids]
        tools = [interrupt["metadata"] for interrupt in asked if offers_always(interrupt)]
        return {about["toolKey"]: about["toolVersion"] for about in tools}


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
            **_about_tool(approval),
        }
        for number, approval in enumerate(approvals, 1)
    ]


def _about_tool(approval: events.Approval) -> dict[str, Any]:
    """The fields of an interrupt that say which tool it is, and that the user may allow it for the conversation."""
    if not approval.tool_key:
        return {}
    fields: dict[str, Any] = {"metadata": {"toolKey": approval.tool_key, "toolVersion": approval.tool_version}}
    if not approval.asks_every_time:
        fields["responseSchema"] = APPROVED | {"properties": APPROVED["properties"] | ALWAYS}
    return fields


def offers_always(interrupt: Mapping[str, Any]) -> bool:
    """Returns whether the user may allow the tool of this interrupt for the whole conversation."""
    return "always" in interrupt["responseSchema"]["properties"]
