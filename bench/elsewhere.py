"""What readers get whose runs another process writes, and what they cost: two processes share a PostgreSQL database,
first without a relay and then with one.

Both processes have the server's core, so the age of a token includes what they take from each other. For comparison,
the same runs have their readers on the writing process: what the frames cost there is the difference to runs whose
readers are on the other one.
"""

import asyncio
import time
from dataclasses import dataclass
from statistics import median

import psutil

from bench.databases import DATABASE, postgresql
from bench.load import GRACE, Load, drive, finish, ramp, read
from bench.servers import Site
from bench.system import free_port
from scripts import redis_server
from scripts.redis_server import TemporaryRedis

RATE = 20  # tokens a second of each run
START_SECONDS = 0.1  # for each run, at most
COUNTER = "select xact_commit + xact_rollback from pg_stat_database where datname = %s"


class SecondSite(Site):
    """Another process of the first one's site, with the same users logged in."""

    def __init__(self, first):
        super().__init__(None)
        self.first, self.env = first, first.env

    def prepare(self):
        self.cookies, self.headers = self.first.cookies, self.first.headers

    def offer(self, model):
        self.first.offer(model)


@dataclass
class Streams:
    """What came of runs with a reader each, and the µs of CPU per token: of both processes, and of the relay."""

    load: Load
    writer_cpu: float
    reader_cpu: float
    relay_cpu: float


async def stream(writer, other, reader, runs, seconds, relay=None):
    """Runs that `writer` writes, each followed at `reader`, which is one of the two. Measured while all are live."""
    count = round(RATE * (runs * START_SECONDS + seconds))
    readers = []
    for _ in range(runs):
        run = await asyncio.to_thread(writer.start, f"bench-{RATE}-{count}")
        readers.append(await read(reader.port, writer.follow(run)))
    await asyncio.sleep(1)

    def now():
        relay_cpu = sum(relay.cpu_times()[:2]) if relay else 0
        return writer.cpu(), other.cpu(), relay_cpu, sum(len(each.sent) for each in readers), time.monotonic_ns()

    *used, before, since = now()
    await asyncio.sleep(seconds / 2)
    *use, after, until = now()
    await finish(readers, runs * START_SECONDS + seconds + GRACE)
    for server in writer, other:
        await server.settle()
    cpu = [1e6 * (last - first) / max(1, after - before) for first, last in zip(used, use, strict=True)]
    return Streams(Load(readers, count, since, until), *cpu)


async def transactions(admin, sizes):
    """The database's transactions a second. Backends tell their counters late: the time before is not counted."""
    await asyncio.sleep(sizes.reports)
    before, since = admin.execute(COUNTER, [DATABASE]).fetchone()[0], time.monotonic()
    await asyncio.sleep(sizes.counting / 2)
    after = admin.execute(COUNTER, [DATABASE]).fetchone()[0]
    return (after - before) / (time.monotonic() - since)


async def elsewhere(bench, row):
    """Yields the rows of the table; `row` makes one of them."""
    sizes = bench.sizes
    with postgresql() as (admin, database):
        if not database:
            yield row("readers on another process", "skipped: no PostgreSQL here", "", "", "≤ 150", None)
            return
        with Site(bench.upstream, database) as writer, SecondSite(writer) as other:
            for server in writer, other:
                await drive(server, 5, RATE, 0.5)
            for each in latencies(await pairs_of(writer, other, sizes), sizes.elsewhere, row):
                yield each
            rates = {}
            for followers in sizes.followers_elsewhere:
                run = writer.start(f"bench-{RATE}-{RATE * 600}")
                readers = await ramp(other.port, [writer.follow(run)] * followers, 1)
                rates[followers] = await transactions(admin, sizes)
                writer.cancel(run)
                await finish(readers, 10)
    what = f"{', '.join(map(str, rates))} followers of one run on another process: database transactions per second"
    few, *_, many = rates.values()
    met = many <= few + 5  # what opening the streams took may be told late
    rates = ", ".join(f"{rate:.1f}" for rate in rates.values())
    yield row(what, rates, "", f"{many / few:.2f}", "≤ 5 /s more", met)
    async for each in relayed(bench, row):
        yield each


