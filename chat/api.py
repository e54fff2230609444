"""The JSON doors under /api/: validation, OpenAPI and docs by django-ninja; each call reads, asks, answers."""

import asyncio
import base64
import binascii
import contextlib
import functools
import uuid
from contextlib import aclosing
from datetime import UTC, datetime

from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.http import HttpResponse, JsonResponse
from django.shortcuts import aget_object_or_404, get_object_or_404
from django.views.decorators.http import require_safe
from ninja import Header, NinjaAPI, Query, Schema, Status
from ninja.errors import AuthenticationError, HttpError, ValidationError
from ninja.utils import check_csrf
from pydantic import BaseModel, Field, field_validator

from . import access, engine, sse
from .models import Assistant, Conversation, Message, Refused, Run

PAGE = 30  # conversations
MAX_KEY = 200  # characters of an Idempotency-Key
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
                "The CSRF token is missing or wrong: send the csrftoken cookie's value as X-CSRFToken.", "csrf", 403
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
    return problem("Log in first.", "not_authenticated", 401)


@api.exception_handler(HttpError)
def not_readable(request, error):
    return problem(str(error), "invalid", error.status_code)


@api.exception_handler(ValidationError)
def not_valid(request, error):
    first = error.errors[0]
    field = ".".join(str(step) for step in first["loc"][2:] or first["loc"][-1:])
    return problem(f"{field}: {first['msg'].removeprefix('Value error, ')}", "invalid", 400)


# What goes in ---------------------------------------------------------------------------------------------------------


def plain(text):
    """The text, if every database and encoder can keep it."""
    if "\0" in text:
        raise Refused("NUL is no character of a text.")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Refused("Half a surrogate pair is no character of a text.") from None
    return text


class Body(BaseModel):
    """A JSON object. Not ninja's Schema, which takes any value for an object that leaves everything out."""

    @field_validator("*")
    @classmethod
    def can_be_kept(cls, value):
        return plain(value) if type(value) is str else value


class NewText(Body):
    text: str = Field(min_length=1, max_length=settings.MAX_TEXT_LENGTH)
    assistant: str | None = None

    @field_validator("text")
    @classmethod
    def says_something(cls, text):
        if not text.strip():
            raise ValueError("Write something first.")
        return text


class NewMessage(NewText):
    parent_id: uuid.UUID | None = None


class NewChat(NewText):
    conversation_id: uuid.UUID | None = None


class NewConversation(Body):
    title: str = Field("", max_length=200)
    assistant: str | None = None

    @field_validator("title", check_fields=False)
    @classmethod
    def without_margins(cls, title):
        return title and title.strip()


class ConversationChange(NewConversation):
    title: str | None = Field(None, max_length=200)


class Regeneration(Body):
    assistant: str | None = None


# What comes out -------------------------------------------------------------------------------------------------------


class AssistantOut(Schema):
    slug: str
    name: str
    description: str
    is_default: bool


class ConversationOut(Schema):
    id: uuid.UUID
    title: str
    assistant: str | None
    created_at: datetime
    updated_at: datetime


class Problem(Schema):
    code: str
    message: str


class Tokens(Schema):
    input_tokens: int | None = None
    output_tokens: int | None = None
    total_tokens: int | None = None
    reasoning_tokens: int | None = None
    cached_input_tokens: int | None = None


class RunOut(Schema):
    id: uuid.UUID
    conversation_id: uuid.UUID
    message_id: uuid.UUID
    status: str
    error: Problem | None
    finish_reason: str | None
    notice: str | None
    assistant: str | None
    model: str
    usage: Tokens | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class MessageOut(Schema):
    id: uuid.UUID
    parent_id: uuid.UUID | None
    role: str
    text: str
    parts: list[dict]
    status: str
    run_id: uuid.UUID | None
    error: Problem | None
    finish_reason: str | None
    notice: str | None
    assistant: str | None
    model: str | None
    usage: Tokens | None
    created_at: datetime


