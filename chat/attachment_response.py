"""The response with the bytes of an attachment. They never change, so a browser that has them gets 304."""

from asgiref.sync import sync_to_async
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse

from .models import Attachment

# Ten minutes are enough for a message that waits for the connection. Later, a browser asks whether it may still show
# its copy, which a logout makes it forget.
HEADERS = {"Cache-Control": "private, max-age=600, must-revalidate", "X-Content-Type-Options": "nosniff"}


async def attachment_response(request: HttpRequest, rows: QuerySet[Attachment], attachment_id) -> HttpResponse:
    """Returns the image if it is among these rows. Raises Http404."""
    etag = f'"{attachment_id}"'
    if request.headers.get("If-None-Match") == etag:
        if await rows.filter(pk=attachment_id).aexists():
            return HttpResponse(status=304, headers={**HEADERS, "ETag": etag})
        raise Http404
    row = await sync_to_async(rows.filter(pk=attachment_id).first)()
    if row is None:
        raise Http404
    return HttpResponse(bytes(row.data), content_type=row.media_type, headers={**HEADERS, "ETag": etag})
