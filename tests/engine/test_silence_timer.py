"""The timer that ends what is silent for too long."""

import asyncio
import os
import time

import pytest

from chat.engine.time_limits import SilenceTimer, TimeLimit
from chat.providers.activity import Activity

SHORT, LONG = TimeLimit(0.3, "SILENCE_SECONDS"), TimeLimit(60, "FIRST_TOKEN_SECONDS")


async def test_timer_ends_silence_at_its_limit():
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        async with SilenceTimer(Activity(), SHORT):
            await asyncio.sleep(60)
    assert 0.3 <= time.monotonic() - began < 10


async def test_timer_counts_from_the_last_sign_of_life():
    activity = Activity()
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        async with SilenceTimer(activity, SHORT):
            asyncio.get_running_loop().call_later(0.2, activity.mark)
            await asyncio.sleep(60)
    assert 0.5 <= time.monotonic() - began < 10


async def test_timer_applies_a_new_limit_immediately():
    with pytest.raises(TimeoutError):
        async with SilenceTimer(Activity(), LONG) as timer:
            timer.set_limit(SHORT)
            await asyncio.sleep(60)
    async with SilenceTimer(Activity(), SHORT) as timer:
        timer.set_limit(LONG)
        await asyncio.sleep(0.5)


async def test_timer_ends_at_a_set_time_in_spite_of_signs_of_life():
    activity = Activity()
    with pytest.raises(TimeoutError):
        async with SilenceTimer(activity, LONG) as timer:
            timer.end_within(0.1)
            while True:
                activity.mark()
                await asyncio.sleep(0.01)


async def test_timer_does_not_count_what_is_suspended():
    activity = Activity()
    async with SilenceTimer(activity, SHORT):
        with activity.suspended():
            await asyncio.sleep(0.8)
        await asyncio.sleep(0.1)
    with pytest.raises(TimeoutError):
        async with SilenceTimer(activity, SHORT):
            with activity.suspended(), activity.suspended():
                pass
            await asyncio.sleep(60)


async def test_timer_lets_a_process_that_was_frozen_read_what_has_arrived():
    activity = Activity()
    loop = asyncio.get_running_loop()
    source, target = os.pipe()
    loop.add_reader(source, lambda: os.read(source, 1) and loop.call_soon(activity.mark))  # as a stream's reader wakes
    try:
        os.write(target, b"x")
        async with SilenceTimer(activity, SHORT):
            time.sleep(1)  # noqa: ASYNC251  # the whole process stands still
            await asyncio.sleep(0.1)
    finally:
        loop.remove_reader(source)
        os.close(source)
        os.close(target)


async def test_timer_leaves_nothing_behind():
    async with SilenceTimer(Activity(), SHORT):
        pass
    await asyncio.sleep(0.5)  # a check that was left would cancel the task now
