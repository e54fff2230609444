"""How a stream of `openai:` ends: cut, failed, endless, silent or stopped."""

import asyncio
from contextlib import aclosing

import pytest
from aiohttp.client_proto import ResponseHandler

from chat import engine
from chat.events import Text
from chat.providers import Request, openai
from chat.providers.openai import sse
from tests.providers.openai_stream import ERRORS, ROLE, a_moment, calls
from tests.providers.provider_runs import outcome_of, wait_until_closed, wait_until_shown
from tests.upstream import DONE, END, FIN, RESET, SILENCE, Answer, chunk, event, usage
from tests.waiting import hang_timeout, wait_until

pytestmark = pytest.mark.slow


def make_request(**params):
    return Request("scripted", [("user", [{"type": "text", "text": "Hi"}])], params=params)


# How it ends ----------------------------------------------------------------------------------------------------------

NOTICES = {
    "length": ("length", "The answer reached its length limit."),
    "filter": ("content_filter", "The provider's content filter cut the answer short."),
    "tools": ("tool_calls", None),
    "strange": ("something new\0" + "!" * 100, None),
}


async def test_finish_reason_is_kept_and_sets_the_notice(start_runs):
    runs = await start_runs({n: ("Hel", "lo", chunk(finish_reason=reason), DONE) for n, (reason, _) in NOTICES.items()})
    for name, (reason, notice) in NOTICES.items():
        assert await outcome_of(runs[name]) == ("completed", "", "Hello")
        assert runs[name].notice == notice
        assert runs[name].finish_reason == reason.replace("\0", "")[:50]


BROKEN = {  # in mid-answer, after the text was shown
    "reset": ([RESET], "chunked"),
    "the connection ends": ([FIN], "chunked"),
    "before Content-Length": ([FIN], 10_000),
    "a clean end without a finish": ([], "chunked"),
    "a clean end of the connection without a finish": ([], "close"),
    "[DONE] without a finish": ([DONE], "chunked"),
    "in the middle of an event": ([event(chunk("!"))[:-20]], "close"),
    "in the middle of a character": ([event(chunk("🙂")).replace(rb"\ud83d\ude42", "🙂".encode()[:2])[:-60]], "close"),
    "nonsense for chunked encoding": ([b"\r\nnonsense\r\n"], "chunked"),
}


async def test_cut_in_mid_answer_keeps_the_text_before_it(start_runs, upstream):
    seen = {cut: asyncio.Event() for cut in BROKEN}
    answers = {cut: Answer(["Hel", "lo", seen[cut].wait, *steps], framing=how) for cut, (steps, how) in BROKEN.items()}
    runs = await start_runs(answers)
    for cut, run in runs.items():
        await wait_until_shown(run, "lo")
        seen[cut].set()
        assert (cut, *await outcome_of(run)) == (cut, "interrupted", "broken_off", "Hello")
        assert run.error_message == "The connection to the model was lost before the answer was complete."
    assert len(upstream.requests) == len(BROKEN)


UNBEGUN = {  # before the first token
    "reset": (Answer([RESET], framing=None), "failed", "unreachable"),
    "end": (Answer([FIN], framing=None), "failed", "unreachable"),
    "nonsense": (Answer([b"nonsense\r\n\r\n"], framing=None), "interrupted", "broken_off"),
    "end after the head": (Answer([FIN]), "interrupted", "broken_off"),
    "reset after the role": (Answer([ROLE, 0.01, RESET]), "interrupted", "broken_off"),
    "a role and a clean end": (Answer([ROLE]), "interrupted", "broken_off"),
    "[DONE]": (Answer([DONE]), "interrupted", "broken_off"),
    "an error": (Answer([{"error": {"message": "busy", "code": 503}}]), "failed", "overloaded"),
}


async def test_cut_before_the_first_token_is_retried_twice(start_runs, upstream):
    runs = await start_runs({cut: answer for cut, (answer, _, _) in UNBEGUN.items()})
    for cut, (_, status, code) in UNBEGUN.items():
        assert (cut, *await outcome_of(runs[cut])) == (cut, status, code, "")
        assert (cut, upstream.times(cut)) == (cut, 3)


