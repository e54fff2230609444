"""`Authorization: Bearer`: which keys open the API and the sockets, and what each may do."""

import asyncio
import json
import threading
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts import key_lookup
from accounts.models import ApiKey
from chat import api_keys
from chat.asgi.bodies import MAX_ANONYMOUS_BODY_BYTES, limit_body
from chat.errors import Refused
from chat.live import session_check
from chat.models import Message
from chat.redaction import redact
from tests.clients import asgi_request, asgi_response, messages_url
from tests.live.event_stream import read_body
from tests.rows import all_rows
from tests.waiting import hang_timeout

KEY = "chatkey_" + "a" * 43


async def error_of(response):
    return response.status_code, response.json()["error"]["code"]


# How it is spelled ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["Bearer ", "bearer ", "BEARER ", "Bearer   ", "Bearer\t", " Bearer "])
def test_bearer_is_read_in_each_spelling(scheme):
    assert api_keys.digest_of_authorization(f"{scheme}{KEY} ") == api_keys.digest_of(KEY)


@pytest.mark.parametrize(
    "header",
    [
        *(
            "Bearer",
            "Bearer ",
            "bearer x",
            "Bearer sk-abc",
            f"Bearer {KEY}x",
            f"Bearer {KEY[:-1]}",
            f"Bearer{KEY} bearer",
        ),
        *(f"Bearer {KEY} {KEY}", f"Bearer {KEY},Bearer {KEY}", f"Basic eDp5,Bearer {KEY}", f"Bearer {KEY}, Basic eDp5"),
        *(f"Bearer é{KEY}", f"Bearer {KEY[:-1]}é", f"Bearer,{KEY}", f'Bearer "{KEY}"', f"Bearer {KEY.upper()}é"),
    ],
)
def test_bearer_that_is_no_single_key_is_refused(header):
    with pytest.raises(Refused) as refused:
        api_keys.digest_of_authorization(header)
    assert (refused.value.status, refused.value.code) == (401, "invalid_key")


@pytest.mark.parametrize("header", [None, "", "Basic YmVhcmVy", "Digest username=alice", "Bearerx y", KEY])
def test_other_schemes_name_no_key(header):
    assert api_keys.digest_of_authorization(header) is None


def test_several_headers_are_read_like_one_joined_by_commas():
    headers = [(b"authorization", f"Bearer {KEY}".encode()), (b"authorization", b"Basic eDp5")]
    assert api_keys.authorization_of({"headers": headers}) == f"Bearer {KEY},Basic eDp5"
    assert api_keys.authorization_of({"headers": []}) is None


# Who may come in ------------------------------------------------------------------------------------------------------


async def test_key_acts_as_its_user_without_a_csrf_token(client_of, alice, key_of, words):
    client = client_of(key=await key_of(alice), enforce_csrf_checks=True)
    assert (await client.get("/api/me")).json()["username"] == "alice"
    answer = await client.send("POST", "/api/chat", {"text": "Hi", "assistant": "words"})
    assert (answer.status_code, answer.json()["output"]) == (200, "Hello Alice")
    assert not answer.cookies


@pytest.mark.parametrize("header", [f"Bearer {KEY}", "bearer x", "Bearer"])
async def test_wrong_key_is_refused_whatever_cookie_comes_with_it(client_of, alice, words, header):
    client = client_of(alice)
    before = (await client.get("/api/me")).status_code, await all_rows()
    answer = await client.send("POST", "/api/chat", {"text": "Hi"}, authorization=header)
    assert await error_of(answer) == (401, "invalid_key")
    assert answer["WWW-Authenticate"] == "Bearer"
    assert before == (200, await all_rows())


async def test_header_of_a_proxy_does_not_replace_the_session(client_of, alice):
    headers = {"authorization": "Basic eDp5"}
    assert (await client_of(alice).send("GET", "/api/me", **headers)).status_code == 200
    answer = await client_of().send("GET", "/api/me", **headers)
    assert (await error_of(answer), answer["WWW-Authenticate"]) == ((401, "not_authenticated"), "Bearer")


async def test_key_in_a_url_is_refused_and_not_logged(client_of, alice, key_of, caplog):
    key = await key_of(alice)
    for client in (client_of(), client_of(alice), client_of(key=key)):
        for path in (f"/api/me?api_key={key}", f"/api/nothing?{key}"):
            answer = await client.get(path)
            assert answer.status_code in (400, 404)
            assert key not in answer.content.decode()
    assert await error_of(await client_of().get(f"/api/me?key={key}")) == (400, "key_in_url")
    assert key not in caplog.text
    assert redact(f"GET /api/me?key={key} HTTP/1.1") == "GET /api/me?key=*** HTTP/1.1"


