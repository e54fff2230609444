"""A conversation as staff read it: all branches, from top to bottom."""

from dataclasses import dataclass

from ..events import shorten
from ..models import Message
from ..parts import for_staff
from .formats import format_status, format_usage, run_durations

EXCERPT_LENGTH = 60  # characters of the message that a row replies to
MAX_INDENT = 4  # steps to the right; deeper branches stay below each other


@dataclass
class TranscriptRow:
    """A message in a transcript."""

    message: Message
    in_reply_to: Message | None  # its parent, unless that is the row above
    siblings: list[Message]  # with itself, oldest first
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

    @property
    def excerpt(self):
        return shorten(self.in_reply_to.text, EXCERPT_LENGTH) if self.in_reply_to else ""

    @property
    def run(self):
        return getattr(self.message, "run", None)

    @property
    def parts(self):
        return [for_staff(part) for part in self.message.parts]

    @property
    def status(self):
        return format_status(self.run.status)

    @property
    def durations(self):
        return run_durations(self.run)

    @property
    def usage(self):
        return format_usage(self.run.total_usage)


def transcript(messages):
    """Yields the whole tree as TranscriptRows: each message before its answers, siblings from oldest to newest.

    The messages have to be ordered from oldest to newest.
    """
    rows = {message.pk: message for message in messages}
    children: dict = {}
    for message in rows.values():
        children.setdefault(message.parent_id, []).append(message)
    latest_branch = _ancestors(rows, next(reversed(rows), None))

    def branches(parent_id, depth):
        """Returns the children as (siblings, number, depth), the oldest one last."""
        siblings = children.get(parent_id, [])
        if len(siblings) > 1:
            depth += 1
        return [(siblings, number, depth) for number in range(len(siblings), 0, -1)]

    above = None
    waiting = branches(None, 0)
    while waiting:
        siblings, number, depth = waiting.pop()
        message = siblings[number - 1]
        in_reply_to = None if message.parent_id in (None, above) else rows[message.parent_id]
        yield TranscriptRow(message, in_reply_to, siblings, number, message.pk in latest_branch, depth)
        above = message.pk
        waiting += branches(message.pk, depth)


def _ancestors(rows, message_id):
    """Returns the ids of a message and of all messages above it."""
    ids = set()
    while message_id is not None:
        ids.add(message_id)
        message_id = rows[message_id].parent_id
    return ids
