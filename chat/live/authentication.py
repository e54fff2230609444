"""Who opens a socket."""

from channels.auth import AuthMiddleware
from channels.sessions import CookieMiddleware, SessionMiddleware

from ..turns import hold_turn


class Authentication(AuthMiddleware):
    """Looks the user up when it is the turn of the client's address, as with a request."""

    async def resolve_scope(self, scope):
        client = scope.get("client")
        async with hold_turn(client[0] if client else ""):
            await super().resolve_scope(scope)


def authenticate(application):
    """Adds `session` and `user` to the scope."""
    return CookieMiddleware(SessionMiddleware(Authentication(application)))
