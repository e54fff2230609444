"""The JSON doors under /api/: validation, OpenAPI and docs by django-ninja; each call reads, asks, answers."""

import asyncio
import base64
import binascii
import contextlib
import functools
import uuid
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Literal
from urllib.parse import quote

from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.http import HttpResponse, JsonResponse, StreamingHttpResponse
from django.shortcuts import aget_object_or_404, get_object_or_404
from django.utils import timezone
from django.utils.translation import gettext
from django.views.decorators.http import require_safe
from ninja import File, Header, NinjaAPI, Query, Status, UploadedFile
from ninja.errors import AuthenticationError, HttpError, ValidationError
from ninja.utils import check_csrf

from . import access, carry, engine, language, news, pictures, search, sse
from .models import Assistant, Attachment, Conversation, Message, Preferences, Refused, Run, Share
from .shapes import (
    MAX_KEY,
    AssistantList,
    AttachmentOut,
    ChatOut,
    ConversationChange,
    ConversationList,
    ConversationOut,
    Created,
    Feedback,
    Imported,
    Likes,
    MeOut,
    MessageList,
    NewChat,
    NewConversation,
    NewMessage,
    NewText,
    Regeneration,
    Resumption,
    RunOut,
    ShareList,
    ShareOut,
    WaitingOut,
    complaint,
    conversation_out,
    created_out,
    me_out,
    message_out,
    plain,
    run_out,
    share_out,
)

PAGE = 30  # conversations
LAST_WORDS = 5  # seconds that deleting waits for answers that are being written to end


class SessionCookie:
    """The person of the session cookie; what changes something needs the CSRF token too."""

    is_async = True
    openapi_security_schema = {"type": "apiKey", "in": "cookie", "name": settings.SESSION_COOKIE_NAME}

    async def __call__(self, request):
        user = await request.auser()
        if not user.is_authenticated:
            return None
        if check_csrf(request):
            raise Refused(
                gettext("The CSRF token is missing or wrong: send the csrftoken cookie's value as X-CSRFToken."),
                "csrf",
                403,
            )
        return user


api = NinjaAPI(title="Chat", version="1", auth=SessionCookie(), urls_namespace="api", docs_decorator=require_safe)


def problem(message, code, status, **more):
    return JsonResponse({"error": {"code": code, "message": message}, **more}, status=status)


@api.exception_handler(Refused)
def refused(request, error):
    return problem(error.message, error.code, error.status)


@api.exception_handler(AuthenticationError)
def not_logged_in(request, error):
    return problem(gettext("Log in first."), "not_authenticated", 401)


@api.exception_handler(HttpError)
def not_readable(request, error):
    return problem(gettext("The request cannot be read."), "invalid", error.status_code)


@api.exception_handler(ValidationError)
def not_valid(request, error):
    first = error.errors[0]
    field = ".".join(str(step) for step in first["loc"][2:] or first["loc"][-1:])
    return problem(f"{field}: {complaint(first)}", "invalid", 400)


# The calls ------------------------------------------------------------------------------------------------------------


@api.get("/assistants", response=AssistantList)
async def list_assistants(request):
    return {"items": [row async for row in Assistant.objects.offered()]}


@api.post("/conversations", response={201: ConversationOut})
async def create_conversation(
    request, data: NewConversation, idempotency_key: str | None = Header(None, max_length=MAX_KEY)
):
    """The same `Idempotency-Key` again gives the same conversation."""
    assistant = await sync_to_async(Assistant.objects.pick)(data.assistant)
    key = _key(idempotency_key)
    row, is_new = await Conversation.objects.select_related("assistant").aget_or_create(
        pk=_pk_of(request.auth, f"conversation {key}") if key else uuid.uuid4(),
        defaults={
            "owner": request.auth,
            "assistant": assistant,
            "title": data.title,
            "title_by": "person" if data.title else "",
            "is_temporary": data.is_temporary,
        },
    )
    if row.deleted_at:
        raise Refused(gettext("This conversation does not exist any more."), "not_found", 404)
    if is_new:
        await news.spread(request.auth.pk, row.pk)
    return Status(201, conversation_out(row))


def _pk_of(person, key):
    """The id of what this person makes with this key."""
    return uuid.uuid5(uuid.NAMESPACE_OID, f"{person.pk} {key}")


