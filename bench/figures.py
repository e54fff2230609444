"""The figures. Each function measures one subject and gives its rows of the table.

What a row means, and its unit, stand in its first cell.
"""

import asyncio
import contextlib
import json
import sys
import time
from dataclasses import dataclass
from statistics import median

import psycopg

from bench.databases import DATABASE, postgresql
from bench.elsewhere import elsewhere
from bench.load import STARTS, Load, bytes_of, drive, finish, ramp, read
from bench.page import opening, p99, share, streaming, weight
from bench.sample_conversations import SEARCHES
from bench.servers import CollectedSite, Peer, Site, Upstream
from bench.standing import standing
from bench.workers import workers
from scripts.debian import chromium

LANGCHAIN_PEER = "bench.langchain_peer:app"
KB, MB = 1024, 1024 * 1024


@dataclass
class Row:
    figure: str
    ours: str
    peer: str = ""
    ratio: str = ""
    target: str = ""
    met: bool | None = None  # None: nothing was promised, or nothing was measured

    @classmethod
    def of(cls, figure, mine, its, digits, target="", met=None):
        """Ours beside the peer's, with so many digits."""
        ratio = f"{mine / its:.3g}" if its else ""
        return cls(figure, f"{mine:.{digits}f}", f"{its:.{digits}f}", ratio, target, met)


@dataclass(frozen=True)
class Sizes:
    """How much is measured. Times in seconds, after the starts."""

    repeats: int = 3
    seconds: float = 8
    cpu_streams: int = 100
    medium: int = 500
    large: int = 1000
    ours_most: int = 1600
    peer_most: int = 800
    steps: int = 32  # the resolution of the search for the capacity
    requests: int = 100
    followers: int = 1000
    runs: tuple = (50, 400)
    reports: float = 12  # PostgreSQL backends tell their counters after 10 s of idleness at the latest
    counting: float = 20
    elsewhere: int = 200  # runs that one process writes and readers on another follow
    followers_elsewhere: tuple = (1, 10, 100)  # of one of them
    queued: int = 400  # runs that workers execute
    cancelled: int = 50
    stalled: int = 20  # readers
    stall: float = 30
    kilobytes: int = 100  # of an answer in the browser
    messages: int = 1000  # of a conversation that is opened there
    conversations: int = 10_000  # of a user who looks for words in them
    looks: int = 9
    calm: float = 10  # before an attack
    attack: float = 30


QUICK = Sizes(
    repeats=1,
    seconds=0.5,
    cpu_streams=20,
    medium=30,
    large=40,
    ours_most=40,
    peer_most=20,
    steps=2,
    requests=5,
    followers=100,
    runs=(5, 20),
    reports=1,
    counting=1.5,
    elsewhere=10,
    followers_elsewhere=(1, 5),
    queued=20,
    cancelled=5,
    stall=2,
    kilobytes=4,
    messages=60,
    conversations=20,
    looks=2,
    calm=2,
    attack=4,
)


@dataclass
class Bench:
    upstream: Upstream
    peer: Peer
    site: Site
    sizes: Sizes

    async def side_by_side(self, streams, rate):
        """Site and peer in turn, a few times: for each the list of what `drive` returns."""
        ours, peers = [], []
        for _ in range(self.sizes.repeats):
            ours.append(await drive(self.site, streams, rate, self.sizes.seconds))
            peers.append(await drive(self.peer, streams, rate, self.sizes.seconds))
        return ours, peers


ALL, LIVE = 0, 1  # the load from the first start to the last end; the part of it in which all streams were live


def middle(pairs, name, which=ALL):
    """The median of that property over the repetitions."""
    return median(getattr(pair[which], name) for pair in pairs)


