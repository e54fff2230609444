"""The attacks of the bench in a short form, and the other users meanwhile."""

import asyncio
import json
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass

import httpx

from bench.attacks import ATTACKS, Attacker
from scripts.environment import ROOT
from tests.memory import memory_bytes
from tests.server_process import free_port, wait_for
from tests.timeouts import HANG_TIMEOUT

MODELS = ("bench-1-500", "arguments-100-9", "calls-100-9")
ASSISTANTS = f"""
from chat.models import Assistant
for name in {MODELS!r}:
    Assistant.objects.create(slug=name, name=name, model="openai:" + name, tools=["clock"])
"""
MUST_SAY_WHEN = {429, 503}
HUNG_UP = 0  # instead of a status


class Model:
    """The endless model of the bench as a process."""

    def __init__(self):
        self.port = free_port()
        self.process = subprocess.Popen([sys.executable, "-m", "bench.upstream", str(self.port)], cwd=ROOT)
        wait_for(f"http://127.0.0.1:{self.port}/v1/models", self.process)

    def settings(self):
        return {"OPENAI_BASE_URL": f"http://127.0.0.1:{self.port}/v1", "OPENAI_API_KEY": "sk-test"}

    def close(self):
        self.process.kill()
        self.process.wait()


@dataclass
class Answer:
    status: int
    headers: dict
    body: bytes

    @property
    def is_proper(self):
        """Whether a refusal says why, and when to try again where that helps."""
        if self.status in MUST_SAY_WHEN and int(self.headers.get("retry-after", 0)) <= 0:
            return False
        is_json = "json" in self.headers.get("content-type", "")
        return self.status < 400 or bool(json.loads(self.body)["error"]["message"] if is_json else self.body)


class RecordingAttacker(Attacker):
    """Keeps the answers that it got to the end."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.answers = []

    async def send(self, content):
        answer = await super().send(content)
        head, _, body = answer.partition(b"\r\n\r\n")
        lines = [line.partition(": ") for line in head.decode("latin-1").split("\r\n")[1:]]
        headers = {name.lower(): value for name, _, value in lines}
        self.answers.append(Answer(int(head[9:12] or HUNG_UP), headers, body))
        return answer

    @property
    def statuses(self):
        return Counter(answer.status for answer in self.answers)


async def _attack(attacker, name, answers):
    task = asyncio.create_task(ATTACKS[name](attacker))
    deadline = time.monotonic() + HANG_TIMEOUT
    while len(attacker.answers) < answers and time.monotonic() < deadline and not task.done():
        await asyncio.sleep(0.1)
    if task.done():
        task.result()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def attack(site, client, name, answers, share):
    """Attacks as the user of this client until so many answers have come. Returns the attacker, with the answers."""
    attacker = RecordingAttacker(site.port, client.cookies["sessionid"], share)
    attacker.headers = {
        "Cookie": f"sessionid={client.cookies['sessionid']}; csrftoken={client.cookies['csrftoken']}",
        "X-CSRFToken": client.headers["X-CSRFToken"],
    }
    asyncio.run(_attack(attacker, name, answers))
    return attacker


class Others(threading.Thread):
    """What another user, a newcomer and a probe get while the block runs, and how much memory the server has then."""

    def __init__(self, site, client):
        super().__init__()
        self.site, self.client = site, client
        self.conversation = client.post("/api/conversations", json={}).json()["id"]
        self.statuses, self.memory, self.failure = Counter(), 0, None
        self._is_over = threading.Event()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *error):
        self._is_over.set()
        self.join()

    def run(self):
        try:
            while not self._is_over.wait(0.1):  # between rounds
                self._look_around()
        except Exception as error:
            self.failure = error

    def _look_around(self):
        self.memory = max(self.memory, memory_bytes(self.site.process.pid))
        path = f"/api/conversations/{self.conversation}/messages"
        self.statuses["health", httpx.get(f"{self.site.url}/health", timeout=HANG_TIMEOUT).status_code] += 1
        self.statuses["page", self.client.get("/").status_code] += 1
        self.statuses["list", self.client.get("/api/conversations").status_code] += 1
        self.statuses["send", self.client.post(path, json={"text": "Hi", "assistant": "demo"}).status_code] += 1
        with closing(self.site.login("bob")):  # asserts that it succeeds
            self.statuses["login", 302] += 1
