"""Users change their own passwords."""

import threading

import pytest
from asgiref.sync import sync_to_async
from django.contrib.sessions.models import Session

from accounts.views import PasswordView
from chat.live.session_check import active_users

PASSWORD = "/accounts/password/"
OLD, NEW = "correct horse battery", "staple of the horse"


def form(**fields):
    return {"old_password": OLD, "new_password1": NEW, "new_password2": NEW, **fields}


async def logged_in(client_of, password=OLD):
    """Returns a client that has logged in through the page, and the answer to the login."""
    client = client_of()
    return client, await client.post("/accounts/login/", {"username": "alice", "password": password})


async def test_new_password_logs_out_all_other_browsers(client_of, alice):
    client, _ = await logged_in(client_of)
    other, _ = await logged_in(client_of)
    answer = await client.post(PASSWORD, form())
    assert (answer.status_code, answer["Location"]) == (302, f"{PASSWORD}changed/")
    assert (await client.get(answer["Location"])).status_code == 200
    assert (await client.get("/")).status_code == 200
    assert (await other.get("/")).status_code == 302
    keys = [session.session_key async for session in Session.objects.all()]
    assert list((await sync_to_async(active_users)(keys)).values()) == [alice.pk]
    assert (await logged_in(client_of))[1].status_code == 200
    assert (await logged_in(client_of, NEW))[1].status_code == 302


@pytest.mark.parametrize(
    "fields",
    [
        {"old_password": "wrong"},
        {"old_password": ""},
        {"new_password1": ""},
        {"new_password2": "staple"},
        {"new_password1": "alice", "new_password2": "alice"},
        {"new_password1": "password", "new_password2": "password"},
        {"new_password1": "a\0b", "new_password2": "a\0b"},
    ],
)
async def test_password_that_is_not_accepted_is_refused_with_a_sentence(client_of, alice, fields):
    client, _ = await logged_in(client_of)
    answer = await client.post(PASSWORD, form(**fields))
    page = answer.content.decode()
    assert answer.status_code == 200
    assert 'class="form__error"' in page and 'aria-invalid="true"' in page and page.count(" autofocus") == 1
    assert OLD not in page and NEW not in page
    await alice.arefresh_from_db()
    assert await alice.acheck_password(OLD)


async def test_password_is_not_changed_from_another_site(client_of, alice):
    client = client_of(alice, enforce_csrf_checks=True)
    assert (await client.post(PASSWORD, form())).status_code == 403
    await alice.arefresh_from_db()
    assert await alice.acheck_password(OLD)


async def test_pages_of_the_password_need_a_login(client_of, alice):
    for path in (PASSWORD, f"{PASSWORD}changed/"):
        answer = await client_of().get(path)
        assert (answer.status_code, answer["Location"]) == (302, f"/accounts/login/?next={path}")
        assert (await client_of(alice).get(path)).status_code == 200


async def test_user_whose_login_is_checked_elsewhere_has_no_password_to_change(client_of, alice):
    alice.set_unusable_password()
    await alice.asave()
    client = client_of(alice)
    assert PASSWORD not in (await client.get("/")).content.decode()
    assert (await client.get(PASSWORD)).status_code == (await client.post(PASSWORD, form())).status_code == 404
    alice.set_password(OLD)
    await alice.asave()
    assert PASSWORD in (await client_of(alice).get("/")).content.decode()


async def test_password_page_has_the_theme_and_the_language_of_the_user(client_of, alice):
    client = client_of(alice)
    await client.send("PATCH", "/api/me", {"theme": "dark", "language": "ja"})
    page = (await client.get(PASSWORD)).content.decode()
    assert 'data-theme="dark"' in page and "新しいパスワード" in page


async def test_password_is_changed_in_a_thread_for_passwords(client_of, alice, monkeypatch):
    threads = []
    form_valid = PasswordView.form_valid

    def record(view, form):
        threads.append(threading.current_thread().name)
        return form_valid(view, form)

    monkeypatch.setattr(PasswordView, "form_valid", record)
    client, _ = await logged_in(client_of)
    await client.post(PASSWORD, form())
    assert [name.startswith("password-") for name in threads] == [True]
