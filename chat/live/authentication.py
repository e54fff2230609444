"""Adds session and user to the scope of a socket, or the user and the grant of an API key."""

from channels.auth import AuthMiddleware
from channels.sessions import CookieMiddleware, SessionMiddleware
from django.conf import settings
from django.contrib.auth.models import AnonymousUser

from .. import api_keys
from ..address_limits import hold_address_slot, note_answer
from ..errors import Refused


class Authentication(AuthMiddleware):
    """Looks the user up as soon as the client's address has a free slot, as for a request."""

    async def resolve_scope(self, scope):
        client = scope.get("client")
        session = scope["cookies"].get(settings.SESSION_COOKIE_NAME, "")
        async with hold_address_slot(client[0] if client else "", session):
            await self._resolve(scope)
        note_answer(scope)

    async def _resolve(self, scope):
        """A wrong key makes nobody of the user, whatever cookie comes with it."""
        try:
            scope["grant"] = await api_keys.grant_of_connection(scope)
        except Refused:
            scope["grant"], scope["user"] = None, AnonymousUser()
            return
        if scope["grant"]:
            scope["user"] = scope["grant"].user
        else:
            await super().resolve_scope(scope)


def authenticate(application):
    """Adds `session`, `user` and `grant` to the scope; `grant` is None unless an API key was sent."""
    return CookieMiddleware(SessionMiddleware(Authentication(application)))
