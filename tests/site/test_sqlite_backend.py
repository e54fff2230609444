"""Connections to a SQLite file that was moved, replaced or could not be written."""

import sqlite3
from contextlib import closing

import pytest
from django.db import OperationalError

from chat.backends.sqlite3.base import DatabaseWrapper
from chatsite.settings import DATABASES


@pytest.fixture
def database(tmp_path, transactional_db):
    """A connection to a file of its own, with a table."""
    path = tmp_path / "own.sqlite3"
    options = {"transaction_mode": "IMMEDIATE", "timeout": 5}
    settings = {**DATABASES["default"], "NAME": path, "OPTIONS": options, "TIME_ZONE": None}
    settings |= {"AUTOCOMMIT": True, "CONN_MAX_AGE": None, "CONN_HEALTH_CHECKS": False}
    database = DatabaseWrapper(settings)
    database.cursor().execute("CREATE TABLE words (word)")
    yield database
    database.close()


def rows(path):
    with closing(sqlite3.connect(path)) as other:
        return other.execute("SELECT word FROM words").fetchall()


def test_moved_file_is_not_written_nor_replaced_by_an_empty_one(database, tmp_path):
    path, moved = tmp_path / "own.sqlite3", tmp_path / "moved.sqlite3"
    path.rename(moved)
    with pytest.raises(OperationalError, match="unable to open"):
        database.cursor().execute("INSERT INTO words VALUES ('lost')")
    assert not path.exists()
    moved.rename(path)
    database.cursor().execute("INSERT INTO words VALUES ('kept')")
    assert rows(path) == [("kept",)]


def test_file_that_was_replaced_is_written(database, tmp_path):
    path, backup = tmp_path / "own.sqlite3", tmp_path / "backup.sqlite3"
    backup.write_bytes(path.read_bytes())
    backup.rename(path)
    database.cursor().execute("INSERT INTO words VALUES ('kept')")
    assert rows(path) == [("kept",)]


def test_file_that_can_be_written_again_is_written(database, tmp_path):
    path = tmp_path / "own.sqlite3"
    read_only = sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None)
    with closing(database.connection):
        database.connection = read_only
    with pytest.raises(OperationalError, match="readonly"):
        database.cursor().execute("INSERT INTO words VALUES ('refused')")
    database.cursor().execute("INSERT INTO words VALUES ('kept')")
    assert rows(path) == [("kept",)]
