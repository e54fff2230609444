"""A key or password never reaches the log, an error or the page, however a program writes it."""

import html
import io
import json
import logging
import re
import sys
from base64 import b64encode, urlsafe_b64encode
from urllib.parse import quote, quote_plus, urlencode

import pytest
from django.views.debug import technical_500_response

from chat import redaction
from chat.logs import CountingHandler
from chat.models import Assistant, Run, ToolServer
from chat.providers import try_model
from chat.providers.base import ProviderError, Request
from chat.tools import ToolError
from chat.tools.execution import truncate
from chat.tools.mcp import server_tools
from tests.upstream import END, refusal, whole
from tests.waiting import wait_for_run

KEY = "sk-test-0123456789abcdef"


@pytest.fixture(autouse=True)
def only_its_own_secrets(monkeypatch):
    monkeypatch.setattr(redaction, "_added", {})


NAMES = [
    *("A_KEY", "A_TOKEN", "CLIENT_SECRET", "MAIL_PASSWORD", "A_API_KEYS", "a_api_key", "APIKEY", "A_KEY_2", "TOKEN1"),
    *("AWS_SECRET_ACCESS_KEY", "DB_PASS", "DB_PWD", "REDIS_PASSWD", "SSH_PASSPHRASE"),
]


@pytest.mark.parametrize("name", NAMES)
def test_value_of_a_secret_variable_is_removed(monkeypatch, name):
    monkeypatch.setenv(name, KEY)
    monkeypatch.setenv("OTHER", "another value")
    assert redaction.redact(f"Bearer {KEY}, another value") == "Bearer ***, another value"
    assert str(ProviderError(f"Wrong key: {KEY}")) == "Wrong key: ***"


@pytest.mark.parametrize("name", ["PWD", "PATH", "API_KEY_HOSTS", "KEYBOARD", "TOKENIZER", "MAX_TOKENS_MODEL"])
def test_value_of_another_variable_is_kept(monkeypatch, name):
    monkeypatch.setenv(name, "/srv/a-long-value")
    assert redaction.redact("in /srv/a-long-value") == "in /srv/a-long-value"


def test_each_key_of_a_variable_with_several_is_removed(monkeypatch):
    monkeypatch.setenv("A_API_KEYS", f"{KEY}1, {KEY}2")
    assert redaction.redact(f"{KEY}2 after {KEY}1") == "*** after ***"


ADDRESSES = [
    "redis://:hunter2hunter2@127.0.0.1:6379/0",
    "postgres://chat:hunter2hunter2@db/chat",
    "http://user:hunter2hunter2@proxy:8080",
    "https://tools.example/mcp?region=eu&api_key=hunter2hunter2",
    "https://tools.example/mcp?token=hunter2hunter2",
]


@pytest.mark.parametrize("address", ADDRESSES)
def test_password_in_an_address_of_the_environment_is_removed(monkeypatch, address):
    monkeypatch.setenv("SOME_URL", address)
    assert redaction.redact(f"cannot reach {address}") == f"cannot reach {address.replace('hunter2hunter2', '***')}"


def test_encoded_password_in_an_address_is_removed_in_both_spellings(monkeypatch):
    monkeypatch.setenv("SOME_URL", "postgres://chat:hunter%402%2Fhunter@db/chat")
    assert redaction.redact("hunter@2/hunter or hunter%402%2Fhunter") == "*** or ***"


def test_invalid_address_of_the_environment_does_no_harm(monkeypatch):
    monkeypatch.setenv("SOME_URL", "http://[")
    assert redaction.redact("http://[") == "http://["


SPECIAL = 'p4ss/word+with="quotes" & <more>é'
SPELLINGS = {
    "as it is": lambda key: key,
    "URL": lambda key: quote(key),
    "URL, all of it": lambda key: quote(key, safe=""),
    "URL, lower case": lambda key: re.sub("%..", lambda match: match[0].lower(), quote(key, safe="")),
    "form": lambda key: quote_plus(key),
    "query": lambda key: urlencode({"key": key}),
    "JSON": lambda key: json.dumps({"k": key}),
    "JSON of JavaScript": lambda key: json.dumps({"k": key}, ensure_ascii=False),
    "JSON of PHP": lambda key: json.dumps(key).replace("/", "\\/"),
    "Python": lambda key: repr({"k": key}),
    "Python bytes": lambda key: repr(key.encode()) if key.isascii() else key,
    "HTML": lambda key: html.escape(key),
    "Basic": lambda key: b64encode(f"user:{key}".encode()).decode(),
    "Basic without user": lambda key: b64encode(f":{key}".encode()).decode(),
    "Basic with the key as the user": lambda key: b64encode(f"{key}:".encode()).decode(),
    "Base64": lambda key: b64encode(key.encode()).decode(),
    "Base64 for URLs": lambda key: urlsafe_b64encode(f"ab:{key}".encode()).decode(),
}


