"""Requests to /v1 that make no sense: OpenAI's error body with the parameter's name, and nothing is changed."""

import base64
import json

import pytest

from accounts.models import ApiKey
from chat.asgi.bodies import limit_body
from chatsite.asgi import application
from tests import scripted
from tests.clients import asgi_request, asgi_response
from tests.gateways.openai.conftest import HI, URL
from tests.images import PICTURE
from tests.rows import all_rows

USER = {"role": "user", "content": "Hi"}
PICTURE_URL = "data:image/png;base64," + base64.b64encode(PICTURE).decode()


def image(url):
    return [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}]


@pytest.fixture
async def sees(words):
    words.sees_images = True
    await words.asave()


def assert_error(answer, status, code, param):
    error = answer.json()["error"]
    assert error.keys() == {"message", "type", "param", "code"}
    assert (answer.status_code, error["code"], error["param"]) == (status, code, param)
    assert error["message"] and answer["x-request-id"]


@pytest.mark.parametrize(
    ("params", "code", "param"),
    [
        ({"n": 2}, "unsupported_parameter", "n"),
        ({"n": True}, "unsupported_parameter", "n"),
        ({"tools": [{"type": "function"}]}, "unsupported_parameter", "tools"),
        ({"logprobs": True}, "unsupported_parameter", "logprobs"),
        ({"seed": 1}, "unsupported_parameter", "seed"),  # of the scripted model
        ({"colour": "red"}, "unknown_parameter", "colour"),
        ({"temperature": "hot"}, "invalid_value", "temperature"),
        ({"temperature": 3}, "invalid_value", "temperature"),
        ({"max_tokens": 0}, "invalid_value", "max_tokens"),
        ({"max_tokens": 1.5}, "invalid_value", "max_tokens"),
        ({"max_tokens": 1, "max_completion_tokens": 1}, "invalid_value", "max_tokens"),
        ({"stop": ["a"] * 5}, "invalid_value", "stop"),
        ({"stop": 1}, "invalid_value", "stop"),
        ({"stream": "yes"}, "invalid_value", "stream"),
        ({"stream_options": {"x": 1}}, "unknown_parameter", "stream_options.x"),
        ({"store": 1}, "invalid_value", "store"),
        ({"model": ""}, "invalid_value", "model"),
        ({"model": None}, "invalid_value", "model"),
        ({"response_format": "json"}, "invalid_value", "response_format"),
        ({"response_format": {"a": "\0"}}, "invalid", None),
        ({"user": "\ud800"}, "invalid", None),
    ],
)
async def test_bad_parameter_is_named(complete, words, params, code, param):
    before = await all_rows(ApiKey)
    assert_error(await complete(**params), 400, code, param)
    assert scripted.requests == []
    assert await all_rows(ApiKey) == before


@pytest.mark.parametrize(
    ("messages", "param"),
    [
        ([], "messages"),
        ("Hi", "messages"),
        ([USER, {"role": "assistant", "content": "Yes"}], "messages"),
        ([{"role": "system", "content": "x"}], "messages"),
        ([USER, {"role": "system", "content": "x"}, USER], "messages.1.role"),
        ([{"role": "tool", "content": "x", "tool_call_id": "1"}], "messages.0.role"),
        ([{"role": "user"}], "messages.0.content"),
        ([{"role": "user", "content": None}], "messages.0.content"),
        ([{"role": "user", "content": " "}], "messages"),
        ([{"role": "user", "content": []}], "messages"),
        ([{"role": "user", "content": [{"type": "text"}]}], "messages.0.content.0"),
        ([{"role": "user", "content": [{"type": "input_audio"}]}], "messages.0.content.0.type"),
        ([USER, {"role": "assistant", "content": "a", "tool_calls": []}, USER], "messages.1.tool_calls"),
        (
            [{"role": "assistant", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}, USER],
            "messages.0.content.0",
        ),
        ([{"role": "user", "content": "a" * 100_001}], "messages"),
        ([{"role": "system", "content": "a" * 100_001}, USER], "messages"),
        ([USER] * 2001, "messages"),
        (["Hi"], "messages.0"),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_bad_message_is_named(complete, words, messages, param):
    before = await all_rows(ApiKey)
    answer = await complete(messages)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)
    assert scripted.requests == []
    assert await all_rows(ApiKey) == before


async def test_a_thousand_messages_are_asked(complete, words):
    messages = [USER, {"role": "assistant", "content": "Yes"}] * 500 + HI
    assert (await complete(messages)).status_code == 200
    assert len(scripted.requests[-1].turns) == 1001


@pytest.mark.parametrize(
    ("url", "status", "code"),
    [
        ("https://example.com/a.png", 400, "invalid_value"),
        ("data:text/html;base64,aGk=", 400, "invalid_value"),
        ("data:image/png;base64,%%%%", 400, "invalid_value"),
        ("data:image/png;base64,aGk=", 415, "not_an_image"),
        ("data:image/png;base64," + "A" * 2000, 413, "too_large"),
    ],
)
async def test_bad_image_is_refused_and_none_stays(complete, sees, settings, url, status, code):
    settings.MAX_IMAGE_BYTES = 1000
    before = await all_rows(ApiKey)
    answer = await complete([*image(PICTURE_URL), *image(url)])
    assert_error(answer, status, code, "messages.1.content.0.image_url")
    assert await all_rows(ApiKey) == before


async def test_image_for_an_assistant_that_sees_none_is_refused(complete, words):
    before = await all_rows(ApiKey)
    assert_error(await complete(image(PICTURE_URL)), 400, "sees_no_images", "messages")
    assert await all_rows(ApiKey) == before


async def test_refused_run_leaves_no_image(complete, sees, settings):
    settings.MAX_RUNS_PER_USER, settings.MAX_WAITING_PER_USER = 0, 0
    before = await all_rows(ApiKey)
    answer = await complete(image(PICTURE_URL))
    assert_error(answer, 429, "too_many_runs", None)
    assert answer["Retry-After"]
    assert await all_rows(ApiKey) == before


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'"a"',
        b'{"model": "words", "model": "words", "messages": [{"role": "user", "content": "Hi"}]}',
        b'{"model": "words", "temperature": NaN, "messages": [{"role": "user", "content": "Hi"}]}',
        b'{"model": "words", "temperature": 1e999, "messages": [{"role": "user", "content": "Hi"}]}',
        b'{"model": "words", "response_format": {"a": 1e999}, "messages": [{"role": "user", "content": "Hi"}]}',
        b'{"model": "words", "a": ' + b"[" * 30_000 + b"]" * 30_000 + b"}",
        b'{"model": "words", "response_format": {"a": ' + b"[" * 900 + b"]" * 900 + b"}}",
        b"\xff\xfe\x00",
        b'{"model": "words", "messages": [' + b"0," * 40_000 + b"0]}",
    ],
    ids=lambda body: str(body[:30]),
)
async def test_body_that_is_not_good_json_is_refused(client_of, alice, key_of, words, body):
    client = client_of(key=await key_of(alice))
    answer = await client.generic("POST", URL, body, "application/json")
    assert answer.status_code == 400
    assert answer.json()["error"].keys() == {"message", "type", "param", "code"}
    assert scripted.requests == []


