"""Limits on how much one user may start."""

from django.conf import settings
from django.utils.translation import gettext

from .models import Refused, Run

RETRY_DELAY = 5  # seconds


def refuse_too_many_open_runs(conversation, assistant):
    """Refuses a run while the user has as many queued and running ones as they may have (in RUN_CHECKS)."""
    limit = settings.MAX_RUNS_PER_USER + settings.MAX_WAITING_PER_USER
    if Run.objects.filter(conversation__owner_id=conversation.owner_id, status__in=Run.OPEN).count() >= limit:
        sentence = gettext("You have too many answers in progress. Try again in a moment.")
        raise Refused(sentence, "too_many_runs", 429, retry_after=RETRY_DELAY)
