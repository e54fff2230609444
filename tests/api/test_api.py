"""Every JSON call: what it answers, what it leaves in the rows, and what it leaves alone."""

import asyncio
import uuid
from datetime import timedelta

import pytest
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from chat import engine
from chat.engine import heartbeat
from chat.events import Finish, Text, ToolCallResult, ToolCallStart, Usage
from chat.models import Assistant, Conversation, Message, Run, RunEvent
from tests import scripted
from tests.assertions import without_seconds
from tests.clients import messages_url
from tests.rows import all_rows, get_run
from tests.waiting import run_together, wait_for_run, wait_for_text


async def done(answer):
    """The run of this answer, once it is over."""
    await wait_for_run(await get_run(answer))
    return await get_run(answer)


def in_milliseconds(moment):
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


# Assistants -----------------------------------------------------------------------------------------------------------


async def test_list_assistants_has_the_default_first(client_of, alice):
    await Assistant.objects.all().adelete()
    calm = {"is_default": True, "system_prompt": "Be calm.", "starters": ["Breathe"]}
    await Assistant.objects.acreate(slug="zen", name="Zen", model="demo:", **calm)
    more = {"sees_images": False, "starters": []}
    await Assistant.objects.acreate(slug="abc", name="Abc", model="demo:", description="Letters.")
    await Assistant.objects.acreate(slug="off", name="Off", model="demo:", is_enabled=False)
    answer = await client_of(alice).get("/api/assistants")
    assert answer.status_code == 200
    assert answer.json() == {
        "items": [
            {"slug": "zen", "name": "Zen", "description": "", "is_default": True, **more, "starters": ["Breathe"]},
            {"slug": "abc", "name": "Abc", "description": "Letters.", "is_default": False, **more},
        ]
    }


# Conversations --------------------------------------------------------------------------------------------------------


PLAIN = {"is_pinned": False, "is_archived": False, "is_temporary": False, "leaf_id": None}


async def test_create_conversation_uses_the_default_assistant(client_of, alice):
    await Assistant.objects.filter(is_default=True).aupdate(slug="usual")
    answer = await client_of(alice).send("POST", "/api/conversations", {})
    assert answer.status_code == 201
    row = await Conversation.objects.select_related("assistant").aget()
    data = answer.json()
    assert parse_datetime(data.pop("created_at")) == in_milliseconds(row.created_at)
    assert parse_datetime(data.pop("updated_at")) == in_milliseconds(row.updated_at)
    assert data == {"id": str(row.pk), "title": "", "assistant": "usual", **PLAIN}
    assert row.owner_id == alice.pk
    assert not await Message.objects.aexists()


async def test_create_conversation_takes_title_and_assistant(client_of, alice, words):
    answer = await client_of(alice).send("POST", "/api/conversations", {"title": " 旅行 ", "assistant": "words"})
    assert answer.status_code == 201
    assert (answer.json()["title"], answer.json()["assistant"]) == ("旅行", "words")
    row = await Conversation.objects.aget()
    assert (row.title, row.assistant_id) == ("旅行", words.pk)


async def test_create_conversation_with_the_same_key_creates_one(client_of, alice, charlie, words):
    first, again, other = [
        await client_of(user).send("POST", "/api/conversations", {}, **{"Idempotency-Key": key})
        for user, key in ((alice, "k"), (alice, "k"), (alice, "l"))
    ]
    assert [answer.status_code for answer in (first, again, other)] == [201, 201, 201]
    assert first.json() == again.json()
    assert first.json()["id"] != other.json()["id"]
    charlies = await client_of(charlie).send("POST", "/api/conversations", {}, **{"Idempotency-Key": "k"})
    assert charlies.json()["id"] != first.json()["id"]
    await client_of(alice).send("DELETE", f"/api/conversations/{first.json()['id']}")
    gone = await client_of(alice).send("POST", "/api/conversations", {}, **{"Idempotency-Key": "k"})
    assert gone.status_code == 404
    assert await Conversation.objects.acount() == 3


async def test_create_conversation_without_any_assistant_is_refused(client_of, alice):
    await Assistant.objects.all().adelete()
    answer = await client_of(alice).send("POST", "/api/conversations", {})
    assert answer.status_code == 409
    assert answer.json()["error"]["code"] == "no_assistant"
    assert not await Conversation.objects.aexists()


