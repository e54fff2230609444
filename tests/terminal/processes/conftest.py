"""A site, its model, and the command in a process."""

import contextlib
import subprocess
import sys

import pytest

from scripts.environment import ROOT
from tests.server_process import Site, Upstream
from tests.terminal.processes.command import Tty
from tests.timeouts import HANG_TIMEOUT


@pytest.fixture(scope="session")
def upstream():
    upstream = Upstream()
    yield upstream
    upstream.close()


@pytest.fixture(scope="session")
def site(tmp_path_factory, upstream):
    environment = {"SHUTDOWN_GRACE": "1", "OPENAI_BASE_URL": upstream.base_url, "OPENAI_API_KEY": "sk-test"}
    site = Site(tmp_path_factory.mktemp("site"), **environment, OPENAI_MODEL="scripted", TERM="xterm")
    for name in ("slow", "long", "think", "echo", "cut", "error", "silent", "status-400"):
        site.assistant(name, f"openai:{name}")
    yield site
    site.close()


@pytest.fixture
def start(site):
    """`start("text", "--steps")`: the command in a process, with pipes."""
    with contextlib.ExitStack() as at_the_end:

        def start(*arguments, **how):
            command = [sys.executable, "manage.py", "chat", *arguments]
            how = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | how
            process = at_the_end.enter_context(subprocess.Popen(command, cwd=ROOT, env=site.environment, **how))
            at_the_end.callback(process.kill)
            return process

        yield start


@pytest.fixture
def chat(start):
    """`chat("text", stdin="more")`: its (exit code, stdout, stderr)."""

    def chat(*arguments, stdin=""):
        process = start(*arguments, stdin=subprocess.PIPE)
        out, err = process.communicate(stdin.encode() if isinstance(stdin, str) else stdin, timeout=HANG_TIMEOUT)
        return process.returncode, out.decode(), err.decode()

    return chat


@pytest.fixture
def tty(site):
    with contextlib.ExitStack() as at_the_end:

        def tty(*arguments, **how):
            return at_the_end.enter_context(contextlib.closing(Tty(site.environment, *arguments, **how)))

        yield tty
