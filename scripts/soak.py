"""Runs the site for minutes with ordinary users, attacks and faults, and checks that nothing is lost or grows.

`make soak` or `python -m scripts.soak --minutes 30 --seed 7`. It takes SQLite, or with `--postgresql` a PostgreSQL
server of its own, which it also restarts, or the empty PostgreSQL database that DATABASE_URL names. Exits with status 1
and sentences if something is wrong.
"""

import argparse
import json
import os
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import closing, nullcontext
from pathlib import Path

import httpx

from bench.attacks import ATTACKS
from scripts.postgresql import TemporaryServer, programs_folder
from tests.attacked import ASSISTANTS, Model, attack
from tests.images import PICTURE
from tests.live.outages import FUNCTIONS, Cluster
from tests.memory import memory_bytes, process_ids

USERS = ("alice", "charlie") * 2  # who each user logs in as; bob attacks
POSTGRESQL_PORT = 54331
USER_PAUSE = 0.5  # seconds between a user's actions, at most
FAULT_PAUSE = 10  # seconds between faults, at most
FAULT_TAIL = 20  # seconds after a fault in which it explains a failed request
SETTLE_SECONDS = 60
MAX_MEMORY_BYTES = 600_000_000  # of each server and its children
MAX_DISK_BYTES = 1_000_000_000
FILES_SLACK, THREADS_SLACK = 40, 20  # more than before the load
EXPLAINED = {429, 502, 503}
ENDED = {"completed", "interrupted", "cancelled", "failed"}
ATTACK_ANSWERS, ATTACK_SHARE = 40, 0.2
FAULTY_ASSISTANTS = f"""
Assistant.objects.create(slug="hanging", name="hanging", model="python:{FUNCTIONS}.hang")
Assistant.objects.create(slug="failing", name="failing", model="openai:unknown")
"""
COUNT_ROWS = """
import json
from chat.models import Conversation, Message, Run
conversations = Conversation.objects.filter(owner__username__in=["alice", "charlie"])
messages = Message.objects.filter(conversation__in=conversations)
print(json.dumps({
    "conversations": conversations.count(),
    "questions": messages.filter(role="user").count(),
    "replies": messages.filter(role="assistant").count(),
    "runs": Run.objects.filter(conversation__in=conversations).count(),
    "open": Run.objects.open().count(),
}))
"""


class Soak:
    def __init__(self, cluster, seed, database=None):
        self.cluster, self.seed = cluster, seed
        self.database = database  # the PostgreSQL server to restart
        self.problems = []
        self.counts: Counter[str] = Counter()
        self.faults = []  # (since, until) of each
        self.is_over = threading.Event()

    def is_explained(self, start):
        """Whether a fault was under way during a request that began then and has just failed."""
        now = time.monotonic()
        return any(since <= now and start <= until + FAULT_TAIL for since, until in list(self.faults))

    def complain(self, sentence):
        self.problems.append(sentence)
        print(sentence, flush=True)

    def figures(self):
        """Returns what must not grow, of all servers together."""
        pids = [site.process.pid for site in self.cluster.sites]
        return {
            "memory": sum(map(memory_bytes, pids)),
            "files": sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in pids),
            "threads": sum(len(os.listdir(f"/proc/{pid}/task")) for pid in pids),
            "processes": sum(len(process_ids(pid)) for pid in pids),
        }


