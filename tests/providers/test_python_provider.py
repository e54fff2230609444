"""What cannot `yield`: the bridge, functions of one's own (`python:`), LangChain chains that call back."""

import asyncio
import contextvars
import functools
import gc
import random
import re
import subprocess
import sys
import threading
import types
from collections import Counter
from contextlib import aclosing

import pytest
from asgiref.sync import sync_to_async
from django.db import connections

from chat import engine, providers
from chat.events import (
    Approval,
    Finish,
    Reasoning,
    Text,
    ToolCallArgs,
    ToolCallEnd,
    ToolCallResult,
    ToolCallStart,
    Usage,
)
from chat.executors import DaemonPool
from chat.models import Assistant, Message
from chat.providers import ProviderError, Request
from chat.providers import bridge as bridge_module
from chat.providers import python as python_provider
from chat.providers.python import Bridge, Stopped
from scripts.environment import ROOT
from tests.waiting import wait_for_run, wait_until

pytestmark = pytest.mark.slow


# The bridge -----------------------------------------------------------------------------------------------------------


class Thread(threading.Thread):
    """A daemon thread that stores what its function returns or raises as `outcome`."""

    def __init__(self, function, *args):
        super().__init__(daemon=True)
        self.work, self.outcome = functools.partial(function, *args), None
        self.start()

    def run(self):
        try:
            self.outcome = self.work()
        except BaseException as error:
            self.outcome = error

    async def ended(self):
        await wait_until(lambda: not self.is_alive())
        return self.outcome


def waiting_threads(bridge):
    """Returns how many threads wait in the bridge's `send`. There is no public way to find out."""
    return len(bridge._state._waiters)


def send_numbered(bridge, name, count):
    for number in range(count):
        bridge.send(f"{name}{number}")


async def send_numbered_in_loop(bridge, name, count):
    for number in range(count):
        await bridge.send(f"{name}{number}")


async def read_pieces(bridge):
    """Yields the bridge's pieces. Fails after 20 s."""
    async with asyncio.timeout(20), aclosing(aiter(bridge)) as pieces:
        async for piece in pieces:
            yield piece


async def read_texts(bridge):
    return [piece.delta async for piece in read_pieces(bridge)]


async def test_bridge_gives_what_a_coroutine_sent_in_order():
    bridge = Bridge()

    async def produce():
        await bridge.send("one")
        await bridge.send(Reasoning("two"))
        await bridge.send(Finish("stop"))
        bridge.close()

    task = asyncio.create_task(produce())
    assert [piece async for piece in read_pieces(bridge)] == [Text("one"), Reasoning("two"), Finish("stop")]
    await task


async def test_bridge_keeps_the_order_of_each_thread_and_coroutine(monkeypatch):
    monkeypatch.setattr(bridge_module, "MAX_UNREAD", 3)
    bridge = Bridge()
    threads = [Thread(send_numbered, bridge, name, 2000) for name in "abc"]
    tasks = [asyncio.create_task(send_numbered_in_loop(bridge, name, 2000)) for name in "xyz"]

    async def end():
        await asyncio.gather(*tasks)
        assert [await thread.ended() for thread in threads] == [None] * 3
        bridge.close()

    ending = asyncio.create_task(end())
    received = await read_texts(bridge)
    await ending
    assert len(received) == 12_000
    for name in "abcxyz":
        assert [text for text in received if text[0] == name] == [f"{name}{number}" for number in range(2000)]


async def test_coroutine_waits_for_the_reader(monkeypatch):
    monkeypatch.setattr(bridge_module, "MAX_UNREAD", 5)
    bridge, sent = Bridge(), []

    async def produce():
        for number in range(100):
            await bridge.send(str(number))
            sent.append(number)
        bridge.close()

    task = asyncio.create_task(produce())
    for _ in range(50):
        await asyncio.sleep(0)
    assert len(sent) == 5  # and the sixth is there, but its sender waits
    assert await read_texts(bridge) == [str(number) for number in range(100)]
    await task
    assert len(sent) == 100


async def test_thread_waits_for_the_reader(monkeypatch):
    monkeypatch.setattr(bridge_module, "MAX_UNREAD", 5)
    bridge, sent, furthest = Bridge(), [], 0

    def produce():
        for number in range(3000):
            bridge.send(str(number))
            sent.append(number)
        bridge.close()

    thread = Thread(produce)
    await wait_until(lambda: waiting_threads(bridge))
    assert len(sent) == 5
    read = 0
    async for _ in read_pieces(bridge):
        read += 1
        furthest = max(furthest, len(sent) - read)
    assert await thread.ended() is None
    assert read == 3000
    assert furthest <= 2 * (5 + 1)  # those that wait, and those that the reader has taken to read


async def test_sender_that_never_pauses_does_not_starve_other_tasks():
    bridge, others_ran = Bridge(), asyncio.Event()
    asyncio.get_running_loop().call_soon(others_ran.set)
    bridge.send("a")
    read = 0
    async for _ in bridge:
        read += 1
        assert read < 1000
        if others_ran.is_set():
            break
        bridge.send("b")


async def test_code_in_the_loop_that_cannot_wait_is_so_far_ahead_and_no_further(monkeypatch):
    monkeypatch.setattr(bridge_module, "MAX_UNREAD_IN_LOOP", 100)
    bridge = Bridge()
    send_numbered(bridge, "", 100)
    with pytest.raises(asyncio.QueueFull, match="await"):
        bridge.send("too much")
    bridge.close()
    assert await read_texts(bridge) == [str(number) for number in range(100)]


