"""The JSON that the API and the WebSocket take, with its validation, and the JSON that they return."""

import re
import uuid
from datetime import datetime
from typing import Annotated, Any, Literal

from django.conf import settings
from django.utils.translation import gettext, ngettext_lazy
from django.utils.translation import gettext_lazy as _
from ninja import Schema
from pydantic import AfterValidator, BaseModel, Field, StrictBool, field_validator, model_validator

from .errors import Refused
from .models import Run

MAX_KEY_LENGTH = 200  # characters of an Idempotency-Key

ERROR_MESSAGES = {  # pydantic's error types that a client can cause here
    "bool_parsing": _("Must be true or false."),
    "bool_type": _("Must be true or false."),
    "int_parsing": _("Must be a whole number."),
    "less_than_equal": _("Must be at most %(le)s."),
    "greater_than_equal": _("Must be at least %(ge)s."),
    "list_type": _("Must be a list."),
    "literal_error": _("Must be one of %(expected)s."),
    "missing": _("This field is required."),
    "model_attributes_type": _("Must be a JSON object."),
    "model_type": _("Must be a JSON object."),
    "string_too_long": ngettext_lazy(
        "Must be at most %(max_length)s character long.",
        "Must be at most %(max_length)s characters long.",
        "max_length",
    ),
    "string_too_short": ngettext_lazy(
        "Must be at least %(min_length)s character long.",
        "Must be at least %(min_length)s characters long.",
        "min_length",
    ),
    "string_type": _("Must be a string."),
    "too_long": _("At most %(max_length)s are allowed."),
    "too_short": _("At least %(min_length)s are required."),
    "uuid_parsing": _("This is not a valid ID."),
    "uuid_type": _("This is not a valid ID."),
}


def describe_error(error):
    """Returns one of pydantic's error dicts as a sentence. Errors of our own validators are sentences already."""
    if error["type"] in ERROR_MESSAGES:
        return ERROR_MESSAGES[error["type"]] % error.get("ctx", {})
    return error["msg"].removeprefix("Value error, ")


# Requests -------------------------------------------------------------------------------------------------------------


def validate_text(text):
    """Returns the text if every database and encoder can store it; raises Refused."""
    if "\0" in text:
        raise Refused(gettext("Null characters are not allowed."))
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Refused(gettext("Unpaired surrogates are not allowed.")) from None
    return text


class Body(BaseModel):
    """A JSON object. Not ninja's Schema, which accepts any value as an object without fields."""

    @field_validator("*")
    @classmethod
    def validate_texts(cls, value):
        return validate_text(value) if isinstance(value, str) else value


class Document(Body):
    name: str = Field(min_length=1, max_length=200)
    text: str = Field(min_length=1, max_length=settings.MAX_TEXT_LENGTH)


class NewText(Body):
    text: str = Field(min_length=1, max_length=settings.MAX_TEXT_LENGTH)
    assistant: str | None = None
    time_zone: str = Field("", max_length=64)  # of the user, an IANA name
    attachments: list[uuid.UUID] = Field([], max_length=10)  # images and files, from POST /api/attachments
    documents: list[Document] = Field([], max_length=10)  # long texts that belong to the message

    @field_validator("text")
    @classmethod
    def is_not_blank(cls, text):
        if not text.strip():
            raise ValueError(gettext("Write something first."))
        return text

    @field_validator("time_zone")
    @classmethod
    def looks_like_a_time_zone(cls, time_zone):
        if not re.fullmatch(r"[A-Za-z0-9_+\-/]*", time_zone):
            raise ValueError(gettext("This is not a valid time zone. Use an IANA name such as Asia/Tokyo."))
        return time_zone  # a name that only the browser knows, because its data is newer, counts as UTC

    def options(self):
        """Returns the keyword arguments of `Conversation.ask` other than the text and its place in the tree."""
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


Title = Annotated[str, Field(max_length=200), AfterValidator(str.strip)]


