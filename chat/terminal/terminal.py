"""One user and one conversation: questions, answers, approvals and signals."""

import contextlib
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any

from .. import events
from ..errors import Refused
from ..models import offers_always
from . import ExitCode
from .loop import EventReader, LoopThread
from .prompt import Prompt, validate
from .screen import Screen
from .session import Decisions, Events, Session

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Terminal:
    """`run` asks one question, or one for each line, and returns the exit code."""

    def __init__(self, session: Session, screen: Screen) -> None:
        self.session = session
        self.screen = screen
        self.prompt = Prompt(screen)
        self.loop = LoopThread()
        self.is_answering = False
        self.is_stopping = False
        self.signal_code = 0  # the exit code, once a signal has ended the command

    def run(self, text: str | None) -> int:
        with self._signal_handlers():
            try:
                if text is None and sys.stdin:
                    return self.ask_lines()
                question = self.prompt.question(text or "")
                if question is None or self.signal_code:
                    return self.signal_code or ExitCode.STOPPED
                with self.loop:
                    return self.ask(question)
            except KeyboardInterrupt:  # between the end of a line and the next step
                return ExitCode.STOPPED

    @contextlib.contextmanager
    def _signal_handlers(self) -> Iterator[None]:
        """Handles the signals that this process was not started to ignore (as by nohup)."""
        handlers: dict[int, Any] = {}
        if threading.current_thread() is threading.main_thread():
            handlers = {number: signal.getsignal(number) for number in SIGNALS}
            handlers = {number: handler for number, handler in handlers.items() if handler is not signal.SIG_IGN}
        for number in handlers:
            signal.signal(number, self._on_signal)
        try:
            yield
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        """Ctrl-C discards a line or stops an answer. A second one, or another signal, ends the command; a third kills
        it."""
        if self.is_answering and number == signal.SIGINT and not self.is_stopping:
            self.is_stopping = True
            self.loop.call(self.session.stop)
            return
        if not self.prompt.is_reading or number != signal.SIGINT:
            self.signal_code = 128 + number
            signal.signal(number, signal.SIG_DFL)
        if self.is_answering:
            self.loop.call(self.session.leave)
        if self.prompt.is_reading:
            self.prompt.interrupt()

    def ask_lines(self) -> int:
        """Asks line by line. If no user is typing, the first question without an answer ends it."""
        if self.prompt.is_interactive:
            self.prompt.edit_lines(self.session.questions)
            self.screen.write_note("Ctrl-C stops the answer, Ctrl-D exits.")
        with self.loop:
            while not self.signal_code and (line := self.prompt.line()) is not None:
                code = self._ask_line(line)
                if code and not self.prompt.is_interactive:
                    return code
        return self.signal_code

    def _ask_line(self, line: str) -> int:
        if not line.strip():
            return ExitCode.ANSWERED
        try:
            return self.ask(validate(line))
        except Refused as error:
            self.screen.write_note(error.message)
            return ExitCode.FAILED

    def ask(self, text: str) -> int:
        """Shows the answer, and what follows where it waits for approval; returns the exit code."""
        answer = self.session.ask(text)
        while True:
            try:
                end = self._show(answer)
            except Refused as error:
                self.screen.write_note(error.message)
                return ExitCode.FAILED
            if self.signal_code:
                return self.signal_code
            interrupts = _interrupts(end)
            if not interrupts:
                return self._report(end)
            decisions = self._approvals(interrupts)
            if decisions is None:
                return self.signal_code or ExitCode.NEEDS_APPROVAL
            answer = self.session.resume(decisions)

    def _show(self, answer: Events) -> events.Event | None:
        """Shows an answer to its end; returns its last event."""
        last = None
        self.is_stopping = False
        self.is_answering = True
        self.screen.begin_answer()
        try:
            self.loop.call(self.session.begin)
            with EventReader(self.loop, answer) as reader:
                try:
                    for event in reader:
                        if event is None:
                            self.screen.show_wait()
                            continue
                        self.screen.show(event)
                        last = event
                    self.screen.end_answer()
                except OSError:  # the output was closed
                    self.loop.call(self.session.stop)
                    raise
        finally:
            self.is_answering = False
        return last

    def _report(self, end: events.Event | None) -> int:
        """Tells how the answer ended, unless it is simply complete. Returns the exit code."""
        match end:
            case events.RunFinished(outcome={"type": "cancelled"}) if self.is_stopping:
                self.screen.write_note("Stopped.")
                return ExitCode.STOPPED
            case events.RunFinished(outcome={"type": "success"}):
                if notice := (end.result or {}).get("notice"):
                    self.screen.write_note(notice)
                return ExitCode.ANSWERED
            case events.RunError():
                self.screen.write_note(end.message)
                if advice := self.session.advice(end.code):
                    self.screen.write_note(advice)
            case events.RunFinished():
                self.screen.write_note("The answer was stopped elsewhere.")
            case _:
                self.screen.write_note("The conversation was deleted.")
        return ExitCode.FAILED

    def _approvals(self, interrupts: list[dict[str, Any]]) -> Decisions | None:
        """The user's answer to each; None if nobody is there to ask, or one is left open."""
        can_ask = self.prompt.is_interactive and self.screen.err.isatty()
        decisions = []
        for interrupt in interrupts:
            call = self.screen.tool_call(interrupt["toolCallId"])
            self.screen.write_note(f"{interrupt['message']}\n{call}")
            if can_ask:
                decision = self.prompt.decision(offers_always=offers_always(interrupt))
                if decision is None:
                    return None
                decisions.append((interrupt, decision))
        return decisions if can_ask else None


def _interrupts(end: events.Event | None) -> list[dict[str, Any]]:
    """What the run waits for, if it ended with that."""
    match end:
        case events.RunFinished(outcome={"type": "interrupt", "interrupts": interrupts}):
            return interrupts
    return []