async def test_coroutine_of_another_loop_can_send(monkeypatch):
    monkeypatch.setattr(bridge_module, "MAX_UNREAD", 3)
    bridge = Bridge()

    async def elsewhere():
        await send_numbered_in_loop(bridge, "a", 100)
        bridge.close()

    thread = Thread(lambda: asyncio.run(elsewhere()))
    assert len(await read_texts(bridge)) == 100
    assert await thread.ended() is None


async def test_close_frees_waiting_senders_and_keeps_what_they_sent(monkeypatch):
    monkeypatch.setattr(bridge_module, "MAX_UNREAD", 2)
    bridge = Bridge()
    task = asyncio.create_task(send_numbered_in_loop(bridge, "a", 9))
    await asyncio.sleep(0)
    threads = [Thread(send_numbered, bridge, "b", 1), Thread(send_numbered, bridge, "c", 9)]
    await wait_until(lambda: waiting_threads(bridge) == 2)
    await Thread(bridge.close).ended()
    for thread in threads:
        assert type(await thread.ended()) is Stopped
    with pytest.raises(Stopped):
        await task
    assert Counter(await read_texts(bridge)) == Counter(["a0", "a1", "a2", "b0", "c0"])


async def test_sender_is_stopped_after_the_end():
    bridge = Bridge()
    bridge.send("a")
    bridge.close()
    bridge.close()
    bridge.fail(ValueError("The first end counts."))
    with pytest.raises(Stopped):
        bridge.send("b")
    assert type(await Thread(bridge.send, "c").ended()) is Stopped
    assert await read_texts(bridge) == ["a"]
    assert await read_texts(bridge) == []


async def test_reader_gets_what_was_sent_before_a_failure():
    bridge, received = Bridge(), []

    def produce():
        bridge.send("half an ans")
        bridge.fail(ValueError("cut"))

    thread = Thread(produce)
    with pytest.raises(ValueError, match="cut"):
        async for piece in read_pieces(bridge):
            received.append(piece.delta)
    assert (received, await thread.ended()) == (["half an ans"], None)


async def test_reader_cancelled_while_it_waits_ends_the_bridge():
    bridge = Bridge()
    reader = asyncio.create_task(read_texts(bridge))
    for _ in range(5):
        await asyncio.sleep(0)
    reader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reader
    assert bridge.ended
    assert type(await Thread(bridge.send, "a").ended()) is Stopped


async def test_cancelled_reader_frees_waiting_senders(monkeypatch):
    monkeypatch.setattr(bridge_module, "MAX_UNREAD", 2)
    bridge, begun = Bridge(), asyncio.Event()

    async def read():
        async with aclosing(aiter(bridge)) as pieces:
            async for _ in pieces:
                begun.set()
                await asyncio.Event().wait()

    reader, thread = asyncio.create_task(read()), Thread(send_numbered, bridge, "a", 99)
    task = asyncio.create_task(send_numbered_in_loop(bridge, "b", 99))
    await wait_until(lambda: begun.is_set() and waiting_threads(bridge))  # both sides wait now
    reader.cancel()
    assert type(await thread.ended()) is Stopped
    with pytest.raises(Stopped):
        await task


async def test_reader_that_leaves_early_frees_waiting_senders(monkeypatch):
    monkeypatch.setattr(bridge_module, "MAX_UNREAD", 2)
    bridge = Bridge()
    thread = Thread(send_numbered, bridge, "a", 99)
    pieces = aiter(bridge)
    assert await anext(pieces) == Text("a0")
    await pieces.aclose()
    assert type(await thread.ended()) is Stopped


async def test_forgotten_reader_frees_waiting_senders(monkeypatch):
    monkeypatch.setattr(bridge_module, "MAX_UNREAD", 2)
    bridge = Bridge()
    thread = Thread(send_numbered, bridge, "a", 99)
    async for _ in bridge:
        break
    gc.collect()
    assert type(await thread.ended()) is Stopped


def test_end_of_the_loop_frees_waiting_senders(monkeypatch):
    monkeypatch.setattr(bridge_module, "MAX_UNREAD", 2)
    kept = []

    async def main():
        bridge = Bridge()
        pieces = aiter(bridge)
        kept.extend([bridge, pieces, Thread(send_numbered, bridge, "a", 99)])
        await anext(pieces)
        await wait_until(lambda: waiting_threads(bridge))

    asyncio.run(main())
    bridge, _, thread = kept
    thread.join(10)
    assert type(thread.outcome) is Stopped
    with pytest.raises(Stopped):
        bridge.send("a")


def test_closed_or_blocked_loop_blocks_no_thread(monkeypatch):
    monkeypatch.setattr(bridge_module, "MAX_UNREAD", 2)
    monkeypatch.setattr(bridge_module, "READER_TIMEOUT", 0.05)

    async def make():
        return Bridge(), Bridge()

    loop = asyncio.new_event_loop()
    still, closed = loop.run_until_complete(make())
    thread = Thread(send_numbered, still, "a", 99)  # the loop does not run
    thread.join(10)
    assert type(thread.outcome) is Stopped
    with pytest.raises(RuntimeError, match="is blocked"):
        loop.run_until_complete(read_texts(still))
    loop.close()
    thread = Thread(closed.send, "a")
    thread.join(10)
    assert type(thread.outcome) is Stopped
    assert closed.ended
    Thread(closed.close).join(10)


async def test_bridge_whose_loop_is_closed_can_be_ended():
    made = await Thread(lambda: asyncio.run(make_bridge())).ended()
    made.fail(ValueError("Nobody is there."))
    assert made.ended


