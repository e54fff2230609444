"""The channels of gpt-oss (OpenAI's harmony format), where a server passes them on as text.

    <|channel|>analysis<|message|>…<|end|><|start|>assistant<|channel|>final<|message|>…<|return|>
    <|channel|>commentary to=functions.clock <|constrain|>json<|message|>{…}<|call|>

Format: https://github.com/openai/harmony/blob/main/docs/format.md
"""

import re

from ...events import Piece, Reasoning, Text, ToolCallArgs, ToolCallEnd, ToolCallStart

FIRST = ("<|start|>assistant<|channel|>", "<|channel|>")
START = re.compile("|".join(map(re.escape, FIRST)))
MARKS = ("<|start|>", "<|channel|>", "<|message|>", "<|constrain|>", "<|end|>", "<|return|>", "<|call|>")
MARK = re.compile("|".join(map(re.escape, MARKS)))
RECIPIENT = re.compile(r"\bto=(?:functions\.)?([\w.-]+)")
MAX_HEADER_LENGTH = 500  # characters


def could_start(text: str) -> bool:
    """Whether this may be the beginning of a response in this format."""
    return any(first.startswith(text) for first in FIRST)


class HarmonyReader:
    """The text behind the first mark -> pieces: analysis is reasoning, final is text, a recipient is a tool."""

    def __init__(self) -> None:
        self.held = ""
        self.header: str | None = ""  # that is being read, or None
        self.channel = ""
        self.call = ""  # id of the open tool call
        self.call_count = 0

    def feed(self, text: str, is_end: bool) -> list[Piece]:
        text = self.held + text
        self.held = ""
        read: list[Piece] = []
        start = 0
        for mark in MARK.finditer(text):
            self._text(text[start : mark.start()], read)
            self._mark(mark[0], read)
            start = mark.end()
        rest = text[start:]
        at = rest.rfind("<")
        if not is_end and at >= 0 and any(mark.startswith(rest[at:]) for mark in MARKS):
            self.held = rest[at:]
            rest = rest[:at]
        self._text(rest, read)
        return read + (self._end_call() if is_end else [])

    def _text(self, text: str, read: list[Piece]) -> None:
        if self.header is not None:
            self.header += text
            if len(self.header) > MAX_HEADER_LENGTH:  # it is none
                read.append(Text(self.header))
                self.header = None
                self.channel = "final"
        elif not self.channel and not text.strip():
            return  # between two messages
        elif text and self.call:
            read.append(ToolCallArgs(self.call, text))
        elif text:
            read.append(Text(text) if self.channel in ("final", "") else Reasoning(text))

    def _mark(self, mark: str, read: list[Piece]) -> None:
        if mark in ("<|start|>", "<|channel|>"):
            read += self._end_call()
            self.header = ""
        elif mark == "<|message|>":
            self._begin_message(read)
        elif mark in ("<|end|>", "<|return|>", "<|call|>"):
            read += self._end_call()
            self.channel = ""

    def _begin_message(self, read: list[Piece]) -> None:
        header = self.header or ""
        self.header = None
        self.channel = header.split(maxsplit=1)[0] if header.strip() else "final"
        if recipient := RECIPIENT.search(header):
            self.call = f"call_{self.call_count}"
            self.call_count += 1
            read.append(ToolCallStart(self.call, recipient[1]))

    def _end_call(self) -> list[Piece]:
        if not self.call:
            return []
        end = ToolCallEnd(self.call)
        self.call = ""
        return [end]
