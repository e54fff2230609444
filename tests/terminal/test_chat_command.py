"""`manage.py chat` in this process, with a scripted model. test_chat_command_tty uses real terminals."""

import asyncio
import io
import logging
import os
import signal
import sys
import threading

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection, transaction
from django.db.models.signals import post_save

from chat.events import Approval, Finish, Reasoning, Text, ToolCallArgs, ToolCallEnd, ToolCallResult, ToolCallStart
from chat.models import Assistant, Conversation, Ending, Message, Run
from chat.providers import ProviderError
from chat.terminal import loop, wait
from tests import scripted
from tests.waiting import wait_until

pytestmark = pytest.mark.slow

HELLO = [Text("Hello"), Text(" there"), Finish("stop")]
LOOK = [ToolCallStart("c1", "look"), ToolCallArgs("c1", '{"at": '), ToolCallArgs("c1", '"me"}'), ToolCallEnd("c1")]


class Stream(io.StringIO):
    """Standard input, output or error: a terminal, or not."""

    def __init__(self, text="", tty=False):
        super().__init__(text)
        self.tty = tty

    def isatty(self):
        return self.tty


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


def press(number=signal.SIGINT):
    """A step of a script: the signal comes now."""
    return lambda: os.kill(os.getpid(), number)


async def forever():
    await asyncio.Event().wait()


def pressed(number=signal.SIGINT):
    async def step():
        os.kill(os.getpid(), number)
        await forever()

    return step


def test_unsaved_answer_stores_nothing(write, chat):
    write("plain", *HELLO)
    assert chat("Hi", assistant="plain") == (0, "Hello there\n", "")
    assert not Run.objects.exists()
    assert not Conversation.objects.exists()
    assert scripted.closed == ["plain"]


def test_default_assistant_is_asked_as_it_is_set_up(write, chat):
    write("plain", *HELLO, system_prompt="Be brief.", params={"temperature": 0}, is_default=True)
    assert chat("Hi")[0] == 0
    request = scripted.requests[-1]
    assert (request.system_prompt, request.params) == ("Be brief.", {"temperature": 0})
    assert chat("Hi", model="scripted:plain")[0] == 0
    assert scripted.requests[-1].system_prompt == ""
    write("other", *HELLO)
    assert chat("Hi", assistant="plain", model="scripted:other")[0] == 0
    assert (scripted.requests[-1].model, scripted.requests[-1].system_prompt) == ("other", "Be brief.")


def test_time_zone_is_that_of_the_terminal(write, chat, settings, alice):
    write("plain", *HELLO)
    settings.TERMINAL_TIME_ZONE = ":Asia/Tokyo"
    chat("Hi", assistant="plain")
    assert scripted.requests[-1].context.time_zone == "Asia/Tokyo"
    chat("Hi", assistant="plain", user="alice")
    assert scripted.requests[-1].context.time_zone == "Asia/Tokyo"
    settings.TERMINAL_TIME_ZONE = "../nowhere"
    chat("Hi", assistant="plain")
    assert scripted.requests[-1].context.time_zone != "../nowhere"


def test_steps_go_to_stderr(write, chat):
    failed = ToolCallResult("c2", "There is nothing.", metadata={"error": True})
    calls = [*LOOK, ToolCallResult("c1", "you"), ToolCallStart("c2", "look"), ToolCallEnd("c2"), failed]
    write("agent", Reasoning("hm"), Reasoning("m"), *calls, *HELLO)
    assert chat("Hi", assistant="agent") == (0, "Hello there\n", "")
    code, out, err = chat("Hi", assistant="agent", steps=True)
    assert (code, out) == (0, "Hello there\n")
    thought, call, result, second, failure = err.splitlines()
    assert thought.startswith("thinking: hmm (0.")
    assert call == 'look {"at": "me"}'
    assert result.startswith("look → you (0.")
    assert second.strip() == "look"
    assert failure.startswith("look failed: There is nothing. (0.")


def test_steps_and_answer_have_lines_of_their_own_on_one_terminal(write, chat):
    write("agent", Text("Let me see."), *LOOK, Reasoning("hm"), *HELLO)
    code, out, err = chat("Hi", assistant="agent", steps=True, tty=True)
    assert (code, out) == (0, "Let me see.Hello there\n")
    assert err.startswith('\nlook {"at": "me"}\nthinking: hm (0.')


