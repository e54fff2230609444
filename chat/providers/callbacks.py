"""`python:dotted.path` — a function of the team's own; and the Bridge, for whatever calls back where we would `yield`.

    def reply(messages, send):  # or `async def`, with `await send(…)`
        for word in model(messages):
            send(word)

`messages` are OpenAI's: dicts with a role and a content, the system prompt first. `send` takes text or a piece of
`chat.events`; a string that is returned is sent as well. Who edits assistants could name any function here, so only
what the operator listed in PYTHON_PROVIDERS is called. docs/providers.md has the whole story.
"""

import asyncio
import contextvars
import inspect
import itertools
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, asynccontextmanager, closing, contextmanager, suppress
from dataclasses import fields, replace
from functools import partial
from importlib import import_module

from asgiref.sync import ThreadSensitiveContext, iscoroutinefunction, sync_to_async
from django.conf import settings
from django.db import close_old_connections, connections
from django.utils import translation
from django.utils.translation import gettext

from ..events import Finish, Reasoning, Text, ToolCallArgs, ToolCallEnd, ToolCallResult, ToolCallStart, Usage
from ..threads import Threads
from . import ProviderError

SIZE = 64  # pieces that may wait for the reader; with so many it is never idle
LIMIT = 10_000  # … from code in the reader's thread, which cannot wait; more than an answer has, and a few megabytes
STALLED = 60  # seconds without a single piece read, after which a thread takes the reader for dead
MAX_THREADS = 32  # functions that are no coroutines, at a time in this process; the others wait in line
DATABASE_THREADS = 4  # for the queries of the others
SIGN_OF_LIFE = 10  # seconds between those of a run in line; the engine gives up on silence
LAST_WORDS = 1  # seconds that a coroutine which is stopped gets to close what it opened
PIECES = (Text, Reasoning, ToolCallStart, ToolCallArgs, ToolCallEnd, ToolCallResult, Usage, Finish)

pool = Threads("function", MAX_THREADS)
desks = itertools.cycle([ThreadPoolExecutor(1, f"python-database-{n}") for n in range(DATABASE_THREADS)])
logger = logging.getLogger(__name__)
_found = {}  # dotted path -> function


# The bridge -----------------------------------------------------------------------------------------------------------


class Stopped(BaseException):
    """Nobody hears what is sent: the run was stopped or is over. Clean up and let it pass.

    No Exception, so that `except Exception` does not take it for a failure and go on.
    """


class Bridge:
    """A bounded queue from those who cannot `yield` to the one who reads, with `async for`, in the loop that made it.

    `send` is for everybody. It passes on text or a piece of chat.events, then waits while more than SIZE are unread:

    - in another thread the call blocks;
    - in the reader's loop a coroutine awaits what it gives;
    - other code in that loop's thread cannot wait. It may be LIMIT pieces ahead of the reader; one more raises
      asyncio.QueueFull.

    `close()` and `fail(error)` end it, from anywhere; the first end counts. The reader still gets what was sent
    before, then the end or the error. From then on, or when the reader leaves first, `send` raises Stopped, also where
    it is waiting. No thread waits for ever: not even for a loop that was closed or that stands still.
    """

    def __init__(self):
        self._loop, self._thread = asyncio.get_running_loop(), threading.get_ident()
        self._pieces = []
        self._ended, self._error = False, None
        self._state = threading.Condition()  # guards all of this; threads wait in it for room
        self._news, self._room = asyncio.Event(), asyncio.Event()  # the reader waits for that, coroutines for this

    @property
    def ended(self):
        return self._ended

    def send(self, said):
        piece = _piece(said)
        with self._state:
            if self._ended:
                raise Stopped
            if self._is_here() and len(self._pieces) >= LIMIT:
                raise asyncio.QueueFull("send() is called without `await`, and faster than anybody reads.")
            self._pieces.append(piece)
            try:
                self._wake(self._news)
            except RuntimeError:  # the loop is closed
                self._ended = True
                raise Stopped from None
            if self._is_here():
                return Sent(self._wait)
            while len(self._pieces) > SIZE and not self._ended:
                if not self._state.wait(STALLED):
                    self.fail(RuntimeError("The reader stood still."))
            if self._ended:
                raise Stopped
        return Sent()

    def close(self):
        self.fail(None)

    def fail(self, error):
        with self._state:
            if not self._ended:
                self._ended, self._error = True, error
                self._state.notify_all()
                with suppress(RuntimeError):  # the loop is closed: nobody waits in it
                    self._wake(self._news)
                    self._wake(self._room)

    async def __aiter__(self):
        try:
            while pieces := await self._take():
                for piece in pieces:
                    yield piece
        finally:
            self.close()

    async def _take(self):
        """All pieces that wait, or the next one; none at the end."""
        await asyncio.sleep(0)  # threads may send so fast that there is always one, and the loop is not ours alone
        while True:
            with self._state:
                if self._pieces or self._ended:
                    pieces, self._pieces = self._pieces, []
                    self._state.notify_all()
                    self._room.set()
                    break
                self._news.clear()
            await self._news.wait()
        if self._error and not pieces:
            raise self._error
        return pieces

    async def _wait(self):
        """Until there is room; in the loop."""
        while True:
            with self._state:
                if self._ended:
                    raise Stopped
                if len(self._pieces) <= SIZE:
                    return
                self._room.clear()
            await self._room.wait()

    def _wake(self, event):
        """Set an event of the loop, from anywhere; `_state` is held, under which alone they are cleared."""
        if self._is_here():
            event.set()
        elif not event.is_set():
            self._loop.call_soon_threadsafe(event.set)

    def _is_here(self):
        return threading.get_ident() == self._thread


