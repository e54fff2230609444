"""What PostgreSQL tells the other processes of the site when a transaction commits, by its NOTIFY.

A wake-up says only where to look: it may be lost while a connection is, so each heartbeat looks by itself. SQLite has
none, and needs none for its queued runs: the process that took the message executes them.
"""

from django.conf import settings
from django.db import connection

RUN_QUEUED = "chat_run_queued"
CANCEL_REQUESTED = "chat_cancel_requested"  # with the run's id


def notify_run_queued() -> None:
    """Wakes the processes that take queued runs, in the caller's transaction. Sync."""
    if settings.RUNNER != "embedded":
        _notify(RUN_QUEUED)


def notify_cancel_requested(run_id: object) -> None:
    """Wakes the process that writes this run, in the caller's transaction. Sync."""
    if connection.vendor == "postgresql":
        _notify(CANCEL_REQUESTED, str(run_id))


def _notify(channel: str, payload: str = "") -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify(%s, %s)", [channel, payload])