async def make_bridge():
    return Bridge()


@pytest.mark.parametrize("seed", range(30))
async def test_senders_are_released_however_and_whenever_the_bridge_ends(monkeypatch, seed):
    chance = random.Random(seed)
    monkeypatch.setattr(bridge_module, "MAX_UNREAD", chance.randint(1, 4))
    bridge, read = Bridge(), 0
    threads = [Thread(send_numbered, bridge, "a", 400) for _ in range(chance.randint(0, 3))]
    tasks = [asyncio.create_task(send_numbered_in_loop(bridge, "b", 400)) for _ in range(chance.randint(0, 3))]
    stop = chance.randint(0, 300)
    ends = [bridge.close, functools.partial(bridge.fail, ValueError("cut")), lambda: reader.cancel()]
    end = chance.choice(ends)

    async def consume():
        nonlocal read
        async with aclosing(aiter(bridge)) as pieces:
            async for _ in pieces:
                read += 1
                if read == stop:
                    end()
                if chance.random() < 0.05:
                    await asyncio.sleep(0)

    reader = asyncio.create_task(consume())
    if not (threads or tasks) or stop == 0:
        Thread(bridge.close)
    async with asyncio.timeout(20):
        await asyncio.wait([reader])
    for outcome in [await thread.ended() for thread in threads] + await asyncio.gather(*tasks, return_exceptions=True):
        assert outcome is None or type(outcome) is Stopped
    assert bridge.ended


@pytest.mark.parametrize(
    "value",
    [
        None,
        5,
        b"bytes",
        ["text"],
        Text,
        Text(5),
        Reasoning(None),
        ToolCallStart(1, "t"),
        ToolCallArgs("c", {}),
        ToolCallResult("c", None),
        ToolCallResult("c", "text", metadata="error"),
        Usage("3"),
        Finish(None),
        Approval("c", "May I?"),  # a function is not told the answer
    ],
)
async def test_value_that_is_no_valid_piece_is_the_senders_error(value):
    bridge = Bridge()
    with pytest.raises(TypeError):
        bridge.send(value)
    bridge.close()
    assert await read_texts(bridge) == []


async def test_tool_result_keeps_only_its_text_and_whether_it_failed():
    bridge = Bridge()
    bridge.send(ToolCallResult("a", "x", metadata={"error": ValueError(), "more": object()}))
    bridge.send(ToolCallResult("b", "x", metadata={"more": object()}))
    bridge.close()
    assert [piece.metadata async for piece in read_pieces(bridge)] == [{"error": True}, None]


# Functions ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def team(settings, monkeypatch):
    """`team(reply)` makes `team.reply` this function, and allows it."""
    module = types.ModuleType("team")
    monkeypatch.setitem(sys.modules, "team", module)
    monkeypatch.setattr(python_provider, "_functions", {})
    settings.PYTHON_PROVIDERS = ["team.reply"]

    def write(function):
        module.reply = function
        python_provider._functions.clear()
        return "python:team.reply"

    return write


@pytest.fixture
def start_run(team, script, ask):
    """`await start_run(function)`: starts a run of Alice's that this function answers."""

    async def start(function, text="Hi", **fields):
        return await ask(await script("team", model=team(function), **fields), text)

    return start


async def answer(function, team, text="Hi"):
    """Returns the provider's pieces, without the empty ones that it sends as a sign of life."""
    team(function)
    request = Request("team.reply", [("user", [{"type": "text", "text": text}])])
    async with aclosing(python_provider.reply(request)) as pieces:
        return [piece async for piece in pieces if piece != Text("")]


def all_threads_are_free():
    return python_provider.pool.free == python_provider.MAX_THREADS


def in_a_thread(messages, send):
    send("Hello ")
    return "there"


async def in_the_loop(messages, send):
    await send("Hello ")
    return "there"


def generator(messages, send):
    yield "Hello "
    send("the")
    yield Text("re")


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


async def test_function_may_send_steps_usage_and_its_own_end(start_run):
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


class OwnError(Exception):
    pass


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


async def test_stopped_thread_is_stopped_at_its_next_send(start_run):
    gate, seen = threading.Event(), []

    def reply(messages, send):
        try:
            send("so far")
            gate.wait(20)
            while True:
                try:
                    send("more")
                except Exception:
                    seen.append("taken for an error")
        except BaseException as error:
            seen.append(type(error))
            raise
        finally:
            seen.append("cleaned up")

    run = await start_run(reply)
    await wait_until(
        lambda: run.pk in engine.current().live and "so far" in str(engine.current().live[run.pk].log.events)
    )
    assert python_provider.pool.free == python_provider.MAX_THREADS - 1
    await engine.cancel(run)
    await wait_for_run(run)  # the run does not wait for it
    assert (run.status, run.message.text) == ("cancelled", "so far")
    assert python_provider.pool.free == python_provider.MAX_THREADS - 1
    gate.set()
    await wait_until(all_threads_are_free)
    assert seen == [Stopped, "cleaned up"]


async def test_stopped_generator_is_closed(start_run):
    seen = []

    def reply(messages, send):
        try:
            while True:
                yield "more "
        finally:
            seen.append("closed")

    run = await start_run(reply)
    await wait_until(
        lambda: run.pk in engine.current().live and "more" in str(engine.current().live[run.pk].log.events[:9])
    )
    await engine.cancel(run)
    await wait_for_run(run)
    assert run.status in ("cancelled", "completed")  # completed where it had reached the length of a whole answer
    await wait_until(all_threads_are_free)
    assert seen == ["closed"]


