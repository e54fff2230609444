"""`python:dotted.path` — a function of the team's own.

    def reply(messages, send):  # or `async def`, with `await send(…)`
        for word in model(messages):
            send(word)

`messages` are OpenAI's: dicts with a role and a content, the system prompt first. `send` takes text or a piece of
`chat.events`; a returned string is sent as well. Staff who edit assistants could name any function here, so only what
the operator listed in PYTHON_PROVIDERS is called. docs/providers.md describes it in full.
"""

import asyncio
import contextvars
import inspect
import itertools
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import aclosing, asynccontextmanager, closing, contextmanager, suppress
from functools import partial
from importlib import import_module
from typing import Any

from asgiref.sync import ThreadSensitiveContext, iscoroutinefunction, sync_to_async
from django.conf import settings
from django.db import close_old_connections, connections
from django.utils import translation
from django.utils.translation import gettext

from ..events import Finish, Piece
from ..executors import DaemonPool
from .base import ProviderError, Request
from .bridge import Bridge, Stopped

__all__ = ["Bridge", "Stopped", "check", "find_function", "reply"]

MAX_THREADS = 32  # plain functions at a time in this process; further calls wait in line
MAX_THREADS_PER_USER = 16  # of them: functions of one user that hang leave the rest to the others
COROUTINE_DATABASE_THREADS = 4  # shared by the queries of all coroutines
KEEPALIVE_INTERVAL = 10  # seconds between the signs of life of a call that waits in line; the engine times out silence
CANCEL_TIMEOUT = 1  # seconds that a cancelled coroutine gets to close what it opened

pool = DaemonPool("function", MAX_THREADS, MAX_THREADS_PER_USER)
database_executors = itertools.cycle(
    [ThreadPoolExecutor(1, f"python-database-{number}") for number in range(COROUTINE_DATABASE_THREADS)]
)
logger = logging.getLogger(__name__)
_functions: dict[str, Callable[..., Any]] = {}  # dotted path -> function


async def reply(request: Request) -> AsyncGenerator[Piece, None]:
    path = request.model
    function = _functions.get(path) if _is_listed(path) else None
    if function is None:
        function = await asyncio.to_thread(find_function, path)  # an import may take seconds
    bridge = Bridge()
    finished = False
    run = _run_in_loop if _is_async(function) else _run_in_thread
    async with run(path, function, request, bridge), aclosing(aiter(bridge)) as pieces:
        async for piece in pieces:
            finished = finished or type(piece) is Finish
            yield piece
    if not finished:
        yield Finish("stop")


def check(model_id: str, params: dict[str, Any]) -> None:
    """Raises ProviderError with what to correct if the function cannot be called."""
    find_function(model_id.partition(":")[2])
    if params:
        raise _not_configured(gettext("A python: function takes no parameters. Set them in the function itself."))


def find_function(path: str) -> Callable[..., Any]:
    """Returns the function of this dotted path, if PYTHON_PROVIDERS allows it; raises ProviderError otherwise."""
    if not _is_listed(path):
        sentence = gettext(
            "The function “%(path)s” is not allowed. To allow it, add its dotted path or its module's to the "
            "environment variable PYTHON_PROVIDERS and restart."
        )
        raise _not_configured(sentence % {"path": path})
    module_name, _, name = path.rpartition(".")
    try:
        module = import_module(module_name)
    except (Exception, SystemExit) as error:
        logger.error("%s cannot be imported", module_name, exc_info=error)
        sentence = gettext("“%(path)s” cannot be imported. See the server's log for the reason.")
        raise _not_configured(sentence % {"path": path}) from None
    function = getattr(module, name, None)
    if not callable(function):
        raise _not_configured(gettext("There is no function “%(path)s”.") % {"path": path})
    home = getattr(function, "__module__", None)  # a module also contains what it imported
    if path not in settings.PYTHON_PROVIDERS and not _is_listed(f"{home}.{name}"):
        sentence = gettext("“%(path)s” is defined in %(home)s, which PYTHON_PROVIDERS does not allow.")
        raise _not_configured(sentence % {"path": path, "home": home})
    try:
        inspect.signature(function).bind("messages", "send")
    except TypeError:
        sentence = gettext("“%(path)s” is not a function that takes (messages, send).")
        raise _not_configured(sentence % {"path": path}) from None
    except ValueError:  # a function written in C may have no signature
        pass
    _functions[path] = function
    return function


