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


async def test_members_of_a_key_take_turns():
    slots = Slots(total=9, per_key=1, max_waiting=9, max_waiting_per_key=9)
    order = []

    async def note(member):
        async with slots.hold("office", member=member):
            order.append(member)

    async with slots.hold("office", member="mallory"):
        tasks = start(*map(note, ["mallory", "mallory", "mallory", "alice", "bob", "alice"]))
        await let_all_run()
        tasks[1].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert order == ["mallory", "alice", "bob", "mallory", "alice"]
    assert (slots.in_use, slots.waiting) == (0, 0)


async def test_slot_goes_to_the_longest_waiting_key_with_a_share_left():
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


async def test_slots_take_as_long_to_give_on_whatever_the_number_of_waiting_tasks():
    """One user may have hundreds waiting: each of them, and each of the others, would look at all of these."""
    looked_at = []

    class Turn(asyncio.Future):
        def done(self):
            looked_at.append(self)
            return super().done()

    loop = asyncio.get_running_loop()
    loop.create_future = lambda: Turn(loop=loop)
    try:
        slots = Slots(total=10, per_key=1, max_waiting=999, max_waiting_per_key=999)
        released = asyncio.Event()
        released.set()
        async with slots.hold("alice"):
            tasks = start(*(hold_until(slots, "alice", released) for _ in range(300)))
            await let_all_run()
            looked_at.clear()
            for _ in range(10):
                async with slots.hold("bob"):
                    pass
            assert slots.waiting == 300
            assert looked_at == []
    finally:
        del loop.create_future
    await asyncio.gather(*tasks)
    assert (slots.in_use, slots.waiting) == (0, 0)


async def test_slot_goes_to_the_longest_waiting_when_all_were_taken():
    slots = Slots(total=2, per_key=2, max_waiting=9, max_waiting_per_key=9)
    gates = {name: asyncio.Event() for name in ("alice", "bob", "carol")}
    order = []
    tasks = start(
        *(hold_until(slots, key, gates[key], order) for key in ("alice", "alice", "bob", "alice", "carol", "bob"))
    )
    await let_all_run()
    for name in ("alice", "bob", "carol"):
        gates[name].set()
        await let_all_run()
    await asyncio.gather(*tasks)
    assert order == ["alice", "alice", "bob", "alice", "carol", "bob"]
