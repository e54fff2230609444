"""The command with a terminal, and what it left in the database."""

import contextlib
import fcntl
import os
import pty
import select
import sqlite3
import subprocess
import sys
import termios
import time

from scripts.environment import ROOT
from tests.timeouts import HANG_TIMEOUT

UP, CTRL_C, CTRL_D = "\x1b[A", "\x03", "\x04"
TABLES = ("conversation", "message", "run", "runevent", "serverprocess")


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

    def until(self, text, seconds=HANG_TIMEOUT):
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
        for seconds in (5, 5, HANG_TIMEOUT):
            self.type(CTRL_C)
            with contextlib.suppress(AssertionError if seconds < HANG_TIMEOUT else ()):
                return self.until("\n", seconds)

    def ends(self, seconds=HANG_TIMEOUT):
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
