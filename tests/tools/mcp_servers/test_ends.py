"""Processes and tasks of MCP servers end with the run."""

import asyncio
from contextlib import aclosing

import pytest

from chat import tools
from chat.tools import mcp
from tests.tools.mcp_servers.servers import children
from tests.waiting import wait_until

pytestmark = pytest.mark.slow


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
    await wait_until(lambda: len(asyncio.all_tasks()) == tasks)


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
