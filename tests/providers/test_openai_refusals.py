"""What `openai:` makes of a refusal."""

import pytest

from tests.providers.openai_stream import REFUSALS
from tests.providers.provider_runs import outcome_of
from tests.upstream import END, refusal

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("kind", REFUSALS)
async def test_refusal_is_reported_in_a_sentence(read_reply, kind):
    answer, code, times, sentence = REFUSALS[kind]
    reply = await read_reply(answer)
    assert reply.error.code == code
    assert sentence in str(reply.error)
    assert "\0" not in str(reply.error)
    assert reply.error.retryable == (times > 1 or reply.error.retry_after == 30)


async def test_refusal_fails_the_run_and_is_retried_where_that_may_help(start_runs, upstream):
    runs = await start_runs({kind: answer for kind, (answer, *_) in REFUSALS.items()})
    for kind, (_, code, times, sentence) in REFUSALS.items():
        assert (kind, *await outcome_of(runs[kind])) == (kind, "failed", code, "")
        assert sentence in runs[kind].error_message
        assert (kind, upstream.times(kind)) == (kind, times)


async def test_retry_after_is_obeyed(start_run, upstream):
    upstream.answers(refusal(429, {"error": {"message": "Slow down."}}, retry_after="1"))
    run = await start_run("Hello", *END)
    assert await outcome_of(run) == ("completed", "", "Hello")
    first, second = upstream.requests
    assert second.at - first.at >= 1


@pytest.mark.parametrize("header", ["nan", "-1", "soon", "", "Wed, 21 Oct 2026 07:28:00 GMT"])
async def test_retry_after_that_is_not_a_number_of_seconds_is_ignored(read_reply, header):
    reply = await read_reply(refusal(503, {"error": {"message": "Busy."}}, retry_after=header))
    assert reply.error.retryable
    assert reply.error.retry_after is None
