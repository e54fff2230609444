"""Limits on what stands before a body. What parses headers takes quadratic time in Python, in the event loop."""

from typing import Any

from .base import Application, Scope, send_refusal

MAX_HEADERS_BYTES = 32_768
MAX_HEADER_BYTES = 8_192
MAX_CONTENT_TYPE_BYTES = 1_024  # the standard library reads its parameters in quadratic time
MAX_HEADERS = 100
MAX_COOKIE_ESCAPES = 500  # backslashes; the standard library replaces them in quadratic time
HEADERS_TOO_LARGE = 4431  # close code of a socket


def limit_headers(application: Application) -> Application:
    """Refuses a request or socket with too many or too large headers with 431."""

    async def wrapped(scope, receive, send):
        if "headers" not in scope or are_within_limits(scope):
            return await application(scope, receive, send)
        if scope["type"] == "websocket":
            await receive()
            return await send({"type": "websocket.close", "code": HEADERS_TOO_LARGE})
        # In English: the headers that name the language are what cannot be read.
        content = b'{"error": {"code": "headers_too_large", "message": "The headers of the request are too large."}}'
        await send_refusal(send, 431, content)

    return wrapped


def are_within_limits(scope: Scope | Any) -> bool:
    headers = scope["headers"]
    url = len(scope.get("raw_path") or b"") + len(scope.get("query_string") or b"")
    if len(headers) > MAX_HEADERS or url > MAX_HEADER_BYTES:
        return False
    total, content_types = url, 0
    for name, value in headers:
        size = len(name) + len(value)
        if size > MAX_HEADER_BYTES:
            return False
        total += size
        if name == b"content-type":
            content_types += size  # Django joins them
    return total <= MAX_HEADERS_BYTES and content_types <= MAX_CONTENT_TYPE_BYTES


def sanitize(scope: Scope) -> Scope:
    """Returns the scope without traps that a client may set.

    Daphne takes another root from the client's header `Daphne-Root-Path`: /x/admin/ would be /admin/, past what a
    server in front of it allows. A quoted cookie may spell a null character, which PostgreSQL refuses to look up, and
    may have so many escapes that reading it takes minutes: a browser sends neither.
    """
    headers = [(name, value) for name, value in scope["headers"] if name != b"cookie" or _is_harmless(value)]
    return {**scope, "root_path": "", "headers": headers}


def _is_harmless(cookies: bytes) -> bool:
    return rb"\000" not in cookies and cookies.count(b"\\") <= MAX_COOKIE_ESCAPES
