"""MCP servers, and that nothing is left of them."""

import subprocess

import psutil
import pytest

from chat.models import ToolServer
from chat.tools import mcp
from tests.server_process import free_port, wait_for
from tests.timeouts import HANG_TIMEOUT
from tests.tools.mcp_servers.servers import PROGRAM, TOKEN, is_stdio
from tests.waiting import wait_until


@pytest.fixture(autouse=True)
def patience(monkeypatch):
    """A server starts within a second or two, but not where many processes do."""
    monkeypatch.setattr(mcp, "CONNECT_TIMEOUT", HANG_TIMEOUT)


@pytest.fixture(scope="session")
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
