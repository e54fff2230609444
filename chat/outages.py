"""What it means for a request that the database cannot be used, and the sentence that says so."""

import sqlite3
from dataclasses import dataclass

from django.db import InterfaceError, InternalError, OperationalError
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from .errors import Refused

RETRY_DELAY = 3  # seconds that a client is asked to wait
UNAVAILABLE_STATUS = 503
# What Django raises when the database cannot be used; InternalError only of some kinds.
DATABASE_ERRORS = (OperationalError, InterfaceError, InternalError)


@dataclass(frozen=True, slots=True)
class Outage:
    """A reason why the database cannot be used: a code for programs, a sentence for users, a line for operators."""

    code: str
    message: Promise
    reason: str

    def refused(self) -> Refused:
        return Refused(str(self.message), self.code, UNAVAILABLE_STATUS, retry_after=RETRY_DELAY)


UNAVAILABLE = Outage(
    "database_unavailable",
    _("The database cannot be reached right now. Try again in a moment."),
    "the database cannot be reached or does not answer",
)
BUSY = Outage(
    "database_busy",
    _("The database is busy right now. Try again in a moment."),
    "another process holds the database's write lock, or statements take too long",
)
FULL = Outage(
    "storage_full",
    _("The server's storage is full. Nothing can be saved until an administrator frees up space."),
    "the disk of the database is full",
)
BROKEN = Outage(
    "storage_failed",
    _("The server cannot write to its storage. Nothing can be saved until an administrator fixes this."),
    "the disk of the database refuses to write: a quota, a limit of file sizes or a defect",
)
READ_ONLY = Outage(
    "database_read_only",
    _("The database is read-only right now, so nothing can be saved. Try again later."),
    "the database is read-only",
)

# PostgreSQL's SQLSTATE.
POSTGRESQL_STATES = {
    "25006": READ_ONLY,  # read_only_sql_transaction
    "53100": FULL,  # disk_full
    "55P03": BUSY,  # lock_not_available
    "57014": BUSY,  # query_canceled: by statement_timeout
    "25P03": BUSY,  # idle_in_transaction_session_timeout: this process stood still
    "40P01": BUSY,  # deadlock_detected
}
SQLITE_MESSAGES = {
    "locked": BUSY,
    "disk is full": FULL,
    "readonly": READ_ONLY,
    "disk I/O error": BROKEN,
}


def outage(error: BaseException | None) -> Outage | None:
    """Returns what this error says of the database, or None if it is an error of another kind."""
    if not isinstance(error, DATABASE_ERRORS):
        return None
    cause = error.__cause__
    if getattr(cause, "sqlite_errorcode", None) == sqlite3.SQLITE_ERROR:  # a mistake in a statement
        return None
    state = getattr(cause, "sqlstate", None)
    if state in POSTGRESQL_STATES:
        return POSTGRESQL_STATES[state]
    if type(error) is InternalError:
        return None
    return next((known for text, known in SQLITE_MESSAGES.items() if text in str(error)), UNAVAILABLE)
