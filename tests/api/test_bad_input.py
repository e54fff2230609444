"""Invalid input gets a 4xx with an error as the API describes it, and changes nothing. No input causes a 500.

The tests of invalid input to the event stream and the WebSocket are in test_sse and test_websocket.
"""

import base64
import json
import threading
import time
import uuid

import pytest
from asgiref.testing import ApplicationCommunicator
from django.http import HttpRequest

from chat.api import api
from chat.events import Finish, Text
from chat.models import Conversation, Message
from chatsite.asgi import application
from tests import scripted
from tests.assertions import assert_error
from tests.rows import all_rows
from tests.timeouts import HANG_TIMEOUT
from tests.waiting import wait_for_run

pytestmark = pytest.mark.slow


@pytest.fixture
async def conversation(alice, script):
    """A conversation of Alice's with one message. There is also `off`, an assistant that is not enabled."""
    words = await script("words", Text("Hello"), Finish("stop"))
    await script("off", is_enabled=False)
    conversation = await Conversation.objects.acreate(owner=alice, assistant=words, title="Kept")
    await conversation.messages.acreate(role="user", text="Hi")
    return conversation


# Messages -------------------------------------------------------------------------------------------------------------

BAD_TEXTS = {
    "no text": {},
    "null": {"text": None},
    "a number": {"text": 5},
    "true": {"text": True},
    "an array": {"text": ["Hi"]},
    "an object": {"text": {"text": "Hi"}},
    "an empty text": {"text": ""},
    "spaces": {"text": " \t\r\n\v\f"},
    "Japanese spaces": {"text": "\u3000\u3000"},
    "too long": {"text": "字" * 100_001},
    "NUL": {"text": "Hi\0"},
    "half a surrogate pair": {"text": "Hi \ud83e"},
    "the other half": {"text": "\udd19 Hi"},
    "both halves the wrong way round": {"text": "\udd19\ud83e"},
}
BAD_ASSISTANTS = {
    "an unknown assistant": {"assistant": "nobody"},
    "an assistant that is not offered": {"assistant": "off"},
    "an assistant's name": {"assistant": "Words"},
    "a number as assistant": {"assistant": 5},
    "an array as assistant": {"assistant": ["words"]},
    "NUL in the assistant": {"assistant": "words\0"},
    "half a surrogate pair in the assistant": {"assistant": "\ud83e"},
    "a very long assistant": {"assistant": "w" * 10_000},
}
BAD_PARENTS = {
    "a parent that is not an id": {"parent_id": "abc"},
    "a number as parent": {"parent_id": 5},
    "an object as parent": {"parent_id": {}},
    "a parent with NUL": {"parent_id": f"{uuid.uuid4()}\0"},
    "a parent that does not exist": {"parent_id": str(uuid.uuid4())},
}
BAD_MESSAGES = BAD_TEXTS | {name: {"text": "Hi"} | body for name, body in (BAD_ASSISTANTS | BAD_PARENTS).items()}


async def test_message_with_bad_fields_is_refused(client_of, alice, conversation, subtests):
    client, before = client_of(alice), await all_rows()
    for name, body in BAD_MESSAGES.items():
        with subtests.test(name):
            assert_error(await client.send("POST", f"/api/conversations/{conversation.pk}/messages", body))
            if "parent_id" not in body:
                assert_error(await client.send("POST", "/api/chat", body))
                assert_error(await client.send("POST", "/api/chat", body, accept="text/event-stream"))
                assert_error(await client.send("POST", "/api/chat", body | {"conversation_id": str(conversation.pk)}))
            assert await all_rows() == before
            assert scripted.requests == []


async def test_message_of_the_maximum_length_is_accepted(client_of, alice, conversation):
    url, text = f"/api/conversations/{conversation.pk}/messages", "字" * 100_000
    answer = await client_of(alice).send("POST", url, {"text": text})
    assert answer.status_code == 202
    message = await Message.objects.aget(pk=answer.json()["message_id"])
    assert message.text == text
    await wait_for_run(await conversation.runs.aget())


