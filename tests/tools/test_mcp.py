"""An assistant uses the tools of MCP servers: real processes of the official package, over both transports."""

import asyncio
import logging
import re
import subprocess
import sys
from contextlib import aclosing
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat import engine, tools
from chat.models import Assistant, ToolServer
from chat.tools import ToolError, execution, mcp
from tests.server_process import free_port, wait_for
from tests.upstream import CALLS, END, Answer, call, tokens
from tests.waiting import wait_for_run, wait_until

pytestmark = pytest.mark.slow

PROGRAM = [sys.executable, str(Path(__file__).parent / "mcp_server.py")]
TOKEN = "open-sesame"
ACCEPTED = re.compile("[a-zA-Z_][a-zA-Z0-9_-]{0,63}")  # as a tool's name, by every vendor


@pytest.fixture(scope="module")
def over_http():
    """`over_http(*options)`: the address of a server that asks for the TOKEN."""
    running = {}

    def start(*options):
        if options not in running:
            port = free_port()
            process = subprocess.Popen([*PROGRAM, "--http", str(port), "--token", TOKEN, *options])
            running[options] = process, f"http://127.0.0.1:{port}/mcp"
            wait_for(running[options][1], process)
        return running[options][1]

    yield start
    for process, _ in running.values():
        process.kill()
        process.wait()


@pytest.fixture
def server(transactional_db, over_http):
    """`await server("stdio", slug="one")`: a row for a server of that kind; other fields as given."""

    async def make(kind, *options, slug="one", **fields):
        if kind == "stdio":
            fields = {"transport": "stdio", "command": [*PROGRAM, *options]} | fields
        else:
            url = over_http(*options, *{"http": (), "json": ("--json",)}[kind])
            fields = {"transport": "http", "url": url, "headers": {"Authorization": f"Bearer {TOKEN}"}} | fields
        return await ToolServer.objects.acreate(slug=slug, **fields)

    return make


@pytest.fixture(autouse=True)
async def nothing_is_left():
    """Whatever a test does, its sessions and the processes that they started are gone in the end."""
    yield
    await wait_until(lambda: not mcp.session_tasks)
    assert not [child for child in psutil.Process().children(recursive=True) if is_stdio(child)]


def is_stdio(process):
    try:
        return any("mcp_server.py" in word for word in process.cmdline()) and "--http" not in process.cmdline()
    except psutil.NoSuchProcess:
        return False


def children():
    return [child for child in psutil.Process().children(recursive=True) if is_stdio(child)]


async def refusal(use):
    with pytest.raises(ToolError) as refused:
        await use
    return str(refused.value)


KINDS = pytest.mark.parametrize("kind", ["stdio", "http", "json"])


# What it gives --------------------------------------------------------------------------------------------------------


@KINDS
async def test_tool_is_offered_and_used(server, kind):
    await server(kind)
    async with tools.load(["clock", "mcp:one"]) as toolbox:
        assert {"clock", "one_add", "one_whoami"} <= toolbox.keys()
        add = toolbox["one_add"]
        assert (add.name, add.description, add.asks_first, add.server) == (
            "one_add",
            "Add two whole numbers.",
            False,
            "one",
        )
        assert add.schema["properties"].keys() == {"a", "b"}
        assert add.schema["required"] == ["a"]
        assert await add.use({"a": 2, "b": 40}) == "42"
        assert await add.use({"a": 2}) == "3"


@KINDS
async def test_concurrent_uses_get_their_own_results(server, kind):
    await server(kind)
    async with tools.load(["mcp:one"]) as toolbox:
        uses = [toolbox["one_add"].use({"a": number, "b": number}) for number in range(20)]
        assert await asyncio.gather(*uses) == [str(2 * number) for number in range(20)]


async def test_content_of_every_kind_becomes_text(server):
    await server("stdio")
    async with tools.load(["mcp:one"]) as toolbox:
        assert await toolbox["one_pieces"].use({}) == (
            "A picture:\n[image: image/png, 10 bytes]\n[audio: audio/wav, 3 bytes]\n"
            "Notes: file:///notes.txt\nBuy bread.\n[file: file:///a.zip]"
        )
        assert await toolbox["one_nothing"].use({}) == ""


async def test_structured_content_is_returned_if_there_is_no_text(server):
    await server("stdio")
    async with tools.load(["mcp:one"]) as toolbox:
        assert await toolbox["one_forecast"].use({}) == '{"celsius": 21.5, "place": "東京"}'