async def pairs_of(writer, other, sizes, relay=None):
    """Pairs of Streams: with readers on the other process, and on the same one."""
    pairs = []
    for _ in range(sizes.repeats):
        remote = await stream(writer, other, other, sizes.elsewhere, sizes.seconds, relay)
        pairs.append((remote, await stream(writer, other, writer, sizes.elsewhere, sizes.seconds, relay)))
    return pairs


async def relayed(bench, row):
    """Yields the rows of the same runs with a relay."""
    sizes = bench.sizes
    with postgresql() as (_, database):
        if not database or not redis_server.program():
            yield row("readers on another process with a relay", "skipped: no Redis here", "", "", "", None)
            return
        with TemporaryRedis(free_port()) as server:
            site = Site(bench.upstream, database)
            site.env["REDIS_URL"] = server.url
            with site as writer, SecondSite(writer) as other:
                for each in writer, other:
                    await drive(each, 5, RATE, 0.5)
                pairs = await pairs_of(writer, other, sizes, psutil.Process(server.process.pid))
    title = f"{sizes.elsewhere} × {RATE} tok/s with a relay, readers on another process (peer: on the same)"
    ours, same = both(pairs, lambda each: each.load.delivered)
    yield row(f"{title}: tokens delivered in time, %", f"{ours:.2f}", f"{same:.2f}", "", "100", ours == 100)
    for name, of in ("p50", lambda each: each.load.p50), ("p99", lambda each: each.load.p99):
        ours, same = both(pairs, of)
        met = ours <= same + 60 if name == "p99" else None
        target = "≤ 60 more" if name == "p99" else ""
        yield row(
            f"{title}: age of a token {name}, ms", f"{ours:.1f}", f"{same:.1f}", f"{ours / same:.3g}", target, met
        )
    ours, same = both(pairs, lambda each: each.writer_cpu + each.reader_cpu + each.relay_cpu)
    what = f"{title}: CPU of both processes and Redis per token, µs"
    yield row(what, f"{ours:.1f}", f"{same:.1f}", f"{ours / same:.3g}", "≤ 30 more", ours <= same + 30)


def both(pairs, of):
    """The medians of a figure over the pairs, for each side."""
    return [median(of(each) for each in side) for side in zip(*pairs, strict=True)]


def latencies(pairs, runs, row):
    """The medians over pairs of (readers on the other process, readers on the same one)."""

    def line(what, of, target="", limit=None):
        ours, same = both(pairs, of)
        met = None if limit is None else ours <= limit
        return row(f"{title}: {what}", f"{ours:.1f}", f"{same:.1f}", f"{ours / max(same, 0.001):.3g}", target, met)

    title = f"{runs} × {RATE} tok/s on PostgreSQL, readers on another process (peer: on the same)"
    ours, same = both(pairs, lambda each: each.load.delivered)
    yield row(f"{title}: tokens delivered in time, %", f"{ours:.2f}", f"{same:.2f}", "", "100", ours == 100)
    yield line("age of a token p50, ms", lambda each: each.load.p50, "≤ 150", 150)
    yield line("age of a token p99, ms", lambda each: each.load.p99, "≤ 400", 400)
    yield line("CPU of the writing process per token, µs", lambda each: each.writer_cpu)
    yield line("CPU of the other process per token, µs", lambda each: each.reader_cpu)
    frames = median(same.writer_cpu - remote.writer_cpu for remote, same in pairs)
    reading = median(remote.reader_cpu - same.reader_cpu for remote, same in pairs)
    what = f"{title}: CPU that readers cost, per token, µs"
    yield row(
        what,
        f"{reading:.1f}",
        f"{frames:.1f}",
        f"{reading / max(frames, 0.001):.3g}",
        "≤ 15 more",
        reading <= frames + 15,
    )
