"""Alice owns it, Bob reviews, Charlie is a stranger."""

import asyncio
import inspect
import json
import os

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth import get_user_model
from django.db import connections
from django.test import AsyncClient

from chat import engine
from chat.events import Finish, Text
from chat.models import Assistant, Conversation, Run, RunEvent

from . import scripted
from .aimock import aimock, aimock_port  # noqa: F401  fixtures
from .everything import VENDORS
from .upstream import upstream  # noqa: F401  a fixture

# What a developer has set up offers no assistants here, and no key of theirs is sent anywhere.
for name in [name for name in os.environ if name.startswith(VENDORS)]:
    del os.environ[name]
os.environ["OLLAMA_HOST"] = "127.0.0.1:9"  # where none answers


def person(name, **kwargs):
    return get_user_model().objects.create_user(name, password="correct horse battery", **kwargs)


@pytest.fixture
def alice(transactional_db):
    return person("alice")


@pytest.fixture
def bob(transactional_db):
    return person("bob", is_staff=True, is_superuser=True)


@pytest.fixture
def charlie(transactional_db):
    return person("charlie")


class Client(AsyncClient):
    """An async client that logs in before its first request; JSON goes out and comes in as a program would do it."""

    def __init__(self, user=None, **kwargs):
        super().__init__(**kwargs)
        self.user = user

    async def request(self, **request):
        if self.user:
            user, self.user = self.user, None
            await self.aforce_login(user)
        return await super().request(**request)

    async def send(self, method, path, data=None, **headers):
        body = {} if data is None else {"data": json.dumps(data), "content_type": "application/json"}
        return await self.generic(method, path, headers=headers, **body)


@pytest.fixture
def client_of():
    """`client_of(alice)` is logged in as Alice; `client_of()` is nobody."""
    return Client


@pytest.fixture
def script(transactional_db):
    """`await script(name, *steps)` writes what the assistant of that name says; see tests.scripted."""
    scripted.scripts.clear()
    scripted.asked.clear()
    scripted.closed.clear()

    async def write(name, *steps, **fields):
        scripted.scripts[name] = steps[0] if len(steps) == 1 and inspect.isfunction(steps[0]) else steps
        fields = {"name": name, "model": f"scripted:{name}"} | fields
        return (await Assistant.objects.aupdate_or_create(slug=name, defaults=fields))[0]

    return write


@pytest.fixture
def ask(alice):
    """`await ask(assistant, text="Hi")`: Alice's run in a conversation of its own, started."""

    async def start(assistant, text="Hi", **kwargs):
        conversation = await Conversation.objects.acreate(owner=alice, assistant=assistant)
        run = await conversation.ask(text, **kwargs)
        await engine.start(run)
        return run

    return start


@pytest.fixture
def finished_run(script, ask):
    """`await finished_run("one two three")`: a run that said these words, a delta each, and is over."""

    async def finish(text):
        words = [word if place == 0 else f" {word}" for place, word in enumerate(text.split(" "))]
        run = await ask(await script("words", *map(Text, words), Finish("stop")))
        await over(run)
        return run

    return finish


def untimed(parts):
    """Parts without how long they took, which no test can know."""
    return [{key: value for key, value in part.items() if key != "seconds"} for part in parts]


async def over(run):
    """Wait for the run's end; gives its events as (seq, event)."""
    async with asyncio.timeout(20):
        seen = [(seq, event) async for seq, event in engine.follow(run) if event]
    await run.arefresh_from_db(from_queryset=Run.objects.select_related("conversation", "message"))
    return seen


@sync_to_async
def journaled(**which):
    """(number, event) of what the database holds of the one run that there is, or that is asked for."""
    return RunEvent.objects.filter(**which).told()


async def until(true):
    """Wait for something that happens elsewhere: `true()` or what it awaits is asked until it is so."""
    async with asyncio.timeout(20):
        while not (await answer if inspect.isawaitable(answer := true()) else answer):
            await asyncio.sleep(0.01)


@pytest.fixture
def database(request):
    """The database of those tests that use one, set up before and gone after whatever depends on this."""
    if "transactional_db" in request.fixturenames:
        request.getfixturevalue("transactional_db")


@pytest.fixture
async def no_engine_is_left(database):
    yield
    await engine.leave()
    await sync_to_async(connections.close_all)()


@pytest.fixture(autouse=True)
def clean_loop(request):
    if inspect.iscoroutinefunction(request.function):  # the others have no loop that an engine could run in
        request.getfixturevalue("no_engine_is_left")