@pytest.mark.parametrize("first", [RESET, {"error": {"message": "busy", "code": 503}}], ids=["cut", "error"])
async def test_retry_stores_the_answer_once(start_run, upstream, first):
    upstream.answers(ROLE, first)
    run = await start_run("Hello", *END)
    assert await outcome_of(run) == ("completed", "", "Hello")
    assert len(upstream.requests) == 2


async def test_cut_answer_still_counts_its_usage(read_reply):
    reply = await read_reply(chunk("Hello", usage=usage(9, 1)["usage"]))
    assert reply.error.broken_off
    assert [counted.total_tokens for counted in reply.builder.usage] == [10]


@pytest.mark.parametrize("kind", ERRORS)
async def test_error_in_the_stream_is_reported_after_the_text(read_reply, kind):
    step, code = ERRORS[kind]
    reply = await read_reply("Hello", step, "more", *END)
    assert reply.text == "Hello"
    assert reply.builder.finish_reason is None
    assert (reply.error.code, reply.error.broken_off) == (code, False)
    assert str(reply.error).endswith(".") or str(reply.error).startswith("The provider reported an error: ")
    assert "{" not in str(reply.error)


async def test_error_in_mid_answer_fails_the_run_and_keeps_the_text(start_run, upstream):
    run = await start_run("Hel", "lo", {"error": {"message": "The GPU is \0gone \ud83d.", "code": None}}, SILENCE)
    assert await outcome_of(run) == ("failed", "refused", "Hello")
    assert run.error_message == "The provider reported an error: The GPU is gone \ufffd."
    assert len(upstream.requests) == 1
    await wait_until_closed(upstream.requests[0])


async def test_null_characters_and_lone_surrogates_are_cleaned_up(start_run):
    steps = [chunk({"reasoning_content": "h\0m\ud83d"}), "a\0\ud83d", "\ude42", "\udc00"]
    steps += [calls((0, "c\0\ud800", "f\0\udfff", '{"x": "\0\ud83d')), calls((0, None, None, '\ude42"}'))]
    run = await start_run(*steps, *END)
    assert await outcome_of(run) == ("completed", "", "a🙂\ufffd")
    thought, text, tool = run.message.parts
    assert (thought["text"], text["text"]) == ("hm", "a🙂\ufffd")
    assert (tool["id"], tool["name"], tool["arguments"]) == ("c\ufffd", "f\ufffd", '{"x": "🙂"}')


async def test_web_page_is_reported_as_not_a_stream(start_run, upstream):
    page = b"<!DOCTYPE html>\n<html><body>data: Please log in</body></html>"
    run = await start_run(page, headers={"content-type": "text/html"}, framing=len(page))
    assert await outcome_of(run) == ("interrupted", "not_a_stream", "")
    assert run.error_message == "The model's address returned a web page."
    assert len(upstream.requests) == 1


@pytest.mark.parametrize("page", [b"\xef\xbb\xbf<html>", b"\n <?xml", b"{", b"dat", b": PROCESSING\n\n"])
async def test_body_without_an_answer_is_broken_off(read_reply, page):
    reply = await read_reply(page)
    assert reply.error.broken_off
    assert reply.parts == []


ENDLESS = {
    "a line": ["Hello", b"data: ", *[b"x" * 10_000] * 20],
    "an event": ["Hello", *[b"data: xxxx\n" * 1000] * 20],
    "an object": [b'{"choices": [', *[b" " * 10_000] * 20],
}


@pytest.mark.parametrize("kind", ENDLESS)
async def test_endless_data_is_malformed_and_closes_the_connection(read_reply, upstream, monkeypatch, kind):
    monkeypatch.setattr(sse, "MAX_EVENT_SIZE", 100_000)
    reply = await read_reply(*ENDLESS[kind], SILENCE)
    assert reply.error.code == "malformed"
    await wait_until_closed(upstream.requests[0])


