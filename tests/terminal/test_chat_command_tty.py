"""`manage.py chat`: real processes, with pipes and with a terminal around them."""

import contextlib
import fcntl
import os
import pty
import select
import signal
import sqlite3
import subprocess
import sys
import termios
import time

import pytest

from scripts.environment import ROOT
from tests.server_process import Site, Upstream, poll_until
from tests.upstream import ANSWER

pytestmark = pytest.mark.process

UP, CTRL_C, CTRL_D = "\x1b[A", "\x03", "\x04"
TABLES = ("conversation", "message", "run", "runevent", "serverprocess")


@pytest.fixture(scope="module")
def upstream():
    upstream = Upstream()
    yield upstream
    upstream.close()


@pytest.fixture(scope="module")
def site(tmp_path_factory, upstream):
    environment = {"SHUTDOWN_GRACE": "1", "OPENAI_BASE_URL": upstream.base_url, "OPENAI_API_KEY": "sk-test"}
    site = Site(tmp_path_factory.mktemp("site"), **environment, OPENAI_MODEL="scripted", TERM="xterm")
    for name in ("slow", "long", "think", "echo", "cut", "error", "silent", "status-400"):
        site.assistant(name, f"openai:{name}")
    yield site
    site.close()


@pytest.fixture
def start(site):
    """`start("text", "--steps")`: the command in a process, with pipes."""
    with contextlib.ExitStack() as at_the_end:

        def start(*arguments, **how):
            command = [sys.executable, "manage.py", "chat", *arguments]
            how = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | how
            process = at_the_end.enter_context(subprocess.Popen(command, cwd=ROOT, env=site.environment, **how))
            at_the_end.callback(process.kill)
            return process

        yield start


@pytest.fixture
def chat(start):
    """`chat("text", stdin="more")`: its (exit code, stdout, stderr)."""

    def chat(*arguments, stdin=""):
        process = start(*arguments, stdin=subprocess.PIPE)
        out, err = process.communicate(stdin.encode() if isinstance(stdin, str) else stdin, timeout=60)
        return process.returncode, out.decode(), err.decode()

    return chat


class Tty:
    """The command with a terminal of its own, and a user at it."""

    def __init__(self, environment, *arguments, stdout=None, stdin=None):
        self.master, self.slave = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "manage.py", "chat", *arguments],
            cwd=ROOT,
            env=environment,
            stdin=stdin or self.slave,
            stdout=stdout or self.slave,
            stderr=self.slave,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(2, termios.TIOCSCTTY, 0),
        )
        self.unmatched = ""

    def type(self, text):
        os.write(self.master, text.encode())

    def until(self, text, seconds=20):
        """Waits until this shows after the last match; returns what was shown since then."""
        deadline = time.monotonic() + seconds
        while text not in self.unmatched:
            ready, _, _ = select.select([self.master], [], [], max(0, deadline - time.monotonic()))
            assert ready, f"{text!r} did not show within {seconds} s, but {self.unmatched!r}"
            self.unmatched += os.read(self.master, 4096).decode(errors="replace")
        shown, _, self.unmatched = self.unmatched.partition(text)
        return shown + text

    def interrupt(self):
        """Press Ctrl-C at the prompt; again where it was lost, as readline misses what comes just before it waits."""
        for seconds in (5, 5, 20):
            self.type(CTRL_C)
            with contextlib.suppress(AssertionError if seconds < 20 else ()):
                return self.until("\n", seconds)

    def ends(self, seconds=20):
        """Waits for the end; returns the exit code and what was shown last."""
        code = self.process.wait(seconds)
        while select.select([self.master], [], [], 0)[0]:
            self.unmatched += os.read(self.master, 4096).decode(errors="replace")
        return code, self.unmatched

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self.master)
        os.close(self.slave)


@pytest.fixture
def tty(site):
    with contextlib.ExitStack() as at_the_end:

        def tty(*arguments, **how):
            return at_the_end.enter_context(contextlib.closing(Tty(site.environment, *arguments, **how)))

        yield tty


def query(site, sql):
    with contextlib.closing(sqlite3.connect(site.environment["DATABASE_URL"].removeprefix("sqlite:///"))) as database:
        return database.execute(sql).fetchall()


def rows(site):
    """How many there are, by table."""
    return {table: query(site, f"SELECT count(*) FROM chat_{table}")[0][0] for table in TABLES}


