"""Streams and sockets that stay open end with the session or the account."""

import asyncio
import threading
from datetime import timedelta

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from chat.live import session_check
from tests.timeouts import GATE_TIMEOUT, HANG_TIMEOUT
from tests.waiting import wait_until


@pytest.fixture(autouse=True)
def short_check_interval(monkeypatch):
    monkeypatch.setattr(session_check, "CHECK_INTERVAL", 0.01)


@pytest.fixture
def session_of(client_of):
    """`await session_of(alice)`: the key of a new session of Alice."""

    async def log_in(user):
        client = client_of()
        await client.aforce_login(user)
        return client.cookies["sessionid"].value

    return log_in


async def next_check():
    """Waits until every session that is open now has been checked."""
    with session_check.watch_session("nobody's", 0) as anonymous:
        await wait_until(lambda: not anonymous.is_valid)


async def test_session_stays_valid_while_logged_in(alice, session_of):
    with session_check.watch_session(await session_of(alice), alice.pk) as session:
        await next_check()
        await next_check()
        assert session.is_valid


async def test_session_ends_alone(alice, session_of):
    here, elsewhere = await session_of(alice), await session_of(alice)
    with session_check.watch_session(here, alice.pk) as one, session_check.watch_session(elsewhere, alice.pk) as other:
        await Session.objects.filter(session_key=here).adelete()
        await next_check()
        assert (one.is_valid, other.is_valid) == (False, True)


async def deactivated(alice, key):
    alice.is_active = False
    await alice.asave()


async def deleted(alice, key):
    await alice.adelete()


async def with_another_password(alice, key):
    alice.set_password("another battery")
    await alice.asave()


async def expired(alice, key):
    await Session.objects.filter(session_key=key).aupdate(expire_date=timezone.now() - timedelta(seconds=1))


async def tampered_with(alice, key):
    await Session.objects.filter(session_key=key).aupdate(session_data="nonsense")


async def logged_in_as_nobody(alice, key):
    session = SessionStore(key)
    await session.aload()
    await session.apop(SESSION_KEY)
    await session.asave()


@pytest.mark.parametrize(
    "change", [deactivated, deleted, with_another_password, expired, tampered_with, logged_in_as_nobody]
)
async def test_session_ends_with_the_login_or_the_account(alice, bob, session_of, change):
    key = await session_of(alice)
    with (
        session_check.watch_session(key, alice.pk) as alices,
        session_check.watch_session(await session_of(bob), bob.pk) as bobs,
    ):
        await next_check()
        assert alices.is_valid
        await change(alice, key)
        await next_check()
        assert (alices.is_valid, bobs.is_valid) == (False, True)


async def test_session_of_another_user_is_invalid(alice, bob, session_of):
    key = await session_of(bob)
    with session_check.watch_session(key, alice.pk) as alices, session_check.watch_session(key, bob.pk) as bobs:
        await next_check()
        assert (alices.is_valid, bobs.is_valid) == (False, True)


async def test_session_added_during_a_check_stays_valid(alice, session_of, monkeypatch):
    active_users = session_check.active_users
    started, gate = threading.Event(), threading.Event()

    def wait_and_look_up(session_keys):
        started.set()
        gate.wait(GATE_TIMEOUT)
        return active_users(session_keys)

    monkeypatch.setattr(session_check, "active_users", wait_and_look_up)
    first, second = await session_of(alice), await session_of(alice)
    with session_check.watch_session(first, alice.pk):
        await wait_until(started.is_set)
        with session_check.watch_session(second, alice.pk) as late:
            gate.set()
            await next_check()
            assert late.is_valid


async def test_session_added_as_the_last_one_leaves_is_checked(alice, session_of):
    key = await session_of(alice)
    with session_check.watch_session(key, alice.pk):
        pass
    with session_check.watch_session("ended", alice.pk) as ended:
        await wait_until(lambda: not ended.is_valid)


async def test_watcher_stops_without_sessions(alice, session_of):
    with session_check.watch_session(await session_of(alice), alice.pk):
        await next_check()
        task = session_check.watchers.get().task
    await asyncio.wait([task], timeout=HANG_TIMEOUT)
    assert task.cancelled()


async def test_check_of_a_thousand_sessions_takes_three_queries(alice, session_of):
    keys = {await session_of(alice)} | {f"unknown{number}" for number in range(999)}

    @sync_to_async
    def look():
        with CaptureQueriesContext(connection) as queries:
            assert list(session_check.active_users(keys).values()) == [alice.pk]
        return len(queries)

    assert await look() == 3
