"""Coming in and going out."""

import asyncio
import os
import re
import threading
from urllib.parse import quote

import pytest
from asgiref.sync import ThreadSensitiveContext, sync_to_async
from django.contrib.auth import hashers
from django.contrib.sessions.models import Session
from django.http import HttpResponse
from django.test import AsyncRequestFactory

from chat import address_limits, executors, password_checks
from chat.executors import database_executor
from chat.password_checks import MAX_WAITING_PER_ADDRESS, PasswordChecks, limit_password_checks
from tests.timeouts import GATE_TIMEOUT
from tests.waiting import wait_until

LOGIN = "/accounts/login/"


def form(**fields):
    return {"username": "alice", "password": "correct horse battery", **fields}


async def test_page_redirects_to_the_login(client_of, alice):
    for path in ("/", "/c/0b6e9a52-7b0c-4a5e-9a53-6c4f0e1f2a3b/"):
        answer = await client_of().get(path)
        assert (answer.status_code, answer["Location"]) == (302, f"{LOGIN}?next={path}")
    assert (await client_of(alice).get("/")).status_code == 200


async def test_login_with_the_right_password_redirects_to_the_page(client_of, alice):
    client = client_of()
    answer = await client.post(LOGIN, form())
    assert (answer.status_code, answer["Location"]) == (302, "/")
    page = await client.get("/")
    assert page.status_code == 200
    assert '"user": "alice"' in page.content.decode()
    cookie = answer.cookies["sessionid"]
    assert (cookie["httponly"], cookie["samesite"]) == (True, "Lax")


async def test_login_with_a_wrong_password_says_so_and_keeps_the_name(client_of, alice):
    client = client_of()
    for fields in ({"password": "wrong"}, {"username": "<b>nobody"}, {"password": ""}, {"username": ""}):
        answer = await client.post(LOGIN, form(**fields))
        html = answer.content.decode()
        assert answer.status_code == 200
        assert re.search('class="form__error"[^>]*>[^<]{10,}<', html), fields
        name = form(**fields)["username"].replace("<", "&lt;").replace(">", "&gt;")
        assert re.search(f'name="username"[^>]*value="{name}"', html), fields
        assert "correct horse battery" not in html
    assert not await Session.objects.aexists()
    assert (await client.get("/")).status_code == 302


async def test_login_of_an_inactive_user_is_refused(client_of, alice):
    alice.is_active = False
    await alice.asave()
    assert (await client_of().post(LOGIN, form())).status_code == 200
    assert not await Session.objects.aexists()


async def test_login_from_another_site_is_refused(client_of, alice):
    client = client_of(enforce_csrf_checks=True)
    assert (await client.post(LOGIN, form())).status_code == 403
    page = (await client.get(LOGIN)).content.decode()
    token = re.search('name="csrfmiddlewaretoken" value="([^"]+)"', page)[1]
    evil = await client.post(LOGIN, form(csrfmiddlewaretoken=token), headers={"Origin": "https://evil.example"})
    assert evil.status_code == 403
    assert not await Session.objects.aexists()
    assert (await client.post(LOGIN, form(csrfmiddlewaretoken=token))).status_code == 302


async def test_login_redirects_to_the_page_that_was_asked_for(client_of, alice):
    answer = await client_of().post(LOGIN, form(next="/c/0b6e9a52-7b0c-4a5e-9a53-6c4f0e1f2a3b/?x=1"))
    assert answer["Location"] == "/c/0b6e9a52-7b0c-4a5e-9a53-6c4f0e1f2a3b/?x=1"
    page = (await client_of().get(f"{LOGIN}?next=/c/1/")).content.decode()
    assert re.search('name="next" value="/c/1/"', page)


@pytest.mark.parametrize(
    "evil", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", "http:evil.example"]
)
async def test_login_redirects_to_no_other_site(client_of, alice, evil):
    assert (await client_of().post(LOGIN, form(next=evil)))["Location"] == "/"
    assert (await client_of().post(f"{LOGIN}?next={quote(evil)}", form()))["Location"] == "/"
    assert (await client_of(alice).get(f"{LOGIN}?next={quote(evil)}"))["Location"] == "/"


async def test_login_page_redirects_logged_in_users(client_of, alice):
    answer = await client_of(alice).get(LOGIN)
    assert (answer.status_code, answer["Location"]) == (302, "/")


async def test_logout_needs_a_post(client_of, alice):
    client = client_of(alice)
    for method in ("GET", "HEAD"):
        assert (await client.send(method, "/accounts/logout/")).status_code == 405
    assert (await client.get("/")).status_code == 200
    answer = await client.post("/accounts/logout/")
    assert (answer.status_code, answer["Location"]) == (302, "/")
    assert (await client.get("/")).status_code == 302
    assert (await client.get("/api/assistants")).status_code == 401
    assert not await Session.objects.aexists()


async def test_logout_needs_the_csrf_token(client_of, alice):
    client = client_of(alice, enforce_csrf_checks=True)
    assert (await client.get("/")).status_code == 200
    assert (await client.post("/accounts/logout/")).status_code == 403
    assert (await client.get("/")).status_code == 200


async def test_page_sets_the_csrf_cookie(client_of, alice):
    client = client_of(alice, enforce_csrf_checks=True)
    await client.get("/")
    token = client.cookies["csrftoken"].value
    assert (await client.send("POST", "/api/conversations", {}, **{"X-CSRFToken": token})).status_code == 201


