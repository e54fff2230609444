"""Reads the files that an export has beside its conversations, as uploads are read: their text becomes a document.

Each is read in a process of its own, so that one which crashes the library that reads it, or takes too long, is left
out alone.
"""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

from ..extraction import task as extraction
from ..file_text import file_text
from .base import FILE_TIME

MAX_FILES = 1_000  # in an import
CPU_SECONDS = 5  # for one
MAX_CHARACTERS = 100_000  # of one
MAX_CONVERSATION_CHARACTERS = 800_000  # of all files of a conversation: the limit of its length is not theirs to reach
MAX_UNITS = 2_000  # pages, sheets or slides
CUT = "\n[…]"


class DocumentReader:
    """Reads files within the bounds of one import."""

    def __init__(self, folder: str) -> None:
        self._source = Path(folder, "document")
        self._target = Path(folder, "document-text")
        self._count = 0
        self._room = 0  # characters
        self._time = 0.0  # seconds that reading has taken

    def begin_conversation(self) -> None:
        self._room = MAX_CONVERSATION_CHARACTERS

    def read(self, name: str, read: Callable[[], bytes]) -> str | None:
        """Returns the text of a file; None if it cannot be read or has none."""
        self._count += 1
        is_over = self._count > MAX_FILES or self._time > FILE_TIME or self._room < MAX_CHARACTERS
        if is_over or not hasattr(os, "fork"):
            return None
        start = time.monotonic()
        try:
            text = self._read(name, read)
        finally:
            self._time += time.monotonic() - start
        self._room -= len(text)
        return text or None

    def _read(self, name: str, read: Callable[[], bytes]) -> str:
        try:
            self._source.write_bytes(read())
        except Exception:  # also MemoryError: this file is too large, the next one may not be
            return ""
        self._target.unlink(missing_ok=True)
        process = os.fork()
        if not process:
            self._extract(name)
        _, status = os.waitpid(process, 0)
        return self._text(name) if status == 0 else ""

    def _extract(self, name: str) -> None:
        """Ends this process, with 0 if the file was read."""
        status = 1
        try:
            import resource

            hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
            resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS + 1, hard))
            units = f"{self._target}-units"
            result = extraction.run(str(self._source), units, name, MAX_CHARACTERS, MAX_UNITS, CPU_SECONDS)
            with open(units, encoding="utf-8") as lines:  # str.splitlines() also splits within a text
                self._target.write_text(json.dumps({**result, "units": list(map(json.loads, lines))}))
            status = 0
        finally:
            os._exit(status)

    def _text(self, name: str) -> str:
        result = json.loads(self._target.read_text())
        lines = file_text({**result, "name": name}).strip().split("\n")[1:-1]  # a document gets this frame again
        text = "\n".join(lines).strip()
        is_cut = any(note.startswith("truncated") for note in result["notes"])
        return text + CUT if text and is_cut else text