async def cpu(bench):
    """CPU time of the server process per token that reached a reader."""
    ours, peers = await bench.side_by_side(bench.sizes.cpu_streams, 20)
    what = f"server CPU per token, {bench.sizes.cpu_streams} × 20 tok/s, µs"
    mine, its = middle(ours, "cpu", LIVE), middle(peers, "cpu", LIVE)
    yield Row.of(what, mine, its, 0, "≤ 0.3 × peer", mine <= 0.3 * its)
    tokens = ours[0][ALL].expected // bench.sizes.cpu_streams
    what = f"the same with starts and ends, replies of {tokens} tokens"
    yield Row.of(what, middle(ours, "cpu"), middle(peers, "cpu"), 0)


async def langchain(bench):
    """The same by LangChain on both sides, on servers of their own: what importing it costs belongs to nobody else."""
    with Site(bench.upstream, provider="langchain:openai:") as site, Peer(bench.upstream, LANGCHAIN_PEER) as peer:
        theirs = Bench(bench.upstream, peer, site, bench.sizes)
        for server in site, peer:
            await drive(server, 5, 20, 0.5)
        ours, peers = await theirs.side_by_side(bench.sizes.cpu_streams, 20)
    what = f"by LangChain, {bench.sizes.cpu_streams} × 20 tok/s"
    mine, its = middle(ours, "cpu", LIVE), middle(peers, "cpu", LIVE)
    yield Row.of(f"{what}: server CPU per token, µs", mine, its, 0, "≤ 0.6 × peer", mine <= 0.6 * its)
    mine, its = middle(ours, "p99"), middle(peers, "p99")
    yield Row.of(f"{what}: added latency p99, ms", mine, its, 1, "≤ 10", mine <= 10)
    mine, its = middle(ours, "p99", LIVE), middle(peers, "p99", LIVE)
    yield Row.of("p99 while no stream starts or ends, ms", mine, its, 1)


async def responses(bench):
    """OpenAI's Responses API, beside the site itself with its chat completions as peer."""
    streams = bench.sizes.cpu_streams
    with Site(bench.upstream, provider="openai_responses:") as site:
        await drive(site, 5, 20, 0.5)
        theirs = Bench(bench.upstream, bench.site, site, bench.sizes)
        ours, others = await theirs.side_by_side(streams, 20)
    mine, its = middle(ours, "cpu", LIVE), middle(others, "cpu", LIVE)
    what = f"by the Responses API, {streams} × 20 tok/s, beside chat completions: server CPU per token, µs"
    yield Row.of(what, mine, its, 0, "≤ 1.15", mine <= 1.15 * its)
    mine, its = middle(ours, "p99"), middle(others, "p99")
    yield Row.of("the same: added latency p99, ms", mine, its, 1)


