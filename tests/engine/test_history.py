"""What of a long conversation is read for a model, and that other runs do not wait for it."""

import threading

import pytest
from asgiref.sync import sync_to_async
from django.db import OperationalError

from chat import engine
from chat.engine import history, runner
from chat.events import Finish, Text
from chat.models import Assistant, Attachment, Conversation, Message, Run
from tests import scripted
from tests.timeouts import GATE_TIMEOUT
from tests.waiting import wait_for_run, wait_until


@pytest.fixture
async def conversation(alice):
    return await Conversation.objects.acreate(owner=alice)


async def add_messages(conversation, texts, parent=None, parts=lambda text: [{"type": "text", "text": text}]):
    """Adds questions and answers by turns, one after the other. Returns the messages."""
    rows = []
    for text in texts:
        role = Message.ASSISTANT if len(rows) % 2 else Message.USER
        parent = await Message.objects.acreate(
            conversation=conversation, parent=parent, role=role, text=text, parts=parts(text)
        )
        rows.append(parent)
    return rows


def texts_of(turns):
    return ["".join(part.get("text", "") for part in parts) for _, parts in turns]


async def history_before(reply, *args):
    return await sync_to_async(history.turns_before)(reply, *args)


async def turns_before(reply, *args):
    return (await history_before(reply, *args)).turns


async def test_turns_begin_with_the_question_that_is_still_remembered(conversation):
    rows = await add_messages(conversation, ["one", "1", "two", "2", "three", ""])
    assert texts_of(await turns_before(rows[-1], 2)) == ["two", "2", "three"]
    assert texts_of(await turns_before(rows[-1])) == ["one", "1", "two", "2", "three"]


async def test_turns_follow_the_branch_of_the_reply(conversation):
    first = await add_messages(conversation, ["one", "1"])
    await add_messages(conversation, ["another", "2"], first[-1])
    branch = await add_messages(conversation, ["two", ""], first[-1])
    assert texts_of(await turns_before(branch[-1])) == ["one", "1", "two"]


async def test_turns_read_no_more_messages_than_the_limit(conversation, monkeypatch):
    monkeypatch.setattr(history, "MAX_MESSAGES", 4)
    rows = await add_messages(conversation, ["one", "1", "two", "2", "three", ""])
    assert texts_of(await turns_before(rows[-1])) == ["two", "2", "three"]  # "1" would be the fourth


async def test_turns_read_no_more_text_than_the_limit(conversation, monkeypatch):
    monkeypatch.setattr(history, "MAX_CHARACTERS", 50)
    monkeypatch.setattr(history, "BATCH_SIZE", 2)
    rows = await add_messages(conversation, ["old", "1", "long" * 20, "2", "three", ""])
    assert texts_of(await turns_before(rows[-1])) == ["three"]
    rows = await add_messages(conversation, ["question" * 100, ""])
    assert len(await turns_before(rows[-1])) == 1  # the question itself is always sent


async def test_turns_leave_out_older_images_without_reading_them(conversation, alice, monkeypatch):
    monkeypatch.setattr(history, "MAX_IMAGES", 1)
    rows = await add_messages(conversation, ["one", "1", "two", ""])
    for row in (rows[0], rows[2]):
        attachment = await Attachment.objects.acreate(
            owner=alice, message=row, data=b"image", media_type="image/png", width=1, height=1
        )
        row.parts = [attachment.as_part(), *row.parts]
        await row.asave()
    old, _, new = await turns_before(rows[-1])
    assert texts_of([old]) == ["[There was an image here, which you cannot see.]\none"]
    assert [part["type"] for part in new[1]] == ["image", "text"]


async def test_other_runs_start_while_a_long_conversation_is_read(script, ask, monkeypatch):
    assistant = await script("plain", Text("yes"), Finish("stop"))
    is_reading, may_read = threading.Event(), threading.Event()
    turns_before = runner.turns_before

    def read_slowly(*args):
        is_reading.set()
        assert may_read.wait(GATE_TIMEOUT)
        return turns_before(*args)

    monkeypatch.setattr(runner, "turns_before", read_slowly)
    slow = await ask(assistant, "long")
    await wait_until(is_reading.is_set)
    try:
        other = await ask(assistant, "short")
        await wait_until(lambda: Run.objects.filter(pk=other.pk, status="in_progress").aexists())
    finally:
        may_read.set()
    for run in (slow, other):
        await wait_for_run(run)
        assert run.status == "completed"


async def test_run_waits_for_the_database_before_it_asks_the_model(script, ask, monkeypatch):
    assistant = await script("plain", Text("yes"), Finish("stop"))
    turns_before, failures = runner.turns_before, [OperationalError("away"), OperationalError("away")]

    def read(*args):
        if failures:
            raise failures.pop()
        return turns_before(*args)

    monkeypatch.setattr(runner, "turns_before", read)
    monkeypatch.setattr(runner, "RETRY_DELAY", 0.01)
    run = await ask(assistant)
    await wait_for_run(run)
    assert (run.status, failures) == ("completed", [])