@pytest.mark.parametrize("steps", [False, True])
def test_wait_is_shown_on_a_terminal_alone(write, chat, monkeypatch, steps):
    monkeypatch.setattr(loop, "IDLE_INTERVAL", 0.01)
    monkeypatch.setattr(wait, "WAIT_DELAY", 0)
    monkeypatch.setattr(wait, "SILENCE_DELAY", 0)

    async def pause():
        await asyncio.sleep(0.2)

    write(
        "slow", pause, *LOOK, pause, ToolCallResult("c1", "you"), Text("Hello"), pause, Text(" there"), Finish("stop")
    )
    code, out, err = chat("Hi", assistant="slow", steps=steps)
    assert (code, out) == (0, "Hello there\n")
    assert "…" not in err
    code, out, err = chat("Hi", assistant="slow", steps=steps, tty=True)
    assert (code, out) == (0, "Hello there\n")
    assert "The model is reading your message… 0 s" in err
    assert "The tool look is running… 0 s" in err
    assert "to continue" not in err  # it would stand in the middle of the answer's line
    assert "…" not in err.rpartition(" \r")[2]


def test_steps_end_an_unfinished_line_before_an_error(write, chat):
    write("broken", Reasoning("hm"), ProviderError("Broken.", broken_off=True))
    code, out, err = chat("Hi", assistant="broken", steps=True)
    assert (code, out) == (1, "")
    assert err.splitlines()[-1] == "Broken."


def test_error_keeps_the_text_before_it(write, chat):
    write("broken", Text("Hel"), ProviderError("The model is overloaded."))
    assert chat("Hi", assistant="broken") == (1, "Hel\n", "The model is overloaded.\n")


def test_notice_says_that_the_answer_reached_its_limit(write, chat):
    write("long", Text("Hel"), Finish("length"))
    assert chat("Hi", assistant="long") == (0, "Hel\n", "The answer reached its length limit.\n")


@pytest.mark.parametrize(
    "options",
    [
        {"text": "Hi"},
        {"text": "Hi", "assistant": "nobody"},
        {"text": "", "model": "scripted:plain"},
        {"text": "-", "stdin": " \n", "model": "scripted:plain"},
        {"text": "x" * 101, "model": "scripted:plain"},
        {"text": "-", "stdin": "x" * 101, "model": "scripted:plain"},
        {"text": "Hi", "user": "nobody"},
        {"text": "Hi", "user": "alice"},
        {"text": "Hi", "user": "alice", "model": "scripted:plain"},
        {"text": "Hi", "conversation": "63fbc5c2-5a54-4a11-ba2c-1d8f3c2a7e44"},
        {"text": "Hi", "user": "alice", "conversation": "63fbc5c2-5a54-4a11-ba2c-1d8f3c2a7e44"},
    ],
)
def test_invalid_options_are_a_usage_error(write, chat, alice, settings, options):
    settings.MAX_TEXT_LENGTH = 100
    Assistant.objects.update(is_enabled=False)
    code, out, err = chat(**options)
    assert (code, out) == (2, "")
    assert err.strip().endswith((".", "?"))
    assert not scripted.requests
    assert not Conversation.objects.exists()


def test_inactive_user_is_a_usage_error(write, chat, alice):
    write("plain", *HELLO)
    alice.is_active = False
    alice.save()
    assert chat("Hi", user="alice", assistant="plain")[0] == 2


def test_closed_stdin_is_not_a_question(write, chat, monkeypatch):
    err = Stream()
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(CommandError) as error:
        call_command("chat", model="scripted:plain", stdout=Stream(), stderr=err)
    assert error.value.returncode == 2
    write("plain", *HELLO)
    out = Stream()
    call_command("chat", "Hi", model="scripted:plain", stdout=out, stderr=err)
    assert out.getvalue() == "Hello there\n"


def test_user_saves_a_conversation_and_continues_it(write, chat, alice):
    write("plain", *HELLO)
    code, out, err = chat("Hi", user="alice", assistant="plain")
    row = Conversation.objects.get(owner=alice)
    assert (code, out, err) == (0, "Hello there\n", f"Conversation {row.pk}\n")
    assert chat("And?", user="alice", conversation=str(row.pk)) == (code, out, err)
    assert [parts[0]["text"] for _, parts in scripted.requests[-1].turns] == ["Hi", "Hello there", "And?"]
    assert [run.status for run in row.runs.all()] == ["completed"] * 2


def test_user_with_too_many_runs_is_refused(write, chat, alice, settings):
    settings.MAX_RUNS_PER_USER = settings.MAX_WAITING_PER_USER = 0
    write("plain", *HELLO)
    code, out, err = chat("Hi", user="alice", assistant="plain")
    assert (code, out) == (1, "")
    assert err == "You have too many answers in progress. Try again in a moment.\n"
    assert chat(stdin="Hi\nHi\n", user="alice", assistant="plain") == (1, "", err)


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