@pytest.mark.parametrize("kind", ["coroutine", "generator"])
async def test_stopped_coroutine_is_cancelled_and_closes_what_it_opened(start_run, caplog, kind):
    seen = []

    async def reply(messages, send):
        try:
            await send("so far")
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            seen.append("cleaned up")

    async def generator(messages, send):
        try:
            yield "so far"
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            seen.append("cleaned up")

    run = await start_run(reply if kind == "coroutine" else generator)
    await wait_until(
        lambda: run.pk in engine.current().live and "so far" in str(engine.current().live[run.pk].log.events)
    )
    await engine.cancel(run)
    await wait_for_run(run)
    assert (run.status, run.message.text, seen) == ("cancelled", "so far", ["cleaned up"])
    assert "failed" not in caplog.text


@pytest.mark.parametrize("is_async", [True, False])
async def test_error_after_the_stop_does_not_fail_the_run(start_run, caplog, is_async):
    caplog.set_level("INFO")
    gate = threading.Event()

    def reply(messages, send):
        try:
            send("so far")
            gate.wait(20)
            send("more")
        except BaseException:
            raise OwnError("in cleaning up") from None

    async def areply(messages, send):
        try:
            await send("so far")
            await asyncio.Event().wait()
        except BaseException:
            raise OwnError("in cleaning up") from None

    run = await start_run(areply if is_async else reply)
    await wait_until(
        lambda: run.pk in engine.current().live and "so far" in str(engine.current().live[run.pk].log.events)
    )
    await engine.cancel(run)
    await wait_for_run(run)
    gate.set()
    await wait_until(all_threads_are_free)
    assert run.status == "cancelled"
    assert "team.reply was stopped and raised OwnError" in caplog.text
    assert "failed" not in caplog.text


async def test_coroutine_that_does_not_stop_does_not_delay_its_run(start_run, caplog, monkeypatch):
    monkeypatch.setattr(python_provider, "CANCEL_TIMEOUT", 0.01)
    gate = asyncio.Event()

    async def reply(messages, send):
        await send("so far")
        while not gate.is_set():
            try:
                await gate.wait()
            except asyncio.CancelledError:
                pass

    run = await start_run(reply)
    await wait_until(
        lambda: run.pk in engine.current().live and "so far" in str(engine.current().live[run.pk].log.events)
    )
    await engine.cancel(run)
    await wait_for_run(run)
    assert run.status == "cancelled"
    assert "team.reply was cancelled and is still running" in caplog.text
    gate.set()


async def test_run_frees_its_thread_when_the_engine_shuts_down(start_run):
    gate, ended = threading.Event(), threading.Event()

    def reply(messages, send):
        try:
            send("so far")
            gate.wait(20)
            send("more")
        finally:
            ended.set()

    run = await start_run(reply)
    await wait_until(
        lambda: run.pk in engine.current().live and "so far" in str(engine.current().live[run.pk].log.events)
    )
    await engine.shut_down()
    await run.arefresh_from_db()
    assert run.status == "interrupted"
    gate.set()
    await wait_until(all_threads_are_free)
    assert ended.is_set()


