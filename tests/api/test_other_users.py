"""Alice's rows do not exist for Charlie, at every URL of the site; and no GET changes anything.

The URL patterns are read from the site itself: a new one fails here until this file knows what its parameters are.
"""

import re

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import Group
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.models import Session
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import URLResolver, get_resolver

from accounts.models import ApiKey
from chat import files
from chat.live.routing import websocket_urlpatterns
from chat.models import Assistant, Attachment, Run, ToolServer
from tests.rows import all_rows
from tests.waiting import wait_until

pytestmark = pytest.mark.slow

METHODS = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"]  # DELETE last
# Nothing is there for anybody: SITE_ACCENT and SITE_LOGO are not set.
WITHOUT_ROWS = {"api/<path:rest>", "v1/<path:rest>", "accent-<slug:version>.css", "icon-<slug:version>"}
WITH_KEYS_ALONE = {"v1/models/<slug:slug>"}  # and for everybody who has one: an assistant has no owner
SHARED = {  # for whoever has the link: see test_shares
    "s/<slug:token>/",
    "s/<slug:token>/images/<uuid:attachment_id>",
    "api/shares/<token>/copies",
}


@pytest.fixture
async def url_values(alice, finished_run):
    """Alice's values for the parameters of URLs, by their name, and in the admin by their model."""
    run = await finished_run("a secret of hers")
    waiting = await finished_run("another secret")
    await Run.objects.filter(pk=waiting.pk).aupdate(
        interrupts=[{"id": "1", "toolCallId": "call", "expiresAt": "2100-01-01T00:00:00+00:00"}]
    )
    sent = await files.save(alice, SimpleUploadedFile("b.txt", b"A secret"))
    await Attachment.objects.filter(pk=sent.pk).aupdate(message_id=run.message_id)
    return {
        "conversation_id": run.conversation_id,
        "message_id": run.message_id,
        "run_id": waiting.pk,
        "token": (await run.conversation.share()).pk,
        "file_id": sent.pk,
        "key_id": (await ApiKey.objects.acreate(user=alice, name="A secret")).pk,
        "attachment_id": (await files.save(alice, SimpleUploadedFile("a.txt", b"A secret"))).pk,
        "rest": "nothing",
        "version": "nothing",
        # the admin
        "accounts.apikey": (await ApiKey.objects.acreate(user=alice, name="A secret", digest="1")).pk,
        "auth.group": (await Group.objects.acreate(name="Reviewers")).pk,
        "auth.user": alice.pk,
        "chat.assistant": (await Assistant.objects.aget(slug="words")).pk,
        "chat.conversation": run.conversation_id,
        "chat.toolserver": (await ToolServer.objects.acreate(slug="tools")).pk,
        "chat.run": run.pk,
        "app_label": "chat",
        "content_type_id": (await sync_to_async(ContentType.objects.get_for_model)(alice)).pk,
        "object_id": alice.pk,
        "slug": "words",
        "url": "nothing",
    }


def routes(resolver=None, before=""):
    """Returns every route of the site once, as it is written in the URL configuration."""
    found = {}
    for pattern in (resolver or get_resolver()).url_patterns:
        route = before + str(pattern.pattern)
        found |= routes(pattern, route) if isinstance(pattern, URLResolver) else {route: None}
    return found


def filled(route, url_values):
    """Returns the path of this route with these values for its parameters."""

    def value(parameter):
        model = re.match(r"admin/(\w+)/(\w+)/<(path:object_id|id|int:pk|uuid:pk)>", route)
        name = f"{model[1]}.{model[2]}" if model else parameter["name"]
        if name not in url_values:
            pytest.fail(f"{route!r} is new: add Alice's value for {name!r} to url_values.")
        return str(url_values[name])

    path = re.sub(r"\(\?P<(?P<name>\w+)>[^)]*\)", value, route)
    path = re.sub(r"<(\w+:)?(?P<name>\w+)>", value, path)
    path = "/" + path.replace("^", "").removesuffix("$")
    assert not set("<>()?*") & set(path), f"{route!r} has a pattern that this file cannot read."
    return path


async def existing(client, path):
    """Returns the methods that this path allows; a view that restricts none allows all."""
    answer = await client.send("TRACE", path)
    return answer["Allow"].split(", ") if answer.status_code == 405 else METHODS


def with_parameters(url_values):
    """Returns (route, path) of the routes with parameters, which may name somebody's rows."""
    return [(route, filled(route, url_values)) for route in routes() if "<" in route]


BODY = {
    "text": "Mine",
    "title": "Mine",
    "resume": [{"interruptId": "1", "status": "cancelled"}],
    "rating": "up",
}


def takes_keys(path):
    return path.startswith(("/api/", "/v1/"))


def test_routes_are_read_from_the_site():
    assert {"c/<uuid:conversation_id>/", "api/runs/<uuidstr:run_id>/events", "api/chat"} < routes().keys()
    assert len([route for route in routes() if route.startswith("admin/chat/")]) > 10


async def test_other_user_gets_404_on_every_route_with_a_key(client_of, charlie, key_of, url_values):
    client = client_of(key=await key_of(charlie))
    await client.get("/api/me")
    await wait_until(ApiKey.objects.exclude(last_used_at=None).aexists)
    before = await all_rows()
    for route, path in with_parameters(url_values):
        if route in SHARED | WITH_KEYS_ALONE or not takes_keys(path):
            continue
        methods = await existing(client, path)
        for method in METHODS:
            answer = await client.send(method, path, BODY)
            assert answer.status_code == (404 if method in methods else 405), (method, path)
            assert not answer.streaming
            assert b"secret" not in answer.content, (method, path)
    assert await all_rows() == before


