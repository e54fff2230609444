"""Databases from before version 0.1.0, whose migrations are no longer part of the site."""

from django.core.management import CommandError
from django.db import connections
from django.db.migrations.recorder import MigrationRecorder

OLD_MIGRATIONS = {
    "0002_a_child_stays_in_its_conversation",
    "0003_tools_and_approvals",
    "0004_attachments_shares_and_preferences",
    "0005_words_are_found",
    "0006_offers_are_made_once",
    "0007_runs_speak_a_language",
    "0008_a_row_holds_the_events_of_a_tick",
    "0009_pairs_of_long_texts",
}
MESSAGE = """\
This database was made by a version before 0.1.0 and cannot be migrated. It has not been changed.

To move your conversations:
  1. Start the version that you used until now. Each user opens Settings and chooses "Export everything".
  2. Set DATABASE_URL to a new database (or move var/chat.sqlite3 away), and start this version.
  3. Each user opens Settings, chooses "Import..." and selects the exported file."""


def refuse_old_database(using, **kwargs):
    """Receives Django's `pre_migrate`, which is sent before anything is written. Raises CommandError."""
    applied = {name for app, name in MigrationRecorder(connections[using]).applied_migrations() if app == "chat"}
    if applied & OLD_MIGRATIONS:
        raise CommandError(MESSAGE)