def test_function_that_never_ends_does_not_keep_the_process_alive():
    code = """
import asyncio, django, sys, time, types
django.setup()
from django.conf import settings
from chat.providers import Request
from chat.providers import python as python_provider

def reply(messages, send):
    send("so far")
    time.sleep(600)  # a function that never returns: the site must not wait for it

sys.modules["team"] = types.SimpleNamespace(reply=reply)
settings.PYTHON_PROVIDERS = ["team.reply"]

async def main():
    async for piece in python_provider.reply(Request("team.reply", [])):
        if piece.delta:
            print(piece.delta)
            break

asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stdout) == (0, "so far\n"), done.stderr


async def test_threads_are_limited_and_all_runs_end(start_run, ask, monkeypatch, settings):
    settings.MAX_RUNS_PER_USER = 40
    monkeypatch.setattr(python_provider, "pool", DaemonPool("function", 4))
    lock, running, max_running = threading.Lock(), 0, 0
    enough = threading.Barrier(4)  # so that four run at the same time

    def reply(messages, send):
        nonlocal running, max_running
        with lock:
            running += 1
            max_running = max(max_running, running)
        enough.wait(20)
        for word in messages[-1]["content"].split():
            send(f"{word} ")
        with lock:
            running -= 1

    first = await start_run(reply, "number 0")
    assistant = await Assistant.objects.aget(slug="team")
    runs = [first] + [await ask(assistant, f"number {number}") for number in range(1, 40)]
    for number, run in enumerate(runs):
        await wait_for_run(run)
        assert (run.status, run.message.text) == ("completed", f"number {number} ")
    assert max_running == 4
    await wait_until(lambda: python_provider.pool.free == 4)


async def test_run_that_waits_for_a_thread_does_not_time_out(start_run, ask, monkeypatch, settings):
    monkeypatch.setattr(python_provider, "pool", DaemonPool("function", 1))
    monkeypatch.setattr(python_provider, "KEEPALIVE_INTERVAL", 0.05)
    settings.FIRST_TOKEN_SECONDS = 1
    settings.SILENCE_SECONDS = 4
    gate, begun = threading.Event(), threading.Event()

    def reply(messages, send):
        send("I am ")
        begun.set()
        gate.wait(20)
        return "here"

    first = await start_run(reply)
    await wait_until(begun.is_set)
    second = await ask(await Assistant.objects.aget(slug="team"))
    asyncio.get_running_loop().call_later(2, gate.set)  # twice as long as a model may be silent
    for run in (first, second):
        await wait_for_run(run)
        assert (run.status, run.message.text) == ("completed", "I am here")
    assert run.finished_at.timestamp() - run.started_at.timestamp() > 1


async def test_silent_function_times_out(start_run, settings):
    settings.FIRST_TOKEN_SECONDS = 0.05
    gate = threading.Event()
    run = await start_run(lambda messages, send: gate.wait(20) and "too late")
    await wait_for_run(run)
    assert (run.status, run.error_code, run.message.parts) == ("failed", "timeout", [])
    gate.set()
    await wait_until(all_threads_are_free)


async def test_run_stopped_while_waiting_for_a_thread_calls_nothing(start_run, ask, monkeypatch):
    monkeypatch.setattr(python_provider, "pool", DaemonPool("function", 1))
    gate, begun, calls = threading.Event(), threading.Event(), []

    def reply(messages, send):
        calls.append(messages[-1]["content"])
        begun.set()
        gate.wait(20)

    first = await start_run(reply, "one")
    await wait_until(begun.is_set)
    second = await ask(await Assistant.objects.aget(slug="team"), "two")
    await wait_until(lambda: len(python_provider.pool.queues) == 1)
    await engine.cancel(second)
    await wait_for_run(second)
    gate.set()
    await wait_for_run(first)
    await wait_until(lambda: python_provider.pool.free == 1)
    assert (first.status, second.status, calls) == ("completed", "cancelled", ["one"])


async def test_run_stopped_at_the_moment_it_begins_calls_nothing(team):
    """The thread is there, but its reader has gone."""
    request = Request("team.reply", [("user", [{"type": "text", "text": "Hi"}])])
    calls, bridge = [], Bridge()
    bridge.close()
    async with python_provider._run_in_thread("team.reply", lambda *args: calls.append(args), request, bridge):
        await wait_until(all_threads_are_free)
    assert calls == []


async def test_thread_leaves_no_database_connection(start_run):
    used = []

    def reply(messages, send):
        count = Assistant.objects.count()
        used.extend([connections["default"], connections["default"].connection])
        return str(count)

    run = await start_run(reply)
    await wait_for_run(run)
    assert (run.status, run.message.text) == ("completed", str(await Assistant.objects.acount()))
    await wait_until(all_threads_are_free)
    assert used[1] is not None
    assert used[0].connection is None


async def test_coroutine_queries_the_database_and_leaves_nothing_stale(start_run):
    used = []

    def outlive():
        connections["default"].close_at = 0  # as if it had been open for CONN_MAX_AGE
        return connections["default"]

    async def reply(messages, send):
        await send(str(await Assistant.objects.acount()))
        used.append(await sync_to_async(outlive)())

    run = await start_run(reply)
    await wait_for_run(run)
    assert (run.status, run.message.text) == ("completed", str(await Assistant.objects.acount()))
    assert used[0].connection is None  # nothing stale is left for the next


name = contextvars.ContextVar("name", default="nobody")


@pytest.mark.parametrize("is_async", [False, True])
async def test_run_has_a_context_of_its_own(transactional_db, team, monkeypatch, is_async):
    monkeypatch.setattr(python_provider, "pool", DaemonPool("function", 1))
    name.set("the test")

    def reply(messages, send):
        before = name.get()
        name.set("the function")
        return before

    async def areply(messages, send):
        return reply(messages, send)

    answers = await asyncio.gather(*[answer(areply if is_async else reply, team) for _ in range(3)])
    assert answers == [[Text("nobody"), Finish("stop")]] * 3


async def test_import_does_not_block_the_loop(team, settings, monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "slow_to_import.py").write_text(
        f"import {__name__} as tests\ntests.gate.wait(20)\ndef reply(messages, send): return 'imported'\n"
    )
    monkeypatch.setattr(sys.modules[__name__], "gate", threading.Event(), raising=False)
    settings.PYTHON_PROVIDERS = ["slow_to_import"]
    request = Request("slow_to_import.reply", [("user", [{"type": "text", "text": "Hi"}])])

    async def read_pieces():
        async with aclosing(python_provider.reply(request)) as pieces:
            return [piece async for piece in pieces]

    task = asyncio.create_task(read_pieces())
    await wait_until(lambda: "slow_to_import" in sys.modules)
    gate.set()  # noqa: F821  nobody could, if the loop waited for the import
    assert Text("imported") in await task
    del sys.modules["slow_to_import"]


# Which functions ------------------------------------------------------------------------------------------------------


def refused(path):
    with pytest.raises(ProviderError) as refusal:
        providers.check(f"python:{path}")
    assert refusal.value.code == "not_configured"
    return str(refusal.value)


@pytest.fixture
def package(tmp_path, monkeypatch, settings):
    """`package(name=source, …)`: modules of the package `ours`, which is allowed."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(python_provider, "_functions", {})
    settings.PYTHON_PROVIDERS = ["ours"]
    (tmp_path / "ours").mkdir()
    (tmp_path / "ours" / "__init__.py").write_text("")

    def write(**sources):
        for name, source in sources.items():
            (tmp_path / "ours" / f"{name}.py").write_text(source)
        sys.path_importer_cache.clear()

    yield write
    for name in [name for name in sys.modules if name.partition(".")[0] == "ours"]:
        del sys.modules[name]


REPLY = "def reply(messages, send): return 'ours'\n"


@pytest.mark.parametrize("path", ["os.system", "subprocess.run", "builtins.eval", "ourselves.reply", "our", "", "ours"])
def test_path_that_is_not_listed_is_refused(package, path):
    assert "PYTHON_PROVIDERS" in refused(path)
    assert path in refused(path)


