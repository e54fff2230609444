import uuid

from django.shortcuts import aget_object_or_404
from ninja import Router, Status

from .. import broadcast, transfer
from ..models import Share
from ..schemas import ConversationOut, ShareList, ShareOut, conversation_out, share_out, validate_text
from .idempotency import IdempotencyKey
from .lookup import own_conversation

router = Router()


@router.get("/conversations/{uuid:conversation_id}/shares", response=ShareList)
async def list_shares(request, conversation_id: uuid.UUID):
    conversation = await own_conversation(request, conversation_id)
    return {"items": [share_out(share) async for share in conversation.shares.defer("messages")]}


@router.post("/conversations/{uuid:conversation_id}/shares", response={201: ShareOut})
async def share_conversation(request, conversation_id: uuid.UUID):
    """Creates a link to a copy of the visible branch as it is now. The copy never changes; the link can be revoked."""
    conversation = await own_conversation(request, conversation_id)
    return Status(201, share_out(await conversation.share()))


@router.delete("/shares/{token}", response={204: None})
async def revoke_share(request, token: str):
    own_shares = Share.objects.filter(conversation__owner=request.auth).defer("messages")
    share = await aget_object_or_404(own_shares, pk=validate_text(token))
    await share.adelete()
    return Status(204, None)


@router.post("/shares/{token}/copies", response={201: ConversationOut})
async def copy_share(request, token: str, idempotency_key: IdempotencyKey = None):
    """Copies what readers of a shared conversation see to a conversation of the user's, who can continue in it.

    Images are copied; of files, only the names. A repeated request with the same `Idempotency-Key` returns
    the same conversation.
    """
    shares = Share.objects.filter(conversation__deleted_at=None)
    share = await aget_object_or_404(shares, pk=validate_text(token))
    conversation = await transfer.copy_share(request.auth, share, idempotency_key)
    await broadcast.notify_user(request.auth.pk, conversation.pk)
    return Status(201, conversation_out(conversation))
