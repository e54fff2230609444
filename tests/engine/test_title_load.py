"""Titles that wait delay no stream: what an event costs grows with the titles and runs, not with their product."""

import asyncio
import sys
import uuid
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from chat.engine.runner import LiveRun
from chat.engine.titles import Job, Titles
from chat.models import Assistant, Conversation, Message, Run

FACTOR = 4
MAX_GROWTH = 6  # between 4, for linear, and 16, for the product


def run_of(user_id):
    assistant = Assistant(params={"base_url": "http://gpu:8000/v1"})
    return Run(conversation=Conversation(owner_id=user_id), assistant=assistant, message=Message(), model="openai:m")


def titles_and_runs(scale):
    """Returns Titles beside runs on one server, these runs, and jobs for the same server, each of another user."""
    runs = {number: LiveRun(None, run_of(number)) for number in range(10 * scale)}
    jobs = [
        Job(uuid.uuid4(), 1_000 + number, "openai:m", request=None, question="", answer="", server=runs[0].server)
        for number in range(20 * scale)
    ]
    return Titles(SimpleNamespace(live=runs, is_shutting_down=False)), runs, jobs


@contextmanager
def counted_calls():
    """Yields a list that grows by each call of a function."""
    calls = []
    sys.setprofile(lambda frame, event, argument: calls.append(event) if event in ("call", "c_call") else None)
    try:
        yield calls
    finally:
        sys.setprofile(None)


async def end_of_a_run(scale):
    titles, runs, jobs = titles_and_runs(scale)
    titles.waiting = {job.conversation_id: job for job in jobs}
    with counted_calls() as calls:
        await titles.add(runs[0])
    assert len(titles.waiting) == len(jobs)
    return len(calls)


async def a_question(scale):
    titles, _, jobs = titles_and_runs(scale)
    titles.running = {asyncio.Future(): job for job in jobs}
    with counted_calls() as calls:
        titles.give_way(run_of(1))
    assert len(titles.waiting) == len(jobs)
    return len(calls)


@pytest.mark.parametrize("work", [end_of_a_run, a_question])
async def test_work_grows_with_titles_and_runs(work):
    assert await work(8 * FACTOR) < MAX_GROWTH * await work(8)