@api.get("/conversations", response=ConversationList)
async def list_conversations(
    request,
    cursor: str = "",
    limit: int = Query(PAGE, ge=1, le=100),
    q: str = Query("", max_length=200),
    pinned: bool | None = None,
    archived: bool = False,
):
    """Newest activity first; `cursor` is the `next_cursor` of the page before, `q` words of a title or a message.

    `pinned` tells whether to list the pinned ones or the others, `archived` asks for the archive; a search finds all.
    """
    rows = Conversation.objects.visible_to(request.auth).filter(is_temporary=False).select_related("assistant")
    words = plain(q.strip())
    if not words:
        rows = rows.filter(archived_at__isnull=not archived)
    if pinned is not None:
        rows = rows.filter(pinned_at__isnull=not pinned)
    if cursor:
        updated_at, pk = _read_cursor(cursor)
        rows = rows.filter(Q(updated_at__lt=updated_at) | Q(updated_at=updated_at, pk__lt=pk))
    found, snippets = await sync_to_async(_page)(rows, words, limit + 1)
    return {
        "items": [conversation_out(row) | {"snippet": snippets.get(row.pk)} for row in found[:limit]],
        "next_cursor": _write_cursor(found[limit - 1]) if len(found) > limit else None,
    }


def _page(rows, words, limit):
    if not words:
        return list(rows.order_by(*search.NEWEST)[:limit]), {}
    found = search.find(rows, words, limit)
    return found, search.snippets(found, words)


def _write_cursor(row):
    return base64.urlsafe_b64encode(f"{row.updated_at.isoformat()} {row.pk}".encode()).decode()


def _read_cursor(cursor):
    try:
        updated_at, pk = base64.urlsafe_b64decode(cursor.encode("ascii")).decode().split(" ")
        updated_at = datetime.fromisoformat(updated_at)
        if updated_at.tzinfo is None:
            raise ValueError(cursor)
        return updated_at.astimezone(UTC), uuid.UUID(pk)
    except (ValueError, OverflowError, binascii.Error, UnicodeError):
        raise Refused(gettext("The cursor is not one that this list gave."), "bad_cursor") from None


async def mine(request, conversation_id):
    rows = Conversation.objects.visible_to(request.auth).select_related("assistant")
    return await aget_object_or_404(rows, pk=conversation_id)


@api.get("/conversations/{uuid:conversation_id}", response=ConversationOut)
async def get_conversation(request, conversation_id: uuid.UUID):
    return conversation_out(await mine(request, conversation_id))


@api.patch("/conversations/{uuid:conversation_id}", response=ConversationOut)
async def change_conversation(request, conversation_id: uuid.UUID, data: ConversationChange):
    row = await mine(request, conversation_id)
    if data.title is not None:
        row.title, row.title_by = data.title, "person"
    if data.assistant is not None:
        row.assistant = await sync_to_async(Assistant.objects.pick)(data.assistant)
    if data.is_pinned is not None:
        row.pinned_at = timezone.now() if data.is_pinned else None
    if data.is_archived is not None:
        row.archived_at = timezone.now() if data.is_archived else None
    if data.leaf_id is not None:
        if not await row.messages.filter(pk=data.leaf_id).aexists():
            raise Refused(gettext("The message to show is not in this conversation."), "unknown_message")
        row.leaf_id = data.leaf_id
    names = ("title", "title_by", "assistant_id", "pinned_at", "archived_at", "leaf_id")
    await Conversation.objects.filter(pk=row.pk).aupdate(**{name: getattr(row, name) for name in names})
    await news.spread(request.auth.pk, row.pk)
    return conversation_out(row)


@api.delete("/conversations/{uuid:conversation_id}", response={204: None})
async def delete_conversation(request, conversation_id: uuid.UUID):
    row = await mine(request, conversation_id)
    live = [run async for run in row.runs.open()]
    for run in live:
        await engine.cancel(run)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LAST_WORDS):  # whoever writes them may still be about to
            for run in live:
                await _end(run)
    await _delete(row)
    await news.spread(request.auth.pk, row.pk, "deleted")
    return Status(204, None)


@sync_to_async
def _delete(row):
    """Hide it for a while, and then let it go; what is temporary goes now.

    All of it or nothing: whoever writes into it, or asks, has done so by then or comes too late.
    """
    with transaction.atomic():
        list(row.runs.select_for_update().order_by("id").values_list("id"))
        list(Conversation.objects.select_for_update().filter(pk=row.pk).values_list("id"))
        if row.is_temporary or not settings.UNDO_SECONDS:
            row.delete()
        else:
            Conversation.objects.filter(pk=row.pk).update(deleted_at=timezone.now())