@KINDS
async def test_long_result_is_cut(server, kind):
    await server(kind)
    async with tools.load(["mcp:one"]) as toolbox:
        told = await toolbox["one_long"].use({"characters": 5_000_000})
    assert told == "x" * tools.MAX_RESULT_LENGTH + "\n[Truncated: the full text has 5,000,000 characters.]"


async def test_tool_list_is_read_page_by_page_up_to_a_limit(server, monkeypatch):
    await server("stdio", "--many", "35")
    async with tools.load(["mcp:one"]) as toolbox:
        assert list(toolbox) == [f"one_tool{number}" for number in range(35)]
        assert toolbox["one_tool7"].schema == {"type": "object", "properties": {}}
    monkeypatch.setattr(mcp, "MAX_TOOLS", 12)
    async with tools.load(["mcp:one"]) as toolbox:
        assert len(toolbox) == 12


# What it refuses ------------------------------------------------------------------------------------------------------


@KINDS
async def test_failing_tool_gives_a_sentence(server, kind):
    await server(kind)
    async with tools.load(["mcp:one"]) as toolbox:
        assert (
            await refusal(toolbox["one_fail"].use({"sentence": "No bread."})) == "Error executing tool fail: No bread."
        )
        assert "valid integer" in await refusal(toolbox["one_add"].use({"a": "many"}))
        assert "JSON object" in await refusal(toolbox["one_add"].use([1, 2]))
        assert len(await refusal(toolbox["one_fail"].use({"sentence": "no " * 100_000}))) < tools.MAX_ERROR_LENGTH + 100
        assert await toolbox["one_add"].use({"a": 1}) == "2"


async def test_removed_tool_gives_a_sentence(server):
    row = await server("stdio")
    session = mcp.Session(row)
    await session.open()
    _, listed = session.ready.result()
    listed.append(listed[0].model_copy(update={"name": "sold"}))
    try:
        assert "sold" in await refusal(session.tools()["one_sold"].use({}))
    finally:
        await session.close()


@KINDS
async def test_slow_tool_times_out_and_the_others_continue(server, kind, monkeypatch):
    await server(kind)
    async with tools.load(["mcp:one"]) as toolbox:
        monkeypatch.setattr(execution, "TOOL_TIMEOUT", 0.2)
        assert (
            await refusal(toolbox["one_wait"].use({"seconds": 60}))
            == "The tool “one_wait” took longer than 0.2 seconds."
        )
        monkeypatch.undo()
        assert await toolbox["one_add"].use({"a": 1}) == "2"


@pytest.mark.parametrize("kind", ["stdio", "http"])
async def test_slow_tool_may_go_on_while_it_reports_its_progress(server, kind, monkeypatch):
    await server(kind)
    async with tools.load(["mcp:one"]) as toolbox:
        monkeypatch.setattr(execution, "TOOL_TIMEOUT", 1)
        assert await toolbox["one_work"].use({"reports": 8, "seconds": 0.25}) == "done"
        silent = await refusal(toolbox["one_work"].use({"reports": 1, "seconds": 60}))
        assert silent == "The tool “one_work” took longer than 1 seconds."
        monkeypatch.setattr(execution, "PROGRESS_TIMEOUT", 1.5)
        endless = await refusal(toolbox["one_work"].use({"reports": 10_000, "seconds": 0.05}))
        assert endless == "The tool “one_work” took longer than 1.5 seconds."
        assert await toolbox["one_add"].use({"a": 1}) == "2"


@KINDS
async def test_server_that_dies_during_a_call_gives_a_sentence_at_once(server, kind, caplog):
    options = [] if kind == "stdio" else ["--name", f"mortal {kind}"]  # a server that no other test uses
    await server(kind, *options)
    await server("stdio", slug="two")
    async with asyncio.timeout(20), tools.load(["mcp:one", "mcp:two"]) as toolbox:
        waiting = asyncio.create_task(refusal(toolbox["one_wait"].use({"seconds": 60})))
        assert await refusal(toolbox["one_die"].use({})) == "The connection to the tool server “one” was closed."
        assert await waiting == "The connection to the tool server “one” was closed."
        assert await refusal(toolbox["one_add"].use({"a": 1})) == "The connection to the tool server “one” was closed."
        assert await toolbox["two_add"].use({"a": 1}) == "2"


async def test_oversized_response_gives_a_sentence(server, monkeypatch):
    await server("http")
    monkeypatch.setattr(mcp, "MAX_BODY_SIZE", 100_000)
    async with asyncio.timeout(10), tools.load(["mcp:one"]) as toolbox:
        assert "was closed" in await refusal(toolbox["one_long"].use({"characters": 200_000}))


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
    async with asyncio.timeout(8), tools.load(["mcp:one", "clock", "mcp:two", "mcp:three"]) as toolbox:
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
    async with asyncio.timeout(8), tools.load(["mcp:one"]) as toolbox:
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


