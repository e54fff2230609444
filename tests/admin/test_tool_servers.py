"""Superusers say in the admin which MCP servers there are; assistants are given them there."""

import re
import sys
from html import unescape

import pytest
from django.contrib.admin.models import LogEntry

from chat.admin.rows_fields import as_rows
from chat.admin.tools_field import keep_tools
from chat.models import Assistant, ToolServer
from chat.tools import Tool
from scripts.environment import ROOT
from tests.admin.pages import ASSISTANTS, DEMO, change_url, get_page, posted_tools

pytestmark = pytest.mark.slow

SERVERS = "/admin/chat/toolserver/"
STDIO = {
    "slug": "files",
    "transport": "stdio",
    "command_value": ["uvx", "files", "--root", "/srv/終わり", "", ""],
    "env_name": ["TOKEN", ""],
    "env_value": ["hush-hush", ""],
    "is_enabled": "on",
}
HTTP = {
    "slug": "maps",
    "transport": "http",
    "url": "http://maps:8000/mcp",
    "headers_name": ["Authorization", ""],
    "headers_value": ["Bearer hush-hush", ""],
    "is_enabled": "on",
}
PROGRAM = [sys.executable, str(ROOT / "tests/tools/mcp_server.py")]


async def rows():
    return [row async for row in ToolServer.objects.values()]


async def test_slug_of_another_server_is_refused_at_its_field(client_of, bob):
    assert (await client_of(bob).post(f"{SERVERS}add/", STDIO)).status_code == 302
    response = await client_of(bob).post(f"{SERVERS}add/", HTTP | {"slug": "files"})
    assert response.status_code == 200
    assert list(response.context["adminform"].form.errors) == ["slug"]
    assert [row["transport"] for row in await rows()] == ["stdio"]


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
        (STDIO | {"command_value": []}, "A stdio server needs a command."),
        (STDIO | {"command_value": ["", ""]}, "A stdio server needs a command."),
        (STDIO | {"command_value": ["", "files"]}, "A stdio server needs a command."),
        (STDIO | {"command_value": ["a\0b"]}, "Null characters are not allowed."),
        (STDIO | {"env_name": ["TO=KEN"], "env_value": ["x"]}, "“TO=KEN” is not a valid name."),
        (STDIO | {"env_name": [""], "env_value": ["x"]}, "“” is not a valid name."),
        (STDIO | {"env_name": ["A", "A"], "env_value": ["1", "2"]}, "“A” is listed twice."),
        (HTTP | {"headers_name": ["A B"], "headers_value": [""]}, "“A B” is not a valid name."),
        (HTTP | {"headers_name": ["A"], "headers_value": ["b\nC: d"]}, "The value of “A” contains characters"),
        (HTTP | {"headers_name": ["A"], "headers_value": ["é"]}, "The value of “A” contains characters"),
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
    typed = [text for value in fields.values() for text in ([value] if isinstance(value, str) else value)]
    assert [text for text in typed if text.replace("\0", "") not in html.replace("\0", "")] == []
    assert not await rows()


async def test_saving_a_form_unchanged_changes_nothing(client_of, bob):
    """Also where a value has several lines, or a word of the command is empty."""
    values = {"command": ["sh", "-c", "\necho a\necho b", "", "x"], "env": {"KEY": "line\nline", "EMPTY": ""}}
    server = await ToolServer.objects.acreate(slug="files", transport="stdio", headers={"A": "b  c"}, **values)
    before = await rows()
    client = client_of(bob)
    form = (await client.get(change_url(server))).context["adminform"].form
    posted = {"slug": "files", "transport": "stdio", "url": "", "is_enabled": "on"}
    for name in ("command", "env", "headers"):
        shown = as_rows(form[name].value()) + [("", "")] * 3
        posted |= {f"{name}_name": [key for key, _ in shown], f"{name}_value": [text for _, text in shown]}
    posted["command_value"] = [text.replace("\n", "\r\n") for text in posted["command_value"]]  # as browsers send it
    assert (await client.post(change_url(server), posted)).status_code == 302
    assert await rows() == before
    assert "<textarea" in (html := await get_page(client, change_url(server)))
    assert ">\n\necho a" in html  # HTML drops the first line break of a textarea