def runs(site):
    """(status, text, user) of each, oldest first."""
    return query(
        site,
        "SELECT run.status, message.text, owner.username FROM chat_run run "
        "JOIN chat_message message ON message.id = run.message_id "
        "JOIN chat_conversation conversation ON conversation.id = run.conversation_id "
        "JOIN auth_user owner ON owner.id = conversation.owner_id ORDER BY run.created_at",
    )


def last_request(upstream):
    """The messages of the last request to the model, as (role, text)."""
    return [(message["role"], message["content"]) for message in upstream.requests()[-1]["body"]["messages"]]


def test_answer_goes_to_stdout_and_stores_nothing(site, chat):
    before = rows(site)
    assert chat("Hello", "--assistant", "openai") == (0, ANSWER, "")
    assert rows(site) == before


def test_answer_streams_and_ctrl_c_stops_it(start, upstream):
    process = start("Hello", "--assistant", "slow")
    begun = os.read(process.stdout.fileno(), 5)  # the answer takes twenty seconds
    assert ANSWER.encode().startswith(begun)
    assert upstream.requests()[-1]["closed_at"] is None
    stopped = time.time()
    process.send_signal(signal.SIGINT)
    rest, err = process.communicate(timeout=10)
    assert (process.returncode, err) == (130, b"Stopped.\n")
    answer = (begun + rest).decode()
    assert answer.endswith("\n")
    assert ANSWER.startswith(answer.removesuffix("\n"))
    closed = poll_until(lambda: upstream.requests()[-1]["closed_at"])
    assert closed - stopped < 1


def test_steps_are_shown_beside_the_answer(chat):
    assert chat("Hello", "--assistant", "think") == (0, ANSWER, "")
    code, out, err = chat("Hello", "--assistant", "think", "--steps")
    assert (code, out) == (0, ANSWER)
    assert err.startswith("thinking: First I think about it. (0.")
    assert err.endswith(" s)\n")
    code, _, err = chat("Hello", "--assistant", "demo", "--steps")
    _, call, result = err.splitlines()
    assert call == 'clock {"time_zone": "UTC"}'
    assert result.startswith("clock → 20")


def test_answer_ends_its_last_line(chat):
    assert chat("no line", "--assistant", "echo") == (0, "no line\n", "")


@pytest.mark.parametrize(("model", "some"), [("cut", True), ("error", True), ("status-400", False)])
def test_failure_of_the_model_is_reported_on_stderr(chat, model, some):
    code, out, err = chat("Hello", "--assistant", model)
    assert code == 1
    assert bool(out) == some
    assert ANSWER.startswith(out.removesuffix("\n"))
    assert err.count("\n") == 1
    assert err.endswith(".\n")


def test_usage_error_changes_nothing(site, chat):
    before = rows(site)
    for arguments in (
        ["Hello", "--assistant", "nobody"],
        ["Hello", b"--user=\xff"],
        ["Hello", "--user", "alice", "--conversation", "the last one"],
        ["Hello", "there"],
        ["-"],
    ):
        code, out, err = chat(*arguments)
        assert (code, out) == (2, "")
        assert "Traceback" not in err
        assert err.endswith("\n")
    assert rows(site) == before


def test_model_option_needs_no_database(site, start, upstream):
    site.environment["DATABASE_URL"], before = "postgres://nobody@127.0.0.1:1/none", site.environment["DATABASE_URL"]
    try:
        bare = start("Hello", "--model", "openai:echo")
        assert bare.communicate(timeout=30) == (b"Hello\n", b"")
        lost = start("Hello")
        out, err = lost.communicate(timeout=30)
    finally:
        site.environment["DATABASE_URL"] = before
    assert (lost.returncode, out) == (1, b"")
    assert b"Cannot use the database" in err
    assert b"Traceback" not in err


def test_pipe_goes_before_the_text(chat, upstream):
    assert chat("Review this", "--model", "openai:echo", stdin="+ one\n- two\n")[0] == 0
    assert last_request(upstream) == [("user", "+ one\n- two\n\nReview this")]


def test_pipe_with_a_dash_is_one_text(chat, upstream):
    assert chat("-", "--model", "openai:echo", stdin="one\ntwo\n") == (0, "one\ntwo\n", "")
    assert last_request(upstream) == [("user", "one\ntwo")]


def test_pipe_without_a_text_is_a_question_for_each_line(site, chat, upstream):
    before = rows(site)
    assert chat("--model", "openai:echo", stdin="one\n\ntwo\n") == (0, "one\ntwo\n", "")
    assert last_request(upstream) == [("user", "one"), ("assistant", "one"), ("user", "two")]
    assert rows(site) == before