async def thoughts(bench):
    """What it costs to look for thoughts in a model's text, in a process of its own."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.thoughts", stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    for kind, (mine, its) in json.loads(output).items():
        what = f"µs to read a chunk of {kind}, looking for thoughts and not"
        yield Row.of(what, mine, its, 2, "≤ 2 more", mine - its <= 2)


async def medium(bench):
    """Latency added between the model's sending and the reader's receiving."""
    ours, peers = await bench.side_by_side(bench.sizes.medium, 20)
    what = f"{bench.sizes.medium} × 20 tok/s"
    mine, its = middle(ours, "delivered"), middle(peers, "delivered")
    yield Row.of(f"{what}: tokens delivered in time, %", mine, its, 2, "100", mine == 100)
    yield Row.of(f"{what}: added latency p50, ms", middle(ours, "p50"), middle(peers, "p50"), 1)
    mine, its = middle(ours, "p99"), middle(peers, "p99")
    met = mine <= 15 and mine <= 0.05 * its
    yield Row.of(f"{what}: added latency p99, ms", mine, its, 1, "≤ 15 and ≤ 0.05 × peer", met)
    yield Row.of("p99 while no stream starts or ends, ms", middle(ours, "p99", LIVE), middle(peers, "p99", LIVE), 1)


async def large(bench):
    """A process full of streams."""
    ours, peers = await bench.side_by_side(bench.sizes.large, 10)
    what = f"{bench.sizes.large:,} × 10 tok/s"
    mine, its = middle(ours, "delivered"), middle(peers, "delivered")
    yield Row.of(f"{what}: tokens delivered in time, %", mine, its, 2, "100", mine == 100)
    mine, its = middle(ours, "p99"), middle(peers, "p99")
    yield Row.of(f"{what}: added latency p99, ms", mine, its, 1, "≤ 30", mine <= 30)
    yield Row.of("p99 while no stream starts or ends, ms", middle(ours, "p99", LIVE), middle(peers, "p99", LIVE), 1)
    mine, its = middle(ours, "first_token"), middle(peers, "first_token")
    yield Row.of(f"{what}, {STARTS} starts/s: first token, median, s", mine, its, 3, "≤ 0.3", mine <= 0.3)


async def capacity(bench):
    """The most streams of 20 tok/s that one process carries with every token and p99 < 250 ms, found by halving."""

    async def most(target, limit):
        step = limit // bench.sizes.steps
        carried, failed = 0, bench.sizes.steps + 1
        while failed - carried > 1:
            steps = (carried + failed) // 2
            load, _ = await drive(target, steps * step, 20, bench.sizes.seconds)
            if load.failed or load.p99 >= 250:
                failed = steps
            else:
                carried = steps
        return carried * step

    mine, its = await most(bench.site, bench.sizes.ours_most), await most(bench.peer, bench.sizes.peer_most)
    what, met = "streams at 20 tok/s with every token and p99 < 250 ms", mine >= 700 and mine >= 2.5 * its
    yield Row.of(what, mine, its, 0, "≥ 700 and ≥ 2.5 × peer", met)
    floor, _ = await drive(bench.upstream, max(1, mine), 20, bench.sizes.seconds)
    yield Row("p99 of the bench alone at our number, no server between, ms", f"{floor.p99:.1f}")


async def first_token(bench):
    """Time to the first token of one request after the other, less what the model itself needs when asked directly."""
    servers = bench.site, bench.peer, bench.upstream
    took = {server: [] for server in servers}
    asks = [(server, *server.asks("bench-1000-5", 1)) for server in servers]
    for _ in range(bench.sizes.requests):
        for server, ask in asks:
            reader = await read(server.port, ask)
            await finish([reader], 10)
            took[server].append(1000 * reader.first_token)
    mine, its, base = (median(took[server]) for server in servers)
    what = "added time to first token, sequential, median, ms"
    yield Row.of(what, mine - base, its - base, 1, "≤ 8", mine - base <= 8)


async def followers(bench):
    """What one more open stream costs: many readers of one slow run, on a server of their own."""
    count = bench.sizes.followers
    with Site(bench.upstream) as site:
        await finish([await read(site.port, *site.asks("bench-100-10", 1))], 10)
        rest = site.memory()
        run = site.start("bench-1-500")
        warm = await ramp(site.port, [site.follow(run)] * 20, 1)
        await asyncio.sleep(1)
        before = site.memory()
        readers = await ramp(site.port, [site.follow(run)] * count, count / 200)
        await asyncio.sleep(3)
        each = (site.memory() - before) / count / KB
        threads, connections = site.threads(), site.connections()
        live = sum(reader.status == "200" and len(reader.came) > 0 for reader in readers)
        site.cancel(run)
        await finish(warm + readers, 10)
    what = f"{live:,} of {count:,} open followers"
    yield Row(f"{what}: threads", f"{threads}", "", "", "≤ 64", live == count and threads <= 64)
    yield Row(f"{what}: database connections", f"{connections}", "", "", "≤ 20", live == count and connections <= 20)
    yield Row(f"{what}: memory for each, KB", f"{each:.0f}", "", "", "≤ 60", live == count and each <= 60)
    with Peer(bench.upstream) as peer:
        await finish([await read(peer.port, *peer.asks("bench-100-10", 1))], 10)
        mine, its = rest / MB, peer.memory() / MB
    what = "memory of the server at rest, after one answer, MB"
    yield Row.of(what, mine, its, 0, "≤ 150", mine <= 150)


async def transactions(bench):
    """Transactions a second that PostgreSQL counts while N runs stream and none starts or ends. Reads count too."""
    counter = "select xact_commit + xact_rollback from pg_stat_database where datname = %s"
    rates = []
    with postgresql() as (admin, database):
        if not database:
            yield Row(
                "database transactions while N runs stream", "skipped: no PostgreSQL here", "", "", "≤ 15 /s, any N"
            )
            return
        with Site(bench.upstream, database) as site:
            for streams in bench.sizes.runs:
                seconds = streams / STARTS + bench.sizes.reports + bench.sizes.counting + 2
                readers = await ramp(site.port, site.asks(f"bench-20-{20 * seconds:.0f}", streams), streams / STARTS)
                await asyncio.sleep(bench.sizes.reports)
                before, since = admin.execute(counter, [DATABASE]).fetchone()[0], time.monotonic()
                await asyncio.sleep(bench.sizes.counting)
                after = admin.execute(counter, [DATABASE]).fetchone()[0]
                rates.append((after - before) / (time.monotonic() - since))
                await finish(readers, seconds)
                await site.settle()
    few, many = bench.sizes.runs
    what, both = f"database transactions per second, {few} and {many} × 20 tok/s", "{:.1f} and {:.1f}".format(*rates)
    met = max(rates) <= 15 and rates[1] <= 1.2 * rates[0]
    yield Row(what, both, "", f"{rates[1] / rates[0]:.2f}", "≤ 15 /s, any N", met)


async def other_process(bench):
    """What readers get whose runs another process writes, and what they cost."""
    async for each in elsewhere(bench, Row):
        yield each


async def executed_by_workers(bench):
    async for each in workers(bench, Row):
        yield each


async def search(bench):
    """What the list of a user with many conversations costs, and looking for words in them."""
    for name, database, target in ("PostgreSQL", postgresql(), 50), ("SQLite", contextlib.nullcontext([None] * 2), 300):
        with database as (admin, url):
            if name == "PostgreSQL" and not admin:
                yield Row("list and search on PostgreSQL", "skipped: no PostgreSQL here", "", "", f"≤ {target}")
                continue
            with Site(bench.upstream, url) as site:
                site.fill(bench.sizes.conversations, 20)
                if url:
                    with psycopg.connect(url, autocommit=True) as connection:
                        connection.execute("vacuum analyze")  # as autovacuum does within a minute
                took = {what: site.look_for(words, bench.sizes.looks) for what, words in SEARCHES.items()}
        count = bench.sizes.conversations
        for what, ms in took.items():
            title = f"{name}, {count:,} conversations, {20 * count:,} messages: {what}, median ms"
            yield Row(title, f"{ms:.0f}", "", "", f"≤ {target}", ms <= target)


async def stalled(bench):
    """Readers that stop reading a fast run: what each costs in memory, and what it does to other people's streams.

    Two fresh servers under the same load; on one of them the readers of the fast run stop. Their sockets take little
    in, so that what the server would keep for them shows: the run writes 500 tokens a second.
    """
    count, seconds = bench.sizes.stalled, bench.sizes.stall

    async def growth_and_others(stops):
        with Site(bench.upstream) as site:
            asks = site.asks(f"bench-20-{20 * seconds + 200:.0f}", 50)
            run = site.start(f"bench-500-{500 * seconds + 5000:.0f}")
            readers = await ramp(site.port, [site.follow(run)] * count, 1, receive_buffer=4 * KB)
            others = await ramp(site.port, asks, 2)
            await asyncio.sleep(1)
            before, since = site.memory(), time.monotonic_ns()
            for reader in readers if stops else ():
                reader.pause()
            await asyncio.sleep(seconds)
            growth, until = site.memory() - before, time.monotonic_ns()
            await finish(readers + others, 0)
            return growth, Load(others, 0, since, until).p99

    control, calm = await growth_and_others(stops=False)
    growth, others = await growth_and_others(stops=True)
    each, text = (growth - control) / count / KB, 500 * seconds * len("@1234567890123;") / KB
    target = f"≤ {text:.0f}, the run's text"
    yield Row(f"memory kept for a reader stalled {seconds:.0f} s, KB", f"{each:.0f}", "", "", target, each <= text)
    what, both = "p99 of others while readers stall, and while none does, ms", f"{others:.1f} and {calm:.1f}"
    met = others <= max(1.25 * calm, calm + 2)
    yield Row(what, both, "", f"{others / calm:.2f}", "unchanged (within 25 % or 2 ms)", met)


async def page(bench):
    """What the page costs in a real browser: bytes before the first message, and the main thread while one streams."""
    if not chromium():
        yield Row("the page in a browser", "skipped: no Chromium here")
        return
    with CollectedSite(bench.upstream) as site:
        async for row in page_rows(site, bench.sizes):
            yield row


async def page_rows(site, sizes):
    fonts, size, requests = await weight(site)
    what = f"page weight before the first message, {requests} requests, kB compressed"
    yield Row(f"{what}, without fonts", f"{size / 1000:.0f}", "", "", "≤ 120", size <= 120_000)
    both = size + fonts
    yield Row(f"{what}, with fonts", f"{both / 1000:.0f}", "", "", "≤ 170", both <= 170_000)
    ratio = await bytes_of(site, *site.asks("bench-100-200", 1))
    yield Row("bytes that come for a reply, × its frames' JSON", f"{ratio:.2f}", "", "", "≤ 1.3", ratio <= 1.3)
    messages = sizes.messages
    few, many = await opening(site, 20), await opening(site, messages)
    what = f"opening a conversation of {messages:,} messages"
    yield Row(f"{what} until it can be used, median ms", f"{many.ms:.0f}", "", "", "≤ 500", many.ms <= 500)
    both, met = f"{many.heap:.1f} and {few.heap:.1f}", many.heap <= 1.5 * few.heap
    yield Row(f"{what}, and one of 20: JavaScript's memory, MB", both, "", f"{many.heap / few.heap:.2f}", "≤ 1.5", met)
    kilobytes = sizes.kilobytes
    measured = await streaming(site, 200, kilobytes)
    cost = p99([cost for _, cost in measured])
    what = f"main thread per frame while {kilobytes} kB stream at 200 tok/s, p99 of {len(measured):,} frames, ms"
    yield Row(what, f"{cost:.1f}", "", "", "≤ 16", cost <= 16)
    part = min(10 / kilobytes, 0.5)
    first, last = share(measured, 0, part), share(measured, 1 - part, 1)
    both = f"{last:,.0f} and {first:,.0f}"
    yield Row(
        "main thread for the last 10 kB and for the first, ms",
        both,
        "",
        f"{last / first:.2f}",
        "≤ 1.5",
        last <= 1.5 * first,
    )


async def attacks(bench):
    """What the others notice while one client tries to stop the site, on both databases."""

    def row(figure, ours, target, met):
        return Row(figure, ours, "", "", target, met)

    async for each in standing(bench, row):
        yield each


FIGURES = {
    "cpu": cpu,
    "langchain": langchain,
    "responses": responses,
    "thoughts": thoughts,
    "500": medium,
    "1000": large,
    "capacity": capacity,
    "ttft": first_token,
    "followers": followers,
    "transactions": transactions,
    "elsewhere": other_process,
    "workers": executed_by_workers,
    "stalled": stalled,
    "page": page,
    "search": search,
    "standing": attacks,
}
