"""chat.address_limits: few requests of one address are in Django at a time."""

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from django.http import HttpResponse
from django.test import AsyncRequestFactory
from django.test import Client as DjangoClient

from chat import address_limits
from chat.address_limits import MAX_PER_ADDRESS, hold_address_slot, limit_requests_per_address, release_address_slot
from chat.asgi import threads
from chat.live import limits
from tests.waiting import wait_until

BURST, OTHER = "127.0.0.9", "127.0.0.8"  # addresses


class View:
    """Records the addresses of its requests, which wait for `gate`; `releases`: it first gives the slot back."""

    def __init__(self, releases=False):
        self.entered, self.gate, self.releases = [], asyncio.Event(), releases

    async def __call__(self, request):
        self.entered.append(request.META["REMOTE_ADDR"])
        if self.releases:
            await release_address_slot(request)
        await self.gate.wait()
        return HttpResponse()


def send(view, address, count=1, **scope):
    site = limit_requests_per_address(view)
    requests = [AsyncRequestFactory().get("/", REMOTE_ADDR=address) for _ in range(count)]
    for request in requests:
        request.META["REMOTE_ADDR"] = address
        request.scope |= scope
    return [asyncio.create_task(site(request)) for request in requests]


@asynccontextmanager
async def all_slots_of(address):
    async with AsyncExitStack() as stack:
        for _ in range(MAX_PER_ADDRESS):
            await stack.enter_async_context(hold_address_slot(address))
        yield


async def test_burst_of_an_address_enters_a_few_at_a_time_and_delays_no_other():
    view = View()
    burst = send(view, BURST, 50)
    await wait_until(lambda: address_limits.address_slots.get().waiting == 50 - MAX_PER_ADDRESS)
    assert view.entered == [BURST] * MAX_PER_ADDRESS
    other = send(view, OTHER)
    await wait_until(lambda: view.entered[-1] == OTHER)
    view.gate.set()
    assert {response.status_code for response in await asyncio.gather(*burst, *other)} == {200}
    assert len(view.entered) == 51
    assert (address_limits.address_slots.get().in_use, address_limits.address_slots.get().waiting) == (0, 0)


async def test_request_that_gives_its_slot_back_lets_the_next_one_in():
    view = View(releases=True)
    burst = send(view, BURST, 50)
    await wait_until(lambda: len(view.entered) == 50)
    view.gate.set()
    await asyncio.gather(*burst)


async def test_slot_of_a_client_that_left_is_free():
    view = View()
    burst = send(view, BURST, 3 * MAX_PER_ADDRESS)
    await wait_until(lambda: len(view.entered) == MAX_PER_ADDRESS)
    for request in burst[: 2 * MAX_PER_ADDRESS]:
        request.cancel()
    await wait_until(lambda: len(view.entered) == 2 * MAX_PER_ADDRESS)
    view.gate.set()
    await asyncio.gather(*burst, return_exceptions=True)
    assert address_limits.address_slots.get().in_use == 0


async def test_addresses_of_one_network_share_their_slots():
    view = View()
    burst = [task for host in range(20) for task in send(view, f"2001:db8::{host}")]
    await wait_until(lambda: address_limits.address_slots.get().waiting)
    assert len(view.entered) == MAX_PER_ADDRESS
    view.gate.set()
    await asyncio.gather(*burst)


async def test_slow_kinds_of_request_need_no_slot():
    """They have slots of their own, in which they may wait for long."""
    view = View()
    burst = send(view, BURST, 2 * MAX_PER_ADDRESS, has_slot=True)
    await wait_until(lambda: len(view.entered) == 2 * MAX_PER_ADDRESS)
    view.gate.set()
    await asyncio.gather(*burst)


@pytest.mark.parametrize("path", ["/admin/", "/api/export", "/api/import", "/api/attachments"])
async def test_slow_paths_have_slots_of_their_own(path):
    scopes = []

    async def application(scope, receive, send):
        scopes.append(scope)

    await threads.share_database_threads(application)({"path": path, "client": None}, None, None)
    assert scopes[0]["has_slot"]


@pytest.mark.parametrize("path", ["/", "/api/me", "/accounts/login/", "/s/none/", "/nowhere"])
async def test_every_page_and_call_waits_for_a_slot(client_of, alice, path):
    async with all_slots_of("127.0.0.1"):
        call = asyncio.create_task(client_of(alice).get(path))
        await wait_until(lambda: address_limits.address_slots.get().waiting)
        assert not call.done()
        assert (await client_of(alice, address=OTHER).get(path)).status_code < 500
    assert (await call).status_code < 500


async def test_readiness_is_answered_while_all_requests_of_the_address_hang(client_of, transactional_db):
    async with all_slots_of("127.0.0.1"):
        assert (await client_of().get("/health/ready")).status_code == 200


async def test_user_of_a_socket_is_looked_up_in_a_slot(socket_of, alice, conversation, monkeypatch):
    monkeypatch.setattr(address_limits, "network_of", lambda address: "127.0.0.1")

    async def connect():
        async with socket_of(alice, conversation) as socket:
            await socket.send_command("{")
            return await socket.receive_event()

    async with all_slots_of("127.0.0.1"):
        task = asyncio.create_task(connect())
        await wait_until(lambda: address_limits.address_slots.get().waiting)
        assert not task.done()
    assert (await task)["type"] == "error"


async def test_call_that_waits_for_its_users_other_calls_holds_no_slot(client_of, alice, settings):
    settings.MAX_REQUESTS_PER_USER = 1
    async with limits.user_slots.get().hold(alice.pk):
        client = client_of()
        await client.aforce_login(alice)
        calls = [asyncio.create_task(client.get("/api/me")) for _ in range(3 * MAX_PER_ADDRESS)]
        await wait_until(lambda: limits.user_slots.get().waiting == len(calls))
        assert address_limits.address_slots.get().in_use == 0
    assert {response.status_code for response in await asyncio.gather(*calls)} == {200}


async def test_large_responses_that_an_address_does_not_read_are_limited(monkeypatch):
    monkeypatch.setattr(address_limits, "MAX_LARGE_PER_ADDRESS", 2)
    large = b"x" * (address_limits.LARGE_BYTES + 1)

    async def view(request):
        return HttpResponse(b"small" if request.path == "/small" else large)

    async def get(path, address, end):
        request = AsyncRequestFactory().get(path)
        request.META["REMOTE_ADDR"] = address
        request.scope["stack"] = end
        return await limit_requests_per_address(view)(request)

    async with AsyncExitStack() as unread:
        for _ in range(2):
            assert (await get("/", BURST, unread)).status_code == 200
        refused = await get("/", BURST, unread)
        assert (refused.status_code, refused["Retry-After"]) == (429, "2")
        assert b"too_many_requests" in refused.content
        assert (await get("/small", BURST, unread)).status_code == 200
        assert (await get("/", OTHER, unread)).status_code == 200
    async with AsyncExitStack() as unread:
        assert (await get("/", BURST, unread)).status_code == 200
    assert address_limits.large_responses.get().in_use == 0


def test_requests_of_djangos_test_client_have_no_scope(alice):
    client = DjangoClient()
    client.force_login(alice)
    assert client.get("/").status_code == 200
    assert client.get("/api/conversations").status_code == 200
