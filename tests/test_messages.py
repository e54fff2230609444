"""What a person does with messages: edit, go on, take back, rate; and what he wants all assistants to know."""

import asyncio

import pytest

from chat import engine
from chat.engine import speech
from chat.events import Finish, Text
from chat.models import Assistant, Conversation, Message, Preferences, Run
from chat.providers import ProviderError

from . import scripted
from .conftest import over
from .test_bad_input import refusal, rows


@pytest.fixture
async def plain(script):
    return await script("plain", Text("Hello"), Finish("stop"), is_default=True)


async def answered(answer):
    """The run of this 202, once it is over."""
    assert answer.status_code == 202, answer.content
    run = await Run.objects.select_related("message__parent", "conversation").aget(pk=answer.json()["run_id"])
    await over(run)
    return await Run.objects.select_related("message__parent", "conversation").aget(pk=run.pk)


def told(turns):
    return [(role, "".join(part["text"] for part in parts)) for role, parts in turns]


# Editing --------------------------------------------------------------------------------------------------------------


async def test_an_edit_stands_beside_the_old_message(client_of, alice, plain):
    client = client_of(alice)
    first = (await client.send("POST", "/api/chat", {"text": "One"})).json()
    second = await client.send("POST", "/api/chat", {"text": "Two", "conversation_id": first["conversation_id"]})
    old = await Run.objects.select_related("message__parent").aget(pk=second.json()["run_id"])
    run = await answered(await client.send("POST", f"/api/messages/{old.message.parent_id}/edit", {"text": "Three"}))
    assert run.message.parent.parent_id == old.message.parent.parent_id
    assert told(scripted.asked[-1].turns) == [("user", "One"), ("assistant", "Hello"), ("user", "Three")]
    assert await Message.objects.acount() == 6


async def test_the_first_message_can_be_edited(client_of, alice, plain):
    client = client_of(alice)
    await client.send("POST", "/api/chat", {"text": "One"})
    first = await Message.objects.aget(role="user")
    answer = await client.send("POST", f"/api/messages/{first.pk}/edit", {"text": "Two"}, **{"Idempotency-Key": "k"})
    run = await answered(answer)
    assert run.message.parent.parent_id is None
    assert told(scripted.asked[-1].turns) == [("user", "Two")]
    again = await client.send("POST", f"/api/messages/{first.pk}/edit", {"text": "Two"}, **{"Idempotency-Key": "k"})
    assert again.json()["run_id"] == str(run.pk)
    other = await client.send("POST", f"/api/messages/{first.pk}/edit", {"text": "Three"}, **{"Idempotency-Key": "k"})
    assert refusal(other, 409) == "idempotency_key_reused"


async def test_an_answer_is_not_edited(client_of, alice, finished_run):
    run = await finished_run("one")
    before = await rows()
    answer = await client_of(alice).send("POST", f"/api/messages/{run.message_id}/edit", {"text": "Mine"})
    assert refusal(answer) == "not_yours"
    assert await rows() == before


async def test_the_next_question_goes_to_the_branch_that_is_shown(client_of, alice, plain):
    client = client_of(alice)
    first = await Run.objects.aget(pk=(await client.send("POST", "/api/chat", {"text": "One"})).json()["run_id"])
    question = await Message.objects.aget(role="user")
    await answered(await client.send("POST", f"/api/messages/{question.pk}/edit", {"text": "Two"}))
    path = f"/api/conversations/{first.conversation_id}"
    await client.send("PATCH", path, {"leaf_id": str(first.message_id)})
    run = await answered(await client.send("POST", f"{path}/messages", {"text": "And?"}))
    assert run.message.parent.parent_id == first.message_id
    assert told(scripted.asked[-1].turns)[0] == ("user", "One")
    assert (await client.get(path)).json()["leaf_id"] is None


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("  Two\n lines ", "Two lines"),
        ("```python\nprint(2 * 3)\n```", "print(2 * 3)"),
        ("# My **bread**\n\n- flour\n- `water_cold`", "My bread flour water_cold"),
        ("3 - 2 > 0", "3 - 2 > 0"),
        ("```", "```"),
        ("x" * 100, "x" * 59 + "…"),
    ],
)
async def test_the_first_words_are_the_title_without_marks(alice, plain, text, title):
    run = await Conversation.begin(alice, text, assistant=plain.slug)
    assert run.conversation.title == title