async def test_long_event_is_read(read_reply, monkeypatch):
    monkeypatch.setattr(sse, "MAX_EVENT_SIZE", 100_000)
    long = event(chunk("x" * 90_000))
    reply = await read_reply(*(long[:-2], a_moment, b"\n", a_moment, b"\n") * 3, *END)
    assert (reply.text, reply.error) == ("x" * 270_000, None)


async def test_stream_faster_than_its_reader_waits_and_arrives_complete(upstream, monkeypatch):
    has_stopped, stop = asyncio.Event(), ResponseHandler.pause_reading

    def stopping(self):
        has_stopped.set()
        stop(self)

    monkeypatch.setattr(ResponseHandler, "pause_reading", stopping)
    upstream.answers("x", *[chunk("x" * 50_000)] * 60, *END)
    async with hang_timeout(), aclosing(openai.reply(make_request(base_url=upstream.base_url))) as pieces:
        first = await anext(pieces)
        await has_stopped.wait()
        text = first.delta + "".join([piece.delta async for piece in pieces if type(piece) is Text])
    assert len(text) == 3_000_001


async def test_endless_comments_are_not_buffered(read_reply, monkeypatch):
    monkeypatch.setattr(sse, "MAX_EVENT_SIZE", 100_000)
    reply = await read_reply("Hel", *[b": still thinking\n" * 1000] * 20, "lo", *END)
    assert (reply.text, reply.error) == ("Hello", None)


# Silence and stop -----------------------------------------------------------------------------------------------------

QUIET = {
    "no byte": lambda: Answer([SILENCE], framing=None),
    "no event": lambda: Answer([SILENCE]),
    "no token": lambda: Answer([ROLE, SILENCE]),
}


async def test_silence_before_the_first_token_fails(start_runs, upstream, settings):
    settings.FIRST_TOKEN_SECONDS = 1
    runs = await start_runs({kind: answer() for kind, answer in QUIET.items()})
    for kind, run in runs.items():
        assert (kind, *await outcome_of(run)) == (kind, "failed", "timeout", "")
        assert (
            run.error_message
            == "The model did not start answering: it sent nothing for 1 second (FIRST_TOKEN_SECONDS)."
        )
        assert upstream.times(kind) == 1
    for request in upstream.requests:
        await wait_until_closed(request)


async def test_silence_in_mid_answer_interrupts_and_keeps_the_text(start_runs, upstream, settings):
    settings.SILENCE_SECONDS = 1
    answers = {"silence": ("Hel", "lo", SILENCE), "half an event": ("Hel", "lo", b"data: {", SILENCE)}
    for kind, run in (await start_runs(answers)).items():
        assert (kind, *await outcome_of(run)) == (kind, "interrupted", "timeout", "Hello")
        assert run.error_message == "The model stopped responding: it sent nothing for 1 second (SILENCE_SECONDS)."
    for request in upstream.requests:
        await wait_until_closed(request)


@pytest.mark.parametrize("moment", ["no byte", "no event", "no token"])
async def test_stop_before_the_first_token_closes_the_connection(start_run, upstream, moment):
    run = await start_run(QUIET[moment]())
    await wait_until(lambda: upstream.requests)
    await engine.cancel(run)
    await wait_until_closed(upstream.requests[0])
    assert await outcome_of(run) == ("cancelled", "", "")


async def test_stop_in_mid_answer_closes_the_connection_and_keeps_the_text(start_run, upstream):
    run = await start_run("Hel", "lo", SILENCE)
    await wait_until_shown(run, "lo")
    await engine.cancel(run)
    await wait_until_closed(upstream.requests[0])
    assert await outcome_of(run) == ("cancelled", "", "Hello")


async def test_reader_that_leaves_closes_the_connection(upstream):
    upstream.answers("Hel", SILENCE)
    async with aclosing(openai.reply(make_request(base_url=upstream.base_url))) as pieces:
        assert await anext(pieces) == Text("Hel")
    await wait_until_closed(upstream.requests[0])
