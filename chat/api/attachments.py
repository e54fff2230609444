import uuid

from django.db.models import Q
from ninja import File, Router, Status, UploadedFile

from .. import images
from ..attachment_response import attachment_response
from ..models import Attachment, Conversation
from ..schemas import AttachmentOut, attachment_out

router = Router()


@router.post("/attachments", response={201: AttachmentOut})
async def add_attachment(request, file: File[UploadedFile]):
    """Uploads an image for a message that has not been sent yet. Send its id in `attachments` with the message."""
    return Status(201, attachment_out(await images.save(request.auth, file)))


@router.get("/attachments/{uuid:attachment_id}", response={200: None})
async def get_attachment(request, attachment_id: uuid.UUID):
    visible = Q(owner=request.auth)
    if request.auth.is_staff and await request.auth.ahas_perm("chat.view_conversation"):
        transcripts = Conversation.objects.filter(deleted_at=None, is_temporary=False)  # as the admin shows them
        visible |= Q(message__conversation__in=transcripts)
    return await attachment_response(request, Attachment.objects.filter(visible), attachment_id)
