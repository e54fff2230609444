"""What must never be, kept by the database whoever writes."""

import uuid

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from chat.events import RunStarted
from chat.models import Assistant, Conversation, Message, Refused, Run, RunEvent


@pytest.fixture
def conversation(alice):
    return Conversation.objects.create(owner=alice, assistant=Assistant.objects.get(slug="demo"))


def refused_by_the_database(change):
    with pytest.raises(IntegrityError), transaction.atomic():
        change()


def reply_to(conversation, **kwargs):
    message = Message.objects.create(conversation=conversation, role="assistant")
    return Run.objects.create(conversation=conversation, message=message, model="demo:", **kwargs)


def test_two_runs_never_write_one_message(conversation):
    run = reply_to(conversation)
    refused_by_the_database(lambda: Run.objects.create(conversation=conversation, message=run.message, model="demo:"))


def test_a_child_is_never_in_another_conversation(conversation, alice):
    message = Message.objects.create(conversation=conversation, role="user")
    other = Conversation.objects.create(owner=alice)
    refused_by_the_database(lambda: Message.objects.create(conversation=other, role="assistant", parent=message))
    child = Message.objects.create(conversation=conversation, role="assistant", parent=message)
    refused_by_the_database(lambda: Message.objects.filter(pk=child.pk).update(conversation=other))


def test_no_event_number_is_written_twice(conversation):
    run = reply_to(conversation)
    RunEvent.write(run.pk, [RunStarted("t", "r")], after=0)
    refused_by_the_database(lambda: RunEvent.write(run.pk, [RunStarted("t", "r"), RunStarted("t", "r")], after=0))


def test_an_idempotency_key_starts_one_run_in_a_conversation(conversation):
    reply_to(conversation, idempotency_key="k")
    refused_by_the_database(lambda: reply_to(conversation, idempotency_key="k"))


def test_a_live_run_has_a_worker_and_an_ended_one_an_end(conversation):
    refused_by_the_database(lambda: reply_to(conversation, status="in_progress"))
    refused_by_the_database(lambda: reply_to(conversation, status="completed"))


def test_a_role_is_one_we_know(conversation):
    refused_by_the_database(lambda: Message.objects.create(conversation=conversation, role="system"))


def test_the_last_assistant_made_default_is_the_default(db):
    Assistant.objects.create(slug="new", name="New", model="demo:", is_default=True)
    assert list(Assistant.objects.filter(is_default=True).values_list("slug", flat=True)) == ["new"]
    refused_by_the_database(lambda: Assistant.objects.update(is_default=True))


def test_only_offered_assistants_are_picked(db):
    Assistant.objects.update(is_enabled=False)
    with pytest.raises(Refused):
        Assistant.objects.pick()
    with pytest.raises(Refused):
        Assistant.objects.pick("demo")


def test_a_run_settles_once(conversation):
    run = reply_to(conversation, status="in_progress", worker_id=uuid.uuid4())
    mine = {"status": "in_progress", "worker_id": run.worker_id}
    run.end("completed", last_seq=7)
    assert run.settle([{"type": "text", "text": "first"}], was=mine)
    again = Run.objects.get(pk=run.pk)
    again.end("failed", error=("late", "Too late."), last_seq=9)
    assert not again.settle([{"type": "text", "text": "second"}], was=mine)
    run.refresh_from_db()
    assert (run.status, run.error, run.last_seq, run.message.text) == ("completed", None, 7, "first")


async def test_a_title_is_made_of_the_first_words_and_never_overwritten(conversation):
    await conversation.ask("What  is\nthis?")
    await conversation.ask("And that?")
    await conversation.arefresh_from_db()
    assert conversation.title == "What is this?"


async def test_a_reply_is_never_older_than_what_it_answers(conversation, monkeypatch):
    later = timezone.now() + timezone.timedelta(hours=1)
    run = await conversation.ask("Hi")
    await Message.objects.filter(pk=run.message.parent_id).aupdate(created_at=later)
    again = await (await Message.objects.aget(pk=run.message_id)).regenerate()
    assert again.message.created_at >= later


def test_usage_is_counted_over_all_model_calls():
    run = Run(usage=[{"provider": "x", "input_tokens": 1, "output_tokens": 2}, {"input_tokens": 3}])
    assert run.total_usage == {"input_tokens": 4, "output_tokens": 2}
    assert Run(usage=[]).total_usage is None