class Sent:
    """What `send` gives. In the reader's loop one awaits it until there is room; elsewhere that is over."""

    __slots__ = ("wait",)

    def __init__(self, wait=None):
        self.wait = wait

    def __await__(self):
        if self.wait:
            yield from self.wait().__await__()


def _piece(said):
    """What was sent, as a piece; raises TypeError for what the engine could not tell."""
    if isinstance(said, str):
        return Text(said)
    kind = type(said)
    if kind not in PIECES:
        raise TypeError(f"send() takes text or a piece of chat.events, not {kind.__name__}.")
    for field in fields(said):
        if not isinstance(value := getattr(said, field.name), field.type):
            raise TypeError(f"{kind.__name__}({field.name}=…) cannot be {type(value).__name__}.")
    if kind is ToolCallResult and said.metadata:  # it is written as JSON, and this is all that anybody reads in it
        return replace(said, metadata={"error": True} if said.metadata.get("error") else None)
    return said


# The provider ---------------------------------------------------------------------------------------------------------


async def reply(request):
    path = request.model
    function = _found.get(path) if _is_listed(path) else None
    if function is None:
        function = await asyncio.to_thread(find, path)  # an import may take seconds, which other streams cannot wait
    bridge, finished = Bridge(), False
    is_async = any(map(iscoroutinefunction, (function, function.__call__))) or inspect.isasyncgenfunction(function)
    run = (_in_loop if is_async else _in_thread)(path, function, request.messages, bridge)
    async with run, aclosing(aiter(bridge)) as pieces:
        async for piece in pieces:
            finished = finished or type(piece) is Finish
            yield piece
    if not finished:
        yield Finish("stop")


def check(model_id, params):
    """Raises ProviderError with what to mend where nothing could even be asked."""
    find(model_id.partition(":")[2])
    if params:
        raise _not_configured(gettext("A function of python: is given no params. Write them into the function."))