async def revoked(alice):
    await ApiKey.objects.all().adelete()


async def expired(alice):
    await ApiKey.objects.aupdate(expires_at=timezone.now() - timedelta(seconds=1))


async def deactivated(alice):
    alice.is_active = False
    await alice.asave()


ENDS = pytest.mark.parametrize("end", [revoked, expired, deactivated])


@ENDS
async def test_key_that_has_ended_is_refused(client_of, alice, key_of, end):
    client = client_of(key=await key_of(alice, expires_at=timezone.now() + timedelta(days=1)))
    assert (await client.get("/api/me")).status_code == 200
    await end(alice)
    assert await error_of(await client.get("/api/me")) == (401, "invalid_key")


@ENDS
async def test_stream_and_socket_end_with_their_key(client_of, socket_of, alice, key_of, slow, ask, monkeypatch, end):
    monkeypatch.setattr(session_check, "CHECK_INTERVAL", 0.05)
    monkeypatch.setattr("chat.live.consumers.POLL_INTERVAL", 0.05)
    key = await key_of(alice)
    async with slow() as gate:
        answer = await client_of(key=key).send(
            "POST", "/api/chat", {"text": "Hi", "assistant": "slow"}, accept="text/event-stream"
        )
        conversation = answer["X-Conversation-Id"]
        async with hang_timeout():
            while b"delta" not in await anext(answer.streaming_content):
                pass
        async with socket_of(None, conversation, key=key) as socket:
            await end(alice)
            assert await socket.close_code() == 4401
        gate.set()
        assert b"RUN_FINISHED" not in await read_body(answer)


# What it may do -------------------------------------------------------------------------------------------------------


async def test_call_needs_the_scope_of_its_method(client_of, alice, key_of, words):
    reads, writes, asks = [client_of(key=await key_of(alice, scopes=[scope])) for scope in ("read", "write", "chat")]
    before = await Message.objects.acount()
    for client in (reads, asks):
        assert await error_of(await client.send("POST", "/api/chat", {"text": "Hi"})) == (403, "missing_scope")
    assert await Message.objects.acount() == before
    for client in (writes, asks):
        assert await error_of(await client.get("/api/conversations")) == (403, "missing_scope")
    assert (await reads.get("/api/conversations")).status_code == 200
    assert (await writes.send("POST", "/api/chat", {"text": "Hi"})).status_code == 200


async def test_key_for_some_assistants_uses_no_other(client_of, alice, key_of, script, words, finished_run):
    other = await script("other", is_default=True)
    run = await finished_run("one two")
    client = client_of(key=await key_of(alice, assistants=["words"]))
    assert [item["slug"] for item in (await client.get("/api/assistants")).json()["items"]] == ["words"]
    assert (await client.send("POST", "/api/chat", {"text": "Hi", "assistant": "words"})).status_code == 200
    before = await all_rows(ApiKey)
    message = f"/api/messages/{run.message_id}"
    for path, body in (
        ("/api/chat", {"text": "Hi"}),
        ("/api/chat", {"text": "Hi", "assistant": "other"}),
        (messages_url(run.conversation), {"text": "Hi", "assistant": "other"}),
        (f"{message}/regenerate", {"assistant": "other"}),
    ):
        assert await error_of(await client.send("POST", path, body)) == (403, "assistant_not_allowed"), path
    assert await all_rows(ApiKey) == before
    await other.adelete()
    assert [item["slug"] for item in (await client.get("/api/assistants")).json()["items"]] == ["words"]


async def test_last_use_is_stored_at_most_once_a_minute(client_of, alice, key_of):
    client = client_of(key=await key_of(alice))

    async def last_use():
        await asyncio.wrap_future(key_lookup._thread.submit(lambda: None))  # after what was queued before
        return (await ApiKey.objects.aget()).last_used_at

    assert await last_use() is None
    await client.get("/api/me")
    first = await last_use()
    assert first is not None
    await client.get("/api/me")
    assert await last_use() == first
    await ApiKey.objects.aupdate(last_used_at=first - timedelta(minutes=2))
    await client.get("/api/me")
    assert await last_use() > first