class User(threading.Thread):
    """Somebody who sends, follows, reloads, stops, edits, searches, uploads and exports, in a conversation."""

    def __init__(self, soak, number):
        super().__init__(daemon=True)
        self.soak = soak
        self.chance = random.Random(f"{soak.seed} user {number}")
        self.client = soak.cluster.sites[number % len(soak.cluster.sites)].login(USERS[number])
        self.conversation = self.client.post("/api/conversations", json={}).json()["id"]
        self.sent = {}  # run id -> (text, assistant, whether it was stopped)
        self.number = 0

    def run(self):
        actions = [self.send] * 4 + [self.stop, self.edit, self.fail, self.hang, self.search, self.upload, self.export]
        while not self.soak.is_over.wait(self.chance.random() * USER_PAUSE):
            action = self.chance.choice(actions)
            try:
                action()
                self.soak.counts[action.__name__] += 1
            except Exception as error:
                self.soak.complain(f"A user could not {action.__name__}: {error!r}")

    def warm_up(self):
        """Uses what starts threads and opens files at its first use."""
        for action in (self.send, self.stop, self.search, self.upload, self.export, self.edit):
            action()

    def request(self, method, path, expected, **options):
        """Repeats the request until it succeeds, as a page does; what no fault explains is a problem."""
        while True:
            start = time.monotonic()
            try:
                answer = self.client.request(method, path, **options)
                if answer.status_code == expected:
                    return answer
                problem = f"{answer.status_code} {answer.text[:200]}"
                is_explained = answer.status_code in EXPLAINED
            except httpx.TransportError as error:
                problem, is_explained = repr(error), True
            if not is_explained or not self.soak.is_explained(start):
                raise RuntimeError(f"{method} {path}: {problem}")
            self.soak.counts["repeated"] += 1
            time.sleep(0.2)  # until it is tried again

    def ask(self, assistant, path=None):
        self.number += 1
        text = f"message {self.number} of {self.name}"
        path = path or f"/api/conversations/{self.conversation}/messages"
        headers = {"Idempotency-Key": text.replace(" ", "-")}
        answer = self.request("POST", path, 202, json={"text": text, "assistant": assistant}, headers=headers)
        run = answer.json()
        self.sent[run["run_id"]] = [text, assistant, run["reply_id"]]
        return run

    def send(self, assistant="echo"):
        run = self.ask(assistant)
        if self.chance.random() < 0.5:
            self.request("GET", run["events_url"], 200)
        self.request("GET", f"/api/conversations/{self.conversation}/messages", 200, params={"limit": 20})

    def stop(self, assistant="count"):
        run = self.ask(assistant)
        time.sleep(self.chance.random())  # for as long as the user reads
        self.request("POST", f"/api/runs/{run['run_id']}/cancel", 202)

    def fail(self):
        self.send("failing")

    def hang(self):
        self.stop("hanging")

    def edit(self):
        items = self.messages()
        questions = [item["id"] for item in items if item["role"] == "user"]
        if questions:
            self.ask("echo", f"/api/messages/{self.chance.choice(questions)}/edit")

    def search(self):
        self.request("GET", "/api/conversations", 200, params={"q": "message"})

    def upload(self):
        self.request("POST", "/api/attachments", 201, files={"file": ("a.png", PICTURE)})

    def export(self):
        self.request("GET", f"/api/conversations/{self.conversation}/export", 200, params={"format": "json"})

    def messages(self):
        return self.request("GET", f"/api/conversations/{self.conversation}/messages", 200).json()["items"]

    def check(self):
        """All that was sent is there once, and every reply has ended with what its model said."""
        deadline = time.monotonic() + SETTLE_SECONDS
        while any(item["role"] == "assistant" and item["status"] not in ENDED for item in self.messages()):
            if time.monotonic() > deadline:
                return self.soak.complain(f"Replies to {self.name} have not ended.")
            time.sleep(0.5)  # between looks
        items = self.messages()
        replies = {item["id"]: item for item in items if item["role"] == "assistant"}
        asked = Counter(item["text"] for item in items if item["role"] == "user")
        if asked != Counter(text for text, *_ in self.sent.values()):
            self.soak.complain(f"Messages of {self.name} are lost or doubled.")
        if replies.keys() != {reply_id for *_, reply_id in self.sent.values()}:
            self.soak.complain(f"Replies to {self.name} are lost or doubled.")
        for text, assistant, reply_id in self.sent.values():
            if reply_id in replies and not is_right(text, assistant, replies[reply_id]):
                self.soak.complain(f"The reply of {assistant} to “{text}” is wrong: {str(replies[reply_id])[:300]}")


def is_right(text, assistant, reply):
    """Whether this is what the scripted model said, up to where the reply was interrupted or stopped."""
    reply_text, status = reply["text"], reply["status"]
    if assistant == "echo":  # questions without an answer between them reach the model as one
        piece = reply_text.rpartition("\n\n")[2]
        return piece == text if status == "completed" else status == "interrupted" and is_cut(piece, text)
    if assistant == "count":
        numbers = reply_text.split()
        return status in ("cancelled", "interrupted") and numbers == [str(n + 1) for n in range(len(numbers))]
    return (
        not reply_text
        and status in {"failing": ("failed", "interrupted"), "hanging": ("cancelled", "interrupted")}[assistant]
    )


def is_cut(piece, text):
    """Whether this is the beginning of this message, or of an earlier one of the same user."""
    return text.startswith(piece) or piece.startswith("message ")


class Faults(threading.Thread):
    """Kills, deploys, restarts of the database and attacks, one after the other."""

    def __init__(self, soak):
        super().__init__(daemon=True)
        self.soak, self.chance = soak, random.Random(f"{soak.seed} faults")

    def run(self):
        names = ["kill", "deploy", *(["restart"] if self.soak.database else []), *ATTACKS]
        while not self.soak.is_over.wait(self.chance.random() * FAULT_PAUSE):
            name, site = self.chance.choice(names), self.chance.choice(self.soak.cluster.sites)
            print(f"{time.strftime('%H:%M:%S')} {name} at port {site.port}", flush=True)
            try:
                self.make(name, site)
                self.soak.counts[name] += 1
            except Exception as error:
                self.soak.complain(f"The fault {name} could not be made: {error!r}")

    def make(self, name, site):
        if name in ("kill", "deploy", "restart"):
            self.soak.faults.append((time.monotonic(), float("inf")))
            if name == "restart":
                self.soak.database.stop()
                self.soak.database.start()
            else:
                site.kill() if name == "kill" else site.stop()
                site.start()
            since, _ = self.soak.faults.pop()
            self.soak.faults.append((since, time.monotonic()))
            return
        with closing(site.login("bob")) as bob:
            bob.timeout = 60
            attacker = attack(site, bob, name, ATTACK_ANSWERS, ATTACK_SHARE)
            if bad := [answer for answer in attacker.answers if not answer.is_proper]:
                self.soak.complain(f"The attack {name} got improper answers: {bad[:2]}")
            for item in bob.get("/api/conversations", params={"limit": 100}).json()["items"]:
                bob.delete(f"/api/conversations/{item['id']}")


