"""What the readers of formats share: the file, and the writer of its text with its limits."""

import json
import time
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import IO

from ..events import clean_text

HEAD_BYTES = 65_536
MAX_LABEL_LENGTH = 100  # characters
CPU_RESERVE = 2  # seconds of the task's time that are left for the unit that is being read when the time is over


class Full(Exception):
    """The limit of characters, units or time is reached; what was read until then is kept."""


@dataclass(frozen=True)
class SourceFile:
    """A user's file. Its name is only asked where the content leaves the format open."""

    path: str
    name: str

    @cached_property
    def head(self) -> bytes:
        with open(self.path, "rb") as file:
            return file.read(HEAD_BYTES)

    @cached_property
    def entries(self) -> set[str]:
        """Returns the paths in a ZIP file; none if it is none or cannot be opened."""
        try:
            with zipfile.ZipFile(self.path) as archive:
                return set(archive.namelist())
        except Exception:  # a damaged file raises all kinds of errors
            return set()

    def read(self) -> bytes:
        with open(self.path, "rb") as file:
            return file.read()

    @cached_property
    def extension(self) -> str:
        """Returns what follows the last dot of the name, in lower case; "" without a dot."""
        return self.name.rpartition(".")[2].lower() if "." in self.name else ""


class TextWriter:
    """Writes units of text, a line of JSON each, up to the limits.

    A unit is what the person counts: a page, a sheet, a slide, a message; a file of a format without these is one unit
    with an empty label. `unit` is the name of the kind, `count` how many the file has.
    """

    def __init__(self, output: IO[str], max_characters: int, max_units: int, cpu_seconds: float) -> None:
        self.media_type = "text/plain"
        self.unit: str | None = None
        self.count: int | None = None
        self.characters = 0
        self.written = 0  # units
        self.notes: list[str] = []
        self._output = output
        self._max_characters = max_characters
        self._max_units = max_units
        self._deadline = time.process_time() + max(cpu_seconds - CPU_RESERVE, cpu_seconds / 2)

    @property
    def room(self) -> int:
        """How many more characters may be written."""
        return self._max_characters - self.characters

    def begin(self, media_type: str, unit: str | None = None, count: int | None = None) -> None:
        self.media_type, self.unit, self.count = media_type, unit, count

    def note(self, code: str) -> None:
        if code not in self.notes:
            self.notes.append(code)

    def add(self, label: str, text: str) -> None:
        """Writes a unit. Raises Full if it is one too many; of the first one, the beginning is written."""
        text = clean_text(text).strip("\n")
        if len(text) > self.room:
            if not self.written:
                self._write(label, cut_at_line(text, self.room))
            raise Full
        self._write(label, text)

    def check_limits(self) -> None:
        """Raises Full if no further unit should be read."""
        if self.written >= self._max_units or time.process_time() > self._deadline:
            raise Full

    def _write(self, label: str, text: str) -> None:
        self.check_limits()
        record = {"label": clean_text(label)[:MAX_LABEL_LENGTH], "text": text}
        self._output.write(json.dumps(record, ensure_ascii=False) + "\n")
        self.characters += len(text)
        self.written += 1


def cut_at_line(text: str, length: int) -> str:
    """Returns at most so many characters from the beginning of the text, whole lines if there are some."""
    if len(text) <= length:
        return text
    end = text.rfind("\n", 0, length + 1)
    return text[:end] if end > 0 else text[:length]


def join_lines(lines: Iterable[str]) -> str:
    """Returns the lines as one text, with at most one empty line in a row."""
    joined: list[str] = []
    for line in lines:
        line = line.rstrip()
        if line or (joined and joined[-1]):
            joined.append(line)
    return "\n".join(joined).rstrip()
