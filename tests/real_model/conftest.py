"""A real model's server, and the figures that the tests measure. `make test-models` installs what is needed."""

import subprocess
import time
from pathlib import Path

import httpx
import psutil
import pytest

from chat.models import Assistant
from scripts.environment import ROOT

PYTHON = ROOT / ".venv-models/bin/python"
PROGRAM = Path(__file__).with_name("server.py")
FIGURES = {}  # name -> value with its unit


def pytest_terminal_summary(terminalreporter):
    if FIGURES:
        terminalreporter.section("figures")
        for name, value in FIGURES.items():
            terminalreporter.write_line(f"| {name} | {value} |")


class ModelServer:
    """llama.cpp's server with SmolLM2 in a process; see server.py for its options."""

    def __init__(self, *options, log):
        self.log = log.open("w")
        command = [PYTHON, PROGRAM, *options]
        self.process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, text=True
        )
        self.url = self.process.stdout.readline().strip()
        if not self.url.startswith("http"):
            self.close()
            raise RuntimeError(f"The model's server did not start:\n{log.read_text()}")
        self.base_url = f"{self.url}/v1"

    def is_busy(self):
        return any(slot["is_processing"] for slot in httpx.get(f"{self.url}/slots").json())

    def has_connection(self):
        """Whether this process has a connection to the server."""
        port = int(self.url.rpartition(":")[2])
        connections = psutil.Process().net_connections("tcp")
        return any(row.raddr and row.raddr.port == port and row.status == "ESTABLISHED" for row in connections)

    def cpu_seconds(self):
        times = psutil.Process(self.process.pid).cpu_times()
        return times.user + times.system

    def count_tokens(self, text):
        return len(httpx.post(f"{self.url}/tokenize", json={"content": text}).json()["tokens"])

    def reading_speed(self):
        """Returns how many tokens of a prompt the server reads in a second, just now."""
        body = {"prompt": f"{time.time()} " + "It is raining. " * 40, "n_predict": 1, "cache_prompt": False}
        return httpx.post(f"{self.url}/completion", json=body, timeout=None).json()["timings"]["prompt_per_second"]

    def close(self):
        try:
            self.process.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()
        self.log.close()


@pytest.fixture(scope="session")
def start_model(tmp_path_factory):
    """`start_model("--window", "4096")`: a server with these options, the same one for all tests that ask for it."""
    if not PYTHON.exists():
        pytest.fail("The model is not installed. Run `make test-models`.")
    servers = {}

    def start(*options):
        if options not in servers:
            log = tmp_path_factory.mktemp("model") / "server.log"
            servers[options] = ModelServer(*options, log=log)
        return servers[options]

    yield start
    for server in servers.values():
        server.close()


@pytest.fixture(scope="session")
def model_server(start_model):
    return start_model()


@pytest.fixture
def assistant(transactional_db):
    """`await assistant(server)`: an assistant whose model is that server's; fields and params as given."""

    async def create(server, slug="smollm2", params=None, **fields):
        params = {"base_url": server.base_url, "temperature": 0} | (params or {})
        return await Assistant.objects.acreate(slug=slug, name=slug, model="openai:smollm2", params=params, **fields)

    return create


@pytest.fixture
def measured():
    """`measured("time to the first token", "0.1 s")` adds a line to the summary."""
    return FIGURES.__setitem__
