"""Functions for `python:` assistants that a test can follow word by word."""

import asyncio
from pathlib import Path

PAUSE = 0.05  # seconds between words


async def count(messages, send):
    """Counts “1 2 3 …” until the file that the question names exists."""
    gate = Path(messages[-1]["content"])
    number = 0
    while not gate.exists():  # noqa: ASYNC240  # takes microseconds
        number += 1
        await send(f"{number} ")
        await asyncio.sleep(PAUSE)


async def wait(messages, send):
    """Says “late” once the file that the question names exists."""
    gate = Path(messages[-1]["content"])
    while not gate.exists():  # noqa: ASYNC240  # takes microseconds
        await asyncio.sleep(PAUSE)
    await send("late")


async def hang(messages, send):
    await asyncio.Event().wait()


async def echo(messages, send):
    await send(messages[-1]["content"])
