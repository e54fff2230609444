"""The API of messages: edit, continue, withdraw, rate."""

import asyncio

import pytest

from chat import engine
from chat.engine import reply as reply_module
from chat.events import Finish, Text
from chat.models import Assistant, Conversation, Message, Run
from chat.providers import ProviderError
from tests import scripted
from tests.assertions import assert_error
from tests.rows import all_rows
from tests.waiting import wait_for_run


@pytest.fixture
async def plain(script):
    return await script("plain", Text("Hello"), Finish("stop"), is_default=True)


async def answered(answer):
    """The run of this 202, once it is over."""
    assert answer.status_code == 202, answer.content
    run = await Run.objects.select_related("message__parent", "conversation").aget(pk=answer.json()["run_id"])
    await wait_for_run(run)
    return await Run.objects.select_related("message__parent", "conversation").aget(pk=run.pk)


def roles_and_texts(turns):
    return [(role, "".join(part["text"] for part in parts)) for role, parts in turns]


# Editing --------------------------------------------------------------------------------------------------------------


async def test_edit_is_a_sibling_of_the_old_message(client_of, alice, plain):
    client = client_of(alice)
    first = (await client.send("POST", "/api/chat", {"text": "One"})).json()
    second = await client.send("POST", "/api/chat", {"text": "Two", "conversation_id": first["conversation_id"]})
    old = await Run.objects.select_related("message__parent").aget(pk=second.json()["run_id"])
    run = await answered(await client.send("POST", f"/api/messages/{old.message.parent_id}/edit", {"text": "Three"}))
    assert run.message.parent.parent_id == old.message.parent.parent_id
    assert roles_and_texts(scripted.requests[-1].turns) == [("user", "One"), ("assistant", "Hello"), ("user", "Three")]
    assert await Message.objects.acount() == 6


async def test_edit_of_the_first_message(client_of, alice, plain):
    client = client_of(alice)
    await client.send("POST", "/api/chat", {"text": "One"})
    first = await Message.objects.aget(role="user")
    answer = await client.send("POST", f"/api/messages/{first.pk}/edit", {"text": "Two"}, **{"Idempotency-Key": "k"})
    run = await answered(answer)
    assert run.message.parent.parent_id is None
    assert roles_and_texts(scripted.requests[-1].turns) == [("user", "Two")]
    again = await client.send("POST", f"/api/messages/{first.pk}/edit", {"text": "Two"}, **{"Idempotency-Key": "k"})
    assert again.json()["run_id"] == str(run.pk)
    other = await client.send("POST", f"/api/messages/{first.pk}/edit", {"text": "Three"}, **{"Idempotency-Key": "k"})
    assert assert_error(other, 409) == "idempotency_key_reused"


async def test_edit_refuses_an_answer(client_of, alice, finished_run):
    run = await finished_run("one")
    before = await all_rows()
    answer = await client_of(alice).send("POST", f"/api/messages/{run.message_id}/edit", {"text": "Mine"})
    assert assert_error(answer) == "not_a_user_message"
    assert await all_rows() == before


async def test_send_continues_the_visible_branch(client_of, alice, plain):
    client = client_of(alice)
    first = await Run.objects.aget(pk=(await client.send("POST", "/api/chat", {"text": "One"})).json()["run_id"])
    question = await Message.objects.aget(role="user")
    await answered(await client.send("POST", f"/api/messages/{question.pk}/edit", {"text": "Two"}))
    path = f"/api/conversations/{first.conversation_id}"
    await client.send("PATCH", path, {"leaf_id": str(first.message_id)})
    run = await answered(await client.send("POST", f"{path}/messages", {"text": "And?"}))
    assert run.message.parent.parent_id == first.message_id
    assert roles_and_texts(scripted.requests[-1].turns)[0] == ("user", "One")
    assert (await client.get(path)).json()["leaf_id"] is None


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("  Two\n lines ", "Two lines"),
        ("```python\nprint(2 * 3)\n```", "print(2 * 3)"),
        ("# My **bread**\n\n- flour\n- `water_cold`", "My bread flour water_cold"),
        ("***Very*** _small_ ~~big~~ **`code`**\n===", "Very small big code"),
        ("> 1. [My *notes*](https://example.com/a_(b)) and ![a cat](/cat.png)", "1. My notes and a cat"),
        ("| Item | Price |\n|:--|--:|\n| **Tea** | 3 |", "Item Price Tea 3"),
        ("**注意：**これは**重要**です", "注意：これは重要です"),
        ("- [x] R&amp;D\n---\nin \\*.py", "R&D in *.py"),
        ("~~~\na **b**\n~~~", "a **b**"),
        ("3 - 2 > 0", "3 - 2 > 0"),
        ("Rename *.txt and *.md", "Rename *.txt and *.md"),
        ("What does ` do in snake_case_names?", "What does ` do in snake_case_names?"),
        ("C# and F#: 2 ** 3 ** 4", "C# and F#: 2 ** 3 ** 4"),
        ("```", "```"),
        ("**" + "x" * 2_000, "**" + "x" * 57 + "…"),
        ("x" * 100, "x" * 59 + "…"),
    ],
)
async def test_title_is_the_first_words_without_markdown(alice, plain, text, title):
    run = await Conversation.begin(alice, text, assistant=plain.slug)
    assert run.conversation.title == title


