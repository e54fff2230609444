"""The command in this process."""

import signal
import sys
import threading

import pytest
from asgiref.sync import async_to_sync
from django.core.management import CommandError, call_command

from tests.terminal.streams import Stream


@pytest.fixture
def write(script):
    """`write(name, *steps)`: what the assistant of that name says."""
    return async_to_sync(script)


@pytest.fixture
def chat(monkeypatch):
    """`chat("text", stdin="more", tty=True)`: its (exit code, stdout, stderr)."""

    def chat(text=None, stdin="", tty=False, out=None, **options):
        monkeypatch.setattr(sys, "stdin", Stream(stdin, tty))
        out, err, code = out or Stream(tty=tty), Stream(tty=tty), 0
        try:
            call_command("chat", *([] if text is None else [text]), stdout=out, stderr=err, **options)
        except SystemExit as end:
            code = end.code
        except CommandError as error:
            code = error.returncode
            err.write(f"{error}\n")
        return code, out.getvalue(), err.getvalue()

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    threads = threading.active_count()
    yield chat
    assert {number: signal.getsignal(number) for number in before} == before
    assert threading.active_count() <= threads + 1  # Django's own thread for database work stays
