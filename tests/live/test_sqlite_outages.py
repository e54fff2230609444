"""SQLite while it is locked, cannot be written or has gone, with one server process and with two.

A limit of the processes' file size stands for a full disk, since not every machine can mount a disk for it.
"""

import os
import sqlite3
from contextlib import closing

import pytest

from tests.live.outages import Cluster, scene

pytestmark = [pytest.mark.process, pytest.mark.slow]

FILE_LIMIT = 100_000  # bytes; the database is larger, the processes' logs are smaller


@pytest.fixture(scope="module", params=[1, 2], ids=["one process", "two processes"])
def cluster(request, tmp_path_factory):
    with Cluster(tmp_path_factory.mktemp("site"), request.param) as cluster:
        yield cluster.start()


@pytest.fixture
def path(cluster):
    return cluster.sites[0].environment["DATABASE_URL"].removeprefix("sqlite:///")


def test_locked(cluster, path, tmp_path):
    with scene(cluster, tmp_path / "gate") as users:
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            users.assert_down("lock", "database_busy")
        users.assert_back()


def limit_file_size(cluster, limit):
    for site in cluster.sites:
        site.limit_file_size(limit)


def test_disk_refuses_to_write(cluster, tmp_path):
    with scene(cluster, tmp_path / "gate") as users:
        limit_file_size(cluster, FILE_LIMIT)
        try:
            users.assert_down("refuses to write", "storage_failed")
        finally:
            limit_file_size(cluster, None)
        users.assert_back()


def test_moved(cluster, path, tmp_path):
    with scene(cluster, tmp_path / "gate") as users:
        os.rename(path, f"{path}.moved")
        try:
            users.assert_down("does not exist", "database_unavailable")
            assert not os.path.exists(path)  # no empty database was put there
        finally:
            os.rename(f"{path}.moved", path)
        users.assert_back()