async def test_message_of_the_maximum_length_costs_linear_time(conversation):
    async def seconds_to_store(text, times):
        start = time.process_time()  # unlike the clock, it does not count what other processes do
        for _ in range(times):
            await conversation.messages.acreate(role="user", text=text)
        return time.process_time() - start

    await seconds_to_store("字" * 10_000, 1)  # opens a connection and fills caches
    assert await seconds_to_store("字" * 100_000, 1) < 4 * await seconds_to_store("字" * 10_000, 10)


async def test_parent_in_another_conversation_is_refused(client_of, alice, charlie, conversation):
    client = client_of(alice)
    for owner in (alice, charlie):
        other = await Conversation.objects.acreate(owner=owner)
        message = await other.messages.acreate(role="user", text="Elsewhere")
        before = await all_rows()
        body = {"text": "Hi", "parent_id": str(message.pk)}
        answer = await client.send("POST", f"/api/conversations/{conversation.pk}/messages", body)
        assert assert_error(answer) == "unknown_parent"
        assert await all_rows() == before


async def test_conversation_id_that_is_not_a_uuid_is_refused(client_of, alice, conversation):
    client, before = client_of(alice), await all_rows()
    for conversation_id in ("abc", 5, [], {}, f"{uuid.uuid4()}\0"):
        assert_error(await client.send("POST", "/api/chat", {"text": "Hi", "conversation_id": conversation_id}))
    assert await all_rows() == before


# Conversations --------------------------------------------------------------------------------------------------------

BAD_CONVERSATIONS = BAD_ASSISTANTS | {
    "a number as title": {"title": 5},
    "an array as title": {"title": ["Mine"]},
    "a title that is too long": {"title": "字" * 201},
    "NUL in the title": {"title": "Mine\0"},
    "half a surrogate pair in the title": {"title": "\ud83e"},
}


async def test_conversation_with_bad_fields_is_refused(client_of, alice, conversation, subtests):
    client, before = client_of(alice), await all_rows()
    for name, body in BAD_CONVERSATIONS.items():
        with subtests.test(name):
            assert_error(await client.send("POST", "/api/conversations", body))
            assert_error(await client.send("PATCH", f"/api/conversations/{conversation.pk}", body))
            assert await all_rows() == before


async def test_regenerate_with_a_bad_assistant_is_refused(client_of, alice, finished_run, script, subtests):
    await script("off", is_enabled=False)
    run = await finished_run("one")
    client, before = client_of(alice), await all_rows()
    for name, body in BAD_ASSISTANTS.items():
        with subtests.test(name):
            assert_error(await client.send("POST", f"/api/messages/{run.message_id}/regenerate", body))
            assert await all_rows() == before


# Bodies that are not JSON ---------------------------------------------------------------------------------------------

