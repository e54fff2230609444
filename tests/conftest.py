"""Fixtures of all tests. Alice owns the conversations, Bob reviews as staff, Charlie is another user."""

import asyncio
import glob
import inspect
import logging
import os
import signal
import uuid
from contextlib import asynccontextmanager

import pytest
from asgiref.sync import sync_to_async
from django.db import connections

from accounts.models import ApiKey
from chat import engine, executors, providers
from chat.engine import heartbeat
from chat.events import Finish, RunStarted, Text, TextMessageContent, TextMessageStart
from chat.models import Assistant, Conversation, Run, RunEvent, ServerProcess
from chatsite.asgi import application
from scripts.environment import VENDOR_PREFIXES
from tests import scripted
from tests.clients import Client, EchoApplication, Socket
from tests.rows import create_user
from tests.timeouts import HANG_TIMEOUT
from tests.upstream import Upstream
from tests.waiting import hang_timeout, wait_for_run

# Tests use no assistant or API key of the developer who runs them.
for name in [name for name in os.environ if name.startswith(VENDOR_PREFIXES)]:
    del os.environ[name]
os.environ["OLLAMA_HOST"] = "127.0.0.1:9"  # nothing listens there
executors.lowers_priority = False
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell that runs this in the background ignores it for us
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(config, items):
    """Leaves out the tests without a database where it is PostgreSQL: they run with SQLite, and nothing differs."""
    if connections.settings["default"]["ENGINE"].endswith("sqlite3"):
        return
    kept = [item for item in items if uses_database(item) or item.get_closest_marker("process")]
    config.hook.pytest_deselected(items=list(set(items) - set(kept)))
    items[:] = kept


def uses_database(item):
    return not {"db", "transactional_db"}.isdisjoint(item.fixturenames) or item.get_closest_marker("django_db")


def pytest_unconfigure():
    """Removes the files that SQLite leaves beside a deleted database to which a thread still has a connection."""
    logging.raiseExceptions = False  # at its exit the site's handler writes to a stream that pytest has closed
    if connections.settings["default"]["ENGINE"].endswith("sqlite3"):
        for path in glob.glob(f"{connections.settings['default']['TEST']['NAME']}*"):
            os.remove(path)


@pytest.fixture
def alice(transactional_db):
    return create_user("alice")


@pytest.fixture
def bob(transactional_db):
    return create_user("bob", is_staff=True, is_superuser=True)


@pytest.fixture
def charlie(transactional_db):
    return create_user("charlie")


@pytest.fixture
def client_of():
    """`client_of(alice)` is logged in as Alice; `client_of()` is not logged in."""
    return Client


@pytest.fixture
def key_of(transactional_db):
    """`await key_of(alice)`: a new API key of Alice's with all scopes; `scopes=["read"]`: with these alone."""

    async def issue(user, **fields):
        return (await sync_to_async(ApiKey.issue)(user, "Notebook", **fields))[1]

    return issue


@pytest.fixture
def script(transactional_db):
    """`await script(name, *steps)`: an assistant of that name whose replies follow these steps; see tests.scripted."""
    scripted.scripts.clear()
    scripted.requests.clear()
    scripted.closed.clear()

    async def write(name, *steps, **fields):
        scripted.scripts[name] = steps[0] if len(steps) == 1 and inspect.isfunction(steps[0]) else steps
        fields = {"name": name, "model": f"scripted:{name}"} | fields
        return (await Assistant.objects.aupdate_or_create(slug=name, defaults=fields))[0]

    return write


@pytest.fixture
def ask(alice):
    """`await ask(assistant, text="Hi")`: a started run in a new conversation of Alice's."""

    async def start(assistant, text="Hi", **kwargs):
        conversation = await Conversation.objects.acreate(owner=alice, assistant=assistant)
        run = await conversation.ask(text, **kwargs)
        await engine.start(run)
        return run

    return start


@pytest.fixture
def finished_run(script, ask):
    """`await finished_run("one two three")`: a finished run whose reply is these words, with a delta for each."""

    async def finish(text):
        first, *others = text.split(" ")
        deltas = [Text(first), *(Text(f" {word}") for word in others)]
        run = await ask(await script("words", *deltas, Finish("stop")))
        await wait_for_run(run)
        return run

    return finish


