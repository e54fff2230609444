"""The team's own functions (`python:`): what they get, what they may send, and how they fail."""

import asyncio
import functools
from contextlib import aclosing

import pytest

from chat import engine
from chat.events import Finish, Reasoning, Text, ToolCallArgs, ToolCallEnd, ToolCallResult, ToolCallStart, Usage
from chat.providers import ProviderError, Request
from chat.providers import python as python_provider
from chat.providers.python import Stopped
from tests.providers.python.functions import OwnError, all_threads_are_free, answer, generator
from tests.waiting import wait_for_run, wait_until

pytestmark = pytest.mark.slow


def in_a_thread(messages, send):
    send("Hello ")
    return "there"


async def in_the_loop(messages, send):
    await send("Hello ")
    return "there"


async def async_generator(messages, send):
    yield "Hello "
    await send("the")
    yield Text("re")


class SyncCallable:
    def __call__(self, messages, send):
        send("Hello there")


class AsyncCallable:
    async def __call__(self, messages, send):
        await send("Hello there")


def with_more(text, messages, send):
    send(text)


async def with_threads(messages, send):
    await asyncio.to_thread(send, "Hello ")
    await asyncio.gather(asyncio.to_thread(send, "there"))


def with_a_loop(messages, send):
    asyncio.run(in_the_loop(messages, send))
    send("there")


@pytest.mark.parametrize(
    "function",
    [
        in_a_thread,
        in_the_loop,
        generator,
        async_generator,
        SyncCallable(),
        AsyncCallable(),
        functools.partial(with_more, "Hello there"),
        with_threads,
        with_a_loop,
    ],
)
async def test_callable_of_any_kind_answers(start_run, function):
    run = await start_run(function)
    await wait_for_run(run)
    assert (run.status, run.finish_reason, run.message.text) == ("completed", "stop", "Hello there")
    assert run.message.parts == [{"type": "text", "text": "Hello there"}]
    await wait_until(all_threads_are_free)


async def test_function_receives_messages_in_openais_format(start_run):
    given = []

    def reply(messages, send):
        given.append(messages)
        send(Reasoning("hm"))
        return f"answer {len(given)}"

    run = await start_run(reply, "one", system_prompt="Be brief.")
    await wait_for_run(run)
    run = await run.conversation.ask("two")
    await engine.start(run)
    await wait_for_run(run)
    system, question = {"role": "system", "content": "Be brief."}, {"role": "user", "content": "one"}
    assert given == [
        [system, question],
        [system, question, {"role": "assistant", "content": "answer 1"}, {"role": "user", "content": "two"}],
    ]


async def test_images_are_passed_in_openais_format(team):
    given = []
    team(lambda messages, send: given.extend(messages))
    image = {"type": "image", "id": "1", "media_type": "image/png", "data": "iVBORw0KGgo="}
    question = [image, {"type": "text", "text": "What is it?"}]
    turns = [("user", question), ("assistant", []), ("user", [{"type": "text", "text": "And now?"}])]
    async with aclosing(python_provider.reply(Request("team.reply", turns))) as pieces:
        assert [piece async for piece in pieces if piece != Text("")] == [Finish("stop")]
    seen = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
    assert given == [
        {"role": "user", "content": [seen, {"type": "text", "text": "What is it?\n\nAnd now?"}]},
    ]


async def test_function_may_send_steps_usage_and_a_finish(start_run):
    def reply(messages, send):
        send(Reasoning("hm"))
        for piece in (ToolCallStart("c", "t"), ToolCallArgs("c", "{}"), ToolCallEnd("c"), ToolCallResult("c", "1")):
            send(piece)
        send(Usage(3, 2, 5))
        send("so far")
        send(Finish("length"))

    run = await start_run(reply)
    await wait_for_run(run)
    assert (run.status, run.finish_reason, run.message.text) == ("completed", "length", "so far")
    assert [part["type"] for part in run.message.parts] == ["reasoning", "tool_call", "text"]
    assert run.total_usage == {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5}


async def test_function_that_sends_nothing_gives_an_empty_answer(start_run):
    run = await start_run(lambda messages, send: None)
    await wait_for_run(run)
    assert (run.status, run.message.parts) == ("completed", [])


async def test_split_surrogate_pairs_and_nul_are_cleaned(start_run):
    def reply(messages, send):
        for text in ("a\0b", "\ud83d", "", "\ude00", "\ud83d", "c", "\udc00"):
            send(text)

    run = await start_run(reply)
    await wait_for_run(run)
    assert (run.status, run.message.text) == ("completed", "ab😀\ufffdc\ufffd")


def raising(error, send):
    send("half an ans")
    raise error


@pytest.mark.parametrize("error", [OwnError("secret detail"), SystemExit(3), StopIteration(), Stopped()])
@pytest.mark.parametrize("is_async", [False, True])
async def test_failure_keeps_the_text_and_logs_its_details(start_run, caplog, error, is_async):
    def reply(messages, send):
        raising(error, send)

    async def areply(messages, send):
        raising(error, send)

    run = await start_run(areply if is_async else reply)
    await wait_for_run(run)
    assert (run.status, run.message.text) == ("failed", "half an ans")
    assert run.error_message == "Something went wrong in team.reply. The answer so far has been saved."
    assert "in raising" in caplog.text
    assert ("secret detail" in caplog.text) == isinstance(error, OwnError)
    await wait_until(all_threads_are_free)


async def test_function_that_cancels_itself_has_failed(start_run, caplog):
    async def reply(messages, send):
        await send("half an ans")
        raise asyncio.CancelledError

    run = await start_run(reply)
    await wait_for_run(run)
    assert (run.status, run.message.text) == ("failed", "half an ans")


async def test_failing_function_can_show_the_user_a_message(start_run, caplog):
    def reply(messages, send):
        raise ProviderError("The stars are not right.", "stars")

    run = await start_run(reply)
    await wait_for_run(run)
    assert (run.status, run.error) == ("failed", {"code": "stars", "message": "The stars are not right."})
    assert "Traceback" not in caplog.text


@pytest.mark.parametrize("value", [5, b"bytes", ["a"], object()])
async def test_value_that_is_not_text_fails_whether_sent_or_returned(team, caplog, value):
    with pytest.raises(ProviderError, match="Something went wrong in team"):
        await answer(lambda messages, send: send(value), team)
    assert "send() takes text or a piece" in caplog.text
    with pytest.raises(ProviderError, match="Something went wrong in team"):
        await answer(lambda messages, send: value, team)
    assert "it may return text or nothing" in caplog.text
