"""Messages are listed and sent, and each is sent once."""

import pytest
from django.utils.dateparse import parse_datetime

from chat.engine import heartbeat
from chat.events import Finish, Text, ToolCallResult, ToolCallStart, Usage
from chat.models import Assistant, Conversation, Message, Run
from tests import scripted
from tests.api.answers import done
from tests.assertions import without_seconds
from tests.clients import messages_url
from tests.rows import all_rows, get_run
from tests.waiting import run_together, wait_for_run, wait_for_text

# Messages -------------------------------------------------------------------------------------------------------------


async def test_list_messages_has_every_field(client_of, alice, script, ask):
    run = await ask(
        await script(
            "tools",
            ToolCallStart("c1", "clock"),
            ToolCallResult("c1", "noon"),
            Text("It is noon."),
            Usage(5, 7, 12),
            Finish("length"),
        ),
        "何時？",
    )
    await wait_for_run(run)
    answer = await client_of(alice).get(messages_url(run.conversation))
    assert answer.status_code == 200
    question, reply = answer.json()["items"]
    times = [parse_datetime(message.pop("created_at")) for message in (question, reply)]
    assert times == sorted(times)
    empty = dict.fromkeys(("error", "finish_reason", "notice", "assistant", "model", "usage", "run_id", "instruction"))
    empty |= {"interrupts": [], "feedback": None, "started_at": None, "finished_at": None, "idempotency_key": None}
    assert question == empty | {
        "id": str(run.message.parent_id),
        "parent_id": None,
        "role": "user",
        "text": "何時？",
        "parts": [{"type": "text", "text": "何時？"}],
        "status": "completed",
    }
    call = {"type": "tool_call", "id": "c1", "name": "clock", "arguments": "", "result": "noon", "error": None}
    counts = {"input_tokens": 5, "output_tokens": 7, "total_tokens": 12}
    reply["parts"] = without_seconds(reply["parts"])
    assert parse_datetime(reply.pop("started_at")) <= parse_datetime(reply.pop("finished_at"))
    assert reply == {
        "id": str(run.message_id),
        "parent_id": str(run.message.parent_id),
        "role": "assistant",
        "text": "It is noon.",
        "parts": [call, {"type": "text", "text": "It is noon."}],
        "status": "completed",
        "interrupts": [],
        "feedback": None,
        "run_id": str(run.pk),
        "idempotency_key": None,
        "error": None,
        "finish_reason": "length",
        "notice": "The answer reached its length limit.",
        "assistant": "tools",
        "model": "scripted:tools",
        "usage": counts | {"reasoning_tokens": None, "cached_input_tokens": None},
        "instruction": None,
    }


async def test_list_messages_takes_after_before_and_limit(client_of, alice, conversation, subtests):
    run = await conversation.ask("One")
    one = run.message.parent
    two, three = [
        await conversation.messages.acreate(parent=one, role="user", text=text, created_at=one.created_at)
        for text in ("Two", "Three")
    ]
    path = f"/api/conversations/{conversation.pk}/messages"

    async def message_ids(**query):
        return [item["id"] for item in (await client_of(alice).get(path, query)).json()["items"]]

    at_one_moment = sorted(str(message.pk) for message in (one, two, three))
    ids = [*at_one_moment, str(run.message_id)]
    assert await message_ids() == ids
    for query, expected in (
        ({"after": ids[1]}, ids[2:]),
        ({"after": ids[3]}, []),
        ({"before": ids[2]}, ids[:2]),
        ({"before": ids[0]}, []),
        ({"limit": 2}, ids[2:]),
        ({"limit": 9}, ids),
        ({"before": ids[3], "limit": 1}, ids[2:3]),
    ):
        with subtests.test(repr(query)):
            assert await message_ids(**query) == expected
    other = await Conversation.objects.acreate(owner=alice)
    for name in ("after", "before"):
        elsewhere = await client_of(alice).get(f"/api/conversations/{other.pk}/messages", {name: ids[0]})
        assert elsewhere.status_code == 404
    assert (await client_of(alice).get(path, {"limit": 0})).status_code == 400


