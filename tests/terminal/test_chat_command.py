"""`manage.py chat` in this process, with a scripted model. The tests in processes/ use real terminals."""

import asyncio
import logging
import re
import sys

import pytest
from asgiref.sync import sync_to_async
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection, transaction

from chat.backends import limits
from chat.events import Finish, Reasoning, Text, ToolCallEnd, ToolCallResult, ToolCallStart
from chat.models import Assistant, Conversation, Ending, Message, Run
from chat.providers import ProviderError
from chat.terminal import loop, wait_line
from tests import scripted
from tests.terminal.streams import HELLO, LOOK, Stream, forever
from tests.waiting import wait_until

pytestmark = pytest.mark.slow

SECONDS = r"\(\d+\.\d s\)"


def test_unsaved_answer_stores_nothing(write, chat):
    write("plain", *HELLO)
    assert chat("Hi", assistant="plain") == (0, "Hello there\n", "")
    assert not Run.objects.exists()
    assert not Conversation.objects.exists()
    assert scripted.closed == ["plain"]


def test_stopped_terminal_holds_no_lock_for_long(write, chat, monkeypatch):
    monkeypatch.setattr(limits, "idle_timeout", None)
    write("plain", *HELLO)
    chat("Hi", assistant="plain")
    assert limits.idle_timeout == 5  # seconds, after which PostgreSQL ends a transaction that stands still


def test_default_assistant_is_asked_with_its_settings(write, chat):
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
    assert re.fullmatch(rf"thinking: hmm {SECONDS}", thought)
    assert call == 'look {"at": "me"}'
    assert re.fullmatch(rf"look → you {SECONDS}", result)
    assert second.strip() == "look"
    assert re.fullmatch(rf"look failed: There is nothing\. {SECONDS}", failure)


def test_steps_and_answer_have_lines_of_their_own_on_one_terminal(write, chat):
    write("agent", Text("Let me see."), *LOOK, Reasoning("hm"), *HELLO)
    code, out, err = chat("Hi", assistant="agent", steps=True, tty=True)
    assert (code, out) == (0, "Let me see.Hello there\n")
    assert re.match(rf'\nlook {{"at": "me"}}\nthinking: hm {SECONDS}', err)


@pytest.mark.parametrize("steps", [False, True])
def test_wait_is_shown_on_a_terminal_alone(write, chat, monkeypatch, steps):
    monkeypatch.setattr(loop, "IDLE_INTERVAL", 0.01)
    monkeypatch.setattr(wait_line, "WAIT_DELAY", 0)
    monkeypatch.setattr(wait_line, "SILENCE_DELAY", 0)

    drawn, draw = [], wait_line.WaitLine.draw

    def note_and_draw(line):
        drawn.append(line)
        draw(line)

    async def pause():
        count = len(drawn)
        await wait_until(lambda: len(drawn) > count + 1 or not is_tty)  # the first may have begun before the pause

    async def a_while():
        await asyncio.sleep(0.2)  # in which nothing is drawn

    monkeypatch.setattr(wait_line.WaitLine, "draw", note_and_draw)
    write(
        "slow", pause, *LOOK, pause, ToolCallResult("c1", "you"), Text("Hello"), a_while, Text(" there"), Finish("stop")
    )
    is_tty = False
    code, out, err = chat("Hi", assistant="slow", steps=steps)
    assert (code, out) == (0, "Hello there\n")
    assert "…" not in err
    is_tty = True
    code, out, err = chat("Hi", assistant="slow", steps=steps, tty=True)
    assert (code, out) == (0, "Hello there\n")
    assert "The model is reading your message… " in err
    assert "The tool look is running… " in err
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


def test_piped_input_goes_before_the_text_and_a_dash_stands_for_it(write, chat):
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
    assert err.count("The conversation is long, and the model no longer sees the oldest messages.") == 1


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


@pytest.mark.parametrize("user", [None, "alice"])
def test_error_says_what_can_be_done(write, chat, alice, user):
    write("broken", ProviderError("Broken.", "rate_limited"))
    code, _, err = chat("Hi", user=user, assistant="broken")
    assert code == 1
    assert err.splitlines()[-2:] == ["Broken.", "If this happens often, raise the limit at the provider."]


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
