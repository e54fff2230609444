"""A large import, and everybody else meanwhile; one that the server does not finish."""

import json
import threading
import time
from statistics import quantiles

import pytest

from tests.memory import memory_bytes
from tests.server_process import Site, poll_until

pytestmark = pytest.mark.process

MAX_MEMORY_BYTES = 600_000_000  # of the server and its children together
MAX_SEND_P99 = 0.2  # seconds; one long transaction would make it many times as long
MAX_FACTOR = 5  # of the p99 of a server without an import, on a busy machine


@pytest.fixture
def site(tmp_path):
    site = Site(tmp_path, SHUTDOWN_GRACE="0")
    yield site.start()
    site.close()


def node(number, text):
    role = "assistant" if number % 2 else "user"
    content = {"content_type": "text", "parts": [text]}
    message = {"id": str(number), "author": {"role": role}, "create_time": 1.7e9 + number, "content": content}
    return {"id": str(number), "message": message, "parent": str(number - 1) if number else None, "children": []}


def export(conversations, messages, text="Some words of a message. " * 40):
    def conversation(number):
        mapping = {str(n): node(n, text) for n in range(messages)}
        return {"id": f"{number} of {messages}", "title": f"Number {number}", "create_time": 1.7e9, "mapping": mapping}

    return [conversation(number) for number in range(conversations)]


class Import(threading.Thread):
    def __init__(self, client, rows):
        super().__init__()
        self.client = client
        self.data = json.dumps(rows).encode()
        self.answer = self.error = None

    def run(self):
        try:
            self.answer = self.client.post("/api/import", files={"file": self.data}, timeout=300)
        except Exception as error:
            self.error = error


@pytest.fixture
def calm_site(tmp_path_factory):
    site = Site(tmp_path_factory.mktemp("calm"))
    yield site.start()
    site.close()


class Sender:
    """Charlie, who sends messages to a site."""

    def __init__(self, site):
        site.assistant("quick", "demo:")
        self.client = site.login("charlie")
        self.conversation = self.client.post("/api/conversations", json={}).json()["id"]
        self.durations = []

    def send(self):
        start = time.perf_counter()
        run = self.client.ask("Hello", conversation=self.conversation)
        self.durations.append(time.perf_counter() - start)
        self.client.post(f"/api/runs/{run['run_id']}/cancel")

    @property
    def p99(self):
        return quantiles(self.durations, n=100)[-1]


def test_import_does_not_block_the_database(site, calm_site):
    here, elsewhere = Sender(site), Sender(calm_site)
    alices = Import(site.login("alice"), export(300, 40) + export(1, 5000))
    memory = []
    alices.start()
    while alices.is_alive():
        here.send()
        elsewhere.send()
        memory.append(memory_bytes(site.process.pid))
    imported = alices.answer.json()
    assert (imported["conversations"], imported["messages"], imported["left_out"]) == (301, 17_000, [])
    print(
        f"{len(alices.data) / 1e6:.0f} MB; {len(here.durations)} sends: "
        f"p99 {here.p99:.3f} s, on a calm site {elsewhere.p99:.3f} s"
    )
    print(f"memory: at most {max(memory) / 1e6:.0f} MB")
    assert here.p99 < max(MAX_SEND_P99, MAX_FACTOR * elsewhere.p99)
    assert max(memory) < MAX_MEMORY_BYTES


def test_import_stops_at_shutdown_and_continues_when_sent_again(site):
    alice = site.login("alice")
    rows = export(200, 60)
    first = Import(alice, rows)
    first.start()
    poll_until(lambda: len(alice.get("/api/conversations").json()["items"]) > 0)
    assert site.stop() < max(15, site.start_seconds)
    first.join()
    assert first.error or first.answer.status_code == 503
    site.start()
    listed = alice.get("/api/conversations").json()["items"]
    assert all(len(alice.get(f"/api/conversations/{row['id']}/messages").json()["items"]) == 60 for row in listed[:5])
    answer = alice.post("/api/import", files={"file": json.dumps(rows).encode()}, timeout=300).json()
    assert answer["known"] > 0
    assert answer["known"] + answer["conversations"] == 200
