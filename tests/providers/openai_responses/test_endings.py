"""How a stream of OpenAI's Responses API ends."""

import itertools
from contextlib import aclosing

import pytest

from chat import engine, providers
from chat.events import Text
from chat.providers import Request, openai_responses
from tests.providers.openai_responses.parts import DELTAS, END, HELLO, THOUGHT, tool_part
from tests.providers.openai_stream import REFUSALS
from tests.providers.provider_runs import outcome_of, wait_until_closed, wait_until_shown
from tests.providers.responses_stream import (
    CREATED,
    USAGE,
    answer,
    call,
    call_item,
    completed,
    delta,
    event,
    message,
    message_item,
    reasoning_item,
    started,
)
from tests.upstream import DONE, FIN, RESET, SILENCE, Answer, refusal, whole
from tests.waiting import wait_for_run, wait_until

pytestmark = pytest.mark.slow


# How it ends ----------------------------------------------------------------------------------------------------------

INCOMPLETE = {  # reason -> finish reason
    "max_output_tokens": "length",
    "max_messages": "length",
    "something_new": "length",
    None: "length",
    "content_filter": "content_filter",
}


@pytest.mark.parametrize("reason", INCOMPLETE)
async def test_incomplete_response_has_a_finish_reason(read_reply, reason):
    reply = await read_reply(DELTAS, completed(status="incomplete", incomplete_details=reason and {"reason": reason}))
    assert (reply.text, reply.error) == ("Hello", None)
    assert reply.builder.finish_reason == INCOMPLETE[reason]
    assert reply.builder.usage[0].total_tokens == 12


RATE = {"code": "rate_limit_exceeded", "message": "Slow down."}
OVERFLOW = {
    "type": "invalid_request_error",
    "code": "context_length_exceeded",
    "message": "Your input exceeds the context window.",
}
ERRORS = {  # name -> (the event, the code, part of the sentence)
    "failed": (
        completed(status="failed", error={"code": "server_error", "message": "Oh."}),
        "overloaded",
        "overloaded",
    ),
    "failed by a limit": (completed(status="failed", error=RATE), "rate_limited", "Try again in a minute."),
    "failed by the image": (
        completed(status="failed", error={"code": "invalid_image", "message": "No picture."}),
        "refused",
        "error: No picture.",
    ),
    "failed without an error": (completed(status="failed"), "refused", "no reason given"),
    "error": (event("error", code="server_error", message="Oh.", param=None), "overloaded", "overloaded"),
    "error in an object": (event("error", error=OVERFLOW), "context_length", "too long"),
    "error without a name": (
        b'data: {"type": "error", "code": "insufficient_quota", "message": "x"}\n\n',
        "quota",
        "quota",
    ),
    "error of another format": (b'data: {"error": {"message": "Oh.", "type": "server_error"}}\n\n', "overloaded", ""),
    "error in plain text": (b"event: error\ndata: The GPU is gone.\n\n", "refused", "error: The GPU is gone."),
    "error of a type": (
        b'data: {"type": "invalid_request_error", "code": 400, "message": "Bad."}\n\n',
        "refused",
        "Bad.",
    ),
    "detail": (b'data: {"detail": "The GPU is gone."}\n\n', "refused", "error: The GPU is gone."),
}


@pytest.mark.parametrize("name", ERRORS)
async def test_error_in_mid_stream_keeps_the_text(read_reply, name):
    data, code, sentence = ERRORS[name]
    reply = await read_reply(*started(), DELTAS, data, SILENCE)
    assert (reply.text, reply.error.code) == ("Hello", code)
    assert sentence in str(reply.error)


async def test_error_keeps_a_text_that_ends_like_a_tag(read_reply):
    reply = await read_reply(delta("a "), delta("<thin"), event("error", code="server_error", message="Oh."))
    assert (reply.text, reply.error.code) == ("a <thin", "overloaded")