# Names ----------------------------------------------------------------------------------------------------------------


async def test_tools_of_the_same_name_on_two_servers_are_kept_apart(server):
    for slug in ("one", "two"):
        await server("stdio", "--name", f"server {slug}", slug=slug)
    async with tools.load(["mcp:one", "mcp:two", "mcp:one"]) as toolbox:
        assert await toolbox["one_whoami"].use({}) == "server one"
        assert await toolbox["two_whoami"].use({}) == "server two"
        assert all(ACCEPTED.fullmatch(name) and tool.name == name for name, tool in toolbox.items())


@given(st.from_regex("[-a-zA-Z0-9_]{1,30}", fullmatch=True), st.text(min_size=1, max_size=80), st.booleans())
def test_tool_name_is_unique_and_accepted_by_vendors(slug, tool, is_taken):
    plain = mcp.tool_name(slug, tool, ())
    assert ACCEPTED.fullmatch(plain)
    assert plain == mcp.tool_name(slug, tool, ())  # the assistant's settings may name it
    if is_taken:
        other = mcp.tool_name(slug, tool, {plain[:55]})
        assert ACCEPTED.fullmatch(other)


def test_tool_name_joins_server_and_tool_where_possible():
    assert mcp.tool_name("one", "add", ()) == "one_add"
    assert mcp.tool_name("2go", "add", ()) == "_2go_add"
    assert mcp.tool_name("one", "a.b", ()) != mcp.tool_name("one", "a_b", ()) == "one_a_b"
    assert mcp.tool_name("one", "x" * 61 + "a", ()) != mcp.tool_name("one", "x" * 61 + "b", ())
    taken = mcp.tool_name("search", "conversations", tools.REGISTRY)
    assert re.fullmatch("search_conversations_[0-9a-f]{8}", taken)


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


async def test_tool_asks_first_if_it_may_destroy_or_if_the_assistant_says_so(server):
    await server("stdio")
    async with tools.load(["mcp:one", "clock"], ask_first=["one_add"]) as toolbox:
        asking = {name for name, tool in toolbox.items() if tool.asks_first}
        wipe = next(name for name in toolbox if name.startswith("one_wipe_everything"))
        assert asking == {"one_add", "one_unknown", wipe}
    async with tools.load(["mcp:one", "clock"], ask_first=["mcp:one"]) as toolbox:
        assert {name for name, tool in toolbox.items() if not tool.asks_first} == {"clock"}


# Secrets --------------------------------------------------------------------------------------------------------------


async def test_process_gets_its_own_variables_but_not_the_sites(server, monkeypatch):
    ours = {"SECRET_KEY": "s", "DATABASE_URL": "postgres://d", "OPENAI_API_KEY": "k", "DJANGO_SETTINGS_MODULE": "m"}
    for name, value in (ours | {"REGION": "from our environment", "GITHUB_TOKEN": "never-to-be-seen"}).items():
        monkeypatch.setenv(name, value)
    await server(
        "stdio", env={"TEST_A": "own", "TEST_B": "${REGION}", "TEST_C": "$REGION", "TEST_D": "${GITHUB_TOKEN}"}
    )
    async with tools.load(["mcp:one"]) as toolbox:
        told = set((await toolbox["one_environment"].use({})).split("\n"))
    given = {"TEST_A=own", "TEST_B=from our environment", "TEST_C=$REGION", "TEST_D=***"}
    assert given <= told
    assert not told & {*ours, "GITHUB_TOKEN"}
    assert told <= given | {"HOME", "LOGNAME", "PATH", "SHELL", "TERM", "USER", "LC_CTYPE"}


async def test_header_may_name_a_variable(server, monkeypatch, caplog):
    caplog.set_level(logging.INFO)
    monkeypatch.setenv("TEST_TOKEN", TOKEN)
    await server("http", headers={"Authorization": "Bearer ${TEST_TOKEN}"})
    async with tools.load(["mcp:one"]) as toolbox:
        assert await toolbox["one_add"].use({"a": 1}) == "2"
    assert TOKEN not in caplog.text


# The end --------------------------------------------------------------------------------------------------------------


async def test_runs_leave_no_processes_or_tasks(server):
    await server("stdio")
    await server("http", slug="two")
    tasks = len(asyncio.all_tasks())
    for _ in range(5):
        async with asyncio.TaskGroup() as runs:
            for _ in range(4):
                runs.create_task(one_run())
    await wait_until(lambda: not mcp.session_tasks)
    assert not children()
    assert len(asyncio.all_tasks()) == tasks


