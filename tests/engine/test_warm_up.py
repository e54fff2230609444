"""What is loaded when the server starts, before the first answer."""

import sys

import pytest
from django.core.management import get_commands
from django.db import OperationalError

from chat import providers
from chat.engine import warm_up as warm_up_module
from chat.engine.warm_up import warm_up
from chat.models import Assistant
from chat.providers.agent import graph


@pytest.fixture
def cold(tmp_path, monkeypatch):
    """`cold(name, source)` adds a provider whose module has not been imported."""
    monkeypatch.syspath_prepend(tmp_path)

    def add(name, source=""):
        (tmp_path / f"{name}.py").write_text(source)
        monkeypatch.setitem(providers.REGISTRY, name, name)
        monkeypatch.delitem(sys.modules, name, raising=False)
        return Assistant.objects.acreate(slug=name, name=name, model=f"{name}:m")

    return add


async def test_warm_up_imports_the_providers_of_enabled_assistants(transactional_db, cold):
    await cold("warm_one")
    disabled = await cold("warm_two")
    await Assistant.objects.filter(pk=disabled.pk).aupdate(is_enabled=False)
    await warm_up()
    assert "warm_one" in sys.modules
    assert "warm_two" not in sys.modules


async def test_warm_up_continues_after_a_provider_that_cannot_be_loaded(transactional_db, cold):
    await cold("warm_a", "raise ImportError('a package is missing')")
    await cold("warm_b", "def check(model_id, params): raise RuntimeError(model_id)")
    await Assistant.objects.acreate(slug="warm_c", name="warm_c", model="nonsense")
    await Assistant.objects.acreate(slug="warm_d", name="warm_d", model="openai:gpt", params={"wrong": [1]})
    await cold("warm_e")
    await warm_up()
    assert "warm_e" in sys.modules


async def test_warm_up_builds_the_graph_of_agents(transactional_db, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    monkeypatch.setattr(graph, "_graphs", {})
    assistant = await Assistant.objects.acreate(slug="a", name="a", model="openai:gpt")
    await warm_up()
    assert not graph._graphs
    await Assistant.objects.filter(pk=assistant.pk).aupdate(tools=["clock"])
    await warm_up()
    assert graph._graphs


async def test_warm_up_leaves_a_database_that_is_away_to_the_requests(monkeypatch):
    def fail():
        raise OperationalError

    monkeypatch.setattr(warm_up_module, "_models_in_use", fail)
    await warm_up()


def test_runserver_is_ours():
    assert get_commands()["runserver"] == "chat"