def _is_listed(path: str) -> bool:
    names = path.split(".")
    listed = any(path == entry or path.startswith(f"{entry}.") for entry in settings.PYTHON_PROVIDERS)
    return listed and len(names) > 1 and all(name.isidentifier() for name in names)


def _is_async(function: Callable[..., Any]) -> bool:
    return (
        iscoroutinefunction(function)
        or iscoroutinefunction(function.__call__)  # type: ignore[operator]
        or inspect.isasyncgenfunction(function)
    )


def _not_configured(sentence: str) -> ProviderError:
    return ProviderError(sentence, "not_configured")


@asynccontextmanager
async def _run_in_thread(
    path: str, function: Callable[..., Any], request: Request, bridge: Bridge
) -> AsyncIterator[None]:
    """Calls the function in a thread. After a stop it ends at its next `send`; until then its thread is not free."""
    language = translation.get_language()  # the user may read what the function raises

    def call() -> None:
        with translation.override(language), _closing_bridge(bridge, path):
            bridge.keep_alive()  # restarts the engine's timeout: time in line does not count
            try:
                result = function(request.messages, bridge.send)
                if inspect.isgenerator(result):
                    with closing(result):
                        for piece in result:
                            bridge.send(piece)
                elif text := _returned_text(result):
                    bridge.send(text)
            finally:
                connections.close_all()  # this thread's own, which nobody else would close

    call_in_pool = pool.submit(partial(contextvars.Context().run, call), request.context.user_id)
    keepalive = asyncio.create_task(_send_keepalives(call_in_pool, bridge))
    try:
        yield
    finally:
        keepalive.cancel()


async def _send_keepalives(call: Future[Any], bridge: Bridge) -> None:
    """Sends a sign of life now and then until the call has a thread."""
    with suppress(Stopped):
        while not (call.running() or call.done()):
            await asyncio.sleep(KEEPALIVE_INTERVAL)
            bridge.keep_alive()


@asynccontextmanager
async def _run_in_loop(
    path: str, function: Callable[..., Any], request: Request, bridge: Bridge
) -> AsyncIterator[None]:
    """Calls the function in a task, with few threads for its queries. The task is cancelled when the reader leaves."""
    language = translation.get_language()  # the user may read what the function raises

    async def call() -> None:
        with translation.override(language), _closing_bridge(bridge, path):
            async with ThreadSensitiveContext(executor=next(database_executors)):
                try:
                    result = function(request.messages, bridge.send)
                    if inspect.isasyncgen(result):
                        async with aclosing(result):
                            async for piece in result:
                                await bridge.send(piece)
                    elif text := _returned_text(await result):
                        await bridge.send(text)
                finally:
                    await sync_to_async(close_old_connections)()

    task = asyncio.get_running_loop().create_task(call(), context=contextvars.Context())
    task.add_done_callback(lambda _: bridge.close())  # also if it was cancelled before it began
    try:
        yield
    finally:
        task.cancel()
        _, pending = await asyncio.wait([task], timeout=CANCEL_TIMEOUT)
        if pending:
            logger.warning("%s was cancelled and is still running", path)


@contextmanager
def _closing_bridge(bridge: Bridge, path: str) -> Iterator[None]:
    """Ends the bridge, however the function's call ends."""
    try:
        yield
    except BaseException as error:  # a SystemExit, too, ends a reply and not the process
        if bridge.ended:
            if not isinstance(error, (Stopped, asyncio.CancelledError)):  # LangChain turns these into its own errors
                logger.info("%s was stopped and raised %s", path, type(error).__name__, exc_info=error)
            return
        if isinstance(error, ProviderError):
            bridge.fail(error)
            return
        logger.error("%s failed", path, exc_info=error)
        sentence = gettext("Something went wrong in %(path)s. The answer so far has been saved.")
        bridge.fail(ProviderError(sentence % {"path": path}))
    finally:
        bridge.close()


def _returned_text(result: object) -> str | None:
    """Returns what the function returned. Raises TypeError if it is neither text nor None."""
    if result is None or isinstance(result, str):
        return result
    raise TypeError(f"It returned {type(result).__name__}; it may return text or nothing.")