async def test_last_use_of_a_key_waits_for_the_database_once(client_of, alice, key_of, monkeypatch):
    blocked, noted = threading.Event(), []
    monkeypatch.setattr(ApiKey.objects, "note_use", noted.append)
    client = client_of(key=await key_of(alice))
    key_lookup._thread.submit(blocked.wait)
    try:
        for _ in range(3):
            await client.get("/api/me")
    finally:
        blocked.set()
    await asyncio.wrap_future(key_lookup._thread.submit(lambda: None))
    assert len(noted) == 1


# Sockets and bodies ---------------------------------------------------------------------------------------------------


async def test_socket_opens_with_a_key_and_writes_with_its_scope(socket_of, alice, key_of, conversation):
    async with socket_of(None, conversation, key=await key_of(alice)) as socket:
        await socket.ask(follow=True)
        assert (await socket.receive_until_end())[-1]["type"] == "RUN_FINISHED"
    async with socket_of(None, conversation, key=await key_of(alice, scopes=["read"])) as socket:
        await socket.send_command({"type": "message.create", "text": "Hi"})
        assert (await socket.receive_event("error"))["error"]["code"] == "missing_scope"
        run = await conversation.runs.aget()
        await socket.send_command({"type": "run.follow", "run_id": str(run.pk)})
        assert (await socket.receive_until_end())[-1]["type"] == "RUN_FINISHED"


async def test_socket_is_closed_for_a_key_that_does_not_fit(socket_of, alice, charlie, key_of, conversation):
    for user, key, code in (
        (None, await key_of(alice, scopes=["chat", "write"]), 4403),
        (None, await key_of(charlie), 4404),
        (None, KEY, 4401),
        (alice, KEY, 4401),  # a session does not help
    ):
        async with socket_of(user, conversation, key=key) as socket:
            assert await socket.close_code() == code
    async with socket_of(alice, path=f"/ws/conversations/{conversation.pk}?key={await key_of(alice)}") as socket:
        assert await socket.close_code() == 4401


async def test_key_allows_the_assistant_of_a_socket_as_of_a_call(socket_of, alice, key_of, conversation):
    async with socket_of(None, conversation, key=await key_of(alice, assistants=["other"])) as socket:
        await socket.send_command({"type": "message.create", "text": "Hi"})
        assert (await socket.receive_event("error"))["error"]["code"] == "assistant_not_allowed"
    assert not await Message.objects.aexists()


async def test_large_body_needs_a_valid_key(alice, key_of, echo):
    body = b"a" * (MAX_ANONYMOUS_BODY_BYTES + 1)
    length = (b"content-length", str(len(body)).encode())
    for key, status in ((await key_of(alice), 200), (KEY, 401)):
        site = asgi_request(limit_body(echo), length, (b"authorization", f"Bearer {key}".encode()))
        if status == 200:
            await site.send_input({"type": "http.request", "body": body, "more_body": False})
        answer = await asgi_response(site)
        assert answer[0] == status
    assert answer[1][b"www-authenticate"] == b"Bearer"
    assert json.loads(answer[2])["error"]["code"] == "invalid_key"


# Other sites ----------------------------------------------------------------------------------------------------------

ORIGIN = "https://app.example.com"


async def test_scripts_of_listed_origins_may_call_without_cookies(client_of, alice, key_of, settings):
    settings.CORS_ALLOWED_ORIGINS = [ORIGIN]
    asks = {"access-control-request-method": "POST", "access-control-request-headers": "authorization"}
    preflight = await client_of().send("OPTIONS", "/api/chat", origin=ORIGIN, **asks)
    assert (preflight.status_code, preflight["Access-Control-Allow-Origin"]) == (200, ORIGIN)
    assert "authorization" in preflight["Access-Control-Allow-Headers"]
    client = client_of(key=await key_of(alice))
    for path in ("/api/me", "/api/nothing"):
        answer = await client.send("GET", path, origin=ORIGIN)
        assert answer["Access-Control-Allow-Origin"] == ORIGIN
        assert "Access-Control-Allow-Credentials" not in answer
    for path, origin in (("/api/me", "https://other.example.com"), ("/api/me", "null"), ("/", ORIGIN)):
        assert "Access-Control-Allow-Origin" not in await client.send("GET", path, origin=origin)


async def test_no_other_site_may_call_by_default(client_of):
    asks = {"access-control-request-method": "POST"}
    for headers in ({}, asks):
        answer = await client_of().send("OPTIONS", "/api/chat", origin=ORIGIN, **headers)
        assert "Access-Control-Allow-Origin" not in answer
