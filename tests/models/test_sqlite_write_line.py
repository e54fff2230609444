"""Threads that write to SQLite come in the order in which they asked."""

import random
import threading
import time

import pytest
from django.contrib.auth import get_user_model
from django.db import IntegrityError, OperationalError, connection, transaction

from chat.backends.sqlite3.base import lines, locked
from chat.backends.sqlite3.write_line import WriteLine
from tests.server_process import poll_until
from tests.timeouts import HANG_TIMEOUT

pytestmark = [
    pytest.mark.skipif(connection.vendor != "sqlite", reason="is about SQLite"),
    pytest.mark.django_db(transaction=True),
]


@pytest.fixture
def line():
    return lines[str(connection.settings_dict["NAME"])]


@pytest.fixture
def run_thread():
    """Run a function in a thread that closes its connection. All have ended when the test has."""
    threads = []

    def run(function):
        def run_and_close():
            try:
                function()
            finally:
                connection.close()

        threads.append(threading.Thread(target=run_and_close))
        threads[-1].start()

    yield run
    for thread in threads:
        thread.join(timeout=HANG_TIMEOUT)
        assert not thread.is_alive()


def test_writers_write_in_the_order_of_their_arrival(line, run_thread):
    names = [f"user{number}" for number in range(6)]
    written = []

    def write(name):
        with transaction.atomic():
            get_user_model().objects.create(username=name)
            written.append(name)

    with transaction.atomic():
        for index, name in enumerate(names):
            run_thread(lambda name=name: write(name))
            poll_until(lambda index=index: line.waiting_count == index + 1)
    poll_until(lambda: len(written) == len(names))
    assert written == names


def test_single_statement_waits_its_turn(line, run_thread):
    done = []

    def write():
        get_user_model().objects.filter(username="alice").update(first_name="Alice")
        done.append(True)

    with transaction.atomic():
        run_thread(write)
        poll_until(lambda: line.waiting_count == 1)
        assert not done
    poll_until(lambda: done)


def test_failed_transaction_leaves_the_line(line):
    with pytest.raises(IntegrityError), transaction.atomic():
        for _ in range(2):
            get_user_model().objects.create(username="twice")
    assert line.acquire(timeout=0)
    line.release()


def test_closed_connection_leaves_the_line(line):
    with transaction.atomic():
        connection.close()
    assert line.acquire(timeout=0)
    line.release()


def test_refused_statement_leaves_the_line(line):
    with pytest.raises(OperationalError), connection.cursor() as cursor:
        cursor.execute("INSERT INTO nowhere VALUES (1)")
    assert line.acquire(timeout=0)
    line.release()


def test_wait_for_a_turn_times_out(line, monkeypatch):
    monkeypatch.setitem(connection.settings_dict["OPTIONS"], "timeout", 0.05)
    assert line.acquire(timeout=0)
    try:
        with pytest.raises(OperationalError, match="database is locked"), transaction.atomic():
            pass
        with pytest.raises(OperationalError, match="database is locked"):
            get_user_model().objects.create(username="late")
    finally:
        line.release()
    assert line.waiting_count == 0
    get_user_model().objects.create(username="in-time")
    assert not locked


def test_turn_that_is_given_as_the_wait_ends_is_not_lost():
    line = WriteLine()
    held = []

    def work(seed):
        generator = random.Random(seed)
        for _ in range(300):
            if line.acquire(timeout=generator.uniform(0, 0.002)):
                held.append(True)
                assert len(held) == 1
                time.sleep(generator.uniform(0, 0.001))  # holds it, so that others' waits end meanwhile
                held.pop()
                line.release()

    threads = [threading.Thread(target=work, args=[seed]) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=HANG_TIMEOUT)
    assert line.acquire(timeout=0)
