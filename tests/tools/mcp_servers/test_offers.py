"""Which tools of an MCP server are offered, which ask first, and what the server is told."""

import logging

import pytest

from chat import tools
from chat.tools import mcp
from tests.tools.mcp_servers.servers import TOKEN, children
from tests.waiting import hang_timeout, wait_until

pytestmark = pytest.mark.slow


# What is not offered --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fields, why",
    [
        ({"transport": "stdio", "command": ["no-such-program"]}, "its command could not be started"),
        ({"transport": "stdio", "command": ["/etc/passwd"]}, "its command could not be started"),
        ({"transport": "stdio", "command": ["true"]}, "it closed the connection."),
        ({"transport": "stdio", "command": []}, "the connection was lost"),
        ({"transport": "http", "url": "http://127.0.0.1:9/mcp"}, "it cannot be reached"),
        ({"transport": "http", "url": "{}/broken"}, "it answered with status 500"),
        ({"transport": "http", "url": "{}/away"}, "it answered with status 307"),
        ({"transport": "http", "url": "{}/page"}, "the connection was lost, or it does not speak MCP"),
        ({"transport": "http", "url": "{}/garbage"}, "the connection was lost, or it does not speak MCP"),
        ({"transport": "http", "url": "{}/mcp", "headers": {}}, "it answered with status 401"),
        (
            {"transport": "http", "url": "{}/mcp", "headers": {"A": "${NO_SUCH}"}},
            "the environment variable NO_SUCH is",
        ),
        ({"is_enabled": False}, "no enabled server has that slug"),
    ],
)
async def test_unusable_server_is_left_out_and_logged(server, over_http, caplog, fields, why):
    if "url" in fields:
        fields = fields | {"url": fields["url"].format(over_http().removesuffix("/mcp"))}
    await server("http", **fields)
    await server("stdio", slug="two")
    async with hang_timeout(), tools.load(["mcp:one", "clock", "mcp:two", "mcp:three"]) as toolbox:
        assert "clock" in toolbox
        assert await toolbox["two_add"].use({"a": 1}) == "2"
        assert not [name for name in toolbox if name.startswith(("one", "three"))]
    assert f"The tools of “one” are not offered: {why}" in caplog.text
    assert "The tools of “three” are not offered: no enabled server has that slug" in caplog.text
    assert TOKEN not in caplog.text


async def test_silent_server_is_left_out_and_ended(server, caplog, monkeypatch):
    monkeypatch.setattr(mcp, "CONNECT_TIMEOUT", 0.5)
    monkeypatch.setattr("mcp.client.stdio.PROCESS_TERMINATION_TIMEOUT", 0.1)
    await server("stdio", "--deaf")
    async with hang_timeout(), tools.load(["mcp:one"]) as toolbox:
        assert toolbox == {}
    assert "it did not answer within 0.5 seconds" in caplog.text
    await wait_until(lambda: not children())


async def test_server_over_the_connection_limit_is_left_out(server, caplog, monkeypatch):
    monkeypatch.setattr(mcp, "MAX_SESSIONS", 1)
    await server("stdio")
    async with tools.load(["mcp:one"]) as first, tools.load(["mcp:one"]) as second:
        assert "one_add" in first
        assert second == {}
    assert "too many connections" in caplog.text


# What asks first ------------------------------------------------------------------------------------------------------


async def test_server_that_never_ends_its_line_is_left_out(server, caplog, monkeypatch):
    monkeypatch.setattr(mcp, "MAX_BODY_SIZE", 100_000)
    await server("stdio", "--line", "300000")
    async with tools.load(["mcp:one", "clock"]) as toolbox:
        assert set(toolbox) == {"clock"}
    assert "it closed the connection" in caplog.text


async def test_tool_with_a_huge_schema_is_left_out(server, caplog, monkeypatch):
    monkeypatch.setattr(mcp, "MAX_SCHEMA_LENGTH", 100)
    await server("stdio")
    async with tools.load(["mcp:one"]) as toolbox:
        assert "one_whoami" in toolbox
        assert "one_add" not in toolbox
    assert "its schema is too long" in caplog.text


async def test_one_tool_of_a_server_is_offered_alone(server):
    await server("stdio")
    await server("stdio", slug="two")
    names = ["mcp:one/add", "mcp:two/whoami", "mcp:two/gone", "mcp:three/add"]
    async with tools.load(names, ask_first=["mcp:one/add"]) as toolbox:
        assert {name: tool.asks_first for name, tool in toolbox.items()} == {"one_add": True, "two_whoami": False}
    async with tools.load(["mcp:one", "mcp:one/add"]) as toolbox:
        assert len(toolbox) > 2


async def test_tool_asks_first_if_it_may_destroy_or_if_the_assistant_says_so(server):
    await server("stdio")
    async with tools.load(["mcp:one", "clock"], ask_first=["one_add"]) as toolbox:
        asking = {name for name, tool in toolbox.items() if tool.asks_first}
        wipe = next(name for name in toolbox if name.startswith("one_wipe_everything"))
        assert asking == {"one_add", "one_unknown", wipe}
    async with tools.load(["mcp:one", "clock"], ask_first=["mcp:one"]) as toolbox:
        assert {name for name, tool in toolbox.items() if not tool.asks_first} == {"clock"}
    async with tools.load(["mcp:one", "clock"], ask_every_time=["mcp:one"]) as toolbox:
        assert {name for name, tool in toolbox.items() if not tool.asks_every_time} == {"clock"}


async def test_same_tool_of_two_servers_has_two_keys(server):
    await server("stdio", slug="one")
    await server("stdio", slug="two")
    async with tools.load(["mcp:one", "mcp:two"]) as toolbox:
        first, second = toolbox["one_unknown"], toolbox["two_unknown"]
    assert (first.key, second.key) == ("one/unknown", "two/unknown")
    assert first.version != second.version
    async with tools.load(["mcp:one"]) as toolbox:
        assert toolbox["one_unknown"].version == first.version


# Secrets --------------------------------------------------------------------------------------------------------------


async def test_process_gets_its_own_variables_but_not_the_sites(server, monkeypatch):
    ours = {"SECRET_KEY": "s", "DATABASE_URL": "postgres://d", "OPENAI_API_KEY": "k", "DJANGO_SETTINGS_MODULE": "m"}
    for name, value in (ours | {"REGION": "from our environment", "GITHUB_TOKEN": "never-to-be-seen"}).items():
        monkeypatch.setenv(name, value)
    await server(
        "stdio", env={"TEST_A": "own", "TEST_B": "${REGION}", "TEST_C": "$REGION", "TEST_D": "${GITHUB_TOKEN}"}
    )
    async with tools.load(["mcp:one"]) as toolbox:
        names = set((await toolbox["one_environment"].use({})).split("\n"))
    given = {"TEST_A=own", "TEST_B=from our environment", "TEST_C=$REGION", "TEST_D=***"}
    assert given <= names
    assert not names & {*ours, "GITHUB_TOKEN"}
    assert names <= given | {"HOME", "LOGNAME", "PATH", "SHELL", "TERM", "USER", "LC_CTYPE"}


async def test_header_may_name_a_variable(server, monkeypatch, caplog):
    caplog.set_level(logging.INFO)
    monkeypatch.setenv("TEST_TOKEN", TOKEN)
    await server("http", headers={"Authorization": "Bearer ${TEST_TOKEN}"})
    async with tools.load(["mcp:one"]) as toolbox:
        assert await toolbox["one_add"].use({"a": 1}) == "2"
    assert TOKEN not in caplog.text