async def test_list_messages_marks_an_answer_in_progress(client_of, alice, slow, ask):
    async with slow():
        run = await ask(await Assistant.objects.aget(slug="slow"))
        await wait_for_text(run)
        reply = (await client_of(alice).get(messages_url(run.conversation))).json()["items"][1]
        assert (reply["status"], reply["run_id"]) == ("in_progress", str(run.pk))


async def test_list_messages_has_the_error_of_a_failed_answer(client_of, alice, script, ask):
    run = await ask(await script("broken", Text("so far"), RuntimeError("a secret of ours")))
    await wait_for_run(run)
    reply = (await client_of(alice).get(messages_url(run.conversation))).json()["items"][1]
    assert (reply["status"], reply["text"]) == ("failed", "so far")
    assert reply["error"]["code"] == "internal"
    assert "secret" not in str(reply)


async def test_send_message_is_stored_and_answered(client_of, alice, conversation):
    answer = await client_of(alice).send("POST", messages_url(conversation), {"text": "Hi there"})
    assert answer.status_code == 202
    run = await get_run(answer)
    message, reply = await Message.objects.aget(role="user"), await Message.objects.aget(role="assistant")
    assert answer.json() == {
        "message_id": str(message.pk),
        "reply_id": str(reply.pk),
        "run_id": str(run.pk),
        "events_url": f"/api/runs/{run.pk}/events",
    }
    assert (message.text, message.parts) == ("Hi there", [{"type": "text", "text": "Hi there"}])
    assert (message.parent_id, reply.parent_id, run.message_id) == (None, message.pk, reply.pk)
    await wait_for_run(run)
    await reply.arefresh_from_db()
    await conversation.arefresh_from_db()
    assert (run.status, reply.text, conversation.title) == ("completed", "Hello Alice", "Hi there")


async def test_send_message_keeps_the_text_unchanged(client_of, alice, conversation):
    text = "  first\r\n\ttab 👩‍👩‍👧 العربية <b>&amp;\u2028end  "
    await done(await client_of(alice).send("POST", messages_url(conversation), {"text": text}))
    assert (await Message.objects.aget(role="user")).text == text
    assert scripted.requests[0].turns == [("user", [{"type": "text", "text": text}])]


async def test_send_message_follows_the_newest_message(client_of, alice, conversation):
    client = client_of(alice)
    first = await done(await client.send("POST", messages_url(conversation), {"text": "one"}))
    second = await done(await client.send("POST", messages_url(conversation), {"text": "two"}))
    assert second.message.parent.parent_id == first.message_id
    assert [(role, parts[0]["text"]) for role, parts in scripted.requests[1].turns] == [
        ("user", "one"),
        ("assistant", "Hello Alice"),
        ("user", "two"),
    ]


async def test_send_message_with_a_parent_is_a_sibling(client_of, alice, conversation):
    client = client_of(alice)
    first = await done(await client.send("POST", messages_url(conversation), {"text": "one"}))
    second = await done(await client.send("POST", messages_url(conversation), {"text": "two"}))
    edited = {"text": "two, edited", "parent_id": str(first.message_id)}
    third = await done(await client.send("POST", messages_url(conversation), edited))
    assert third.message.parent.parent_id == second.message.parent.parent_id == first.message_id
    assert [parts[0]["text"] for _, parts in scripted.requests[2].turns] == ["one", "Hello Alice", "two, edited"]
    assert await Message.objects.acount() == 6


async def test_send_message_takes_another_assistant(client_of, alice, conversation, script):
    await script("other", Text("I am another"), Finish("stop"))
    answer = await client_of(alice).send("POST", messages_url(conversation), {"text": "Hi", "assistant": "other"})
    run = await done(answer)
    assert (run.model, (await Message.objects.aget(role="assistant")).text) == ("scripted:other", "I am another")