def find(path):
    """The function of this dotted path, where PYTHON_PROVIDERS allows it; raises ProviderError with what to mend."""
    if not _is_listed(path):
        sentence = gettext(
            "The function “%(path)s” is not allowed here. To allow it, add its dotted path, or its module's, to the "
            "environment variable PYTHON_PROVIDERS and start again."
        )
        raise _not_configured(sentence % {"path": path})
    module_name, _, name = path.rpartition(".")
    try:
        module = import_module(module_name)
    except (Exception, SystemExit) as error:
        logger.error("%s cannot be imported", module_name, exc_info=error)
        sentence = gettext("“%(path)s” cannot be imported; the server's log says why.") % {"path": path}
        raise _not_configured(sentence) from None
    function = getattr(module, name, None)
    if not callable(function):
        raise _not_configured(gettext("There is no function “%(path)s”.") % {"path": path})
    home = getattr(function, "__module__", None)  # a module also holds what it imported
    if path not in settings.PYTHON_PROVIDERS and not _is_listed(f"{home}.{name}"):
        sentence = gettext("“%(path)s” is defined in %(home)s, which PYTHON_PROVIDERS does not allow.")
        raise _not_configured(sentence % {"path": path, "home": home})
    try:
        inspect.signature(function).bind("messages", "send")
    except TypeError:
        sentence = gettext("“%(path)s” is no function of (messages, send).") % {"path": path}
        raise _not_configured(sentence) from None
    except ValueError:  # written in C, it does not tell
        pass
    _found[path] = function
    return function


def _is_listed(path):
    names = path.split(".")
    listed = any(path == entry or path.startswith(f"{entry}.") for entry in settings.PYTHON_PROVIDERS)
    return listed and len(names) > 1 and all(name.isidentifier() for name in names)


def _not_configured(sentence):
    return ProviderError(sentence, "not_configured")


@asynccontextmanager
async def _in_thread(path, function, messages, bridge):
    """Has a thread call it; one that is stopped ends at its next `send`, and only then is its place free again."""
    language = translation.get_language()  # in which the person may read what the function raises

    def call():
        with translation.override(language), _ending(bridge, path):
            bridge.send("")  # the engine's clock begins anew: up to here it was not the function that took so long
            try:
                said = function(messages, bridge.send)
                if inspect.isgenerator(said):
                    with closing(said):
                        for piece in said:
                            bridge.send(piece)
                elif _is_text(said):
                    bridge.send(said)
            finally:
                connections.close_all()  # this thread's own; nobody else would

    work = pool.submit(partial(contextvars.Context().run, call))
    waiting = asyncio.create_task(_in_line(work, bridge))
    try:
        yield
    finally:
        waiting.cancel()


async def _in_line(work, bridge):
    """Show a sign of life now and then until a thread is free."""
    with suppress(Stopped):
        while not (work.running() or work.done()):
            await asyncio.sleep(SIGN_OF_LIFE)
            bridge.send("")


@asynccontextmanager
async def _in_loop(path, function, messages, bridge):
    """Has a task call it, with few threads for its queries; that task is cancelled when nobody listens any more."""
    language = translation.get_language()  # in which the person may read what the function raises

    async def call():
        with translation.override(language), _ending(bridge, path):
            async with ThreadSensitiveContext(executor=next(desks)):
                try:
                    said = function(messages, bridge.send)
                    if inspect.isasyncgen(said):
                        async with aclosing(said):
                            async for piece in said:
                                await bridge.send(piece)
                    elif _is_text(said := await said):
                        await bridge.send(said)
                finally:
                    await sync_to_async(close_old_connections)()

    task = asyncio.get_running_loop().create_task(call(), context=contextvars.Context())
    task.add_done_callback(lambda _: bridge.close())  # also where it was cancelled before it began
    try:
        yield
    finally:
        task.cancel()
        _, late = await asyncio.wait([task], timeout=LAST_WORDS)
        if late:
            logger.warning("%s was cancelled and goes on", path)


@contextmanager
def _ending(bridge, path):
    """Whatever becomes of the function, the reader gets an end."""
    try:
        yield
    except BaseException as error:  # a SystemExit, too, ends a reply and not the process
        if bridge.ended:
            if not isinstance(error, (Stopped, asyncio.CancelledError)):  # LangChain makes errors of its own of these
                logger.info("%s was stopped and raised %s", path, type(error).__name__, exc_info=error)
            return
        if not isinstance(error, ProviderError):
            logger.error("%s failed", path, exc_info=error)
            sentence = gettext("Something went wrong in %(path)s. The answer so far is kept.") % {"path": path}
            error = ProviderError(sentence)
        bridge.fail(error)
    finally:
        bridge.close()


def _is_text(said):
    if said is not None and not isinstance(said, str):
        raise TypeError(f"It returned {type(said).__name__}; it may return text or nothing.")
    return said is not None
