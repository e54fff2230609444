"""How far an import is, also for a page that did not begin it."""

import asyncio
import threading
import time
from contextlib import AsyncExitStack
from datetime import timedelta
from tempfile import TemporaryDirectory
from types import SimpleNamespace

import pytest
from django.conf import settings
from django.db import InterfaceError
from django.utils import timezone

from chat.models import Import
from chat.transfer import importing
from chat.transfer.save import Importer
from tests.timeouts import GATE_TIMEOUT, HANG_TIMEOUT
from tests.transfer.transfers import VALID, import_data
from tests.waiting import hang_timeout, wait_until

pytestmark = pytest.mark.slow


async def test_import_says_what_came_of_it(client_of, alice, charlie):
    client = client_of(alice)
    assert (await client.get("/api/import")).json()["state"] is None
    answer = await import_data(client, VALID)
    newest = (await client.get("/api/import")).json()
    assert (newest["state"], newest["name"], newest["result"]) == ("finished", "conversations.json", answer.json())
    assert (newest["done"], newest["total"]) == (1, 1)
    assert (await client_of(charlie).get("/api/import")).json()["state"] is None
    answer = await import_data(client, b"{]")
    newest = (await client.get("/api/import")).json()
    assert (newest["state"], newest["problem"]) == ("failed", answer.json()["error"]["message"])
    assert newest["result"] is None


async def test_import_continues_without_its_client(client_of, alice, monkeypatch):
    began, goes_on = threading.Event(), threading.Event()
    save_group = Importer.save_group

    def wait_and_save(importer, group):
        began.set()
        assert goes_on.wait(GATE_TIMEOUT)
        save_group(importer, group)

    monkeypatch.setattr(Importer, "save_group", wait_and_save)
    call = asyncio.create_task(import_data(client_of(alice), VALID))
    assert await asyncio.to_thread(began.wait, HANG_TIMEOUT)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    newest = (await client_of(alice).get("/api/import")).json()
    assert (newest["state"], newest["done"], newest["total"]) == ("saving", 0, 1)
    goes_on.set()
    await asyncio.wait(set(importing.background))
    newest = (await client_of(alice).get("/api/import")).json()
    assert (newest["state"], newest["result"]["conversations"]) == ("finished", 1)


async def newest_in_state(client, state):
    """Waits until the newest import is in this state; returns it."""
    async with hang_timeout():
        while (newest := (await client.get("/api/import")).json())["state"] != state:
            await asyncio.sleep(0.01)
    return newest


async def test_import_that_waits_for_its_turn_says_so(client_of, alice):
    client = client_of(alice)
    assert (await client.get("/api/import")).json()["state"] is None
    async with AsyncExitStack() as stack:
        for number in range(settings.IMPORT_WORKERS):
            await stack.enter_async_context(importing.slots.get().hold(number))
        call = asyncio.create_task(import_data(client, VALID))
        newest = await newest_in_state(client, "waiting")
        assert (newest["name"], newest["total"]) == ("conversations.json", None)
        again = await import_data(client, VALID)
        assert again.status_code == 429
        assert (await client.get("/api/import")).json() == newest
    assert (await call).status_code == 201
    assert (await client.get("/api/import")).json()["state"] == "finished"


async def test_import_that_has_waited_too_long_has_failed(client_of, alice, monkeypatch):
    client = client_of(alice)
    monkeypatch.setattr(importing.slots.get(), "wait_timeout", 0.1)
    async with AsyncExitStack() as stack:
        for number in range(settings.IMPORT_WORKERS):
            await stack.enter_async_context(importing.slots.get().hold(number))
        answer = await import_data(client, VALID)
    newest = (await client.get("/api/import")).json()
    assert (answer.status_code, newest["state"]) == (503, "failed")
    assert newest["problem"] == answer.json()["error"]["message"]


async def test_import_that_was_refused_while_it_saved_that_it_waits_has_failed(client_of, alice, monkeypatch):
    client, slots, begin = client_of(alice), importing.slots.get(), Import.begin

    def begin_late(*args):
        while slots.waiting:
            time.sleep(0.01)  # in the import's own thread
        return begin(*args)

    monkeypatch.setattr(slots, "wait_timeout", 0.1)
    monkeypatch.setattr(Import, "begin", begin_late)
    async with AsyncExitStack() as stack:
        for number in range(settings.IMPORT_WORKERS):
            await stack.enter_async_context(slots.hold(number))
        answer = await import_data(client, VALID)
    newest = (await client.get("/api/import")).json()
    assert (answer.status_code, newest["state"]) == (503, "failed")
    assert newest["problem"] == answer.json()["error"]["message"]


async def test_import_says_that_it_lives_however_long_it_takes(client_of, alice, monkeypatch):
    """Reading and saving may take minutes without anything else to report."""
    began, goes_on = threading.Event(), threading.Event()

    def wait(importer, group):
        began.set()
        assert goes_on.wait(GATE_TIMEOUT)

    monkeypatch.setattr(importing, "BEAT_INTERVAL", 0.01)
    monkeypatch.setattr(Importer, "save_group", wait)
    call = asyncio.create_task(import_data(client_of(alice), VALID))
    assert await asyncio.to_thread(began.wait, HANG_TIMEOUT)
    long_ago = timezone.now() - timedelta(hours=1)
    await Import.objects.filter(owner=alice).aupdate(updated_at=long_ago)
    await wait_until(Import.objects.filter(owner=alice, updated_at__gt=long_ago).aexists)
    goes_on.set()
    await call


async def test_import_says_that_it_lives_after_an_outage_of_the_database(monkeypatch):
    beats = []

    def change():
        beats.append(1)
        if len(beats) == 1:
            raise InterfaceError("the connection is closed")

    monkeypatch.setattr(importing, "BEAT_INTERVAL", 0.01)
    async with importing._beating(lambda: SimpleNamespace(change=change)):
        await wait_until(lambda: len(beats) > 1)


async def test_import_has_finished_even_if_its_folder_cannot_be_removed(client_of, alice, monkeypatch, caplog):
    remove = TemporaryDirectory.cleanup

    def fail(folder):
        remove(folder)
        raise OSError("busy")

    monkeypatch.setattr(TemporaryDirectory, "cleanup", fail)
    answer = await import_data(client_of(alice), VALID)
    newest = (await client_of(alice).get("/api/import")).json()
    assert (answer.status_code, newest["state"], newest["result"]) == (201, "finished", answer.json())
    assert "could not be removed: busy" in caplog.text


async def test_import_whose_process_died_has_failed(client_of, alice):
    long_ago = timezone.now() - timedelta(seconds=21)
    await Import.objects.acreate(owner=alice, name="a.json", state="saving", updated_at=long_ago)
    newest = (await client_of(alice).get("/api/import")).json()
    assert (newest["state"], newest["problem"][:26]) == ("failed", "The import was interrupted")
