import uuid
from typing import Literal

from asgiref.sync import sync_to_async
from django.db.models import Q
from django.http import Http404
from ninja import File, Query, Router, Schema, Status, UploadedFile
from pydantic import Field

from .. import files
from ..attachment_response import attachment_response, find_attachment
from ..models import Attachment, Conversation, StoredFile

MAX_IDS = 100

router = Router()


class AttachmentOut(Schema):
    """An image."""

    kind: Literal["image"]
    id: uuid.UUID
    url: str
    media_type: str
    width: int
    height: int
    notes: list[str] = Field(description="Codes of what to know about the image: first_frame, of an animation")


class AttachedFileOut(Schema):
    kind: Literal["file"]
    id: uuid.UUID
    url: str
    name: str
    media_type: str
    size: int = Field(description="Bytes")
    unit: Literal["page", "sheet", "slide", "message"] | None = Field(description="What the file consists of")
    count: int | None = Field(description="How many of these it has")
    characters: int = Field(description="Length of the text that was read")
    notes: list[str] = Field(description="Codes of what to know about the text, such as no_text")
    sheets: list[str] = Field(description="Names of the first sheets of a workbook")


class UnsentQuery(Schema):
    id: list[uuid.UUID] = Field(max_length=MAX_IDS)


class UnsentOut(Schema):
    ids: list[uuid.UUID]


class FileUnit(Schema):
    label: str = Field(description="The number of a page, slide or message, or the name of a sheet; may be empty")
    text: str


class FileTextOut(Schema):
    units: list[FileUnit]


@router.post("/attachments", response={201: AttachedFileOut | AttachmentOut})
async def add_attachment(request, file: File[UploadedFile]):
    """Uploads an image or a file for a message that has not been sent yet.

    The content decides which of them it is. Send its id in `attachments` with the message.
    """
    return Status(201, attachment_out(await files.save(request.auth, file)))


@router.get("/attachments", response=UnsentOut)
async def list_unsent_attachments(request, query: Query[UnsentQuery]):
    """Says which of these images and files can still be sent. Those that are not sent within a day are deleted."""
    unsent = Attachment.objects.visible_to(request.auth).filter(pk__in=query.id, message=None)
    return {"ids": [pk async for pk in unsent.values_list("pk", flat=True)]}


@router.get("/attachments/{uuid:attachment_id}", response={200: None})
async def get_attachment(request, attachment_id: uuid.UUID):
    """Returns an image, or a file as a download."""
    return await attachment_response(request, await _visible_to(request.auth), attachment_id)


@router.get("/attachments/{uuid:attachment_id}/text", response=FileTextOut)
async def get_attachment_text(request, attachment_id: uuid.UUID):
    """Returns the text that was read from a file: what a model gets, by pages, sheets or slides."""
    attachment = await find_attachment(await _visible_to(request.auth), attachment_id)
    if attachment.file is None:
        raise Http404
    units = await sync_to_async(StoredFile.objects.values_list("units", flat=True).get)(pk=attachment.file.pk)
    return {"units": units}


async def _visible_to(user):
    visible = Q(owner=user)
    if user.is_staff and await user.ahas_perm("chat.view_conversation"):
        transcripts = Conversation.objects.filter(deleted_at=None, is_temporary=False)  # as the admin shows them
        visible |= Q(message__conversation__in=transcripts)
    return Attachment.objects.filter(visible)


def attachment_out(attachment):
    return {
        "id": attachment.pk,
        "url": f"/api/attachments/{attachment.pk}",
        **_attachment_fields(attachment),
    }


def _attachment_fields(attachment):
    if attachment.file:
        return {"kind": "file", **attachment.file.as_fields(), "sheets": attachment.file.sheet_names()}
    return {"kind": "image", **{name: getattr(attachment, name) for name in ("media_type", "width", "height", "notes")}}