class Interrupted(Stream):
    """A terminal at which signals come, or other things happen, before a line does."""

    def __init__(self, *lines):
        super().__init__(tty=True)
        self.lines = list(lines)

    def readline(self, *args):
        line = self.lines.pop(0)
        if type(line) is str:
            return line
        if callable(line):
            return line()
        os.kill(os.getpid(), line)
        return "too late\n"

    read = readline


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


def test_pipe_goes_before_the_text_and_a_dash_is_the_pipe(write, chat):
    write("plain", *HELLO)

    def last_question():
        return scripted.requests[-1].turns[-1][1][0]["text"]

    chat("Review", stdin="one\n\ntwo\n\n", assistant="plain")
    assert last_question() == "one\n\ntwo\n\nReview"
    chat("-", stdin="  one\ntwo\n", assistant="plain")
    assert last_question() == "  one\ntwo"
    chat("Hi", stdin="not a pipe", tty=True, assistant="plain")
    assert last_question() == "Hi"


def test_lines_are_one_conversation(write, chat, alice):
    write("echo", lambda request: [Text(request.turns[-1][1][0]["text"].upper()), Finish("stop")])
    assert chat(stdin="one\n\ntwo", assistant="echo") == (0, "ONE\nTWO\n", "")
    turns = [(role, parts[0]["text"]) for role, parts in scripted.requests[-1].turns]
    assert turns == [("user", "one"), ("assistant", "ONE"), ("user", "two")]
    code, out, err = chat(stdin="one\ntwo", user="alice", assistant="echo")
    assert (code, out, err.count("Conversation")) == (0, "ONE\nTWO\n", 1)
    assert Conversation.objects.get().messages.count() == 4


@pytest.mark.parametrize("user", [None, "alice"])
def test_conversation_that_outgrows_the_model_is_noted_once(write, chat, alice, user):
    write("plain", *HELLO, context_window=300)
    code, out, err = chat(stdin="\n".join(["word " * 100] * 5), user=user, assistant="plain")
    assert (code, out) == (0, "Hello there\n" * 5)
    assert err.count("too long for the model, which no longer sees the oldest messages.") == 1


def test_failure_does_not_end_an_interactive_session(write, chat, settings):
    settings.MAX_TEXT_LENGTH = 10
    write("broken", ProviderError("Broken."))
    code, _, err = chat(stdin="one\ntoo long a line\ntwo\n", tty=True, assistant="broken")
    assert code == 0
    notes = [line for line in err.splitlines() if line]
    assert notes == [
        "Ctrl-C stops the answer, Ctrl-D exits.",
        "Broken.",
        "The text is longer than 10 characters.",
        "Broken.",
    ]


def waiting(request):
    """An agent that looks only when it may."""
    if not request.decisions:
        return [*LOOK, Approval("c1", "May it look?"), Finish("tool_calls")]
    assert request.turns[-1][0] == "assistant"
    yes = request.decisions["c1"]
    result = ToolCallResult("c1", "you") if yes else ToolCallResult("c1", "You said no.", metadata={"error": True})
    return [result, Text("I see you." if yes else "I see nothing."), Finish("stop")]


@pytest.mark.parametrize("user", [None, "alice"])
@pytest.mark.parametrize(
    ("line", "answer"), [("y\n", "I see you.\n"), ("\n", "I see nothing.\n"), ("", "I see nothing.\n")]
)
def test_approval_is_asked_for_at_the_terminal(write, chat, alice, user, line, answer):
    write("careful", waiting)
    code, out, err = chat("Hi", stdin=line, tty=True, user=user, assistant="careful", steps=True)
    assert (code, out) == (0, answer)
    assert 'May it look?\nlook {"at": "me"}\n[y/N] ' in err
    assert ("look → you" in err) == (line == "y\n")
    if user:
        assert [run.status for run in Run.objects.all()] == ["completed"] * 2


@pytest.mark.parametrize("user", [None, "alice"])
def test_approval_waits_if_there_is_no_terminal(write, chat, alice, user):
    write("careful", waiting)
    code, out, err = chat("Hi", user=user, assistant="careful")
    assert (code, out) == (3, "")
    assert 'May it look?\nlook {"at": "me"}\n' in err
    assert len(scripted.requests) == 1
    if user:
        assert Run.objects.get().interrupts


