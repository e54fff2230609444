"""When a provider of LangChain's closes its connection, and what it makes of one that is lost or of no use."""

from contextlib import aclosing

import pytest

from chat import engine, providers
from chat.events import Text
from chat.providers import langchain
from tests.providers.langchain.vendors import HALF, VENDORS, LangChainReply, every_vendor, make_request, root_url
from tests.providers.provider_runs import outcome_of, wait_until_closed
from tests.upstream import FIN, RESET, SILENCE, Answer, refusal
from tests.waiting import wait_until

pytestmark = pytest.mark.slow


@every_vendor
async def test_stop_before_the_first_token_closes_the_connection(upstream, assistant, ask, vendor):
    upstream.answers(SILENCE)
    run = await ask(await assistant(vendor, root_url(upstream)))
    await wait_until(lambda: upstream.requests)
    await engine.cancel(run)
    await wait_until_closed(upstream.requests[0])
    assert await outcome_of(run) == ("cancelled", "", "")


@every_vendor
async def test_connection_closes_when_the_reader_leaves(upstream, vendor):
    upstream.answers(*HALF[vendor](SILENCE))
    model, params_for = VENDORS[vendor]
    async with aclosing(langchain.reply(make_request(model, params=params_for(root_url(upstream))))) as pieces:
        assert await anext(pieces) == Text("Hel")
    await wait_until_closed(upstream.requests[0])


@every_vendor
@pytest.mark.parametrize("cut", [RESET, FIN, None], ids=["reset", "end", "clean end"])
async def test_answer_without_a_finish_is_broken_off(read_reply, vendor, cut):
    reply = await read_reply(vendor, *HALF[vendor](*([0.01, cut] if cut else [])))
    assert reply.text == "Hello"
    assert (reply.error.code, reply.error.broken_off) == ("broken_off", True)


@every_vendor
@pytest.mark.parametrize("cut", [RESET, FIN], ids=["reset", "end"])
async def test_server_that_hangs_up_before_the_head_is_unreachable(read_reply, upstream, vendor, cut):
    reply = await read_reply(vendor, Answer([cut], framing=None))
    assert (reply.error.code, reply.error.retryable) == ("unreachable", True)
    assert len(upstream.requests) == 1  # the engine asks again, not the provider


@every_vendor
async def test_failing_server_gets_one_request(read_reply, upstream, vendor):
    reply = await read_reply(vendor, refusal(503, {"error": {"message": "Busy."}}, retry_after="2"))
    assert (reply.error.code, reply.error.retryable) == ("overloaded", True)
    assert reply.error.retry_after == (None if vendor == "ollama" else 2)  # whose SDK keeps no headers
    assert len(upstream.requests) == 1


@every_vendor
async def test_missing_server_is_unreachable(vendor):
    model, params_for = VENDORS[vendor]
    reply = await LangChainReply().read(model, params_for("http://127.0.0.1:1"))
    assert (reply.error.code, reply.error.retryable) == ("unreachable", True)
    await providers.close()


@every_vendor
async def test_web_page_is_not_an_answer(read_reply, vendor):
    page = b"<!DOCTYPE html>\n<html><body>data: Please log in</body></html>"
    reply = await read_reply(vendor, Answer([page], headers={"content-type": "text/html"}, framing=len(page)))
    assert reply.error.code in ("not_a_stream", "malformed", "broken_off")
    assert reply.parts == []


@every_vendor
async def test_key_is_never_logged(read_reply, vendor, caplog):
    for answer in (refusal(400, b"no"), Answer([RESET]), Answer([b"nonsense\r\n\r\n"], framing=None)):
        reply = await read_reply(vendor, answer, params={"api_key": "sk-hidden"})
        assert reply.error
    assert caplog.records
    assert "sk-hidden" not in caplog.text
