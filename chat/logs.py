"""The handler of the site's log: what repeats is written once a minute with its count.

An attack or an outage causes the same record for every request. Its first record is written as it is, the next ones are
counted, and a line each minute says how many there were. That the database cannot be used is no mistake in the code, so
it is told in a line, without a traceback.
"""

import copy
import logging
import threading
import time
from dataclasses import dataclass, field

from .outages import outage
from .redaction import redact

REPEAT_INTERVAL = 60  # seconds in which equal records are counted
MAX_KEYS = 1_000  # different records that are remembered; beyond that, all of a logger count as equal
SERVER_ERROR = 500
SECURITY = "django.security"  # these loggers get complete sentences, which contain what the client sent


@dataclass(slots=True)
class Repeats:
    """Equal records since the last one that was written."""

    last: logging.LogRecord
    since: float = field(default_factory=time.monotonic)
    count: int = 0


class CountingHandler(logging.StreamHandler):
    """Writes each warning and error once per REPEAT_INTERVAL, and then how many more there were.

    Records are equal if their logger, level, unformatted message and HTTP status are, and the place and type of their
    exception. What is below WARNING is written as it is. A request that is refused (4xx) is not worth a traceback.
    """

    def __init__(self, stream=None):
        super().__init__(stream)
        self.repeats: dict[tuple, Repeats] = {}
        self.timer: threading.Timer | None = None

    def format(self, record: logging.LogRecord) -> str:
        """Returns the line, with its traceback, without keys and passwords."""
        return redact(super().format(brief(record)))

    def emit(self, record: logging.LogRecord) -> None:
        """Called with the handler's lock held."""
        if is_refusal(record):
            record = copy.copy(record)
            record.exc_info = record.exc_text = None
        if record.levelno >= logging.WARNING and self._is_repeated(record):
            return
        super().emit(record)

    def _is_repeated(self, record: logging.LogRecord) -> bool:
        key = key_of(record)
        if key not in self.repeats and len(self.repeats) >= MAX_KEYS:
            self._summarize(REPEAT_INTERVAL)
            if len(self.repeats) >= MAX_KEYS:
                key = (record.name, record.levelno)
        repeats = self.repeats.get(key)
        if repeats is None or (not repeats.count and time.monotonic() - repeats.since >= REPEAT_INTERVAL):
            self.repeats[key] = Repeats(record)
            return False
        repeats.count += 1
        repeats.last = record
        if self.timer is None:
            self.timer = threading.Timer(REPEAT_INTERVAL, self.summarize)
            self.timer.daemon = True
            self.timer.start()
        return True

    def summarize(self, age: float = 0) -> None:
        """Writes how often each record was repeated; the traceback is that of the last one."""
        with self.lock:  # type: ignore[union-attr]  # None only if createLock is overridden
            self.timer = None
            self._summarize(age)

    def _summarize(self, age: float) -> None:
        now = time.monotonic()
        for key, repeats in list(self.repeats.items()):
            if now - repeats.since < age:
                continue
            if not repeats.count:
                del self.repeats[key]
                continue
            record = copy.copy(repeats.last)
            sentence = f"{record.getMessage()} ({repeats.count:,} more like this in {now - repeats.since:.0f} s)"
            record.msg, record.args = sentence, None
            super().emit(record)
            self.repeats[key] = Repeats(repeats.last)

    def close(self) -> None:
        """Called at the end of the process."""
        if self.timer is not None:
            self.timer.cancel()
        self.summarize()
        super().close()


def brief(record: logging.LogRecord) -> logging.LogRecord:
    """Returns the record; one about an outage of the database with the error's text in place of its traceback."""
    error = record.exc_info[1] if record.exc_info else None
    if outage(error) is None:
        return record
    record = copy.copy(record)
    record.msg, record.args = f"{record.getMessage()}: {' '.join(str(error).split())}", None
    record.exc_info = record.exc_text = None
    return record


def is_refusal(record: logging.LogRecord) -> bool:
    """Whether the record is about a request that was refused for what it was."""
    return record.name.startswith(SECURITY) or getattr(record, "status_code", SERVER_ERROR) < SERVER_ERROR


def key_of(record: logging.LogRecord) -> tuple:
    error, place = None, None
    if record.exc_info and record.exc_info[1] is not None:
        error, traceback = record.exc_info[0], record.exc_info[2]
        while traceback is not None:
            place = (traceback.tb_frame.f_code, traceback.tb_lineno)
            traceback = traceback.tb_next
    template = None if record.name.startswith(SECURITY) else record.msg
    return record.name, record.levelno, template, getattr(record, "status_code", None), error, place
