"""What users do while a database goes and comes back, and what must be true of it afterwards.

That is what docs/architecture.md promises under “When things go wrong” for a database that is down.

Nobody waits without a limit here: a process that hangs fails its test, with the end of its log.
"""

import threading
import time
from contextlib import ExitStack, closing, contextmanager

import httpx

from chat.events import TERMINAL, fold, from_json
from tests.server_process import Site, poll_until
from tests.timeouts import HANG_TIMEOUT

REQUEST_TIMEOUT = HANG_TIMEOUT  # longer than the 10 s after which a frozen database is given up
RETRY_DELAY = 0.1  # seconds until a refused request is repeated
WORDS = 10  # words of an answer that make sure that it is under way


FUNCTIONS = "tests.live.counting"
ASSISTANTS = f"""
from chat.models import Assistant
for name in ("count", "echo", "hang", "wait"):
    Assistant.objects.create(slug=name, name=name, model="python:{FUNCTIONS}." + name)
"""


class Cluster:
    """The server processes of one site."""

    def __init__(self, folder, count, setup="", **environment):
        first = Site(
            folder,
            log=folder / "0.log",
            setup=ASSISTANTS + setup,
            DEBUG="false",
            SECRET_KEY="a-secret-of-these-tests-that-is-long-enough-for-django",
            PYTHON_PROVIDERS=FUNCTIONS,
            **environment,
        )
        self.sites = [first, *(first.sibling(log=folder / f"{number}.log") for number in range(1, count))]

    def __enter__(self):
        return self

    def __exit__(self, *error):
        for site in self.sites:
            site.close()

    def start(self):
        for site in self.sites:
            site.start()
        return self

    def log(self):
        return "\n".join(f"--- {site.log.name}\n{site.log.read_text()}" for site in self.sites)

    def wait_until(self, condition, what, seconds=HANG_TIMEOUT):
        """Returns the first true result of `condition()`; fails with the processes' logs."""
        try:
            return poll_until(condition, seconds)
        except AssertionError:
            raise AssertionError(f"{what}: not within {seconds} s\n{self.log()[-6000:]}") from None

    def readiness(self):
        return [httpx.get(f"{site.url}/health/ready", timeout=REQUEST_TIMEOUT) for site in self.sites]


class Follower(threading.Thread):
    """A reader of a run that comes back, with its position, whenever its stream ends early."""

    def __init__(self, client, run):
        super().__init__(daemon=True)
        self.client, self.run_data = client, run
        self.events = []  # (seq, event)
        self.refusals = []  # answers that were no stream
        self.deadline = time.monotonic() + 3 * HANG_TIMEOUT

    def run(self):
        while not self.has_ended and time.monotonic() < self.deadline:
            try:
                self._follow()
            except httpx.TransportError:
                pass
            time.sleep(RETRY_DELAY)  # as a client does before it connects again

    def _follow(self):
        position = {"Last-Event-ID": str(self.events[-1][0])} if self.events else {}
        with self.client.stream("GET", self.run_data["events_url"], headers=position) as answer:
            if answer.status_code != 200:
                answer.read()
                self.refusals.append(answer)
                return
            seq = None
            for line in answer.iter_lines():
                if line.startswith("id: "):
                    seq = int(line[4:])
                elif line.startswith("data: "):
                    self.events.append((seq, from_json(line[6:])))

    @property
    def has_ended(self):
        return bool(self.events) and self.events[-1][1].type in TERMINAL

    @property
    def text(self):
        return "".join(getattr(event, "delta", "") for _, event in list(self.events))

    @property
    def words(self):
        return len(self.text.split())


class Sender(threading.Thread):
    """A user who sends one message after the other, each until it is accepted."""

    def __init__(self, client):
        super().__init__(daemon=True)
        self.client = client
        self.conversation = client.post("/api/conversations", json={}).json()["id"]
        self.accepted, self.answers = [], []
        self.stopped = threading.Event()
        self.failure = None

    def run(self):
        number = 0
        while not self.stopped.is_set():
            number += 1
            try:
                self._send(f"message {number}")
            except Exception as error:
                self.failure = error
                return

    def _send(self, text):
        """Sends the message, with the same key, until it is accepted; one that is under way at `finish` as well."""
        path = f"/api/conversations/{self.conversation}/messages"
        deadline = time.monotonic() + 2 * HANG_TIMEOUT
        while time.monotonic() < deadline:
            answer = self.client.post(
                path, json={"text": text, "assistant": "echo"}, headers={"Idempotency-Key": text.replace(" ", "-")}
            )
            self.answers.append(answer)
            if answer.status_code == 202:
                self.accepted.append((text, answer.json()["run_id"]))
                self.stopped.wait(RETRY_DELAY)
                return
            time.sleep(RETRY_DELAY)  # as a client does before it sends again
        raise TimeoutError(f"{text} was not accepted")

    @property
    def refusals(self):
        return [answer for answer in list(self.answers) if answer.status_code != 202]

    def finish(self):
        self.stopped.set()
        self.join(3 * HANG_TIMEOUT)
        assert self.failure is None and not self.is_alive(), self.failure


def follower(client, run):
    follower = Follower(client, run)
    follower.start()
    return follower


