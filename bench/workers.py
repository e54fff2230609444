"""How soon a worker begins a run that a web process has queued, and how soon a cancel ends it: one web process and two
workers share a PostgreSQL database, and the three have the server's core.

Both are read from the rows: from `created_at`, made in the transaction that queues the run, to `started_at`; and from
the moment before the request to cancel to `finished_at`. The clocks are those of one machine.
"""

import asyncio
import time
from contextlib import ExitStack
from pathlib import Path

import psycopg

from bench.databases import postgresql
from bench.servers import Site

RATE = 20  # runs a second
TOKENS = 20  # of a run, in a second
LONG = 20_000  # tokens of a run that is to be cancelled
STARTED = "Taking queued runs"
WORKERS = 2
TARGETS = {"deferred to started": 60, "cancel": 250}  # ms


class Worker(Site):
    """A process that executes the runs of a site."""

    def __init__(self, site):
        super().__init__(None)
        self.env = site.env | {"RUNNER": "worker"}

    def prepare(self):
        """The site has done it."""

    def command(self):
        return "manage.py", "runworker"

    def wait_until_up(self, child, seconds=30):
        give_up = time.monotonic() + seconds
        while STARTED not in Path(self.log.name).read_text():
            if time.monotonic() > give_up or child.poll() is not None:
                self.fail("The worker did not start")
            time.sleep(0.05)


async def workers(bench, row):
    """Yields the rows of the table; `row` makes one of them."""
    with ExitStack() as stack:
        _, url = stack.enter_context(postgresql())
        if not url:
            yield row("runs that workers execute", "skipped: no PostgreSQL here", "", "", "", None)
            return
        site = Site(bench.upstream, url)
        site.env["RUNNER"] = "web"
        stack.enter_context(site)
        for _ in range(WORKERS):
            stack.enter_context(Worker(site))
        database = stack.enter_context(psycopg.connect(url, autocommit=True))
        await started(site, database, 10)  # the first run of a process imports and connects
        times = {
            "deferred to started": await started(site, database, bench.sizes.queued),
            "cancel": await cancelled(site, database, bench.sizes.cancelled),
        }
    for name, milliseconds in times.items():
        count, target = len(milliseconds), TARGETS[name]
        p50, p99 = (sorted(milliseconds)[(count - 1) * share // 100] for share in (50, 99))
        what = f"{count} runs of {WORKERS} workers on PostgreSQL: {name}"
        yield row(f"{what} p50, ms", f"{p50:.1f}", "", "", "", None)
        yield row(f"{what} p99, ms", f"{p99:.1f}", "", "", f"≤ {target}", p99 <= target)


async def started(site, database, count):
    """Ms from the row to the claim, of runs that come at RATE a second."""
    begin, runs = time.monotonic(), []
    for number in range(count):
        await asyncio.sleep(max(0, begin + number / RATE - time.monotonic()))
        runs.append(await asyncio.to_thread(site.start, f"bench-{RATE}-{TOKENS}"))
    rows = await ended(database, runs, TOKENS / RATE + 30)
    return [1000 * (row[1] - row[0]).total_seconds() for row in rows.values()]


async def cancelled(site, database, count):
    """Ms from the request to the end, of runs that are being written."""
    runs = [await asyncio.to_thread(site.start, f"bench-{RATE}-{LONG}") for _ in range(count)]
    await asyncio.sleep(2)
    asked = {}
    for run in runs:
        asked[run["run_id"]] = time.time()
        await asyncio.to_thread(site.cancel, run)
    rows = await ended(database, runs, 30)
    return [1000 * (row[2].timestamp() - asked[run_id]) for run_id, row in rows.items()]


async def ended(database, runs, seconds):
    """{id: (created_at, started_at, finished_at)} of these runs, once all have ended."""
    ids, give_up = [run["run_id"] for run in runs], time.monotonic() + seconds
    query = "SELECT id::text, created_at, started_at, finished_at FROM chat_run WHERE id::text = ANY(%s)"
    while True:
        rows = {run_id: times for run_id, *times in database.execute(query, [ids])}
        if all(times[2] for times in rows.values()):
            return rows
        if time.monotonic() > give_up:
            raise RuntimeError("The runs do not end")
        await asyncio.sleep(0.1)
