"""Adds session and user to the scope of a socket."""

from channels.auth import AuthMiddleware
from channels.sessions import CookieMiddleware, SessionMiddleware
from django.conf import settings

from ..address_limits import hold_address_slot, note_answer


class Authentication(AuthMiddleware):
    """Looks the user up as soon as the client's address has a free slot, as for a request."""

    async def resolve_scope(self, scope):
        client = scope.get("client")
        session = scope["cookies"].get(settings.SESSION_COOKIE_NAME, "")
        async with hold_address_slot(client[0] if client else "", session):
            await super().resolve_scope(scope)
        note_answer(scope)


def authenticate(application):
    """Adds `session` and `user` to the scope."""
    return CookieMiddleware(SessionMiddleware(Authentication(application)))
