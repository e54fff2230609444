"""Finds API keys for the core (KEY_LOOKUP), and notes when they are used."""

import logging
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor

from django.db import connection
from django.utils import timezone

from chat.api_keys import Grant

from .models import USE_INTERVAL, ApiKey

logger = logging.getLogger(__name__)

_thread = ThreadPoolExecutor(1, "key-uses")  # so that no request that only reads waits for SQLite's one writer
_being_noted: set[int] = set()  # primary keys, so that each key waits for the thread once


def look_up(digests: Collection[str], used: bool = False) -> dict[str, Grant]:
    """Returns {digest: Grant} of the valid keys. One query; sync.

    `used`: a request begins with them. Their last use is then stored in a thread, at most once per USE_INTERVAL.
    """
    grants = {}
    for row in ApiKey.objects.valid().filter(digest__in=digests).select_related("user"):
        grants[row.digest] = Grant(row.user, row.digest, frozenset(row.scopes), frozenset(row.assistants))
        if used and (row.last_used_at is None or row.last_used_at < timezone.now() - USE_INTERVAL):
            _submit_use(row.pk)
    return grants


def _submit_use(pk: int) -> None:
    if pk not in _being_noted:
        _being_noted.add(pk)
        _thread.submit(_note_use, pk)


def _note_use(pk: int) -> None:
    try:
        ApiKey.objects.note_use(pk)
    except Exception:  # the next use tries again
        logger.exception("Could not store the last use of the API key %s", pk)
    finally:
        _being_noted.discard(pk)
        connection.close()