async def test_send_message_waits_for_the_answer_before_it(client_of, alice, slow, words, conversation, monkeypatch):
    monkeypatch.setattr(heartbeat, "ADOPT_DELAY", 0)
    monkeypatch.setattr(heartbeat, "HEARTBEAT_INTERVAL", 0.05)
    client = client_of(alice)
    async with slow():
        first = await get_run(
            await client.send("POST", messages_url(conversation), {"text": "Hi", "assistant": "slow"})
        )
        await wait_for_text(first)
        answer = await client.send("POST", messages_url(conversation), {"text": "And?", "assistant": "words"})
        assert answer.status_code == 202
        second = await get_run(answer)
        assert second.message.parent.parent_id == first.message_id
        assert (await client.get(f"/api/runs/{second.pk}")).json()["status"] == "queued"
    await wait_for_run(first)
    await wait_for_run(second)
    assert [parts[0]["text"] for _, parts in scripted.requests[1].turns] == ["Hi", "one two", "And?"]
    assert (first.status, second.status) == ("completed", "completed")


# Idempotency-Key ------------------------------------------------------------------------------------------------------


async def test_idempotency_key_repeated_returns_the_same_run(client_of, alice, conversation):
    client = client_of(alice)
    first = await client.send("POST", messages_url(conversation), {"text": "Hi"}, idempotency_key="k1")
    again = await client.send("POST", messages_url(conversation), {"text": "Hi"}, idempotency_key="k1")
    await done(first)
    late = await client.send("POST", messages_url(conversation), {"text": "Hi"}, idempotency_key="k1")
    assert [answer.status_code for answer in (first, again, late)] == [202] * 3
    assert first.json() == again.json() == late.json()
    assert (await Run.objects.acount(), await Message.objects.acount(), len(scripted.requests)) == (1, 2, 1)


async def test_idempotency_key_in_concurrent_requests_creates_one_run(client_of, alice, conversation):
    client = client_of(alice)
    await client.get("/api/assistants")
    calls = [client.send("POST", messages_url(conversation), {"text": "Hi"}, idempotency_key="k1") for _ in range(5)]
    answers = await run_together(*calls)
    assert [answer.status_code for answer in answers] == [202] * 5
    assert len({answer.content for answer in answers}) == 1
    await done(answers[0])
    assert (await Run.objects.acount(), await Message.objects.acount(), len(scripted.requests)) == (1, 2, 1)


async def test_idempotency_key_that_differs_creates_another_run(client_of, alice, conversation):
    client = client_of(alice)
    for headers in ({"idempotency_key": "k1"}, {"idempotency_key": "k2"}, {}, {"idempotency_key": ""}):
        answer = await client.send("POST", messages_url(conversation), {"text": "Hi"}, **headers)
        await done(answer)
    assert (await Run.objects.acount(), len(scripted.requests)) == (4, 4)


async def test_idempotency_key_belongs_to_its_conversation(client_of, alice, conversation, words):
    other = await Conversation.objects.acreate(owner=alice, assistant=words)
    client = client_of(alice)
    for row in (conversation, other):
        answer = await client.send("POST", messages_url(row), {"text": "Hi"}, idempotency_key="k1")
        assert (await get_run(answer)).conversation_id == row.pk


@pytest.mark.parametrize("other", [{"text": "Bye"}, {"parent_id": "the question before"}, {"assistant": "demo"}])
async def test_idempotency_key_for_another_request_is_refused(client_of, alice, conversation, other):
    client = client_of(alice)
    earlier = await done(await client.send("POST", messages_url(conversation), {"text": "Earlier"}))
    first = await client.send("POST", messages_url(conversation), {"text": "Hi"}, idempotency_key="k1")
    await done(first)
    if "parent_id" in other:
        other = {"parent_id": str(earlier.message.parent_id)}
    before = await all_rows()
    answer = await client.send("POST", messages_url(conversation), {"text": "Hi"} | other, idempotency_key="k1")
    assert answer.status_code == 409
    assert answer.json()["error"]["code"] == "idempotency_key_reused"
    assert await all_rows() == before
    assert len(scripted.requests) == 2