@pytest.mark.parametrize("key", [KEY, SPECIAL], ids=["letters", "special characters"])
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_key_is_removed_in_every_spelling(spelling, key):
    redaction.add_secret(key)
    written = SPELLINGS[spelling](key)
    shown = redaction.redact(f"Wrong: {written}!")
    assert "***" in shown
    assert longest_common(written, shown.removeprefix("Wrong: ")) < 8


def longest_common(first, second):
    """Returns the length of the longest text that is in both."""
    return max(
        (
            end - start
            for start in range(len(first))
            for end in range(start + 1, len(first) + 1)
            if first[start:end] in second
        ),
        default=0,
    )


KNOWN = [
    "sk-proj-abcdefghijklmnopqrstuvwxyz0123456789",
    "sk-ant-api03-abcdefghijklmnopqrstuvwxyz",
    "AIzaSyA1234567890abcdefghijklmnopqrstuvw",
    "ya29.a0AfB_byC1234567890abcdefghij",
    "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.c2lnbmF0dXJlLW9mLWl0",
    "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
    "hf_abcdefghijklmnopqrstuvwxyz01234567",
    "xoxb-123456789012-abcdefghijkl",
]


@pytest.mark.parametrize("key", KNOWN)
def test_key_of_a_known_format_is_removed_even_if_it_is_not_configured(key):
    assert redaction.redact(f"Bearer {key}, refused") == "Bearer ***, refused"


@pytest.mark.parametrize(
    "text", ["sk-learn and task-based-learning-for-all-beginners", "Basic understanding", "eyJ", "hf_"]
)
def test_text_that_is_not_a_key_is_kept(text):
    assert redaction.redact(text) == text


PARAMS = [
    {"api_key": KEY},
    {"openai_api_key": KEY},
    {"default_headers": {"Authorization": f"Bearer {KEY}"}},
    {"extra_headers": {"X-Api-Key": KEY, "Accept": "application/json"}},
    {"models": [{"name": "a", "azure_ad_token": KEY}]},
    {"base_url": f"https://user:{KEY}@example.com/v1"},
    {"base_url": f"https://example.com/v1?key={KEY}"},
    {"headers": ["--api-key", KEY]},
    {"headers": [f"--token={KEY}"]},
]


@pytest.mark.parametrize("params", PARAMS)
def test_key_in_the_params_of_a_request_is_removed(params):
    request = Request("m", [], params=params)
    assert KEY not in repr(request)
    assert redaction.redact(f"Refused: {KEY} application/json") == "Refused: *** application/json"


def test_params_that_are_not_secrets_are_kept():
    Request(
        "m", [], params={"max_tokens": 12345678, "stop": ["a-long-stop-word"], "base_url": "https://example.com/v1"}
    )
    assert redaction._added == {}


def test_params_nested_too_deeply_are_not_searched():
    params = {"api_key": KEY}
    for _ in range(100):
        params = {"inner": params}
    redaction.add_secrets_of(params)
    assert redaction._added == {}


def test_short_value_is_not_a_secret(monkeypatch):
    monkeypatch.setenv("A_KEY", "none")
    assert redaction.redact("none of it") == "none of it"


def test_secret_that_contains_another_is_removed_completely(monkeypatch):
    monkeypatch.setenv("A_KEY", KEY)
    redaction.add_secret(f"{KEY}-longer")
    assert redaction.redact(f"{KEY}-longer {KEY}") == "*** ***"


def test_added_secrets_are_limited_in_number():
    for number in range(redaction.MAX_ADDED + 10):
        redaction.add_secret(f"{KEY}{number:05}")
    assert len(redaction._added) == redaction.MAX_ADDED


def test_key_at_the_end_of_a_shortened_text_is_removed_completely(monkeypatch):
    monkeypatch.setenv("A_KEY", KEY)
    assert KEY[:5] not in truncate("a" * 90 + KEY, 100)


