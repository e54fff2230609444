"""Shares: read-only copies of conversations."""

import secrets
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ..errors import Refused
from ..parts import for_share

if TYPE_CHECKING:
    from .conversations import Conversation, Message

MAX_SHARES = 100  # of one conversation; each is a copy
MAX_SHARED_LENGTH = 2_000_000  # characters: each look at a share reads all of it


def shared_name(user: Any) -> str:
    """Returns the name by which readers know who shared a chat, as SHARE_NAMES has it; empty if they do not."""
    if settings.SHARE_NAMES == "off":
        return ""
    full_name = user.get_full_name().strip()
    return full_name or (user.get_username() if settings.SHARE_NAMES == "username" else "")


class Share(models.Model):
    """A read-only copy of a conversation at one time, for everybody with the link, until it is revoked."""

    token = models.CharField(primary_key=True, max_length=40, editable=False)
    conversation = models.ForeignKey("Conversation", on_delete=models.CASCADE, related_name="shares")
    title = models.CharField(max_length=200, blank=True)
    messages = models.JSONField(
        help_text=_("What the page shows: role, parts, assistant's name and time of each message.")
    )
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name, verbose_name_plural = _("share"), _("shares")
        ordering = ["-created_at"]

    def __str__(self):
        return self.title or gettext("Shared chat")

    @classmethod
    def of(cls, conversation: "Conversation", branch: Sequence["Message"]) -> "Share":
        """Creates a share of these messages of a conversation. Raises Refused at a limit. Sync."""
        if conversation.shares.count() >= MAX_SHARES:
            raise Refused(gettext("This chat has too many links. Revoke one, then try again."), "too_many_shares", 409)
        if sum(len(row.text) for row in branch) > MAX_SHARED_LENGTH:
            raise Refused(gettext("This chat is too long to share."), "too_large", 413)
        models.prefetch_related_objects(branch, "run__assistant")
        messages = [
            {
                "role": row.role,
                "name": run.assistant.name if (run := getattr(row, "run", None)) and run.assistant else "",
                "parts": for_share(row.parts),
                "created_at": row.created_at.isoformat(),
            }
            for row in branch
        ]
        return conversation.shares.create(pk=secrets.token_urlsafe(24), title=conversation.title, messages=messages)
