"""A web process that queues runs, and workers that execute them: killed, frozen, stopped, and told to cancel."""

import itertools
import time
from contextlib import closing

import psycopg
import pytest
import redis as redis_client
from psycopg.rows import dict_row

from chat.events import fold
from scripts import redis_server
from scripts.postgresql import TemporaryServer, programs_folder
from scripts.redis_server import TemporaryRedis
from tests.live.outages import WORDS, Cluster, follower
from tests.live.sockets import next_message, open_socket
from tests.server_process import Worker, free_port

pytestmark = [
    pytest.mark.process,
    pytest.mark.slow,
    pytest.mark.skipif(programs_folder() is None, reason="PostgreSQL is not installed"),
]

MAX_RECOVERY_SECONDS = 10  # from the death of a process until its runs have ended or begun again
MAX_CANCEL_SECONDS = 0.25  # from the request to the end
needs_redis = pytest.mark.skipif(redis_server.program() is None, reason="Redis is not installed")
numbers = itertools.count(1)


class WorkerCluster(Cluster):
    """A web process and workers, with a connection to their database."""

    def __init__(self, folder, workers, **environment):
        super().__init__(folder, 1, RUNNER="web", SHUTDOWN_GRACE="2", **environment)
        self.web = self.sites[0]
        self.workers = [Worker(self.web, folder / f"worker{number}.log") for number in range(workers)]
        self.sites += self.workers
        self.database = psycopg.connect(**connection_of(environment))

    def __exit__(self, *error):
        super().__exit__(*error)
        self.database.close()

    def row(self, run):
        return self.database.execute("SELECT * FROM chat_run WHERE id = %s", [run["run_id"]]).fetchone()

    def stored(self, run):
        """All that is stored of a run: its row, its message and its journal."""
        message = self.database.execute("SELECT * FROM chat_message WHERE id = %s", [run["reply_id"]]).fetchone()
        events = self.database.execute("SELECT * FROM chat_runevent WHERE run_id = %s ORDER BY seq", [run["run_id"]])
        return self.row(run), message, events.fetchall()

    def wait_for_row(self, run, **values):
        def fits():
            row = self.row(run)
            return row if all(row[name] == value for name, value in values.items()) else None

        return self.wait_until(fits, f"the run has {values}")

    def wait_for_end(self, run):
        return self.wait_until(lambda: (row := self.row(run)) and row["finished_at"] and row, "the run has ended")

    def living(self):
        """Returns the ids of the processes that have a heartbeat."""
        query = "SELECT id FROM chat_serverprocess WHERE seen_at > now() - interval '2 seconds'"
        return [row["id"] for row in self.database.execute(query).fetchall()]

    def wait_for_beats(self, process_id, count=1):
        """Waits for the next heartbeats of this process, which come once a second."""

        def beat():
            return self.database.execute(query, [process_id]).fetchone()["beat"]

        query = "SELECT beat FROM chat_serverprocess WHERE id = %s"
        before = beat()
        self.wait_until(lambda: beat() >= before + count, "heartbeats")

    def owner_of(self, runs):
        """Waits until one process has all these runs, and returns its id."""
        rows = [self.wait_for_row(run, status="in_progress") for run in runs]
        assert len({row["process_id"] for row in rows}) == 1
        return rows[0]["process_id"]


@pytest.fixture(scope="module")
def server():
    with TemporaryServer(programs_folder(), free_port(), max_connections=200) as server:
        yield server


@pytest.fixture
def environment(server):
    name = f"workers{next(numbers)}"
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return {"DATABASE_URL": f"{server.url.rpartition('/')[0]}/{name}"}


@pytest.fixture
def cluster(environment, tmp_path):
    with WorkerCluster(tmp_path, 2, **environment) as cluster:
        cluster.web.start()
        yield cluster


@pytest.fixture
def redis():
    with TemporaryRedis(free_port()) as server:
        yield server


@pytest.fixture
def relayed_cluster(redis, environment, tmp_path):
    with WorkerCluster(tmp_path, 2, REDIS_URL=redis.url, **environment) as cluster:
        cluster.web.start()
        yield cluster


@pytest.fixture
def alice(cluster):
    with closing(cluster.web.login("alice")) as alice:
        yield alice


def assert_read(cluster, reader, reply):
    """The reader had each event once, in order, and what it had is what is stored."""
    cluster.wait_until(lambda: reader.has_ended, "the reader has the end")
    assert reader.refusals == []
    assert [seq for seq, _ in reader.events] == sorted({seq for seq, _ in reader.events})
    assert fold(event for _, event in reader.events) == reply["parts"]


def test_web_process_leaves_its_runs_to_the_workers(cluster, alice):
    waiting = [alice.ask(f"message {number}", assistant="echo") for number in range(20)]
    [web] = cluster.wait_until(cluster.living, "a heartbeat")
    cluster.wait_for_beats(web, 4)  # a process that executes runs would have adopted them
    assert {cluster.row(run)["status"] for run in waiting} == {"queued"}
    for worker in cluster.workers:
        worker.start()
    for number, run in enumerate(waiting):
        reply = alice.wait_for_end(run)
        assert (reply["status"], reply["text"]) == ("completed", f"message {number}")
        assert cluster.row(run)["attempts"] == 1
    later = alice.ask("later", assistant="echo")
    assert alice.wait_for_end(later)["text"] == "later"


