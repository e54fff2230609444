"""Superusers say in the admin which MCP servers there are; assistants are given them there."""

import json
import re
import sys
from html import unescape
from pathlib import Path

import pytest
from django.contrib.admin.models import LogEntry

from chat.models import Assistant, ToolServer

from .test_admin import ASSISTANTS, DEMO, files_without_a_manifest, page, page_of, staff_with  # noqa: F401  fixtures

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
PROGRAM = [sys.executable, str(Path(__file__).parent / "mcp_server.py")]


async def rows():
    return [row async for row in ToolServer.objects.values()]


async def test_superusers_make_and_edit_servers(client_of, bob):
    client = client_of(bob)
    assert (await client.post(f"{SERVERS}add/", STDIO)).status_code == 302
    assert (await client.post(f"{SERVERS}add/", HTTP)).status_code == 302
    files, maps = [row async for row in ToolServer.objects.all()]
    assert (files.transport, files.command) == ("stdio", ["uvx", "files", "--root", "/srv/終わり"])
    assert (files.env, files.url, files.headers, files.is_enabled) == ({"TOKEN": "hush-hush"}, "", {}, True)
    assert (maps.transport, maps.url) == ("http", "http://maps:8000/mcp")
    assert (maps.headers, maps.command, maps.env) == ({"Authorization": "Bearer hush-hush"}, [], {})

    assert "/srv/終わり" in await page(client, page_of(files))
    assert (await client.post(page_of(maps), HTTP | {"is_enabled": ""})).status_code == 302
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
        (STDIO | {"command": '"uvx files"'}, "A command is a JSON list of texts"),
        (STDIO | {"command": '["uvx", 1]'}, "A command is a JSON list of texts"),
        (STDIO | {"command": "0"}, "A command is a JSON list of texts"),
        (STDIO | {"command": "uvx files"}, "Enter a valid JSON."),
        (STDIO | {"command": '["\\u0000"]'}, "Enter a valid JSON."),
        (STDIO | {"env": '["TOKEN"]'}, "Variables are a JSON object of names and texts."),
        (STDIO | {"env": "0"}, "Variables are a JSON object of names and texts."),
        (STDIO | {"env": '{"TOKEN": 1}'}, "Variables are a JSON object of names and texts."),
        (STDIO | {"env": '{"TO=KEN": ""}'}, "Variables are a JSON object of names and texts."),
        (HTTP | {"headers": "[]"}, "Headers are a JSON object of names and texts."),
        (HTTP | {"headers": '{"A": null}'}, "Headers are a JSON object of names and texts."),
        (HTTP | {"headers": '{"A B": ""}'}, "Headers are a JSON object of names and texts."),
        (HTTP | {"headers": '{"A": "b\\r\\nC: d"}'}, "Headers are a JSON object of names and texts."),
        (HTTP | {"headers": '{"A": "é"}'}, "Headers are a JSON object of names and texts."),
        (HTTP | {"url": ""}, "A server over HTTP needs an address."),
        (HTTP | {"url": "maps:8000/mcp"}, "An address begins with http:// or https://"),
        (HTTP | {"url": "file:///etc/passwd"}, "An address begins with http:// or https://"),
        (HTTP | {"url": "http://"}, "An address begins with http:// or https://"),
        (HTTP | {"url": "http://a b/"}, "An address begins with http:// or https://"),
        (HTTP | {"url": "http://[::1/"}, "An address begins with http:// or https://"),
        (HTTP | {"url": "http://a:99999/"}, "An address begins with http:// or https://"),
        (HTTP | {"url": "http://a/" + "x" * 200}, "at most 200 characters"),
        (HTTP | {"slug": "a b"}, "Enter a valid “slug”"),
        (HTTP | {"slug": "x" * 31}, "at most 30 characters"),
        (HTTP | {"transport": "telnet"}, "is not one of the available choices"),
    ],
)
async def test_what_makes_no_sense_is_a_sentence_and_stays_to_be_mended(client_of, bob, fields, sentence):
    response = await client_of(bob).post(f"{SERVERS}add/", fields)
    assert response.status_code == 200
    html = unescape(response.content.decode())
    assert sentence in html
    for field in ("command", "env", "url", "headers", "slug"):
        assert fields.get(field, "") in html
    assert not await rows()


