"""`make test`: everything a change must pass, fast parts first; each suite in two processes, whatever the machine.

What the machine lacks is installed where that is possible (Debian, root). What still cannot run is said plainly, and
under CI it makes the result a failure: a test that did not run has not passed.
"""

import contextlib
import glob
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psycopg

ROOT = Path(__file__).resolve().parent.parent
LOCAL_POSTGRESQL = "postgres://postgres@127.0.0.1:5432/postgres"
PRIVATE_PORT = 54329
VENDORS = ("OPENAI_", "AZURE_", "ANTHROPIC_", "GOOGLE_", "GEMINI_", "OLLAMA_", "LANGSMITH_", "LANGCHAIN_")  # variables


def main():
    missing = []
    with contextlib.ExitStack() as at_the_end:
        postgresql = postgresql_url(at_the_end)
        if not postgresql:
            missing.append("the tests on PostgreSQL (no server answers, and none can be installed here)")
        if not (browser := chromium()):
            missing.append("the browser tests (Chromium is not here and cannot be installed here)")
        results = [(name, *run(name, *command)) for name, command in steps(postgresql, browser)]
    print("\nmake test:")
    for name, passed, seconds in results:
        print(f"  {'passed' if passed else 'FAILED'}  {name} ({seconds:.0f} s)")
    for name in missing:
        print(f"  DID NOT RUN: {name}")
    failed = not all(passed for _, passed, _ in results)
    return 1 if failed or (missing and os.environ.get("CI")) else 0


def steps(postgresql, browser):
    tests = ["pytest", "-q", "-n", "2", "--dist", "worksteal", "-m"]
    units, python = [*tests, "not process and not browser"], [sys.executable, "-m"]
    yield "lint", ([*python, "ruff", "check", "."], {})
    yield "format", ([*python, "ruff", "format", "--check", "."], {})
    yield "migrations", ([sys.executable, "manage.py", "makemigrations", "--check", "--dry-run"], {})
    yield "JavaScript", (["node", "--test", *sorted(glob.glob("tests/js/*.test.js", root_dir=ROOT))], {})
    yield "on SQLite", ([*python, "coverage", "run", "-m", *units], {})
    yield "what was covered, of both processes", ([*python, "coverage", "combine", "-q"], {})
    yield "coverage of branches", ([*python, "coverage", "report"], {})
    if postgresql:
        yield "on PostgreSQL", ([*python, *units], {"DATABASE_URL": postgresql})
    yield "with server processes", ([*python, *tests, "process and not browser"], {"TEST_POSTGRESQL": postgresql or ""})
    if browser:
        yield "with a browser", ([*python, *tests, "browser"], {})


def run(name, command, extra):
    print(f"\n--- {name}", flush=True)
    began = time.monotonic()
    # The suite brings its own surroundings: what a developer has set must not leak into it.
    ours = ("DATABASE_URL", "DEBUG", "SECRET_KEY", "ALLOWED_HOSTS", "CSRF_", "MAX_", "SHUTDOWN_", *VENDORS)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    done = subprocess.run(command, cwd=ROOT, env=environment | extra)
    return done.returncode == 0, time.monotonic() - began


def apt_install(*packages):
    if os.geteuid() == 0 and shutil.which("apt-get"):
        print(f"Installing {', '.join(packages)} …", flush=True)
        environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        for command in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", *packages]):
            subprocess.run(["apt-get", *command], env=environment, stdout=subprocess.DEVNULL)


def chromium():
    if not shutil.which("chromium"):
        apt_install("chromium", "fonts-noto-cjk")
    return shutil.which("chromium")


def answers(url):
    with contextlib.suppress(psycopg.Error):
        psycopg.connect(url, connect_timeout=3).close()
        return True
    return False


def postgresql_url(at_the_end):
    """A server to test on: the one that TEST_DATABASE_URL names, one of our own until the end, or the local one.

    Our own does not wait for the disk, which halves the time.
    """
    named = os.environ.get("TEST_DATABASE_URL")
    if named and answers(named):
        return named
    if not postgresql_programs() and not answers(LOCAL_POSTGRESQL):
        apt_install("postgresql")
    if (programs := postgresql_programs()) and answers(url := own_postgresql(programs, at_the_end)):
        return url
    return LOCAL_POSTGRESQL if answers(LOCAL_POSTGRESQL) else None


def own_postgresql(programs, at_the_end):
    folder = at_the_end.enter_context(tempfile.TemporaryDirectory(prefix="chat-postgresql-"))
    as_user = []
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        shutil.chown(folder, "postgres")
        as_user = ["runuser", "-u", "postgres", "--"]
    initdb, pg_ctl = (str(Path(programs) / program) for program in ("initdb", "pg_ctl"))
    create = [*as_user, initdb, "-A", "trust", "-U", "postgres", "-D", f"{folder}/data"]
    subprocess.run(create, stdout=subprocess.DEVNULL)
    options = f"-p {PRIVATE_PORT} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder} -c fsync=off"
    start = [*as_user, pg_ctl, "-D", f"{folder}/data", "-o", options, "-l", f"{folder}/log", "-w", "start"]
    subprocess.run(start, stdout=subprocess.DEVNULL)
    stop = [*as_user, pg_ctl, "-D", f"{folder}/data", "-m", "immediate", "stop"]
    at_the_end.callback(subprocess.run, stop, stdout=subprocess.DEVNULL)
    return f"postgres://postgres@127.0.0.1:{PRIVATE_PORT}/postgres"


def postgresql_programs():
    folders = sorted(glob.glob("/usr/lib/postgresql/*/bin"), reverse=True)
    if folders:
        return folders[0]
    found = shutil.which("initdb")
    return str(Path(found).parent) if found else None


if __name__ == "__main__":
    sys.exit(main())
