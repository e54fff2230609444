"""Ends streams and sockets whose session or API key has ended.

A request checks its login once, when it opens a stream; logout, deactivation, a changed password or a revoked key may
follow. All open streams of a process are checked together, in three queries every `CHECK_INTERVAL` seconds, however
many there are.
"""

import asyncio
import logging
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from asgiref.sync import sync_to_async
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY, get_user_model
from django.contrib.sessions.models import Session
from django.db import connection
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from .. import api_keys
from ..per_loop import PerLoop

CHECK_INTERVAL = 30  # seconds
BATCH_SIZE = 500  # session keys in one query; SQLite limits the number of parameters

logger = logging.getLogger(__name__)


class SessionCheck:
    """`is_valid` becomes False when the session, the API key or the account of an open stream ends."""

    __slots__ = ("is_valid", "key_digest", "session_key", "user_id")

    def __init__(self, session_key: str | None, user_id: Any, key_digest: str | None = None) -> None:
        self.session_key = session_key
        self.key_digest = key_digest
        self.user_id = user_id
        self.is_valid = True


class SessionWatcher:
    """The open checks of one event loop and the task that renews them, which runs while there are any."""

    def __init__(self) -> None:
        self.checks: set[SessionCheck] = set()
        self.task: asyncio.Task | None = None

    def add(self, check: SessionCheck) -> None:
        if self.task is None or self.task.done() or self.task.cancelling():
            self.task = asyncio.get_running_loop().create_task(_renew(self.checks))
        self.checks.add(check)

    def discard(self, check: SessionCheck) -> None:
        self.checks.discard(check)
        if not self.checks and self.task:
            self.task.cancel()


watchers = PerLoop(SessionWatcher)


@contextmanager
def watch_session(session_key: str | None, user_id: Any, key_digest: str | None = None) -> Iterator[SessionCheck]:
    """Yields a SessionCheck of a session or an API key that is kept up to date while the block runs."""
    watcher = watchers.get()
    check = SessionCheck(session_key, user_id, key_digest)
    watcher.add(check)
    try:
        yield check
    finally:
        watcher.discard(check)


def watch_grant(grant: api_keys.Grant) -> AbstractContextManager[SessionCheck]:
    return watch_session(None, grant.user.pk, grant.digest)


def watch_request(request: Any) -> AbstractContextManager[SessionCheck]:
    """Watches the session or the API key with which a call of the API was made."""
    grant = getattr(request, "grant", None)
    return watch_grant(grant) if grant else watch_session(request.session.session_key, request.auth.pk)


async def _renew(checks: set[SessionCheck]) -> None:
    while True:
        await asyncio.sleep(CHECK_INTERVAL)
        current = list(checks)  # a check that is added during the query waits for the next one
        try:
            keys = {check.session_key for check in current if check.key_digest is None}
            digests = {check.key_digest for check in current if check.key_digest is not None}
            user_ids = await sync_to_async(active_users, thread_sensitive=False)(keys) if keys else {}
            grants = await sync_to_async(api_keys.find_in_other_thread, thread_sensitive=False)(digests)
        except Exception:
            logger.exception("Could not check the sessions of open streams, trying again")
            continue
        for check in current:
            if check.key_digest is None:
                check.is_valid = user_ids.get(check.session_key) == check.user_id
            else:
                check.is_valid = check.key_digest in grants


def active_users(session_keys: Iterable[str | None]) -> dict[str | None, Any]:
    """Returns {session key: user id} of the sessions that are valid and whose user is active. Sync."""
    try:
        return _active_users(list(session_keys))
    finally:
        connection.close()  # Django closes the connections of its own threads only


def _active_users(session_keys):
    sessions = {}
    for start in range(0, len(session_keys), BATCH_SIZE):
        batch = session_keys[start : start + BATCH_SIZE]
        for row in Session.objects.filter(session_key__in=batch, expire_date__gt=timezone.now()):
            sessions[row.session_key] = row.get_decoded()
    User = get_user_model()
    user_ids = {
        key: User._meta.pk.to_python(data[SESSION_KEY]) for key, data in sessions.items() if SESSION_KEY in data
    }
    users = {user.pk: user for user in User.objects.filter(pk__in=set(user_ids.values()), is_active=True)}
    return {
        key: user_id
        for key, user_id in user_ids.items()
        if user_id in users and _has_current_password(sessions[key], users[user_id])
    }


def _has_current_password(session, user):
    """Returns whether the session was made with the user's current password, as Django's login checks it."""
    return constant_time_compare(session.get(HASH_SESSION_KEY, ""), user.get_session_auth_hash())