async def test_owner_reaches_every_route_with_a_key(client_of, alice, key_of, url_values):
    """Otherwise, the test above would prove nothing."""
    client = client_of(key=await key_of(alice))
    routes = [(route, path) for route, path in with_parameters(url_values) if takes_keys(path)]
    for method in METHODS:
        for route, path in reversed(routes):
            if route not in WITHOUT_ROWS | SHARED and method in await existing(client, path):
                answer = await client.send(method, path, BODY | {"title": "Still mine"})
                assert answer.status_code < 300 or answer.status_code in (400, 409), (method, path)


async def test_pages_take_no_key(client_of, alice, key_of, url_values):
    """A page has links and scripts that send no key, and the admin is for people."""
    client = client_of(key=await key_of(alice))
    for route, path in with_parameters(url_values):
        if route not in WITHOUT_ROWS and not takes_keys(path) and "GET" in await existing(client, path):
            answer = await client.send("GET", path)
            assert answer.status_code in (302, 401), path
            assert b"secret" not in answer.content, path


async def test_other_user_gets_404_on_every_route(client_of, charlie, url_values):
    client = client_of(charlie)
    await client.get("/health")
    before = await all_rows()
    for route, path in with_parameters(url_values):
        if route in SHARED | WITH_KEYS_ALONE:
            continue
        methods = await existing(client, path)
        for method in METHODS:
            answer = await client.send(method, path, BODY)
            if method not in methods:
                assert answer.status_code == 405, (method, path)
            elif path.startswith("/admin/"):
                assert answer.status_code in (403, 404) or answer["Location"].startswith("/admin/login/"), (
                    method,
                    path,
                )
            else:
                assert answer.status_code == 404, (method, path)
            assert not answer.streaming
            assert b"secret" not in answer.content, (method, path)
    assert await all_rows() == before


async def test_anonymous_gets_401_or_the_login_on_every_route(client_of, url_values):
    client, before = client_of(), await all_rows()
    for route, path in with_parameters(url_values):
        methods = await existing(client, path)
        for method in METHODS:
            answer = await client.send(method, path, BODY)
            if method not in methods:
                assert answer.status_code == 405, (method, path)
            elif route in WITHOUT_ROWS:
                assert answer.status_code == 404, (method, path)
            elif takes_keys(path) or "/images/" in path:
                assert answer.status_code == 401, (method, path)
            elif route.startswith("admin/") and answer.status_code == 403:
                assert method == "POST", path  # a button's address, where there is nothing to come back to
            else:
                login = "/admin/login/" if path.startswith("/admin/") else "/accounts/login/"
                assert answer.get("Location", "").startswith(login), (method, path, answer.status_code)
            assert not answer.streaming
            assert b"secret" not in answer.content, (method, path)
    assert await all_rows() == before


async def test_owner_reaches_every_route(client_of, alice, url_values):
    """Otherwise, the tests above would prove nothing."""
    client = client_of(alice)
    routes = [(route, path) for route, path in with_parameters(url_values) if not route.startswith(("admin/", "v1/"))]
    for method in METHODS:
        for route, path in reversed(routes):  # the rows of a conversation before the conversation
            if route not in WITHOUT_ROWS | SHARED and method in await existing(client, path):
                answer = await client.send(method, path, BODY | {"title": "Still mine"})
                # What is not possible with this message (it cannot be withdrawn, …) is refused, but not as “not found”.
                assert (
                    answer.status_code < 300
                    or answer.get("Location") == "/accounts/keys/"
                    or answer.status_code in (400, 409)
                ), (method, path)
                if answer.streaming:
                    assert b"secret" in b"".join([chunk async for chunk in answer.streaming_content])


async def test_other_user_cannot_use_alices_ids_in_their_own_conversation(client_of, charlie, url_values):
    client = client_of(charlie)
    own_id = (await client.send("POST", "/api/conversations", {})).json()["id"]
    before = await all_rows()
    answer = await client.send(
        "POST", "/api/chat", {"text": "Hi", "conversation_id": str(url_values["conversation_id"])}
    )
    assert answer.status_code == 404
    body = {"text": "Hi", "parent_id": str(url_values["message_id"])}
    assert (await client.send("POST", f"/api/conversations/{own_id}/messages", body)).status_code == 400
    assert (await client.get("/api/conversations", {"q": "secret"})).json()["items"] == []
    assert [item["id"] for item in (await client.get("/api/conversations")).json()["items"]] == [own_id]
    assert await all_rows() == before


async def test_other_user_is_refused_by_every_socket(socket_of, charlie, url_values):
    # A socket at /ws/news receives only the user's own updates: see test_conversations.
    patterns = [str(pattern.pattern) for pattern in websocket_urlpatterns]
    assert patterns == ["ws/conversations/<uuid:conversation_id>", "ws/news"]
    for user, code in ((charlie, 4404), (None, 4401)):
        async with socket_of(user, url_values["conversation_id"]) as socket:
            assert await socket.close_code() == code
            assert await socket.receive_nothing()


@pytest.mark.parametrize("name", ["alice", "bob", "nobody"])
async def test_get_changes_no_rows(client_of, alice, bob, url_values, name):
    """Bob may read and change everything, so his requests reach the most code."""
    client = client_of({"alice": alice, "bob": bob}.get(name))
    await client.get("/health")
    before, sessions = await all_rows(), {row.pk: row.session_data async for row in Session.objects.all()}
    for route in routes():
        for method in ("GET", "HEAD", "OPTIONS"):
            answer = await client.send(method, filled(route, url_values))
            assert answer.status_code < 500, (method, route)
            if answer.streaming:
                [chunk async for chunk in answer.streaming_content]
    assert await all_rows() == before
    assert {row.pk: row.session_data async for row in Session.objects.all()} == sessions
