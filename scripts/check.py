"""Runs the checks of a change: `make test` all of them, `make check` only the fast ones.

Fast checks come first, two at a time. Then each test suite runs in three or four processes. On Debian, as root, missing
programs are installed. A suite that still cannot run is named in the summary; if CI is set, that is a failure.
"""

import argparse
import glob
import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field

from . import postgresql, redis_server
from .debian import chromium, install
from .environment import ROOT, clean_environment

PYTHON = [sys.executable, "-m"]
PYTEST = ["pytest", "-q", "--dist", "worksteal", "--durations=15", "--durations-min=3"]
UNIT = "not process and not browser and not models"
FAST = {"FAST": "1"}  # some JavaScript tests that take half a minute are skipped


@dataclass
class Step:
    name: str
    command: list
    environment: dict = field(default_factory=dict)


def main():
    parser = argparse.ArgumentParser(prog="python -m scripts.check", description="Run the checks of a change.")
    parser.add_argument("--fast", action="store_true", help="only the checks that take seconds")
    if parser.parse_args().fast:
        return report("make check", run_together(static_steps(FAST)) + run_all(fast_suites()))
    missing = []
    with ExitStack() as stack:
        database_url = stack.enter_context(postgresql.server_url())
        if not database_url:
            missing.append("tests on PostgreSQL (no server is running and none can be installed)")
        if not redis_server.program():
            install("redis-server")
        if not redis_server.program():
            missing.append("tests of the relay (Redis is not installed and cannot be)")
        has_browser = install_chromium()
        if not has_browser:
            missing.append("browser tests (Chromium is missing and cannot be installed)")
        results = run_together(static_steps()) + run_all(all_suites(database_url, has_browser))
    return report("make test", results, missing)


def static_steps(environment=None):
    yield Step("lint", [*PYTHON, "ruff", "check", "."])
    yield Step("format", [*PYTHON, "ruff", "format", "--check", "."])
    yield Step("types", [*PYTHON, "mypy"])
    yield Step("JavaScript and CSS lint and format", ["node_modules/.bin/biome", "check", "--error-on-warnings"])
    yield Step("JavaScript tests", ["node", "--test", *javascript_tests()], environment or {})
    yield Step("migrations", [sys.executable, "manage.py", "makemigrations", "--check", "--dry-run"])


def fast_suites():
    command = [*PYTHON, *PYTEST, "-n", "2", "-m", f"{UNIT} and not slow", "--ignore=tests/browser"]
    yield Step("fast Python tests on SQLite", command)


def all_suites(database_url, has_browser):
    # More processes than most machines have cores: tests wait for each other's events, servers and timeouts.
    unit_tests = [*PYTEST, "-n", "4", "-m", UNIT, "--ignore=tests/browser"]
    yield Step("Python tests on SQLite", [*PYTHON, "coverage", "run", "-m", *unit_tests])
    yield Step("combine the coverage of all processes", [*PYTHON, "coverage", "combine", "-q"])
    yield Step("branch coverage", [*PYTHON, "coverage", "report"])
    if database_url:
        yield Step("Python tests on PostgreSQL", [*PYTHON, *unit_tests], {"DATABASE_URL": database_url})
    process_tests = [*PYTHON, *PYTEST, "-n", "3", "-m", "process and not browser", *files_with_marker("process")]
    yield Step("server process tests", process_tests, {"TEST_POSTGRESQL": database_url or ""})
    if has_browser:
        yield Step("browser tests", [*PYTHON, *PYTEST, "-n", "3", "-m", "browser", *files_with_marker("browser")])


def files_with_marker(marker):
    """Returns the files with tests of this marker. Collecting the tests of all others takes half a minute."""
    paths = (path for path in (ROOT / "tests").rglob("test_*.py") if f"pytest.mark.{marker}" in path.read_text())
    return sorted(str(path.relative_to(ROOT)) for path in paths)


def javascript_tests():
    return sorted(glob.glob("tests/js/**/*.test.js", root_dir=ROOT, recursive=True))


def run_all(steps):
    """Runs the steps in order. Returns (step, whether it passed, seconds) for each."""
    return [(step, *run(step)) for step in steps]


def run_together(steps):
    """Runs the steps two at a time and prints the output of each when it is complete. Returns what run_all returns."""
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(lambda step: (step, *run(step, capture=True)), steps))


def run(step, capture=False):
    if not capture:
        print(f"\n--- {step.name}", flush=True)
    start = time.monotonic()
    process = subprocess.run(
        step.command,
        cwd=ROOT,
        env=clean_environment() | step.environment,
        stdout=subprocess.PIPE if capture else None,
        stderr=subprocess.STDOUT if capture else None,
        text=True,
    )
    if capture:
        print(f"\n--- {step.name}\n{process.stdout}", end="", flush=True)
    return process.returncode == 0, time.monotonic() - start


def report(title, results, missing=()):
    """Prints a line per step. Returns the exit code."""
    print(f"\n{title}:")
    for step, passed, seconds in results:
        print(f"  {'passed' if passed else 'FAILED'}  {step.name} ({seconds:.0f} s)")
    for name in missing:
        print(f"  DID NOT RUN: {name}")
    if missing and os.environ.get("CI"):
        return 1
    return 0 if all(passed for _, passed, _ in results) else 1


def install_chromium():
    """Installs Chromium if it is missing. Returns whether it is there."""
    if not shutil.which("chromium-headless-shell"):
        install("chromium-headless-shell", "fonts-noto-cjk")
    return chromium() is not None


if __name__ == "__main__":
    sys.exit(main())