async def one_run():
    async with tools.load(["mcp:one", "mcp:two"]) as toolbox:
        assert await toolbox["one_add"].use({"a": 1}) == await toolbox["two_add"].use({"a": 1}) == "2"


@pytest.mark.parametrize("options", [[], ["--stubborn"]])
async def test_cancelled_run_leaves_no_process(server, options, monkeypatch):
    monkeypatch.setattr("mcp.client.stdio.PROCESS_TERMINATION_TIMEOUT", 0.1)
    await server("stdio", *options)
    using = asyncio.Event()

    async def run():
        async with tools.load(["mcp:one"]) as toolbox:
            using.set()
            await toolbox["one_wait"].use({"seconds": 60})

    task = asyncio.create_task(run())
    await using.wait()
    [process] = children()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await wait_until(lambda: not process.is_running())


async def test_run_cancelled_while_connecting_leaves_no_process(server, monkeypatch):
    monkeypatch.setattr("mcp.client.stdio.PROCESS_TERMINATION_TIMEOUT", 0.1)
    await server("stdio", "--deaf")

    async def run():
        async with tools.load(["mcp:one"]):
            raise AssertionError("It never answers")

    task = asyncio.create_task(run())
    await wait_until(children)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await wait_until(lambda: not children())


async def test_generator_closed_midway_leaves_no_process(server):
    """The engine closes a reply like this."""
    await server("stdio")

    async def reply():
        async with tools.load(["mcp:one"]) as toolbox:
            yield await toolbox["one_add"].use({"a": 1})
            yield "never"

    async with aclosing(reply()) as pieces:
        assert await anext(pieces) == "2"
        [process] = children()
    await wait_until(lambda: not process.is_running())


async def test_run_error_is_passed_on_unchanged(server):
    await server("stdio")
    with pytest.raises(ZeroDivisionError):
        async with tools.load(["mcp:one"]):
            raise ZeroDivisionError


# In a run -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def agent_run(upstream, ask, monkeypatch):
    """`await agent_run(*answers)`: a run of an assistant with two servers, one of them down; its model says these."""
    monkeypatch.setenv("OPENAI_API_KEY", "none")

    async def start(*answers):
        for steps in answers:
            upstream.answers(Answer([*steps]))
        await ToolServer.objects.acreate(slug="down", transport="stdio", command=["no-such-program"])
        fields = {"model": "openai:scripted", "params": {"base_url": upstream.base_url}}
        assistant = await Assistant.objects.acreate(slug="agent", tools=["mcp:one", "mcp:down"], **fields)
        return await ask(assistant)

    return start


@KINDS
async def test_run_uses_a_server_and_leaves_no_process(server, agent_run, upstream, kind):
    await server(kind)
    run = await agent_run([*call("one_add", {"a": 2, "b": 40}), *CALLS], [*tokens("It is 42."), *END])
    await wait_for_run(run)
    assert run.status == "completed"
    step, answer = run.message.parts
    assert (step["type"], step["name"], step["result"], step["error"]) == ("tool_call", "one_add", "42", None)
    assert answer == {"type": "text", "text": "It is 42."}
    offered = {tool["function"]["name"] for tool in upstream.requests[0].body["tools"]}
    assert "one_add" in offered
    assert all(ACCEPTED.fullmatch(name) for name in offered)


async def test_run_continues_when_its_server_dies(server, agent_run):
    await server("stdio")
    run = await agent_run([*call("one_die", {}), *CALLS], [*tokens("It is gone."), *END])
    await wait_for_run(run)
    assert run.status == "completed"
    step, answer = run.message.parts
    assert step["error"] == "The connection to the tool server “one” was closed."
    assert answer["text"] == "It is gone."


async def test_run_stopped_in_a_call_leaves_no_process(server, agent_run):
    await server("stdio")
    run = await agent_run([*call("one_wait", {"seconds": 60}), *CALLS])
    async with aclosing(engine.follow(run)) as events:
        async for _, event in events:
            if event and event.type == "TOOL_CALL_END":
                break
    [process] = children()
    await engine.cancel(run)
    await wait_for_run(run)
    assert run.status == "cancelled"
    await wait_until(lambda: not process.is_running())


# What staff see -------------------------------------------------------------------------------------------------------


async def test_server_tools_are_listed_without_a_run(server):
    row = await server("stdio", is_enabled=False)
    assert {"one_add", "one_whoami"} <= {tool.name for tool in await mcp.server_tools(row)}
    row.command = ["no-such-program"]
    assert await refusal(mcp.server_tools(row)) == (
        "“one” cannot be used: its command could not be started: No such file or directory."
    )
