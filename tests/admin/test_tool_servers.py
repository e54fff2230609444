"""Superusers say in the admin which MCP servers there are; assistants are given them there."""

import json
import re
import sys
from html import unescape

import pytest
from django.contrib.admin.models import LogEntry

from chat.models import Assistant, ToolServer
from scripts.environment import ROOT
from tests.admin.pages import ASSISTANTS, DEMO, change_url, get_page

pytestmark = pytest.mark.slow

SERVERS = "/admin/chat/toolserver/"
STDIO = {
    "slug": "files",
    "transport": "stdio",
    "command": '["uvx", "files", "--root", "/srv/終わり"]',
    "env": '{"TOKEN": "hush-hush"}',
    "is_enabled": "on",
}
HTTP = {
    "slug": "maps",
    "transport": "http",
    "url": "http://maps:8000/mcp",
    "headers": '{"Authorization": "Bearer hush-hush"}',
    "is_enabled": "on",
}
PROGRAM = [sys.executable, str(ROOT / "tests/tools/mcp_server.py")]


async def rows():
    return [row async for row in ToolServer.objects.values()]


async def test_superuser_creates_and_edits_a_server(client_of, bob):
    client = client_of(bob)
    assert (await client.post(f"{SERVERS}add/", STDIO)).status_code == 302
    assert (await client.post(f"{SERVERS}add/", HTTP)).status_code == 302
    files, maps = [row async for row in ToolServer.objects.all()]
    assert (files.transport, files.command) == ("stdio", ["uvx", "files", "--root", "/srv/終わり"])
    assert (files.env, files.url, files.headers, files.is_enabled) == ({"TOKEN": "hush-hush"}, "", {}, True)
    assert (maps.transport, maps.url) == ("http", "http://maps:8000/mcp")
    assert (maps.headers, maps.command, maps.env) == ({"Authorization": "Bearer hush-hush"}, [], {})

    assert "/srv/終わり" in await get_page(client, change_url(files))
    assert (await client.post(change_url(maps), HTTP | {"is_enabled": ""})).status_code == 302
    await maps.arefresh_from_db()
    assert not maps.is_enabled
    assert (await client.post(f"{SERVERS}{files.pk}/delete/", {"post": "yes"})).status_code == 302
    assert [row["slug"] for row in await rows()] == ["maps"]


@pytest.mark.parametrize(
    "fields, sentence",
    [
        (STDIO | {"command": ""}, "A stdio server needs a command."),
        (STDIO | {"command": "[]"}, "A stdio server needs a command."),
        (STDIO | {"command": '[""]'}, "A stdio server needs a command."),
        (STDIO | {"command": '"uvx files"'}, "The command must be a JSON list of strings"),
        (STDIO | {"command": '["uvx", 1]'}, "The command must be a JSON list of strings"),
        (STDIO | {"command": "0"}, "The command must be a JSON list of strings"),
        (STDIO | {"command": "uvx files"}, "Enter a valid JSON."),
        (STDIO | {"command": '["\\u0000"]'}, "Enter a valid JSON."),
        (STDIO | {"env": '["TOKEN"]'}, "Environment variables must be a JSON object of names and string values."),
        (STDIO | {"env": "0"}, "Environment variables must be a JSON object of names and string values."),
        (STDIO | {"env": '{"TOKEN": 1}'}, "Environment variables must be a JSON object of names and string values."),
        (STDIO | {"env": '{"TO=KEN": ""}'}, "Environment variables must be a JSON object of names and string values."),
        (HTTP | {"headers": "[]"}, "Headers must be a JSON object of names and string values."),
        (HTTP | {"headers": '{"A": null}'}, "Headers must be a JSON object of names and string values."),
        (HTTP | {"headers": '{"A B": ""}'}, "Headers must be a JSON object of names and string values."),
        (HTTP | {"headers": '{"A": "b\\r\\nC: d"}'}, "Headers must be a JSON object of names and string values."),
        (HTTP | {"headers": '{"A": "é"}'}, "Headers must be a JSON object of names and string values."),
        (HTTP | {"url": ""}, "An HTTP server needs a URL."),
        (HTTP | {"url": "maps:8000/mcp"}, "The URL must start with http:// or https://"),
        (HTTP | {"url": "file:///etc/passwd"}, "The URL must start with http:// or https://"),
        (HTTP | {"url": "http://"}, "The URL must start with http:// or https://"),
        (HTTP | {"url": "http://a b/"}, "The URL must start with http:// or https://"),
        (HTTP | {"url": "http://[::1/"}, "The URL must start with http:// or https://"),
        (HTTP | {"url": "http://a:99999/"}, "The URL must start with http:// or https://"),
        (HTTP | {"url": "http://a/" + "x" * 200}, "at most 200 characters"),
        (HTTP | {"slug": "a b"}, "Enter a valid “slug”"),
        (HTTP | {"slug": "x" * 31}, "at most 30 characters"),
        (HTTP | {"transport": "telnet"}, "is not one of the available choices"),
    ],
)
async def test_form_reports_bad_fields_and_keeps_them(client_of, bob, fields, sentence):
    response = await client_of(bob).post(f"{SERVERS}add/", fields)
    assert response.status_code == 200
    html = unescape(response.content.decode())
    assert sentence in html
    for field in ("command", "env", "url", "headers", "slug"):
        assert fields.get(field, "") in html
    assert not await rows()


