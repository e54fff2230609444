"""A database from before version 0.1.0: `migrate` and `prepare` say how to move, and leave it as it is."""

import sqlite3
import subprocess
import sys

import pytest
from django.db.migrations.loader import MigrationLoader

from chat.management.old_database import MESSAGE, OLD_MIGRATIONS
from scripts.environment import ROOT, clean_environment

pytestmark = pytest.mark.slow


@pytest.fixture
def path(tmp_path):
    return tmp_path / "old.sqlite3"


@pytest.fixture
def old_database(path):
    """What the first release candidates left, as far as `migrate` looks at it."""
    with sqlite3.connect(path) as connection:
        connection.execute(
            "CREATE TABLE django_migrations (id integer PRIMARY KEY, app text, name text, applied datetime)"
        )
        connection.execute("CREATE TABLE chat_conversation (id char(32) PRIMARY KEY, title text)")
        connection.execute("INSERT INTO chat_conversation VALUES ('1', 'Dear')")
        rows = [key for key in MigrationLoader(None).disk_migrations if key[0] in ("auth", "contenttypes")]
        rows += [("chat", name) for name in ["0001_initial", *sorted(OLD_MIGRATIONS)]]
        connection.executemany("INSERT INTO django_migrations (app, name, applied) VALUES (?, ?, '2026-11-20')", rows)
    connection.close()
    return path


def dump(path):
    connection = sqlite3.connect(path)
    lines = list(connection.iterdump())
    connection.close()
    return lines


def manage(path, *arguments):
    environment = clean_environment() | {"DATABASE_URL": f"sqlite:///{path}"}
    command = [sys.executable, "manage.py", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)


@pytest.mark.parametrize("command", ["migrate", "prepare"])
def test_old_database_is_refused_with_instructions_and_not_changed(old_database, command):
    before = dump(old_database)
    done = manage(old_database, command)
    assert done.returncode == 1
    assert done.stderr == f"CommandError: {MESSAGE}\n"
    assert dump(old_database) == before


def test_new_database_can_be_migrated_repeatedly(path):
    for _ in range(2):
        done = manage(path, "migrate", "--verbosity", "0")
        assert done.returncode == 0, done.stderr
    assert any("accounts_preferences" in line for line in dump(path))


def test_old_migrations_are_not_among_the_current_ones():
    today = {path.stem for path in (ROOT / "chat" / "migrations").glob("0*.py")}
    assert not today & OLD_MIGRATIONS
