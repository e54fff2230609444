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
from chat.tools import ToolError, mcp

from .conftest import over, until
from .site import free_port, wait_for
from .upstream import CALLS, END, Answer, call, tokens

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
    await until(lambda: not mcp.live)
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
async def test_a_tool_is_offered_and_used(server, kind):
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
async def test_several_uses_at_once_get_their_own_results(server, kind):
    await server(kind)
    async with tools.load(["mcp:one"]) as toolbox:
        uses = [toolbox["one_add"].use({"a": number, "b": number}) for number in range(20)]
        assert await asyncio.gather(*uses) == [str(2 * number) for number in range(20)]


async def test_every_kind_of_content_becomes_text(server):
    await server("stdio")
    async with tools.load(["mcp:one"]) as toolbox:
        assert await toolbox["one_pieces"].use({}) == (
            "A picture:\n[image: image/png, 10 bytes]\n[audio: audio/wav, 3 bytes]\n"
            "Notes: file:///notes.txt\nBuy bread.\n[file: file:///a.zip]"
        )
        assert await toolbox["one_nothing"].use({}) == ""


async def test_structured_content_is_told_where_there_is_no_text(server):
    await server("stdio")
    async with tools.load(["mcp:one"]) as toolbox:
        assert await toolbox["one_forecast"].use({}) == '{"celsius": 21.5, "place": "東京"}'


@KINDS
async def test_a_long_result_is_cut(server, kind):
    await server(kind)
    async with tools.load(["mcp:one"]) as toolbox:
        told = await toolbox["one_long"].use({"characters": 5_000_000})
    assert told == "x" * tools.MAX_RESULT + "\n[Cut here: the whole is 5,000,000 characters long.]"


async def test_all_pages_of_a_list_are_read_up_to_a_bound(server, monkeypatch):
    await server("stdio", "--many", "35")
    async with tools.load(["mcp:one"]) as toolbox:
        assert list(toolbox) == [f"one_tool{number}" for number in range(35)]
        assert toolbox["one_tool7"].schema == {"type": "object", "properties": {}}
    monkeypatch.setattr(mcp, "MAX_TOOLS", 12)
    async with tools.load(["mcp:one"]) as toolbox:
        assert len(toolbox) == 12


# What it refuses ------------------------------------------------------------------------------------------------------


@KINDS
async def test_a_failing_tool_is_a_sentence(server, kind):
    await server(kind)
    async with tools.load(["mcp:one"]) as toolbox:
        assert (
            await refusal(toolbox["one_fail"].use({"sentence": "No bread."})) == "Error executing tool fail: No bread."
        )
        assert "valid integer" in await refusal(toolbox["one_add"].use({"a": "many"}))
        assert "JSON object" in await refusal(toolbox["one_add"].use([1, 2]))
        assert len(await refusal(toolbox["one_fail"].use({"sentence": "no " * 100_000}))) < tools.MAX_SENTENCE + 100
        assert await toolbox["one_add"].use({"a": 1}) == "2"


async def test_a_tool_that_is_not_there_any_more_is_a_sentence(server):
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
async def test_a_slow_tool_is_given_up_and_the_others_go_on(server, kind, monkeypatch):
    await server(kind)
    async with tools.load(["mcp:one"]) as toolbox:
        monkeypatch.setattr(tools, "TOOL_LIMIT", 0.2)
        assert (
            await refusal(toolbox["one_wait"].use({"seconds": 60}))
            == "The tool “one_wait” took longer than 0.2 seconds."
        )
        monkeypatch.undo()
        assert await toolbox["one_add"].use({"a": 1}) == "2"