@pytest.mark.parametrize(
    "path", ["ours..reply", "ours.", ".ours", "ours.a b", "ours.a/../b", "ours.a\0.b", "ours.\ud800.b", "ours:reply"]
)
def test_malformed_path_is_refused(package, path):
    assert "is not allowed." in refused(path)


def test_list_is_empty_by_default():
    done = subprocess.run(
        [sys.executable, "-c", "from chatsite import settings; print(settings.PYTHON_PROVIDERS)"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.stdout == "[]\n", done.stderr


def test_list_is_read_from_the_environment(monkeypatch):
    done = subprocess.run(
        [sys.executable, "-c", "from chatsite import settings; print(settings.PYTHON_PROVIDERS)"],
        cwd=ROOT,
        env={"PYTHON_PROVIDERS": "one.reply, two ,", "PATH": "/usr/bin"},
        capture_output=True,
        text=True,
    )
    assert done.stdout == "['one.reply', 'two']\n", done.stderr


def test_listed_module_does_not_allow_what_it_imported(package, settings):
    package(
        answers="import os\nfrom os import system\nfrom subprocess import run\nfrom functools import partial\n"
        "from ours.others import reply\nhello = partial(print)\n",
        others=REPLY,
    )
    assert "defined in posix" in refused("ours.answers.system")
    assert "defined in subprocess" in refused("ours.answers.run")
    assert "defined in functools" in refused("ours.answers.hello")
    assert "cannot be imported" in refused("ours.answers.os.system")
    providers.check("python:ours.answers.reply")  # from a module that is listed, too
    settings.PYTHON_PROVIDERS = ["ours.answers"]
    assert "defined in ours.others" in refused("ours.answers.reply")
    settings.PYTHON_PROVIDERS = ["ours.answers.reply"]
    providers.check("python:ours.answers.reply")
    assert "is not allowed." in refused("ours.others.reply")


def test_refusal_names_what_cannot_be_imported_or_called(package, caplog):
    package(
        broken="1 / 0",
        leaving="raise SystemExit",
        wrong="this is no Python",
        answers="reply = 'text'\ndef one(messages): pass\ndef three(messages, send, more): pass\n"
        "def many(*args): pass\ndef kind(messages, send, *, more=1): pass\n",
    )
    for module in ("missing", "broken", "leaving", "wrong"):
        assert (
            refused(f"ours.{module}.b") == f"“ours.{module}.b” cannot be imported. See the server's log for the reason."
        )
    assert "ZeroDivisionError" in caplog.text
    for name in ("reply", "nothing"):
        assert refused(f"ours.answers.{name}") == f"There is no function “ours.answers.{name}”."
    for name in ("one", "three"):
        assert (
            refused(f"ours.answers.{name}") == f"“ours.answers.{name}” is not a function that takes (messages, send)."
        )
    for name in ("many", "kind"):
        providers.check(f"python:ours.answers.{name}")


def test_function_that_hides_its_parameters_is_accepted(package, settings):
    package(answers="import builtins\nreply = builtins.print\nreply_ = dict.fromkeys\nreply__ = max\n")
    settings.PYTHON_PROVIDERS = ["ours.answers.reply__"]
    providers.check("python:ours.answers.reply__")


def test_provider_takes_no_params(package):
    package(answers=REPLY)
    providers.check("python:ours.answers.reply", {})
    with pytest.raises(ProviderError, match="no parameters"):
        providers.check("python:ours.answers.reply", {"temperature": 1})


async def test_run_whose_function_is_not_allowed_says_so(script, ask, settings):
    run = await ask(await script("bad", model="python:os.system"))
    await wait_for_run(run)
    assert (run.status, run.error_code) == ("failed", "not_configured")
    assert "PYTHON_PROVIDERS" in run.error_message


async def test_function_that_was_allowed_may_be_refused_later(package, settings):
    package(answers=REPLY)
    request = Request("ours.answers.reply", [("user", [{"type": "text", "text": "Hi"}])])

    async def read_pieces():
        async with aclosing(python_provider.reply(request)) as pieces:
            return [piece async for piece in pieces if piece != Text("")]

    assert await read_pieces() == [Text("ours"), Finish("stop")]
    settings.PYTHON_PROVIDERS = []
    with pytest.raises(ProviderError, match="is not allowed\\."):
        await read_pieces()


# LangChain chains -----------------------------------------------------------------------------------------------------


def chain_of(*answers, **fields):
    from langchain_core.language_models import GenericFakeChatModel
    from langchain_core.messages import AIMessage
    from langchain_core.prompts import ChatPromptTemplate

    messages = iter([AIMessage(answer, **fields) if isinstance(answer, str) else answer for answer in answers])
    return ChatPromptTemplate.from_messages([("human", "{question}")]) | GenericFakeChatModel(messages=messages)


def handler(send, **kwargs):
    from chat.providers.langchain_callbacks import Callbacks

    return {"callbacks": [Callbacks(send, **kwargs)]}


@pytest.mark.parametrize("how", ["ainvoke", "astream", "invoke", "stream"])
async def test_chain_streams_however_it_is_called(start_run, how):
    async def reply(messages, send):
        question = {"question": messages[-1]["content"]}
        if how == "ainvoke":
            await chain_of("Hello there you").ainvoke(question, handler(send))
        else:
            async for _ in chain_of("Hello there you").astream(question, handler(send)):
                pass

    def in_thread(messages, send):
        question = {"question": messages[-1]["content"]}
        if how == "invoke":
            chain_of("Hello there you").invoke(question, handler(send))
        else:
            list(chain_of("Hello there you").stream(question, handler(send)))

    run = await start_run(reply if how.startswith("a") else in_thread)
    await wait_for_run(run)
    assert (run.status, run.message.text) == ("completed", "Hello there you")
    assert run.last_seq == 2 + 5 + 2  # five deltas


async def sent(work, **kwargs):
    """What the callbacks send while `work(config)` runs."""
    bridge = Bridge()

    async def produce():
        try:
            await work(handler(bridge.send, **kwargs))
        finally:
            bridge.close()

    task = asyncio.create_task(produce())
    pieces = [piece async for piece in read_pieces(bridge)]
    await asyncio.wait([task])
    return pieces, task.exception()


async def test_models_on_the_way_to_the_answer_are_reasoning():
    first = chain_of("the question again")
    last = chain_of("the answer").with_config(tags=["final"])

    async def work(config):
        await (first | (lambda message: {"question": message.text}) | last).ainvoke({"question": "?"}, config)

    pieces, _ = await sent(work, answer="final")
    assert "".join(piece.delta for piece in pieces if type(piece) is Reasoning) == "the question again"
    assert "".join(piece.delta for piece in pieces if type(piece) is Text) == "the answer"


async def test_model_that_does_not_stream_answers_in_one_piece_with_its_usage():
    from langchain_core.language_models import FakeMessagesListChatModel
    from langchain_core.messages import AIMessage

    usage = {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5}
    details = {"output_token_details": {"reasoning": 1}, "input_token_details": {"cache_read": 2}}
    content = [
        {"type": "reasoning", "reasoning": "hm"},
        {"type": "text", "text": "Hello"},
        {"type": "image", "url": "x"},
    ]
    model = FakeMessagesListChatModel(responses=[AIMessage(content, usage_metadata=usage | details)])
    pieces, error = await sent(lambda config: model.ainvoke("?", config))
    assert error is None
    assert pieces == [Reasoning("hm"), Text("Hello"), Usage(3, 2, 5, 1, 2)]


async def test_malformed_model_output_is_an_error():
    from langchain_core.language_models import FakeMessagesListChatModel
    from langchain_core.messages import AIMessage

    model = FakeMessagesListChatModel(responses=[AIMessage([{"type": "text", "text": 5}])])
    pieces, error = await sent(lambda config: model.ainvoke("?", config))
    assert pieces == []
    assert error


async def test_completion_model_is_supported():
    from langchain_core.language_models import FakeListLLM
    from langchain_core.outputs import Generation, LLMResult

    pieces, _ = await sent(lambda config: FakeListLLM(responses=["Hello"]).ainvoke("?", config))
    assert pieces == [Text("Hello")]

    async def by_hand(config):  # what older vendors' packages tell
        callbacks = config["callbacks"][0]
        await callbacks.on_llm_new_token("old", run_id=1)
        used = {"token_usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}}
        await callbacks.on_llm_end(LLMResult(generations=[[Generation(text="old")], []], llm_output=used), run_id=1)

    assert (await sent(by_hand))[0] == [Text("old"), Usage(3, 2, 5)]


async def test_tools_are_steps_with_their_results():
    from langchain_core.tools import ToolException, tool

    @tool
    async def dice(sides: int) -> str:
        """Throw a die."""
        if sides < 1:
            raise ToolException("A die has sides.")
        return str(5 // (sides - 2))

    async def use(config):
        for sides in (6, 0, 2):
            try:
                await dice.ainvoke({"sides": sides}, config)
            except Exception:
                continue
        call = {"type": "tool_call", "id": "x", "name": "dice", "args": {"sides": 0}}
        dice.handle_tool_error = True
        await dice.ainvoke(call, config)

    pieces, error = await sent(use)
    assert error is None
    assert [piece.tool_call_name for piece in pieces if type(piece) is ToolCallStart] == ["dice"] * 4
    arguments = [piece.delta for piece in pieces if type(piece) is ToolCallArgs]
    assert arguments == ['{"sides": 6}', '{"sides": 0}', '{"sides": 2}', '{"sides": 0}']
    results = [(piece.content, piece.metadata) for piece in pieces if type(piece) is ToolCallResult]
    failed = {"error": True}
    assert results == [
        ("1", None),
        ("A die has sides.", failed),
        ("The tool failed.", failed),
        ("A die has sides.", failed),
    ]
    assert len({piece.tool_call_id for piece in pieces}) == 4


async def test_tool_of_the_old_kind_is_a_step():
    async def by_hand(config):
        await config["callbacks"][0].on_tool_start({"name": "search"}, "weather", run_id=1)
        await config["callbacks"][0].on_tool_start(None, "weather", run_id=2)

    pieces, _ = await sent(by_hand)
    assert pieces[:2] == [ToolCallStart("1", "search"), ToolCallArgs("1", '{"input": "weather"}')]
    assert pieces[3] == ToolCallStart("2", "tool")


async def test_model_error_ends_the_function_and_keeps_the_text(start_run, caplog):
    from langchain_core.language_models import FakeListChatModel

    model = FakeListChatModel(responses=["Hello there"], error_on_chunk_number=5)

    async def reply(messages, send):
        await model.ainvoke("?", handler(send))

    run = await start_run(reply)
    await wait_for_run(run)
    assert (run.status, run.message.text) == ("failed", "Hello")
    assert "FakeListChatModelError" in caplog.text


@pytest.mark.parametrize("is_async", [True, False])
async def test_chain_stops_when_its_run_is_stopped(start_run, is_async):
    ended = threading.Event()

    def endless():
        from langchain_core.language_models import FakeListChatModel

        return FakeListChatModel(responses=["so far " * 100_000], sleep=0.001)

    async def reply(messages, send):
        try:
            await endless().ainvoke("?", handler(send))
        finally:
            ended.set()

    def in_thread(messages, send):
        try:
            endless().invoke("?", handler(send))
        finally:
            ended.set()

    run = await start_run(reply if is_async else in_thread)
    await wait_until(lambda: run.pk in engine.current().live and len(engine.current().live[run.pk].log.events) > 9)
    await engine.cancel(run)
    await wait_for_run(run)
    assert run.status == "cancelled"
    assert "so far".startswith(run.message.text[:6])
    await wait_until(lambda: ended.is_set() and all_threads_are_free())


async def test_chain_that_blocks_the_loop_fails_and_frees_it(start_run, monkeypatch, caplog):
    monkeypatch.setattr(bridge_module, "MAX_UNREAD", 2)
    monkeypatch.setattr(bridge_module, "READER_TIMEOUT", 0.05)

    async def reply(messages, send):
        chain_of("one two three").invoke({"question": "?"}, handler(send))

    run = await start_run(reply)
    await wait_for_run(run)
    assert (run.status, run.message.text) == ("failed", "one two")  # as far as it may be ahead
    assert "is blocked" in caplog.text


def test_langchain_is_not_loaded_for_a_function():
    code = (
        "import django, sys; django.setup(); import chat.providers.python\n"
        "print([name for name in sys.modules if name.startswith('langchain')])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr


# The document's examples, as they stand there -------------------------------------------------------------------------

DOCUMENT = (ROOT / "docs" / "providers.md").read_text()


def example(path):
    """The code that the document tells to write at that path."""
    block = re.search(rf"`{re.escape(path)}`:\n\n((?:    .*\n|\n)+)", DOCUMENT)[1]
    return re.sub(r"^    ", "", block, flags=re.MULTILINE)


@pytest.fixture
def myteam(tmp_path, monkeypatch, settings):
    """A package to write the examples into; which of them are allowed, the document says."""
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "myteam").mkdir()
    (tmp_path / "myteam" / "__init__.py").write_text("")
    settings.PYTHON_PROVIDERS = re.search(r"^    PYTHON_PROVIDERS=(\S+) make run", DOCUMENT, re.MULTILINE)[1].split(",")
    yield tmp_path / "myteam"
    python_provider._functions.clear()
    for name in [name for name in sys.modules if name.partition(".")[0] == "myteam"]:
        del sys.modules[name]


async def test_example_function_in_the_document_has_ten_lines_and_answers(script, ask, myteam):
    source = example("myteam/answers.py")
    assert len([line for line in source.splitlines() if line.strip()]) <= 10
    (myteam / "answers.py").write_text(source)
    model = re.search(r"the model `(python:\S+)`", DOCUMENT)[1]
    assistant = await script("team", model=model)
    for question, reply in [("Where are you?", "In the old mill."), ("Who?", "Nobody has asked that yet.")]:
        run = await ask(assistant, question)
        await wait_for_run(run)
        assert (run.status, run.message.text) == ("completed", f"Let me look. {reply}")


async def test_chain_is_plugged_in_as_the_document_says(script, ask, myteam, settings):
    settings.PYTHON_PROVIDERS = ["myteam"]
    (myteam / "assistant.py").write_text(example("myteam/assistant.py"))
    (myteam / "chains.py").write_text(
        "from tests.providers.test_python_provider import chain_of\n"
        "rephrase = chain_of('What is the height of Mount Fuji?')\n"
        "answer = chain_of('It is 3,776 m high.').with_config(tags=['final'])\n"
        "chain = rephrase | (lambda message: {'question': message.text}) | answer\n"
    )
    run = await ask(await script("team", model="python:myteam.assistant.reply"), "And how high is it?")
    await wait_for_run(run)
    assert (run.status, run.message.text) == ("completed", "It is 3,776 m high.")
    thought = (await Message.objects.aget(run=run)).parts[0]
    assert (thought["type"], thought["text"]) == ("reasoning", "What is the height of Mount Fuji?")


async def test_provider_is_a_generator_as_the_document_says(script, ask, monkeypatch):
    module = types.ModuleType("chat.providers.countdown")
    module.__package__ = "chat.providers"
    exec(example("chat/providers/countdown.py"), module.__dict__)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    registered = re.search(r'`REGISTRY\["countdown"\] = "(\S+)"`', DOCUMENT)[1]
    monkeypatch.setitem(providers.REGISTRY, "countdown", registered)
    run = await ask(await script("three", model="countdown:3", params={"pause": 0}))
    await wait_for_run(run)
    assert (run.status, run.message.text) == ("completed", "3 2 1 ")
    run = await ask(await script("many", model="countdown:many"))
    await wait_for_run(run)
    assert run.error_message == "A countdown begins with a number, as in countdown:3."


def test_document_states_the_current_limits(settings):
    assert f"at most {python_provider.MAX_THREADS} at a time" in DOCUMENT
    assert f"{bridge_module.MAX_UNREAD_IN_LOOP:,} pieces ahead" in DOCUMENT
    first, further = settings.FIRST_TOKEN_SECONDS, settings.SILENCE_SECONDS
    assert f"within {first} seconds and each further one within {further}" in DOCUMENT
    for piece in bridge_module.PIECES:
        assert f"`{piece.__name__}`" in DOCUMENT
