"""A user's preferences: in the API, the settings dialog, the page and the export."""

import json
import re

from asgiref.sync import sync_to_async
from django.db import connections
from django.test.utils import CaptureQueriesContext

from accounts.models import Preferences
from accounts.schemas import PreferencesPatch
from chat.events import Finish, Text
from chat.models import Conversation
from scripts.environment import ROOT
from tests import scripted
from tests.assertions import assert_error
from tests.rows import all_rows

DEFAULTS = {
    "instructions": "",
    "language": "",
    "theme": "",
    "send_key": "enter",
    "transport": "sse",
    "notifications": "",
    "shows_steps": True,
}


async def stored_preferences(user):
    return (await Preferences.of(user)).values()


# The API --------------------------------------------------------------------------------------------------------------


async def test_me_returns_and_changes_the_preferences(client_of, alice, charlie):
    client = client_of(alice)
    me = {"username": "alice", "is_staff": False, **DEFAULTS}
    assert (await client.get("/api/me")).json() == me
    changes = {
        "theme": "dark",
        "language": "ja",
        "send_key": "ctrl+enter",
        "transport": "websocket",
        "shows_steps": False,
    }
    assert (await client.send("PATCH", "/api/me", changes)).json() == me | changes
    assert (await client.send("PATCH", "/api/me", {"theme": ""})).json() == me | changes | {"theme": ""}
    assert (await client.get("/api/me")).json() == me | changes | {"theme": ""}
    assert (await client_of(charlie).get("/api/me")).json() == me | {"username": "charlie"}


async def test_me_refuses_invalid_values(client_of, alice, subtests):
    client = client_of(alice)
    await client.get("/health")
    before = await all_rows()
    for body in (
        {"theme": "pink"},
        {"language": "tlh"},
        {"send_key": 5},
        {"transport": "pigeon"},
        {"shows_steps": "yes"},
        {"instructions": "x" * 5001},
        {"instructions": "\0"},
    ):
        with subtests.test(repr(body)[:40]):
            assert_error(await client.send("PATCH", "/api/me", body))
            assert await all_rows() == before


async def test_change_writes_only_the_given_fields(alice):
    stale = await Preferences.change(alice, theme="dark")
    await Preferences.change(alice, instructions="I live in Nara.")
    assert stale.instructions == ""
    await Preferences.change(alice, theme="light")
    assert await stored_preferences(alice) == DEFAULTS | {"theme": "light", "instructions": "I live in Nara."}


async def test_export_contains_all_preferences(client_of, alice):
    await Preferences.change(alice, instructions="I live in Nara.", theme="dark")
    response = await client_of(alice).get("/api/export")
    data = json.loads(b"".join([chunk async for chunk in response.streaming_content]))
    assert data["user"]["preferences"] == DEFAULTS | {"instructions": "I live in Nara.", "theme": "dark"}


# Every preference -----------------------------------------------------------------------------------------------------


def test_api_includes_every_preference():
    names = [field.name for field in Preferences.value_fields()]
    assert names == list(DEFAULTS)
    assert list(PreferencesPatch.model_fields) == names


def test_settings_dialog_has_a_control_for_every_preference():
    html = (ROOT / "templates/chat/dialogs.html").read_text()
    form = re.search(r'<form class="settings".*?</form>', html, re.S)[0]
    controls = re.findall(r'<(?:input|select|textarea)\b[^>]*\bname="(\w+)"', form)
    assert set(controls) == {field.name for field in Preferences.value_fields()}


def test_settings_dialog_offers_every_choice():
    html = (ROOT / "templates/chat/dialogs.html").read_text()
    for name, choices in (("theme", Preferences.Theme), ("send_key", Preferences.SendKey)):
        assert re.findall(rf'type="radio" name="{name}" value="([^"]*)"', html) == choices.values
    assert re.search(r'name="transport" value="(\w+)" data-unchecked="(\w+)"', html).groups() == ("websocket", "sse")


# The page and the models ----------------------------------------------------------------------------------------------


async def queried_tables(client, path):
    """Returns the table of each query that a GET request makes, in order."""
    queries = CaptureQueriesContext(await sync_to_async(lambda: connections["default"])())
    await sync_to_async(queries.__enter__)()
    await client.get(path)
    await sync_to_async(queries.__exit__)(None, None, None)
    return [re.search(r'(?:FROM|INTO|UPDATE) "(\w+)"', query["sql"])[1] for query in queries.captured_queries]


async def test_page_reads_the_preferences_with_one_query(client_of, alice):
    client = client_of(alice)
    await client.get("/")
    login = ["django_session", "auth_user"]
    assert await queried_tables(client, "/") == [*login, "accounts_preferences"]
    row = await Conversation.objects.acreate(owner=alice)
    assert await queried_tables(client, f"/c/{row.pk}/") == [*login, "accounts_preferences", "chat_conversation"]


async def test_other_requests_read_no_preferences(client_of, alice):
    client = client_of(alice)
    await client.get("/")
    row = await Conversation.objects.acreate(owner=alice)
    for path in ("/health", "/worker.js", "/api/assistants", f"/api/conversations/{row.pk}", f"/c/{row.pk}/print/"):
        assert "accounts_preferences" not in await queried_tables(client, path), path
    assert "chat_conversation" in await queried_tables(client, f"/c/{row.pk}/print/")


async def test_personal_instructions_reach_every_assistant(client_of, alice, script):
    await script("plain", Text("Hello"), Finish("stop"), is_default=True, system_prompt="Be kind.")
    client = client_of(alice)
    await client.send("PATCH", "/api/me", {"instructions": "I live in Nara."})
    await client.send("POST", "/api/chat", {"text": "Hi"})
    assert scripted.requests[-1].system_prompt == "Be kind.\n\nI live in Nara."
    await Preferences.objects.all().adelete()
    await client.send("POST", "/api/chat", {"text": "Hi"})
    assert scripted.requests[-1].system_prompt == "Be kind."