@api.post("/conversations/{uuid:conversation_id}/restore", response=ConversationOut)
async def restore_conversation(request, conversation_id: uuid.UUID):
    """Have back what was deleted a moment ago."""
    mine = Conversation.objects.filter(owner=request.auth).select_related("assistant")
    row = await aget_object_or_404(mine, pk=conversation_id)
    await Conversation.objects.filter(pk=row.pk).aupdate(deleted_at=None)
    await news.spread(request.auth.pk, row.pk)
    return conversation_out(row)


@api.get("/conversations/{uuid:conversation_id}/messages", response=MessageList)
async def list_messages(
    request,
    conversation_id: uuid.UUID,
    after: uuid.UUID | None = None,
    before: uuid.UUID | None = None,
    limit: int | None = Query(None, ge=1),
):
    """Oldest first; those that came after or before one of them; of these the newest, as many as `limit` tells."""
    row = await mine(request, conversation_id)
    rows = row.messages.select_related("run__assistant").order_by("-created_at", "-id")
    if after:
        one = await aget_object_or_404(row.messages, pk=after)
        rows = rows.filter(Q(created_at__gt=one.created_at) | Q(created_at=one.created_at, pk__gt=one.pk))
    if before:
        one = await aget_object_or_404(row.messages, pk=before)
        rows = rows.filter(Q(created_at__lt=one.created_at) | Q(created_at=one.created_at, pk__lt=one.pk))
    newest = [message_out(message) async for message in (rows[:limit] if limit else rows)]
    return {"items": newest[::-1]}


@api.post("/conversations/{uuid:conversation_id}/messages", response={202: Created})
async def send_message(
    request,
    conversation_id: uuid.UUID,
    data: NewMessage,
    idempotency_key: str | None = Header(None, max_length=MAX_KEY),
):
    row = await mine(request, conversation_id)
    return await _started(await row.ask(data.text, parent_id=data.parent_id, key=_key(idempotency_key), **data.said()))


async def _started(run):
    if run.is_new:
        await engine.start(run)
    return Status(202, created_out(run))


def _key(told):
    return plain(told) if told else None


@api.post("/messages/{uuid:message_id}/regenerate", response={202: Created})
async def regenerate(
    request,
    message_id: uuid.UUID,
    data: Regeneration = None,
    idempotency_key: str | None = Header(None, max_length=MAX_KEY),
):
    message = await my_message(request, message_id)
    return await _started(await message.regenerate(assistant=data and data.assistant, key=_key(idempotency_key)))


async def my_message(request, message_id):
    return await aget_object_or_404(Message.objects.visible_to(request.auth), pk=message_id)


@api.post("/messages/{uuid:message_id}/edit", response={202: Created})
async def edit_message(
    request, message_id: uuid.UUID, data: NewText, idempotency_key: str | None = Header(None, max_length=MAX_KEY)
):
    """Say it otherwise: the new text stands beside the old one and gets an answer of its own."""
    messages = Message.objects.visible_to(request.auth).select_related("parent", "conversation__assistant")
    message = await aget_object_or_404(messages, pk=message_id)
    if message.role != Message.USER:
        raise Refused(gettext("Only what a person wrote can be edited."), "not_yours")
    return await _started(
        await message.conversation.ask(data.text, instead=message, key=_key(idempotency_key), **data.said())
    )


@api.post("/messages/{uuid:message_id}/continue", response={202: Created})
async def continue_message(
    request, message_id: uuid.UUID, idempotency_key: str | None = Header(None, max_length=MAX_KEY)
):
    """Let an answer that was interrupted, stopped or too long go on, in a reply behind it."""
    return await _started(await (await my_message(request, message_id)).go_on(_key(idempotency_key)))


@api.delete("/messages/{uuid:message_id}", response={204: None})
async def take_back_message(request, message_id: uuid.UUID):
    """Take back what nobody has begun to answer."""
    message = await my_message(request, message_id)
    run = await message.take_back()
    await engine.cancel(run)
    await news.spread(request.auth.pk, message.conversation_id)
    return Status(204, None)


