"""What the terminal shows."""

import sys
from typing import Any

from django.core.management.base import OutputWrapper

from .. import events
from .safe_text import TERMINAL_SAFE
from .wait_line import WaitLine


class ToolCall:
    """A tool call as it is shown."""

    def __init__(self, name: str = "", started_at: int | None = None) -> None:
        self.name = name
        self.arguments = ""
        self.started_at = started_at  # milliseconds

    def __str__(self) -> str:
        return f"{self.name} {self.arguments}"


class Screen:
    """Writes the answer to stdout and everything else to stderr, at once, each stream beginning a line of its own.

    With `steps`, reasoning and tool calls are shown; with `announce`, the id of the conversation once.
    """

    def __init__(self, out: OutputWrapper, err: OutputWrapper, steps: bool, announce: bool) -> None:
        self.out = out
        self.err = err
        self.steps = steps
        self.announce = announce
        self._unfinished: OutputWrapper | None = None  # the stream whose line has no end yet
        self._last_delta = ""  # of the answer
        self._is_trimmed = False  # whether the user knows that the model does not see the whole conversation
        self._calls: dict[str, ToolCall] = {}
        self._reasoning_since: int | None = None  # milliseconds
        self._wait = WaitLine(err)
        for stream in (out, err, sys.stdin):
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="replace")

    def write_answer(self, text: str) -> None:
        if text:
            self._write(self.out, text)
            self._last_delta = text

    def write_note(self, text: str, end: str = "\n") -> None:
        self._write(self.err, text + end)

    def begin_answer(self) -> None:
        self._wait.begin()

    def show_wait(self) -> None:
        """Says on a terminal what is waited for; called once a second while nothing happens."""
        has_line = self._unfinished is self.err or (self._unfinished and self._is_one_terminal())
        if self.err.isatty() and not has_line:
            self._wait.draw()

    def end_answer(self) -> None:
        """Ends the answer's last line."""
        self._wait.erase()
        if self._last_delta and not self._last_delta.endswith("\n"):
            self._write(self.out, "\n")
        self._last_delta = ""

    def line_was_typed(self) -> None:
        """The user's Enter has ended the line on the screen."""
        self._unfinished = None

    def _write(self, stream: OutputWrapper, text: str) -> None:
        self._wait.erase()
        other = self._unfinished if self._unfinished is not stream else None
        if other and (other is self.err or self._is_one_terminal()):
            self.err.write("\n", str, "")
            self.err.flush()
        stream.write(text.translate(TERMINAL_SAFE) if stream.isatty() else text, str, "")
        stream.flush()
        self._unfinished = None if text.endswith("\n") else stream

    def _is_one_terminal(self) -> bool:
        return self.out.isatty() and self.err.isatty()

    def show(self, event: events.Event) -> None:
        self._wait.note(event)
        match event:
            case events.RunStarted() if self.announce:
                self.announce = False
                self.write_note(f"Conversation {event.thread_id}")
            case events.TextMessageContent():
                self.write_answer(event.delta)
            case events.Custom(name=events.IMAGE):
                self.write_note("[Image: cannot be shown in the terminal]")
            case events.Custom(name=events.CONTEXT_TRIMMED) if not self._is_trimmed:
                self._is_trimmed = True
                self.write_note("The conversation is long, and the model no longer sees the oldest messages.")
            case events.Custom(name=events.IMAGES_TRIMMED):
                self.write_note(f"The model sees only the newest images from now on: {event.value['shown']}.")
            case events.Custom(name=events.PART_WITHDRAWN):
                self.end_answer()  # what was shown stays: it was a thought
            case events.ToolCallStart():
                self._calls[event.tool_call_id] = ToolCall(event.tool_call_name, event.timestamp)
            case events.ToolCallArgs():
                self._calls[event.tool_call_id].arguments += event.delta
        if self.steps:
            self._show_step(event)

    def _show_step(self, event: events.Event) -> None:
        match event:
            case events.ReasoningStart():
                self._reasoning_since = event.timestamp
                self.write_note("thinking: ", end="")
            case events.ReasoningMessageContent():
                self.write_note(event.delta, end="")
            case events.ReasoningEnd():
                self.write_note(_duration(self._reasoning_since, event.timestamp))
            case events.ToolCallEnd():
                self.write_note(str(self.tool_call(event.tool_call_id)))
            case events.ToolCallResult():
                call = self.tool_call(event.tool_call_id)
                arrow = "failed:" if event.metadata and event.metadata.get("error") else "→"
                seconds = _duration(call.started_at, event.timestamp)
                self.write_note(f"{call.name} {arrow} {event.content}{seconds}")

    def tool_call(self, tool_call_id: Any) -> ToolCall:
        return self._calls.get(tool_call_id, ToolCall())


def _duration(started_at: int | None, ended_at: int | None) -> str:
    """` (1.2 s)`, or nothing where a time is not known."""
    return f" ({(ended_at - started_at) / 1000:.1f} s)" if started_at and ended_at else ""
