"""The examples of docs/providers.md, as they stand there."""

import re
import sys
import types

import pytest

from chat import providers
from chat.models import Message
from chat.providers import bridge as bridge_module
from chat.providers import python as python_provider
from scripts.environment import ROOT
from tests.waiting import wait_for_run

pytestmark = pytest.mark.slow

DOCUMENT = (ROOT / "docs" / "providers.md").read_text()


def example(path):
    """The code that the document tells to write at that path."""
    block = re.search(rf"`{re.escape(path)}`:\n\n((?:    .*\n|\n)+)", DOCUMENT)[1]
    return re.sub(r"^    ", "", block, flags=re.MULTILINE)


@pytest.fixture
def myteam(tmp_path, monkeypatch, settings):
    """A package to write the examples into; which of them are allowed, the document says."""
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "myteam").mkdir()
    (tmp_path / "myteam" / "__init__.py").write_text("")
    settings.PYTHON_PROVIDERS = re.search(r"^    PYTHON_PROVIDERS=(\S+) make run", DOCUMENT, re.MULTILINE)[1].split(",")
    yield tmp_path / "myteam"
    python_provider._functions.clear()
    for name in [name for name in sys.modules if name.partition(".")[0] == "myteam"]:
        del sys.modules[name]


async def test_example_function_in_the_document_has_ten_lines_and_answers(script, ask, myteam):
    source = example("myteam/answers.py")
    assert len([line for line in source.splitlines() if line.strip()]) <= 10
    (myteam / "answers.py").write_text(source)
    model = re.search(r"the model `(python:\S+)`", DOCUMENT)[1]
    assistant = await script("team", model=model)
    for question, reply in [("Where are you?", "In the old mill."), ("Who?", "Nobody has asked that yet.")]:
        run = await ask(assistant, question)
        await wait_for_run(run)
        assert (run.status, run.message.text) == ("completed", f"Let me look. {reply}")


async def test_chain_is_plugged_in_as_the_document_says(script, ask, myteam, settings):
    settings.PYTHON_PROVIDERS = ["myteam"]
    (myteam / "assistant.py").write_text(example("myteam/assistant.py"))
    (myteam / "chains.py").write_text(
        "from tests.providers.python.functions import chain_of\n"
        "rephrase = chain_of('What is the height of Mount Fuji?')\n"
        "answer = chain_of('It is 3,776 m high.').with_config(tags=['final'])\n"
        "chain = rephrase | (lambda message: {'question': message.text}) | answer\n"
    )
    run = await ask(await script("team", model="python:myteam.assistant.reply"), "And how high is it?")
    await wait_for_run(run)
    assert (run.status, run.message.text) == ("completed", "It is 3,776 m high.")
    thought = (await Message.objects.aget(run=run)).parts[0]
    assert (thought["type"], thought["text"]) == ("reasoning", "What is the height of Mount Fuji?")


async def test_provider_is_a_generator_as_the_document_says(script, ask, monkeypatch):
    module = types.ModuleType("chat.providers.countdown")
    module.__package__ = "chat.providers"
    exec(example("chat/providers/countdown.py"), module.__dict__)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    registered = re.search(r'`REGISTRY\["countdown"\] = "(\S+)"`', DOCUMENT)[1]
    monkeypatch.setitem(providers.REGISTRY, "countdown", registered)
    run = await ask(await script("three", model="countdown:3", params={"pause": 0}))
    await wait_for_run(run)
    assert (run.status, run.message.text) == ("completed", "3 2 1 ")
    run = await ask(await script("many", model="countdown:many"))
    await wait_for_run(run)
    assert run.error_message == "A countdown begins with a number, as in countdown:3."


def test_document_states_the_current_limits(settings):
    assert f"at most {python_provider.MAX_THREADS} at a time" in DOCUMENT
    assert f"{bridge_module.MAX_UNREAD_IN_LOOP:,} pieces ahead" in DOCUMENT
    first, further = settings.FIRST_TOKEN_SECONDS, settings.SILENCE_SECONDS
    assert f"within {first} seconds and each further one within {further}" in DOCUMENT
    for piece in bridge_module.PIECES:
        assert f"`{piece.__name__}`" in DOCUMENT