def test_approval_can_be_left_open(write, chat, monkeypatch, alice):
    write("careful", waiting)
    monkeypatch.setattr(sys, "stdin", Interrupted(signal.SIGINT))
    with pytest.raises(SystemExit) as end:
        call_command("chat", "Hi", user="alice", assistant="careful", stdout=Stream(), stderr=Stream(tty=True))
    assert end.value.code == 3
    assert Run.objects.get().interrupts


def test_approval_given_on_the_page_continues_here(write, chat, monkeypatch, alice):
    write("careful", waiting)

    def answer():
        run = Run.objects.get()
        async_to_sync(run.resume)({run.interrupts[0]["id"]: True})
        return "y\n"

    monkeypatch.setattr(sys, "stdin", Interrupted(answer))
    out = Stream()
    call_command("chat", "Hi", user="alice", assistant="careful", stdout=out, stderr=Stream(tty=True))
    assert out.getvalue() == "I see you.\n"
    assert Run.objects.count() == 2


def test_history_contains_the_users_questions(write, chat, alice, charlie):
    readline = pytest.importorskip("readline")
    write("plain", *HELLO)
    for user, text in (("alice", "one"), ("charlie", "secret"), ("alice", "two")):
        chat(text, user=user, assistant="plain")
    assert chat(user="alice", assistant="plain", tty=True)[0] == 0
    known = range(1, readline.get_current_history_length() + 1)
    assert [readline.get_history_item(number) for number in known] == ["one", "two"]
    assert chat(assistant="plain", tty=True)[0] == 0
    assert readline.get_current_history_length() == 0


class FailingStream(Stream):
    def __init__(self, error, after=0):
        super().__init__()
        self.error, self.after = error, after

    def write(self, text):
        if len(self.getvalue()) >= self.after:
            raise self.error
        return super().write(text)


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


def test_unavailable_database_is_an_error(write, chat):
    def fail(*args):
        raise OperationalError("The server is gone.")

    with connection.execute_wrapper(fail):
        code, out, err = chat("Hi")
    assert (code, out) == (1, "")
    assert err.startswith("Cannot use the database")
    assert "The server is gone." in err


def test_answer_cancelled_elsewhere_is_reported(write, chat, alice):
    async def stop():
        await Run.objects.aupdate(cancel_requested=True)
        await forever()

    write("endless", Text("so far"), stop)
    code, out, err = chat("Hi", user="alice", assistant="endless")
    assert (code, out) == (1, "so far\n")
    assert err.endswith("The answer was stopped elsewhere.\n")


def test_conversation_that_is_deleted_is_reported(write, chat, alice):
    @sync_to_async
    def delete():
        with transaction.atomic():
            list(Run.objects.select_for_update())  # waits for a commit that is writing their events
            Conversation.objects.all().delete()

    write("endless", Text("so far"), delete, forever, *HELLO)
    code, out, err = chat("Hi", user="alice", assistant="endless")
    assert (code, out) == (1, "so far\n")
    assert err.endswith("The conversation was deleted.\n")


def test_answer_finished_by_another_process_is_shown_to_its_end(write, chat, alice):
    @sync_to_async
    def end():
        run = Run.objects.get()
        ending = Ending(Run.COMPLETED, finish_reason="stop")
        parts = [{"type": "text", "text": "so far, so good"}]
        assert run.finish(ending, parts, last_seq=90, process_id=run.process_id)

    async def elsewhere():
        await end()
        await forever()

    write("endless", Text("so far"), elsewhere)
    code, out, _ = chat("Hi", user="alice", assistant="endless")
    assert (code, out) == (0, "so far, so good\n")
    assert Message.objects.get(role="assistant").text == "so far, so good"


def test_log_is_shown_with_verbosity_2_only(write, chat, caplog):
    broken = ProviderError("Busy.", retryable=True, retry_after=0)
    write("busy", lambda request: [broken] if len(scripted.requests) % 2 else HELLO)
    assert chat("Hi", assistant="busy")[0] == 0
    assert not caplog.records
    assert chat("Hi", assistant="busy", verbosity=2)[0] == 0
    assert "Asking again" in caplog.text
    assert logging.getLogger("chat").level == logging.INFO


def test_signal_handlers_are_not_set_outside_the_main_thread(write, chat):
    write("plain", *HELLO)
    results = []
    thread = threading.Thread(target=lambda: results.append(chat("Hi", model="scripted:plain")))
    thread.start()
    thread.join()
    assert results == [(0, "Hello there\n", "")]
