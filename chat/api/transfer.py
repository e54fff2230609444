import uuid
from datetime import datetime
from typing import Literal
from urllib.parse import quote

from django.http import StreamingHttpResponse
from django.shortcuts import aget_object_or_404
from ninja import File, Query, Router, Schema, Status, UploadedFile
from pydantic import Field

from .. import engine, transfer
from ..models import Conversation, Import

router = Router()


class LeftOut(Schema):
    title: str = Field(description="Of the conversation or file; empty if it has none")
    reason: str


class Imported(Schema):
    conversations: int = Field(description="How many are new")
    messages: int = Field(description="How many are new")
    known: int = Field(description="Conversations with nothing new")
    updated: int = Field(description="Conversations that were imported before and got new messages")
    left_out: list[LeftOut] = Field(description="What could not be read: the first 100")
    left_out_count: int


class ImportOut(Schema):
    state: Literal["waiting", "reading", "saving", "finished", "failed"] | None = Field(
        None, description="waiting: for the end of other imports; null: there was none"
    )
    name: str = Field("", description="Of the file")
    started_at: datetime | None = None
    done: int = Field(0, description="Conversations")
    total: int | None = Field(None, description="Conversations; null until the file has been read")
    result: Imported | None = None
    problem: str = Field("", description="Why it failed")


FORMATS = {  # name -> (the function that writes it, extension, content type)
    "markdown": (transfer.export_markdown, "md", "text/markdown"),
    "json": (transfer.export_json, "json", "application/json"),
}


@router.get("/conversations/{uuid:conversation_id}/export", response={200: None})
async def export_conversation(
    request, conversation_id: uuid.UUID, format_name: Literal["markdown", "json"] = Query("json", alias="format")
):
    """Downloads a conversation: the visible branch as Markdown, or all branches as JSON."""
    rows = Conversation.objects.visible_to(request.auth).select_related("assistant", "leaf__parent")
    conversation = await aget_object_or_404(rows, pk=conversation_id)
    write, extension, content_type = FORMATS[format_name]
    content = await transfer.stream(request.auth, write(conversation))
    return download(content, conversation.title or "chat", extension, content_type)


def download(content, name, extension, content_type):
    """Returns the response that a browser saves as a file; `content` is an async iterator of its pieces."""
    allowed = "".join(c for c in name if c.isprintable() and c not in '\\/:*?"<>|')
    name = quote(allowed[:80].strip() or "chat")
    headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{name}.{extension}", "Cache-Control": "no-store"}
    return StreamingHttpResponse(content, content_type=f"{content_type}; charset=utf-8", headers=headers)


@router.post("/import", response={201: Imported}, operation_id="chat_api_take_in")
async def import_conversations(request, file: File[UploadedFile]):
    """Imports an export of this site, ChatGPT, Claude or Open WebUI (JSON or a zip file), each conversation once.

    `left_out` names what could not be read. The import continues when the client goes, and `GET` says how far it is.
    Sending the same file again continues where an earlier call ended.
    """
    running_engine = engine.current()
    imported = await transfer.import_in_background(request.auth, file, lambda: running_engine.is_shutting_down)
    return Status(201, imported)


@router.get("/import", response=ImportOut)
async def newest_import(request):
    """Says how far the newest import is and, once it has ended, what came of it."""
    row = await Import.objects.filter(pk=request.auth.pk).afirst()
    return row.as_fields() if row else {}
