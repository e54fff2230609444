"""A conversation gets a title after its first answer, by the model that gave it."""

import asyncio

import pytest
from asgiref.sync import sync_to_async
from django.db import OperationalError

from chat import engine, providers
from chat.engine import titles
from chat.events import Finish, Text
from chat.models import Assistant, Conversation
from tests.upstream import CALLS, END, RESET, SILENCE, STOP, Answer, call, chunk, refusal
from tests.waiting import hang_timeout, wait_for_run, wait_for_text, wait_until


@pytest.fixture(autouse=True)
def with_titles(settings):
    settings.AUTO_TITLES = True


@pytest.fixture
def ask_as():
    """`await ask_as(charlie, assistant)`: a started run in a new conversation of that user."""

    async def start(user, assistant, text="Hi"):
        row = await Conversation.objects.acreate(owner=user, assistant=assistant)
        run = await row.ask(text)
        await engine.start(run)
        return run

    return start


@pytest.fixture
async def model(transactional_db, upstream):
    """An assistant whose model gives an answer first, and `upstream.title` when asked for a title."""
    upstream.title = Answer(["White ", "castle", *END])

    def answer(request):
        is_title = request.body["messages"][0]["content"] == titles.TITLE_PROMPT
        return upstream.title if is_title else Answer(["It is in Himeji.", *END])

    upstream.answer = answer
    params = {"base_url": upstream.base_url, "temperature": 0.1}
    return await Assistant.objects.acreate(slug="model", name="Model", model="openai:m", params=params, is_default=True)


async def title_of(run):
    """The title, and who gave it, once the engine has stopped."""
    await engine.shut_down()  # cancels what is running, so the caller waits for it first
    row = await Conversation.objects.aget(pk=run.conversation_id)
    return row.title, row.title_by


async def wait_for_requests(upstream, run, count):
    await wait_for_run(run)
    await wait_until(lambda: len(upstream.requests) == count and upstream.answering == 0)
    await wait_until(lambda: len(engine.current().tasks) == CHORES)


CHORES = 5  # of an engine that has nothing to do


async def test_title_is_written_by_the_model_that_answered(ask, model, upstream):
    run = await ask(model, "Where is the white castle?")
    await wait_for_run(run)
    await wait_until(lambda: Conversation.objects.filter(pk=run.conversation_id, title_by="assistant").aexists())
    assert await title_of(run) == ("White castle", "assistant")
    body = upstream.requests[1].body
    assert (body["model"], body["temperature"], body["max_tokens"]) == ("m", 0.1, titles.MAX_TITLE_TOKENS)
    assert body["messages"][1]["content"] == "Where is the white castle?\n\n---\n\nIt is in Himeji."


@pytest.mark.parametrize(
    "answer",
    [
        Answer(["", STOP, *END]),
        Answer(["“”", *END]),
        Answer(["Wh", RESET]),
        Answer(["It is in ", "Himeji.", *END]),
        Answer(["I'm sorry, but I cannot name this.", *END]),
        Answer(["<think>A title. White castle", *END]),
        Answer(["A title without end", chunk(finish_reason="length"), *END[1:]]),
        refusal(400, {"error": {"message": "no"}}),
    ],
    ids=["empty", "only marks", "cut", "the answer again", "an apology", "a thought", "too long", "refused"],
)
async def test_title_stays_the_first_words_if_the_model_gives_none(ask, model, upstream, answer):
    upstream.title = answer
    run = await ask(model, "Where is the white castle?")
    await wait_for_requests(upstream, run, 2)
    assert await title_of(run) == ("Where is the white castle?", "text")


async def test_title_is_not_the_thought_of_a_model_that_begins_within_one(ask, model, upstream):
    answer = upstream.answer
    thought = Answer(["They ask for a castle.\n", "</think>", "\n\n", "It is in Himeji.", *END])
    upstream.answer = lambda request: thought if len(upstream.requests) == 1 else answer(request)
    upstream.title = Answer(["A title is due.\n", "</think>", "\n\n", "White castle", *END])
    run = await ask(model, "Where is the white castle?")
    await wait_for_run(run)
    assert run.message.text == "It is in Himeji."
    await wait_until(lambda: Conversation.objects.filter(pk=run.conversation_id, title_by="assistant").aexists())
    assert await title_of(run) == ("White castle", "assistant")