async def test_list_conversations_has_the_newest_activity_first(client_of, alice, charlie, words):
    now = timezone.now()
    for title, age in (("middle", 2), ("newest", 1), ("oldest", 3)):
        updated_at = now - timedelta(hours=age)
        await Conversation.objects.acreate(owner=alice, assistant=words, title=title, updated_at=updated_at)
    await Conversation.objects.acreate(owner=charlie, title="Charlie's")
    answer = await client_of(alice).get("/api/conversations")
    assert answer.status_code == 200
    assert [item["title"] for item in answer.json()["items"]] == ["newest", "middle", "oldest"]
    names = {"id", "title", "assistant", "created_at", "updated_at", "snippet", *dict(PLAIN)}
    assert answer.json()["items"][0].keys() == names
    assert answer.json()["next_cursor"] is None


async def pages(client, limit, **query):
    """The ids of all pages, a list per page."""
    read, cursor = [], ""
    while cursor is not None:
        answer = await client.get("/api/conversations", {"limit": limit, "cursor": cursor, **query})
        assert answer.status_code == 200
        read.append([item["id"] for item in answer.json()["items"]])
        cursor = answer.json()["next_cursor"]
    return read


async def test_list_conversations_pages_repeat_none_if_times_are_equal(client_of, alice):
    now = timezone.now()
    for _ in range(7):
        await Conversation.objects.acreate(owner=alice, updated_at=now)
    client = client_of(alice)
    read = await pages(client, 3)
    assert [len(page) for page in read] == [3, 3, 1]
    whole = [item["id"] for item in (await client.get("/api/conversations")).json()["items"]]
    assert [item for page in read for item in page] == whole
    assert len(set(whole)) == 7


async def test_list_conversations_full_last_page_has_no_cursor(client_of, alice):
    for _ in range(4):
        await Conversation.objects.acreate(owner=alice)
    assert [len(page) for page in await pages(client_of(alice), 2)] == [2, 2]


async def test_list_conversations_pages_are_stable_under_new_activity(client_of, alice):
    for number in range(6):
        updated_at = timezone.now() - timedelta(hours=number)
        await Conversation.objects.acreate(owner=alice, updated_at=updated_at, title=number)
    client = client_of(alice)
    first = (await client.get("/api/conversations", {"limit": 3})).json()
    await Conversation.objects.acreate(owner=alice, title="new")
    await Conversation.objects.filter(title="1").aupdate(updated_at=timezone.now())
    second = (await client.get("/api/conversations", {"limit": 3, "cursor": first["next_cursor"]})).json()
    assert [item["title"] for item in second["items"]] == ["3", "4", "5"]


async def test_search_returns_each_conversation_once(client_of, alice, charlie):
    async def talk(owner, title, *texts):
        conversation = await Conversation.objects.acreate(owner=owner, title=title)
        for text in texts:
            await conversation.messages.acreate(role="user", text=text)

    await talk(alice, "東京の天気")
    await talk(alice, "Weather", "明日の東京は？", "東京、それから京都は？")
    await talk(alice, "Kyoto", "only there", "100% sure")
    await talk(charlie, "東京のチャーリー")

    async def found(q):
        answer = await client_of(alice).get("/api/conversations", {"q": q})
        return sorted(item["title"] for item in answer.json()["items"])

    assert await found("東京") == ["Weather", "東京の天気"]
    assert await found(" kYOTO ") == ["Kyoto"]
    assert await found("100%") == ["Kyoto"]
    assert await found("o%y") == []
    assert await found("チャーリー") == []
    assert len(await found("")) == 3


async def test_search_has_pages(client_of, alice):
    for number in range(5):
        conversation = await Conversation.objects.acreate(owner=alice, title=f"apple {number}")
        await conversation.messages.acreate(role="user", text="apple")
        await Conversation.objects.acreate(owner=alice, title="pear")
    read = await pages(client_of(alice), 2, q="apple")
    assert [len(page) for page in read] == [2, 2, 1]
    assert len({item for page in read for item in page}) == 5


async def test_get_conversation(client_of, alice, conversation):
    answer = await client_of(alice).get(f"/api/conversations/{conversation.pk}")
    assert answer.status_code == 200
    assert answer.json()["id"] == str(conversation.pk)
    assert answer.json()["assistant"] == "words"


async def test_change_conversation_title_changes_nothing_else(client_of, alice, conversation):
    answer = await client_of(alice).send("PATCH", f"/api/conversations/{conversation.pk}", {"title": "Renamed"})
    assert answer.status_code == 200
    assert answer.json()["title"] == "Renamed"
    row = await Conversation.objects.aget()
    assert (row.title, row.assistant_id) == ("Renamed", conversation.assistant_id)
    assert row.updated_at == conversation.updated_at


