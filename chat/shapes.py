"""What goes through the doors: the JSON that is taken, as it is checked, and the JSON that is given."""

import re
import uuid
from datetime import datetime
from typing import Literal

from django.conf import settings
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from ninja import Schema
from pydantic import BaseModel, Field, StrictBool, field_validator, model_validator

from .models import Preferences, Refused, Run

MAX_KEY = 200  # characters of an Idempotency-Key

COMPLAINTS = {  # pydantic's kinds of errors that a client can cause here -> what is wrong
    "bool_parsing": _("Send true or false."),
    "bool_type": _("Send true or false."),
    "int_parsing": _("Send a whole number."),
    "less_than_equal": _("Send a number of at most %(le)s."),
    "greater_than_equal": _("Send a number of at least %(ge)s."),
    "list_type": _("Send a list."),
    "literal_error": _("Send one of %(expected)s."),
    "missing": _("This is missing."),
    "model_attributes_type": _("Send a JSON object."),
    "model_type": _("Send a JSON object."),
    "string_too_long": _("This is too long: at most %(max_length)s characters can be sent."),
    "string_too_short": _("This is too short: at least %(min_length)s characters have to be sent."),
    "string_type": _("Send a text."),
    "too_long": _("These are too many: at most %(max_length)s can be sent."),
    "too_short": _("These are too few: at least %(min_length)s have to be sent."),
    "uuid_parsing": _("This is no id."),
    "uuid_type": _("This is no id."),
}


def complaint(error):
    """What pydantic found wrong, as a sentence; those of our own validators are sentences already."""
    if error["type"] in COMPLAINTS:
        return COMPLAINTS[error["type"]] % error.get("ctx", {})
    return error["msg"].removeprefix("Value error, ")


# What goes in ---------------------------------------------------------------------------------------------------------


def plain(text):
    """The text, if every database and encoder can keep it."""
    if "\0" in text:
        raise Refused(gettext("NUL is no character of a text."))
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Refused(gettext("Half a surrogate pair is no character of a text.")) from None
    return text


class Body(BaseModel):
    """A JSON object. Not ninja's Schema, which takes any value for an object that leaves everything out."""

    @field_validator("*")
    @classmethod
    def can_be_kept(cls, value):
        return plain(value) if type(value) is str else value


class Document(Body):
    name: str = Field(min_length=1, max_length=200)
    text: str = Field(min_length=1, max_length=settings.MAX_TEXT_LENGTH)


class NewText(Body):
    text: str = Field(min_length=1, max_length=settings.MAX_TEXT_LENGTH)
    assistant: str | None = None
    time_zone: str = Field("", max_length=64)  # the person's, an IANA name: what their clock shows
    attachments: list[uuid.UUID] = Field([], max_length=10)  # images, from POST /api/attachments
    documents: list[Document] = Field([], max_length=10)  # long texts that are read with the message

    @field_validator("text")
    @classmethod
    def says_something(cls, text):
        if not text.strip():
            raise ValueError(gettext("Write something first."))
        return text

    @field_validator("time_zone")
    @classmethod
    def is_somewhere(cls, time_zone):
        if not re.fullmatch(r"[A-Za-z0-9_+\-/]*", time_zone):
            raise ValueError(gettext("This is no time zone. Send an IANA name such as Asia/Tokyo."))
        return time_zone  # one that only the browser knows, its data being newer, counts as UTC

    def said(self):
        """What `Conversation.ask` is told besides the text and the place."""
        documents = [{"type": "document", **document.model_dump()} for document in self.documents]
        return {
            "assistant": self.assistant,
            "attachments": list(dict.fromkeys(self.attachments)),
            "documents": documents,
            "time_zone": self.time_zone,
        }


class NewMessage(NewText):
    parent_id: uuid.UUID | None = None


class NewChat(NewText):
    conversation_id: uuid.UUID | None = None


class NewConversation(Body):
    title: str = Field("", max_length=200)
    assistant: str | None = None
    is_temporary: bool = False

    @field_validator("title", check_fields=False)
    @classmethod
    def without_margins(cls, title):
        return title and title.strip()


class ConversationChange(NewConversation):
    title: str | None = Field(None, max_length=200)
    is_temporary: None = None  # what it is, it stays
    is_pinned: bool | None = None
    is_archived: bool | None = None
    leaf_id: uuid.UUID | None = None  # the message where the branch that is shown ends


class Regeneration(Body):
    assistant: str | None = None


class Feedback(Body):
    rating: Literal["up", "down"] | None
    reason: str = Field("", max_length=100)
    comment: str = Field("", max_length=5000)