async def test_title_from_before_the_first_message_stays(alice, plain):
    conversation = await Conversation.objects.acreate(owner=alice, assistant=plain)
    await Conversation.objects.aupdate(title="Mine", title_by="user")
    await conversation.ask("Hi")
    await conversation.arefresh_from_db()
    assert (conversation.title, conversation.title_by) == ("Mine", "user")


async def test_title_that_was_set_meanwhile_stays(alice, plain):
    row = await Conversation.objects.acreate(owner=alice, assistant=plain, title="Old", title_by="text")
    await Conversation.objects.filter(pk=row.pk).aupdate(title="Better", title_by="assistant")
    await row.ask("Hi")
    await row.arefresh_from_db()
    assert (row.title, row.title_by) == ("Better", "assistant")


# Going on -------------------------------------------------------------------------------------------------------------


async def broken_off(script, ask, *end):
    run = await ask(await script("cut", Text("Half an"), *end))
    await wait_for_run(run)
    await script("cut", Text(" answer."), Finish("stop"))
    return run


@pytest.mark.parametrize("end", [[], [Finish("length")]], ids=["interrupted", "too long"])
async def test_continue_resumes_an_unfinished_answer(script, ask, client_of, alice, end):
    run = await broken_off(script, ask, *end)
    after = await answered(await client_of(alice).send("POST", f"/api/messages/{run.message_id}/continue"))
    assert (after.message.parent_id, after.message.text) == (run.message_id, " answer.")
    assert roles_and_texts(scripted.requests[-1].turns) == [
        ("user", "Hi"),
        ("assistant", "Half an"),
        ("user", reply_module.CONTINUE_PROMPT),
    ]


async def test_continue_resumes_a_stopped_answer(script, ask, client_of, alice):
    run = await ask(await script("cut", Text("Half an"), asyncio.Event().wait))
    async for _, event in engine.follow(run):
        if event and getattr(event, "delta", None):
            break
    await engine.cancel(run)
    await wait_for_run(run)
    await script("cut", Text(" answer."), Finish("stop"))
    after = await answered(await client_of(alice).send("POST", f"/api/messages/{run.message_id}/continue"))
    assert after.message.text == " answer."


async def test_continue_with_the_same_key_starts_one_run(script, ask, client_of, alice):
    run = await broken_off(script, ask)
    client, path = client_of(alice), f"/api/messages/{run.message_id}/continue"
    first, second = [await client.send("POST", path, **{"Idempotency-Key": "k"}) for _ in range(2)]
    assert first.json() == second.json()
    await answered(first)
    before = await all_rows()
    assert assert_error(await client.send("POST", path), 409) == "superseded"
    assert await all_rows() == before


async def test_continue_refuses_complete_and_failed_answers(script, ask, finished_run, client_of, alice):
    whole = await finished_run("one")
    failed = await ask(await script("fails", ProviderError("No.")))
    await wait_for_run(failed)
    before = await all_rows()
    for id in (whole.message_id, whole.message.parent_id, failed.message_id):
        answer = await client_of(alice).send("POST", f"/api/messages/{id}/continue")
        assert assert_error(answer, 409) == "not_broken_off"
    assert await all_rows() == before


async def test_continue_uses_another_assistant_if_the_first_was_deleted(script, ask, client_of, alice, plain):
    run = await broken_off(script, ask)
    await Assistant.objects.filter(slug="cut").adelete()
    after = await answered(await client_of(alice).send("POST", f"/api/messages/{run.message_id}/continue"))
    assert after.model == "scripted:plain"


