"""The limit on one user's open runs."""

from django.conf import settings
from django.utils.translation import gettext

from .errors import Refused
from .models import Run

RETRY_DELAY = 5  # seconds


def refuse_too_many_open_runs(conversation, assistant):
    """Refuses a run if the user already has the maximum of queued and running ones. Listed in RUN_CHECKS."""
    limit = settings.MAX_RUNS_PER_USER + settings.MAX_WAITING_PER_USER
    if Run.objects.filter(conversation__owner_id=conversation.owner_id, status__in=Run.OPEN).count() >= limit:
        message = gettext("You have too many answers in progress. Try again in a moment.")
        raise Refused(message, "too_many_runs", 429, retry_after=RETRY_DELAY)
