"""Processes of MCP servers."""

import re
import sys

import psutil
import pytest

from chat.tools import ToolError
from scripts.environment import ROOT

PROGRAM = [sys.executable, str(ROOT / "tests/tools/mcp_server.py")]
TOKEN = "open-sesame"
ACCEPTED = re.compile("[a-zA-Z_][a-zA-Z0-9_-]{0,63}")  # as a tool's name, by every vendor


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
