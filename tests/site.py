"""The site as a real server process on loopback, with a database of its own."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx

from chat.events import from_json

ROOT = Path(__file__).resolve().parent.parent
PASSWORD = "correct horse battery"
PEOPLE = f"""
from django.contrib.auth import get_user_model
for name, staff in (("alice", False), ("bob", True), ("charlie", False)):
    get_user_model().objects.create_user(name, password={PASSWORD!r}, is_staff=staff, is_superuser=staff)
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(url, process=None, seconds=30):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process and process.poll() is not None:
            raise RuntimeError(f"The process for {url} ended with {process.returncode}.")
        try:
            httpx.get(url)
            return
        except httpx.TransportError:
            time.sleep(0.05)  # between tries, not instead of one
    raise TimeoutError(f"{url} did not answer within {seconds} s.")


def wait_until(true, seconds=10):
    """What `true()` gives once it is true; fails after so many seconds. For what another process does."""
    deadline = time.monotonic() + seconds
    while not (told := true()):
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.02)  # between looks
    return told


class Site:
    """`start`, `kill` (as a crash does), `stop` (as a deploy does), `login`."""

    def __init__(self, folder, application="chatsite.asgi:application", **environment):
        self.command = [sys.executable, "-m", "uvicorn", application, "--log-level", "warning", "--no-access-log"]
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process = None
        self.environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("OPENAI_", "DJANGO_"))
        }
        self.environment |= {
            "DATABASE_URL": f"sqlite:///{folder}/site.sqlite3",
            "DEBUG": "true",
            "AUTO_TITLES": "false",
            **environment,
        }
        self.manage("migrate", "--verbosity", "0")
        self.shell(PEOPLE)

    def manage(self, *arguments):
        command = [sys.executable, "manage.py", *arguments]
        done = subprocess.run(command, cwd=ROOT, env=self.environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def shell(self, code):
        return self.manage("shell", "--no-imports", "-c", code)

    def assistant(self, slug, model, **fields):
        self.shell(
            "from chat.models import Assistant\n"
            f"Assistant.objects.create(slug={slug!r}, name={slug!r}, model={model!r}, **{fields!r})"
        )

    def start(self):
        command = [*self.command, "--port", str(self.port)]
        self.process = subprocess.Popen(command, cwd=ROOT, env=self.environment, start_new_session=True)
        wait_for(f"{self.url}/health", self.process)
        return self

    def kill(self):
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self, seconds=30):
        """End it in order; gives the seconds that this took."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(seconds)
        return time.monotonic() - began

    def close(self):
        if self.process and self.process.poll() is None:
            self.kill()

    def login(self, name):
        return Person(self.url, name)


class Upstream:
    """The scripted model server as a process: see tests.upstream for the names of its models."""

    def __init__(self, *arguments):
        command = [sys.executable, "-m", "tests.upstream", *arguments]
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        self.base_url = self.process.stdout.readline().split()[-1]

    def asked(self):
        """The requests so far, each with `body` and `closed_at` (seconds since the epoch; None while it is open)."""
        return httpx.get(self.base_url.removesuffix("/v1") + "/asked").json()

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


class Person(httpx.Client):
    """A logged-in client: the calls that the tests make."""

    def __init__(self, url, name):
        super().__init__(base_url=url, timeout=30)
        self.get("/accounts/login/")
        form = {"username": name, "password": PASSWORD, "csrfmiddlewaretoken": self.cookies["csrftoken"]}
        assert self.post("/accounts/login/", data=form).status_code == 302
        self.headers["X-CSRFToken"] = self.cookies["csrftoken"]

    def ask(self, text="Hello", conversation=None, key=None, **data):
        """Send a message; gives the 202 body, with `conversation_id`."""
        conversation = conversation or self.post("/api/conversations", json={}).json()["id"]
        headers = {"Idempotency-Key": key} if key else {}
        answer = self.post(f"/api/conversations/{conversation}/messages", json={"text": text, **data}, headers=headers)
        assert answer.status_code == 202, answer.text
        return answer.json() | {"conversation_id": conversation}

    def events(self, run, after=None):
        """The run's events as (seq, event, time of arrival), as they come."""
        headers = {} if after is None else {"Last-Event-ID": str(after)}
        with self.stream("GET", run["events_url"], headers=headers) as answer:
            assert answer.status_code == 200, answer.status_code
            seq = None
            for line in answer.iter_lines():
                if line.startswith("id: "):
                    seq = int(line[4:])
                elif line.startswith("data: "):
                    yield seq, from_json(line[6:]), time.monotonic()

    def reply(self, run):
        messages = self.get(f"/api/conversations/{run['conversation_id']}/messages").json()["items"]
        return next(message for message in messages if message["id"] == run["reply_id"])

    def wait_for_end(self, run, seconds=30):
        def ended():
            reply = self.reply(run)
            return reply if reply["status"] not in ("queued", "in_progress") else None

        return wait_until(ended, seconds)

    def event_json(self, run):
        """The data of all frames of a finished run, as JSON objects."""
        lines = self.get(run["events_url"]).text.splitlines()
        return [json.loads(line[6:]) for line in lines if line.startswith("data: ")]
