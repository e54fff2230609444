"""`manage.py chat` in a real process, with a terminal around it."""

import os
import re
import time

import pytest

from tests.server_process import poll_until
from tests.terminal.processes.command import CTRL_C, CTRL_D, UP, last_request, runs
from tests.timeouts import HANG_TIMEOUT
from tests.upstream import ANSWER

pytestmark = pytest.mark.process


def test_ctrl_c_stops_the_answer_and_not_the_session(tty, upstream):
    at = tty("--assistant", "slow")
    at.until("> ")
    at.type("one\r")
    at.until("## An")
    stopped = time.time()
    at.type(CTRL_C)
    at.until("Stopped.")
    at.until("> ")
    took = poll_until(lambda: upstream.requests()[-1]["closed_at"]) - stopped
    at.type("two\r")
    at.until("## An")
    roles, texts = zip(*last_request(upstream), strict=True)
    assert roles == ("user", "assistant", "user")
    assert (texts[0], texts[2]) == ("one", "two")
    assert ANSWER.startswith(texts[1])
    stopped = time.time()
    at.type(CTRL_C)
    at.until("Stopped.")
    at.until("> ")
    took_again = poll_until(lambda: upstream.requests()[-1]["closed_at"]) - stopped
    assert min(took, took_again) < 1  # seconds; the machine may have other things to do
    at.type(CTRL_D)
    assert at.ends()[0] == 0


def test_wait_for_the_first_word_is_shown_and_erased(tty):
    at = tty("--assistant", "silent")
    at.until("> ")
    at.type("Hello\r")
    for _ in range(2):
        shown = at.until(" s (Ctrl-C stops it)")
    at.type(CTRL_C)
    shown += at.until("Stopped.")
    *_, (line, seconds) = re.findall(r"(The model is reading your message… (\d+) s \(Ctrl-C stops it\))", shown)
    assert int(seconds) >= 4
    assert shown.endswith("\r" + " " * len(f"{line}^C") + "\rStopped.")
    at.until("> ")


def test_ctrl_c_discards_a_line_and_exits_at_an_empty_one(tty, upstream):
    at = tty("--model", "openai:echo")
    at.until("> ")
    at.type("not this")
    at.until("not this")
    at.interrupt()
    at.until("> ")
    at.type("but that\r")
    at.until("but that")
    at.until("but that")
    assert last_request(upstream) == [("user", "but that")]
    at.until("> ")
    at.interrupt()
    assert at.ends()[0] == 0


def test_arrow_keys_bring_back_earlier_questions(tty, upstream):
    at = tty("--model", "openai:echo")
    at.until("> ")
    at.type("once more\r")
    for _ in range(2):
        at.until("once more")
    at.until("> ")
    before = len(upstream.requests())
    at.type(f"{UP}!\r")
    poll_until(lambda: len(upstream.requests()) > before)
    assert last_request(upstream)[-1] == ("user", "once more!")


def test_arrow_keys_bring_back_saved_questions(tty, chat, upstream):
    chat("long ago", "--user", "alice", "--assistant", "echo")
    at = tty("--user", "alice", "--assistant", "echo")
    at.until("> ")
    at.type(f"{UP} still\r")
    at.until("Conversation ")
    at.until("long ago still")
    assert last_request(upstream) == [("user", "long ago still")]


def test_pasted_lines_are_one_question(tty, upstream):
    at = tty("--model", "openai:echo")
    at.until("> ")
    at.type("\x1b[200~def f():\r    return 1\x1b[201~")
    at.until("return 1")
    at.type("\r")
    at.until("def f():")
    at.until("> ")
    assert last_request(upstream) == [("user", "def f():\n    return 1")]


def test_stdout_in_a_file_holds_the_answers_alone(tty, tmp_path):
    with open(tmp_path / "answers", "w") as answers:
        at = tty("--model", "openai:echo", stdout=answers)
        at.until("> ")
        at.type("one\r")
        at.until("> ")
        at.type(CTRL_D)
        assert at.ends()[0] == 0
    assert (tmp_path / "answers").read_text() == "one\n"


def test_control_characters_do_not_reach_the_terminal(tty, chat):
    title = "\x1b]0;owned\x07 \x9b31m a\tb"
    at = tty(title, "--model", "openai:echo")
    code, shown = at.ends()
    assert code == 0
    assert shown == "\ufffd]0;owned\ufffd \ufffd31m a\tb\r\n"
    assert chat(title, "--model", "openai:echo")[1] == f"{title}\n"  # a file may hold anything


def test_terminal_that_closes_ends_the_command(tty, site, upstream):
    at = tty("--user", "alice", "--assistant", "slow")
    at.until("> ")
    at.type("Hello\r")
    at.until("## An")
    os.close(at.master)
    assert at.process.wait(HANG_TIMEOUT)
    assert poll_until(lambda: upstream.requests()[-1]["closed_at"])
    assert runs(site)[-1][0] in ("interrupted", "cancelled")
    at.master = os.open(os.devnull, os.O_RDONLY)
