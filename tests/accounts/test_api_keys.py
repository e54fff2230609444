"""Users make and revoke their own API keys; staff see them and make those of programs' accounts."""

import re
from datetime import timedelta

import pytest
from asgiref.sync import sync_to_async

from accounts import models
from accounts.models import ApiKey
from chat.api_keys import digest_of
from tests.rows import all_rows, create_user

KEYS = "/accounts/keys/"
ADMIN = "/admin/accounts/apikey/"
NEW_KEY = re.compile(r"chatkey_[\w-]{43}")


def form(**fields):
    return {"name": "Notebook", "scopes": ["chat", "read"], "days": "30"} | fields


async def test_key_is_shown_once_and_only_its_hash_is_kept(client_of, alice, words):
    client = client_of(alice)
    answer = await client.post(KEYS, form(assistants=["words"]))
    (key,) = NEW_KEY.findall(answer.content.decode())
    assert answer["Cache-Control"] == "no-store" or "no-cache" in answer["Cache-Control"]
    row = await ApiKey.objects.aget()
    assert (row.user_id, row.name, row.scopes, row.assistants) == (alice.pk, "Notebook", ["chat", "read"], ["words"])
    assert (row.digest, row.start) == (digest_of(key), key[:12])
    assert abs(row.expires_at - row.created_at - timedelta(days=30)) < timedelta(minutes=1)
    assert key not in str(await all_rows())
    page = (await client.get(KEYS)).content.decode()
    assert NEW_KEY.search(page) is None
    assert "Notebook" in page and f"{key[:12]}…" in page
    api = client_of(key=key)
    assert (await api.get("/api/me")).json()["username"] == "alice"


@pytest.mark.parametrize(
    "fields",
    [
        {"name": ""},
        {"name": "a" * 101},
        {"name": "a\0b"},
        {"scopes": []},
        {"scopes": ["admin"]},
        {"days": "36500"},
        {"assistants": ["unknown"]},
    ],
)
async def test_key_that_makes_no_sense_is_refused_with_a_sentence(client_of, alice, words, fields):
    answer = await client_of(alice).post(KEYS, form(**fields))
    assert answer.status_code == 200
    assert 'class="form__error"' in answer.content.decode()
    assert not await ApiKey.objects.aexists()


async def test_number_of_keys_is_limited(client_of, alice, monkeypatch):
    monkeypatch.setattr(models, "MAX_KEYS_PER_USER", 1)
    client = client_of(alice)
    await client.post(KEYS, form())
    answer = await client.post(KEYS, form())
    assert "too many API keys" in answer.content.decode()
    assert await ApiKey.objects.acount() == 1


async def test_key_is_revoked_by_its_user_alone(client_of, alice, charlie, key_of):
    key = await key_of(alice)
    revoke = f"{KEYS}{(await ApiKey.objects.aget()).pk}/revoke/"
    assert (await client_of(charlie).post(revoke)).status_code == 404
    assert (await client_of().post(revoke)).status_code == 302
    assert (await client_of(key=key).post(revoke)).status_code == 302  # to the login: a key cannot revoke keys
    assert (await client_of(alice, enforce_csrf_checks=True).post(revoke)).status_code == 403
    assert await ApiKey.objects.aexists()
    assert (await client_of(alice).post(revoke)).status_code == 302
    assert not await ApiKey.objects.aexists()


async def test_page_of_keys_needs_a_login_and_shows_no_others(client_of, alice, charlie, key_of):
    await key_of(alice)
    assert (await client_of().get(KEYS))["Location"] == f"/accounts/login/?next={KEYS}"
    assert (await client_of(key=await key_of(charlie)).get(KEYS)).status_code == 302
    assert (await client_of(charlie).get(KEYS)).content.decode().count('class="key"') == 1


async def test_page_of_keys_has_the_language_of_the_user(client_of, alice, key_of):
    client = client_of(alice)
    await key_of(alice)
    await client.send("PATCH", "/api/me", {"language": "ja"})
    assert "APIキー" in (await client.get(KEYS)).content.decode()


async def test_superuser_makes_the_key_of_an_account_for_programs(client_of, bob, words):
    robot = await sync_to_async(create_user)("robot")
    client = client_of(bob)
    fields = {"user": robot.pk, "name": "Cron", "scopes": ["chat"], "assistants": ["words"]}
    answer = await client.post(f"{ADMIN}add/", fields)
    assert "without a password" in answer.content.decode()
    robot.set_unusable_password()
    await robot.asave()
    answer = await client.post(f"{ADMIN}add/", fields)
    (key,) = NEW_KEY.findall(answer.content.decode())
    row = await ApiKey.objects.aget()
    assert (row.user_id, row.digest, row.assistants) == (robot.pk, digest_of(key), ["words"])
    for path in (ADMIN, f"{ADMIN}{row.pk}/change/", f"{ADMIN}{row.pk}/history/"):
        page = (await client.get(path)).content.decode()
        assert "Cron" in page and key not in page and row.digest not in page
    assert (await client.post(f"{ADMIN}{row.pk}/change/", fields)).status_code == 403
    assert (await client.post(f"{ADMIN}{row.pk}/delete/", {"post": "yes"})).status_code == 302
    assert not await ApiKey.objects.aexists()


async def test_staff_make_no_keys(client_of, alice, bob):
    await sync_to_async(lambda: type(bob).objects.filter(pk=bob.pk).update(is_superuser=False))()
    assert (await client_of(bob).get(f"{ADMIN}add/")).status_code == 403