class NewConversation(Body):
    title: Title = ""
    assistant: str | None = None
    is_temporary: bool = False


class ConversationChange(Body):
    title: Title | None = None
    assistant: str | None = None
    is_temporary: None = None  # cannot be changed
    is_pinned: bool | None = None
    is_archived: bool | None = None
    leaf_id: uuid.UUID | None = None  # the last message of the visible branch
    is_seen: bool | None = None  # whether its owner has seen the last answer
    allowed_tools: list[str] | None = Field(
        None, description="Those that stay allowed. Tools can only be removed: others are ignored"
    )


class Regeneration(Body):
    assistant: str | None = Field(None, description="Of the other answer; by default, the conversation's")
    instruction: str = Field(
        "",
        max_length=500,
        description='How it should differ, such as "Make it shorter.": the model sees this answer, too',
    )


class Feedback(Body):
    rating: Literal["up", "down"] | None
    reason: str = Field("", max_length=100)
    comment: str = Field("", max_length=5000)


class Permission(BaseModel):
    approved: StrictBool
    always: StrictBool = Field(
        False, description="Whether the tool may from now on run without asking in this conversation, if approved"
    )


class ResumeEntry(Body):
    """AG-UI's resume entry: the user's answer to one interrupt."""

    interrupt_id: str = Field(alias="interruptId", max_length=100)
    status: Literal["resolved", "cancelled"]
    payload: Permission | None = None

    @model_validator(mode="after")
    def has_an_answer(self):
        if self.status == "resolved" and self.payload is None:
            raise ValueError(gettext('A resolved interrupt needs a payload such as {"approved": true}.'))
        return self

    def is_approved(self):
        return self.status == "resolved" and self.payload is not None and self.payload.approved


class Resumption(Body):
    resume: list[ResumeEntry] = Field(min_length=1, max_length=100)

    def decisions(self):
        """Returns {interrupt id: whether it is allowed}; raises Refused if one is answered twice."""
        decisions = {entry.interrupt_id: entry.is_approved() for entry in self.resume}
        if len(decisions) < len(self.resume):
            raise Refused(gettext("Answer each interrupt only once."), "answered_twice")
        return decisions

    def always(self):
        """Returns the ids of the interrupts whose tools are allowed for the whole conversation."""
        payloads = [(entry.interrupt_id, entry.payload) for entry in self.resume if entry.is_approved()]
        return [id for id, payload in payloads if payload and payload.always]


# Responses -----------------------------------------------------------------------------------------------------------


class Output(BaseModel):
    """A JSON object that is made of a dict. Not ninja's Schema, which takes twice the time for a list: it looks up
    each field in Python, because it also reads attributes."""


class AssistantOut(Schema):
    slug: str
    name: str
    description: str
    is_default: bool
    position: int | None = Field(description="Lower ones come first, behind the default; then those without, by name")
    sees_images: bool
    starters: list[str]

    @staticmethod
    def resolve_description(row):
        """Translates the descriptions of the assistants that the site comes with."""
        return row.description and gettext(row.description)

    @staticmethod
    def resolve_starters(row):
        """Translates the starters of the assistants that the site comes with."""
        return [starter and gettext(starter) for starter in row.starters]


class ConversationOut(Output):
    id: uuid.UUID
    title: str
    assistant: str | None
    created_at: datetime
    updated_at: datetime
    is_pinned: bool
    is_archived: bool
    is_temporary: bool
    leaf_id: uuid.UUID | None
    activity: Literal["answering", "waiting", "failed", "answered"] | None = Field(
        description="Whether it is being answered, or waits for approval; or, until its owner has seen it, how its "
        "last answer ended"
    )
    allowed_tools: list[str] = Field(
        description="Tools that its owner allowed to run without asking: names, or `server/name` of an MCP server's"
    )


