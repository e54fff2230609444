"""An assistant uses the tools of MCP servers: real processes of the official package, over both transports."""

import asyncio
import re
from contextlib import aclosing

import pytest
from hypothesis import given, strategies

from chat import engine, tools
from chat.models import Assistant, ToolServer
from chat.tools import execution, mcp
from tests.tools.mcp_servers.servers import ACCEPTED, KINDS, children, refusal
from tests.upstream import CALLS, END, Answer, call, tokens
from tests.waiting import hang_timeout, wait_for_run, wait_until

pytestmark = pytest.mark.slow


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
            "A picture:\n"
            "[The tool returned an image (image/png, 10 bytes). It was left out, because only text is passed on.]\n"
            "[The tool returned audio (audio/wav, 3 bytes). It was left out, because only text is passed on.]\n"
            "Notes: file:///notes.txt\nBuy bread.\n"
            "[The tool returned the file file:///a.zip (3 bytes). It was left out, because only text is passed on.]"
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
        result = await toolbox["one_long"].use({"characters": 5_000_000})
    assert result == "x" * tools.MAX_RESULT_LENGTH + "\n[Truncated: the full text has 5,000,000 characters.]"


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
        monkeypatch.setattr(execution, "TOOL_TIMEOUT", 2)  # the server is another process, which may be late
        assert await toolbox["one_work"].use({"reports": 25, "seconds": 0.1}) == "done"
        monkeypatch.setattr(execution, "TOOL_TIMEOUT", 0.2)
        silent = await refusal(toolbox["one_work"].use({"reports": 1, "seconds": 60}))
        assert silent == "The tool “one_work” took longer than 0.2 seconds."
        monkeypatch.undo()
        monkeypatch.setattr(execution, "PROGRESS_TIMEOUT", 0.5)
        endless = await refusal(toolbox["one_work"].use({"reports": 10_000, "seconds": 0.05}))
        assert endless == "The tool “one_work” took longer than 0.5 seconds."
        assert await toolbox["one_add"].use({"a": 1}) == "2"


@KINDS
async def test_server_that_dies_during_a_call_gives_a_sentence_at_once(server, kind, caplog):
    options = [] if kind == "stdio" else ["--name", f"mortal {kind}"]  # a server that no other test uses
    await server(kind, *options)
    await server("stdio", slug="two")
    async with hang_timeout(), tools.load(["mcp:one", "mcp:two"]) as toolbox:
        waiting = asyncio.create_task(refusal(toolbox["one_wait"].use({"seconds": 60})))
        assert await refusal(toolbox["one_die"].use({})) == "The connection to the tool server “one” was closed."
        assert await waiting == "The connection to the tool server “one” was closed."
        assert await refusal(toolbox["one_add"].use({"a": 1})) == "The connection to the tool server “one” was closed."
        assert await toolbox["two_add"].use({"a": 1}) == "2"


async def test_oversized_response_gives_a_sentence(server, monkeypatch):
    await server("http")
    monkeypatch.setattr(mcp, "MAX_BODY_SIZE", 100_000)
    async with hang_timeout(), tools.load(["mcp:one"]) as toolbox:
        assert "was closed" in await refusal(toolbox["one_long"].use({"characters": 200_000}))


# Names ----------------------------------------------------------------------------------------------------------------


async def test_tools_of_the_same_name_on_two_servers_are_kept_apart(server):
    for slug in ("one", "two"):
        await server("stdio", "--name", f"server {slug}", slug=slug)
    async with tools.load(["mcp:one", "mcp:two", "mcp:one"]) as toolbox:
        assert await toolbox["one_whoami"].use({}) == "server one"
        assert await toolbox["two_whoami"].use({}) == "server two"
        assert all(ACCEPTED.fullmatch(name) and tool.name == name for name, tool in toolbox.items())


@given(
    strategies.from_regex("[-a-zA-Z0-9_]{1,30}", fullmatch=True),
    strategies.text(min_size=1, max_size=80),
    strategies.booleans(),
)
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
