"""chat.providers.registry: how a provider's module is found and imported."""

import sys
import threading

import pytest

from chat import engine
from chat.providers import registry
from tests.waiting import count_turns, wait_for_run, wait_until

MODULE = "late_provider"
SOURCE = """
import threading

from chat.events import Finish, Text

imported_in = threading.current_thread()


async def reply(request):
    yield Text("Hello")
    yield Finish("stop")
"""


@pytest.fixture
def late(monkeypatch, tmp_path):
    """`late(source)`: the provider `late:`, whose module nobody has imported yet."""

    def write(source):
        (tmp_path / f"{MODULE}.py").write_text(source)
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.setitem(registry.REGISTRY, "late", MODULE)
        monkeypatch.setattr(registry, "_loaded", set())

    yield write
    sys.modules.pop(MODULE, None)


async def test_provider_is_imported_in_a_thread_at_its_first_answer(late, script, ask):
    late(SOURCE)
    run = await ask(await script("late", model="late:"))
    await wait_for_run(run)
    assert (run.status, run.message.text) == ("completed", "Hello")
    assert sys.modules[MODULE].imported_in is not threading.main_thread()


async def test_answers_that_need_the_same_import_do_not_block_others(late, script, ask, tmp_path):
    gate = tmp_path / "gate"
    late(f"import pathlib, time\nwhile not pathlib.Path({str(gate)!r}).exists(): time.sleep(0.01)\n{SOURCE}")
    assistant = await script("late", model="late:")
    runs = [await ask(assistant) for _ in range(2)]
    await wait_until(lambda: MODULE in sys.modules and all(run.pk in engine.current().live for run in runs))
    async with count_turns() as turns:
        await wait_until(lambda: len(turns) > 100)
    gate.touch()
    for run in runs:
        await wait_for_run(run)
        assert run.status == "completed"


async def test_provider_that_cannot_be_imported_fails_its_own_answer(late, script, ask):
    late("import no_such_package")
    run = await ask(await script("late", model="late:"))
    await wait_for_run(run)
    assert run.status == "failed"
    assert run.error["message"]


async def test_provider_that_is_there_is_not_imported_again(late, monkeypatch):
    late(SOURCE)
    await registry.load("late:")
    module = sys.modules[MODULE]
    await registry.load("late:")
    await registry.load("unknown:")
    assert sys.modules[MODULE] is module
