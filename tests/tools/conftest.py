"""Functions that are offered as tools."""

import sys

import pytest

from chat import tools


@pytest.fixture
def offer(monkeypatch):
    """`offer(function)` puts it into the registry under its name."""

    def put(function):
        monkeypatch.setattr(sys.modules[__name__], function.__name__, function, raising=False)
        monkeypatch.setitem(tools.REGISTRY, function.__name__, f"{__name__}.{function.__name__}")

    return put
