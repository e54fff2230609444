"""Shares: read-only copies of conversations."""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _


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
        return self.title or gettext("Shared conversation")