async def test_body_that_is_too_large_is_refused_in_the_same_format(alice, key_of):
    headers = [(b"content-length", b"10000000"), (b"authorization", f"Bearer {await key_of(alice)}".encode())]
    status, _, body = await asgi_response(asgi_request(limit_body(application), *headers, path=URL))
    assert (status, json.loads(body)["error"]["type"]) == (413, "invalid_request_error")


async def test_unknown_model_is_named(complete, client_of, alice, key_of, words, script):
    await script("off", is_enabled=False)
    await script("other")
    for name in ("gpt-5", "off", "words/x"):
        assert_error(await complete(model=name), 404, "model_not_found", "model")
    client = client_of(key=await key_of(alice, assistants=["words"]))
    assert_error(await client.get("/v1/models/other"), 404, "model_not_found", "model")
    answer = await client.send("POST", URL, {"model": "other", "messages": HI})
    assert_error(answer, 404, "model_not_found", "model")
    assert [item["id"] for item in (await client.get("/v1/models")).json()["data"]] == ["words"]
    assert (await client.get("/v1/models/words")).json()["id"] == "words"


async def test_calls_need_a_key_with_the_scope(client_of, alice, key_of, words):
    for client, status, code in (
        (client_of(), 401, "missing_key"),
        (client_of(alice), 401, "missing_key"),  # the cookie of a page opens nothing here
        (client_of(key="chatkey_" + "a" * 43), 401, "invalid_key"),
        (client_of(key=await key_of(alice, scopes=["read", "write"])), 403, "missing_scope"),
    ):
        for answer in (
            await client.get("/v1/models"),
            await client.send("POST", URL, {"model": "words", "messages": HI}),
        ):
            assert_error(answer, status, code, None)
            assert answer.get("WWW-Authenticate") == ("Bearer" if status == 401 else None)
    assert scripted.requests == []


async def test_other_methods_and_paths_are_refused(client_of, alice, key_of):
    client = client_of(key=await key_of(alice))
    answer = await client.get(URL)
    assert_error(answer, 405, "method_not_allowed", None)
    assert answer["Allow"] == "POST"
    for path in ("/v1/nothing", "/v1/models/a/b"):
        assert (await client.get(path)).json()["error"]["code"] == "not_found"


async def test_key_in_a_url_is_refused(client_of, alice, key_of, caplog):
    key = await key_of(alice)
    assert_error(await client_of(key=key).get(f"/v1/models?api_key={key}"), 400, "key_in_url", None)
    assert key not in caplog.text


async def test_scripts_of_listed_origins_may_call(client_of, alice, key_of, settings):
    settings.CORS_ALLOWED_ORIGINS = ["https://app.example.com"]
    headers = {"origin": "https://app.example.com", "access-control-request-method": "POST"}
    preflight = await client_of().send("OPTIONS", URL, **headers)
    assert preflight.status_code == 200
    assert {"authorization", "x-stainless-os"} <= set(preflight["Access-Control-Allow-Headers"].split(", "))
    answer = await client_of(key=await key_of(alice)).send("GET", "/v1/models", origin="https://app.example.com")
    assert answer["Access-Control-Allow-Origin"] == "https://app.example.com"
    assert "X-Request-Id" in answer["Access-Control-Expose-Headers"]
