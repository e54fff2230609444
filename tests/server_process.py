"""The site as a real server process on loopback, with a database of its own."""

import copy
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack

import httpx

from chat.events import from_json
from scripts.environment import ROOT
from tests.timeouts import HANG_TIMEOUT

PASSWORD = "correct horse battery"
WORKER_STARTED = "Taking queued runs"
MIGRATE = """
from django.core.management import call_command
call_command("migrate", verbosity=0)
"""
PEOPLE = f"""
from django.contrib.auth import get_user_model
for name, staff in (("alice", False), ("bob", True), ("charlie", False)):
    get_user_model().objects.create_user(name, password={PASSWORD!r}, is_staff=staff, is_superuser=staff)
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(url, process=None, seconds=HANG_TIMEOUT):
    """Wait until the address answers. Raises RuntimeError if this process ends before."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process and process.poll() is not None:
            raise RuntimeError(f"The process for {url} ended with {process.returncode}.")
        try:
            httpx.get(url)
            return
        except httpx.TransportError:
            time.sleep(0.05)  # before the next attempt: a port gives no signal when it opens
    raise TimeoutError(f"{url} did not answer within {seconds} s.")


def poll_until(condition, seconds=HANG_TIMEOUT):
    """Wait for a change that another process makes. Returns the first true result of `condition()`."""
    deadline = time.monotonic() + seconds
    while True:
        result = condition()
        if result:
            return result
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.02)  # before the next look: another process gives no signal


class Site:
    """A server process as `make serve` starts it. `kill` ends it as a crash does, `stop` as a deployment does.

    It writes into the file `log`. `setup` is Python code that is run once, after the migrations.
    """

    def __init__(self, folder, application="chatsite.asgi.application", log=None, setup="", **environment):
        self.log = log
        self.command = [sys.executable, "manage.py", "serve", "--log-level", "warning", "--no-access-log"]
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process = None
        self.start_seconds = 0  # how long its last start took: two on a machine that does nothing else
        self.environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("OPENAI_", "DJANGO_"))
        }
        self.environment |= {
            "DATABASE_URL": f"sqlite:///{folder}/site.sqlite3",
            "AUTO_TITLES": "false",
            "DJANGO_SETTINGS_MODULE": "tests.server_settings",
            "TEST_APPLICATION": application,
            "TEST_STATIC_ROOT": f"{folder}/static",
            **environment,
        }
        self.shell(MIGRATE + PEOPLE + setup)  # in one process, since a start of Django takes seconds

    def manage(self, *arguments):
        command = [sys.executable, "manage.py", *arguments]
        result = subprocess.run(command, cwd=ROOT, env=self.environment, capture_output=True, text=True)
        assert result.returncode == 0, result.stderr
        return result.stdout

    def shell(self, code):
        return self.manage("shell", "--no-imports", "-c", code)

    def assistant(self, slug, model, **fields):
        self.shell(
            "from chat.models import Assistant\n"
            f"Assistant.objects.create(slug={slug!r}, name={slug!r}, model={model!r}, **{fields!r})"
        )

    def sibling(self, log=None):
        """Returns another process of the same site, with a port of its own."""
        site = copy.copy(self)
        site.log, site.process, site.port = log, None, free_port()
        site.url = f"http://127.0.0.1:{site.port}"
        return site

    def start(self):
        start = time.monotonic()
        self.spawn([*self.command, "--port", str(self.port)])
        wait_for(f"{self.url}/health", self.process)
        self.start_seconds = time.monotonic() - start
        return self

    def spawn(self, command):
        with ExitStack() as stack:
            output = stack.enter_context(open(self.log, "ab")) if self.log else None
            self.process = subprocess.Popen(
                command, cwd=ROOT, env=self.environment, stdout=output, stderr=output, start_new_session=True
            )

    def kill(self):
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self, seconds=HANG_TIMEOUT):
        """Stop the process gracefully. Returns how many seconds this took."""
        start = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(seconds)
        return time.monotonic() - start

    def freeze(self):
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self):
        self.process.send_signal(signal.SIGCONT)

    def limit_file_size(self, limit):
        """From now on the process cannot write more than so many bytes into a file; None: as much as it likes."""
        limit = resource.RLIM_INFINITY if limit is None else limit
        resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))

    def close(self):
        if self.process and self.process.poll() is None:
            self.kill()

    def login(self, name):
        return UserClient(self.url, name)


class Worker(Site):
    """A process of a site that executes its runs: `manage.py runworker`. It has no address."""

    def __init__(self, site, log):
        self.log, self.process = log, None
        self.environment = site.environment | {"RUNNER": "worker"}

    def start(self):
        self.log.touch()
        starts = self.log.read_text().count(WORKER_STARTED)
        self.spawn([sys.executable, "manage.py", "runworker"])
        poll_until(lambda: self.process.poll() is not None or self.log.read_text().count(WORKER_STARTED) > starts)
        assert self.process.poll() is None, self.log.read_text()
        return self


class Upstream:
    """The scripted model server as a process; tests.upstream lists the names of its models."""

    def __init__(self, *arguments):
        command = [sys.executable, "-m", "tests.upstream", *arguments]
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        self.base_url = self.process.stdout.readline().split()[-1]

    def requests(self):
        """Returns the requests. Each has `body` and `closed_at` (seconds since the epoch; None while it is open)."""
        return httpx.get(self.base_url.removesuffix("/v1") + "/requests", timeout=HANG_TIMEOUT).json()

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


class UserClient(httpx.Client):
    """An HTTP client that is logged in."""

    def __init__(self, url, name):
        super().__init__(base_url=url, timeout=HANG_TIMEOUT)
        self.get("/accounts/login/")
        form = {"username": name, "password": PASSWORD, "csrfmiddlewaretoken": self.cookies["csrftoken"]}
        assert self.post("/accounts/login/", data=form).status_code == 302
        self.headers["X-CSRFToken"] = self.cookies["csrftoken"]

    def ask(self, text="Hello", conversation=None, key=None, **data):
        """Send a message. Returns the response's data and `conversation_id`."""
        conversation = conversation or self.post("/api/conversations", json={}).json()["id"]
        headers = {"Idempotency-Key": key} if key else {}
        answer = self.post(f"/api/conversations/{conversation}/messages", json={"text": text, **data}, headers=headers)
        assert answer.status_code == 202, answer.text
        return answer.json() | {"conversation_id": conversation}

    def events(self, run, after=None):
        """Yields the run's events as (seq, event, time of arrival) while they arrive."""
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

    def wait_for_end(self, run, seconds=HANG_TIMEOUT):
        def ended():
            reply = self.reply(run)
            return reply if reply["status"] not in ("queued", "in_progress") else None

        return poll_until(ended, seconds)

    def event_json(self, run):
        """Returns the events of a finished run as JSON objects."""
        lines = self.get(run["events_url"]).text.splitlines()
        return [json.loads(line[6:]) for line in lines if line.startswith("data: ")]