@api.put("/messages/{uuid:message_id}/feedback", response={204: None})
async def rate_message(request, message_id: uuid.UUID, data: Feedback):
    """What the person thinks of an answer; a rating of null takes it back. Reviewers read it in the admin."""
    message = await my_message(request, message_id)
    if message.role != Message.ASSISTANT:
        raise Refused(gettext("Only answers are rated."), "not_an_answer")
    feedback = data.model_dump() if data.rating else None
    await Message.objects.filter(pk=message.pk).aupdate(feedback=feedback)
    await news.spread(request.auth.pk, message.conversation_id)
    return Status(204, None)


@api.post("/attachments", response={201: AttachmentOut})
async def add_attachment(request, file: File[UploadedFile]):
    """Keep an image for a message that is still being written; sent with it, it is seen by who may see the message."""
    row = await sync_to_async(pictures.keep)(request.auth, await sync_to_async(file.read)())
    names = ("media_type", "width", "height")
    return Status(201, {"id": row.pk, "url": f"/api/attachments/{row.pk}", **{n: getattr(row, n) for n in names}})


@api.get("/attachments/{uuid:attachment_id}", response={200: None})
async def get_attachment(request, attachment_id: uuid.UUID):
    rows = Attachment.objects.visible_to(request.auth)
    if request.auth.is_staff and await request.auth.ahas_perm("chat.view_conversation"):  # who reads the transcript
        rows = Attachment.objects.filter(message__conversation__deleted_at=None, message__isnull=False)
    row = await aget_object_or_404(rows, pk=attachment_id)
    headers = {"Cache-Control": "private, max-age=31536000, immutable", "X-Content-Type-Options": "nosniff"}
    return HttpResponse(bytes(row.data), content_type=row.media_type, headers=headers)


# Carry and share ------------------------------------------------------------------------------------------------------


@api.get("/conversations/{uuid:conversation_id}/export", response={200: None})
async def export_conversation(
    request, conversation_id: uuid.UUID, form: Literal["markdown", "json"] = Query("json", alias="format")
):
    """A conversation as a file: the branch that is shown as Markdown, or all of it as JSON."""
    rows = Conversation.objects.visible_to(request.auth).select_related("assistant", "leaf__parent")
    row = await aget_object_or_404(rows, pk=conversation_id)
    write, ending, kind = {
        "markdown": (carry.markdown, "md", "text/markdown"),
        "json": (carry.one, "json", "application/json"),
    }[form]
    return _file(await sync_to_async(write)(row), row.title or "chat", ending, kind)


def _file(content, name, ending, kind):
    name = quote("".join(c for c in name if c.isprintable() and c not in '\\/:*?"<>|')[:80].strip() or "chat")
    headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{name}.{ending}", "Cache-Control": "no-store"}
    streams = StreamingHttpResponse if hasattr(content, "__aiter__") else HttpResponse
    return streams(content, content_type=f"{kind}; charset=utf-8", headers=headers)


@api.get("/export", response={200: None})
async def export_everything(request):
    """All of one's data as one JSON file."""
    pieces = carry.everything(request.auth)

    async def read():
        while (piece := await sync_to_async(next)(pieces, None)) is not None:
            yield piece

    return _file(read(), f"chat {timezone.now():%Y-%m-%d}", "json", "application/json")


@api.post("/import", response={201: Imported})
async def take_in(request, file: File[UploadedFile]):
    """Read an export of this site or ChatGPT's conversations.json (also in its zip file): all of it, or nothing."""
    count = await sync_to_async(carry.take_in)(request.auth, await sync_to_async(file.read)())
    return Status(201, count)


@api.get("/conversations/{uuid:conversation_id}/shares", response=ShareList)
async def list_shares(request, conversation_id: uuid.UUID):
    row = await mine(request, conversation_id)
    return {"items": [share_out(share) async for share in row.shares.all()]}


@api.post("/conversations/{uuid:conversation_id}/shares", response={201: ShareOut})
async def share_conversation(request, conversation_id: uuid.UUID):
    """A link to a copy of the branch that is shown, as it is now; it changes no more, and can be revoked."""
    return Status(201, share_out(await (await mine(request, conversation_id)).share()))


@api.delete("/shares/{token}", response={204: None})
async def revoke_share(request, token: str):
    mine = Share.objects.filter(conversation__owner=request.auth)
    await (await aget_object_or_404(mine, pk=plain(token))).adelete()
    return Status(204, None)


@api.get("/me", response=MeOut)
async def get_me(request):
    return me_out(request.auth, await Preferences.objects.filter(person=request.auth).afirst())


