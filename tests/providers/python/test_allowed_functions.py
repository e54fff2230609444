"""Which functions may answer."""

import subprocess
import sys
from contextlib import aclosing

import pytest

from chat import providers
from chat.events import Finish, Text
from chat.providers import ProviderError, Request
from chat.providers import python as python_provider
from scripts.environment import ROOT
from tests.waiting import wait_for_run

pytestmark = pytest.mark.slow


def refused(path):
    with pytest.raises(ProviderError) as refusal:
        providers.check(f"python:{path}")
    assert refusal.value.code == "not_configured"
    return str(refusal.value)


@pytest.fixture
def package(tmp_path, monkeypatch, settings):
    """`package(name=source, …)`: modules of the package `ours`, which is allowed."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(python_provider, "_functions", {})
    settings.PYTHON_PROVIDERS = ["ours"]
    (tmp_path / "ours").mkdir()
    (tmp_path / "ours" / "__init__.py").write_text("")

    def write(**sources):
        for name, source in sources.items():
            (tmp_path / "ours" / f"{name}.py").write_text(source)
        sys.path_importer_cache.clear()

    yield write
    for name in [name for name in sys.modules if name.partition(".")[0] == "ours"]:
        del sys.modules[name]


REPLY = "def reply(messages, send): return 'ours'\n"


@pytest.mark.parametrize("path", ["os.system", "subprocess.run", "builtins.eval", "ourselves.reply", "our", "", "ours"])
def test_path_that_is_not_listed_is_refused(package, path):
    assert "PYTHON_PROVIDERS" in refused(path)
    assert path in refused(path)


@pytest.mark.parametrize(
    "path", ["ours..reply", "ours.", ".ours", "ours.a b", "ours.a/../b", "ours.a\0.b", "ours.\ud800.b", "ours:reply"]
)
def test_malformed_path_is_refused(package, path):
    assert "is not allowed." in refused(path)


def test_list_is_empty_by_default():
    done = subprocess.run(
        [sys.executable, "-c", "from chatsite import settings; print(settings.PYTHON_PROVIDERS)"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.stdout == "[]\n", done.stderr


def test_list_is_read_from_the_environment(monkeypatch):
    done = subprocess.run(
        [sys.executable, "-c", "from chatsite import settings; print(settings.PYTHON_PROVIDERS)"],
        cwd=ROOT,
        env={"PYTHON_PROVIDERS": "one.reply, two ,", "PATH": "/usr/bin"},
        capture_output=True,
        text=True,
    )
    assert done.stdout == "['one.reply', 'two']\n", done.stderr


def test_listed_module_does_not_allow_what_it_imported(package, settings):
    package(
        answers="import os\nfrom os import system\nfrom subprocess import run\nfrom functools import partial\n"
        "from ours.others import reply\nhello = partial(print)\n",
        others=REPLY,
    )
    assert "defined in posix" in refused("ours.answers.system")
    assert "defined in subprocess" in refused("ours.answers.run")
    assert "defined in functools" in refused("ours.answers.hello")
    assert "cannot be imported" in refused("ours.answers.os.system")
    providers.check("python:ours.answers.reply")  # from a module that is listed, too
    settings.PYTHON_PROVIDERS = ["ours.answers"]
    assert "defined in ours.others" in refused("ours.answers.reply")
    settings.PYTHON_PROVIDERS = ["ours.answers.reply"]
    providers.check("python:ours.answers.reply")
    assert "is not allowed." in refused("ours.others.reply")


def test_refusal_names_what_cannot_be_imported_or_called(package, caplog):
    package(
        broken="1 / 0",
        leaving="raise SystemExit",
        wrong="this is no Python",
        answers="reply = 'text'\ndef one(messages): pass\ndef three(messages, send, more): pass\n"
        "def many(*args): pass\ndef kind(messages, send, *, more=1): pass\n",
    )
    for module in ("missing", "broken", "leaving", "wrong"):
        assert (
            refused(f"ours.{module}.b") == f"“ours.{module}.b” cannot be imported. See the server's log for the reason."
        )
    assert "ZeroDivisionError" in caplog.text
    for name in ("reply", "nothing"):
        assert refused(f"ours.answers.{name}") == f"There is no function “ours.answers.{name}”."
    for name in ("one", "three"):
        assert (
            refused(f"ours.answers.{name}") == f"“ours.answers.{name}” is not a function that takes (messages, send)."
        )
    for name in ("many", "kind"):
        providers.check(f"python:ours.answers.{name}")


def test_function_that_hides_its_parameters_is_accepted(package, settings):
    package(answers="import builtins\nreply = builtins.print\nreply_ = dict.fromkeys\nreply__ = max\n")
    settings.PYTHON_PROVIDERS = ["ours.answers.reply__"]
    providers.check("python:ours.answers.reply__")


def test_provider_takes_no_params(package):
    package(answers=REPLY)
    providers.check("python:ours.answers.reply", {})
    with pytest.raises(ProviderError, match="no parameters"):
        providers.check("python:ours.answers.reply", {"temperature": 1})


async def test_run_whose_function_is_not_allowed_says_so(script, ask, settings):
    run = await ask(await script("bad", model="python:os.system"))
    await wait_for_run(run)
    assert (run.status, run.error_code) == ("failed", "not_configured")
    assert "PYTHON_PROVIDERS" in run.error_message


async def test_function_that_was_allowed_may_be_refused_later(package, settings):
    package(answers=REPLY)
    request = Request("ours.answers.reply", [("user", [{"type": "text", "text": "Hi"}])])

    async def read_pieces():
        async with aclosing(python_provider.reply(request)) as pieces:
            return [piece async for piece in pieces if piece != Text("")]

    assert await read_pieces() == [Text("ours"), Finish("stop")]
    settings.PYTHON_PROVIDERS = []
    with pytest.raises(ProviderError, match="is not allowed\\."):
        await read_pieces()