async def test_run_ends_when_its_conversation_cannot_be_read(script, ask, monkeypatch, caplog):
    assistant = await script("plain", Text("yes"), Finish("stop"))

    def fail(*args):
        raise LookupError("what is this?")

    monkeypatch.setattr(runner, "turns_before", fail)
    run = await ask(assistant)
    await wait_for_run(run)
    assert (run.status, run.error_code) == ("failed", "internal")
    assert "what is this?" in caplog.text
    assert not scripted.requests


async def test_run_that_waits_for_the_database_can_be_cancelled(script, ask, monkeypatch):
    assistant = await script("plain", Text("yes"), Finish("stop"))

    def fail(*args):
        raise OperationalError("away")

    monkeypatch.setattr(runner, "turns_before", fail)
    monkeypatch.setattr(runner, "RETRY_DELAY", 0.01)
    run = await ask(assistant)
    await wait_until(lambda: Run.objects.filter(pk=run.pk, status="in_progress").aexists())
    await engine.cancel(run)
    await wait_for_run(run)
    assert run.status == "cancelled"


@pytest.mark.parametrize(("limit", "kept"), [({"MAX_MESSAGES": 4}, 3), ({"MAX_CHARACTERS": 25}, 3), ({}, None)])
async def test_reader_is_told_where_the_history_was_cut(script, ask, monkeypatch, limit, kept):
    assistant = await script("plain", Text("Yes"), Finish("stop"))
    run = await ask(assistant, "one")
    await wait_for_run(run)
    for name, value in limit.items():
        monkeypatch.setattr(history, name, value)
    for text in ("two", "three"):
        run = await run.conversation.ask(text)
        await engine.start(run)
        await wait_for_run(run)
    trimmed = [part for part in run.message.parts if part["type"] == "context_trimmed"]
    assert trimmed == ([{"type": "context_trimmed", "kept": kept}] if kept else [])


@pytest.mark.parametrize(("limit", "is_cut"), [(4, True), (5, False)])
async def test_history_that_fits_exactly_is_whole(conversation, monkeypatch, limit, is_cut):
    monkeypatch.setattr(history, "MAX_MESSAGES", limit)
    rows = await add_messages(conversation, ["one", "1", "two", "2", "three", ""])
    assert (await history_before(rows[-1])).is_cut == is_cut


@pytest.mark.parametrize(("questions", "is_cut"), [(1, True), (2, False), (3, False)])
async def test_turns_that_the_assistant_does_not_remember_are_cut(conversation, questions, is_cut):
    rows = await add_messages(conversation, ["one", "1", "two", ""])
    assert (await history_before(rows[-1], questions)).is_cut == is_cut


@pytest.mark.parametrize("fields", [{"memory_turns": 2}, {"tools": ["clock"]}])
async def test_reader_is_told_of_the_turns_that_the_assistant_does_not_remember(script, ask, monkeypatch, fields):
    monkeypatch.setattr(Assistant, "TURNS_WITH_TOOLS", 2)
    assistant = await script("plain", Text("Yes"), Finish("stop"), **fields)
    run = await ask(assistant, "one")
    await wait_for_run(run)
    for text, kept in (("two", None), ("three", 3), ("four", 3)):
        run = await run.conversation.ask(text)
        await engine.start(run)
        await wait_for_run(run)
        assert run.message.parts[:-1] == ([{"type": "context_trimmed", "kept": kept}] if kept else [])


async def test_reader_is_told_once_that_older_images_are_left_out(script, alice, monkeypatch):
    monkeypatch.setattr(history, "MAX_IMAGES", 3)
    assistant = await script("plain", Text("Yes"), Finish("stop"), sees_images=True)
    conversation = await Conversation.objects.acreate(owner=alice, assistant=assistant)
    for count, shown in ((2, None), (1, None), (2, 3), (0, None), (1, None)):
        rows = [
            await Attachment.objects.acreate(owner=alice, data=b"i", media_type="image/png", width=1, height=1)
            for _ in range(count)
        ]
        run = await conversation.ask("Look", attachments=[row.pk for row in rows])
        await engine.start(run)
        await wait_for_run(run)
        assert run.message.parts[:-1] == ([{"type": "images_trimmed", "shown": shown}] if shown else [])
    sent = [part["type"] for _, parts in scripted.requests[-1].turns for part in parts]
    assert sent.count("image") == 3


async def test_images_that_the_assistant_cannot_see_are_not_said_to_be_left_out(conversation, alice, monkeypatch):
    monkeypatch.setattr(history, "MAX_IMAGES", 1)
    rows = await add_messages(conversation, ["one", ""], parts=lambda text: [{"type": "image", "id": text}] * 2)
    assert (await history_before(rows[-1], None, lambda message: False)).shown_images is None
    assert (await history_before(rows[-1], None, lambda message: True)).shown_images == 0
