"""The response with the content of an attachment. It never changes, so a browser that has it gets 304."""

from collections.abc import AsyncGenerator
from urllib.parse import quote

from asgiref.sync import sync_to_async
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

from .models import Attachment, StoredFile

# Ten minutes are enough for a message that waits for the connection. Later, a browser asks whether it may still show
# its copy, which a logout makes it forget.
HEADERS = {"Cache-Control": "private, max-age=600, must-revalidate", "X-Content-Type-Options": "nosniff"}
FILE_POLICY = "default-src 'none'; sandbox"  # for a browser that shows the file in spite of the disposition
CHUNK_BYTES = 65_536


async def attachment_response(request: HttpRequest, rows: QuerySet[Attachment], attachment_id) -> HttpResponseBase:
    """Returns the image or file if it is among these rows. Raises Http404."""
    etag = f'"{attachment_id}"'
    headers = {**HEADERS, "ETag": etag}
    if request.headers.get("If-None-Match") == etag:
        if await rows.filter(pk=attachment_id).aexists():
            return HttpResponse(status=304, headers=headers)
        raise Http404
    row = await find_attachment(rows, attachment_id)
    if row.file is None:
        return HttpResponse(bytes(row.data), content_type=row.media_type, headers=headers)
    return await _download(row.file, headers)


async def find_attachment(rows: QuerySet[Attachment], attachment_id) -> Attachment:
    """Returns the attachment, its file without the text. Raises Http404."""
    rows = rows.select_related("file").defer("file__units")
    row = await sync_to_async(rows.filter(pk=attachment_id).first)()
    if row is None:
        raise Http404
    return row


async def _download(file: StoredFile, headers: dict[str, str]) -> StreamingHttpResponse:
    """Returns the file to be saved, never shown: it may be a page with scripts."""
    try:
        content = await sync_to_async(file.open)()
    except FileNotFoundError:
        raise Http404 from None
    headers = {
        **headers,
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(file.name)}",
        "Content-Security-Policy": FILE_POLICY,
        "Content-Length": str(file.size),
    }
    return StreamingHttpResponse(_chunks(content), content_type=file.media_type, headers=headers)


async def _chunks(content) -> AsyncGenerator[bytes]:
    try:
        while chunk := await sync_to_async(content.read)(CHUNK_BYTES):
            yield chunk
    finally:
        content.close()
