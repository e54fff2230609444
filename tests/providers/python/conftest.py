"""Functions that answer."""

import sys
import types

import pytest

from chat.providers import python as python_provider


@pytest.fixture
def team(settings, monkeypatch):
    """`team(reply)` makes `team.reply` this function, and allows it."""
    module = types.ModuleType("team")
    monkeypatch.setitem(sys.modules, "team", module)
    monkeypatch.setattr(python_provider, "_functions", {})
    settings.PYTHON_PROVIDERS = ["team.reply"]

    def write(function):
        module.reply = function
        python_provider._functions.clear()
        return "python:team.reply"

    return write


@pytest.fixture
def start_run(team, script, ask):
    """`await start_run(function)`: starts a run of Alice's that this function answers."""

    async def start(function, text="Hi", **fields):
        return await ask(await script("team", model=team(function), **fields), text)

    return start