@KINDS
async def test_a_server_that_dies_in_a_call_is_a_sentence_at_once(server, kind, caplog):
    options = [] if kind == "stdio" else ["--name", f"mortal {kind}"]  # none that the other tests want
    await server(kind, *options)
    await server("stdio", slug="two")
    async with asyncio.timeout(20), tools.load(["mcp:one", "mcp:two"]) as toolbox:
        waiting = asyncio.create_task(refusal(toolbox["one_wait"].use({"seconds": 60})))
        assert await refusal(toolbox["one_die"].use({})) == "The tool server “one” is not there any more."
        assert await waiting == "The tool server “one” is not there any more."
        assert await refusal(toolbox["one_add"].use({"a": 1})) == "The tool server “one” is not there any more."
        assert await toolbox["two_add"].use({"a": 1}) == "2"


async def test_an_answer_without_end_is_given_up(server, monkeypatch):
    await server("http")
    monkeypatch.setattr(mcp, "MAX_BODY", 100_000)
    async with asyncio.timeout(10), tools.load(["mcp:one"]) as toolbox:
        assert "is not there any more" in await refusal(toolbox["one_long"].use({"characters": 200_000}))


# What is not offered --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fields, why",
    [
        ({"transport": "stdio", "command": ["no-such-program"]}, "its command cannot be started"),
        ({"transport": "stdio", "command": ["/etc/passwd"]}, "its command cannot be started"),
        ({"transport": "stdio", "command": ["true"]}, "it ended."),
        ({"transport": "stdio", "command": []}, "it broke off"),
        ({"transport": "http", "url": "http://127.0.0.1:9/mcp"}, "it cannot be reached"),
        ({"transport": "http", "url": "{}/broken"}, "it answered with status 500"),
        ({"transport": "http", "url": "{}/away"}, "it answered with status 307"),
        ({"transport": "http", "url": "{}/page"}, "it broke off, or does not speak MCP"),
        ({"transport": "http", "url": "{}/garbage"}, "it broke off, or does not speak MCP"),
        ({"transport": "http", "url": "{}/mcp", "headers": {}}, "it answered with status 401"),
        (
            {"transport": "http", "url": "{}/mcp", "headers": {"A": "${NO_SUCH}"}},
            "the environment variable NO_SUCH is",
        ),
        ({"is_enabled": False}, "no server of that name is enabled"),
    ],
)
async def test_a_server_that_cannot_be_used_is_left_out_and_logged(server, over_http, caplog, fields, why):
    if "url" in fields:
        fields = fields | {"url": fields["url"].format(over_http().removesuffix("/mcp"))}
    await server("http", **fields)
    await server("stdio", slug="two")
    async with asyncio.timeout(8), tools.load(["mcp:one", "clock", "mcp:two", "mcp:three"]) as toolbox:
        assert "clock" in toolbox
        assert await toolbox["two_add"].use({"a": 1}) == "2"
        assert not [name for name in toolbox if name.startswith(("one", "three"))]
    assert f"The tools of “one” are not offered: {why}" in caplog.text
    assert "The tools of “three” are not offered: no server of that name" in caplog.text
    assert TOKEN not in caplog.text


async def test_a_server_that_says_nothing_is_left_out_and_ended(server, caplog, monkeypatch):
    monkeypatch.setattr(mcp, "CONNECT_LIMIT", 0.5)
    monkeypatch.setattr("mcp.client.stdio.PROCESS_TERMINATION_TIMEOUT", 0.1)
    await server("stdio", "--deaf")
    async with asyncio.timeout(8), tools.load(["mcp:one"]) as toolbox:
        assert toolbox == {}
    assert "it did not answer within 0.5 seconds" in caplog.text
    await until(lambda: not children())


async def test_more_servers_than_a_process_can_bear_are_left_out(server, caplog, monkeypatch):
    monkeypatch.setattr(mcp, "MAX_SESSIONS", 1)
    await server("stdio")
    async with tools.load(["mcp:one"]) as first, tools.load(["mcp:one"]) as second:
        assert "one_add" in first
        assert second == {}
    assert "too many connections" in caplog.text


# Names ----------------------------------------------------------------------------------------------------------------


