"""Rows that staff look at."""

from datetime import timedelta

from asgiref.sync import sync_to_async
from django.utils import timezone

from chat import engine
from chat.models import Assistant, Conversation, Message, Run, SearchText
from tests.waiting import wait_for_run


async def create_conversation(owner, title, *, assistant=None, hours_ago=0):
    activity = timezone.now() - timedelta(hours=hours_ago)
    return await Conversation.objects.acreate(
        owner=owner, title=title, assistant=assistant, created_at=activity, updated_at=activity
    )


async def finish(run):
    await engine.start(run)
    await wait_for_run(run)
    return run


async def snapshot():
    """Returns every row that staff might try to change."""
    models = (Assistant, Conversation, Message, Run)
    return [[row async for row in model.objects.order_by("pk").values()] for model in models]


async def long_conversation(conversation, length):
    """Writes that many messages, each a reply to the one before, as rows."""
    messages, now, parent = [], timezone.now(), None
    for number in range(length):
        text = f"message {number}"
        message = Message(
            conversation=conversation,
            parent=parent,
            role=Message.ASSISTANT if number % 2 else Message.USER,
            text=text,
            parts=[{"type": "text", "text": text}],
            created_at=now + timedelta(seconds=number),
        )
        messages.append(message)
        parent = message
    await Message.objects.abulk_create(messages)
    await sync_to_async(SearchText.write)(messages)
    ended = {"status": Run.COMPLETED, "finished_at": now, "last_seq": 5, "model": "demo:"}
    whose = {"conversation": conversation, "assistant_id": conversation.assistant_id}
    runs = [Run(message=message, **whose, **ended) for message in messages[1::2]]
    await Run.objects.abulk_create(runs)
