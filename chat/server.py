"""What ASGI servers leave to the application: bounds on bodies and sends, few database threads, start and end.

Each is a small ASGI wrapper; chatsite.asgi puts them around the site.
"""

import asyncio
import gc
import itertools
import signal
import sys
import threading
from urllib.parse import urlsplit

from asgiref.sync import ThreadSensitiveContext
from django.conf import settings
from django.core.handlers.asgi import ASGIHandler
from django.http import JsonResponse
from django.http.request import split_domain_port, validate_host
from django.utils.http import is_same_domain
from django.utils.translation import gettext_lazy

from . import engine, language
from .threads import database_thread

DATABASE_THREADS = 8
BODY_TIMEOUT = 30  # seconds for a request's whole body
SEND_TIMEOUT = 120  # seconds that a client may refuse to take the next bytes
TOO_LARGE = gettext_lazy("The request is too large.")


class Django(ASGIHandler):
    @classmethod
    def chunk_bytes(cls, data):
        """What is small enough is sent as it is, without a generator for each frame of a stream."""
        return [(data, True)] if len(data) <= cls.chunk_size else super().chunk_bytes(data)

    # What lives as long as a stream is to go without the collector, which after some thousand streams found half a
    # million objects of requests that held each other, and stopped everybody for a second.

    async def listen_for_disconnect(self, receive):
        """Returns when the client has gone; an exception, as Django raises it, would hold the request and it the
        exception."""
        await receive()

    async def run_get_response(self, request):
        response = await super().run_get_response(request)
        if response.streaming:
            for name in ("user", "auser", "_messages"):  # each holds the request
                vars(request).pop(name, None)
        return response


def few_threads(application):
    """Every connection does its database work in one of DATABASE_THREADS threads.

    Django by itself keeps a thread and a connection for each open response: 1,000 readers would be 1,000 of both.
    """
    threads = itertools.cycle([database_thread(f"database-{n}") for n in range(DATABASE_THREADS)])

    async def wrapped(scope, receive, send):
        async with ThreadSensitiveContext(executor=next(threads)):
            await application(scope, receive, send)

    return wrapped


def bounded_body(application):
    """413 for a body over MAX_BODY_BYTES and 408 for one that does not arrive; Django would write it to disk first."""

    async def wrapped(scope, receive, send):
        length = dict(scope["headers"]).get(b"content-length", b"0")
        most = settings.LARGER_BODIES.get(scope["path"], settings.MAX_BODY_BYTES)
        if not length.isdigit() or len(length) > 20 or int(length) > most:
            return await _answer(scope, send, 413, "too_large", TOO_LARGE)
        body, more = [], True
        try:
            async with asyncio.timeout(BODY_TIMEOUT):
                while more:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        return
                    body.append(message.get("body", b""))
                    more = message.get("more_body", False)
                    if sum(map(len, body)) > most:
                        return await _answer(scope, send, 413, "too_large", TOO_LARGE)
        except TimeoutError:
            return await _answer(scope, send, 408, "timeout", gettext_lazy("The request did not arrive in time."))
        whole = iter([{"type": "http.request", "body": b"".join(body), "more_body": False}])

        async def receive_whole():
            return next(whole, None) or await receive()

        await application(_defused(scope), receive_whole, send)

    return wrapped


def _defused(scope):
    """The scope without two traps that a client may set.

    Daphne believes whoever names another root in `Daphne-Root-Path`: /x/admin/ would be /admin/, past what a server in
    front of it allows. And a quoted cookie may spell a NUL, which PostgreSQL refuses to look for among the sessions.
    """
    headers = [(name, value.replace(rb"\000", b"") if name == b"cookie" else value) for name, value in scope["headers"]]
    return scope | {"root_path": "", "headers": headers}


async def _answer(scope, send, status, code, message):
    language.listen(scope)
    body = JsonResponse({"error": {"code": code, "message": message}}).content
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def bounded_send(application):
    """Ends a response whose client takes nothing for SEND_TIMEOUT seconds; uvicorn would wait for ever.

    One timer per connection, moved only when it fires: the usual send costs two attributes.
    """

    async def wrapped(scope, receive, send):
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        now, since, sender, cut = loop.time, None, None, None

        def look():
            nonlocal timer, cut
            if since is not None and now() - since > SEND_TIMEOUT:
                cut = sender
                cut.cancel()
            else:
                timer = loop.call_later(SEND_TIMEOUT / 2, look)

        async def timed_send(message):
            nonlocal since, sender
            if sender is None:  # Django sends a whole response in one task of its own, which ends the response
                sender = asyncio.current_task()
            since = now()
            await send(message)
            since = None

        timer = loop.call_later(SEND_TIMEOUT / 2, look)
        try:
            await application(scope, receive, timed_send)
        except asyncio.CancelledError:
            if cut is not task:
                raise
            task.uncancel()
        finally:
            timer.cancel()
            look = None  # it holds itself

    return wrapped


def same_origin(application):
    """Refuses a socket that another site's page opens; a program that names no origin is let in like with curl."""

    def is_ours(headers):
        origin, host = headers.get(b"origin"), headers.get(b"host", b"").decode("latin-1")
        if not validate_host(split_domain_port(host)[0], settings.ALLOWED_HOSTS) and not settings.DEBUG:
            return False
        if origin is None:
            return True
        try:
            origin = urlsplit(origin.decode("latin-1").lower())
        except ValueError:
            return False
        return origin.netloc == host.lower() or any(is_trusted(origin, one) for one in settings.CSRF_TRUSTED_ORIGINS)

    def is_trusted(origin, one):
        one = urlsplit(one.lower())  # its host may begin with *, as for Django's forms
        return origin.scheme == one.scheme and is_same_domain(origin.netloc, one.netloc.removeprefix("*"))

    async def wrapped(scope, receive, send):
        if is_ours(dict(scope["headers"])):
            return await application(_defused(scope), receive, send)
        await receive()
        await send({"type": "websocket.close", "code": 4403})

    return wrapped


def lifespan():
    """Starts the engine with the server and lets it leave in order."""

    async def application(scope, receive, send):
        await receive()
        engine.here()
        _hear_goodbye(asyncio.get_running_loop(), engine.here())
        _keep_the_loop_free()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await engine.leave()
        await send({"type": "lifespan.shutdown.complete"})

    return application


def _keep_the_loop_free():
    """Keep the collector from walking all that was imported, which stops every stream for 50 ms at a time."""
    gc.collect()
    gc.freeze()
    # Events live as long as their run: looking at all of them often finds nothing, and at many of them takes long.
    gc.set_threshold(5_000, 5, 200)
    sys.setswitchinterval(0.0005)  # seconds that the event loop waits for a database thread in Python code


def _hear_goodbye(loop, here):
    """Let readers go at SIGTERM and SIGINT already: servers wait for them before they tell us to shut down."""
    if threading.current_thread() is not threading.main_thread():
        return
    for number in (signal.SIGTERM, signal.SIGINT):
        before = signal.getsignal(number)

        def goodbye(signum, frame, before=before):
            loop.call_soon_threadsafe(here.say_goodbye)
            if callable(before):
                before(signum, frame)

        signal.signal(number, goodbye)