@api.patch("/me", response=MeOut)
async def change_me(request, data: Likes):
    changes = data.model_dump(exclude_none=True)
    row = (await Preferences.objects.aupdate_or_create(person=request.auth, defaults=changes))[0]
    language.choose(request, row.language)
    return me_out(request.auth, row)


async def my_run(request, run_id):
    return await aget_object_or_404(Run.objects.visible_to(request.auth).select_related("assistant"), pk=run_id)


@api.get("/runs/{uuid:run_id}", response=RunOut)
async def get_run(request, run_id: uuid.UUID):
    return run_out(await my_run(request, run_id))


@api.post("/runs/{uuid:run_id}/cancel", response={202: RunOut})
async def cancel_run(request, run_id: uuid.UUID):
    run = await my_run(request, run_id)
    if run.is_open:
        await engine.cancel(run)
        run = await my_run(request, run_id)
    return Status(202, run_out(run))


@api.post("/runs/{uuid:run_id}/resume", response={202: Created})
async def resume_run(request, run_id: uuid.UUID, data: Resumption):
    """Answer what a run waits for, all of it at once: starts the run that goes on, in a new message behind it."""
    return await _started(await (await my_run(request, run_id)).resume(data.answers()))


@api.get("/runs/{uuid:run_id}/events", response={200: None, 204: None})
async def run_events(request, run_id: uuid.UUID, after: str | None = None, steps: bool = True):
    """The SSE stream of a run's events behind `Last-Event-ID` or `after`; 204 once the reader has them all.

    With `steps=0` it is the answer alone, without reasoning and tool calls.
    """
    run = await my_run(request, run_id)
    try:
        position = sse.position(request.headers.get("Last-Event-ID"), after)
    except ValueError as error:
        raise Refused(str(error), "bad_position") from None
    if position and position == run.last_seq:
        return HttpResponse(status=204)
    return stream(request, run, position, steps)


def stream(request, run, position=0, steps=True, headers=None):
    admission = access.admitted(request.session.session_key, request.auth.pk)
    return sse.response(sse.frames(engine.follow(run, position, steps), admission), headers)


async def _end(run):
    """Wait until the run is over, or until this process leaves."""
    async with aclosing(engine.follow(run)) as told:
        async for _ in told:
            pass


@api.post("/chat", response={200: ChatOut, 202: WaitingOut, 502: dict, 503: dict})
async def chat(
    request, data: NewChat, idempotency_key: str | None = Header(None, max_length=MAX_KEY), steps: bool = True
):
    """Ask and be answered in one call: as an SSE stream with `Accept: text/event-stream`, else when it is all there."""
    key = _key(idempotency_key)
    if data.conversation_id:
        row = await mine(request, data.conversation_id)
        run = await row.ask(data.text, key=key, **data.said())
    elif key:
        run = await _ask_once(request.auth, data, key)
    else:
        run = await Conversation.begin(request.auth, data.text, **data.said())
    if run.is_new:
        await engine.start(run)
    if "text/event-stream" in request.headers.get("Accept", ""):
        names = {"X-Conversation-Id": str(run.conversation_id), "X-Run-Id": str(run.pk)}
        return stream(request, run, steps=steps, headers=names)
    await _end(run)
    return await chat_out(run.pk, data.text)


async def _ask_once(person, data, key):
    """A conversation for this question, the same one for the same key of the same person; none where it is refused."""
    pk = _pk_of(person, key)
    pick = functools.partial(Assistant.objects.pick, data.assistant)
    row, is_new = await Conversation.objects.aget_or_create(pk=pk, defaults={"owner": person, "assistant": pick})
    try:
        return await row.ask(data.text, key=key, **data.said())
    except Refused:
        if is_new:
            await row.adelete()
        raise


@sync_to_async
def chat_out(run_id, text):
    run = get_object_or_404(Run.objects.select_related("message"), pk=run_id)
    names = {"conversation_id": run.conversation_id, "run_id": run.pk}
    if run.is_open:
        sentence = gettext("The server restarts; the answer goes on. Ask for its run in a moment.")
        return problem(sentence, "leaving", 503, **names)
    if run.error:
        return problem(run.error["message"], run.error["code"], 502, output=run.message.text, **names)
    history = [{"role": message.role, "content": message.text} for message in run.message.branch()[:-2]]
    told = {"input": text, "chat_history": history, "output": run.message.text, "usage": run.total_usage, **names}
    return Status(202, told | {"interrupts": run.interrupts}) if run.interrupts else told
