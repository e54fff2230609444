"""A key or password never reaches the log, an error or the page."""

import io
import logging

import pytest

from chat import redaction
from chat.logs import CountingHandler
from chat.models import Assistant, Run
from chat.providers.base import ProviderError
from chat.tools.execution import truncate
from tests.upstream import refusal
from tests.waiting import wait_for_run

KEY = "sk-test-0123456789abcdef"


@pytest.fixture(autouse=True)
def only_its_own_secrets(monkeypatch):
    monkeypatch.setattr(redaction, "_added", {})


@pytest.mark.parametrize("name", ["A_KEY", "A_TOKEN", "CLIENT_SECRET", "MAIL_PASSWORD"])
def test_value_of_a_secret_variable_is_removed(monkeypatch, name):
    monkeypatch.setenv(name, KEY)
    monkeypatch.setenv("OTHER", "another value")
    assert redaction.redact(f"Bearer {KEY}, another value") == "Bearer ***, another value"
    assert str(ProviderError(f"Wrong key: {KEY}")) == "Wrong key: ***"


def test_short_value_is_not_a_secret(monkeypatch):
    monkeypatch.setenv("A_KEY", "none")
    assert redaction.redact("none of it") == "none of it"


def test_secret_that_contains_another_is_removed_whole(monkeypatch):
    monkeypatch.setenv("A_KEY", KEY)
    redaction.add_secret(f"{KEY}-longer")
    assert redaction.redact(f"{KEY}-longer {KEY}") == "*** ***"


def test_added_secrets_are_limited_in_number():
    for number in range(redaction.MAX_ADDED + 10):
        redaction.add_secret(f"{KEY}{number:05}")
    assert len(redaction._added) == redaction.MAX_ADDED


def test_key_at_the_end_of_a_shortened_text_is_removed_whole(monkeypatch):
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
    handler.close()
    assert KEY not in handler.stream.getvalue()
    assert handler.stream.getvalue().count("***") >= 3


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
