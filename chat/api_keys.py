"""API keys: what `Authorization: Bearer` says, read here and nowhere else for every entry point.

The app that stores the keys is named by the setting KEY_LOOKUP, the dotted path of a sync
`function(digests, used) -> {digest: Grant}`, which returns the grants of the keys that are valid now. `used` is true
when a request begins with them. A key never leaves this module: only its SHA-256 is looked up, compared and kept.
"""

import contextvars
import hashlib
import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import connection
from django.utils.module_loading import import_string
from django.utils.translation import gettext, gettext_lazy

from .errors import Refused
from .redaction import KEY_PREFIX as KEY_PREFIX  # for the app that makes keys

SCOPES = ("chat", "read", "write")
# Anywhere in the header: several headers arrive as one, joined by commas.
BEARER = re.compile(r"(?:^|[,\s])bearer(?:[\s,]|$)", re.IGNORECASE)
SINGLE_KEY = re.compile(r"\s*bearer[ \t]+(chatkey_[A-Za-z0-9_-]{43})\s*", re.IGNORECASE)  # 32 random bytes
READ_METHODS = {"GET", "HEAD", "OPTIONS"}

_acting: contextvars.ContextVar["Grant | None"] = contextvars.ContextVar("grant", default=None)


@dataclass(frozen=True, slots=True)
class Grant:
    """What a key allows: to act as `user`, within the scopes, with these assistants (slugs; empty: with all)."""

    user: Any
    digest: str
    scopes: frozenset[str]
    assistants: frozenset[str] = frozenset()

    def require(self, scope: str) -> None:
        """Raises Refused if the key does not have this scope."""
        if scope not in self.scopes:
            sentence = gettext("This API key does not have the scope “%(scope)s”.") % {"scope": scope}
            raise Refused(sentence, "missing_scope", 403)

    def allows_assistant(self, slug: str) -> bool:
        return not self.assistants or slug in self.assistants


def digest_of(key: str) -> str:
    """Returns what is stored of a key. It needs no salt and no slow hash: nobody guesses 32 random bytes."""
    return hashlib.sha256(key.encode()).hexdigest()


def digest_of_authorization(authorization: str | None, query: str = "") -> str | None:
    """Returns the digest of the API key that a request carries, or None.

    `authorization` is the header's value; several headers are joined by commas. Schemes other than Bearer are ignored,
    because a proxy may use them. Raises Refused for a key in the URL (400), where it would be logged on the way, and
    for a malformed Bearer value (401).
    """
    if KEY_PREFIX in query:
        sentence = gettext(
            "Send the API key in the Authorization header. Revoke this one: URLs are stored in many places."
        )
        raise Refused(sentence, "key_in_url", 400)
    if authorization is None or not BEARER.search(authorization):
        return None
    match = SINGLE_KEY.fullmatch(authorization)
    if match is None:
        raise invalid_key()
    return digest_of(match[1])


async def grant_of_request(request: Any) -> Grant | None:
    """Returns the grant of the key that a Django request carries, or None. Raises Refused."""
    digest = digest_of_authorization(request.META.get("HTTP_AUTHORIZATION"), request.META.get("QUERY_STRING", ""))
    return None if digest is None else await _used_grant(digest)


async def grant_of_connection(scope: Mapping[str, Any], *, thread_sensitive: bool = True) -> Grant | None:
    """Returns the grant of the key that an ASGI connection carries, or None. Raises Refused."""
    query = (scope.get("query_string") or b"").decode("latin-1")
    digest = digest_of_authorization(authorization_of(scope), query)
    return None if digest is None else await _used_grant(digest, thread_sensitive)


def authorization_of(scope: Mapping[str, Any]) -> str | None:
    """Returns the header's value as Django reads it, of several headers joined by commas; None if there is none."""
    values = [value for name, value in scope.get("headers", ()) if name == b"authorization"]
    return b",".join(values).decode("latin-1") if values else None


async def _used_grant(digest: str, thread_sensitive: bool = True) -> Grant:
    look_up = find if thread_sensitive else find_in_other_thread
    grants = await sync_to_async(look_up, thread_sensitive=thread_sensitive)([digest], used=True)
    if digest not in grants:
        raise invalid_key()
    return grants[digest]


def find(digests: Collection[str], used: bool = False) -> Mapping[str, Grant]:
    """Returns {digest: Grant} of the keys that are valid now. Sync."""
    return import_string(settings.KEY_LOOKUP)(digests, used) if digests and settings.KEY_LOOKUP else {}


def find_in_other_thread(digests: Collection[str], used: bool = False) -> Mapping[str, Grant]:
    """`find` for a thread that is not one of Django's, whose connections nobody else closes."""
    try:
        return find(digests, used)
    finally:
        connection.close()


def invalid_key() -> Refused:
    return Refused(gettext_lazy("This API key is not valid: unknown, revoked or expired."), "invalid_key", 401)


@contextmanager
def acting_as(grant: Grant | None) -> Iterator[None]:
    """While the block runs, what it does is limited to what this grant allows; None: there is no key, and no limit."""
    token = _acting.set(grant)
    try:
        yield
    finally:
        _acting.reset(token)


def allows_assistant(slug: str) -> bool:
    """Returns whether the key of the current call, if there is one, allows this assistant."""
    grant = _acting.get()
    return grant is None or grant.allows_assistant(slug)


def refuse_other_assistants(conversation: Any, assistant: Any) -> None:
    """Raises Refused if the key of the current call does not allow this assistant (in RUN_CHECKS)."""
    if not allows_assistant(assistant.slug):
        sentence = gettext("This API key does not allow the assistant “%(slug)s”.") % {"slug": assistant.slug}
        raise Refused(sentence, "assistant_not_allowed", 403)