async def test_other_staff_see_which_servers_there_are_and_not_how(client_of, bob, staff_with):  # noqa: F811
    server = await ToolServer.objects.acreate(
        slug="files", transport="stdio", command=["secret-program"], env={"TOKEN": "hush-hush"}, is_enabled=True
    )
    dora = client_of(await staff_with(*(f"{verb}_toolserver" for verb in ("view", "add", "change", "delete"))))
    before = await rows()
    for path in (SERVERS, page_of(server)):
        html = await page(dora, path)
        assert "files" in html
        assert "secret-program" not in html
        assert "hush" not in html
    for path in (f"{SERVERS}add/", page_of(server), f"{SERVERS}{server.pk}/delete/"):
        assert (await dora.post(path, STDIO | {"post": "yes"})).status_code == 403
    assert (await dora.get(f"{SERVERS}add/")).status_code == 403
    assert await rows() == before


async def test_those_without_the_permission_see_nothing(client_of, staff_with, charlie):  # noqa: F811
    server = await ToolServer.objects.acreate(slug="files", transport="stdio", command=["true"])
    dora = client_of(await staff_with("view_assistant"))
    for path in (SERVERS, page_of(server)):
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
    await client.post(page_of(maps), HTTP | {"headers": '{"Authorization": "hush-hush too"}'})
    assert "hush" not in await page(client, SERVERS)
    assert "hush" not in await page(client, f"{SERVERS}{maps.pk}/history/")
    assert not [entry async for entry in LogEntry.objects.all() if "hush" in entry.change_message + entry.object_repr]
    assert "hush" not in caplog.text


async def test_pages_work_without_inline_scripts_and_styles(client_of, bob):
    server = await ToolServer.objects.acreate(slug="test", transport="stdio", command=PROGRAM)
    client = client_of(bob)
    pages = [await page(client, path) for path in (SERVERS, f"{SERVERS}add/", page_of(server))]
    pages.append((await client.post(f"{SERVERS}{server.pk}/tools/")).content.decode())
    for html in pages:
        assert not re.search(r"<script(?![^>]*\ssrc=)|<style|<[^>]+\s(style|on\w+)=", html)


# What it offers -------------------------------------------------------------------------------------------------------


async def test_a_server_tells_its_tools_when_asked(client_of, staff_with):  # noqa: F811
    server = await ToolServer.objects.acreate(slug="test", transport="stdio", command=PROGRAM, is_enabled=False)
    client = client_of(await staff_with("view_toolserver"))
    form = re.search(r'<form method="post" action="([^"]+)">', await page(client, page_of(server)))
    response = await client.post(form[1])
    assert response.status_code == 200
    html = response.content.decode()
    for told in ("<code>test_add</code>", "Add two whole numbers.", "<code>a</code>, <code>b</code>", "mcp:test"):
        assert told in html
    [wipe] = re.findall(r"<code>test_wipe_everything_.*?</tr>", html, re.S)
    assert "<td>yes</td>" in wipe


async def test_a_server_that_cannot_be_asked_is_a_sentence(client_of, bob):
    server = await ToolServer.objects.acreate(slug="test", transport="stdio", command=["no-such-<b>"])
    response = await client_of(bob).post(f"{SERVERS}{server.pk}/tools/")
    assert response.status_code == 200
    assert "“test” cannot be used: its command cannot be started: No such file" in response.content.decode()


async def test_a_server_is_asked_by_post_alone(client_of, bob):
    server = await ToolServer.objects.acreate(slug="test", transport="stdio", command=["true"])
    assert (await client_of(bob).get(f"{SERVERS}{server.pk}/tools/")).status_code == 405
    assert (await client_of(bob).post(f"{SERVERS}{server.pk + 1}/tools/")).status_code == 404


# Assistants that use it -----------------------------------------------------------------------------------------------


async def test_an_assistant_is_given_a_server_and_asks_before_its_tools(client_of, bob):
    await ToolServer.objects.acreate(slug="files", transport="stdio", command=["true"])
    await ToolServer.objects.acreate(slug="2go", transport="stdio", command=["true"])
    client = client_of(bob)
    html = await page(client, f"{ASSISTANTS}add/")
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
        ("ask_first", [1], "Tools are a JSON list of names."),
        ("ask_first", {}, "Tools are a JSON list of names."),
    ],
)
async def test_an_assistant_refuses_tools_that_are_not_there(client_of, bob, field, names, sentence):
    await ToolServer.objects.acreate(slug="files", transport="stdio", command=["true"])
    await ToolServer.objects.acreate(slug="off", transport="stdio", command=["true"], is_enabled=False)
    typed = json.dumps(names)
    response = await client_of(bob).post(f"{ASSISTANTS}add/", DEMO | {field: typed})
    assert response.status_code == 200
    html = unescape(response.content.decode())
    assert sentence in html
    assert typed in html
    assert not await Assistant.objects.filter(slug="demo-two").aexists()
