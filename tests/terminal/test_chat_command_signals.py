"""`manage.py chat` is told to stop, or its output ends."""

import asyncio
import os
import signal
import sys
import threading

import pytest
from django.core.management import call_command
from django.db.models.signals import post_save

from chat.events import Text
from chat.models import Conversation, Run
from tests import scripted
from tests.terminal.streams import HELLO, Interrupted, Stream, forever, pressed
from tests.waiting import wait_until

pytestmark = pytest.mark.slow


class FailingStream(Stream):
    def __init__(self, error, after=0):
        super().__init__()
        self.error, self.after = error, after

    def write(self, text):
        if len(self.getvalue()) >= self.after:
            raise self.error
        return super().write(text)


@pytest.mark.parametrize("user", [None, "alice"])
def test_ctrl_c_stops_the_answer(write, chat, alice, user):
    write("endless", Text("so far"), pressed())
    code, out, err = chat("Hi", user=user, assistant="endless")
    assert (code, out) == (130, "so far\n")
    assert err.endswith("Stopped.\n")
    assert scripted.closed == ["endless"]
    assert [(run.status, run.message.text) for run in Run.objects.all()] == ([("cancelled", "so far")] if user else [])


def test_ctrl_c_before_the_run_exists_stops_it(write, chat, alice):
    write("endless", forever, *HELLO)

    def begun(created, **kwargs):
        if created:
            os.kill(os.getpid(), signal.SIGINT)

    post_save.connect(begun, sender=Conversation)
    try:
        code, out, err = chat("Hi", user="alice", assistant="endless")
    finally:
        post_save.disconnect(begun, sender=Conversation)
    assert (code, out) == (130, "")
    assert err.endswith("Stopped.\n")
    assert Run.objects.get().status == "cancelled"


@pytest.mark.parametrize("user", [None, "alice"])
def test_ctrl_c_twice_exits_at_once(write, chat, alice, user):
    """The model does not let go at the first."""
    second = threading.Event()

    async def stubborn():
        try:
            os.kill(os.getpid(), signal.SIGINT)
            await forever()
        finally:
            os.kill(os.getpid(), signal.SIGINT)
            await asyncio.to_thread(second.wait, 0.5)

    write("stubborn", Text("so far"), stubborn)
    code, out, _ = chat(stdin="Hi\nnever asked\n", user=user, assistant="stubborn")
    assert (code, out) == (130, "so far\n")
    assert len(scripted.requests) == 1


@pytest.mark.parametrize("user", [None, "alice"])
def test_sigterm_exits_in_order(write, chat, alice, user):
    write("endless", Text("so far"), pressed(signal.SIGTERM))
    code, out, err = chat("Hi", user=user, assistant="endless")
    assert (code, out) == (143, "so far\n")
    assert "Stopped" not in err
    assert scripted.closed == ["endless"]
    assert [run.status for run in Run.objects.all()] == (["interrupted"] if user else [])


def test_signals_while_reading(write, chat, monkeypatch):
    write("plain", *HELLO)

    def run(*lines, text=None):
        monkeypatch.setattr(sys, "stdin", Interrupted(*lines))
        try:
            call_command("chat", *([text] if text else []), assistant="plain", stdout=Stream(), stderr=Stream())
        except SystemExit as end:
            return end.code

    assert run(signal.SIGINT) is None
    assert run("Hi\n", signal.SIGINT) is None
    assert run("Hi\n", signal.SIGTERM) == 143
    assert run(signal.SIGINT, text="-") == 130
    assert run(signal.SIGTERM, text="-") == 143
    assert len(scripted.requests) == 2


@pytest.mark.parametrize("user", [None, "alice"])
def test_output_that_is_closed_stops_the_answer(write, chat, alice, user):
    pipe = FailingStream(BrokenPipeError(), after=3)
    write("endless", Text("so far"), lambda: wait_until(pipe.getvalue), Text(" and no further"), forever)
    code, out, err = chat("Hi", out=pipe, user=user, assistant="endless")
    assert (code, out) == (141, "so far")
    assert "Broken" not in err
    assert scripted.closed == ["endless"]
    assert [run.status for run in Run.objects.all()] == (["cancelled"] if user else [])


def test_output_to_a_full_disk_is_an_error(write, chat):
    write("plain", *HELLO)
    code, _, err = chat("Hi", out=FailingStream(OSError(28, "No space left on device")), assistant="plain")
    assert code == 1
    assert err == "The answer cannot be written: [Errno 28] No space left on device\n"


def test_signal_handlers_are_not_set_outside_the_main_thread(write, chat):
    write("plain", *HELLO)
    results = []
    thread = threading.Thread(target=lambda: results.append(chat("Hi", model="scripted:plain")))
    thread.start()
    thread.join()
    assert results == [(0, "Hello there\n", "")]
