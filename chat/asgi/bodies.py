"""Limits on bodies: how large they may be and from whom, how many arrive at a time, and how slowly."""

import asyncio
from contextlib import AsyncExitStack
from io import BytesIO
from tempfile import SpooledTemporaryFile
from typing import IO, Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.http import parse_cookie
from django.utils.translation import gettext_lazy

from .. import api_keys
from ..errors import Refused
from ..live.session_check import active_users
from ..per_loop import PerLoop
from ..slots import Slots
from .base import Application, Message, Receive, Scope, address_of, send_error
from .headers import sanitize

BODY_TIMEOUT = 20  # seconds for a body, and as many more as it takes at MIN_BODY_RATE
MIN_BODY_RATE = 4_000  # bytes per second; a slow phone sends more, and one that drips gives its place back
MAX_ANONYMOUS_BODY_BYTES = 65_536  # without a valid session; more is not read. A login is some hundred bytes
MEMORY_BYTES = 65_536  # of one body; the rest goes to a temporary file
MAX_CONTENT_LENGTH_DIGITS = 20
MAX_BODIES = 500  # that arrive at a time: at most 33 MB of memory
MAX_BODIES_PER_ADDRESS = 100
MAX_UPLOADS = 100  # of up to MAX_IMPORT_BYTES on disk each, until the response has ended
MAX_UPLOADS_PER_USER = 4  # more wait, unread
UPLOAD_WAIT_TIMEOUT = 120  # seconds
TOO_LARGE = gettext_lazy("The request is too large.")
TOO_SLOW = gettext_lazy("The request took too long to arrive.")
NOT_LOGGED_IN = gettext_lazy("Please log in.")

bodies = PerLoop(lambda: Slots(MAX_BODIES, MAX_BODIES_PER_ADDRESS))
uploads = PerLoop(
    lambda: Slots(
        MAX_UPLOADS,
        MAX_UPLOADS_PER_USER,
        max_waiting=MAX_UPLOADS,
        max_waiting_per_key=20,  # a page sends the ten images of a message at once
        wait_timeout=UPLOAD_WAIT_TIMEOUT,
    )
)


class ClientGone(Exception):
    pass


def limit_body(application: Application) -> Application:
    """Refuses a body that is too large with 413, one that does not arrive in time with 408, and one that a stranger
    may not send with 401. Django would write all of it to disk first.
    """

    async def wrapped(scope, receive, send):
        async with AsyncExitStack() as stack:
            scope = {**sanitize(scope), "stack": stack}  # for what else ends with the request
            try:
                body = await _read_body(scope, receive, stack)
            except Refused as error:
                return await send_error(scope, send, error)
            except ClientGone:
                return
            await application(scope, body, send)

    return wrapped


class Body:
    """An ASGI `receive` whose body is there. Django takes the file itself, without a copy: see LeanASGIHandler."""

    def __init__(self, file: IO[bytes], size: int, receive: Receive) -> None:
        self._file: IO[bytes] | None = file
        self._left = size
        self._receive = receive

    def take_file(self) -> IO[bytes]:
        """Returns the body as a file, to be called once and before the first message."""
        file, self._file = self._file, None
        assert file is not None
        return file

    async def __call__(self) -> Message:
        if self._file is None:
            return await self._receive()
        body = self._file.read(MEMORY_BYTES)
        self._left -= len(body)
        if not self._left:
            self._file = None
        return {"type": "http.request", "body": body, "more_body": self._left > 0}


async def _read_body(scope: Scope, receive: Receive, stack: AsyncExitStack) -> Body:
    """Returns the body, once all of it is there; what it holds is given back with the stack.

    Raises Refused, or ClientGone if the client leaves.
    """
    limit = settings.LARGER_BODIES.get(scope["path"], settings.MAX_BODY_BYTES)
    headers = dict(scope["headers"])
    length = headers.get(b"content-length", b"0")
    if not length.isdigit() or len(length) > MAX_CONTENT_LENGTH_DIGITS or int(length) > limit:
        raise Refused(TOO_LARGE, "too_large", 413)
    is_upload = scope["path"] in settings.LARGER_BODIES and scope["method"] == "POST"
    anonymous_limit = MAX_ANONYMOUS_BODY_BYTES
    if is_upload or int(length) > anonymous_limit:
        user_id = await _user_id(scope, headers)
        anonymous_limit = limit
        if is_upload:
            await stack.enter_async_context(uploads.get().hold(user_id))
    if int(length) == 0 and b"transfer-encoding" not in headers:
        return await _arriving(scope, headers, receive, limit, anonymous_limit, stack)
    async with bodies.get().hold(address_of(scope)):
        return await _arriving(scope, headers, receive, limit, anonymous_limit, stack)


async def _arriving(scope, headers, receive, limit, anonymous_limit, stack) -> Body:
    now = asyncio.get_running_loop().time
    started_at, size = now(), 0
    file: IO[bytes] | None = None
    try:
        async with asyncio.timeout(BODY_TIMEOUT) as timer:
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientGone
                part = message.get("body", b"")
                size += len(part)
                if size > limit:
                    raise Refused(TOO_LARGE, "too_large", 413)
                if size > anonymous_limit:
                    await _user_id(scope, headers)
                    anonymous_limit = limit
                more = message.get("more_body", False)
                if file is None:
                    file = SpooledTemporaryFile(MEMORY_BYTES) if more else BytesIO()
                    stack.callback(file.close)
                file.write(part)
                if not more:
                    file.seek(0)
                    return Body(file, size, receive)
                timer.reschedule(started_at + BODY_TIMEOUT + size / MIN_BODY_RATE)
    except TimeoutError:
        raise Refused(TOO_SLOW, "timeout", 408) from None


async def _user_id(scope: Scope, headers: dict[bytes, bytes]) -> Any:
    """Returns the id of the active user whose API key the request names, or else whose session. Raises Refused."""
    grant = await api_keys.grant_of_connection(scope, thread_sensitive=False)
    if grant:
        return grant.user.pk
    cookies = parse_cookie(headers.get(b"cookie", b"").decode("latin-1"))
    key = cookies.get(settings.SESSION_COOKIE_NAME)
    if key:
        users = await sync_to_async(active_users, thread_sensitive=False)([key])
        if key in users:
            return users[key]
    raise Refused(NOT_LOGGED_IN, "not_authenticated", 401)