class Created(Schema):
    message_id: uuid.UUID
    reply_id: uuid.UUID
    run_id: uuid.UUID
    events_url: str


class AssistantList(Schema):
    items: list[AssistantOut]


class ConversationList(Schema):
    items: list[ConversationOut]
    next_cursor: str | None


class MessageList(Schema):
    items: list[MessageOut]


class ChatOut(Schema):
    input: str
    chat_history: list[dict]
    output: str
    conversation_id: uuid.UUID
    run_id: uuid.UUID
    usage: Tokens | None


def conversation_out(row):
    return {
        "id": row.pk,
        "title": row.title,
        "assistant": row.assistant and row.assistant.slug,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
    }


def _ending(run):
    """What a run and its message tell alike."""
    return {
        "status": run.status,
        "error": run.error,
        "finish_reason": run.finish_reason or None,
        "notice": run.notice,
        "assistant": run.assistant and run.assistant.slug,
        "model": run.model,
        "usage": run.total_usage,
    }


def run_out(run):
    names = ("conversation_id", "message_id", "created_at", "started_at", "finished_at")
    return {"id": run.pk, **_ending(run), **{name: getattr(run, name) for name in names}}


def message_out(row):
    run = getattr(row, "run", None)
    said = dict.fromkeys(("error", "finish_reason", "notice", "assistant", "model", "usage")) | {
        "status": Run.COMPLETED
    }
    return {
        **(_ending(run) if run else said),
        **{name: getattr(row, name) for name in ("id", "parent_id", "role", "text", "parts", "created_at")},
        "run_id": run and run.pk,
    }


def created_out(run):
    return {
        "message_id": str(run.message.parent_id),
        "reply_id": str(run.message_id),
        "run_id": str(run.pk),
        "events_url": run.events_url,
    }


# The calls ------------------------------------------------------------------------------------------------------------


@api.get("/assistants", response=AssistantList)
async def list_assistants(request):
    return {"items": [row async for row in Assistant.objects.offered()]}


@api.post("/conversations", response={201: ConversationOut})
async def create_conversation(request, data: NewConversation):
    assistant = await sync_to_async(Assistant.objects.pick)(data.assistant)
    row = await Conversation.objects.acreate(owner=request.auth, assistant=assistant, title=data.title)
    return Status(201, conversation_out(row))


@api.get("/conversations", response=ConversationList)
async def list_conversations(
    request, cursor: str = "", limit: int = Query(PAGE, ge=1, le=100), q: str = Query("", max_length=200)
):
    """Newest activity first; `cursor` is the `next_cursor` of the page before, `q` words of a title or a message."""
    rows = Conversation.objects.visible_to(request.auth).select_related("assistant")
    if q.strip():
        rows = rows.containing(plain(q.strip()))
    if cursor:
        updated_at, pk = _read_cursor(cursor)
        rows = rows.filter(Q(updated_at__lt=updated_at) | Q(updated_at=updated_at, pk__lt=pk))
    found = [row async for row in rows.order_by("-updated_at", "-id")[: limit + 1]]
    more = len(found) > limit
    return {
        "items": [conversation_out(row) for row in found[:limit]],
        "next_cursor": _write_cursor(found[limit - 1]) if more else None,
    }


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
        raise Refused("The cursor is not one that this list gave.", "bad_cursor") from None


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
        row.title = data.title
    if data.assistant is not None:
        row.assistant = await sync_to_async(Assistant.objects.pick)(data.assistant)
    await Conversation.objects.filter(pk=row.pk).aupdate(title=row.title, assistant=row.assistant)
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
    return Status(204, None)


@sync_to_async
def _delete(row):
    """All of it or nothing: whoever writes into it, or asks, has done so by then or comes too late."""
    with transaction.atomic():
        list(row.runs.select_for_update().order_by("id").values_list("id"))
        list(Conversation.objects.select_for_update().filter(pk=row.pk).values_list("id"))
        row.delete()


