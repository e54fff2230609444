"""Exports conversations as Markdown, and as JSON that this site and other programs can read.

An export is a generator of pieces of text, each made by complete queries: a reader who takes an hour holds no query
open, and memory holds a few messages or one image. Sync; `stream` makes it async.
"""

import base64
import json
from collections.abc import AsyncGenerator, Generator, Iterator
from contextlib import aclosing
from typing import Any

from asgiref.sync import sync_to_async
from django.db.models import Q, QuerySet, prefetch_related_objects
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ..importers.own import FORMAT, VERSION
from ..models import Attachment, Conversation, Message, StoredFile
from ..parts import to_markdown
from ..per_loop import PerLoop
from ..slots import Slots

ROLE_NAMES = {"user": _("You"), "assistant": _("Assistant")}
MAX_AT_A_TIME = 8
MAX_PER_USER = 2
PAGE_ROWS = 20
FILE_PIECE_BYTES = 3 * 65_536  # base64 makes four characters of three bytes
PIECE_LENGTH = 65_536  # characters, at least, of what is sent at once

Pieces = Generator[str, None, None]

slots = PerLoop(lambda: Slots(MAX_AT_A_TIME, MAX_PER_USER))


async def stream(user: Any, pieces: Pieces) -> AsyncGenerator[str]:
    """Returns the pieces of an export as an async generator. Raises Refused while too many exports are under way."""
    joined = _stream(user, pieces)
    first = await anext(joined, "")  # takes its slot, so that a refusal comes before the response has begun

    async def all_pieces() -> AsyncGenerator[str]:
        async with aclosing(joined):
            yield first
            async for piece in joined:
                yield piece

    return all_pieces()


async def _stream(user: Any, pieces: Pieces) -> AsyncGenerator[str]:
    joined = _join(pieces)
    async with slots.get().hold(user.pk):
        while piece := await sync_to_async(lambda: next(joined, ""))():
            yield piece


def _join(pieces: Pieces) -> Pieces:
    waiting: list[str] = []
    length = 0
    for piece in pieces:
        waiting.append(piece)
        length += len(piece)
        if length >= PIECE_LENGTH:
            yield "".join(waiting)
            waiting, length = [], 0
    if waiting:
        yield "".join(waiting)


def export_json(conversation: Conversation) -> Pieces:
    """Yields the text of a file with one conversation."""
    yield json.dumps({"format": FORMAT, "version": VERSION}).removesuffix("}") + ', "conversations": [\n'
    yield from _conversation_pieces(conversation)
    yield "\n]}\n"


def export_all(user: Any, **details: Any) -> Pieces:
    """Yields the text of a file with all data of a user. The file adds the details to the user's name and address."""
    head = {
        "format": FORMAT,
        "version": VERSION,
        "exported_at": timezone.now().isoformat(),
        "user": {"username": user.get_username(), "email": user.email, **details},
    }
    yield json.dumps(head).removesuffix("}") + ', "conversations": ['
    rows = Conversation.objects.visible_to(user).filter(is_temporary=False).select_related("assistant")
    separator = "\n"
    for row in _by_creation(rows):
        yield separator
        yield from _conversation_pieces(row)
        separator = ",\n"
    yield "\n]}\n"


def _conversation_pieces(conversation: Conversation) -> Pieces:
    """Yields a conversation with all its branches as JSON."""
    head = {
        "id": str(conversation.pk),
        "title": conversation.title,
        "assistant": conversation.assistant and conversation.assistant.slug,
        "created_at": conversation.created_at.isoformat(),
        "updated_at": conversation.updated_at.isoformat(),
        "pinned_at": conversation.pinned_at and conversation.pinned_at.isoformat(),
        "archived_at": conversation.archived_at and conversation.archived_at.isoformat(),
        "leaf_id": conversation.leaf_id and str(conversation.leaf_id),
    }
    yield json.dumps(head).removesuffix("}") + ', "messages": ['
    separator = "\n"
    for message in _by_creation(conversation.messages.select_related("run__assistant")):
        yield separator + json.dumps(_message_data(message))
        separator = ",\n"
    yield '\n], "images": {'
    separator = "\n"
    attached = Attachment.objects.filter(message__conversation=conversation)
    for id in attached.filter(file=None).values_list("pk", flat=True):
        if image := Attachment.objects.filter(pk=id).first():
            yield f"{separator}{json.dumps(str(id))}: {json.dumps(_image_data(image))}"
            separator = ",\n"
    yield '}, "files": {'
    separator = "\n"
    for id in attached.exclude(file=None).values_list("pk", flat=True):
        if file := StoredFile.objects.filter(attachments=id).first():
            yield f"{separator}{json.dumps(str(id))}: "
            yield from _file_pieces(file)
            separator = ",\n"
    yield "}}"


def _by_creation(rows: QuerySet) -> Iterator[Any]:
    """Yields the rows, oldest first, by a query for each page."""
    after = Q()
    while page := list(rows.filter(after).order_by("created_at", "pk")[:PAGE_ROWS]):
        yield from page
        last = page[-1]
        after = Q(created_at__gt=last.created_at) | Q(created_at=last.created_at, pk__gt=last.pk)


def _message_data(message):
    run = getattr(message, "run", None)
    return {
        "id": str(message.pk),
        "parent_id": message.parent_id and str(message.parent_id),
        "role": message.role,
        "parts": message.parts,
        "created_at": message.created_at.isoformat(),
        "feedback": message.feedback,
        "model": run and run.model,
        "status": run and run.status,
        "usage": run and run.usage,
    }


def _file_pieces(file: StoredFile) -> Pieces:
    """Yields the text that was read from a file, and the file itself, a piece at a time."""
    yield json.dumps({"name": file.name, "media_type": file.media_type, "units": file.units}).removesuffix("}")
    yield ', "data": "'
    try:
        with file.open() as content:
            while piece := content.read(FILE_PIECE_BYTES):
                yield base64.b64encode(piece).decode()
    except FileNotFoundError:
        pass  # the text is there
    yield '"}'


def _image_data(image):
    return {"media_type": image.media_type, "data": base64.b64encode(image.data).decode()}


def visible_branch(conversation):
    """Returns the messages of the branch that the user sees, oldest first."""
    leaf = conversation.leaf or conversation.messages.select_related("parent").order_by("created_at", "id").last()
    messages = leaf.branch() if leaf else []
    prefetch_related_objects(messages, "run__assistant")
    return messages


def export_markdown(conversation: Conversation) -> Pieces:
    """Yields the visible branch as Markdown: a heading for each message, its texts unchanged, its tools by name."""
    yield "# {}\n".format(conversation.title or gettext("Chat"))
    for message in visible_branch(conversation):
        lines = [f"## {_author(message)}", "", f"*{message.created_at:%Y-%m-%d %H:%M} UTC*", ""]
        yield "\n" + "\n".join(lines + to_markdown(message.parts)).rstrip() + "\n"


def _author(message):
    run = getattr(message, "run", None)
    if message.role == Message.ASSISTANT and run and run.assistant:
        return run.assistant.name
    return ROLE_NAMES[message.role]