async def test_a_title_that_came_before_the_first_message_stays(alice, plain):
    conversation = await Conversation.objects.acreate(owner=alice, assistant=plain)
    await Conversation.objects.aupdate(title="Mine", title_by="person")
    await conversation.ask("Hi")
    await conversation.arefresh_from_db()
    assert (conversation.title, conversation.title_by) == ("Mine", "person")


async def test_a_title_that_came_meanwhile_stays(alice, plain):
    row = await Conversation.objects.acreate(owner=alice, assistant=plain, title="Old", title_by="text")
    await Conversation.objects.filter(pk=row.pk).aupdate(title="Better", title_by="assistant")
    await row.ask("Hi")
    await row.arefresh_from_db()
    assert (row.title, row.title_by) == ("Better", "assistant")


# Going on -------------------------------------------------------------------------------------------------------------


async def broken_off(script, ask, *end):
    run = await ask(await script("cut", Text("Half an"), *end))
    await over(run)
    await script("cut", Text(" answer."), Finish("stop"))
    return run


@pytest.mark.parametrize("end", [[], [Finish("length")]], ids=["interrupted", "too long"])
async def test_an_answer_that_broke_off_goes_on(script, ask, client_of, alice, end):
    run = await broken_off(script, ask, *end)
    after = await answered(await client_of(alice).send("POST", f"/api/messages/{run.message_id}/continue"))
    assert (after.message.parent_id, after.message.text) == (run.message_id, " answer.")
    assert told(scripted.asked[-1].turns) == [("user", "Hi"), ("assistant", "Half an"), ("user", speech.GO_ON)]


async def test_a_stopped_answer_goes_on(script, ask, client_of, alice):
    run = await ask(await script("cut", Text("Half an"), asyncio.Event().wait))
    async for _, event in engine.follow(run):
        if event and getattr(event, "delta", None):
            break
    await engine.cancel(run)
    await over(run)
    await script("cut", Text(" answer."), Finish("stop"))
    after = await answered(await client_of(alice).send("POST", f"/api/messages/{run.message_id}/continue"))
    assert after.message.text == " answer."


async def test_the_same_key_goes_on_once(script, ask, client_of, alice):
    run = await broken_off(script, ask)
    client, path = client_of(alice), f"/api/messages/{run.message_id}/continue"
    first, second = [await client.send("POST", path, **{"Idempotency-Key": "k"}) for _ in range(2)]
    assert first.json() == second.json()
    await answered(first)
    before = await rows()
    assert refusal(await client.send("POST", path), 409) == "superseded"
    assert await rows() == before


async def test_what_is_complete_or_failed_does_not_go_on(script, ask, finished_run, client_of, alice):
    whole = await finished_run("one")
    failed = await ask(await script("fails", ProviderError("No.")))
    await over(failed)
    before = await rows()
    for id in (whole.message_id, whole.message.parent_id, failed.message_id):
        answer = await client_of(alice).send("POST", f"/api/messages/{id}/continue")
        assert refusal(answer, 409) == "not_broken_off"
    assert await rows() == before


async def test_another_assistant_goes_on_where_the_first_is_gone(script, ask, client_of, alice, plain):
    run = await broken_off(script, ask)
    await Assistant.objects.filter(slug="cut").adelete()
    after = await answered(await client_of(alice).send("POST", f"/api/messages/{run.message_id}/continue"))
    assert after.model == "scripted:plain"


# Taking back ----------------------------------------------------------------------------------------------------------


async def test_what_waits_in_line_can_be_taken_back(script, client_of, alice):
    gate = asyncio.Event()
    assistant = await script("slow", Text("a"), gate.wait, Finish("stop"))
    row = await Conversation.objects.acreate(owner=alice, assistant=assistant)
    first = await row.ask("One")
    await engine.start(first)
    second = await row.ask("Two")
    await engine.start(second)
    client, path = client_of(alice), f"/api/messages/{second.message.parent_id}"
    assert (await client.send("DELETE", path)).status_code == 204
    assert (await client.send("DELETE", path)).status_code == 404
    gate.set()
    await over(first)
    assert [message.text async for message in row.messages.all()] == ["One", "a"]
    assert [request.turns[-1][1][0]["text"] for request in scripted.asked] == ["One"]


