"""The processes of a run: the model, the peer and the site, each started as in production and pinned to its core."""

import asyncio
import http.client
import json
import os
import subprocess
import sys
import tempfile
import time
from itertools import cycle, islice
from pathlib import Path
from statistics import median
from urllib.parse import urlencode

import psutil

from bench import system
from bench.load import request

ROOT = Path(__file__).resolve().parent.parent
UVICORN = ["-m", "uvicorn", "--host", "127.0.0.1", "--log-level", "warning", "--no-access-log"]


class Server:
    """A child process with a port. Use with `with`: it is gone afterwards, and its temporary directory too."""

    core = system.SERVER_CORE

    def __init__(self, upstream=None):
        self.port = system.free_port()
        self.folder = tempfile.TemporaryDirectory(prefix="bench-")
        self.log = open(Path(self.folder.name) / "log", "w+")
        self.children = []
        self.env = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        if upstream:
            self.env |= {"OPENAI_API_KEY": "bench", "OPENAI_BASE_URL": f"http://127.0.0.1:{upstream.port}/v1"}

    def __enter__(self):
        try:
            self.prepare()
            child = self.spawn(*self.command(), core=self.core, stdout=self.log, stderr=self.log)
            self.process = psutil.Process(child.pid)
            self.wait_until_up(child)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exc):
        for child in self.children:
            child.terminate()
        for child in self.children:
            try:
                child.wait(8)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        self.log.close()
        self.folder.cleanup()

    def prepare(self):
        """Whatever must be there before the server starts."""

    def spawn(self, *args, core, **options):
        """Start Python with these arguments on this core; it ends with us."""
        options |= {"cwd": ROOT, "env": self.env, "preexec_fn": lambda: os.sched_setaffinity(0, {core})}
        child = subprocess.Popen([sys.executable, *args], **options)
        self.children.append(child)
        return child

    def fail(self, sentence):
        self.log.seek(0)
        raise RuntimeError(f"{sentence}:\n{self.log.read()[-2000:]}")

    def wait_until_up(self, child, seconds=30):
        give_up = time.monotonic() + seconds
        while time.monotonic() < give_up and child.poll() is None:
            try:
                return self.get("/")
            except OSError:
                time.sleep(0.05)
        self.fail(f"{type(self).__name__} did not start")

    def get(self, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request("GET", path)
        connection.getresponse().read()
        connection.close()

    def asks(self, model, count):
        """So many requests for a streamed answer of this model."""
        raise NotImplementedError

    def cpu(self):
        """Seconds of CPU that the process has used."""
        times = self.process.cpu_times()
        return times.user + times.system

    def memory(self):
        """Bytes resident."""
        return self.process.memory_info().rss

    async def settle(self, most=90):
        """Wait until the process has nothing left to do, so that one measurement does not weigh on the next."""
        idle, give_up = 0, time.monotonic() + most
        while idle < 2 and time.monotonic() < give_up:
            before = self.cpu()
            await asyncio.sleep(0.25)
            idle = idle + 1 if self.cpu() - before <= 0.02 else 0


class Upstream(Server):
    """The model itself; asked directly, it tells what model and client cost without any server between."""

    core = system.LOAD_CORE

    def command(self):
        return "-m", "bench.upstream", str(self.port)

    def asks(self, model, count):
        body = {"model": model, "stream": True, "messages": [{"role": "user", "content": "Hello"}]}
        return [request("POST", "/v1/chat/completions", body)] * count


class Peer(Server):
    def __init__(self, upstream, app="bench.peer:app"):
        super().__init__(upstream)
        self.app = app

    def command(self):
        return *UVICORN, "--port", str(self.port), self.app

    def asks(self, model, count):
        return [request("POST", "/chat", {"text": "Hello", "model": model})] * count


TOKEN = "c" * 32  # of CSRF: what the cookie says, the header has to repeat


class Site(Server):
    """The site with login, storage and journal on, over a fresh database, with some users logged in."""

    users = 100

    def __init__(self, upstream, database_url=None, provider="openai:"):
        super().__init__(upstream)
        self.provider = provider
        self.file = Path(self.folder.name) / "db.sqlite3"
        self.env |= {
            "SECRET_KEY": "bench-" * 10,
            "DEBUG": "0",
            "ALLOWED_HOSTS": "127.0.0.1",
            "MAX_RUNS": "3000",
            "MAX_RUNS_PER_USER": "3000",
            "MAX_STREAMS_PER_USER": "3000",
            "SHUTDOWN_GRACE": "0",
            "AUTO_TITLES": "0",
            "DATABASE_URL": database_url or f"sqlite:///{self.file}",
        }

    def command(self):
        return *UVICORN, "--port", str(self.port), "chatsite.asgi:application"

    def prepare(self):
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": self.log, "text": True}
        self.preparation = self.spawn(
            "-m", "bench.prepare_site", str(self.users), self.provider, core=system.LOAD_CORE, **pipes
        )
        sessions = self.preparation.stdout.readline().split()
        self.cookies = [{"Cookie": f"sessionid={key}; csrftoken={TOKEN}", "X-CSRFToken": TOKEN} for key in sessions]
        if not sessions:
            self.fail("The database could not be prepared")
        self.headers = self.cookies[0]

    def offer(self, model):
        """Have an assistant for this model; its slug is the model's name."""
        print(model, file=self.preparation.stdin, flush=True)
        if self.preparation.stdout.readline().strip() != model:
            self.fail(f"There is no assistant for {model}")

    def asks(self, model, count):
        self.offer(model)
        users = islice(cycle(self.cookies), count)
        return [request("POST", "/api/chat", {"text": "Hello", "assistant": model}, cookies) for cookies in users]

    def follow(self, run):
        return request("GET", run["events_url"], headers=self.headers)

    def start(self, model):
        """A run that nobody reads yet: the body of the 202."""
        self.offer(model)
        conversation = self.post("/api/conversations", {"assistant": model})
        return self.post(f"/api/conversations/{conversation['id']}/messages", {"text": "Hello"})

    def cancel(self, run):
        self.post(f"/api/runs/{run['run_id']}/cancel", {})

    def post(self, path, body):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request("POST", path, json.dumps(body), {**self.headers, "Content-Type": "application/json"})
        response = connection.getresponse()
        text = response.read().decode()
        connection.close()
        if response.status >= 300:
            raise RuntimeError(f"POST {path}: {response.status} {text[:500]}")
        return json.loads(text)

    def get_json(self, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request("GET", path, headers=self.headers)
        content = json.loads(connection.getresponse().read())
        connection.close()
        return content

    def fill(self, conversations, messages):
        """Give the first user so many conversations, of so many messages each: the id of the newest one."""
        command = "-m", "bench.sample_conversations", "bench-0", str(conversations), str(messages)
        child = self.spawn(*command, core=system.LOAD_CORE, stdout=subprocess.PIPE, stderr=self.log, text=True)
        newest = child.communicate()[0].strip()
        if not newest:
            self.fail("The conversations could not be made")
        return newest

    def look_for(self, words, times):
        """Median ms from the request to the answer."""
        took = []
        for _ in range(times):
            began = time.perf_counter()
            self.get_json(f"/api/conversations?{urlencode({'q': words})}")
            took.append(1000 * (time.perf_counter() - began))
        return median(took)

    def threads(self):
        return self.process.num_threads()

    def connections(self):
        """Open connections to the SQLite file: each holds it open once, under this very name."""
        links = Path(f"/proc/{self.process.pid}/fd").iterdir()
        return sum(os.path.realpath(link) == str(self.file) for link in links)


class CollectedSite(Site):
    """The site with collected static files, as browsers load them in production."""

    def prepare(self):
        self.env |= {"DJANGO_SETTINGS_MODULE": "bench.settings", "BENCH_STATIC_ROOT": f"{self.folder.name}/static"}
        arguments = "manage.py", "collectstatic", "--no-input", "--verbosity", "0"
        if self.spawn(*arguments, core=system.LOAD_CORE, stdout=self.log, stderr=self.log).wait():
            self.fail("The static files could not be collected")
        super().prepare()
