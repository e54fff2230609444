"""What an answer is waiting for, in one line of the terminal that is written over each second and erased in the end."""

import shutil
import time
import unicodedata
from collections.abc import Callable
from typing import Any

from .. import events
from .safe_text import TERMINAL_SAFE

WAIT_DELAY = 3  # seconds of waiting that need no words
SILENCE_DELAY = 10  # the same in the middle of the answer's text
ECHO_LENGTH = 2  # characters that the terminal adds to the line for Ctrl-C: ^C


class WaitLine:
    """`note` each event, `draw` once a second, and `erase` before anything else is written."""

    def __init__(self, stream: Any, now: Callable[[], float] = time.monotonic) -> None:
        self.stream = stream
        self.now = now
        self._length = 0  # columns on the screen
        self._tools: dict[str, str] = {}  # those that run: the call's id -> name
        self.begin()

    def begin(self) -> None:
        """A question was asked."""
        self._tools.clear()
        self._wait_for("Waiting in the queue")

    def note(self, event: events.Event) -> None:
        match event:
            case events.RunStarted():
                self._wait_for("The model is reading your message")
            case events.TextMessageContent():
                self._wait_for("Waiting for the model to continue", in_text=True)
            case events.ReasoningStart():
                self._wait_for("The model is thinking")
            case events.ToolCallStart():
                self._tools[event.tool_call_id] = event.tool_call_name
                self._wait_for_tools()
            case events.ToolCallResult():
                self._tools.pop(event.tool_call_id, None)
                self._wait_for_tools()

    def draw(self) -> None:
        seconds = int(self.now() - self._since)
        if seconds >= (SILENCE_DELAY if self._in_text else WAIT_DELAY):
            text = f"{self._sentence}… {seconds} s (Ctrl-C stops it)".translate(TERMINAL_SAFE)
            text = _fitting(text, shutil.get_terminal_size().columns - ECHO_LENGTH - 1)
            self.erase()
            self._write(text)
            self._length = sum(map(_width, text)) + ECHO_LENGTH

    def erase(self) -> None:
        if self._length:
            self._write(f"\r{' ' * self._length}\r")
            self._length = 0

    def _wait_for_tools(self) -> None:
        if self._tools:
            name = " ".join(next(iter(self._tools.values())).split())  # on one line
            self._wait_for(f"The tool {name} is running")
        else:
            self._wait_for("The model is reading the result")

    def _wait_for(self, sentence: str, *, in_text: bool = False) -> None:
        self._sentence = sentence
        self._in_text = in_text
        self._since = self.now()

    def _write(self, text: str) -> None:
        self.stream.write(text, str, "")
        self.stream.flush()


def _fitting(text: str, columns: int) -> str:
    """Returns as much of the text as fits: a line that is wrapped cannot be erased."""
    while sum(map(_width, text)) > columns:
        text = text[:-1]
    return text


def _width(character: str) -> int:
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