def main():
    parser = argparse.ArgumentParser(prog="python -m scripts.soak", description="Run the site under load and faults.")
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    parser.add_argument("--postgresql", action="store_true", help="on a temporary PostgreSQL server")
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    with postgresql(options.postgresql) as database:
        soak = soak_site(options, database)
    print(f"{dict(soak.counts)}; {len(soak.problems)} problems")
    return 1 if soak.problems else 0


def postgresql(is_wanted):
    """Returns a temporary server to be entered, or nothing."""
    if not is_wanted:
        return nullcontext()
    programs = programs_folder()
    if programs is None:
        sys.exit("There are no programs of PostgreSQL on this machine.")
    return TemporaryServer(programs, POSTGRESQL_PORT)


def soak_site(options, database):
    named = {"DATABASE_URL": os.environ["DATABASE_URL"]} if "DATABASE_URL" in os.environ else {}
    url = {"DATABASE_URL": database.url} if database else named
    with tempfile.TemporaryDirectory(prefix="chat-soak-") as folder, closing(Model()) as model:
        settings = model.settings() | {"HEAD_TIMEOUT": "3", "MAX_RUNS_PER_USER": "50"} | url
        with Cluster(Path(folder), 2, setup=ASSISTANTS + FAULTY_ASSISTANTS, **settings) as cluster:
            soak = Soak(cluster.start(), options.seed, database)
            run(soak, 60 * options.minutes, Path(folder))
            return soak


def run(soak, seconds, folder):
    users = [User(soak, number) for number in range(len(USERS))]
    for user in users:
        user.warm_up()
    before = soak.figures()
    print(f"before: {before}", flush=True)
    threads = [*users, Faults(soak)]
    for thread in threads:
        thread.start()
    end = time.monotonic() + seconds
    while not soak.is_over.wait(max(0, min(60, end - time.monotonic()))) and time.monotonic() < end:
        check_growth(soak, folder)
    soak.is_over.set()
    for thread in threads:
        thread.join(2 * SETTLE_SECONDS)
        if thread.is_alive():
            soak.complain(f"{thread.name} hangs.")
    for user in users:
        user.check()
    check_rows(soak, users)
    check_rest(soak, before)
    check_growth(soak, folder)


def check_growth(soak, folder):
    """Looks at memory, disk and logs while the load goes on."""
    try:
        now = soak.figures()
    except (OSError, ProcessLookupError):  # a server is being started again
        return
    disk = sum(path.stat().st_size for path in folder.glob("*") if path.is_file())
    print(f"{time.strftime('%H:%M:%S')} {now} disk {disk} {dict(soak.counts)}", flush=True)
    if now["memory"] > MAX_MEMORY_BYTES * len(soak.cluster.sites):
        soak.complain(f"The servers take {now['memory'] / 1e6:.0f} MB of memory.")
    if disk > MAX_DISK_BYTES:
        soak.complain(f"The site takes {disk / 1e6:.0f} MB of the disk.")
    if "Traceback" in soak.cluster.log():
        soak.complain(f"There is a traceback in a log:\n{soak.cluster.log()[-4000:]}")


def check_rows(soak, users):
    """Compares the rows with what was sent: no row is doubled, left over or still open, also where nobody looks."""
    sent = sum(len(user.sent) for user in users)
    expected = {"conversations": len(users), "questions": sent, "replies": sent, "runs": sent, "open": 0}
    deadline = time.monotonic() + SETTLE_SECONDS
    while (rows := json.loads(soak.cluster.sites[0].shell(COUNT_ROWS))) != expected:
        if time.monotonic() > deadline:
            return soak.complain(f"The database has {rows}, and {expected} were sent.")
        time.sleep(1)  # between looks


def check_rest(soak, before):
    """Waits until the servers have as few files and threads open as before the load."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while True:
        now = soak.figures()
        if now["files"] <= before["files"] + FILES_SLACK and now["threads"] <= before["threads"] + THREADS_SLACK:
            return
        if time.monotonic() > deadline:
            return soak.complain(f"Files or threads stay open: {now}, before the load {before}.")
        time.sleep(1)  # between looks


if __name__ == "__main__":
    sys.exit(main())