async def test_what_waits_behind_it_stays(script, client_of, alice):
    gate = asyncio.Event()
    assistant = await script("slow", Text("a"), gate.wait, Finish("stop"))
    row = await Conversation.objects.acreate(owner=alice, assistant=assistant)
    first, second, third = runs = [await row.ask(text) for text in ("One", "Two", "Three")]
    for run in runs:
        await engine.start(run)
    path = f"/api/messages/{second.message.parent_id}"
    assert (await client_of(alice).send("DELETE", path)).status_code == 204
    gate.set()
    await over(third)
    assert [message.text async for message in row.messages.all()] == ["One", "a", "Three", "a"]
    question = await Message.objects.aget(text="Three")
    assert question.parent_id == first.message_id
    assert [request.turns[-1][1][0]["text"] for request in scripted.asked] == ["One", "Three"]


async def test_what_is_being_answered_cannot_be_taken_back(finished_run, client_of, alice):
    run = await finished_run("one")
    before = await rows()
    for id in (run.message.parent_id, run.message_id):
        assert refusal(await client_of(alice).send("DELETE", f"/api/messages/{id}"), 409) == "begun"
    assert await rows() == before


# Rating ---------------------------------------------------------------------------------------------------------------


async def test_an_answer_is_rated_and_the_rating_taken_back(finished_run, client_of, alice):
    run = await finished_run("one")
    client, path = client_of(alice), f"/api/messages/{run.message_id}/feedback"
    rating = {"rating": "down", "reason": "wrong", "comment": "It is two."}
    assert (await client.send("PUT", path, rating)).status_code == 204
    items = (await client.get(f"/api/conversations/{run.conversation_id}/messages")).json()["items"]
    assert [item["feedback"] for item in items] == [None, rating]
    assert (await client.send("PUT", path, {"rating": None, "comment": "?"})).status_code == 204
    assert (await Message.objects.aget(pk=run.message_id)).feedback is None


async def test_what_is_no_rating_changes_nothing(finished_run, client_of, alice, subtests):
    run = await finished_run("one")
    client, before = client_of(alice), await rows()
    path = f"/api/messages/{run.message_id}/feedback"
    for body in (
        {},
        {"rating": "good"},
        {"rating": 1},
        {"rating": "up", "reason": "\0"},
        {"rating": "up", "comment": 5},
    ):
        with subtests.test(repr(body)):
            refusal(await client.send("PUT", path, body))
            assert await rows() == before
    own = f"/api/messages/{run.message.parent_id}/feedback"
    assert refusal(await client.send("PUT", own, {"rating": "up"})) == "not_an_answer"
    assert await rows() == before


# What a person likes --------------------------------------------------------------------------------------------------


async def test_what_a_person_likes_is_kept(client_of, alice, charlie):
    client = client_of(alice)
    told = (await client.get("/api/me")).json()
    assert told == {
        "username": "alice",
        "is_staff": False,
        "instructions": "",
        "language": "",
        "theme": "",
        "send_key": "enter",
        "transport": "sse",
        "shows_steps": True,
    }
    changes = {
        "theme": "dark",
        "language": "ja",
        "send_key": "ctrl+enter",
        "transport": "websocket",
        "shows_steps": False,
    }
    assert (await client.send("PATCH", "/api/me", changes)).json() == told | changes
    assert (await client.send("PATCH", "/api/me", {"theme": ""})).json() == told | changes | {"theme": ""}
    assert (await client.get("/api/me")).json() == told | changes | {"theme": ""}
    assert (await client_of(charlie).get("/api/me")).json() == told | {"username": "charlie"}


async def test_what_nobody_can_like_is_refused(client_of, alice, subtests):
    client = client_of(alice)
    await client.get("/health")
    before = await rows()
    for body in (
        {"theme": "pink"},
        {"language": "tlh"},
        {"send_key": 5},
        {"transport": "pigeon"},
        {"shows_steps": "yes"},
        {"instructions": "x" * 5001},
        {"instructions": "\0"},
    ):
        with subtests.test(repr(body)[:40]):
            refusal(await client.send("PATCH", "/api/me", body))
            assert await rows() == before


async def test_every_assistant_is_told_what_the_person_wants(client_of, alice, script):
    await script("plain", Text("Hello"), Finish("stop"), is_default=True, system_prompt="Be kind.")
    client = client_of(alice)
    await client.send("PATCH", "/api/me", {"instructions": "I live in Nara."})
    await client.send("POST", "/api/chat", {"text": "Hi"})
    assert scripted.asked[-1].system_prompt == "Be kind.\n\nI live in Nara."
    await Preferences.objects.all().adelete()
    await client.send("POST", "/api/chat", {"text": "Hi"})
    assert scripted.asked[-1].system_prompt == "Be kind."
