"""The log under attack: what repeats is counted, and the first of it and real errors are there."""

import contextlib
import io
import logging
import logging.config

import pytest
import uvicorn
from django.conf import settings
from django.db import DatabaseError, InterfaceError, OperationalError, connection

from chat import logs


@pytest.fixture
def log():
    """`log(level, message, *args)` writes to a logger with the site's handler, whose lines are in `log.lines()`."""
    handler = logs.CountingHandler(io.StringIO())
    handler.setFormatter(logging.Formatter("{levelname} {message}", style="{"))
    logger = logging.Logger("tests.logs")
    logger.addHandler(handler)

    def write(level, message, *args, **kwargs):
        logger.log(level, message, *args, **kwargs)

    write.handler = handler
    write.logger = logger
    write.text = handler.stream.getvalue
    write.lines = lambda: write.text().splitlines()
    yield write
    handler.close()


def failure(log, error):
    try:
        raise error
    except Exception as error:
        log(logging.ERROR, "It failed", exc_info=error)


def test_outage_of_the_database_is_one_line(log):
    failure(log, OperationalError("connection refused\n\tIs the server running?"))
    assert log.lines() == ["ERROR It failed: connection refused Is the server running?"]


def test_outages_at_different_places_are_logged_separately(log):
    for error in (OperationalError("database is locked"), InterfaceError("connection closed")):
        failure(log, error)
    assert len(log.lines()) == 2


def test_error_in_a_statement_has_its_traceback(log, transactional_db):
    try:
        connection.cursor().execute("SELECT no_such_column")
    except DatabaseError as error:
        log(logging.ERROR, "It failed", exc_info=error)
    assert "Traceback" in log.text()


def test_warning_that_repeats_is_one_line_and_a_count(log):
    for number in range(1_000):
        log(logging.WARNING, "Not found: %s", f"/{number}")
    assert log.lines() == ["WARNING Not found: /0"]
    log.handler.summarize()
    assert len(log.lines()) == 2
    assert log.lines()[1].startswith("WARNING Not found: /999 (999 more like this in ")


def test_warning_that_repeats_is_counted_once_per_interval(log, monkeypatch):
    monkeypatch.setattr(logs, "REPEAT_INTERVAL", 0)
    log(logging.WARNING, "Again")
    log(logging.WARNING, "Again")
    assert log.lines() == ["WARNING Again"] * 2


def test_warnings_that_differ_are_all_written(log):
    log(logging.WARNING, "One")
    log(logging.WARNING, "Two")
    log(logging.ERROR, "Two")
    log(logging.WARNING, "Three", extra={"status_code": 404})
    log(logging.WARNING, "Three", extra={"status_code": 400})
    assert len(log.lines()) == 5


def test_information_is_never_counted(log):
    for _ in range(3):
        log(logging.INFO, "A request")
    assert log.lines() == ["INFO A request"] * 3


def test_error_that_repeats_has_its_traceback_once_and_with_its_count(log):
    for _ in range(5):
        failure(log, ValueError("the value"))
    assert log.text().count("Traceback") == 1
    log.handler.summarize()
    assert log.text().count("Traceback") == 2
    assert "It failed (4 more like this in " in log.text()
    log.handler.summarize()  # nothing more came
    assert log.text().count("Traceback") == 2


def test_errors_of_different_types_or_places_have_a_traceback_each(log):
    failure(log, ValueError())
    failure(log, KeyError())
    try:
        raise ValueError
    except ValueError as error:
        log(logging.ERROR, "It failed", exc_info=error)
    assert log.text().count("Traceback") == 3


def test_refused_request_has_no_traceback(log):
    error = ValueError("no boundary")
    log(logging.ERROR, "Bad Request: %s", "/", exc_info=error, extra={"status_code": 400})
    assert "Traceback" not in log.text()
    log(logging.ERROR, "Internal Server Error: %s", "/", exc_info=error, extra={"status_code": 500})
    assert "ValueError" in log.text()


def test_counts_are_written_at_the_end_of_the_process(log):
    log(logging.WARNING, "Again")
    log(logging.WARNING, "Again")
    log.handler.close()
    assert "1 more like this" in log.text()


def test_memory_for_different_messages_is_bounded(log, monkeypatch):
    monkeypatch.setattr(logs, "MAX_KEYS", 10)
    for number in range(1_000):
        log(logging.WARNING, f"Message {number}")
    assert len(log.handler.repeats) <= 11
    assert len(log.lines()) <= 11


async def test_scan_of_addresses_and_hosts_is_a_few_lines_without_tracebacks(client_of, log, transactional_db):
    loggers = [logging.getLogger("django"), logging.getLogger("uvicorn.error"), logging.getLogger()]
    for logger in loggers:
        logger.addHandler(log.handler)
    try:
        client = client_of()
        for number in range(50):
            await client.get(f"/wp-login-{number}.php")
            await client.delete("/health")
            await client.get("/", headers={"host": f"evil{number}.example"})
            await client.post("/accounts/login/", b"x", content_type="multipart/form-data")
    finally:
        for logger in loggers:
            logger.removeHandler(log.handler)
    assert "Traceback" not in log.text()
    assert len(log.lines()) <= 10


def test_log_of_the_server_is_counted_and_keeps_the_level_of_its_options():
    with uvicorn_config(log_level="error", access_log=False):
        server = logging.getLogger("uvicorn.error")
        assert [type(handler) for handler in server.handlers] == [logs.CountingHandler]
        assert (server.level, server.propagate) == (logging.ERROR, False)
        access = logging.getLogger("uvicorn.access")
        assert (access.handlers, access.propagate) == ([], False)


@contextlib.contextmanager
def uvicorn_config(**options):
    """Configures logging as uvicorn does and then Django, when it loads the site."""
    names = ("uvicorn", "uvicorn.error", "uvicorn.access", "uvicorn.asgi")
    before = {name: dict(vars(logging.getLogger(name))) for name in names}
    try:
        uvicorn.Config("chatsite.asgi:application", **options)
        logging.config.dictConfig(settings.LOGGING)
        yield
    finally:
        for name, values in before.items():
            vars(logging.getLogger(name)).update(values)