class Likes(Body):
    """What a person likes; what is left out stays as it is."""

    instructions: str | None = Field(None, max_length=5000)
    language: str | None = None
    theme: Literal[tuple(Preferences.THEMES)] | None = None
    send_key: Literal[tuple(Preferences.SEND_KEYS)] | None = None
    transport: Literal[tuple(Preferences.TRANSPORTS)] | None = None
    shows_steps: StrictBool | None = None

    @field_validator("language")
    @classmethod
    def is_spoken_here(cls, language):
        if language and language not in dict(settings.LANGUAGES):
            known = ", ".join(dict(settings.LANGUAGES))
            raise ValueError(gettext("The site speaks %(languages)s.") % {"languages": known})
        return language


class Permission(BaseModel):
    approved: StrictBool


class Resolved(Body):
    """AG-UI's resume entry: what the person says to one interrupt."""

    interrupt_id: str = Field(alias="interruptId", max_length=100)
    status: Literal["resolved", "cancelled"]
    payload: Permission | None = None

    @model_validator(mode="after")
    def says_yes_or_no(self):
        if self.status == "resolved" and self.payload is None:
            raise ValueError(gettext('What is resolved has a payload, such as {"approved": true}.'))
        return self


class Resumption(Body):
    resume: list[Resolved] = Field(min_length=1, max_length=100)

    def answers(self):
        """Interrupt -> yes or no; Refused where one is answered twice."""
        told = {entry.interrupt_id: entry.status == "resolved" and entry.payload.approved for entry in self.resume}
        if len(told) < len(self.resume):
            raise Refused(gettext("Answer each interrupt once."), "answered_twice")
        return told


# What comes out -------------------------------------------------------------------------------------------------------


class AssistantOut(Schema):
    slug: str
    name: str
    description: str
    is_default: bool
    sees_images: bool
    starters: list[str]

    @staticmethod
    def resolve_description(row):
        """In the person's language where it is one of ours."""
        return row.description and gettext(row.description)


class ConversationOut(Schema):
    id: uuid.UUID
    title: str
    assistant: str | None
    created_at: datetime
    updated_at: datetime
    is_pinned: bool
    is_archived: bool
    is_temporary: bool
    leaf_id: uuid.UUID | None


class Snippet(Schema):
    """Where the words were found: the text around them, and the message, or none for a title."""

    before: str
    match: str
    after: str
    message_id: uuid.UUID | None


class FoundOut(ConversationOut):
    snippet: Snippet | None


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
    interrupts: list[dict]
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
    interrupts: list[dict]
    feedback: dict | None
    started_at: datetime | None
    finished_at: datetime | None
    created_at: datetime


class AttachmentOut(Schema):
    id: uuid.UUID
    url: str
    media_type: str
    width: int
    height: int


class ShareOut(Schema):
    token: str
    url: str
    created_at: datetime


class ShareList(Schema):
    items: list[ShareOut]


class Imported(Schema):
    conversations: int
    messages: int
    known: int


class MeOut(Schema):
    username: str
    is_staff: bool
    instructions: str
    language: str
    theme: str
    send_key: str
    transport: str
    shows_steps: bool


class Created(Schema):
    message_id: uuid.UUID
    reply_id: uuid.UUID
    run_id: uuid.UUID
    events_url: str


class AssistantList(Schema):
    items: list[AssistantOut]


class ConversationList(Schema):
    items: list[FoundOut]
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


class WaitingOut(ChatOut):
    interrupts: list[dict]  # what the run waits for: answer at /api/runs/{run_id}/resume


def conversation_out(row):
    return {
        "id": row.pk,
        "title": row.title,
        "assistant": row.assistant and row.assistant.slug,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
        "is_pinned": row.pinned_at is not None,
        "is_archived": row.archived_at is not None,
        "is_temporary": row.is_temporary,
        "leaf_id": row.leaf_id,
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
        "interrupts": run.interrupts,
    }


def run_out(run):
    names = ("conversation_id", "message_id", "created_at", "started_at", "finished_at")
    return {"id": run.pk, **_ending(run), **{name: getattr(run, name) for name in names}}


def message_out(row):
    run = getattr(row, "run", None)
    names = ("error", "finish_reason", "notice", "assistant", "model", "usage", "started_at", "finished_at")
    said = dict.fromkeys(names) | {"status": Run.COMPLETED, "interrupts": []}
    return {
        **(_ending(run) | {"started_at": run.started_at, "finished_at": run.finished_at} if run else said),
        **{name: getattr(row, name) for name in ("id", "parent_id", "role", "text", "parts", "feedback", "created_at")},
        "run_id": run and run.pk,
    }


def created_out(run):
    return {
        "message_id": str(run.message.parent_id),
        "reply_id": str(run.message_id),
        "run_id": str(run.pk),
        "events_url": run.events_url,
    }


def share_out(share):
    return {"token": share.pk, "url": f"/s/{share.pk}/", "created_at": share.created_at}


def me_out(person, likes):
    likes = likes or Preferences()
    names = ("instructions", "language", "theme", "send_key", "transport", "shows_steps")
    told = {name: getattr(likes, name) for name in names}
    return {"username": person.get_username(), "is_staff": person.is_staff, **told}