async def test_staff_see_servers_without_their_details(client_of, bob, staff_with):
    server = await ToolServer.objects.acreate(
        slug="files", transport="stdio", command=["secret-program"], env={"TOKEN": "hush-hush"}, is_enabled=True
    )
    dora = client_of(await staff_with(*(f"{verb}_toolserver" for verb in ("view", "add", "change", "delete"))))
    before = await rows()
    for path in (SERVERS, change_url(server)):
        html = await get_page(dora, path)
        assert "files" in html
        assert "secret-program" not in html
        assert "hush" not in html
    for path in (f"{SERVERS}add/", change_url(server), f"{SERVERS}{server.pk}/delete/"):
        assert (await dora.post(path, STDIO | {"post": "yes"})).status_code == 403
    assert (await dora.get(f"{SERVERS}add/")).status_code == 403
    assert await rows() == before


async def test_staff_without_the_permission_see_nothing(client_of, staff_with, charlie):
    server = await ToolServer.objects.acreate(slug="files", transport="stdio", command=["true"])
    dora = client_of(await staff_with("view_assistant"))
    for path in (SERVERS, change_url(server)):
        assert (await dora.get(path)).status_code == 403
        assert (await client_of(charlie).get(path)).status_code == 302
        assert (await client_of().get(path)).status_code == 302
    assert (await dora.post(f"{SERVERS}{server.pk}/tools/")).status_code == 403
    assert (await client_of(charlie).post(f"{SERVERS}{server.pk}/tools/")).status_code == 302
    assert (await client_of().post(f"{SERVERS}{server.pk}/tools/")).status_code == 302


async def test_secrets_are_in_no_list_and_no_log(client_of, bob, caplog):
    client = client_of(bob)
    for fields in (STDIO, HTTP, HTTP | {"slug": "again"}):
        assert (await client.post(f"{SERVERS}add/", fields)).status_code == 302
    maps = await ToolServer.objects.aget(slug="maps")
    await client.post(change_url(maps), HTTP | {"headers": '{"Authorization": "hush-hush too"}'})
    assert "hush" not in await get_page(client, SERVERS)
    assert "hush" not in await get_page(client, f"{SERVERS}{maps.pk}/history/")
    assert not [entry async for entry in LogEntry.objects.all() if "hush" in entry.change_message + entry.object_repr]
    assert "hush" not in caplog.text


async def test_pages_work_without_inline_scripts_and_styles(client_of, bob):
    server = await ToolServer.objects.acreate(slug="test", transport="stdio", command=PROGRAM)
    client = client_of(bob)
    pages = [await get_page(client, path) for path in (SERVERS, f"{SERVERS}add/", change_url(server))]
    pages.append((await client.post(f"{SERVERS}{server.pk}/tools/")).content.decode())
    for html in pages:
        assert not re.search(r"<script(?![^>]*\ssrc=)|<style|<[^>]+\s(style|on\w+)=", html)


