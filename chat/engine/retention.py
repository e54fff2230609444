"""Deletes what is kept only for a time. Sync."""

from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from ..models import Attachment, Conversation, Run, RunEvent, StoredFile

EVENT_RETENTION = timedelta(days=1)  # after the run's end; later readers get a snapshot instead
UNSENT_IMAGE_RETENTION = timedelta(days=1)  # after the upload
MAX_RUNS_PER_PRUNE = 500
MAX_CONVERSATIONS_PER_PRUNE = 50
MAX_IMAGES_PER_PRUNE = 50
MAX_FILES_PER_PRUNE = 50


def prune() -> int:
    """Deletes a batch of what is over and returns how much that was; 0 means that nothing is left to delete.

    These are: events of runs that ended long ago, conversations that were deleted, images and files never sent, and the
    content of files whose last attachment is gone. Temporary conversations do not live that long: see `temporary`.
    Each is deleted by itself, so that others hardly wait for SQLite's one writer.
    """
    now = timezone.now()
    old = RunEvent.objects.filter(run__finished_at__lt=now - EVENT_RETENTION)
    runs = list(old.order_by().values_list("run_id", flat=True).distinct()[:MAX_RUNS_PER_PRUNE])
    for run_id in runs:
        RunEvent.objects.filter(run_id=run_id).delete()
    expired = Conversation.objects.filter(deleted_at__lt=now - timedelta(seconds=settings.UNDO_SECONDS))
    closed = expired.exclude(runs__status__in=Run.OPEN)
    conversations = list(closed[:MAX_CONVERSATIONS_PER_PRUNE])
    for conversation in conversations:
        conversation.delete()
    unsent = Attachment.objects.filter(message=None, created_at__lt=now - UNSENT_IMAGE_RETENTION)
    images = list(unsent.values_list("pk", flat=True)[:MAX_IMAGES_PER_PRUNE])
    for image_id in images:
        Attachment.objects.filter(pk=image_id, message=None).delete()
    files = list(StoredFile.objects.unused().values_list("pk", flat=True)[:MAX_FILES_PER_PRUNE])
    discarded = StoredFile.objects.discard(files)
    return len(runs) + len(conversations) + len(images) + discarded
