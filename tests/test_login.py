"""Coming in and going out."""

import re
from urllib.parse import quote

import pytest
from django.contrib.sessions.models import Session

LOGIN = "/accounts/login/"


def form(**fields):
    return {"username": "alice", "password": "correct horse battery", **fields}


async def test_the_page_asks_for_a_login_first(client_of, alice):
    for path in ("/", "/c/0b6e9a52-7b0c-4a5e-9a53-6c4f0e1f2a3b/"):
        answer = await client_of().get(path)
        assert (answer.status_code, answer["Location"]) == (302, f"{LOGIN}?next={path}")
    assert (await client_of(alice).get("/")).status_code == 200


async def test_the_right_password_lets_in(client_of, alice):
    client = client_of()
    answer = await client.post(LOGIN, form())
    assert (answer.status_code, answer["Location"]) == (302, "/")
    page = await client.get("/")
    assert page.status_code == 200
    assert '"user": "alice"' in page.content.decode()
    cookie = answer.cookies["sessionid"]
    assert (cookie["httponly"], cookie["samesite"]) == (True, "Lax")


async def test_a_wrong_password_says_so_and_keeps_the_name(client_of, alice):
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


async def test_who_is_shut_out_does_not_come_in(client_of, alice):
    alice.is_active = False
    await alice.asave()
    assert (await client_of().post(LOGIN, form())).status_code == 200
    assert not await Session.objects.aexists()


async def test_a_form_of_another_site_does_not_log_in(client_of, alice):
    client = client_of(enforce_csrf_checks=True)
    assert (await client.post(LOGIN, form())).status_code == 403
    page = (await client.get(LOGIN)).content.decode()
    token = re.search('name="csrfmiddlewaretoken" value="([^"]+)"', page)[1]
    evil = await client.post(LOGIN, form(csrfmiddlewaretoken=token), headers={"Origin": "https://evil.example"})
    assert evil.status_code == 403
    assert not await Session.objects.aexists()
    assert (await client.post(LOGIN, form(csrfmiddlewaretoken=token))).status_code == 302


async def test_it_goes_on_where_the_person_wanted_to_go(client_of, alice):
    answer = await client_of().post(LOGIN, form(next="/c/0b6e9a52-7b0c-4a5e-9a53-6c4f0e1f2a3b/?x=1"))
    assert answer["Location"] == "/c/0b6e9a52-7b0c-4a5e-9a53-6c4f0e1f2a3b/?x=1"
    page = (await client_of().get(f"{LOGIN}?next=/c/1/")).content.decode()
    assert re.search('name="next" value="/c/1/"', page)


@pytest.mark.parametrize(
    "evil", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", "http:evil.example"]
)
async def test_it_goes_nowhere_else(client_of, alice, evil):
    assert (await client_of().post(LOGIN, form(next=evil)))["Location"] == "/"
    assert (await client_of().post(f"{LOGIN}?next={quote(evil)}", form()))["Location"] == "/"
    assert (await client_of(alice).get(f"{LOGIN}?next={quote(evil)}"))["Location"] == "/"


async def test_who_is_in_needs_no_login(client_of, alice):
    answer = await client_of(alice).get(LOGIN)
    assert (answer.status_code, answer["Location"]) == (302, "/")


async def test_only_a_post_logs_out(client_of, alice):
    client = client_of(alice)
    for method in ("GET", "HEAD"):
        assert (await client.send(method, "/accounts/logout/")).status_code == 405
    assert (await client.get("/")).status_code == 200
    answer = await client.post("/accounts/logout/")
    assert (answer.status_code, answer["Location"]) == (302, "/")
    assert (await client.get("/")).status_code == 302
    assert (await client.get("/api/assistants")).status_code == 401
    assert not await Session.objects.aexists()


async def test_a_logout_needs_the_csrf_token(client_of, alice):
    client = client_of(alice, enforce_csrf_checks=True)
    assert (await client.get("/")).status_code == 200
    assert (await client.post("/accounts/logout/")).status_code == 403
    assert (await client.get("/")).status_code == 200


async def test_the_page_brings_the_csrf_token_for_its_calls(client_of, alice):
    client = client_of(alice, enforce_csrf_checks=True)
    await client.get("/")
    token = client.cookies["csrftoken"].value
    assert (await client.send("POST", "/api/conversations", {}, **{"X-CSRFToken": token})).status_code == 201


async def test_pages_cannot_be_framed_and_run_no_script_of_others(client_of, alice):
    for path, person in ((LOGIN, None), ("/", alice)):
        answer = await client_of(person).get(path)
        assert answer["X-Frame-Options"] == "DENY"
        policy = answer["Content-Security-Policy"]
        assert "default-src 'self'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert not re.search(r"<script(?![^>]*\bsrc=)(?![^>]*application/json)", answer.content.decode())