JSON, FORM, MULTIPART = "application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=b"
BAD_JSON = {
    "half an object": (b'{"text": "Hi"', JSON),
    "a word": (b"hello", JSON),
    "bytes that are not UTF-8": (b'{"text": "\xff\xfe"}', JSON),
    "half a UTF-8 character": (b'{"text": "\xe6\x97"}', JSON),
    "a raw line break in a text": (b'{"text": "a\nb"}', JSON),
    "single quotes": (b"{'text': 'Hi'}", JSON),
    "an array": (b'[{"text": "Hi"}]', JSON),
    "an empty array": (b"[]", JSON),
    "a text": (b'"Hi"', JSON),
    "a number": (b"5", JSON),
    "true": (b"true", JSON),
    "NaN": (b'{"text": NaN, "title": NaN}', JSON),
    "an infinite number": (b'{"text": 1e999, "title": -1e999, "assistant": 1e999}', JSON),
    "a number of many digits": (b'{"text": ' + b"9" * 10_000 + b"}", JSON),
    "deeply nested": (b"[" * 100_000, JSON),
    "a deeply nested value": (b'{"text": "Hi", "title": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", JSON),
    "a form": (b"text=Hi&title=Mine", FORM),
    "a form with files": (b'--b\r\nContent-Disposition: form-data; name="text"\r\n\r\nHi\r\n--b--\r\n', MULTIPART),
    "half a form with files": (b"--b\r\nContent-Disp", MULTIPART),
    "a form with files and no boundary": (b"--b", "multipart/form-data"),
    "an unknown encoding": (b"text=Hi", f"{FORM}; charset=nonsense"),
    "plain text": (b"Hi", "text/plain"),
    "no content type": (b"Hi", ""),
    "compressed": (b"\x1f\x8b\x08\x00", JSON),
}


async def test_body_that_is_not_json_is_refused(client_of, alice, conversation, subtests):
    client, before = client_of(alice), await all_rows()
    for name, (body, content_type) in BAD_JSON.items():
        with subtests.test(name):
            for method, path in (
                ("POST", "/api/conversations"),
                ("PATCH", f"/api/conversations/{conversation.pk}"),
                ("POST", f"/api/conversations/{conversation.pk}/messages"),
                ("POST", "/api/chat"),
            ):
                assert_error(await client.generic(method, path, body, content_type))
            assert await all_rows() == before


@pytest.mark.parametrize("body", [b"", b"null"])
async def test_body_that_is_empty_is_refused(client_of, alice, conversation, body):
    client, before = client_of(alice), await all_rows()
    for path in ("/api/conversations", f"/api/conversations/{conversation.pk}/messages", "/api/chat"):
        assert_error(await client.generic("POST", path, body, JSON))
    assert await all_rows() == before


# Queries, headers and paths -------------------------------------------------------------------------------------------


def encode_cursor(text):
    return base64.urlsafe_b64encode(text.encode()).decode()


BAD_QUERIES = {
    "limit 0": {"limit": "0"},
    "limit -1": {"limit": "-1"},
    "limit 101": {"limit": "101"},
    "limit 1e999": {"limit": "1e999"},
    "limit of many digits": {"limit": "9" * 5000},
    "limit 1.5": {"limit": "1.5"},
    "limit abc": {"limit": "abc"},
    "empty limit": {"limit": ""},
    "NUL in the limit": {"limit": "5\0"},
    "q too long": {"q": "字" * 201},
    "NUL in q": {"q": "Hi\0"},
    "an invalid cursor": {"cursor": "x"},
    "a cursor of other characters": {"cursor": "é日本"},
    "a cursor of other bytes": {"cursor": base64.urlsafe_b64encode(b"\xff\xfe \xff").decode()},
    "a cursor of one word": {"cursor": encode_cursor("2026-01-01T00:00:00+00:00")},
    "a cursor of three": {"cursor": encode_cursor(f"2026-01-01T00:00:00+00:00 {uuid.uuid4()} 1")},
    "a cursor without a time": {"cursor": encode_cursor(f"yesterday {uuid.uuid4()}")},
    "a cursor without a time zone": {"cursor": encode_cursor(f"2026-01-01T00:00:00 {uuid.uuid4()}")},
    "a cursor without an id": {"cursor": encode_cursor("2026-01-01T00:00:00+00:00 abc")},
    "a cursor before all time": {"cursor": encode_cursor(f"0001-01-01T00:00:00+23:59 {uuid.uuid4()}")},
    "a cursor after all time": {"cursor": encode_cursor(f"9999-12-31T23:59:59-23:59 {uuid.uuid4()}")},
    "a cursor with NUL": {"cursor": encode_cursor(f"2026-01-01T00:00:00+00:00 {uuid.uuid4()}\0")},
    "a very long cursor": {"cursor": "A" * 10_000},
}


async def test_query_with_bad_values_is_refused(client_of, alice, subtests):
    client = client_of(alice)
    for name, query in BAD_QUERIES.items():
        with subtests.test(name):
            assert_error(await client.get("/api/conversations", query))


@pytest.mark.parametrize("key", ["k" * 201, "k\0"])
async def test_idempotency_key_that_is_invalid_is_refused(client_of, alice, conversation, finished_run, key):
    run = await finished_run("one")
    client, before = client_of(alice), await all_rows()
    for path in (
        f"/api/conversations/{conversation.pk}/messages",
        f"/api/messages/{run.message_id}/regenerate",
        "/api/chat",
    ):
        assert_error(await client.send("POST", path, {"text": "Hi"}, idempotency_key=key))
    assert await all_rows() == before


async def test_path_that_does_not_exist_is_404(client_of, alice, conversation):
    client, before = client_of(alice, enforce_csrf_checks=True), await all_rows()
    paths = (
        "/api/nothing",
        "/api/conversations/",
        "/api/conversations/abc",
        f"/api/conversations/{conversation.pk}/",
        f"/api/conversations/{conversation.pk}/nothing",
        f"/api/conversations/{conversation.pk}%00",
        f"/api/conversations/{str(conversation.pk)[:-1]}",
        "/api/runs/1/events",
        "/api/messages/１/regenerate",
        "/api/../admin",
    )
    for path in paths:
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
            assert assert_error(await client.send(method, path, {"text": "Hi"}), 404) == "not_found", (method, path)
    assert await all_rows() == before


def methods_by_path():
    """Returns {path: methods} of every call of the API."""
    return {
        path: {method.upper() for method in operations}
        for path, operations in api.get_openapi_schema()["paths"].items()
    }


async def test_method_that_does_not_exist_is_405(client_of, alice, finished_run, subtests):
    run = await finished_run("one")
    client, before = client_of(alice), await all_rows()
    for path, methods in methods_by_path().items():
        with subtests.test(path):
            for method in {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "QUERY"} - methods:
                answer = await client.send(method, path.format(**path_parameters(run)), {"text": "Hi"})
                if method == "HEAD":
                    assert answer.status_code == 405
                else:
                    assert assert_error(answer, 405) == "method_not_allowed"
                assert set(answer["Allow"].split(", ")) == methods
            assert await all_rows() == before


async def test_pages_allow_only_safe_methods(client_of, alice):
    for path in ("/api/openapi.json", "/api/docs"):
        assert assert_error(await client_of(alice).send("POST", path, {}), 405) == "method_not_allowed"


# Users, CSRF and hosts ------------------------------------------------------------------------------------------------


def path_parameters(run):
    """Returns values for the parameters in the paths of calls."""
    ids = {"conversation_id": run.conversation_id, "message_id": run.message_id, "run_id": run.pk}
    return ids | {"attachment_id": uuid.uuid4(), "token": "token"}


def writing_calls(run):
    """Yields (method, path, body, code) of the calls that change something; `code` is the error they get, or None."""
    conversation, message = f"/api/conversations/{run.conversation_id}", f"/api/messages/{run.message_id}"
    yield "POST", "/api/conversations", {}, None
    yield "POST", f"{message}/edit", {"text": "Hi"}, "not_a_user_message"
    yield "POST", f"{message}/continue", None, "not_broken_off"
    yield "PUT", f"{message}/feedback", {"rating": "up"}, None
    yield "DELETE", message, None, "begun"
    yield "POST", f"{message}/regenerate", None, None
    yield "POST", f"{conversation}/messages", {"text": "Hi"}, None
    yield "POST", f"/api/runs/{run.pk}/cancel", None, None
    yield "POST", f"/api/runs/{run.pk}/resume", {"resume": [{"interruptId": "1", "status": "cancelled"}]}, "not_waiting"
    yield "POST", "/api/chat", {"text": "Hi", "assistant": "words"}, None
    yield "POST", "/api/attachments", None, "invalid"
    yield "POST", "/api/import", None, "invalid"
    yield "PATCH", "/api/me", {"theme": "dark"}, None
    yield "POST", f"{conversation}/shares", None, None
    yield "DELETE", "/api/shares/token", None, "not_found"
    yield "POST", "/api/shares/token/copies", None, "not_found"
    yield "PATCH", conversation, {"title": "Mine"}, None
    yield "DELETE", conversation, None, None
    yield "POST", f"{conversation}/restore", None, None
    yield "POST", f"{conversation}/keep", None, None


async def test_csrf_tests_cover_every_call_that_changes_something(finished_run):
    run = await finished_run("one")
    known = {(method, path) for method, path, *_ in writing_calls(run)}
    assert known == {
        (m, path.format(**path_parameters(run)))
        for path, methods in methods_by_path().items()
        for m in methods - {"GET"}
    }


async def test_csrf_token_that_is_missing_or_wrong_changes_nothing(client_of, alice, finished_run):
    run = await finished_run("one")
    client = client_of(alice, enforce_csrf_checks=True)
    await client.get("/api/assistants")
    before = await all_rows()
    for token, headers in (
        (None, {}),
        (None, {"X-CSRFToken": "a" * 32}),
        ("a" * 32, {}),
        ("a" * 32, {"X-CSRFToken": "b" * 32}),
        ("a" * 32, {"X-CSRFToken": "nonsense"}),
        ("a" * 32, {"X-CSRFToken": "a" * 32, "Origin": "https://evil.example"}),
        ("a" * 32, {"X-CSRFToken": "a" * 32, "Origin": "null"}),
    ):
        client.cookies.pop("csrftoken", None)
        if token:
            client.cookies["csrftoken"] = token
        for method, path, body, _ in writing_calls(run):
            assert assert_error(await client.send(method, path, body, **headers), 403) == "csrf"
    assert await all_rows() == before


async def test_csrf_token_allows_the_change(client_of, alice, finished_run):
    run = await finished_run("one")
    client = client_of(alice, enforce_csrf_checks=True)
    client.cookies["csrftoken"] = "a" * 32
    for method, path, body, code in writing_calls(run):
        answer = await client.send(method, path, body, **{"X-CSRFToken": "a" * 32, "Origin": "http://testserver"})
        if code:  # an error that only a request past the CSRF check can get
            assert assert_error(answer, answer.status_code) == code, path
        else:
            assert answer.status_code < 300, path


async def test_anonymous_changes_nothing(client_of, finished_run):
    run = await finished_run("one")
    before = await all_rows()
    for method, path, body, _ in writing_calls(run):
        assert assert_error(await client_of().send(method, path, body), 401) == "not_authenticated"
    assert await all_rows() == before


async def test_unknown_host_is_refused(client_of, alice):
    answer = await client_of(alice).send("GET", "/api/assistants", host="evil.example")
    assert answer.status_code == 400


async def test_body_that_is_too_large_is_refused(client_of, alice, conversation, settings):
    """Sends it through the whole ASGI application: Django alone would have stored the body first."""
    client = client_of()
    await client.aforce_login(alice)
    scope = {
        "type": "http",
        "method": "POST",
        "path": f"/api/conversations/{conversation.pk}/messages",
        "query_string": b"",
        "headers": [
            (b"host", b"testserver"),
            (b"content-type", b"application/json"),
            (b"x-csrftoken", b"a" * 32),
            (b"cookie", f"csrftoken={'a' * 32}; sessionid={client.cookies['sessionid'].value}".encode()),
        ],
    }
    before = await all_rows()
    for body, status in ((b'{"text": "Hi"}', 202), (b'{"text": "Hi"' + b" " * settings.MAX_BODY_BYTES + b"}", 413)):
        site = ApplicationCommunicator(application, scope | {"headers": list(scope["headers"])})
        await site.send_input({"type": "http.request", "body": body})
        assert (await site.receive_output(HANG_TIMEOUT))["status"] == status
        data = json.loads((await site.receive_output(HANG_TIMEOUT))["body"])
        if status == 413:
            assert data["error"]["code"] == "too_large"
            assert await all_rows() == before
        else:
            await wait_for_run(await conversation.runs.aget(pk=data["run_id"]))
            before = await all_rows()
        await site.wait(HANG_TIMEOUT)


@pytest.mark.parametrize(
    ("body", "content_type"), [BAD_JSON["a form"], BAD_JSON["a form with files"]], ids=["form", "files"]
)
async def test_form_is_read_outside_the_event_loop(client_of, alice, monkeypatch, body, content_type):
    threads, load = [], HttpRequest._load_post_and_files

    def record_thread(request):
        threads.append(threading.current_thread())
        load(request)

    monkeypatch.setattr(HttpRequest, "_load_post_and_files", record_thread)
    client = client_of(alice, enforce_csrf_checks=True)
    await client.generic("POST", "/api/conversations", body, content_type)
    assert threads and threading.current_thread() not in threads