class Snippet(Output):
    """The text around the first match, without Markdown. `message_id` is null if the title matched."""

    before: str
    match: str
    after: str
    message_id: uuid.UUID | None


class FoundOut(ConversationOut):
    snippet: Snippet | None


class Problem(Output):
    code: str
    message: str


class Tokens(Output):
    input_tokens: int | None = None
    output_tokens: int | None = None
    total_tokens: int | None = None
    reasoning_tokens: int | None = None
    cached_input_tokens: int | None = None


class Advice(Output):
    """For staff: what to do about the error of a run, and where."""

    sentence: str
    assistant_url: str | None
    run_url: str | None


class RunOut(Output):
    id: uuid.UUID
    conversation_id: uuid.UUID
    message_id: uuid.UUID
    status: str
    error: Problem | None
    finish_reason: str | None
    notice: str | None
    assistant: str | None
    model: str
    instruction: str | None
    usage: Tokens | None
    interrupts: list[dict]
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    advice: Advice | None = Field(None, description="What staff can do about the error; for others null")


class MessageOut(Output):
    id: uuid.UUID
    parent_id: uuid.UUID | None
    role: str
    text: str
    parts: list[dict]
    status: str
    run_id: uuid.UUID | None
    idempotency_key: str | None = Field(description="Of the request that asked for this answer")
    error: Problem | None
    finish_reason: str | None
    notice: str | None
    assistant: str | None
    model: str | None
    instruction: str | None = Field(description="With which another version was asked for")
    usage: Tokens | None
    interrupts: list[dict]
    feedback: dict | None
    started_at: datetime | None
    finished_at: datetime | None
    created_at: datetime


class ShareOut(Output):
    token: str
    url: str
    created_at: datetime


class ShareList(Output):
    items: list[ShareOut]


class Created(Output):
    message_id: uuid.UUID
    reply_id: uuid.UUID
    run_id: uuid.UUID
    events_url: str


class AssistantList(Output):
    items: list[AssistantOut]


class ConversationList(Output):
    items: list[FoundOut]
    next_cursor: str | None


class MessageList(Output):
    items: list[MessageOut]


class ChatOut(Output):
    input: str
    chat_history: list[dict]
    output: str
    conversation_id: uuid.UUID
    run_id: uuid.UUID
    usage: Tokens | None


class WaitingOut(ChatOut):
    interrupts: list[dict]  # the questions to answer at /api/runs/{run_id}/resume


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
        "activity": row.activity,
        "allowed_tools": sorted(row.allowed_tools),
    }


def _outcome_out(run):
    """Returns the fields that a run and its message share."""
    return {
        "status": run.status,
        "error": run.error,
        "finish_reason": run.finish_reason or None,
        "notice": run.notice,
        "assistant": run.assistant and run.assistant.slug,
        "model": run.model,
        "instruction": run.instruction or None,
        "usage": run.total_usage,
        "interrupts": run.interrupts,
        "started_at": run.started_at,
        "finished_at": run.finished_at,
    }


NO_OUTCOME: dict[str, Any] = {  # of a message that no run wrote
    "status": Run.COMPLETED,
    "error": None,
    "finish_reason": None,
    "notice": None,
    "assistant": None,
    "model": None,
    "instruction": None,
    "usage": None,
    "interrupts": [],
    "started_at": None,
    "finished_at": None,
}


def run_out(run):
    return {
        "id": run.pk,
        "conversation_id": run.conversation_id,
        "message_id": run.message_id,
        "created_at": run.created_at,
        **_outcome_out(run),
    }


def message_out(message):
    run = getattr(message, "run", None)
    return {
        "id": message.pk,
        "parent_id": message.parent_id,
        "role": message.role,
        "text": message.text,
        "parts": message.parts,
        "feedback": message.feedback,
        "created_at": message.created_at,
        "run_id": run and run.pk,
        "idempotency_key": run and run.idempotency_key,
        **(_outcome_out(run) if run else NO_OUTCOME),
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