async def test_stored_value_that_the_form_refuses_can_be_corrected(client_of, bob):
    stored = {"env": {"TO=KEN": "x"}, "headers": {"A": "é"}}
    server = await ToolServer.objects.acreate(slug="maps", transport="http", url=HTTP["url"], **stored)
    corrected = HTTP | {"env_name": [""], "env_value": [""]}
    assert (await client_of(bob).post(change_url(server), corrected)).status_code == 302
    await server.arefresh_from_db()
    assert (server.env, server.headers) == ({}, {"Authorization": "Bearer hush-hush"})


async def test_form_says_which_empty_rows_are_ignored(client_of, bob):
    html = await get_page(client_of(bob), f"{SERVERS}add/")
    assert html.count("Empty rows are ignored.") == 2  # variables and headers
    assert html.count("An empty row between others is an empty argument.") == 1


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
    await client.post(change_url(maps), HTTP | {"headers_value": ["hush-hush too", ""]})
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
    for text in (
        "<code>test_add</code>",
        "Add two whole numbers.",
        "<code>a</code>, <code>b</code>",
        "mcp:test",
        "css/admin.css",
    ):
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
    for name in ("calculator", "clock", "search_conversations", "mcp:2go", "mcp:files"):
        assert f'name="tool_choice_use" value="{name}"' in html
    names = {
        "tools": ["clock", "mcp:files", "mcp:2go"],
        "ask_first": ["clock", "files_delete", "mcp:2go", "_2go_eat"],
    }
    fields = DEMO | {"tool_choice_use": names["tools"], "tool_choice_ask": names["ask_first"]}
    fields |= {"tool_choice_each": ["clock", "mcp:files"]}
    assert (await client.post(f"{ASSISTANTS}add/", fields)).status_code == 302
    assistant = await Assistant.objects.aget(slug="demo-two")
    assert assistant.tools == names["tools"]
    assert assistant.ask_first == names["ask_first"]
    assert assistant.ask_every_time == ["clock", "mcp:files"]


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
        ("ask_every_time", ["calculater"], "There is no tool called “calculater”."),
    ],
)
async def test_assistant_refuses_unknown_tools(client_of, bob, field, names, sentence):
    await ToolServer.objects.acreate(slug="files", transport="stdio", command=["true"])
    await ToolServer.objects.acreate(slug="off", transport="stdio", command=["true"], is_enabled=False)
    name = {"tools": "tool_choice_use", "ask_first": "tool_choice_ask", "ask_every_time": "tool_choice_each"}[field]
    response = await client_of(bob).post(f"{ASSISTANTS}add/", DEMO | {name: names})
    assert response.status_code == 200
    html = unescape(response.content.decode())
    assert sentence in html
    assert names[0] in html
    assert not await Assistant.objects.filter(slug="demo-two").aexists()


async def test_assistant_lists_the_tools_of_a_server_and_takes_some(client_of, bob):
    await ToolServer.objects.acreate(slug="test", transport="stdio", command=PROGRAM)
    client = client_of(bob)
    add = f"{ASSISTANTS}add/"
    html = await get_page(client, add)
    button = re.search(r'formaction="([^"]+)" name="list_tools" value="test"', html)
    typed = DEMO | {"system_prompt": "Typed <before>", "tool_choice_use": ["clock"], "list_tools": "test"}
    response = await client.post(button[1], typed)
    html = unescape(response.content.decode())
    assert "Typed <before>" in html
    assert 'value="clock" checked' in html
    assert 'name="tool_choice_use" value="mcp:test/add"' in html
    assert 'name="tool_choice_ask" value="mcp:test/add"' in html
    assert "Add two whole numbers." in html
    assert "mcp:test/wipe.everything" in html
    assert not await Assistant.objects.filter(slug="demo-two").aexists()

    names = {"tool_choice_use": ["mcp:test/add"], "tool_choice_ask": ["mcp:test/add"]}
    assert (await client.post(add, DEMO | names)).status_code == 302
    assistant = await Assistant.objects.aget(slug="demo-two")
    assert (assistant.tools, assistant.ask_first) == (["mcp:test/add"], ["mcp:test/add"])