# What it offers -------------------------------------------------------------------------------------------------------


async def test_list_tools_shows_the_tools(client_of, staff_with):
    server = await ToolServer.objects.acreate(slug="test", transport="stdio", command=PROGRAM, is_enabled=False)
    client = client_of(await staff_with("view_toolserver"))
    form = re.search(r'<form method="post" action="([^"]+)">', await get_page(client, change_url(server)))
    response = await client.post(form[1])
    assert response.status_code == 200
    html = response.content.decode()
    for text in ("<code>test_add</code>", "Add two whole numbers.", "<code>a</code>, <code>b</code>", "mcp:test"):
        assert text in html
    [wipe] = re.findall(r"<code>test_wipe_everything_.*?</tr>", html, re.S)
    assert "<td>yes</td>" in wipe


async def test_list_tools_shows_the_error(client_of, bob):
    server = await ToolServer.objects.acreate(slug="test", transport="stdio", command=["no-such-<b>"])
    response = await client_of(bob).post(f"{SERVERS}{server.pk}/tools/")
    assert response.status_code == 200
    assert "“test” cannot be used: its command could not be started: No such file" in response.content.decode()


async def test_list_tools_needs_a_post(client_of, bob):
    server = await ToolServer.objects.acreate(slug="test", transport="stdio", command=["true"])
    assert (await client_of(bob).get(f"{SERVERS}{server.pk}/tools/")).status_code == 405
    assert (await client_of(bob).post(f"{SERVERS}{server.pk + 1}/tools/")).status_code == 404


# Assistants that use it -----------------------------------------------------------------------------------------------


async def test_assistant_takes_a_server_and_asks_before_its_tools(client_of, bob):
    await ToolServer.objects.acreate(slug="files", transport="stdio", command=["true"])
    await ToolServer.objects.acreate(slug="2go", transport="stdio", command=["true"])
    client = client_of(bob)
    html = await get_page(client, f"{ASSISTANTS}add/")
    assert "calculator, clock, search_conversations, mcp:2go, mcp:files." in html
    names = {
        "tools": ["clock", "mcp:files", "mcp:2go"],
        "ask_first": ["clock", "files_delete", "mcp:2go", "_2go_eat"],
    }
    fields = DEMO | {field: json.dumps(value) for field, value in names.items()}
    assert (await client.post(f"{ASSISTANTS}add/", fields)).status_code == 302
    assistant = await Assistant.objects.aget(slug="demo-two")
    assert {"tools": assistant.tools, "ask_first": assistant.ask_first} == names


@pytest.mark.parametrize(
    "field, names, sentence",
    [
        ("tools", ["mcp:nowhere"], "There is no tool server called “nowhere”."),
        ("tools", ["mcp:"], "There is no tool server called “”."),
        ("tools", ["mcp:off"], "The tool server “off” is not enabled."),
        ("tools", ["files_delete"], "There is no tool called “files_delete”."),
        ("tools", ["files"], "There is no tool called “files”."),
        ("ask_first", ["mcp:nowhere"], "There is no tool server called “nowhere”."),
        ("ask_first", ["mcp:off"], "The tool server “off” is not enabled."),
        ("ask_first", ["maps_find"], "There is no tool called “maps_find”."),
        ("ask_first", ["calculater"], "There is no tool called “calculater”."),
        ("ask_first", [1], "Tools must be a JSON list of names."),
        ("ask_first", {}, "Tools must be a JSON list of names."),
    ],
)
async def test_assistant_refuses_unknown_tools(client_of, bob, field, names, sentence):
    await ToolServer.objects.acreate(slug="files", transport="stdio", command=["true"])
    await ToolServer.objects.acreate(slug="off", transport="stdio", command=["true"], is_enabled=False)
    typed = json.dumps(names)
    response = await client_of(bob).post(f"{ASSISTANTS}add/", DEMO | {field: typed})
    assert response.status_code == 200
    html = unescape(response.content.decode())
    assert sentence in html
    assert typed in html
    assert not await Assistant.objects.filter(slug="demo-two").aexists()
