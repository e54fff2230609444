"""POST /api/chat: ask and be answered in one call, whole or as a stream."""

import asyncio
import json
import uuid

import pytest

from chat import engine
from chat.events import Finish, Reasoning, Text, Usage, fold, from_json, text_of
from chat.models import Assistant, Conversation, Message, Run
from chat.providers import ProviderError
from tests import scripted
from tests.rows import all_rows, stored_events
from tests.waiting import hang_timeout, run_together, wait_for_run, wait_until


@pytest.fixture
async def words(script):
    return await script("words", Text("Hello"), Text(" Alice"), Usage(1, 2, 3), Finish("stop"), is_default=True)


STREAM = {"Accept": "text/event-stream"}


async def frames(answer):
    """The (seq, event) of a stream that has ended or ends."""
    body = b"".join([chunk async for chunk in answer.streaming_content]).decode("ascii")
    for block in body.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if "data" in fields:
            yield int(fields["id"]), from_json(fields["data"])


async def test_chat_returns_the_complete_answer(client_of, alice, words):
    answer = await client_of(alice).send("POST", "/api/chat", {"text": "Hi"})
    assert answer.status_code == 200
    run = await Run.objects.select_related("conversation", "message__parent").aget()
    counts = {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}
    assert answer.json() == {
        "input": "Hi",
        "chat_history": [],
        "output": "Hello Alice",
        "conversation_id": str(run.conversation_id),
        "run_id": str(run.pk),
        "usage": counts | {"reasoning_tokens": None, "cached_input_tokens": None},
    }
    assert (run.conversation.owner_id, run.conversation.title, run.status) == (alice.pk, "Hi", "completed")
    assert (run.message.parent.text, run.message.text) == ("Hi", "Hello Alice")


async def test_chat_continues_a_conversation(client_of, alice, words):
    client = client_of(alice)
    first = (await client.send("POST", "/api/chat", {"text": "Hi"})).json()
    answer = await client.send("POST", "/api/chat", {"text": "And?", "conversation_id": first["conversation_id"]})
    assert answer.status_code == 200
    assert answer.json()["conversation_id"] == first["conversation_id"]
    assert answer.json()["chat_history"] == [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello Alice"},
    ]
    assert len(scripted.requests[1].turns) == 3
    assert await Conversation.objects.acount() == 1


async def test_chat_takes_an_assistant(client_of, alice, words, script):
    await script("other", Text("I am another"), Finish("stop"))
    answer = await client_of(alice).send("POST", "/api/chat", {"text": "Hi", "assistant": "other"})
    assert answer.json()["output"] == "I am another"
    assert (await Conversation.objects.select_related("assistant").aget()).assistant.slug == "other"


async def test_chat_streams_if_the_request_accepts_it(client_of, alice, words):
    answer = await client_of(alice).send("POST", "/api/chat", {"text": "Hi"}, **STREAM)
    assert answer.status_code == 200
    assert answer["Content-Type"] == "text/event-stream; charset=utf-8"
    events = [event async for _, event in frames(answer)]
    assert (events[0].type, events[-1].type) == ("RUN_STARTED", "RUN_FINISHED")
    assert text_of(fold(events)) == "Hello Alice"
    run = await Run.objects.aget()
    assert (answer["X-Conversation-Id"], answer["X-Run-Id"]) == (str(run.conversation_id), str(run.pk))
    assert run.status == "completed"


async def test_chat_stream_starts_before_the_answer_is_complete(client_of, alice, slow):
    async with slow() as gate:
        answer = await client_of(alice).send("POST", "/api/chat", {"text": "Hi", "assistant": "slow"}, **STREAM)
        async for chunk in answer.streaming_content:
            if b'"delta":"one"' in chunk:
                assert (await Run.objects.aget()).status == "in_progress"
                gate.set()
        assert b"RUN_FINISHED" in chunk


async def test_chat_reader_that_disconnects_does_not_stop_the_answer(client_of, alice, slow):
    async with slow() as gate:
        answer = await client_of(alice).send("POST", "/api/chat", {"text": "Hi", "assistant": "slow"}, **STREAM)
        await anext(answer.streaming_content)
        await answer.streaming_content.aclose()
        gate.set()
        run = await Run.objects.aget()
        await wait_for_run(run)
    assert (run.status, (await Message.objects.aget(role="assistant")).text) == ("completed", "one two")