def test_queued_run_is_cancelled_without_a_worker(cluster, alice):
    run = alice.ask(assistant="echo")
    assert alice.post(f"/api/runs/{run['run_id']}/cancel").json()["status"] == "cancelled"
    cluster.workers[0].start()
    assert alice.wait_for_end(alice.ask("next", assistant="echo"))["status"] == "completed"
    assert (cluster.row(run)["status"], cluster.row(run)["attempts"]) == ("cancelled", 0)


def test_cancel_reaches_the_worker(cluster, alice, tmp_path):
    cluster.workers[0].start()

    def cancel(assistant):
        """Returns the seconds from the request to the end."""
        run = alice.ask(str(tmp_path / "gate"), assistant=assistant)
        row = cluster.wait_for_row(run, status="in_progress")
        cluster.wait_for_beats(row["process_id"])  # the next one, which would find the request, comes in a second
        before = time.time()
        alice.post(f"/api/runs/{run['run_id']}/cancel")
        row = cluster.wait_for_end(run)
        assert row["status"] == "cancelled"
        return row["finished_at"].timestamp() - before

    for assistant in ("hang", "count"):
        assert any(cancel(assistant) <= MAX_CANCEL_SECONDS for _ in range(3))  # the machine may have other things to do


def test_run_that_had_shown_nothing_begins_elsewhere_when_its_worker_is_killed(cluster, alice):
    first, second = cluster.workers
    first.start()
    runs = [alice.ask(assistant="hang") for _ in range(5)]
    owner = cluster.owner_of(runs)
    second.start()
    killed_at = time.time()
    first.kill()
    for run in runs:
        row = cluster.wait_for_row(run, status="in_progress", attempts=2)
        assert row["process_id"] != owner
        assert row["started_at"].timestamp() - killed_at < MAX_RECOVERY_SECONDS


def test_run_that_was_being_written_is_interrupted_when_its_worker_is_killed(cluster, alice, tmp_path):
    first, second = cluster.workers
    first.start()
    runs = [alice.ask(str(tmp_path / "gate"), assistant="count") for _ in range(5)]
    readers = [follower(alice, run) for run in runs]
    cluster.wait_until(lambda: all(reader.words > WORDS for reader in readers), "the answers are read")
    second.start()
    killed_at = time.time()
    first.kill()
    for run, reader in zip(runs, readers, strict=True):
        row = cluster.wait_for_end(run)
        assert (row["status"], row["attempts"]) == ("interrupted", 1)
        assert row["finished_at"].timestamp() - killed_at < MAX_RECOVERY_SECONDS
        assert_read(cluster, reader, alice.reply(run))
        ends = [event for event in cluster.stored(run)[2] if "RUN_ERROR" in event["data"]]
        assert len(ends) == 1


@needs_redis
def test_worker_that_was_frozen_writes_nothing_more(redis, relayed_cluster, tmp_path):
    cluster = relayed_cluster
    first, second = cluster.workers
    first.start()
    with closing(cluster.web.login("alice")) as alice, redis_client.Redis.from_url(redis.url) as relay:
        written = [alice.ask(str(tmp_path / "never"), assistant="count") for _ in range(3)]
        silent = [alice.ask(str(tmp_path / "gate"), assistant="wait") for _ in range(3)]
        readers = [follower(alice, run) for run in written + silent]
        cluster.wait_until(lambda: all(reader.words > WORDS for reader in readers[:3]), "the answers are read")
        owner = cluster.owner_of(written + silent)
        second.start()
        frozen_at = time.time()
        first.freeze()
        for run in written:
            assert cluster.wait_for_end(run)["finished_at"].timestamp() - frozen_at < MAX_RECOVERY_SECONDS
        for run in silent:
            row = cluster.wait_for_row(run, status="in_progress", attempts=2)
            assert row["started_at"].timestamp() - frozen_at < MAX_RECOVERY_SECONDS
        before = [cluster.stored(run) for run in written]
        (tmp_path / "gate").touch()  # both say it now
        first.thaw()
        for run in silent:
            assert cluster.wait_for_end(run)["attempts"] == 2
        cluster.wait_until(lambda: owner in cluster.living(), "the worker has a heartbeat again")
        cluster.wait_for_beats(owner, 2)  # in which it would go on counting
        assert [cluster.stored(run) for run in written] == before
        for run, reader in zip(written + silent, readers, strict=True):
            reply = alice.reply(run)
            row = cluster.row(run)
            expected = ("interrupted", 1) if run in written else ("completed", 2)
            assert (row["status"], row["attempts"]) == expected
            assert run in written or reply["text"] == "late"
            assert _last_relayed(relay, run) == b"%d-%d" % (row["attempts"], row["last_seq"])
            cluster.wait_until(lambda reader=reader: reader.has_ended, "the reader has the end")