async def test_title_is_made_after_the_first_answer_only(ask, model, upstream):
    run = await ask(model)
    await wait_for_run(run)
    await wait_until(lambda: Conversation.objects.filter(title_by="assistant").aexists())
    await Conversation.objects.aupdate(title="Hi", title_by="text")
    second = await run.conversation.ask("And?")
    await engine.start(second)
    await wait_for_requests(upstream, second, 3)
    assert await title_of(run) == ("Hi", "text")


async def test_title_that_the_user_set_stays(ask, model, upstream):
    gate = asyncio.Event()
    upstream.title = Answer([gate.wait, "White castle", *END])
    run = await ask(model)
    await wait_for_run(run)
    await wait_until(lambda: len(upstream.requests) == 2)
    await Conversation.objects.aupdate(title="My own", title_by="user")
    gate.set()
    await wait_for_requests(upstream, run, 2)
    assert await title_of(run) == ("My own", "user")


async def test_title_times_out_with_a_silent_model(ask, model, upstream, advance_clock):
    upstream.title = Answer([asyncio.Event().wait])
    run = await ask(model, "Where?")
    await wait_for_run(run)
    await wait_until(lambda: len(upstream.requests) == 2)
    advance_clock(titles.TITLE_TIMEOUT)
    await wait_for_requests(upstream, run, 2)
    assert await title_of(run) == ("Where?", "text")


@pytest.mark.parametrize("fields", [{"is_temporary": True}, {"title": "Mine", "title_by": "user"}])
async def test_title_is_not_requested_where_titles_are_off(alice, model, upstream, fields):
    row = await Conversation.objects.acreate(owner=alice, assistant=model, **fields)
    run = await row.ask("Hi")
    await engine.start(run)
    await wait_for_requests(upstream, run, 1)


async def test_title_is_not_requested_if_the_setting_is_off(ask, model, upstream, settings):
    settings.AUTO_TITLES = False
    await wait_for_requests(upstream, await ask(model), 1)


async def test_title_is_not_requested_from_a_provider_without_a_language_model(script, ask):
    run = await ask(await script("plain", Text("Hello"), Finish("stop")))
    await wait_for_run(run)
    assert await title_of(run) == ("Hi", "text")


async def test_title_is_not_requested_after_a_failed_answer(ask, model, upstream):
    upstream.answer = lambda request: refusal(400, {"error": {"message": "no"}})
    await wait_for_requests(upstream, await ask(model), 1)


async def test_title_waits_for_the_next_question_and_its_answer(ask, model, upstream):
    upstream.title = Answer(["White ", asyncio.Event().wait])
    run = await ask(model)
    await wait_for_run(run)
    await wait_until(lambda: len(upstream.requests) == 2)
    waiting_title = upstream.requests[1]
    upstream.title = Answer(["White castle", *END])
    second = await run.conversation.ask("And?")
    await engine.start(second)
    async with hang_timeout():
        await waiting_title.closed.wait()
    await wait_for_run(second)
    await wait_until(lambda: Conversation.objects.filter(title_by="assistant").aexists())
    assert await title_of(run) == ("White castle", "assistant")
    assert upstream.requests[2].question == "And?"  # the title was not asked for in between


async def test_title_is_read_up_to_the_end_of_its_line(ask, model, upstream):
    upstream.title = Answer(["\n“White castle", "”\nIt ", "fits", asyncio.Event().wait])
    run = await ask(model)
    await wait_for_run(run)
    await wait_until(lambda: Conversation.objects.filter(title_by="assistant").aexists())
    assert await title_of(run) == ("White castle", "assistant")
    assert upstream.requests[1].closed.is_set()


@pytest.mark.parametrize("delta", [{"content": "w" * 100}, {"reasoning_content": "w" * 1000}])
async def test_title_is_given_up_if_the_model_does_not_finish_its_line(ask, model, upstream, delta):
    upstream.title = Answer([*[chunk(delta)] * 30, asyncio.Event().wait])
    run = await ask(model, "Where?")
    await wait_for_requests(upstream, run, 2)
    assert await title_of(run) == ("Where?", "text")


