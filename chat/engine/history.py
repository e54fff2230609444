"""The part of a conversation that a model is shown, within limits. Sync: for a database thread."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..models import Message
from ..parts import is_image

MAX_MESSAGES = 2_000
MAX_CHARACTERS = 4_000_000  # more than the models with the largest context windows take
MAX_IMAGES = 50
BATCH_SIZE = 20  # messages that are read at a time

Turn = tuple[str, list[dict[str, Any]]]  # a role and its parts


@dataclass(frozen=True, slots=True)
class History:
    turns: list[Turn]
    is_cut: bool = False  # whether older turns were left out
    shown_images: int | None = None  # how many the model gets, if the older ones are left out for the first time


class ImageLimit:
    """Counts the images of a branch, the newest message first, and says which of them a model gets."""

    NEW_MESSAGES = 2  # since the reply before this one: that reply, and the question

    def __init__(self, shows_images_of: Callable[[Message], bool]) -> None:
        self._shows_images_of = shows_images_of
        self._messages = self._images = self._new = self._shown = 0
        self._has_left_out = False

    def allows(self, message: Message) -> bool:
        """Takes the next older message, and returns whether its images are sent."""
        count = sum(map(is_image, message.parts))
        self._messages += 1
        self._images += count
        if self._messages <= self.NEW_MESSAGES:
            self._new += count
        if not count:
            return True
        if self._images <= MAX_IMAGES:
            is_shown = self._shows_images_of(message)
            self._shown += count if is_shown else 0
            return is_shown
        self._has_left_out = self._has_left_out or self._shows_images_of(message)
        return False

    @property
    def newly_shown(self) -> int | None:
        is_new = self._has_left_out and self._images - self._new <= MAX_IMAGES
        return self._shown if is_new else None


def turns_before(
    reply: Message, max_questions: int | None = None, shows_images_of: Callable[[Message], bool] = lambda message: True
) -> History:
    """Returns the turns of the branch up to this reply, without it, oldest first.

    If there are more questions than `max_questions`, or more than the limits of this module allow, the older turns are
    left out, and of older turns the images: nothing of them is read. What is left begins with a question. Other images
    are left out where `shows_images_of` the message is False.
    """
    path = reply.path_to_root(MAX_MESSAGES + 2)[1:]
    is_cut = len(path) > MAX_MESSAGES
    path = path[:MAX_MESSAGES]
    newest_first: list[Turn] = []
    characters = questions = 0
    images = ImageLimit(shows_images_of)
    for start in range(0, len(path), BATCH_SIZE):
        ids = path[start : start + BATCH_SIZE]
        rows = Message.objects.in_bulk(ids)
        for message in (rows[id] for id in ids if id in rows):
            characters += _length(message)
            if newest_first and characters > MAX_CHARACTERS:
                return History(_from_first_question(newest_first), True, images.newly_shown)
            with_images = images.allows(message)
            newest_first.append((message.role, message.parts_for_model(with_images=with_images)))
            questions += message.role == Message.USER
            if message.role == Message.USER and questions == max_questions:
                return History(newest_first[::-1], is_cut or message.parent_id is not None, images.newly_shown)
    turns = _from_first_question(newest_first) if is_cut else newest_first[::-1]
    return History(turns, is_cut, images.newly_shown)


def _length(message: Message) -> int:
    """Returns the number of characters, with those of its files."""
    texts = sum(len(value) for part in message.parts for value in part.values() if isinstance(value, str))
    return texts + sum(part.get("characters", 0) for part in message.parts)


def _from_first_question(newest_first: list[Turn]) -> list[Turn]:
    """Returns the turns, oldest first, without those before the first question; all of them if there is none."""
    turns = newest_first[::-1]
    first = next((index for index, (role, _) in enumerate(turns) if role == Message.USER), 0)
    return turns[first:]