async def test_cut_keeps_a_text_that_ends_like_a_tag(read_reply):
    reply = await read_reply(delta("a "), delta("<thin"))
    assert (reply.text, reply.error.code) == ("a <thin", "broken_off")


OVERFLOWS = {
    "a refusal": refusal(400, {"error": OVERFLOW}),
    "an event": Answer([*started(), event("error", error=OVERFLOW)]),
    "the end": Answer([*started(), completed(status="failed", error=OVERFLOW)]),
}


@pytest.mark.parametrize("name", OVERFLOWS)
async def test_conversation_that_is_too_long_continues_without_its_beginning(start_run, upstream, name):
    run = await start_run(*answer(message("word " * 500)), text="word " * 500)
    await wait_for_run(run)
    for answered in (answer(message("two")), OVERFLOWS[name], answer(message("three"))):
        upstream.answers(answered if isinstance(answered, Answer) else Answer(list(answered)))
    for question in ("And?", "And now?"):
        run = await run.conversation.ask(question)
        await engine.start(run)
        await wait_for_run(run)
    assert (run.status, run.message.text) == ("completed", "three")
    assert run.message.parts[0]["type"] == "context_trimmed"
    before, after = [request.body["input"] for request in upstream.requests[-2:]]
    assert len(after) < len(before)
    assert after[-1] == {"role": "user", "content": "And now?"}


async def test_window_is_requested_from_a_self_hosted_server(upstream):
    model = {"id": "x", "object": "model", "max_model_len": 2048}
    upstream.answer = lambda request: whole({"object": "list", "data": [model]})
    request = Request("x", [], "openai_responses", params={"base_url": upstream.base_url})
    assert await providers.context_window(request) == 2048


async def test_usage_of_a_failed_response_is_counted(read_reply):
    reply = await read_reply(completed(status="failed", error=RATE))
    assert reply.builder.usage[0].total_tokens == 12


@pytest.mark.parametrize("cut", [RESET, FIN, None, DONE, b'data: {"type": "response.comp'], ids=str)
async def test_stream_without_its_end_is_broken_off(read_reply, cut):
    reply = await read_reply(*started(), *[*message("Hel", "lo")][:-2], 0.01, *([cut] if cut else []))
    assert reply.text == "Hello"
    assert (reply.error.code, reply.error.broken_off) == ("broken_off", True)


@pytest.mark.parametrize("status", ["cancelled", "in_progress", "queued"])
async def test_response_that_ends_unfinished_is_broken_off(read_reply, status):
    reply = await read_reply(DELTAS, event("response.done", response=CREATED | {"status": status}))
    assert (reply.text, reply.error.code, reply.error.broken_off) == ("Hello", "broken_off", True)


@pytest.mark.parametrize("events", [[*started()], [event("keepalive")], [event("response.new", detail="x", status=5)]])
async def test_stream_without_an_item_is_broken_off(read_reply, events):
    reply = await read_reply(*events)
    assert (reply.error.code, reply.error.retryable) == ("broken_off", True)


async def test_call_that_breaks_off_is_closed(start_run):
    run = await start_run(*started(), *[*call("f", '{"x": 1}')][:3], FIN)
    assert (await outcome_of(run))[:2] == ("interrupted", "broken_off")


async def test_response_that_does_not_stream_is_read(read_reply):
    items = [reasoning_item("hm"), message_item("Hello", index=1), call_item("f", "1", index=2)]
    reply = await read_reply(whole(CREATED | {"status": "completed", "output": items, "usage": USAGE}))
    assert (reply.error, reply.parts) == (None, [THOUGHT, HELLO, tool_part("f", "1")])
    assert reply.builder.usage[0].total_tokens == 12


@pytest.mark.parametrize("body", [b"{}", b'{"object": "list", "data": []}', b'data: {"choices": []}\n\n'])
async def test_body_without_a_response_has_no_answer(read_reply, body):
    reply = await read_reply(body)
    assert (reply.error.code, reply.parts) == ("empty_response", [])


