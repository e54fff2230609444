"""`manage.py chat` in a real process, with pipes around it."""

import contextlib
import os
import signal
import subprocess
import sys
import time

import pytest

from scripts.environment import ROOT
from tests.server_process import poll_until
from tests.terminal.processes.command import last_request, query, rows, runs
from tests.timeouts import HANG_TIMEOUT
from tests.upstream import ANSWER

pytestmark = pytest.mark.process


def test_answer_goes_to_stdout_and_stores_nothing(site, chat):
    before = rows(site)
    assert chat("Hello", "--assistant", "openai") == (0, ANSWER, "")
    assert rows(site) == before


def test_answer_streams_and_ctrl_c_stops_it(start, upstream):
    def stop():
        """Returns after how many seconds the connection to the model is closed."""
        process = start("Hello", "--assistant", "slow")
        begun = os.read(process.stdout.fileno(), 5)  # the answer takes twenty seconds
        assert ANSWER.encode().startswith(begun)
        assert upstream.requests()[-1]["closed_at"] is None
        stopped = time.time()
        process.send_signal(signal.SIGINT)
        rest, err = process.communicate(timeout=HANG_TIMEOUT)
        assert (process.returncode, err) == (130, b"Stopped.\n")
        answer = (begun + rest).decode()
        assert answer.endswith("\n")
        assert ANSWER.startswith(answer.removesuffix("\n"))
        return poll_until(lambda: upstream.requests()[-1]["closed_at"]) - stopped

    assert any(stop() < 1 for _ in range(3))  # the machine may have other things to do


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
        assert bare.communicate(timeout=HANG_TIMEOUT) == (b"Hello\n", b"")
        lost = start("Hello")
        out, err = lost.communicate(timeout=HANG_TIMEOUT)
    finally:
        site.environment["DATABASE_URL"] = before
    assert (lost.returncode, out) == (1, b"")
    assert b"Cannot use the database" in err
    assert b"Traceback" not in err


def test_piped_input_goes_before_the_text(chat, upstream):
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
        assert process.communicate(timeout=HANG_TIMEOUT) == (b"? ?\n", b"")
    finally:
        del site.environment["PYTHONIOENCODING"]


def test_output_that_is_closed_exits_quietly(site, upstream):
    command = f"set -o pipefail; {sys.executable} manage.py chat Hello --model openai:long </dev/null | head -1"
    done = subprocess.run(["bash", "-c", command], cwd=ROOT, env=site.environment, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (141, "## An answer\n", "")
    assert poll_until(lambda: upstream.requests()[-1]["closed_at"])  # in mid-answer


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
        _, err = process.communicate(timeout=HANG_TIMEOUT)
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
    rest, _ = process.communicate(timeout=HANG_TIMEOUT)
    assert process.returncode == 130
    assert runs(site)[-1] == ("cancelled", (begun + rest).decode().removesuffix("\n"), "alice")
    assert poll_until(lambda: upstream.requests()[-1]["closed_at"])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_signal_to_exit_keeps_what_was_written(site, start, upstream, number):
    process = start("Hello", "--user", "alice", "--assistant", "slow")
    begun = os.read(process.stdout.fileno(), 5)
    process.send_signal(number)
    rest, err = process.communicate(timeout=HANG_TIMEOUT)
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
    assert process.wait(HANG_TIMEOUT) == 143


def test_site_takes_on_a_question_that_was_not_begun(site, start, upstream):
    """A run that has shown nothing is queued again, and the site gives the answer once it runs."""
    before = len(upstream.requests())
    process = start("Hello", "--user", "alice", "--assistant", "silent")
    poll_until(lambda: len(upstream.requests()) > before)
    process.send_signal(signal.SIGTERM)
    assert process.wait(HANG_TIMEOUT) == 143
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
            out, err = process.communicate(timeout=HANG_TIMEOUT)
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
    assert process.wait(HANG_TIMEOUT) == 130
    assert ("queued", "", "charlie") in runs(site)
    site.shell("from chat.models import Conversation; Conversation.objects.filter(owner__username='charlie').delete()")
