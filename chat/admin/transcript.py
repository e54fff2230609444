"""A conversation as staff read it: all branches, from top to bottom, in parts of some messages each."""

from collections import deque
from dataclasses import dataclass
from typing import Any

from ..events import shorten
from ..models import Attachment, Message
from ..parts import attachment_id, for_staff
from ..stored_sentences import translate
from .base import parse_uuid
from .formats import format_error, format_status, format_usage, run_durations

PART_SIZE = 50  # messages that are loaded at once
EXCERPT_LENGTH = 60  # characters of the message that a row replies to
MAX_INDENT = 4  # steps to the right; deeper branches stay below each other


@dataclass
class Place:
    """Where a message stands in a transcript. Messages are known by their ids here."""

    id: Any
    parent: Any  # the message it replies to, unless that is the row above
    siblings: list[Any]  # with itself, oldest first
    number: int  # its place among the siblings, from 1
    is_latest: bool  # on the branch of the newest message, which its owner sees first
    depth: int  # how many times the branches above it forked

    @property
    def previous(self):
        return self.siblings[self.number - 2] if self.number > 1 else None

    @property
    def next(self):
        return self.siblings[self.number] if self.number < len(self.siblings) else None

    @property
    def indent(self):
        return min(self.depth, MAX_INDENT)


@dataclass
class TranscriptRow:
    """A message in a transcript."""

    message: Message
    place: Place
    excerpt: str  # of the message it replies to
    attachments: set[Any]  # the ids of those that still exist

    @property
    def run(self):
        return getattr(self.message, "run", None)

    @property
    def parts(self):
        """Returns (StaffView, whether its image or file is no longer there) of each part."""
        return [(for_staff(_for_reader(part)), self._is_gone(part)) for part in self.message.parts]

    def _is_gone(self, part):
        return has_attachment(part) and parse_uuid(attachment_id(part) or "") not in self.attachments

    @property
    def status(self):
        return format_status(self.run.status)

    @property
    def error(self):
        return format_error(self.run)

    @property
    def durations(self):
        return run_durations(self.run)

    @property
    def usage(self):
        return format_usage(self.run.total_usage)


@dataclass
class TranscriptPart:
    """Some rows of a transcript, and where the others are."""

    rows: list[TranscriptRow]
    earlier: int | None  # the number of the part before this one
    later: int | None
    count: int  # messages in the conversation
    newest: Any  # the id of the newest message


def has_attachment(part):
    return for_staff(part).image is not None or for_staff(part).file is not None


def _kept_attachments(messages):
    """Returns the ids of the images and files of these messages that reviewers can see."""
    parts = [part for message in messages for part in message.parts if has_attachment(part)]
    ids = {parse_uuid(attachment_id(part) or "") for part in parts} - {None}
    rows = Attachment.objects.filter(pk__in=ids, message__isnull=False) if ids else Attachment.objects.none()
    return set(rows.values_list("pk", flat=True))


def _for_reader(part):
    """Returns the part with the error of its tool, if there is one, in the language of the reader."""
    return part | {"error": translate(part["error"])} if part.get("error") else part


def read_part(conversation, number=0, message_id=None):
    """Returns the part with this number, or the one that contains this message. Loads no other messages."""
    pairs = list(conversation.messages.order_by("created_at", "id").values_list("pk", "parent_id"))
    places = list(places_of(pairs))
    index = next((index for index, place in enumerate(places) if place.id == message_id), None)
    last = max(0, len(places) - 1) // PART_SIZE
    number = min(max(number, 0), last) if index is None else index // PART_SIZE
    shown = places[number * PART_SIZE :][:PART_SIZE]
    messages = conversation.messages.select_related("run__assistant").in_bulk([place.id for place in shown])
    parents = conversation.messages.only("text").in_bulk([place.parent for place in shown if place.parent])
    attachments = _kept_attachments(messages.values())
    rows = [
        TranscriptRow(
            messages[place.id],
            place,
            shorten(parents[place.parent].text, EXCERPT_LENGTH) if place.parent else "",
            attachments,
        )
        for place in shown
        if place.id in messages and (not place.parent or place.parent in parents)
    ]
    later = number + 1 if number < last else None
    return TranscriptPart(rows, number - 1 if number else None, later, len(pairs), pairs[-1][0] if pairs else None)


def places_of(pairs):
    """Yields the whole tree as Places: each message before its answers, siblings from oldest to newest.

    `pairs` are (id, id of the parent), from oldest to newest.
    """
    parents = dict(pairs)
    children: dict = {}
    for id, parent_id in pairs:
        children.setdefault(parent_id, []).append(id)
    latest_branch = _ancestors(parents, pairs[-1][0] if pairs else None)

    def branches(parent_id, depth):
        """Returns the children as (siblings, number, depth), the oldest one last."""
        siblings = children.get(parent_id, [])
        if len(siblings) > 1:
            depth += 1
        return [(siblings, number, depth) for number in range(len(siblings), 0, -1)]

    above = None
    waiting = deque(branches(None, 0))
    while waiting:
        siblings, number, depth = waiting.pop()
        id = siblings[number - 1]
        parent = None if parents[id] in (None, above) else parents[id]
        yield Place(id, parent, siblings, number, id in latest_branch, depth)
        above = id
        waiting.extend(branches(id, depth))


def _ancestors(parents, id):
    """Returns the ids of a message and of all messages above it."""
    ids = set()
    while id is not None:
        ids.add(id)
        id = parents[id]
    return ids
