"""Whether the process answers, and whether what it needs is there."""

import threading

import pytest
from django.db import OperationalError
from django.db.backends.base.base import BaseDatabaseWrapper

from chat import views


@pytest.fixture
def without_database(transactional_db, monkeypatch):
    """The database refuses every connection, until the fixture is called."""

    def away(self):
        raise OperationalError("connection refused")

    with monkeypatch.context() as patch:
        patch.setattr(BaseDatabaseWrapper, "ensure_connection", away)
        yield patch.undo


async def test_a_process_that_answers_is_well(client_of):
    answer = await client_of().get("/health")
    assert answer.status_code == 200
    assert answer.content == '{"status": "🤙"}'.encode()
    assert answer["Content-Type"] == "application/json"


async def test_a_process_without_its_database_still_answers(client_of, without_database):
    assert (await client_of().get("/health")).status_code == 200


async def test_a_process_that_has_what_it_needs_is_ready(client_of, transactional_db):
    answer = await client_of().get("/health/ready")
    assert answer.status_code == 200
    assert answer.json() == {"status": "🤙", "down": []}


async def test_a_process_says_what_is_down_and_when_it_is_back(client_of, without_database):
    client = client_of()
    answer = await client.get("/health/ready")
    assert answer.status_code == 503
    assert answer.json() == {"status": "unavailable", "down": ["database"]}
    without_database()
    assert (await client.get("/health/ready")).status_code == 200


async def test_a_database_that_does_not_answer_is_down(client_of, transactional_db, monkeypatch):
    monkeypatch.setattr(views, "PATIENCE", 0.05)
    gate = threading.Event()
    with monkeypatch.context() as patch:
        patch.setattr(BaseDatabaseWrapper, "ensure_connection", lambda self: gate.wait(10))
        answer = await client_of().get("/health/ready")
        gate.set()
    assert answer.status_code == 503
    assert answer.json()["down"] == ["database"]


@pytest.mark.parametrize("path", ["/health", "/health/ready"])
async def test_it_is_only_read(client_of, path):
    assert (await client_of().post(path)).status_code == 405