class Scene:
    """Users of a cluster: for each process, a run that counts, followed in every process, and a sender."""

    def __init__(self, cluster, gate, stack):
        self.cluster, self.gate = cluster, gate
        clients = [stack.enter_context(closing(site.login("alice"))) for site in cluster.sites]
        for client in clients:
            client.timeout = REQUEST_TIMEOUT
        self.clients = clients
        self.runs = [client.ask(str(gate), assistant="count") for client in clients]
        self.followers = {
            (number, place): follower(client, run)
            for number, run in enumerate(self.runs)
            for place, client in enumerate(clients)
        }
        self.senders = [Sender(client) for client in clients]
        for sender in self.senders:
            sender.start()
        self.wait_until(lambda: all(each.words > WORDS for each in self.followers.values()), "answers under way")
        self.wait_until(lambda: all(sender.accepted for sender in self.senders), "messages accepted")

    def wait_until(self, condition, what, seconds=HANG_TIMEOUT):
        return self.cluster.wait_until(condition, what, seconds)

    def wait_until_accepted(self):
        counts = [len(sender.accepted) for sender in self.senders]
        self.wait_until(
            lambda: all(len(sender.accepted) > count for sender, count in zip(self.senders, counts, strict=True)),
            "messages are accepted again",
        )

    def assert_down(self, reason, code):
        """The processes live and say what is wrong; sends are refused with a sentence; answers go on."""

        def all_say_so():
            return all(
                answer.status_code == 503 and reason in answer.json()["reasons"].get("database", "")
                for answer in self.cluster.readiness()
            )

        self.wait_until(all_say_so, f"/health/ready says “{reason}”")
        for site in self.cluster.sites:
            assert httpx.get(f"{site.url}/health", timeout=REQUEST_TIMEOUT).status_code == 200
        self.wait_until(
            lambda: all(any(code_of(answer) == code for answer in sender.refusals) for sender in self.senders),
            f"a send is refused with {code}",
        )
        own = [self.followers[number, number] for number in range(len(self.runs))]
        before = [each.words for each in own]
        self.wait_until(
            lambda: all(each.words > seen + WORDS for each, seen in zip(own, before, strict=True)),
            "open streams go on during the outage",
        )

    def assert_back(self):
        """All that was sent is there once, and answered; all that was followed arrived once, and is stored."""
        start = time.monotonic()
        self.wait_until(lambda: all(answer.status_code == 200 for answer in self.cluster.readiness()), "ready again")
        self.wait_until_accepted()
        print(f"back after {time.monotonic() - start:.2f} s")
        words = {key: each.words for key, each in self.followers.items()}
        self.wait_until(
            lambda: all(each.words > words[key] for key, each in self.followers.items()), "followers receive again"
        )
        print(f"followed after {time.monotonic() - start:.2f} s")
        self.gate.touch()
        for sender in self.senders:
            sender.finish()
        self.wait_until(lambda: all(each.has_ended for each in self.followers.values()), "all followers at the end")
        for number, run in enumerate(self.runs):
            self._assert_run(number, run)
        for sender in self.senders:
            self._assert_sent(sender)
        for answer in self._refusals():
            assert_refusal(answer)
        assert "Traceback" not in self.cluster.log(), self.cluster.log()[-6000:]

    def _assert_run(self, number, run):
        reply = self.wait_for_reply(run)
        numbers = reply["text"].split()
        assert reply["status"] == "completed", (reply, self.cluster.log()[-6000:])
        assert numbers == [str(n + 1) for n in range(len(numbers))]
        for place in range(len(self.clients)):
            events = self.followers[number, place].events
            assert [seq for seq, _ in events] == sorted({seq for seq, _ in events})
            assert fold(event for _, event in events) == reply["parts"]

    def wait_for_reply(self, run):
        client = self.clients[0]
        self.wait_until(lambda: client.reply(run)["status"] not in ("queued", "in_progress"), "the run has ended")
        return client.reply(run)

    def _assert_sent(self, sender):
        def items():
            return sender.client.get(f"/api/conversations/{sender.conversation}/messages").json()["items"]

        def all_answered():
            return all(item["status"] not in ("queued", "in_progress") for item in items())

        self.wait_until(all_answered, "all messages are answered")
        texts = [text for text, _ in sender.accepted]
        assert texts == [f"message {n + 1}" for n in range(len(texts))]
        found = [(item["role"], item["text"]) for item in items()]
        expected = [pair for text in texts for pair in (("user", text), ("assistant", text))]
        different = next((pair for pair in zip(found, expected, strict=False) if pair[0] != pair[1]), None)
        assert found == expected, (len(found), len(expected), different)
        assert {item["status"] for item in items() if item["role"] == "assistant"} == {"completed"}

    def _refusals(self):
        for sender in self.senders:
            yield from sender.refusals
        for each in self.followers.values():
            yield from each.refusals


def code_of(answer):
    return answer.json()["error"]["code"]


def assert_refusal(answer):
    assert answer.status_code == 503, (answer.status_code, answer.text)
    assert int(answer.headers["Retry-After"]) > 0
    assert answer.json()["error"]["message"].endswith(".")


@contextmanager
def scene(cluster, gate):
    with ExitStack() as stack:
        stack.callback(gate.touch)
        yield Scene(cluster, gate, stack)