async def test_equal_tools_of_two_servers_keep_apart(server):
    for slug in ("one", "two"):
        await server("stdio", "--name", f"server {slug}", slug=slug)
    async with tools.load(["mcp:one", "mcp:two", "mcp:one"]) as toolbox:
        assert await toolbox["one_whoami"].use({}) == "server one"
        assert await toolbox["two_whoami"].use({}) == "server two"
        assert all(ACCEPTED.fullmatch(name) and tool.name == name for name, tool in toolbox.items())


@given(st.from_regex("[-a-zA-Z0-9_]{1,30}", fullmatch=True), st.text(min_size=1, max_size=80), st.booleans())
def test_a_name_is_one_that_vendors_accept_and_nobody_has(slug, tool, is_taken):
    plain = mcp.name_of(slug, tool, ())
    assert ACCEPTED.fullmatch(plain)
    assert plain == mcp.name_of(slug, tool, ())  # the assistant's settings may name it
    if is_taken:
        other = mcp.name_of(slug, tool, {plain[:55]})
        assert ACCEPTED.fullmatch(other)


def test_a_name_is_the_server_and_the_tool_where_that_will_do():
    assert mcp.name_of("one", "add", ()) == "one_add"
    assert mcp.name_of("2go", "add", ()) == "_2go_add"
    assert mcp.name_of("one", "a.b", ()) != mcp.name_of("one", "a_b", ()) == "one_a_b"
    assert mcp.name_of("one", "x" * 61 + "a", ()) != mcp.name_of("one", "x" * 61 + "b", ())
    taken = mcp.name_of("search", "conversations", tools.REGISTRY)
    assert re.fullmatch("search_conversations_[0-9a-f]{8}", taken)


# What asks first ------------------------------------------------------------------------------------------------------


async def test_a_tool_asks_first_where_it_destroys_or_the_assistant_wants_it(server):
    await server("stdio")
    async with tools.load(["mcp:one", "clock"], ask_first=["one_add"]) as toolbox:
        asking = {name for name, tool in toolbox.items() if tool.asks_first}
        assert asking == {"one_add", next(name for name in toolbox if name.startswith("one_wipe_everything"))}
    async with tools.load(["mcp:one", "clock"], ask_first=["mcp:one"]) as toolbox:
        assert {name for name, tool in toolbox.items() if not tool.asks_first} == {"clock"}


# Secrets --------------------------------------------------------------------------------------------------------------


async def test_a_process_gets_its_own_variables_and_none_of_ours(server, monkeypatch):
    ours = {"SECRET_KEY": "s", "DATABASE_URL": "postgres://d", "OPENAI_API_KEY": "k", "DJANGO_SETTINGS_MODULE": "m"}
    for name, value in (ours | {"GITHUB_TOKEN": "from our environment"}).items():
        monkeypatch.setenv(name, value)
    await server("stdio", env={"TEST_A": "own", "TEST_B": "${GITHUB_TOKEN}", "TEST_C": "$GITHUB_TOKEN"})
    async with tools.load(["mcp:one"]) as toolbox:
        told = set((await toolbox["one_environment"].use({})).split("\n"))
    assert {"TEST_A=own", "TEST_B=from our environment", "TEST_C=$GITHUB_TOKEN"} <= told
    assert not told & {*ours, "GITHUB_TOKEN"}
    assert told <= {*told & {"TEST_A=own", "TEST_B=from our environment", "TEST_C=$GITHUB_TOKEN"}} | {
        *("HOME", "LOGNAME", "PATH", "SHELL", "TERM", "USER", "LC_CTYPE")
    }


async def test_a_header_may_name_a_variable(server, monkeypatch, caplog):
    caplog.set_level(logging.INFO)
    monkeypatch.setenv("TEST_TOKEN", TOKEN)
    await server("http", headers={"Authorization": "Bearer ${TEST_TOKEN}"})
    async with tools.load(["mcp:one"]) as toolbox:
        assert await toolbox["one_add"].use({"a": 1}) == "2"
    assert TOKEN not in caplog.text


