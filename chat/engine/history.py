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
    is_cut: bool = False  # whether older turns were left out, because of a limit of this module


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
    characters = images = questions = 0
    for start in range(0, len(path), BATCH_SIZE):
        ids = path[start : start + BATCH_SIZE]
        rows = Message.objects.in_bulk(ids)
        for message in (rows[id] for id in ids if id in rows):
            characters += _length(message)
            if newest_first and characters > MAX_CHARACTERS:
                return History(_from_first_question(newest_first), is_cut=True)
            count = sum(map(is_image, message.parts))
            images += count
            with_images = images <= MAX_IMAGES and (count == 0 or shows_images_of(message))
            newest_first.append((message.role, message.parts_for_model(with_images=with_images)))
            questions += message.role == Message.USER
            if message.role == Message.USER and questions == max_questions:
                return History(newest_first[::-1])
    return History(_from_first_question(newest_first) if is_cut else newest_first[::-1], is_cut)


def _length(message: Message) -> int:
    """Returns the number of characters, with those of its files."""
    texts = sum(len(value) for part in message.parts for value in part.values() if isinstance(value, str))
    return texts + sum(part.get("characters", 0) for part in message.parts)


def _from_first_question(newest_first: list[Turn]) -> list[Turn]:
    """Returns the turns, oldest first, without those before the first question; all of them if there is none."""
    turns = newest_first[::-1]
    first = next((index for index, (role, _) in enumerate(turns) if role == Message.USER), 0)
    return turns[first:]