def test_log_has_no_key_in_its_line_arguments_or_traceback(monkeypatch):
    monkeypatch.setenv("A_KEY", KEY)
    handler = CountingHandler(io.StringIO())
    logger = logging.Logger("tests")
    logger.addHandler(handler)
    try:
        raise ValueError(f"refused {KEY}")
    except ValueError:
        logger.exception("The server said %s", {"Authorization": f"Bearer {KEY}"})
    logger.info(f"again {KEY}")
    logger.info("in two parts: %s%s", KEY[:10], KEY[10:])
    logger.info("as bytes: %r", KEY.encode())
    try:
        try:
            raise KeyError(KEY)
        except KeyError as error:
            raise ExceptionGroup("several", [RuntimeError(quote(KEY)), ConnectionError({"key": KEY})]) from error
    except ExceptionGroup:
        logger.warning("chained", exc_info=True, stack_info=True)
    handler.close()
    assert KEY not in handler.stream.getvalue()
    assert handler.stream.getvalue().count("***") >= 8


@pytest.mark.parametrize("status", [400, 401, 500])
async def test_error_that_repeats_the_key_is_stored_and_shown_without_it(ask, upstream, status):
    upstream.answers(refusal(status, {"error": {"message": f"Wrong key: {KEY}", "code": KEY}}))
    params = {"base_url": upstream.base_url, "api_key": KEY}
    assistant = await Assistant.objects.acreate(slug="a", name="A", model="openai:m", params=params)
    run = await ask(assistant)
    seen = [event for _, event in await wait_for_run(run)]
    assert upstream.requests[0].headers["authorization"] == f"Bearer {KEY}"
    assert KEY not in repr(seen)
    assert KEY not in repr(await Run.objects.filter(pk=run.pk).values().aget())


@pytest.mark.parametrize("accept", ["text/html", "text/plain"])
def test_error_page_of_the_debug_mode_has_no_key(monkeypatch, settings, rf, accept):
    """It shows the local variables, in HTML, and what the page was sent."""
    settings.DEBUG = True
    monkeypatch.setenv("A_KEY", SPECIAL)
    redaction.add_secret(KEY)

    def fail(params, header):
        raise ValueError(f"refused {KEY}")

    try:
        fail({"inner": [KEY], "special": SPECIAL}, "Basic " + b64encode(f"user:{KEY}".encode()).decode())
    except ValueError:
        response = technical_500_response(rf.get("/", headers={"accept": accept}), *sys.exc_info())
    page = response.content.decode()
    assert "ValueError" in page and "***" in page
    assert KEY not in page and SPECIAL not in html.unescape(page)
    assert b64encode(f"user:{KEY}".encode()).decode()[8:-4] not in page


SERVERS = [
    {"headers": {"Authorization": f"Bearer {KEY}"}},
    {"headers": {"X-Api-Key": KEY}},
    {"query": f"?api_key={KEY}"},
]


@pytest.mark.parametrize("fields", SERVERS)
async def test_error_of_a_tool_server_that_repeats_the_key_is_redacted(upstream, caplog, fields):
    error = {"jsonrpc": "2.0", "id": 0, "error": {"code": -32602, "message": f"Bad key: {KEY}"}}
    upstream.answers(whole(error))
    query = fields.pop("query", "")
    server = ToolServer(slug="one", transport="http", url=f"{upstream.base_url}{query}", **fields)
    with pytest.raises(ToolError) as caught:
        await server_tools(server)
    assert "Bad key: ***" in str(caught.value)
    assert KEY in upstream.requests[0].path + repr(upstream.requests[0].headers)


@pytest.mark.parametrize(
    "fields", [{"command": ["tools", "--token", KEY]}, {"command": ["tools"], "env": {"KEY": KEY}}]
)
async def test_key_of_a_tool_servers_program_is_removed(fields):
    with pytest.raises(ToolError):
        await server_tools(ToolServer(slug="one", transport="stdio", **fields))
    assert redaction.redact(f"refused {KEY}") == "refused ***"


async def test_trial_in_the_admin_shows_no_key(upstream):
    upstream.answers(f"You sent {KEY}", *END)
    answer = await try_model("openai:m", {"base_url": upstream.base_url, "api_key": KEY})
    assert answer == "You sent ***"
