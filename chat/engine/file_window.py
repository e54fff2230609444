"""Cuts the files of a conversation, by whole pages, to what its model's context window has room for.

In the turns of a request, a file is a part of text that has the file itself under "file". The files of the newest
question come first; what is left goes to older ones.
"""

from collections.abc import Callable, Sequence
from typing import Any

from ..file_text import file_text, label_of

Turn = tuple[str, list[dict[str, Any]]]  # a role and its parts

FRAME_TOKENS = 100  # of the name, and of the sentence that says what is left out
MIN_BEGINNING_TOKENS = 200  # of a first page that is too long itself

Estimate = Callable[[str], float]


def file_tokens(turns: Sequence[Turn], estimate: Estimate) -> float:
    """Returns the tokens of the files in these turns."""
    return sum(estimate(part["text"]) for _, parts in turns for part in parts if "file" in part)


def without_files(turns: Sequence[Turn]) -> list[Turn]:
    """Returns the turns as providers know them: files are text alone."""
    return [
        (role, [{"type": "text", "text": part["text"]} if "file" in part else part for part in parts])
        for role, parts in turns
    ]


def cut_files(turns: Sequence[Turn], room: float, estimate: Estimate) -> tuple[list[Turn], list[dict[str, Any]]]:
    """Returns the turns with files of at most `room` tokens together, and what was cut: {"name", "unit", "count",
    "shown"} of each file that is not whole.
    """
    cut_turns: list[Turn] = []
    trimmed: list[dict[str, Any]] = []
    for role, parts in reversed(turns):
        cut_parts = []
        for part in parts:
            if "file" in part:
                part, shown = _cut(part, room, estimate)
                room -= estimate(part["text"])
                if shown is not None:
                    names = ("name", "unit", "count")
                    trimmed.append({**{name: part["file"][name] for name in names}, "shown": shown})
            cut_parts.append(part)
        cut_turns.append((role, cut_parts))
    return cut_turns[::-1], trimmed


def _cut(part: dict[str, Any], room: float, estimate: Estimate) -> tuple[dict[str, Any], int | None]:
    """Returns the part with as many units as fit, and their number; None if it is whole."""
    if estimate(part["text"]) <= room:
        return part, None
    file = part["file"]
    room -= FRAME_TOKENS
    shown = 0
    for unit in file["units"]:
        room -= estimate(f"{label_of(file, unit)}\n{unit['text']}\n")
        if room < 0:
            break
        shown += 1
    beginning = ""
    if not shown and file["units"]:
        text = file["units"][0]["text"]
        tokens = estimate(text)
        left = room + tokens
        if left > MIN_BEGINNING_TOKENS:
            beginning = _whole_lines(text[: int(len(text) * left / tokens)])
    return {**part, "text": file_text(file, shown, beginning)}, shown


def _whole_lines(text: str) -> str:
    end = text.rfind("\n")
    return text[:end] if end > 0 else text
