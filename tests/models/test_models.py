"""What the database and the verbs of the rows guarantee."""

import uuid

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from chat.errors import Refused
from chat.events import RunStarted
from chat.models import Assistant, Conversation, Ending, Message, Run, RunEvent


@pytest.fixture
def conversation(alice):
    return Conversation.objects.create(owner=alice, assistant=Assistant.objects.get(slug="demo"))


def refused_by_the_database(change):
    with pytest.raises(IntegrityError), transaction.atomic():
        change()


def reply_to(conversation, **kwargs):
    message = Message.objects.create(conversation=conversation, role="assistant")
    return Run.objects.create(conversation=conversation, message=message, model="demo:", **kwargs)


def test_message_has_one_run_at_most(conversation):
    run = reply_to(conversation)
    refused_by_the_database(lambda: Run.objects.create(conversation=conversation, message=run.message, model="demo:"))


def test_child_stays_in_the_conversation_of_its_parent(conversation, alice):
    message = Message.objects.create(conversation=conversation, role="user")
    other = Conversation.objects.create(owner=alice)
    refused_by_the_database(lambda: Message.objects.create(conversation=other, role="assistant", parent=message))
    child = Message.objects.create(conversation=conversation, role="assistant", parent=message)
    refused_by_the_database(lambda: Message.objects.filter(pk=child.pk).update(conversation=other))


def test_event_number_is_written_once(conversation):
    run = reply_to(conversation)
    RunEvent.write(run.pk, [RunStarted("t", "r")], after=0)
    refused_by_the_database(lambda: RunEvent.write(run.pk, [RunStarted("t", "r"), RunStarted("t", "r")], after=0))


def test_idempotency_key_is_unique_in_a_conversation(conversation):
    reply_to(conversation, idempotency_key="k")
    refused_by_the_database(lambda: reply_to(conversation, idempotency_key="k"))


def test_run_in_progress_has_a_worker_and_an_ended_run_an_end(conversation):
    refused_by_the_database(lambda: reply_to(conversation, status="in_progress"))
    refused_by_the_database(lambda: reply_to(conversation, status="completed"))


def test_role_is_user_or_assistant(conversation):
    refused_by_the_database(lambda: Message.objects.create(conversation=conversation, role="system"))


def test_new_default_assistant_replaces_the_old_one(db):
    Assistant.objects.create(slug="new", name="New", model="demo:", is_default=True)
    assert list(Assistant.objects.filter(is_default=True).values_list("slug", flat=True)) == ["new"]
    refused_by_the_database(lambda: Assistant.objects.update(is_default=True))


def test_pick_refuses_assistants_that_are_not_enabled(db):
    Assistant.objects.update(is_enabled=False)
    with pytest.raises(Refused):
        Assistant.objects.pick()
    with pytest.raises(Refused):
        Assistant.objects.pick("demo")


def test_run_finishes_once(conversation):
    process_id = uuid.uuid4()
    run = reply_to(conversation, status="in_progress", process_id=process_id)
    first, second = [{"type": "text", "text": "first"}], [{"type": "text", "text": "second"}]
    assert run.finish(Ending("completed"), first, last_seq=7, process_id=process_id)
    again = Run.objects.get(pk=run.pk)
    late = Ending.with_error("failed", ("late", "Too late."))
    assert not again.finish(late, second, last_seq=9, process_id=process_id)
    assert again.error is None
    run.refresh_from_db()
    assert (run.status, run.error, run.last_seq, run.message.text) == ("completed", None, 7, "first")


async def test_title_is_the_first_words_and_never_overwritten(conversation):
    await conversation.ask("What  is\nthis?")
    await conversation.ask("And that?")
    await conversation.arefresh_from_db()
    assert conversation.title == "What is this?"


async def test_reply_is_never_older_than_its_question(conversation, monkeypatch):
    later = timezone.now() + timezone.timedelta(hours=1)
    run = await conversation.ask("Hi")
    await Message.objects.filter(pk=run.message.parent_id).aupdate(created_at=later)
    again = await (await Message.objects.aget(pk=run.message_id)).regenerate()
    assert again.message.created_at >= later


def test_total_usage_adds_up_all_model_calls():
    run = Run(usage=[{"provider": "x", "input_tokens": 1, "output_tokens": 2}, {"input_tokens": 3}])
    assert run.total_usage == {"input_tokens": 4, "output_tokens": 2}
    assert Run(usage=[]).total_usage is None


async def test_change_writes_only_what_was_sent(conversation):
    in_one_tab = await Conversation.objects.aget(pk=conversation.pk)
    in_another = await Conversation.objects.aget(pk=conversation.pk)
    await in_one_tab.change(title="Trains to Kyoto")
    await in_another.change(is_pinned=True)
    await conversation.arefresh_from_db()
    assert (conversation.title, conversation.title_by) == ("Trains to Kyoto", "user")
    assert conversation.pinned_at is not None


async def test_change_refuses_a_message_of_another_conversation(conversation, alice):
    other = await Conversation.objects.acreate(owner=alice)
    message = await Message.objects.acreate(conversation=other, role="user")
    with pytest.raises(Refused) as error:
        await conversation.change(title="Trains", leaf_id=message.pk)
    assert error.value.code == "unknown_message"
    await conversation.arefresh_from_db()
    assert conversation.title != "Trains"


async def test_remove_hides_a_conversation_and_restore_returns_it(conversation, alice):
    await conversation.remove()
    assert not await Conversation.objects.visible_to(alice).aexists()
    await conversation.restore()
    assert await Conversation.objects.visible_to(alice).aexists()


async def test_rate_refuses_a_question(conversation):
    question = await conversation.messages.acreate(role="user", text="?")
    with pytest.raises(Refused) as error:
        await question.rate("up")
    assert error.value.code == "not_an_answer"