@pytest.mark.parametrize(
    "data",
    [
        b"data: {\n\n",
        event("response.output_item.done", item={"type": "reasoning", "summary": 5}, output_index=[]),
        event("response.output_item.added", item=call_item("f", ""), output_index=[]),
        event("response.completed", response={"output": 5}),
        event("response.completed", response=5),
        b"data: " + b"[" * 200 + b"]" * 200 + b"\n\n",
    ],
    ids=itertools.count(),
)
async def test_malformed_event_fails_the_answer_alone(read_reply, data):
    reply = await read_reply(DELTAS, data, END)
    assert reply.text == "Hello"
    assert reply.error is None or reply.error.code == "malformed"


@pytest.mark.parametrize("kind", REFUSALS)
async def test_refusal_is_reported_in_a_sentence(read_reply, kind):
    answer, code, _, sentence = REFUSALS[kind]
    reply = await read_reply(answer)
    assert reply.error.code == code
    assert sentence in str(reply.error)


async def test_busy_server_is_asked_again(start_run, upstream):
    upstream.answers(refusal(503, {"error": {"message": "Busy."}}, retry_after="0"))
    run = await start_run(*answer(message("Hello")))
    assert await outcome_of(run) == ("completed", "", "Hello")
    assert len(upstream.requests) == 2


# Stop -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("steps", [[], [*started()]], ids=["no byte", "no token"])
async def test_stop_before_the_first_token_closes_the_connection(start_run, upstream, steps):
    run = await start_run(*steps, SILENCE)
    await wait_until(lambda: upstream.requests)
    await engine.cancel(run)
    await wait_until_closed(upstream.requests[0])
    assert await outcome_of(run) == ("cancelled", "", "")
    assert len(upstream.requests) == 1


async def test_stop_in_mid_answer_closes_the_connection_and_keeps_the_text(start_run, upstream):
    run = await start_run(*started(), DELTAS, SILENCE)
    await wait_until_shown(run, "lo")
    await engine.cancel(run)
    await wait_until_closed(upstream.requests[0])
    assert await outcome_of(run) == ("cancelled", "", "Hello")
    assert len(upstream.requests) == 1


async def test_reader_that_leaves_closes_the_connection(upstream):
    upstream.answers(*started(), delta("Hel"), SILENCE)
    request = Request("scripted", [("user", [HELLO])], params={"base_url": upstream.base_url})
    async with aclosing(openai_responses.reply(request)) as pieces:
        assert await anext(pieces) == Text("Hel")
    await wait_until_closed(upstream.requests[0])


async def test_stop_cancels_a_response_in_the_background(start_run, upstream):
    upstream.answers(*started(), DELTAS, SILENCE)
    upstream.answers(whole(CREATED | {"status": "cancelled"}))
    run = await start_run(params={"background": True})
    await wait_until_shown(run, "lo")
    await engine.cancel(run)
    assert await outcome_of(run) == ("cancelled", "", "Hello")
    first, second = upstream.requests
    assert (first.body["background"], first.body["store"]) == (True, True)
    assert first.closed_at <= second.at
    assert (second.method, second.path) == ("POST", "/v1/responses/resp_1/cancel")


async def test_lost_connection_cancels_a_response_in_the_background(read_reply, upstream):
    upstream.answers(*started(), DELTAS, RESET)
    upstream.answers(refusal(404, {"error": {"message": "Gone."}}))
    reply = await read_reply(params={"background": True})
    assert (reply.text, reply.error.code) == ("Hello", "broken_off")
    assert [request.path for request in upstream.requests] == ["/v1/responses", "/v1/responses/resp_1/cancel"]


async def test_finished_response_in_the_background_is_not_cancelled(read_reply, upstream):
    reply = await read_reply(*answer(message("Hello")), params={"background": True})
    assert (reply.text, reply.error, len(upstream.requests)) == ("Hello", None, 1)
