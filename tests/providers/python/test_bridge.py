"""What cannot `yield` sends to the bridge, in the loop and in threads, and a reader takes from it."""

import asyncio
import functools
import gc
import random
import threading
from collections import Counter
from contextlib import aclosing

import pytest

from chat.events import Approval, Finish, Reasoning, Text, ToolCallArgs, ToolCallResult, ToolCallStart, Usage
from chat.providers import bridge as bridge_module
from chat.providers.python import Bridge, Stopped
from tests.providers.python.functions import read_pieces
from tests.timeouts import HANG_TIMEOUT
from tests.waiting import hang_timeout, wait_until

pytestmark = pytest.mark.slow


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


async def read_texts(bridge):
    return [piece.delta async for piece in read_pieces(bridge)]


async def test_bridge_yields_the_pieces_of_a_coroutine_in_order():
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


async def test_code_in_the_loop_that_cannot_wait_is_limited_in_its_lead(monkeypatch):
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
    thread.join(HANG_TIMEOUT)
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
    thread.join(HANG_TIMEOUT)
    assert type(thread.outcome) is Stopped
    with pytest.raises(RuntimeError, match="is blocked"):
        loop.run_until_complete(read_texts(still))
    loop.close()
    thread = Thread(closed.send, "a")
    thread.join(HANG_TIMEOUT)
    assert type(thread.outcome) is Stopped
    assert closed.ended
    Thread(closed.close).join(HANG_TIMEOUT)


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
    async with hang_timeout():
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
async def test_invalid_piece_is_the_senders_error(value):
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
