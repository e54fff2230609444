"""The errors that users see at each entry point while the database cannot be used."""

import asyncio
from contextlib import contextmanager

import psycopg
import pytest
from django.db import IntegrityError, InternalError, OperationalError
from django.db.backends.base.base import BaseDatabaseWrapper

from chat import broadcast, outages
from chat.live.routing import TRY_AGAIN_LATER
from tests.waiting import wait_until


@pytest.fixture
def without_database(transactional_db):
    """`with without_database():` the database refuses every statement, or raises the given exception."""

    @contextmanager
    def refuse(error=None):
        def cursor(self, *args, **kwargs):
            raise error or OperationalError("connection to server failed: secret-host")

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(BaseDatabaseWrapper, "cursor", cursor)
            yield

    return refuse


@pytest.mark.parametrize(
    ("error", "cause", "code"),
    [
        (OperationalError("database is locked"), None, "database_busy"),
        (OperationalError("database or disk is full"), None, "storage_full"),
        (OperationalError("disk I/O error"), None, "storage_failed"),
        (OperationalError("attempt to write a readonly database"), None, "database_read_only"),
        (OperationalError("unable to open database file"), None, "database_unavailable"),
        (InternalError("cannot execute INSERT"), psycopg.errors.ReadOnlySqlTransaction(), "database_read_only"),
        (OperationalError("could not extend file"), psycopg.errors.DiskFull(), "storage_full"),
        (OperationalError("canceling statement"), psycopg.errors.QueryCanceled(), "database_busy"),
        (InternalError("terminating"), psycopg.errors.IdleInTransactionSessionTimeout(), "database_busy"),
        (OperationalError("the connection is closed"), psycopg.OperationalError(), "database_unavailable"),
    ],
)
def test_outage_is_recognized_by_its_error(error, cause, code):
    error.__cause__ = cause
    assert outages.outage(error).code == code


@pytest.mark.parametrize("error", [None, ValueError(), IntegrityError(), InternalError("in a transaction that failed")])
def test_other_errors_are_not_outages(error):
    assert outages.outage(error) is None


def assert_refused(answer):
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == str(outages.RETRY_DELAY)
    assert b"secret-host" not in answer.content


async def test_api_answers_503_with_a_sentence(client_of, alice, conversation, without_database):
    client = client_of()
    await client.aforce_login(alice)
    with without_database():
        for method, path, data in (
            ("GET", "/api/conversations", None),
            ("POST", f"/api/conversations/{conversation.pk}/messages", {"text": "Hi"}),
        ):
            answer = await client.send(method, path, data)
            assert_refused(answer)
            assert answer.json()["error"] == {
                "code": "database_unavailable",
                "message": "The database cannot be reached right now. Try again in a moment.",
            }


async def test_page_answers_503_with_a_sentence_in_the_users_language(client_of, alice, without_database):
    client = client_of(raise_request_exception=False)
    await client.aforce_login(alice)
    with without_database():
        for path in ("/", "/admin/"):
            answer = await client.get(path, headers={"accept-language": "ja"})
            assert_refused(answer)
            assert "データベースに接続できません" in answer.content.decode()


async def test_other_error_is_a_500(client_of, alice, without_database):
    client = client_of(raise_request_exception=False)
    await client.aforce_login(alice)
    with without_database(ZeroDivisionError()):
        assert (await client.get("/")).status_code == 500
        answer = await client.get("/api/conversations")
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "server_error")


async def test_socket_command_gets_the_error_and_the_socket_stays_open(
    socket_of, alice, conversation, without_database
):
    async with socket_of(alice, conversation) as socket:
        with without_database():
            await socket.send_command({"type": "message.create", "text": "Hi"})
            assert (await socket.receive_event("error"))["error"]["code"] == "database_unavailable"
        await socket.ask()


async def test_socket_that_needs_the_database_is_closed_and_leaves_no_task(
    socket_of, alice, conversation, without_database
):
    async with socket_of(alice, path="/ws/news") as socket:
        with without_database():
            await broadcast.notify_user(alice.pk, conversation.pk)
            assert await socket.close_code() == TRY_AGAIN_LATER
    await wait_until(lambda: not any("_close_in_time" in repr(task) for task in asyncio.all_tasks()))
