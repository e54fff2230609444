"""What PostgreSQL tells the other processes of the site when a transaction commits, by its NOTIFY.

A wake-up says only where to look. It is lost if the listener is not connected, so each heartbeat looks as well. SQLite
has no NOTIFY: there, the process that took a message executes its run, and a cancel waits for the next heartbeat.
"""

import uuid

from django.conf import settings
from django.db import connection

RUN_QUEUED = "chat_run_queued"
CANCEL_REQUESTED = "chat_cancel_requested"  # with the run's id


def notify_run_queued() -> None:
    """Wakes the processes that take queued runs, in the caller's transaction. Sync."""
    if settings.RUNNER != "embedded":
        _notify(RUN_QUEUED)


def notify_cancel_requested(run_id: uuid.UUID) -> None:
    """Tells all listening processes; the one that writes this run stops it. Sync, in the caller's transaction."""
    if connection.vendor == "postgresql":
        _notify(CANCEL_REQUESTED, str(run_id))


def _notify(channel: str, payload: str = "") -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify(%s, %s)", [channel, payload])