@pytest.mark.parametrize(
    "change, note",
    [
        ({"is_enabled": False}, "not available at the moment"),
        ({"listed_tools": []}, "not among the listed tools"),
        ({"listed_tools": [{"name": "a, b", "description": "Add.", "asks_first": True}]}, "always"),
    ],
)
async def test_saving_an_assistant_keeps_tools_that_are_not_offered_now(client_of, bob, change, note):
    """And each goes on asking as it does."""
    listed = [{"name": name, "description": "Add.", "asks_first": False} for name in ("a, b", "c", "d")]
    server = await ToolServer.objects.acreate(slug="test", transport="stdio", command=["true"], listed_tools=listed)
    lists = {"tools": ["mcp:test/a, b"], "ask_first": ["mcp:test/a, b", "mcp:test/c"], "ask_every_time": ["mcp:test/d"]}
    lists["ask_first"].append("test_e")
    assistant = await Assistant.objects.acreate(name="Demo", slug="demo-two", model="demo:", **lists)
    client, page = client_of(bob), change_url(assistant)

    async def save():
        bound = (await client.get(page)).context["adminform"].form["tool_choice"]
        response = await client.post(page, DEMO | {"name": "Renamed"} | posted_tools(bound))
        assert response.status_code == 302, response.context["adminform"].form.errors
        await assistant.arefresh_from_db()
        return {key: getattr(assistant, key) for key in lists}

    assert await save() == lists
    await ToolServer.objects.filter(pk=server.pk).aupdate(**change)
    assert note in await get_page(client, page)
    assert {key: sorted(names) for key, names in (await save()).items()} == {key: sorted(lists[key]) for key in lists}


async def test_list_of_tools_shows_those_that_the_server_offers_no_more(client_of, bob):
    """What is ticked stays ticked when “List tools” draws the form again."""
    await ToolServer.objects.acreate(slug="test", transport="stdio", command=PROGRAM)
    ticked = {f"tool_choice_{box}": [f"mcp:test/{box}"] for box in ("use", "ask", "each")}
    response = await client_of(bob).post(f"{ASSISTANTS}tools/", DEMO | ticked | {"list_tools": "test"})
    assert posted_tools(response.context["adminform"].form["tool_choice"]) == ticked


async def test_tool_that_is_not_used_and_not_offered_can_only_be_asked_for(client_of, bob):
    assistant = await Assistant.objects.acreate(
        name="Demo", slug="demo-two", model="demo:", ask_every_time=["mcp:off/x"]
    )
    html = await get_page(client_of(bob), change_url(assistant))
    assert 'name="tool_choice_each" value="mcp:off/x" checked' in html
    assert 'name="tool_choice_use" value="mcp:off/x"' not in html
    posted = DEMO | {"tool_choice_use": ["mcp:off/x"]}
    html = unescape((await client_of(bob).post(change_url(assistant), posted)).content.decode())
    assert "There is no tool server called “off”." in html


@pytest.mark.parametrize("name", ["a\0b", "a\ud800b", "a\nb"])
def test_tools_whose_names_a_form_would_change_are_not_listed(name, transactional_db):
    server = ToolServer.objects.create(slug="test", transport="stdio", command=["true"])
    fields = {"description": "", "schema": {}, "use": None, "server": "test"}
    keep_tools(server, [Tool(name="test_a", server_name=text, **fields) for text in (name, "終わり b")])
    server.refresh_from_db()
    assert [tool["name"] for tool in server.listed_tools] == ["終わり b"]


async def test_assistant_shows_why_a_server_lists_no_tools_and_keeps_what_was_typed(client_of, bob):
    await ToolServer.objects.acreate(slug="test", transport="stdio", command=["no-such-program"])
    typed = DEMO | {"system_prompt": "Typed before", "list_tools": "test"}
    html = unescape((await client_of(bob).post(f"{ASSISTANTS}tools/", typed)).content.decode())
    assert "“test” cannot be used: its command could not be started" in html
    assert "Typed before" in html


async def test_listing_tools_needs_the_rights_to_do_so(client_of, bob, staff_with):
    await ToolServer.objects.acreate(slug="test", transport="stdio", command=PROGRAM)
    typed = DEMO | {"list_tools": "test"}
    editor = client_of(await staff_with("add_assistant", "view_assistant"))
    assert (await editor.post(f"{ASSISTANTS}tools/", typed)).status_code == 403
    assert "list_tools" not in await get_page(editor, f"{ASSISTANTS}add/")
    assert (await client_of(bob).post(f"{ASSISTANTS}tools/", typed | {"list_tools": "other"})).status_code == 404
    assert (await client_of(bob).get(f"{ASSISTANTS}tools/")).status_code == 405
    assert (await ToolServer.objects.aget()).listed_tools == []