def _last_relayed(relay, run):
    """The id of the last entry in the run's stream: nothing that was sent later has been taken."""
    [(entry, _)] = relay.xrevrange(f"chat:run:{run['run_id'].replace('-', '')}", count=1)
    return entry


def test_stopped_worker_finishes_hands_back_and_interrupts(cluster, alice, tmp_path):
    first, second = cluster.workers
    first.start()
    ending, endless, silent = (
        alice.ask(str(tmp_path / name), assistant=assistant)
        for name, assistant in (("gate", "count"), ("never", "count"), ("never", "hang"))
    )
    readers = [follower(alice, run) for run in (ending, endless)]
    cluster.wait_until(lambda: all(reader.words > WORDS for reader in readers), "the answers are read")
    owner = cluster.owner_of([ending, endless, silent])
    first.process.terminate()
    cluster.wait_until(lambda: "SIGTERM" in first.log.read_text(), "the worker has heard it")
    queued = alice.ask("queued", assistant="echo")
    (tmp_path / "gate").touch()
    assert cluster.wait_for_end(ending)["status"] == "completed"
    assert cluster.wait_for_end(endless)["status"] == "interrupted"
    assert first.process.wait() == 0
    assert cluster.row(queued)["status"] == "queued"
    assert cluster.row(silent)["status"] == "queued"
    for run, reader in zip((ending, endless), readers, strict=True):
        assert_read(cluster, reader, alice.reply(run))
    second.start()
    assert alice.wait_for_end(queued)["text"] == "queued"
    row = cluster.wait_for_row(silent, status="in_progress", attempts=2)
    assert row["process_id"] != owner


def test_runs_are_shared_and_each_is_executed_once(cluster, alice):
    for worker in cluster.workers:
        worker.start()
    runs = [alice.ask(f"message {number}", assistant="echo") for number in range(60)]
    for number, run in enumerate(runs):
        assert alice.wait_for_end(run)["text"] == f"message {number}"
        assert cluster.row(run)["attempts"] == 1
    hanging = [alice.ask(assistant="hang") for _ in range(30)]  # more than one worker executes for a user
    owners = {cluster.wait_for_row(run, status="in_progress")["process_id"] for run in hanging}
    assert len(owners) == 2


@needs_redis
def test_pages_are_told_of_what_workers_do(relayed_cluster):
    cluster = relayed_cluster
    with closing(cluster.web.login("alice")) as alice, open_socket(alice, "news") as updates:

        def wait_for_activity(activity):
            while next_message(updates, "conversation.changed")["conversation"]["activity"] != activity:
                pass

        alice.ask("Hello", assistant="echo")
        wait_for_activity("answering")
        cluster.workers[0].start()
        wait_for_activity("answered")


LISTENING = "SELECT count(*) AS count FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'"


def test_cancel_reaches_another_server_process(environment, tmp_path):
    with Cluster(tmp_path, 2, **environment) as cluster, psycopg.connect(**connection_of(environment)) as database:
        cluster.start()
        cluster.wait_until(lambda: database.execute(LISTENING).fetchone()["count"] == 2, "both listen")
        with closing(cluster.sites[0].login("alice")) as here, closing(cluster.sites[1].login("alice")) as there:

            def cancel():
                """Returns the seconds from the request on the other process to the end."""
                run = here.ask(assistant="hang")
                cluster.wait_until(lambda: here.reply(run)["status"] == "in_progress", "the run has begun")
                before = time.time()
                there.post(f"/api/runs/{run['run_id']}/cancel")
                assert here.wait_for_end(run)["status"] == "cancelled"
                query = "SELECT finished_at FROM chat_run WHERE id = %s"
                return database.execute(query, [run["run_id"]]).fetchone()["finished_at"].timestamp() - before

            assert any(cancel() <= MAX_CANCEL_SECONDS for _ in range(3))  # the machine may have other things to do


def test_stopped_server_process_hands_its_runs_to_the_next(environment, tmp_path):
    options = {"RUNNER": "both", "SHUTDOWN_GRACE": "1", **environment}
    with Cluster(tmp_path, 2, **options) as cluster, psycopg.connect(**connection_of(environment)) as database:
        first, second = cluster.sites
        first.start()
        with closing(first.login("alice")) as alice:
            runs = [alice.ask(assistant="hang") for _ in range(3)]
            for run in runs:
                cluster.wait_until(lambda run=run: alice.reply(run)["status"] == "in_progress", "the run has begun")
        second.start()
        first.stop()
        query = "SELECT count(*) AS count FROM chat_run WHERE status = 'in_progress' AND attempts = 2"
        cluster.wait_until(lambda: database.execute(query).fetchone()["count"] == len(runs), "they have begun again")


def connection_of(environment):
    return {"conninfo": environment["DATABASE_URL"], "autocommit": True, "row_factory": dict_row}


def test_worker_is_refused_where_servers_execute_their_runs(cluster, tmp_path):
    worker = Worker(cluster.web, tmp_path / "refused.log")
    worker.environment["RUNNER"] = "embedded"
    worker.spawn([*cluster.web.command[:2], "runworker"])
    assert worker.process.wait() == 1
    assert "Set RUNNER=web there, and worker here." in worker.log.read_text()
