import asyncio
import contextlib
import uuid

from asgiref.sync import sync_to_async
from django.db.models import Q
from django.shortcuts import aget_object_or_404
from django.utils.translation import gettext
from ninja import Query, Router, Status

from .. import broadcast, engine, search
from ..errors import Refused
from ..models import Assistant, Conversation, Run
from ..schemas import (
    ConversationChange,
    ConversationList,
    ConversationOut,
    NewConversation,
    conversation_out,
    validate_text,
)
from .idempotency import IdempotencyKey, id_for_key
from .lookup import own_conversation
from .pagination import read_cursor, write_cursor
from .runs import wait_for_end

router = Router()

PAGE_SIZE = 30  # conversations
CANCEL_TIMEOUT = 5  # seconds that a deletion waits until cancelled answers have been written


@router.post("/conversations", response={201: ConversationOut})
async def create_conversation(request, data: NewConversation, idempotency_key: IdempotencyKey = None):
    """A repeated request with the same `Idempotency-Key` returns the same conversation."""
    assistant = await sync_to_async(Assistant.objects.pick)(data.assistant)
    pk = id_for_key(request.auth, f"conversation {idempotency_key}") if idempotency_key else uuid.uuid4()
    row, is_new = await Conversation.objects.select_related("assistant").aget_or_create(
        pk=pk,
        defaults={
            "owner": request.auth,
            "assistant": assistant,
            "title": data.title,
            "title_by": "user" if data.title else "",
            "is_temporary": data.is_temporary,
        },
    )
    if row.deleted_at:
        raise Refused(gettext("This chat no longer exists."), "not_found", 404)
    if is_new:
        await broadcast.notify_user(request.auth.pk, row.pk)
    return Status(201, conversation_out(row))


@router.get("/conversations", response=ConversationList)
async def list_conversations(
    request,
    cursor: str = "",
    limit: int = Query(PAGE_SIZE, ge=1, le=100),
    q: str = Query("", max_length=200),
    pinned: bool | None = None,
    archived: bool = False,
):
    """Lists the newest activity first; `cursor` is the previous page's `next_cursor`, `q` has the words to search for.

    Of more than ten words, the ten longest are searched for. `pinned` selects the pinned conversations or the others,
    `archived` the archive. A search covers the archive, too.
    """
    rows = Conversation.objects.visible_to(request.auth).filter(is_temporary=False).select_related("assistant")
    words = validate_text(q.strip())
    if not words:
        rows = rows.filter(archived_at__isnull=not archived)
    if pinned is not None:
        rows = rows.filter(pinned_at__isnull=not pinned)
    if cursor:
        updated_at, pk = read_cursor(cursor)
        rows = rows.filter(Q(updated_at__lt=updated_at) | Q(updated_at=updated_at, pk__lt=pk))
    page, snippets = await sync_to_async(_read_page)(rows, words, limit + 1)
    return {
        "items": [conversation_out(row) | {"snippet": snippets.get(row.pk)} for row in page[:limit]],
        "next_cursor": write_cursor(page[limit - 1]) if len(page) > limit else None,
    }


def _read_page(rows, words, limit):
    page = search.matching_conversations(rows, words, limit) if words else list(rows.order_by(*search.NEWEST)[:limit])
    Conversation.load_activity(page)
    return page, search.snippets(page, words) if words else {}


@router.get("/conversations/{uuid:conversation_id}", response=ConversationOut)
async def get_conversation(request, conversation_id: uuid.UUID):
    return conversation_out(await own_conversation(request, conversation_id))


@router.patch("/conversations/{uuid:conversation_id}", response=ConversationOut)
async def change_conversation(request, conversation_id: uuid.UUID, data: ConversationChange):
    row = await own_conversation(request, conversation_id)
    await row.change(**data.model_dump(exclude_none=True))
    await broadcast.notify_user(request.auth.pk, row.pk)
    return conversation_out(row)


@router.delete("/conversations/{uuid:conversation_id}", response={204: None})
async def delete_conversation(request, conversation_id: uuid.UUID):
    row = await own_conversation(request, conversation_id)
    open_runs = await _cancel_open_runs(conversation_id)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(CANCEL_TIMEOUT):  # their process may still be about to write them
            for run in open_runs:
                await wait_for_end(run)
    await row.remove()
    await _cancel_open_runs(conversation_id)  # of messages that were sent meanwhile
    await broadcast.notify_user(request.auth.pk, row.pk, "deleted")
    return Status(204, None)


async def _cancel_open_runs(conversation_id):
    runs = [run async for run in Run.objects.open().filter(conversation_id=conversation_id)]
    for run in runs:
        await engine.cancel(run)
    return runs


@router.post("/conversations/{uuid:conversation_id}/keep", response={204: None})
async def keep_conversation(request, conversation_id: uuid.UUID):
    """Keeps a temporary conversation for another half minute. Pages say the same over the WebSocket /ws/news."""
    row = await own_conversation(request, conversation_id)
    if row.is_temporary:
        engine.keep(row.pk)
    return Status(204, None)


@router.post("/conversations/{uuid:conversation_id}/restore", response=ConversationOut)
async def restore_conversation(request, conversation_id: uuid.UUID):
    """Restores a conversation that was deleted a moment ago."""
    own_conversations = Conversation.objects.filter(owner=request.auth).select_related("assistant").with_activity()
    row = await aget_object_or_404(own_conversations, pk=conversation_id)
    await row.restore()
    await broadcast.notify_user(request.auth.pk, row.pk)
    return conversation_out(row)