async def test_change_conversation_assistant_changes_nothing_else(client_of, alice, conversation):
    await Conversation.objects.aupdate(title="Kept")
    answer = await client_of(alice).send("PATCH", f"/api/conversations/{conversation.pk}", {"assistant": "demo"})
    assert answer.status_code == 200
    assert answer.json()["assistant"] == "demo"
    row = await Conversation.objects.select_related("assistant").aget()
    assert (row.title, row.assistant.slug) == ("Kept", "demo")


async def test_change_conversation_with_an_empty_body_changes_nothing(client_of, alice, conversation):
    before = await all_rows()
    answer = await client_of(alice).send("PATCH", f"/api/conversations/{conversation.pk}", {})
    assert answer.status_code == 200
    assert await all_rows() == before


async def test_delete_conversation_deletes_messages_runs_and_events(client_of, alice, finished_run, settings):
    settings.UNDO_SECONDS = 0
    run = await finished_run("one two")
    kept = await Conversation.objects.acreate(owner=alice)
    client = client_of(alice)
    answer = await client.send("DELETE", f"/api/conversations/{run.conversation_id}")
    assert answer.status_code == 204
    assert answer.content == b""
    assert (await client.get(f"/api/conversations/{run.conversation_id}")).status_code == 404
    assert (await client.get(run.events_url)).status_code == 404
    assert (await client.send("DELETE", f"/api/conversations/{run.conversation_id}")).status_code == 404
    assert [row.pk async for row in Conversation.objects.all()] == [kept.pk]
    for model in (Message, Run, RunEvent):
        assert not await model.objects.aexists()


async def test_delete_conversation_cancels_a_running_answer(client_of, alice, slow, ask, caplog, settings):
    settings.UNDO_SECONDS = 0
    async with slow(), slow("other"):
        run = await ask(await Assistant.objects.aget(slug="slow"))
        other = await ask(await Assistant.objects.aget(slug="other"))
        await wait_for_text(run)
        await wait_for_text(other)
        reader = asyncio.create_task(over_or_gone(run))
        async with asyncio.timeout(3):
            answer = await client_of(alice).send("DELETE", f"/api/conversations/{run.conversation_id}")
            assert answer.status_code == 204
            assert (await reader)[-1] == "RUN_FINISHED"
        assert scripted.closed == ["slow"]
        assert not await Message.objects.filter(conversation_id=run.conversation_id).aexists()
        assert not await RunEvent.objects.filter(run_id=run.pk).aexists()
    await wait_for_run(other)
    assert other.status == "completed"
    assert not await RunEvent.objects.filter(run_id=run.pk).aexists()
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


async def over_or_gone(run):
    return [event.type async for _, event in engine.follow(run) if event]


