"""The README's examples, run as they stand there."""

import re
import sys
import types

from chat import providers, tools
from scripts.environment import ROOT
from tests.waiting import wait_for_run

README = (ROOT / "README.md").read_text()


def example(path):
    """The module that the README tells to write at that path."""
    block = re.search(rf"`{re.escape(path)}`:\n\n((?:    .*\n|\n)+)", README)[1]
    module = types.ModuleType(path.removesuffix(".py").replace("/", "."))
    module.__package__ = module.__name__.rpartition(".")[0]
    exec(re.sub(r"^    ", "", block, flags=re.MULTILINE), module.__dict__)
    return module


async def test_provider_is_added_in_ten_lines(script, ask, monkeypatch):
    module = example("chat/providers/echo.py")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(providers.REGISTRY, "echo", module.__name__)
    run = await ask(await script("echo", model="echo:"), "say it again")
    await wait_for_run(run)
    assert (run.status, run.message.text) == ("completed", "say it again ")


def test_tool_is_added_in_ten_lines(monkeypatch):
    module = example("chat/tools/dice.py")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(tools.REGISTRY, "dice", f"{module.__name__}.dice")
    assert tools.get_tool("dice")(sides=1) == "1"


def test_settings_are_all_in_the_tables_of_both_readmes():
    settings = (ROOT / "chatsite" / "settings.py").read_text()
    names = set(re.findall(r'(?:env\.\w+|yes_or_no|whole_number)\(\s*"([A-Z_]+)"', settings)) | {"SECRET_KEY"}
    rows = re.compile(r"^\| `([A-Z_]+)` \|", re.MULTILINE)
    assert names <= set(rows.findall(README))
    assert rows.findall(README) == rows.findall((ROOT / "README.ja.md").read_text())
