"""What the user types, or a pipe sends."""

import contextlib
import select
import sys
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Any

from django.conf import settings

from .. import events
from ..errors import Refused
from .screen import Screen
from .session import Decision

PIPE_NOTICE_DELAY = 2  # seconds without input until a note says that stdin is read to its end
PROMPT = "> "


class Prompt:
    """Reads from stdin. A signal handler ends a read with `interrupt`."""

    def __init__(self, screen: Screen) -> None:
        self.screen = screen
        self.is_reading = False
        self._readline: ModuleType | None = None
        self._typed = ""  # what the discarded line held

    @property
    def is_interactive(self) -> bool:
        return bool(sys.stdin and sys.stdin.isatty())

    def interrupt(self) -> None:
        """Ends the read that is going on; called in the main thread, from a signal handler."""
        self._typed = self._readline.get_line_buffer() if self._readline else ""
        raise KeyboardInterrupt

    def question(self, text: str) -> str | None:
        """The command's text, after what comes through a pipe; `-` is the pipe alone. None if interrupted."""
        piped = ""
        if sys.stdin and (text == "-" or not sys.stdin.isatty()):
            rest = self._read(self._rest_of_stdin)
            if rest is None:
                return None
            piped = rest
        parts = [events.clean_text(piped).rstrip(), "" if text == "-" else text]
        return validate("\n\n".join(part for part in parts if part))

    def line(self) -> str | None:
        """The next line; None at the end of the input, or after Ctrl-C on an empty line or another signal."""
        while True:
            self._typed = ""
            if not self.is_interactive or self.screen.out.isatty():
                line = self._read(input, PROMPT if self.is_interactive else "")
            else:  # stdout is for the answers alone
                self.screen.write_note(PROMPT, end="")
                line = self._read(input)
            if line is not None:
                return events.clean_text(line)
            if self.is_interactive:
                self.screen.write_note("")
            if not self._typed:
                return None

    def decision(self, offers_always: bool) -> Decision | None:
        """Whether the user allows a tool call; None if they leave the question open."""
        self.screen.write_note("[y]es, [a]lways in this conversation, [N]o: " if offers_always else "[y/N] ", end="")
        line = self._read(sys.stdin.readline)  # not `input`, which would put the answer into the history
        if line is None:
            self.screen.write_note("")
            return None
        answer = line.strip().casefold()
        if offers_always and answer in ("a", "always"):
            return Decision.ALWAYS
        return Decision.YES if answer in ("y", "yes") else Decision.NO

    def edit_lines(self, history: Iterable[str]) -> None:
        """Turns on line editing, where Python has it. No file keeps a history: saved questions are in the database."""
        with contextlib.suppress(ImportError):
            import readline

            self._readline = readline
            readline.parse_and_bind("set enable-bracketed-paste on")  # several pasted lines are one question
            readline.clear_history()
            for text in history:
                readline.add_history(text)

    def _read(self, function: Callable[..., str], *args: Any) -> str | None:
        """What the function reads, or None at the end of the input and after a signal."""
        try:
            self.is_reading = True
            line = function(*args)
            self.screen.line_was_typed()
            return line
        except (EOFError, KeyboardInterrupt):
            return None
        finally:
            self.is_reading = False

    def _rest_of_stdin(self) -> str:
        with contextlib.suppress(OSError, ValueError):  # stdin is no file: all of it is there
            if not sys.stdin.isatty() and not select.select([sys.stdin], [], [], PIPE_NOTICE_DELAY)[0]:
                self.screen.write_note("Reading stdin until it ends. If there is no input, add </dev/null.")
        return sys.stdin.read(settings.MAX_TEXT_LENGTH + 1)


def validate(text: str) -> str:
    """Returns the text. Raises Refused if it cannot be sent."""
    if not text.strip():
        raise Refused("There is no text to send.")
    if len(text) > settings.MAX_TEXT_LENGTH:
        raise Refused(f"The text is longer than {settings.MAX_TEXT_LENGTH:,} characters.")
    return text
