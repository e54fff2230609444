"""The database does what it was asked, and the answer is lost: it was restarted or frozen at that moment."""

import threading

import pytest
from django.db import OperationalError
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper

from chat.engine import journal
from chat.events import Finish, Text, fold
from chat.models import Run
from tests.rows import stored_events
from tests.waiting import wait_for_run, wait_for_text, wait_until

LOST = "server closed the connection unexpectedly"


@pytest.fixture
def lose_commit(transactional_db, monkeypatch):
    """`lose_commit()`: the answer to the journal's next commit is lost. Returns a list that has an item after it."""
    monkeypatch.setattr(journal, "RETRY_DELAY", 0.01)

    def arm(thread="journal"):
        original, lost = BaseDatabaseWrapper._commit, []

        def commit(self):
            original(self)
            if not lost and threading.current_thread().name.startswith(thread):
                lost.append(True)
                raise OperationalError(LOST)

        monkeypatch.setattr(BaseDatabaseWrapper, "_commit", commit)
        return lost

    return arm


@pytest.fixture
def lose_statement(transactional_db, monkeypatch):
    """`lose_statement(start)`: the answer to the next statement that begins so is lost, once it has been executed."""

    def arm(start):
        original, lost = CursorWrapper.execute, []

        def execute(self, sql, params=None):
            result = original(self, sql, params)
            if not lost and sql.startswith(start):
                lost.append(True)
                raise OperationalError(LOST)
            return result

        monkeypatch.setattr(CursorWrapper, "execute", execute)
        return lost

    return arm


ended = []


def note(run):
    ended.append(run.pk)


async def assert_stored_once(run, text):
    assert (run.status, run.message.text) == ("completed", text)
    stored = await stored_events(run_id=run.pk)
    assert [seq for seq, _ in stored] == list(range(1, run.last_seq + 1))
    assert fold(event for _, event in stored) == run.message.parts


async def test_events_that_were_written_are_written_again(script, ask, slow, lose_commit):
    lost = lose_commit()
    async with slow() as gate:
        run = await ask(await script("slow", Text("one"), gate.wait, Text(" two"), Finish("stop")))
        await wait_until(lambda: lost)
    await wait_for_run(run)
    await assert_stored_once(run, "one two")


async def test_run_that_was_ended_has_ended_here(script, ask, slow, lose_commit, settings):
    settings.RUN_ENDED = [f"{__name__}.note"]
    ended.clear()
    async with slow() as gate:
        run = await ask(await script("slow", Text("one"), gate.wait, Finish("stop")))
        await wait_for_text(run)
        await wait_until(lambda: run.events.aexists())
        lost = lose_commit()
    await wait_for_run(run)
    assert lost
    await assert_stored_once(run, "one")
    await wait_until(lambda: ended)
    assert ended == [run.pk]


async def test_run_that_was_claimed_is_not_left_in_progress(script, ask, lose_statement, fast_recovery):
    lost = lose_statement('UPDATE "chat_run" SET "status" = ')
    run = await ask(await script("words", Text("Hello"), Finish("stop")))
    await wait_until(lambda: lost)
    await wait_for_run(run)
    assert (run.status, run.message.text, run.attempts) == ("completed", "Hello", 2)
    assert not await Run.objects.filter(status__in=Run.OPEN).aexists()