def test_pipe_ends_at_the_first_line_without_an_answer(chat, upstream):
    before = len(upstream.requests())
    code, out, err = chat("--model", "openai:status-400", stdin="one\ntwo\n")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert len(upstream.requests()) == before + 1


def test_bytes_that_are_not_text_are_replaced(chat, upstream):
    assert chat(b"caf\xe9 \xf0\x9f\x99\x82", "--model", "openai:echo", stdin=b"\xff\x00\n")[:2] == (
        0,
        "\ufffd\n\ncaf\ufffd 🙂\n",
    )


def test_stdout_encoding_replaces_characters_it_lacks(site, start):
    site.environment["PYTHONIOENCODING"] = "ascii"
    try:
        process = start("🙂 日", "--model", "openai:echo")
        assert process.communicate(timeout=30) == (b"? ?\n", b"")
    finally:
        del site.environment["PYTHONIOENCODING"]


def test_output_that_is_closed_exits_quietly(site, upstream):
    command = f"set -o pipefail; {sys.executable} manage.py chat Hello --model openai:long </dev/null | head -1"
    began = time.monotonic()
    done = subprocess.run(["bash", "-c", command], cwd=ROOT, env=site.environment, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (141, "## An answer\n", "")
    assert time.monotonic() - began < 15  # the answer takes half a minute
    assert poll_until(lambda: upstream.requests()[-1]["closed_at"])


def test_output_that_is_closed_cancels_a_saved_run(site, upstream):
    command = f"{sys.executable} manage.py chat Hello --user alice --assistant long </dev/null 2>&1 | head -2"
    done = subprocess.run(["bash", "-c", command], cwd=ROOT, env=site.environment, capture_output=True, text=True)
    assert done.stdout.endswith("\n## An answer\n")
    status, text, user = poll_until(lambda: runs(site))[-1]
    assert (status, user) == ("cancelled", "alice")
    assert text.startswith("## An answer")


def test_output_to_a_full_disk_is_an_error(start, upstream):
    with open("/dev/full", "w") as full:
        process = start("Hello", "--model", "openai:long", stdout=full)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 1
    assert b"No space left" in err
    assert b"Traceback" not in err
    assert poll_until(lambda: upstream.requests()[-1]["closed_at"])


def test_user_saves_a_conversation_and_continues_it(site, chat, upstream):
    before = rows(site)
    code, out, err = chat("My name is Alice", "--user", "alice", "--assistant", "echo")
    assert (code, out) == (0, "My name is Alice\n")
    name, conversation = err.split()
    assert name == "Conversation"
    assert chat("Who am I?", "--user", "alice", "--conversation", conversation) == (0, "Who am I?\n", err)
    assert last_request(upstream) == [
        ("user", "My name is Alice"),
        ("assistant", "My name is Alice"),
        ("user", "Who am I?"),
    ]
    now = rows(site)
    assert [now[table] - before[table] for table in ("conversation", "message", "run")] == [1, 4, 2]
    assert runs(site)[-2:] == [("completed", text, "alice") for text in ("My name is Alice", "Who am I?")]
    code, out, err = chat("And me?", "--user", "charlie", "--conversation", conversation)
    assert (code, out, rows(site)) == (2, "", now)


def test_ctrl_c_cancels_a_saved_run(site, start, upstream):
    process = start("Hello", "--user", "alice", "--assistant", "slow")
    begun = os.read(process.stdout.fileno(), 5)
    process.send_signal(signal.SIGINT)
    rest, _ = process.communicate(timeout=10)
    assert process.returncode == 130
    assert runs(site)[-1] == ("cancelled", (begun + rest).decode().removesuffix("\n"), "alice")
    assert poll_until(lambda: upstream.requests()[-1]["closed_at"])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_signal_to_exit_keeps_what_was_written(site, start, upstream, number):
    process = start("Hello", "--user", "alice", "--assistant", "slow")
    begun = os.read(process.stdout.fileno(), 5)
    process.send_signal(number)
    rest, err = process.communicate(timeout=10)
    assert process.returncode == 128 + number
    assert b"Traceback" not in err
    status, text, _ = runs(site)[-1]
    assert status == "interrupted"
    assert text.startswith((begun + rest).decode().removesuffix("\n"))
    assert poll_until(lambda: upstream.requests()[-1]["closed_at"])


def test_signal_to_exit_works_while_waiting_for_a_pipe(start):
    process = start("Hello", "--model", "demo:", stdin=subprocess.PIPE)
    assert process.stderr.readline().startswith(b"Reading stdin until it ends")
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 143


def test_site_takes_on_a_question_that_was_not_begun(site, start, upstream):
    """A run that has shown nothing is queued again, and the site gives the answer once it runs."""
    before = len(upstream.requests())
    process = start("Hello", "--user", "alice", "--assistant", "silent")
    poll_until(lambda: len(upstream.requests()) > before)
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 143
    assert runs(site)[-1][0] == "queued"
    site.start()
    try:
        poll_until(lambda: len(upstream.requests()) > before + 1)
        with contextlib.closing(site.login("alice")) as alice:
            conversation = alice.get("/api/conversations").json()["items"][0]["id"]
            reply = alice.get(f"/api/conversations/{conversation}/messages").json()["items"][-1]
            assert reply["status"] == "in_progress"
            alice.post(f"/api/runs/{reply['run_id']}/cancel")
    finally:
        site.stop()


def test_site_shows_a_run_live_and_may_cancel_it(site, start):
    site.start()
    try:
        with contextlib.closing(site.login("alice")) as alice:
            process = start("Hello", "--user", "alice", "--assistant", "slow")
            conversation = process.stderr.readline().decode().split()[1]
            reply = alice.get(f"/api/conversations/{conversation}/messages").json()["items"][-1]
            assert reply["status"] == "in_progress"
            run = {"events_url": f"/api/runs/{reply['run_id']}/events"}
            with contextlib.closing(alice.events(run)) as events:
                shown = next(event.delta for _, event, _ in events if event.type == "TEXT_MESSAGE_CONTENT")
            assert process.poll() is None
            alice.post(f"/api/runs/{reply['run_id']}/cancel")
            out, err = process.communicate(timeout=10)
            assert process.returncode == 1
            assert out.decode().startswith(shown)
            assert err == b"The answer was stopped elsewhere.\n"
    finally:
        site.stop()


def test_runs_of_others_are_not_adopted(site, start):
    """It may lack the keys that the site has."""
    site.shell(
        "from asgiref.sync import async_to_sync\n"
        "from django.contrib.auth.models import User\n"
        "from chat.models import Conversation\n"
        "async_to_sync(Conversation.begin)(User.objects.get(username='charlie'), 'Hello', 'openai')"
    )
    process = start("Hello", "--user", "alice", "--assistant", "slow")
    os.read(process.stdout.fileno(), 5)
    beats = "SELECT beat FROM chat_serverprocess ORDER BY seen_at DESC LIMIT 1"
    poll_until(lambda: query(site, beats)[0][0] >= 4)  # it would take it on at the third
    process.send_signal(signal.SIGINT)
    assert process.wait(10) == 130
    assert ("queued", "", "charlie") in runs(site)
    site.shell("from chat.models import Conversation; Conversation.objects.filter(owner__username='charlie').delete()")


def test_ctrl_c_stops_the_answer_and_not_the_session(tty, upstream):
    at = tty("--assistant", "slow")
    at.until("> ")
    at.type("one\r")
    at.until("## An")
    stopped = time.time()
    at.type(CTRL_C)
    at.until("Stopped.")
    at.until("> ")
    closed = poll_until(lambda: upstream.requests()[-1]["closed_at"])
    assert closed - stopped < 1
    at.type("two\r")
    at.until("## An")
    roles, texts = zip(*last_request(upstream), strict=True)
    assert roles == ("user", "assistant", "user")
    assert (texts[0], texts[2]) == ("one", "two")
    assert ANSWER.startswith(texts[1])
    at.type(CTRL_C)
    at.until("Stopped.")
    at.until("> ")
    at.type(CTRL_D)
    assert at.ends()[0] == 0


def test_wait_for_the_first_word_is_shown_and_erased(tty):
    at = tty("--assistant", "silent")
    at.until("> ")
    at.type("Hello\r")
    for seconds in (3, 4):
        at.until(f"The model is reading your message… {seconds} s (Ctrl-C stops it)")
    at.type(CTRL_C)
    shown = at.until("Stopped.")
    assert shown.endswith("\r" + " " * len("The model is reading your message… 4 s (Ctrl-C stops it)^C") + "\rStopped.")
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
    assert at.process.wait(10)
    assert poll_until(lambda: upstream.requests()[-1]["closed_at"])
    assert runs(site)[-1][0] in ("interrupted", "cancelled")
    at.master = os.open(os.devnull, os.O_RDONLY)
