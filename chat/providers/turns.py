"""Turns that alternate between user and assistant. The templates of many models refuse everything else.

A conversation often does not: an answer failed, was stopped or stayed empty, or was continued in another message.
"""

from typing import Any

Part = dict[str, Any]  # as in chat.events.fold
Turn = tuple[str, list[Part]]  # a role, "user" or "assistant", and its parts

OPENING = "Please begin."  # before an answer to no question, such as the greeting of an imported conversation
IMAGE_TEXT = {"type": "text", "text": "[You made an image here. It comes with the next message.]\n"}
CALL_PARTS = {"tool_call", "tool_result"}


def alternating(turns: list[Turn], *, with_calls: bool = True) -> list[Turn]:
    """Returns the turns so that a question begins and no role has two turns in a row.

    Turns without content are left out, and those of one role in a row become one: questions with an empty line between
    them, and an answer with what continues it. `with_calls`: whether the model is shown tool calls; otherwise a turn of
    calls alone has no content.
    """
    alternated: list[Turn] = []
    for role, parts in turns:
        if not has_content(parts, with_calls=with_calls):
            continue
        if alternated and alternated[-1][0] == role:
            earlier = alternated.pop()[1]
            alternated.append((role, [*(_with_empty_line(earlier) if role == "user" else earlier), *parts]))
        else:
            alternated.append((role, parts))
    if not alternated or alternated[0][0] != "user":
        alternated.insert(0, ("user", [{"type": "text", "text": OPENING}]))
    return _with_images_of_answers(alternated)


def _with_images_of_answers(turns: list[Turn]) -> list[Turn]:
    """Returns the turns with the images of answers in the questions after them: elsewhere, models do not see them."""
    moved: list[Turn] = []
    images: list[Part] = []
    for role, parts in turns:
        if role == "user":
            moved.append((role, [*images, *parts]))
            images = []
        else:
            images = [part for part in parts if part["type"] == "image"]
            moved.append((role, [IMAGE_TEXT if part["type"] == "image" else part for part in parts]))
    return moved


def has_content(parts: list[Part], *, with_calls: bool = True) -> bool:
    """Returns whether there is anything that a model is sent. Its thoughts alone are nothing."""
    for part in parts:
        if part["type"] == "text":
            if part["text"].strip():
                return True
        elif part["type"] == "image" or (with_calls and part["type"] in CALL_PARTS):
            return True
    return False


def _with_empty_line(parts: list[Part]) -> list[Part]:
    """Returns the parts with an empty line after their last text."""
    texts = [index for index, part in enumerate(parts) if part["type"] == "text" and part["text"].strip()]
    if not texts:
        return parts
    last = parts[texts[-1]]
    return [*parts[: texts[-1]], last | {"text": f"{last['text']}\n\n"}, *parts[texts[-1] + 1 :]]
