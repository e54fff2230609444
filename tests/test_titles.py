"""A conversation gets a title after its first answer, by the model that gave it."""

import asyncio

import pytest

from chat import engine
from chat.engine import titles
from chat.events import Finish, Text
from chat.models import Assistant, Conversation

from .conftest import over, until
from .upstream import END, RESET, STOP, Answer, chunk, refusal


@pytest.fixture(autouse=True)
def with_titles(settings):
    settings.AUTO_TITLES = True


@pytest.fixture
async def model(transactional_db, upstream):
    """An assistant whose model gives an answer first, and then says what `upstream.title` holds."""
    upstream.title = Answer(["White ", "castle", *END])

    def answer(asked):
        is_title = asked.body["messages"][0]["content"] == titles.TASK
        return upstream.title if is_title else Answer(["It is in Himeji.", *END])

    upstream.answer = answer
    params = {"base_url": upstream.base_url, "temperature": 0.1}
    return await Assistant.objects.acreate(slug="model", name="Model", model="openai:m", params=params, is_default=True)


async def title_of(run):
    """The title once nothing is asked any more, and whose it is."""
    await engine.leave()  # waits for nobody, but what goes on is cancelled: so wait first
    row = await Conversation.objects.aget(pk=run.conversation_id)
    return row.title, row.title_by


async def settled(upstream, run, count):
    await over(run)
    await until(lambda: len(upstream.asked) == count and upstream.answering == 0)
    await until(lambda: len(engine.here().tasks) == CHORES)


CHORES = 4  # of an engine that has nothing to do


async def test_the_model_that_answered_gives_the_title(ask, model, upstream):
    run = await ask(model, "Where is the white castle?")
    await over(run)
    await until(lambda: Conversation.objects.filter(pk=run.conversation_id, title_by="assistant").aexists())
    assert await title_of(run) == ("White castle", "assistant")
    asked = upstream.asked[1].body
    assert (asked["model"], asked["temperature"]) == ("m", 0.1)
    assert asked["messages"][1]["content"] == "Where is the white castle?\n\n---\n\nIt is in Himeji."


@pytest.mark.parametrize(
    "answer",
    [
        Answer(["", STOP, *END]),
        Answer(["“”", *END]),
        Answer(["Wh", RESET]),
        Answer(["A title without end", chunk(finish_reason="length"), *END[1:]]),
        refusal(400, {"error": {"message": "no"}}),
    ],
    ids=["empty", "only marks", "cut", "too long", "refused"],
)
async def test_the_first_words_stay_where_there_is_no_title(ask, model, upstream, answer):
    upstream.title = answer
    run = await ask(model, "Where is the white castle?")
    await settled(upstream, run, 2)
    assert await title_of(run) == ("Where is the white castle?", "text")


@pytest.mark.parametrize(
    ("said", "title"),
    [
        ('"White castle."', "White castle"),
        ("**White castle**\n\nIt fits, because…", "White castle"),
        ("# Title: White  castle", "White castle"),
        ("「白い城」。", "白い城"),
        ("w" * 200, "w" * 79 + "…"),
        ("\n \nWhite castle", "White castle"),
        ("  ", ""),
    ],
)
def test_a_title_is_tidy(said, title):
    assert titles._tidy(said) == title


async def test_only_the_first_answer_gives_one(ask, model, upstream):
    run = await ask(model)
    await over(run)
    await until(lambda: Conversation.objects.filter(title_by="assistant").aexists())
    await Conversation.objects.aupdate(title="Hi", title_by="text")
    second = await run.conversation.ask("And?")
    await engine.start(second)
    await settled(upstream, second, 3)
    assert await title_of(run) == ("Hi", "text")


async def test_a_persons_own_title_stays(ask, model, upstream):
    gate = asyncio.Event()
    upstream.title = Answer([gate.wait, "White castle", *END])
    run = await ask(model)
    await over(run)
    await until(lambda: len(upstream.asked) == 2)
    await Conversation.objects.aupdate(title="My own", title_by="person")
    gate.set()
    await settled(upstream, run, 2)
    assert await title_of(run) == ("My own", "person")


async def test_a_model_that_is_silent_gives_none(ask, model, upstream, monkeypatch):
    monkeypatch.setattr(titles, "PATIENCE", 0.05)
    upstream.title = Answer([asyncio.Event().wait])
    run = await ask(model, "Where?")
    await settled(upstream, run, 2)
    assert await title_of(run) == ("Where?", "text")


@pytest.mark.parametrize("fields", [{"is_temporary": True}, {"title": "Mine", "title_by": "person"}])
async def test_nobody_is_asked_where_none_is_wanted(alice, model, upstream, fields):
    row = await Conversation.objects.acreate(owner=alice, assistant=model, **fields)
    run = await row.ask("Hi")
    await engine.start(run)
    await settled(upstream, run, 1)


async def test_nobody_is_asked_where_titles_are_off(ask, model, upstream, settings):
    settings.AUTO_TITLES = False
    await settled(upstream, await ask(model), 1)


async def test_who_is_no_language_model_is_not_asked(script, ask):
    run = await ask(await script("plain", Text("Hello"), Finish("stop")))
    await over(run)
    assert await title_of(run) == ("Hi", "text")


async def test_an_answer_that_failed_gives_none(ask, model, upstream):
    upstream.answer = lambda asked: refusal(400, {"error": {"message": "no"}})
    await settled(upstream, await ask(model), 1)
