"""Fixtures of runs that another process writes. This process asks the database for them when a test says so."""

import pytest

from chat.engine import heartbeat, remote_logs, runner
from chat.models import Conversation, Run
from tests.engine.other_process import OtherRun, Reader
from tests.waiting import wait_until

STOPPED = 3600  # seconds


@pytest.fixture
async def here(transactional_db, monkeypatch):
    """This process, in which nothing happens by itself."""
    monkeypatch.setattr(heartbeat, "HEARTBEAT_INTERVAL", STOPPED)
    monkeypatch.setattr(remote_logs, "POLL_INTERVAL", STOPPED)
    engine = runner.Engine(gives_titles=False)
    yield engine
    await engine.shut_down()
    assert engine.remote_logs.logs == {}
    assert not [task for task in engine.tasks if not task.done()]


@pytest.fixture
def queued(alice):
    """`await queued()`: a run that another process has not claimed yet."""

    async def make():
        conversation = await Conversation.objects.acreate(owner=alice)
        message = await conversation.messages.acreate(role="user", parts=[{"type": "text", "text": "Hi"}], text="Hi")
        reply = await conversation.messages.acreate(role="assistant", parent=message)
        run = await Run.objects.acreate(conversation=conversation, message=reply, model="x:y")
        return OtherRun(run)

    return make


@pytest.fixture
def started(queued):
    """`await started("abc")`: a run that has written these letters, an event for each."""

    async def make(text=""):
        other = await queued()
        await other.claim()
        await other.write(other.opening + other.deltas(text))
        return other

    return make


@pytest.fixture
async def read(here):
    """`await read(other, after)`: a reader that has seen what is stored and waits for more."""
    readers = []

    async def attach(other, after=0, run=None):
        reader = Reader(here, run or other.run, after)
        readers.append(reader)
        before = sum(each.readers for each in here.remote_logs.logs.values())
        await wait_until(
            lambda: sum(each.readers for each in here.remote_logs.logs.values()) > before or reader.task.done()
        )
        return reader

    yield attach
    for reader in readers:
        await reader.leave()
