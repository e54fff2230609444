"""The line of the terminal that says what an answer is waiting for."""

import pytest
from django.core.management.base import OutputWrapper

from chat.events import RunStarted, TextMessageContent, ToolCallResult, ToolCallStart
from chat.events.types import ReasoningStart
from chat.terminal.wait_line import WaitLine
from tests.terminal.streams import Stream


class Clock:
    seconds = 0

    def __call__(self):
        return self.seconds


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def line(clock):
    line = WaitLine(OutputWrapper(Stream(tty=True)), clock)
    line.begin()
    return line


def shown(line):
    """What a terminal shows after all that was written to it."""
    screen = []
    column = 0
    for character in line.stream.getvalue():
        if character == "\r":
            column = 0
            continue
        screen[column : column + 1] = character
        column += 1
    return "".join(screen).rstrip()


WAITS = {  # events -> what is waited for
    "queue": ([], "Waiting in the queue"),
    "message": ([RunStarted("c", "r")], "The model is reading your message"),
    "thoughts": ([RunStarted("c", "r"), ReasoningStart("t")], "The model is thinking"),
    "tool": ([ToolCallStart("a", "clock")], "The tool clock is running"),
    "second tool": (
        [ToolCallStart("a", "clock"), ToolCallStart("b", "search"), ToolCallResult("a", "12")],
        "The tool search is running",
    ),
    "result": ([ToolCallStart("a", "clock"), ToolCallResult("a", "12")], "The model is reading the result"),
    "result of an approved tool": ([ToolCallResult("a", "12")], "The model is reading the result"),
    "text": ([TextMessageContent("m", "Hello")], "Waiting for the model to continue"),
    "tool on two lines": (
        [ToolCallStart("a", "cl\nock\x1b[2J")],
        "The tool cl ock\N{REPLACEMENT CHARACTER}[2J is running",
    ),
}


@pytest.mark.parametrize("kind", WAITS)
def test_wait_line_says_what_the_answer_waits_for(line, clock, kind):
    events, sentence = WAITS[kind]
    for event in events:
        line.note(event)
    clock.seconds += 42
    line.draw()
    assert shown(line) == f"{sentence}… 42 s (Ctrl-C stops it)"
    line.erase()
    assert shown(line) == ""


def test_wait_line_is_written_over_with_the_seconds(line, clock):
    line.note(RunStarted("c", "r"))
    for seconds in (3, 10, 100):
        clock.seconds = seconds
        line.draw()
        assert shown(line) == f"The model is reading your message… {seconds} s (Ctrl-C stops it)"


def test_wait_line_needs_no_words_for_a_short_wait(line, clock):
    line.note(RunStarted("c", "r"))
    clock.seconds = 2.9
    line.draw()
    line.note(TextMessageContent("m", "Hello"))
    clock.seconds = 12.8
    line.draw()
    line.erase()
    assert line.stream.getvalue() == ""


def test_wait_line_counts_from_the_last_text(line, clock):
    for clock.seconds in (0, 30):
        line.note(TextMessageContent("m", "Hello"))
    clock.seconds = 42
    line.draw()
    assert "12 s" in shown(line)


@pytest.mark.parametrize("name", ["clock" * 40, "時計" * 40])
def test_wait_line_is_never_wrapped(line, clock, monkeypatch, name):
    monkeypatch.setenv("COLUMNS", "40")
    line.note(ToolCallStart("a", name))
    clock.seconds = 42
    line.draw()
    written = line.stream.getvalue()
    assert sum(1 if character.isascii() or character == "…" else 2 for character in written) in (36, 37)
    line.erase()
    assert shown(line) == ""