async def test_chat_failure_returns_the_error_and_the_text_so_far(client_of, alice, script):
    await script("broken", Text("so far"), ProviderError("The model is overloaded.", "overloaded"))
    answer = await client_of(alice).send("POST", "/api/chat", {"text": "Hi", "assistant": "broken"})
    assert answer.status_code == 502
    run = await Run.objects.aget()
    assert answer.json() == {
        "error": {"code": "overloaded", "message": "The model is overloaded."},
        "output": "so far",
        "conversation_id": str(run.conversation_id),
        "run_id": str(run.pk),
    }
    assert run.status == "failed"


async def test_chat_failure_is_the_last_event_of_a_stream(client_of, alice, script):
    await script("broken", Text("so far"), ProviderError("The model is overloaded.", "overloaded"))
    answer = await client_of(alice).send("POST", "/api/chat", {"text": "Hi", "assistant": "broken"}, **STREAM)
    assert answer.status_code == 200
    events = [event async for _, event in frames(answer)]
    assert [event.type for event in events][-2:] == ["TEXT_MESSAGE_END", "RUN_ERROR"]
    assert (events[-1].code, events[-1].message) == ("overloaded", "The model is overloaded.")


PLAIN = {"Accept": "text/plain"}


async def test_chat_as_plain_text_is_the_answer_alone_as_it_grows(client_of, alice, slow):
    async with slow() as gate:
        answer = await client_of(alice).send("POST", "/api/chat", {"text": "Hi", "assistant": "slow"}, **PLAIN)
        assert (answer.status_code, answer["Content-Type"]) == (200, "text/plain; charset=utf-8")
        chunks = answer.streaming_content
        assert await anext(chunks) == b"one"
        run = await Run.objects.aget()
        assert run.status == "in_progress"
        gate.set()
        assert b"".join([chunk async for chunk in chunks]) == b" two"
    assert (answer["X-Conversation-Id"], answer["X-Run-Id"]) == (str(run.conversation_id), str(run.pk))


@pytest.mark.parametrize(
    ("accepted", "content_type"),
    [
        ("text/plain", "text/plain; charset=utf-8"),
        ("text/plain;q=0.9, application/json;q=0.1", "text/plain; charset=utf-8"),
        ("text/*", "text/plain; charset=utf-8"),
        ("application/json, text/plain, */*", "application/json; charset=utf-8"),  # what axios sends
        ("*/*", "application/json; charset=utf-8"),
        ("text/plain;q=0, */*", "application/json; charset=utf-8"),
        ("text/event-stream, text/plain", "text/event-stream; charset=utf-8"),
    ],
)
async def test_chat_takes_the_preferred_type(client_of, alice, words, accepted, content_type):
    answer = await client_of(alice).send("POST", "/api/chat", {"text": "Hi"}, Accept=accepted)
    assert (answer.status_code, answer["Content-Type"]) == (200, content_type)


async def test_chat_as_plain_text_leaves_out_steps_and_says_why_it_ends_early(client_of, alice, script):
    error = ProviderError("The model is overloaded.", "overloaded")
    await script("broken", Reasoning("Hm"), Text("so far 日本"), error)
    answer = await client_of(alice).send("POST", "/api/chat", {"text": "Hi", "assistant": "broken"}, **PLAIN)
    body = b"".join([chunk async for chunk in answer.streaming_content]).decode()
    assert body == "so far 日本\n\n[The model is overloaded.]\n"


async def test_chat_as_plain_text_that_was_stopped_says_so(client_of, alice, slow):
    async with slow():
        answer = await client_of(alice).send("POST", "/api/chat", {"text": "Hi", "assistant": "slow"}, **PLAIN)
        chunks = answer.streaming_content
        assert await anext(chunks) == b"one"
        await engine.cancel(await Run.objects.aget())
        assert b"".join([chunk async for chunk in chunks]) == b"\n\n[The answer was stopped.]\n"


async def test_chat_as_plain_text_fails_with_a_status_before_the_first_text(client_of, alice, script):
    await script("broken", ProviderError("The model is overloaded.", "overloaded"))
    answer = await client_of(alice).send("POST", "/api/chat", {"text": "Hi", "assistant": "broken"}, **PLAIN)
    assert (answer.status_code, answer.json()["error"]["code"]) == (502, "overloaded")


async def test_chat_as_plain_text_during_a_shutdown_says_that_it_continues(client_of, alice, slow):
    async with slow():
        answer = await client_of(alice).send("POST", "/api/chat", {"text": "Hi", "assistant": "slow"}, **PLAIN)
        chunks = answer.streaming_content
        assert await anext(chunks) == b"one"
        engine.current().begin_shutdown()
        rest = b"".join([chunk async for chunk in chunks]).decode()
    assert rest == "\n\n[The answer continues on the server: fetch this run again in a moment.]\n"


