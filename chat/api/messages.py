import json
import uuid

from asgiref.sync import sync_to_async
from django.db.models import Q
from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import aget_object_or_404
from django.utils.translation import gettext
from ninja import Query, Router, Status
from ninja.responses import NinjaJSONEncoder

from .. import broadcast, engine
from ..errors import Refused
from ..models import Message
from ..schemas import Created, Feedback, MessageList, MessageOut, NewMessage, NewText, Regeneration, message_out
from .idempotency import IdempotencyKey
from .lookup import own_conversation, own_message
from .runs import start_run

PAGE_ROWS = 100  # messages that are read and encoded at a time
MAX_LIMIT = 1_000_000

router = Router()


@router.get("/conversations/{uuid:conversation_id}/messages", response=MessageList)
async def list_messages(
    request,
    conversation_id: uuid.UUID,
    after: uuid.UUID | None = None,
    before: uuid.UUID | None = None,
    limit: int | None = Query(None, ge=1, le=MAX_LIMIT),
):
    """Returns messages, oldest first: those that came after or before a given one, and of these the newest `limit`."""
    conversation = await own_conversation(request, conversation_id)
    rows = conversation.messages.select_related("run__assistant").order_by("-created_at", "-id")
    if after:
        given = await aget_object_or_404(conversation.messages, pk=after)
        rows = rows.filter(Q(created_at__gt=given.created_at) | Q(created_at=given.created_at, pk__gt=given.pk))
    if before:
        given = await aget_object_or_404(conversation.messages, pk=before)
        rows = rows.filter(Q(created_at__lt=given.created_at) | Q(created_at=given.created_at, pk__lt=given.pk))
    ids = []
    if limit is None or limit > PAGE_ROWS:
        ids = [id async for id in rows.values_list("pk", flat=True)[:limit]]
    if len(ids) <= PAGE_ROWS:
        items = await sync_to_async(_encode)(rows[: min(limit or PAGE_ROWS, PAGE_ROWS)])
        return HttpResponse(f'{{"items": [{items}]}}', content_type="application/json")
    return StreamingHttpResponse(_pieces(ids[::-1]), content_type="application/json")


async def _pieces(ids):
    """Yields the JSON of a long list in pieces: others go on meanwhile, and it is never in memory as a whole."""
    yield '{"items": ['
    for start in range(0, len(ids), PAGE_ROWS):
        rows = Message.objects.filter(pk__in=ids[start : start + PAGE_ROWS]).select_related("run__assistant")
        items = await sync_to_async(_encode)(rows.order_by("-created_at", "-id"))
        yield f", {items}" if start and items else items
    yield "]}"


def _encode(newest_first):
    """Returns the messages as JSON, oldest first, without brackets around them. Sync: not in the event loop."""
    messages = [MessageOut.model_validate(message_out(message)).model_dump() for message in newest_first]
    return ", ".join(json.dumps(message, cls=NinjaJSONEncoder) for message in messages[::-1])


@router.post("/conversations/{uuid:conversation_id}/messages", response={202: Created})
async def send_message(request, conversation_id: uuid.UUID, data: NewMessage, idempotency_key: IdempotencyKey = None):
    conversation = await own_conversation(request, conversation_id)
    run = await conversation.ask(data.text, parent_id=data.parent_id, key=idempotency_key, **data.options())
    return await start_run(run)


@router.post("/messages/{uuid:message_id}/regenerate", response={202: Created})
async def regenerate(
    request, message_id: uuid.UUID, data: Regeneration | None = None, idempotency_key: IdempotencyKey = None
):
    """Generates another answer beside this one, with the same or another assistant, or as an instruction says."""
    message = await own_message(request, message_id)
    data = data or Regeneration.model_validate({})
    run = await message.regenerate(data.assistant, idempotency_key, data.instruction.strip())
    return await start_run(run)


@router.post("/messages/{uuid:message_id}/edit", response={202: Created})
async def edit_message(request, message_id: uuid.UUID, data: NewText, idempotency_key: IdempotencyKey = None):
    """Creates a new version of a message beside the old one, with an answer of its own."""
    messages = Message.objects.visible_to(request.auth).select_related("parent", "conversation__assistant")
    message = await aget_object_or_404(messages, pk=message_id)
    if message.role != Message.USER:
        raise Refused(gettext("Only messages from a user can be edited."), "not_a_user_message")
    run = await message.conversation.ask(data.text, instead=message, key=idempotency_key, **data.options())
    return await start_run(run)


@router.post("/messages/{uuid:message_id}/continue", response={202: Created})
async def continue_message(request, message_id: uuid.UUID, idempotency_key: IdempotencyKey = None):
    """Continues an answer that was interrupted, stopped or too long, in a new reply after it."""
    message = await own_message(request, message_id)
    return await start_run(await message.continue_reply(idempotency_key))


@router.delete("/messages/{uuid:message_id}", response={204: None}, operation_id="chat_api_take_back_message")
async def withdraw_message(request, message_id: uuid.UUID):
    """Withdraws a message whose answer has not begun."""
    message = await own_message(request, message_id)
    run = await message.withdraw()
    await engine.cancel(run)
    await broadcast.notify_user(request.auth.pk, message.conversation_id)
    return Status(204, None)


@router.put("/messages/{uuid:message_id}/feedback", response={204: None})
async def rate_message(request, message_id: uuid.UUID, data: Feedback):
    """Rates an answer; a rating of null removes the feedback. Reviewers read it in the admin."""
    message = await own_message(request, message_id)
    await message.rate(**data.model_dump())
    await broadcast.notify_user(request.auth.pk, message.conversation_id)
    return Status(204, None)
