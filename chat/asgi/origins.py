"""Which pages may open a WebSocket."""

from urllib.parse import urlparse

from channels.security.websocket import OriginValidator
from django.conf import settings
from django.http.request import split_domain_port, validate_host

from .base import Application
from .headers import sanitize

WRONG_ORIGIN = 4403  # close code of a socket


class SameOriginValidator(OriginValidator):
    """Refuses a socket that a page of another site opens. A program, which sends no Origin, is let in as with curl."""

    def __init__(self, application: Application) -> None:
        self.sockets = application

    @property
    def allowed_origins(self) -> list[str]:  # type: ignore[override]  # read each time: tests change the setting
        """CSRF_TRUSTED_ORIGINS, whose `https://*.example.com` Channels writes as `https://.example.com`."""
        return [origin.replace("://*.", "://.") for origin in settings.CSRF_TRUSTED_ORIGINS]

    async def __call__(self, scope, receive, send):
        if self.is_allowed(dict(scope["headers"])):
            return await self.sockets(sanitize(scope), receive, send)
        await receive()
        await send({"type": "websocket.close", "code": WRONG_ORIGIN})

    def is_allowed(self, headers: dict[bytes, bytes]) -> bool:
        host = headers.get(b"host", b"").decode("latin-1").lower()
        if not settings.DEBUG and not validate_host(split_domain_port(host)[0], settings.ALLOWED_HOSTS):
            return False
        if b"origin" not in headers:
            return True
        try:
            origin = urlparse(headers[b"origin"].decode("latin-1").lower())
            return origin.netloc == host or self.valid_origin(origin)
        except ValueError:  # no URL
            return False
