"""Whether a person whose stream or socket stays open may still be here.

A door asks once when it opens; logout, deactivation and a changed password come later. All open passes of a process are
looked up together, in two queries every `EVERY` seconds, so that their number costs nothing.
"""

import asyncio
import logging
import weakref
from contextlib import contextmanager

from asgiref.sync import sync_to_async
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY, get_user_model
from django.contrib.sessions.models import Session
from django.db import connection
from django.utils import timezone
from django.utils.crypto import constant_time_compare

EVERY = 30  # seconds

logger = logging.getLogger(__name__)
_books = weakref.WeakKeyDictionary()  # event loop -> (open passes, the task that looks them up)


class Pass:
    """One open stream's permission: `valid` turns False when the session or the account ends."""

    __slots__ = ("session_key", "user_id", "valid")

    def __init__(self, session_key, user_id):
        self.session_key, self.user_id, self.valid = session_key, user_id, True

    def __call__(self):
        return self.valid


@contextmanager
def admitted(session_key, user_id):
    """A Pass that is looked after while the block runs."""
    loop = asyncio.get_running_loop()
    passes, keeper = _books.get(loop, (set(), None))
    if keeper is None or keeper.done() or keeper.cancelling():
        keeper = loop.create_task(_look_after(passes))
        _books[loop] = passes, keeper
    mine = Pass(session_key, user_id)
    passes.add(mine)
    try:
        yield mine
    finally:
        passes.discard(mine)
        if not passes:
            keeper.cancel()


async def _look_after(passes):
    while True:
        await asyncio.sleep(EVERY)
        asked = list(passes)  # who comes during the look waits for the next one
        try:
            welcome = await sync_to_async(_welcome, thread_sensitive=False)({one.session_key for one in asked})
        except Exception:
            logger.exception("Open streams could not be checked; trying again")
            continue
        for one in asked:
            one.valid = welcome.get(one.session_key) == one.user_id


def _welcome(session_keys):
    """Session key -> the id of the active person it belongs to, of the sessions that still count."""
    try:
        keys, told = list(session_keys), {}
        for start in range(0, len(keys), 500):
            rows = Session.objects.filter(session_key__in=keys[start : start + 500], expire_date__gt=timezone.now())
            told |= {row.session_key: row.get_decoded() for row in rows}
        people = get_user_model()
        ids = {key: people._meta.pk.to_python(data[SESSION_KEY]) for key, data in told.items() if SESSION_KEY in data}
        active = {user.pk: user for user in people.objects.filter(pk__in=set(ids.values()), is_active=True)}
        return {
            key: pk
            for key, pk in ids.items()
            if pk in active
            and constant_time_compare(told[key].get(HASH_SESSION_KEY, ""), active[pk].get_session_auth_hash())
        }
    finally:
        connection.close()  # this thread is not one of those that look after their connections