# The end --------------------------------------------------------------------------------------------------------------


async def test_nothing_is_left_of_many_runs(server):
    await server("stdio")
    await server("http", slug="two")
    tasks = len(asyncio.all_tasks())
    for _ in range(5):
        async with asyncio.TaskGroup() as runs:
            for _ in range(4):
                runs.create_task(one_run())
    await until(lambda: not mcp.live)
    assert not children()
    assert len(asyncio.all_tasks()) == tasks


async def one_run():
    async with tools.load(["mcp:one", "mcp:two"]) as toolbox:
        assert await toolbox["one_add"].use({"a": 1}) == await toolbox["two_add"].use({"a": 1}) == "2"


@pytest.mark.parametrize("options", [[], ["--stubborn"]])
async def test_a_cancelled_run_leaves_no_process(server, options, monkeypatch):
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
    await until(lambda: not process.is_running())


async def test_a_run_that_is_cancelled_while_it_connects_leaves_no_process(server, monkeypatch):
    monkeypatch.setattr("mcp.client.stdio.PROCESS_TERMINATION_TIMEOUT", 0.1)
    await server("stdio", "--deaf")

    async def run():
        async with tools.load(["mcp:one"]):
            raise AssertionError("It never answers")

    task = asyncio.create_task(run())
    await until(children)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until(lambda: not children())


async def test_a_generator_that_is_closed_in_the_middle_leaves_no_process(server):
    """As the engine closes a reply."""
    await server("stdio")

    async def reply():
        async with tools.load(["mcp:one"]) as toolbox:
            yield await toolbox["one_add"].use({"a": 1})
            yield "never"

    async with aclosing(reply()) as pieces:
        assert await anext(pieces) == "2"
        [process] = children()
    await until(lambda: not process.is_running())


async def test_an_error_of_the_run_stays_what_it_is(server):
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
async def test_a_run_uses_a_server_and_leaves_nothing(server, agent_run, upstream, kind):
    await server(kind)
    run = await agent_run([*call("one_add", {"a": 2, "b": 40}), *CALLS], [*tokens("It is 42."), *END])
    await over(run)
    assert run.status == "completed"
    step, answer = run.message.parts
    assert (step["type"], step["name"], step["result"], step["error"]) == ("tool_call", "one_add", "42", None)
    assert answer == {"type": "text", "text": "It is 42."}
    offered = {tool["function"]["name"] for tool in upstream.asked[0].body["tools"]}
    assert "one_add" in offered
    assert all(ACCEPTED.fullmatch(name) for name in offered)


async def test_a_run_goes_on_when_its_server_dies(server, agent_run):
    await server("stdio")
    run = await agent_run([*call("one_die", {}), *CALLS], [*tokens("It is gone."), *END])
    await over(run)
    assert run.status == "completed"
    step, answer = run.message.parts
    assert step["error"] == "The tool server “one” is not there any more."
    assert answer["text"] == "It is gone."


async def test_a_run_that_is_stopped_in_a_call_leaves_no_process(server, agent_run):
    await server("stdio")
    run = await agent_run([*call("one_wait", {"seconds": 60}), *CALLS])
    async with aclosing(engine.follow(run)) as events:
        async for _, event in events:
            if event and event.type == "TOOL_CALL_END":
                break
    [process] = children()
    await engine.cancel(run)
    await over(run)
    assert run.status == "cancelled"
    await until(lambda: not process.is_running())


# What staff see -------------------------------------------------------------------------------------------------------


async def test_what_a_server_offers_is_told_without_a_run(server):
    row = await server("stdio", is_enabled=False)
    assert {"one_add", "one_whoami"} <= {tool.name for tool in await mcp.offered(row)}
    row.command = ["no-such-program"]
    assert await refusal(mcp.offered(row)) == (
        "“one” cannot be used: its command cannot be started: No such file or directory."
    )
