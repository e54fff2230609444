"""What others get while one client attacks the server that README starts, and that nothing is left of it afterwards."""

import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from bench.attacks import ATTACKS
from tests.attacked import ASSISTANTS, Model, Others, attack
from tests.images import PICTURE
from tests.live.outages import ASSISTANTS as COUNTING
from tests.live.outages import FUNCTIONS, follower
from tests.server_process import Site, poll_until

pytestmark = pytest.mark.process

ANSWERS = {"images": 8, "imports": 6, "anonymous": 60, "agent": 8, "streams": 200}  # after which an attack ends
SHARE = 0.4  # of the bench's numbers
MAX_MEMORY_BYTES = 600_000_000  # of the server and its children together
SLACK_FILES = 60  # connections of the database threads, and the pipes of worker processes
ANSWERED = {0, 101, 200, 201, 202}  # 0: hung up
REFUSALS = {  # what the attacker may get besides; the first that is listed must be there
    "images": [],
    "imports": [400, 413, 415, 429],
    "anonymous": [429, 401, 403, 408, 413, 503],
    "agent": [],
    "streams": [429],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("site")


@pytest.fixture(scope="module")
def site(folder):
    (folder / "temporary").mkdir()
    with closing(Model()) as model:
        site = Site(
            folder,
            log=folder / "log",
            setup=COUNTING + ASSISTANTS,
            PYTHON_PROVIDERS=FUNCTIONS,
            TMPDIR=str(folder / "temporary"),
            HEAD_TIMEOUT="3",
            **model.settings(),
        )
        yield site.start()
        site.close()


def open_files(site):
    return len(os.listdir(f"/proc/{site.process.pid}/fd"))


def open_runs(folder):
    with closing(sqlite3.connect(folder / "site.sqlite3", timeout=30)) as database:
        return database.execute("SELECT count(*) FROM chat_run WHERE status IN ('queued', 'in_progress')").fetchone()[0]


def end_everything(client):
    """Deletes the user's conversations, and with them what still runs."""
    while items := client.get("/api/conversations", params={"limit": 100}).json()["items"]:
        for item in items:
            assert client.delete(f"/api/conversations/{item['id']}").status_code == 204


def assert_usable(client):
    """Nothing of what this user has taken is still held."""
    assert client.post("/api/attachments", files={"file": ("a.png", PICTURE)}).status_code == 201
    assert client.post("/api/import", files={"file": json.dumps([]).encode()}).status_code in (201, 400)
    assert client.post("/api/chat", json={"text": "Hi", "assistant": "demo"}).status_code == 200


@pytest.mark.parametrize("name", ATTACKS)
def test_site_withstands_attacks_and_recovers(site, folder, tmp_path, name):
    gate = tmp_path / "gate"
    with closing(site.login("alice")) as alice, closing(site.login("charlie")) as charlie:
        files = open_files(site)
        stream = follower(charlie, charlie.ask(str(gate), assistant="count"))
        poll_until(lambda: stream.words > 5)
        words = stream.words
        with Others(site, charlie) as others:
            attacker = attack(site, alice, name, ANSWERS[name], SHARE)
        assert len(attacker.answers) >= ANSWERS[name]
        print(name, dict(attacker.statuses), dict(others.statuses), f"{others.memory / 1e6:.0f} MB")
        assert stream.words > words
        assert_others(others)
        assert_refusals(name, attacker)
        gate.touch()
        poll_until(lambda: stream.has_ended)
        numbers = stream.text.split()
        assert numbers == [str(n + 1) for n in range(len(numbers))]
        end_everything(charlie)  # whose questions would be answered one after the other
        poll_until(lambda: end_everything(alice) is None and not open_runs(folder))
        assert_usable(alice)
        end_everything(alice)
        end_everything(charlie)
        poll_until(lambda: open_files(site) <= files + SLACK_FILES)
        poll_until(lambda: not list((folder / "temporary").iterdir()))
    log = Path(site.log).read_text()
    assert "Traceback" not in log, log[log.index("Traceback") - 500 :][:8000]


def assert_others(others):
    assert others.failure is None
    assert {status for (kind, status) in others.statuses} <= {200, 202, 302}
    assert {kind for kind, _ in others.statuses} == {"health", "page", "list", "send", "login"}
    assert others.memory < MAX_MEMORY_BYTES


def assert_refusals(name, attacker):
    assert set(attacker.statuses) <= ANSWERED | set(REFUSALS[name])
    for status in REFUSALS[name][:1]:
        assert status in attacker.statuses
    assert [answer for answer in attacker.answers if not answer.is_proper] == []
