"""chat.slots: how much of some work is under way at a time."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from chat.errors import Refused
from chat.slots import Slots


async def hold_until(slots, key, released, order=None):
    async with slots.hold(key):
        if order is not None:
            order.append(key)
        await released.wait()


def start(*coroutines):
    return [asyncio.create_task(coroutine) for coroutine in coroutines]


async def let_all_run():
    for _ in range(5):
        await asyncio.sleep(0)


async def refusal(slots, key):
    with pytest.raises(Refused) as refused:
        async with slots.hold(key):
            pass
    return refused.value.status, refused.value.code, refused.value.retry_after


async def test_slots_refuse_a_key_that_has_its_share_and_let_others_in():
    slots = Slots(total=10, per_key=2)
    async with slots.hold("alice"), slots.hold("alice"):
        assert await refusal(slots, "alice") == (429, "too_many_requests", 2)
        async with slots.hold("bob"):
            assert slots.in_use == 3
    assert (slots.in_use, dict(slots.held)) == (0, {})


async def test_slots_refuse_everyone_with_503_when_all_are_taken():
    slots = Slots(total=3, per_key=2)
    async with AsyncExitStack() as stack:
        for key in ("alice", "alice", "bob"):
            await stack.enter_async_context(slots.hold(key))
        assert await refusal(slots, "carol") == (503, "busy", 2)


async def test_slots_go_to_whoever_waited_longest_unless_that_key_has_its_share():
    slots = Slots(total=2, per_key=1, max_waiting=9, max_waiting_per_key=9)
    first, second = asyncio.Event(), asyncio.Event()
    order = []
    tasks = start(
        hold_until(slots, "alice", first, order),
        hold_until(slots, "bob", second, order),
        hold_until(slots, "bob", second, order),
        hold_until(slots, "carol", second, order),
    )
    await let_all_run()
    assert (order, slots.waiting) == (["alice", "bob"], 2)
    first.set()
    await let_all_run()
    assert order == ["alice", "bob", "carol"]  # bob waited longer, but one of his is under way
    second.set()
    await asyncio.gather(*tasks)
    assert (order[3:], slots.in_use, slots.waiting) == (["bob"], 0, 0)


async def test_slots_limit_waiting_tasks_per_key_and_in_all():
    slots = Slots(total=1, per_key=1, max_waiting=3, max_waiting_per_key=2)
    released = asyncio.Event()
    tasks = start(*(hold_until(slots, key, released) for key in ("alice", "alice", "alice", "bob")))
    await let_all_run()
    assert slots.waiting == 3
    assert await refusal(slots, "alice") == (429, "too_many_requests", 2)
    assert await refusal(slots, "carol") == (503, "busy", 2)
    released.set()
    await asyncio.gather(*tasks)


async def test_slots_refuse_a_task_that_waited_too_long():
    slots = Slots(total=1, per_key=1, max_waiting=9, max_waiting_per_key=9, wait_timeout=0.01)
    async with slots.hold("alice"):
        assert await refusal(slots, "bob") == (503, "busy", 2)
    assert slots.waiting == 0


async def test_slots_are_free_after_a_waiting_task_is_cancelled():
    slots = Slots(total=1, per_key=1, max_waiting=9, max_waiting_per_key=9)
    released = asyncio.Event()
    holder, waiter = start(hold_until(slots, "alice", released), hold_until(slots, "bob", released))
    await let_all_run()
    waiter.cancel()
    await asyncio.gather(waiter, return_exceptions=True)
    assert (slots.in_use, slots.waiting) == (1, 0)
    released.set()
    await holder
    assert slots.in_use == 0


async def test_slot_is_free_when_the_task_that_gets_it_is_cancelled_at_that_moment():
    slots = Slots(total=1, per_key=1, max_waiting=9, max_waiting_per_key=9)
    released = asyncio.Event()
    holder, waiter = start(hold_until(slots, "alice", released), hold_until(slots, "bob", released))
    await let_all_run()
    released.set()
    await holder  # which gave its slot to bob, who has not run since
    waiter.cancel()
    await asyncio.gather(waiter, return_exceptions=True)
    assert (slots.in_use, slots.waiting) == (0, 0)


async def test_slot_is_not_given_to_a_task_that_is_being_cancelled():
    slots = Slots(1, 1, max_waiting=2, max_waiting_per_key=2)

    async def hold():
        async with slots.hold("alice"):
            return True

    async with slots.hold("alice"):
        leaving, staying = asyncio.ensure_future(hold()), asyncio.ensure_future(hold())
        await asyncio.sleep(0)
        leaving.cancel()  # its task has not run since
    assert await staying
    assert leaving.cancelled()
    assert (slots.in_use, slots.waiting) == (0, 0)