@api.get("/conversations/{uuid:conversation_id}/messages", response=MessageList)
async def list_messages(request, conversation_id: uuid.UUID):
    row = await mine(request, conversation_id)
    rows = row.messages.select_related("run__assistant").order_by("created_at", "id")
    return {"items": [message_out(message) async for message in rows]}


@api.post("/conversations/{uuid:conversation_id}/messages", response={202: Created})
async def send_message(
    request,
    conversation_id: uuid.UUID,
    data: NewMessage,
    idempotency_key: str | None = Header(None, max_length=MAX_KEY),
):
    row = await mine(request, conversation_id)
    run = await row.ask(data.text, parent_id=data.parent_id, assistant=data.assistant, key=_key(idempotency_key))
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
    message = await aget_object_or_404(Message.objects.visible_to(request.auth), pk=message_id)
    run = await message.regenerate(assistant=data and data.assistant, key=_key(idempotency_key))
    if run.is_new:
        await engine.start(run)
    return Status(202, created_out(run))


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


@api.get("/runs/{uuid:run_id}/events", response={200: None, 204: None})
async def run_events(request, run_id: uuid.UUID, after: str | None = None):
    """The SSE stream of a run's events behind `Last-Event-ID` or `after`; 204 once the reader has them all."""
    run = await my_run(request, run_id)
    try:
        position = sse.position(request.headers.get("Last-Event-ID"), after)
    except ValueError as error:
        raise Refused(str(error), "bad_position") from None
    if position and position == run.last_seq:
        return HttpResponse(status=204)
    return stream(request, run, position)


def stream(request, run, position=0, headers=None):
    admission = access.admitted(request.session.session_key, request.auth.pk)
    return sse.response(sse.frames(engine.follow(run, position), admission), headers)


async def _end(run):
    """Wait until the run is over, or until this process leaves."""
    async with aclosing(engine.follow(run)) as told:
        async for _ in told:
            pass


@api.post("/chat", response={200: ChatOut, 502: dict, 503: dict})
async def chat(request, data: NewChat, idempotency_key: str | None = Header(None, max_length=MAX_KEY)):
    """Ask and be answered in one call: as an SSE stream with `Accept: text/event-stream`, else when it is all there."""
    key = _key(idempotency_key)
    if data.conversation_id:
        row = await mine(request, data.conversation_id)
        run = await row.ask(data.text, assistant=data.assistant, key=key)
    elif key:
        run = await _ask_once(request.auth, data, key)
    else:
        run = await Conversation.begin(request.auth, data.text, data.assistant)
    if run.is_new:
        await engine.start(run)
    if "text/event-stream" in request.headers.get("Accept", ""):
        return stream(request, run, headers={"X-Conversation-Id": str(run.conversation_id), "X-Run-Id": str(run.pk)})
    await _end(run)
    return await chat_out(run.pk, data.text)


async def _ask_once(person, data, key):
    """A conversation for this question, the same one for the same key of the same person; none where it is refused."""
    pk = uuid.uuid5(uuid.NAMESPACE_OID, f"{person.pk} {key}")
    pick = functools.partial(Assistant.objects.pick, data.assistant)
    row, is_new = await Conversation.objects.aget_or_create(pk=pk, defaults={"owner": person, "assistant": pick})
    try:
        return await row.ask(data.text, assistant=data.assistant, key=key)
    except Refused:
        if is_new:
            await row.adelete()
        raise


@sync_to_async
def chat_out(run_id, text):
    run = get_object_or_404(Run.objects.select_related("message"), pk=run_id)
    names = {"conversation_id": run.conversation_id, "run_id": run.pk}
    if run.is_open:
        return problem("The server restarts; the answer goes on. Ask for its run in a moment.", "leaving", 503, **names)
    if run.error:
        return problem(run.error["message"], run.error["code"], 502, output=run.message.text, **names)
    history = [{"role": message.role, "content": message.text} for message in run.message.branch()[:-2]]
    return {"input": text, "chat_history": history, "output": run.message.text, "usage": run.total_usage, **names}