async def test_title_is_stored_when_the_database_is_back(ask, model, upstream, monkeypatch, caplog):
    gate = asyncio.Event()
    upstream.title = Answer([gate.wait, "White castle", *END])
    run = await ask(model)
    await wait_for_run(run)
    await wait_until(lambda: len(upstream.requests) == 2)
    is_away = True
    run_in_database = engine.current().run_in_database

    async def run_or_fail(function, *args, **kwargs):
        if is_away and kwargs.get("title"):
            raise OperationalError("the database is away")
        return await run_in_database(function, *args, **kwargs)

    monkeypatch.setattr(engine.current(), "run_in_database", run_or_fail)
    gate.set()
    await wait_until(lambda: "A title could not be stored" in caplog.text)
    is_away = False
    await wait_until(lambda: Conversation.objects.filter(title_by="assistant").aexists())
    assert await title_of(run) == ("White castle", "assistant")


async def test_titles_that_wait_are_limited_in_number(ask, model, upstream, monkeypatch):
    monkeypatch.setattr(titles, "MAX_TITLES", 1)
    monkeypatch.setattr(titles, "MAX_WAITING_TITLES", 2)
    gate = asyncio.Event()
    upstream.title = Answer([gate.wait, "White castle", *END])
    for number in range(4):  # each gives way to the next
        await wait_for_run(await ask(model, f"{number}"))
    gate.set()
    await wait_until(lambda: len(engine.current().tasks) == CHORES)
    assert await Conversation.objects.filter(title_by="assistant").acount() == 2


@pytest.mark.parametrize(
    "steps",
    [
        ["Here is a title for the conversation:", "\n", "White castle", "\n", SILENCE],
        ["```json\n", '{"title": ', '"White castle"}', SILENCE],
        ["<think>Short.</", "think>", "\n\n", "White castle", "\n", SILENCE],
        ["1. **White castle**\n", "2. Himeji", SILENCE],
    ],
    ids=["introduction", "JSON", "thought", "list"],
)
async def test_title_is_read_as_soon_as_it_is_known(ask, model, upstream, steps):
    upstream.title = Answer(steps)
    run = await ask(model)
    await wait_for_run(run)
    await wait_until(lambda: Conversation.objects.filter(title_by="assistant").aexists())
    assert await title_of(run) == ("White castle", "assistant")
    assert upstream.requests[1].closed.is_set()


async def test_title_request_leaves_out_what_shapes_answers(ask, model, upstream):
    model.params |= {"response_format": {"type": "json_object"}, "max_tokens": 50, "top_p": 0.5}
    await model.asave()
    await wait_for_requests(upstream, await ask(model), 2)
    answer, title = (request.body for request in upstream.requests)
    assert (answer["response_format"], title["top_p"], title["max_tokens"]) == ({"type": "json_object"}, 0.5, 50)
    assert "response_format" not in title


LIMITS = [
    ("openai:m", {"base_url": "http://127.0.0.1:8080/v1"}, {"max_tokens": 9}),
    ("openai:m", {"base_url": "http://127.0.0.1:8080/v1", "max_completion_tokens": 5}, {}),
    ("openai:m", {"base_url": "https://api.openai.com/v1"}, {}),
    ("openai:m", {"base_url": "https://ours.openai.azure.com/openai/v1"}, {}),
    ("openai:m", {}, {}),
    ("ollama:m", {}, {"num_predict": 9}),
    ("ollama:m", {"num_predict": 5}, {}),
    ("anthropic:m", {"thinking": {"type": "enabled", "budget_tokens": 2_000}}, {}),
    ("google_genai:m", {}, {}),
    ("demo:", {}, {}),
]


@pytest.mark.parametrize(("model_id", "params", "added"), LIMITS)
def test_title_is_limited_in_tokens_where_the_server_accepts_it(model_id, params, added):
    assert providers.with_output_limit(model_id, params, 9) == params | added


def test_title_is_limited_in_tokens_on_the_server_of_the_environment(monkeypatch):
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:8080/v1")
    assert providers.with_output_limit("openai:m", {}, 9) == {"max_tokens": 9}


async def test_title_is_made_after_the_first_completed_answer(ask, model, upstream):
    gave_answer = upstream.answer
    upstream.answer = lambda request: refusal(400, {"error": {"message": "no"}})
    run = await ask(model, "Where?")
    await wait_for_run(run)
    upstream.answer = gave_answer
    second = await run.conversation.ask("And the white castle?")
    await engine.start(second)
    await wait_for_run(second)
    await wait_until(lambda: Conversation.objects.filter(title_by="assistant").aexists())
    assert upstream.requests[2].question == "And the white castle?\n\n---\n\nIt is in Himeji."
    assert await title_of(run) == ("White castle", "assistant")