@pytest.fixture
def socket_of(client_of):
    """`async with socket_of(alice, conversation) as socket`: a WebSocket opened as her browser opens it."""

    @asynccontextmanager
    async def connect(user, conversation=None, accepted=True, path=None, key=None, **headers):
        headers = {"host": "testserver", "origin": "http://testserver"} | headers
        if key:
            headers |= {"origin": None, "authorization": f"Bearer {key}"}
        if user:
            client = client_of()
            await client.aforce_login(user)
            headers["cookie"] = f"sessionid={client.cookies['sessionid'].value}"
        pairs = [(name.encode(), value.encode("latin-1")) for name, value in headers.items() if value is not None]
        path = path or f"/ws/conversations/{getattr(conversation, 'pk', conversation)}"
        socket = Socket(application, path, pairs)
        try:
            was_accepted, code = await socket.connect(HANG_TIMEOUT)
            assert was_accepted == accepted, code
            socket.refused_with = None if accepted else code
            yield socket
        finally:
            await socket.disconnect(timeout=HANG_TIMEOUT)

    return connect


@pytest.fixture
async def words(script):
    return await script("words", Text("Hello"), Text(" Alice"), Finish("stop"))


@pytest.fixture
async def conversation(alice, words):
    return await Conversation.objects.acreate(owner=alice, assistant=words)


@pytest.fixture
def slow(script):
    """`async with slow() as gate`: an assistant `slow` whose reply stops after “one” until the gate is set."""

    @asynccontextmanager
    async def write(name="slow"):
        gate = asyncio.Event()
        await script(name, Text("one"), gate.wait, Text(" two"), Finish("stop"))
        yield gate
        gate.set()

    return write


@pytest.fixture
def fast_recovery(monkeypatch):
    """Heartbeats come every 0.1 s, and a run whose process sends none is adopted at once."""
    monkeypatch.setattr(heartbeat, "HEARTBEAT_INTERVAL", 0.1)
    monkeypatch.setattr(heartbeat, "OUTAGE_GRACE", 1)
    monkeypatch.setattr(heartbeat, "ADOPT_DELAY", 0)


@pytest.fixture
def orphan(alice, script, fast_recovery):
    """`await orphan(*deltas)`: a run whose process died after these deltas. A follower may have received more."""

    async def leave(*deltas, attempts=1):
        assistant = await script("again", Text("second try"), Finish("stop"))
        conversation = await Conversation.objects.acreate(owner=alice, assistant=assistant)
        run = await conversation.ask("Hi")
        dead = await ServerProcess.objects.acreate(pk=uuid.uuid4(), beat=5)
        await Run.objects.filter(pk=run.pk).aupdate(status="in_progress", process_id=dead.pk, attempts=attempts)
        reply = str(run.message_id)
        log = [RunStarted(str(conversation.pk), str(run.pk)), TextMessageStart(reply)]
        log += [TextMessageContent(reply, delta) for delta in deltas]
        await sync_to_async(RunEvent.write)(run.pk, log[:2], after=0)
        if deltas:
            await sync_to_async(RunEvent.write)(run.pk, log[2:], after=2)
        await run.arefresh_from_db()
        return run

    return leave


@pytest.fixture
def echo():
    return EchoApplication()


@pytest.fixture
async def upstream(monkeypatch):
    """A scripted model server in the test's event loop. After the test, no connection to it may still be open."""
    monkeypatch.setenv("NO_PROXY", "*")
    server = Upstream()
    await server.start()
    try:
        yield server
        await engine.shut_down()
        await providers.close()
        async with hang_timeout():
            await server.all_closed()
    finally:
        await server.stop()


@pytest.fixture
async def advance_clock(monkeypatch):
    """`advance_clock(seconds)` moves the event loop's clock on, whatever the load of the machine."""
    loop = asyncio.get_running_loop()
    real_time, ahead = loop.time, 0

    def advance(seconds):
        nonlocal ahead
        ahead += seconds

    monkeypatch.setattr(loop, "time", lambda: real_time() + ahead)
    return advance


@pytest.fixture
def database(request):
    """The database, for tests that use one. It is set up before the fixtures that depend on this, and emptied after."""
    if "transactional_db" in request.fixturenames:
        request.getfixturevalue("transactional_db")


@pytest.fixture
async def shut_down_engine(database):
    yield
    await engine.shut_down()
    await sync_to_async(connections.close_all)()


@pytest.fixture(autouse=True)
def shut_down_engine_of_async_test(request):
    if inspect.iscoroutinefunction(request.function):  # other tests have no loop that an engine could run in
        request.getfixturevalue("shut_down_engine")