# Taking back ----------------------------------------------------------------------------------------------------------


async def test_withdraw_deletes_a_queued_question(script, client_of, alice):
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
    await wait_for_run(first)
    assert [message.text async for message in row.messages.all()] == ["One", "a"]
    assert [request.turns[-1][1][0]["text"] for request in scripted.requests] == ["One"]


async def test_withdraw_keeps_the_questions_behind(script, client_of, alice):
    gate = asyncio.Event()
    assistant = await script("slow", Text("a"), gate.wait, Finish("stop"))
    row = await Conversation.objects.acreate(owner=alice, assistant=assistant)
    first, second, third = runs = [await row.ask(text) for text in ("One", "Two", "Three")]
    for run in runs:
        await engine.start(run)
    path = f"/api/messages/{second.message.parent_id}"
    assert (await client_of(alice).send("DELETE", path)).status_code == 204
    gate.set()
    await wait_for_run(third)
    assert [message.text async for message in row.messages.all()] == ["One", "a", "Three", "a"]
    question = await Message.objects.aget(text="Three")
    assert question.parent_id == first.message_id
    assert [request.turns[-1][1][0]["text"] for request in scripted.requests] == ["One", "Three"]


async def test_withdraw_lets_the_questions_behind_be_repeated(script, client_of, alice):
    gate = asyncio.Event()
    assistant = await script("slow", Text("a"), gate.wait, Finish("stop"))
    row = await Conversation.objects.acreate(owner=alice, assistant=assistant)
    await engine.start(await row.ask("One"))
    second = await row.ask("Two")
    client, path = client_of(alice), f"/api/conversations/{row.pk}/messages"
    third = {"text": "Three", "parent_id": str(second.message_id)}
    accepted = (await client.send("POST", path, third, idempotency_key="k")).json()
    await client.send("DELETE", f"/api/messages/{second.message.parent_id}")
    again = await client.send("POST", path, third, idempotency_key="k")
    assert (again.status_code, again.json()) == (202, accepted)
    assert await Message.objects.filter(text="Three").acount() == 1
    gate.set()
    await wait_for_run(await Run.objects.aget(pk=accepted["run_id"]))


async def test_messages_have_the_keys_of_their_requests(client_of, alice, plain):
    client = client_of(alice)
    row = await Conversation.objects.acreate(owner=alice)
    path = f"/api/conversations/{row.pk}/messages"
    await answered(await client.send("POST", path, {"text": "One"}, idempotency_key="k"))
    await answered(await client.send("POST", path, {"text": "Two"}))
    items = (await client.get(path)).json()["items"]
    assert [item["idempotency_key"] for item in items] == [None, "k", None, None]


async def test_withdraw_refuses_once_the_answer_has_begun(finished_run, client_of, alice):
    run = await finished_run("one")
    before = await all_rows()
    for id in (run.message.parent_id, run.message_id):
        assert assert_error(await client_of(alice).send("DELETE", f"/api/messages/{id}"), 409) == "begun"
    assert await all_rows() == before


# Rating ---------------------------------------------------------------------------------------------------------------


async def test_feedback_is_stored_and_removed(finished_run, client_of, alice):
    run = await finished_run("one")
    client, path = client_of(alice), f"/api/messages/{run.message_id}/feedback"
    rating = {"rating": "down", "reason": "wrong", "comment": "It is two."}
    assert (await client.send("PUT", path, rating)).status_code == 204
    items = (await client.get(f"/api/conversations/{run.conversation_id}/messages")).json()["items"]
    assert [item["feedback"] for item in items] == [None, rating]
    assert (await client.send("PUT", path, {"rating": None, "comment": "?"})).status_code == 204
    assert (await Message.objects.aget(pk=run.message_id)).feedback is None


async def test_feedback_that_is_invalid_changes_nothing(finished_run, client_of, alice, subtests):
    run = await finished_run("one")
    client, before = client_of(alice), await all_rows()
    path = f"/api/messages/{run.message_id}/feedback"
    for body in (
        {},
        {"rating": "good"},
        {"rating": 1},
        {"rating": "up", "reason": "\0"},
        {"rating": "up", "comment": 5},
    ):
        with subtests.test(repr(body)):
            assert_error(await client.send("PUT", path, body))
            assert await all_rows() == before
    own = f"/api/messages/{run.message.parent_id}/feedback"
    assert assert_error(await client.send("PUT", own, {"rating": "up"})) == "not_an_answer"
    assert await all_rows() == before