async def test_pages_forbid_frames_and_scripts_of_other_sites(client_of, alice):
    for path, user in ((LOGIN, None), ("/", alice)):
        answer = await client_of(user).get(path)
        assert answer["X-Frame-Options"] == "DENY"
        policy = answer["Content-Security-Policy"]
        assert "default-src 'self'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert not re.search(r"<script(?![^>]*\bsrc=)(?![^>]*application/json)", answer.content.decode())


# Many at a time -------------------------------------------------------------------------------------------------------


@pytest.fixture
def slow_hasher(monkeypatch):
    """Passwords are checked when `gate` is set; `started` has the thread of each check that has begun."""
    gate, started = threading.Event(), []
    verify = hashers.MD5PasswordHasher.verify

    def slowly(self, password, encoded):
        started.append(threading.current_thread())
        assert gate.wait(GATE_TIMEOUT)
        return verify(self, password, encoded)

    monkeypatch.setattr(hashers.MD5PasswordHasher, "verify", slowly)
    yield gate, started
    gate.set()


def attempt(client, **fields):
    return asyncio.create_task(client.post(LOGIN, form(**fields)))


async def test_login_attempts_of_one_address_leave_room_for_another(client_of, alice, slow_hasher):
    gate, started = slow_hasher
    attempts = [attempt(client_of(address="127.0.0.9"), password="wrong") for _ in range(MAX_WAITING_PER_ADDRESS + 1)]
    await wait_until(lambda: started and password_checks.checks.get().slots.waiting == MAX_WAITING_PER_ADDRESS)
    late = await client_of(address="127.0.0.9").post(LOGIN, form(password="wrong", next="/c/1/"))
    assert (late.status_code, late["Retry-After"]) == (429, "2")
    page = late.content.decode()
    assert re.search('role="alert">[^<]{10,}<', page)
    assert 'value="alice"' in page
    assert 'name="next" value="/c/1/"' in page
    assert "wrong" not in page
    own = attempt(client_of(address="127.0.0.8"))
    await wait_until(lambda: len(started) == 2)  # of one address one, and the other's
    assert (await client_of(address="127.0.0.9").get(LOGIN)).status_code == 200  # pages need no check
    gate.set()
    assert (await own).status_code == 302
    assert {answer.status_code for answer in await asyncio.gather(*attempts)} == {200}


async def test_login_attempts_are_refused_a_few_at_a_time(client_of, alice, slow_hasher, monkeypatch):
    gate, started = slow_hasher
    attempts = [attempt(client_of(), password="wrong") for _ in range(MAX_WAITING_PER_ADDRESS + 1)]
    await wait_until(lambda: started and password_checks.checks.get().slots.waiting == MAX_WAITING_PER_ADDRESS)
    slots, refuse, in_use = address_limits.address_slots.get(), password_checks._refusal, []

    def record(*args):
        in_use.append(slots.in_use)
        return refuse(*args)

    monkeypatch.setattr(password_checks, "_refusal", record)
    late = [attempt(client_of(), password="wrong") for _ in range(20)]
    assert {answer.status_code for answer in await asyncio.gather(*late)} == {429}
    assert len(in_use) == 20
    assert 1 <= min(in_use) <= max(in_use) <= address_limits.MAX_PER_ADDRESS
    gate.set()
    await asyncio.gather(*attempts)


async def test_login_is_refused_while_too_many_wait(client_of, alice, slow_hasher, monkeypatch):
    monkeypatch.setattr(password_checks, "MAX_WAITING", 1)
    gate, started = slow_hasher
    attempts = [attempt(client_of(address=f"127.0.0.{number}")) for number in (7, 8, 9)]
    await wait_until(lambda: len(started) == 2 and password_checks.checks.get().slots.waiting)
    late = await client_of().post(LOGIN, form(), headers={"Accept-Language": "ja"})
    assert (late.status_code, late["Retry-After"]) == (503, "2")
    assert "サーバーが混み合っています" in late.content.decode()
    gate.set()
    assert {answer.status_code for answer in await asyncio.gather(*attempts)} == {302}


@pytest.mark.parametrize(
    "path", [LOGIN, "/admin/login/", "/admin/password_change/", "/admin/auth/user/add/", "/admin/auth/user/1/password/"]
)
async def test_passwords_are_checked_in_threads_of_their_own(client_of, path, monkeypatch, transactional_db):
    names = []

    async def respond(request):
        names.append(await sync_to_async(lambda: threading.current_thread().name)())
        return HttpResponse()

    await limit_password_checks(respond)(AsyncRequestFactory().post(path))
    await limit_password_checks(respond)(AsyncRequestFactory().get(path))
    assert [name.startswith("password-") for name in names] == [True, False]


async def test_passwords_are_checked_when_no_other_thread_needs_the_core(client_of, transactional_db, monkeypatch):
    monkeypatch.setattr(executors, "lowers_priority", True)
    monkeypatch.setattr(PasswordChecks, "threads", password_checks.make_threads())
    niceness = {}

    def note():
        niceness[threading.current_thread().name.partition("-")[0]] = os.getpriority(
            os.PRIO_PROCESS, threading.get_native_id()
        )
        return HttpResponse()

    async def respond(request):
        return await sync_to_async(note)()

    await limit_password_checks(respond)(AsyncRequestFactory().post(LOGIN))
    async with ThreadSensitiveContext(executor=database_executor("database-test")):
        await respond(None)
    assert os.nice(0) < niceness["database"] < niceness["password"]
