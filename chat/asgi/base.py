"""What the ASGI wrappers share: their types, and the response of a request that is refused before Django sees it."""

from collections.abc import Awaitable, Callable
from typing import Any

from django.conf import settings
from django.http import JsonResponse
from django.template.loader import render_to_string

from .. import language
from ..addresses import network_of
from ..errors import Refused, error_prefixes, to_json_at

# Django, Channels and uvicorn each type ASGI in a way of their own; these fit them all.
Scope = dict[str, Any]
Message = dict[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
Application = Callable[..., Awaitable[None]]


def address_of(scope: Scope) -> str:
    """Returns the address by which this client is limited."""
    client = scope.get("client")
    return network_of(client[0]) if client else ""


def session_of(scope: Scope) -> bytes:
    """Returns the cookie of the client's session as it was sent, valid or not; else its Authorization header; else
    nothing. It is compared, and not kept."""
    name = settings.SESSION_COOKIE_NAME.encode()
    cookies = (value for header, value in scope.get("headers", ()) if header == b"cookie")
    pairs = (pair.strip().partition(b"=") for value in cookies for pair in value.split(b";"))
    cookie = next((value for key, _, value in pairs if key == name), b"")
    return cookie or next((value for header, value in scope.get("headers", ()) if header == b"authorization"), b"")


async def send_error(scope: Scope, send: Send, error: Refused) -> None:
    """Sends the error in the language of the request, as a page if it is one that was asked for."""
    language.activate_from_scope(scope)
    accept = dict(scope["headers"]).get(b"accept", b"")
    if b"text/html" in accept and not scope["path"].startswith(tuple(error_prefixes())):
        page = render_to_string("refused.html", {"message": error.message}).encode()
        return await send_refusal(send, error.status, page, error.retry_after, b"text/html; charset=utf-8")
    content = JsonResponse(to_json_at(scope["path"], error)).content
    await send_refusal(send, error.status, content, error.retry_after)


async def send_refusal(
    send: Send,
    status: int,
    content: bytes,
    retry_after: int | None = None,
    content_type: bytes = b"application/json",
) -> None:
    """Sends a response that closes the connection: the rest of a body would be read as the next request."""
    headers = [
        (b"content-type", content_type),
        (b"content-length", str(len(content)).encode()),
        (b"connection", b"close"),
    ]
    if retry_after is not None:
        headers.append((b"retry-after", str(retry_after).encode()))
    if status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})
