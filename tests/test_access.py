"""Whether a person whose stream or socket stays open may still be here."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from chat import access


@pytest.fixture(autouse=True)
def looks_often(monkeypatch):
    monkeypatch.setattr(access, "EVERY", 0.01)


@pytest.fixture
def session_of(client_of):
    """`await session_of(alice)`: the key of a new session of hers."""

    async def log_in(person):
        client = client_of()
        await client.aforce_login(person)
        return client.cookies["sessionid"].value

    return log_in


async def looks():
    """Wait until everybody who is here now was looked up."""
    with access.admitted("nobody's", 0) as stranger:
        async with asyncio.timeout(10):
            while stranger():
                await asyncio.sleep(0.01)


async def test_a_person_who_is_logged_in_stays(alice, session_of):
    with access.admitted(await session_of(alice), alice.pk) as still_welcome:
        await looks()
        await looks()
        assert still_welcome()


async def test_each_session_of_a_person_ends_alone(alice, session_of):
    here, elsewhere = await session_of(alice), await session_of(alice)
    with access.admitted(here, alice.pk) as one, access.admitted(elsewhere, alice.pk) as other:
        await Session.objects.filter(session_key=here).adelete()
        await looks()
        assert (one(), other()) == (False, True)


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
async def test_who_is_no_longer_welcome_goes(alice, bob, session_of, change):
    key = await session_of(alice)
    with access.admitted(key, alice.pk) as hers, access.admitted(await session_of(bob), bob.pk) as his:
        await looks()
        assert hers()
        await change(alice, key)
        await looks()
        assert (hers(), his()) == (False, True)


async def test_a_session_that_became_another_persons_is_not_hers(alice, bob, session_of):
    key = await session_of(bob)
    with access.admitted(key, alice.pk) as hers, access.admitted(key, bob.pk) as his:
        await looks()
        assert (hers(), his()) == (False, True)


async def test_who_comes_during_a_look_is_not_sent_away(alice, session_of):
    """The look is held up before it begins, in a thread that has something else to do."""
    thread, gate = ThreadPoolExecutor(1), threading.Event()
    asyncio.get_running_loop().set_default_executor(thread)
    first, second = await session_of(alice), await session_of(alice)
    thread.submit(gate.wait)
    with access.admitted(first, alice.pk):
        while not thread._work_queue.qsize():
            await asyncio.sleep(0.01)
        with access.admitted(second, alice.pk) as late:
            gate.set()
            await looks()
            assert late()


async def test_who_comes_as_the_last_one_goes_is_looked_after(alice, session_of):
    key = await session_of(alice)
    with access.admitted(key, alice.pk):
        pass
    with access.admitted("ended", alice.pk) as ended:
        async with asyncio.timeout(5):
            while ended():
                await asyncio.sleep(0.01)


async def test_nobody_is_looked_up_once_all_have_gone(alice, session_of):
    with access.admitted(await session_of(alice), alice.pk):
        await looks()
        _, keeper = access._books[asyncio.get_running_loop()]
    await asyncio.wait([keeper], timeout=5)
    assert keeper.cancelled()


async def test_a_thousand_readers_cost_three_queries(alice, session_of):
    keys = {await session_of(alice)} | {f"unknown{number}" for number in range(999)}

    @sync_to_async
    def look():
        with CaptureQueriesContext(connection) as queries:
            assert list(access._welcome(keys).values()) == [alice.pk]
        return len(queries)

    assert await look() == 3