async def test_title_is_made_after_an_answer_that_asked_for_approval(ask, model, upstream):
    """The run that asked has no text yet: the one that goes on with the answer gives the title."""
    model.tools, model.ask_first = ["clock"], ["clock"]
    await model.asave()
    texts = upstream.answer

    def answer(request):
        has_result = any(message["role"] == "tool" for message in request.body["messages"])
        return Answer([*call("clock", {}), *CALLS]) if "tools" in request.body and not has_result else texts(request)

    upstream.answer = answer
    run = await ask(model, "What time is it at the castle?")
    await wait_for_run(run)
    await run.arefresh_from_db()
    assert run.interrupts
    resumed = await run.resume({interrupt["id"]: True for interrupt in run.interrupts})
    await engine.start(resumed)
    await wait_for_run(resumed)
    await wait_until(lambda: Conversation.objects.filter(title_by="assistant").aexists())
    assert upstream.requests[-1].question == "What time is it at the castle?\n\n---\n\nIt is in Himeji."
    assert await title_of(run) == ("White castle", "assistant")


@pytest.mark.parametrize("is_same_server", [True, False])
async def test_title_waits_for_a_question_to_another_model_of_its_server(ask, model, upstream, is_same_server):
    """A server with room for one request has no more of it for another model."""
    upstream.title = Answer(["White ", asyncio.Event().wait])
    run = await ask(model)
    await wait_for_run(run)
    await wait_until(lambda: len(upstream.requests) == 2)
    address = upstream.base_url if is_same_server else upstream.base_url.replace("127.0.0.1", "localhost")
    other = await Assistant.objects.acreate(slug="other", name="Other", model="openai:n", params={"base_url": address})
    await wait_for_run(await ask(other))
    assert upstream.requests[1].closed.is_set() == is_same_server


async def test_title_gives_way_to_the_question_of_another_user(ask, ask_as, charlie, model, upstream):
    upstream.title = Answer(["White ", asyncio.Event().wait])
    run = await ask(model)
    await wait_for_run(run)
    await wait_until(lambda: len(upstream.requests) == 2)
    title = upstream.requests[1]
    upstream.title = Answer(["White castle", *END])
    await wait_for_run(await ask_as(charlie, model, "And who are you?"))
    async with hang_timeout():
        await title.closed.wait()
    assert upstream.requests[2].question == "And who are you?"
    named = Conversation.objects.filter(title_by="assistant").order_by("owner__username").values_list("owner__username")
    await wait_until(lambda: sync_to_async(lambda: list(named.all()) == [("alice",), ("charlie",)])())


@pytest.fixture
def slow_answers(upstream, model):
    """The gates of the answers to these users' names; their answers wait for them after the first word."""
    gates = {name: asyncio.Event() for name in ("alice", "charlie")}
    answer = upstream.answer

    def gated(request):
        gate = gates.get(request.question)
        return Answer(["It ", gate.wait, "is.", *END]) if gate else answer(request)

    upstream.answer = gated
    return gates


async def test_title_waits_for_the_answers_of_others(ask, ask_as, charlie, model, upstream, slow_answers):
    slow = await ask(model, "alice")
    await wait_for_text(slow)
    await wait_for_run(await ask_as(charlie, model, "And who are you?"))
    await wait_until(lambda: engine.current().titles.waiting)
    assert [request.question for request in upstream.requests] == ["alice", "And who are you?"]
    slow_answers["alice"].set()
    await wait_until(lambda: Conversation.objects.filter(owner=charlie, title_by="assistant").aexists())
    await wait_for_run(slow)


async def test_title_is_made_beside_an_answer_by_a_server_that_wrote_two_at_once(
    ask, ask_as, bob, charlie, model, upstream, slow_answers
):
    slow = [await ask(model, "alice"), await ask_as(charlie, model, "charlie")]
    for run in slow:
        await wait_for_text(run)
    await wait_for_run(await ask_as(bob, model, "Where?"))
    await wait_until(lambda: engine.current().titles.waiting)
    slow_answers["charlie"].set()
    await wait_until(lambda: Conversation.objects.filter(title_by="assistant").aexists())
    assert await Conversation.objects.filter(owner=bob, title_by="assistant").aexists()
    slow_answers["alice"].set()
    await wait_for_run(slow[0])