async def test_chat_as_plain_text_reader_that_disconnects_does_not_stop_the_answer(client_of, alice, slow):
    async with slow() as gate:
        answer = await client_of(alice).send("POST", "/api/chat", {"text": "Hi", "assistant": "slow"}, **PLAIN)
        await anext(answer.streaming_content)
        await answer.streaming_content.aclose()
        gate.set()
        run = await Run.objects.aget()
        await wait_for_run(run)
    assert run.status == "completed"


async def test_chat_key_in_a_conversation_returns_the_same_run(client_of, alice, words):
    client = client_of(alice)
    first = (await client.send("POST", "/api/chat", {"text": "Hi"})).json()
    body = {"text": "And?", "conversation_id": first["conversation_id"]}
    answers = [await client.send("POST", "/api/chat", body, idempotency_key="k1") for _ in range(2)]
    assert answers[0].json() == answers[1].json()
    streamed = await client.send("POST", "/api/chat", body, idempotency_key="k1", **STREAM)
    assert text_of(fold([event async for _, event in frames(streamed)])) == "Hello Alice"
    assert (await Run.objects.acount(), len(scripted.requests)) == (2, 2)


async def test_chat_key_without_a_conversation_returns_the_same_run(client_of, alice, charlie, words):
    client = client_of(alice)
    first, again = [await client.send("POST", "/api/chat", {"text": "Hi"}, idempotency_key="k1") for _ in range(2)]
    assert first.json() == again.json()
    assert (await Conversation.objects.acount(), await Run.objects.acount(), len(scripted.requests)) == (1, 1, 1)
    other = await client_of(charlie).send("POST", "/api/chat", {"text": "Hi"}, idempotency_key="k1")
    assert other.json()["conversation_id"] != first.json()["conversation_id"]


async def test_chat_key_in_concurrent_requests_creates_one_run(client_of, alice, words):
    client = client_of(alice)
    await client.get("/api/assistants")
    answers = await run_together(
        *(client.send("POST", "/api/chat", {"text": "Hi"}, idempotency_key="k1") for _ in range(4))
    )
    assert [answer.status_code for answer in answers] == [200] * 4
    assert len({answer.content for answer in answers}) == 1
    assert (await Conversation.objects.acount(), await Run.objects.acount(), len(scripted.requests)) == (1, 1, 1)


async def test_chat_key_for_another_text_is_refused(client_of, alice, words):
    client = client_of(alice)
    await client.send("POST", "/api/chat", {"text": "Hi"}, idempotency_key="k1")
    before = await all_rows()
    answer = await client.send("POST", "/api/chat", {"text": "Bye"}, idempotency_key="k1")
    assert answer.status_code == 409
    assert answer.json()["error"]["code"] == "idempotency_key_reused"
    assert await all_rows() == before


async def begun(events):
    """The run, once so many of its events are in the database."""

    async def are_stored():
        return len(await stored_events()) >= events

    await wait_until(are_stored)
    return await Run.objects.aget()


async def test_chat_in_a_conversation_deleted_meanwhile_is_404(client_of, alice, slow):
    async with slow():
        calling = asyncio.create_task(client_of(alice).send("POST", "/api/chat", {"text": "Hi", "assistant": "slow"}))
        await begun(3)
        await Conversation.objects.all().adelete()
        async with hang_timeout():
            answer = await calling
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "not_found"


async def test_chat_during_a_shutdown_is_503(client_of, alice, slow):
    async with slow():
        calling = asyncio.create_task(client_of(alice).send("POST", "/api/chat", {"text": "Hi", "assistant": "slow"}))
        run = await begun(3)
        engine.current().begin_shutdown()
        async with hang_timeout():
            answer = await calling
    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "restarting"
    assert answer.json()["run_id"] == str(run.pk)


async def test_chat_in_the_conversation_of_another_user_is_404(client_of, alice, charlie, words):
    first = (await client_of(alice).send("POST", "/api/chat", {"text": "Hi"})).json()
    before = await all_rows()
    body = {"text": "Mine", "conversation_id": first["conversation_id"]}
    assert (await client_of(charlie).send("POST", "/api/chat", body)).status_code == 404
    assert (await client_of().send("POST", "/api/chat", body)).status_code == 401
    unknown = body | {"conversation_id": str(uuid.uuid4())}
    assert (await client_of(alice).send("POST", "/api/chat", unknown)).status_code == 404
    assert await all_rows() == before


async def test_chat_without_an_assistant_creates_no_conversation(client_of, alice):
    await Assistant.objects.all().adelete()
    answer = await client_of(alice).send("POST", "/api/chat", {"text": "Hi"})
    assert (answer.status_code, json.loads(answer.content)["error"]["code"]) == (409, "no_assistant")
    assert not await Conversation.objects.aexists()
