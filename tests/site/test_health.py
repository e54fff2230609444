"""/health and /health/ready."""

import asyncio
import threading

import pytest
from asgiref.sync import ThreadSensitiveContext
from django.core.handlers.asgi import ASGIHandler
from django.db import OperationalError
from django.db.backends.base.base import BaseDatabaseWrapper

from chat import engine, health, readiness
from chat.models import ServerProcess
from chatsite.asgi import application
from tests.clients import asgi_request, asgi_response
from tests.timeouts import GATE_TIMEOUT, HANG_TIMEOUT


@pytest.fixture
def without_database(transactional_db, monkeypatch):
    """The database refuses every connection, until the fixture is called."""

    def away(self):
        raise OperationalError("connection refused")

    with monkeypatch.context() as patch:
        patch.setattr(BaseDatabaseWrapper, "ensure_connection", away)
        yield patch.undo


async def test_health_is_ok_if_the_process_answers(client_of):
    answer = await client_of().get("/health")
    assert answer.status_code == 200
    assert answer.content == '{"status": "🤙"}'.encode()
    assert answer["Content-Type"] == "application/json"


async def test_health_is_ok_without_the_database(client_of, without_database):
    assert (await client_of().get("/health")).status_code == 200


async def test_ready_is_ok_with_the_database(client_of, transactional_db):
    answer = await client_of().get("/health/ready")
    assert answer.status_code == 200
    assert answer.json() == {"status": "🤙", "down": []}


async def test_ready_reports_what_is_down_until_it_is_back(client_of, without_database, monkeypatch):
    monkeypatch.setattr(readiness, "CHECK_INTERVAL", 0)
    client = client_of()
    answer = await client.get("/health/ready")
    assert answer.status_code == 503
    assert answer.json() == {
        "status": "unavailable",
        "down": ["database"],
        "reasons": {"database": "the database cannot be reached or does not answer"},
    }
    without_database()
    assert (await client.get("/health/ready")).status_code == 200


async def test_ready_counts_a_silent_database_as_down(client_of, transactional_db, monkeypatch):
    monkeypatch.setattr(readiness, "DATABASE_TIMEOUT", 0.05)
    gate = threading.Event()
    with monkeypatch.context() as patch:
        patch.setattr(BaseDatabaseWrapper, "ensure_connection", lambda self: gate.wait(GATE_TIMEOUT))
        answer = await client_of().get("/health/ready")
        gate.set()
    assert answer.status_code == 503
    assert answer.json()["down"] == ["database"]


async def test_ready_writes_once_for_concurrent_requests(client_of, transactional_db, monkeypatch):
    calls = []
    monkeypatch.setattr(readiness, "CHECK_INTERVAL", HANG_TIMEOUT)
    write = readiness._write_problem
    monkeypatch.setattr(readiness, "_write_problem", lambda: calls.append(1) or write())
    client = client_of()
    answers = await asyncio.gather(*(client.get("/health/ready") for _ in range(20)))
    assert {answer.status_code for answer in answers} == {200}
    assert len(calls) == 1
    assert not await ServerProcess.objects.exclude(pk=engine.current().process_id).aexists()


async def test_ready_queries_a_silent_database_once(client_of, transactional_db, monkeypatch):
    monkeypatch.setattr(readiness, "DATABASE_TIMEOUT", 0.05)
    monkeypatch.setattr(readiness, "CHECK_INTERVAL", 0)
    gate, calls = threading.Event(), []
    monkeypatch.setattr(readiness, "_write_problem", lambda: calls.append(1) or gate.wait(GATE_TIMEOUT))
    for _ in range(3):
        assert (await client_of().get("/health/ready")).json()["down"] == ["database"]
    gate.set()
    assert len(calls) == 1


async def test_ready_is_down_when_the_disk_is_nearly_full(client_of, transactional_db, settings):
    settings.MIN_FREE_DISK_BYTES = 10**18
    answer = await client_of().get("/health/ready")
    assert answer.status_code == 503
    assert answer.json()["down"] == ["disk"]


async def test_ready_is_down_while_as_many_runs_wait_as_may_run(client_of, slow, ask, script, settings):
    settings.MAX_RUNS = 1
    async with slow() as gate:
        assistant = await script("slow", gate.wait)
        await ask(assistant)
        await ask(assistant)
        answer = await client_of().get("/health/ready")
    assert answer.status_code == 503
    assert answer.json()["down"] == ["queue"]


async def test_ready_is_down_during_shutdown(client_of, transactional_db):
    engine.current().begin_shutdown()
    answer = await client_of().get("/health/ready")
    assert answer.status_code == 503
    assert answer.json()["down"] == ["shutdown"]


@pytest.mark.parametrize("path", ["/health", "/health/ready"])
async def test_health_allows_only_safe_methods(client_of, path):
    assert (await client_of().post(path)).status_code == 405


@pytest.mark.parametrize(("method", "body"), [("GET", health.HEALTHY), ("HEAD", b"")])
async def test_health_is_answered_without_body_thread_or_django(monkeypatch, method, body):
    for wrapper in (ASGIHandler, ThreadSensitiveContext):
        monkeypatch.setattr(wrapper, "__call__" if wrapper is ASGIHandler else "__aenter__", None)
    site = asgi_request(application, (b"content-length", b"5"), path="/health", method=method)
    status, headers, content = await asgi_response(site)
    assert (status, headers[b"content-type"], content) == (200, b"application/json", body)
