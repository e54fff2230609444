"""The recipes of CONTRIBUTING.md and docs/apps.md, followed in a copy of the project, whose tests then pass."""

import re
import shutil
import subprocess
import sys

import pytest

from scripts.environment import ROOT, clean_environment

pytestmark = pytest.mark.slow

DOCUMENTS = ("CONTRIBUTING.md", "docs/apps.md")
CREATE = re.compile(r"Create `(?P<path>.+)`:")
INSERT = re.compile(r"In `(?P<path>\S+)`, (?:at the end|(?P<place>above|below) `(?P<anchor>.+)`):")
BLOCK = re.compile(
    r"(?:^(?P<step>(?:Create|In) `[^\n]+:)\n\n)?^```(?P<language>\w+)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL
)


def steps():
    """Returns the recipes' steps as (sentence, language, code)."""
    document = "\n".join((ROOT / name).read_text() for name in DOCUMENTS)
    return [(match["step"], match["language"], match["code"]) for match in BLOCK.finditer(document)]


def created(start, end):
    """Returns the files that the recipes create whose paths start and end like this."""
    paths = [match["path"] for step, _, _ in steps() if step and (match := CREATE.fullmatch(step))]
    return [path for path in paths if path.startswith(start) and path.endswith(end)]


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """A copy of the project in which every recipe was followed."""
    folder = tmp_path_factory.mktemp("project")
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in listed.splitlines():
        if (ROOT / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    for step, language, code in steps():
        if language == "sh":
            run(folder, *code.removeprefix(".venv/bin/python").split())
        else:
            follow(folder, step, code)
    for name in ("static/vendor", "node_modules"):  # what `make` installs
        if (ROOT / name).exists():
            (folder / name).symlink_to(ROOT / name, target_is_directory=True)
    return folder


def follow(folder, step, code):
    """Creates a file, or inserts lines into one; fails where the place that the recipe names does not exist."""
    if match := CREATE.fullmatch(step):
        (folder / match["path"]).parent.mkdir(parents=True, exist_ok=True)
        (folder / match["path"]).write_text(code)
        return
    match = INSERT.fullmatch(step)
    path = folder / match["path"]
    lines = path.read_text().splitlines(keepends=True)
    if match["anchor"] is None:
        position = len(lines)
    else:
        positions = [number for number, line in enumerate(lines) if line.strip().startswith(match["anchor"])]
        assert positions, f"{match['path']} has no line that begins with {match['anchor']!r}"
        position = positions[0] + (match["place"] == "below")
    path.write_text("".join([*lines[:position], code, *lines[position:]]))


def run(folder, *arguments):
    """Runs Python in the copy, on a database of its own."""
    environment = clean_environment() | {"DATABASE_URL": f"sqlite:///{folder}/recipes.sqlite3"}
    done = subprocess.run([sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_recipes_have_steps_that_can_be_followed():
    assert len(steps()) >= 15
    for step, language, _code in steps():
        assert language == "sh" or CREATE.fullmatch(step) or INSERT.fullmatch(step), step


def test_recipes_tests_pass(copy):
    tests = created("tests/", ".py")
    checks = ["tests/site/test_readme.py", "tests/site/test_imports.py", "tests/models/test_parts.py"]
    checks += ["tests/events/test_page_fold.py"]  # which compares Python's parts with the page's
    output = run(copy, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests, *checks)
    passed = int(re.search(r"(\d+) passed", output)[1])
    assert passed >= len(tests)
    assert "skipped" not in output


def test_recipes_tests_pass_in_node(copy):
    tests = created("tests/js/", ".test.js")
    assert tests
    checks = ["tests/js/imports.test.js", "tests/js/messages/parts.test.js"]
    done = subprocess.run(["node", "--test", *tests, *checks], cwd=copy, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_recipes_leave_no_migration_to_be_made(copy):
    run(copy, "manage.py", "makemigrations", "--check", "--dry-run")