async def test_delete_conversation_deletes_queued_runs(client_of, alice, slow, words, ask, settings):
    settings.MAX_RUNS_PER_USER, settings.UNDO_SECONDS = 1, 0
    async with slow():
        first = await ask(await Assistant.objects.aget(slug="slow"))
        await wait_for_text(first)
        waiting = await ask(words)
        async with asyncio.timeout(3):
            answer = await client_of(alice).send("DELETE", f"/api/conversations/{waiting.conversation_id}")
        assert answer.status_code == 204
        assert not await Run.objects.filter(pk=waiting.pk).aexists()
    await wait_for_run(first)
    assert [request.model for request in scripted.requests] == ["slow"]


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
    nothing = dict.fromkeys(("error", "finish_reason", "notice", "assistant", "model", "usage", "run_id"))
    nothing |= {"interrupts": [], "feedback": None, "started_at": None, "finished_at": None}
    assert question == nothing | {
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
        "error": None,
        "finish_reason": "length",
        "notice": "The answer reached its length limit.",
        "assistant": "tools",
        "model": "scripted:tools",
        "usage": counts | {"reasoning_tokens": None, "cached_input_tokens": None},
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
    everything = [*at_one_moment, str(run.message_id)]
    assert await message_ids() == everything
    for query, expected in (
        ({"after": everything[1]}, everything[2:]),
        ({"after": everything[3]}, []),
        ({"before": everything[2]}, everything[:2]),
        ({"before": everything[0]}, []),
        ({"limit": 2}, everything[2:]),
        ({"limit": 9}, everything),
        ({"before": everything[3], "limit": 1}, everything[2:3]),
    ):
        with subtests.test(repr(query)):
            assert await message_ids(**query) == expected
    other = await Conversation.objects.acreate(owner=alice)
    for name in ("after", "before"):
        elsewhere = await client_of(alice).get(f"/api/conversations/{other.pk}/messages", {name: everything[0]})
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


# Regenerate -----------------------------------------------------------------------------------------------------------


async def test_regenerate_adds_an_answer_beside_the_first(client_of, alice, finished_run):
    run = await finished_run("first answer")
    answer = await client_of(alice).send("POST", f"/api/messages/{run.message_id}/regenerate")
    assert answer.status_code == 202
    again = await done(answer)
    assert answer.json() == {
        "message_id": str(run.message.parent_id),
        "reply_id": str(again.message_id),
        "run_id": str(again.pk),
        "events_url": f"/api/runs/{again.pk}/events",
    }
    assert again.message_id != run.message_id
    assert again.message.parent_id == run.message.parent_id
    assert scripted.requests[0].turns == scripted.requests[1].turns
    first = await Message.objects.aget(pk=run.message_id)
    assert first.text == "first answer"
    assert await Message.objects.acount() == 3


async def test_regenerate_takes_another_assistant(client_of, alice, finished_run, script):
    run = await finished_run("first answer")
    await script("other", Text("another answer"), Finish("stop"))
    body = {"assistant": "other"}
    again = await done(await client_of(alice).send("POST", f"/api/messages/{run.message_id}/regenerate", body))
    assert (await Message.objects.aget(pk=again.message_id)).text == "another answer"


async def test_regenerate_with_the_same_key_returns_the_same_run(client_of, alice, finished_run):
    run = await finished_run("first answer")
    client, url = client_of(alice), f"/api/messages/{run.message_id}/regenerate"
    first = await client.send("POST", url, idempotency_key="k1")
    again = await client.send("POST", url, idempotency_key="k1")
    assert first.json() == again.json()
    await done(first)
    assert await Run.objects.acount() == 2


async def test_regenerate_with_the_key_of_another_message_is_refused(client_of, alice, finished_run):
    run = await finished_run("first answer")
    client = client_of(alice)
    second = await done(await client.send("POST", messages_url(run.conversation), {"text": "And?"}))
    first = await client.send("POST", f"/api/messages/{run.message_id}/regenerate", idempotency_key="k1")
    await done(first)
    before = await all_rows()
    answer = await client.send("POST", f"/api/messages/{second.message_id}/regenerate", idempotency_key="k1")
    assert answer.status_code == 409
    assert await all_rows() == before


async def test_regenerate_refuses_a_user_message(client_of, alice, finished_run):
    run = await finished_run("first answer")
    before = await all_rows()
    answer = await client_of(alice).send("POST", f"/api/messages/{run.message.parent_id}/regenerate")
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "not_an_answer"
    assert await all_rows() == before


# Runs -----------------------------------------------------------------------------------------------------------------


async def test_get_run_has_every_field(client_of, alice, script, ask):
    run = await ask(await script("counted", Text("Hello"), Usage(1, 2, 3), Finish("stop")))
    await wait_for_run(run)
    answer = await client_of(alice).get(f"/api/runs/{run.pk}")
    assert answer.status_code == 200
    data = answer.json()
    times = [parse_datetime(data.pop(name)) for name in ("created_at", "started_at", "finished_at")]
    assert times == sorted(times)
    counts = {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}
    assert data == {
        "id": str(run.pk),
        "conversation_id": str(run.conversation_id),
        "message_id": str(run.message_id),
        "status": "completed",
        "error": None,
        "finish_reason": "stop",
        "notice": None,
        "interrupts": [],
        "assistant": "counted",
        "model": "scripted:counted",
        "usage": counts | {"reasoning_tokens": None, "cached_input_tokens": None},
    }


async def test_get_run_in_progress_has_no_end(client_of, alice, slow, ask):
    async with slow():
        run = await ask(await Assistant.objects.aget(slug="slow"))
        await wait_for_text(run)
        data = (await client_of(alice).get(f"/api/runs/{run.pk}")).json()
        assert data["status"] == "in_progress"
        assert data["started_at"] and data["finished_at"] is None and data["usage"] is None


async def test_get_run_of_a_deleted_assistant(client_of, alice, finished_run):
    run = await finished_run("one")
    await Assistant.objects.filter(slug="words").adelete()
    client = client_of(alice)
    data = (await client.get(f"/api/runs/{run.pk}")).json()
    assert (data["assistant"], data["model"]) == (None, "scripted:words")
    assert (await client.get(messages_url(run.conversation))).json()["items"][1]["text"] == "one"
    assert (await client.get("/api/conversations")).json()["items"][0]["assistant"] is None


async def test_cancel_closes_the_upstream_and_keeps_the_text(client_of, alice, slow, ask):
    client = client_of(alice)
    async with slow():
        run = await ask(await Assistant.objects.aget(slug="slow"))
        await wait_for_text(run)
        for _ in range(2):
            answer = await client.send("POST", f"/api/runs/{run.pk}/cancel")
            assert answer.status_code == 202
            assert answer.json()["id"] == str(run.pk)
        async with asyncio.timeout(1):
            events = await wait_for_run(run)
        assert scripted.closed == ["slow"]
    assert [event.type for _, event in events][-2:] == ["TEXT_MESSAGE_END", "RUN_FINISHED"]
    assert events[-1][1].outcome == {"type": "cancelled"}
    assert (run.status, run.error) == ("cancelled", None)
    assert (await Message.objects.aget(pk=run.message_id)).text == "one"
    again = await client.send("POST", f"/api/runs/{run.pk}/cancel")
    assert (again.status_code, again.json()["status"]) == (202, "cancelled")


async def test_cancel_of_a_queued_run_never_starts_it(client_of, alice, slow, words, ask, settings):
    settings.MAX_RUNS_PER_USER = 1
    client = client_of(alice)
    async with slow():
        first = await ask(await Assistant.objects.aget(slug="slow"))
        await wait_for_text(first)
        waiting = await ask(words)
        assert (await client.get(f"/api/runs/{waiting.pk}")).json()["status"] == "queued"
        answer = await client.send("POST", f"/api/runs/{waiting.pk}/cancel")
        assert answer.status_code == 202
        assert answer.json()["status"] == "cancelled"
        assert [event.type for _, event in await wait_for_run(waiting)] == ["RUN_STARTED", "RUN_FINISHED"]
    await wait_for_run(first)
    assert first.status == "completed"
    assert [request.model for request in scripted.requests] == ["slow"]


async def test_cancel_of_an_ended_run_changes_nothing(client_of, alice, finished_run):
    run = await finished_run("one two")
    before = await all_rows()
    answer = await client_of(alice).send("POST", f"/api/runs/{run.pk}/cancel")
    assert (answer.status_code, answer.json()["status"]) == (202, "completed")
    assert await all_rows() == before


async def test_run_limit_refuses_more_runs_and_changes_nothing(client_of, alice, charlie, slow, words, ask, settings):
    settings.MAX_RUNS_PER_USER = settings.MAX_WAITING_PER_USER = 1
    client = client_of(alice)
    async with slow():
        first = await ask(await Assistant.objects.aget(slug="slow"))
        await wait_for_text(first)
        waiting = await ask(words)
        before = await all_rows() | {"chat.RunEvent": ...}  # those of the first run go on
        for path in (messages_url(first.conversation), f"/api/messages/{first.message_id}/regenerate", "/api/chat"):
            answer = await client.send("POST", path, {"text": "One more", "assistant": "words"})
            assert answer.status_code == 429
            assert answer.json()["error"]["code"] == "too_many_runs"
            assert int(answer.headers["Retry-After"]) > 0
            assert await all_rows() | {"chat.RunEvent": ...} == before
        theirs = await Conversation.objects.acreate(owner=charlie, assistant=words)
        free = await client_of(charlie).send("POST", messages_url(theirs), {"text": "Hi"})
        assert free.status_code == 202
        await done(free)
    await wait_for_run(first)
    await wait_for_run(waiting)
    assert (await client.send("POST", messages_url(first.conversation), {"text": "Now"})).status_code == 202


async def test_unknown_ids_are_404(client_of, alice):
    client, nothing = client_of(alice), uuid.uuid4()
    for method, path in (
        ("GET", f"/api/conversations/{nothing}"),
        ("PATCH", f"/api/conversations/{nothing}"),
        ("DELETE", f"/api/conversations/{nothing}"),
        ("GET", f"/api/conversations/{nothing}/messages"),
        ("POST", f"/api/conversations/{nothing}/messages"),
        ("POST", f"/api/messages/{nothing}/regenerate"),
        ("GET", f"/api/runs/{nothing}"),
        ("POST", f"/api/runs/{nothing}/cancel"),
        ("GET", f"/api/runs/{nothing}/events"),
    ):
        answer = await client.send(method, path, None if method == "GET" else {"text": "Hi"})
        assert answer.status_code == 404, path
        assert answer.json()["error"]["code"] == "not_found"
