"""Whether the site stands while one client attacks it: what the others notice, beside the same without the attack."""

import asyncio
import contextlib
import json
import time
from dataclasses import dataclass, field
from statistics import quantiles
from urllib.parse import urlencode

import psutil

from bench import system
from bench.attacks import ATTACKS, TOKEN
from bench.databases import postgresql
from bench.load import Load, finish, ramp
from bench.servers import Site

STREAMS = 50  # of others
SEND_MODEL = "bench-1000-5"
CALL_TIMEOUT = 30  # seconds
NO_ANSWER = 599  # instead of a status
MB = 1024 * 1024


class ServedSite(Site):
    """The site as `make serve` starts it, with its own limits."""

    def __init__(self, upstream, database_url=None):
        super().__init__(upstream, database_url)
        for name in ("MAX_RUNS", "MAX_RUNS_PER_USER", "MAX_STREAMS_PER_USER"):
            del self.env[name]

    def command(self):
        return "manage.py", "serve", "--port", str(self.port), "--log-level", "warning", "--no-access-log"

    def all_memory(self):
        """Bytes resident of the server and its children."""
        total = 0
        for process in (self.process, *self.process.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess):
                total += process.memory_info().rss
        return total

    def tracebacks(self):
        self.log.flush()
        with open(self.log.name) as log:
            return log.read().count("Traceback")


@dataclass
class Others:
    """What the others notice: times in ms, and the answers that were none."""

    gets: list = field(default_factory=list)
    sends: list = field(default_factory=list)
    health: list = field(default_factory=list)
    logins: list = field(default_factory=list)
    failures: list = field(default_factory=list)
    memory: int = 0
    stream_p99: float = 0


async def watch(site, seconds):
    """Measures for so many seconds, with streams of others going on."""
    others, loop = Others(), asyncio.get_running_loop()
    users = site.cookies[1:]
    body = f'{{"assistant": "{SEND_MODEL}"}}'
    conversations = [(await call(site, "POST", "/api/conversations", body, user))[1] for user in users[:20]]
    paths = [f"/api/conversations/{conversation['id']}/messages" for conversation in conversations]
    form = urlencode({"csrfmiddlewaretoken": TOKEN, "username": "nobody", "password": "wrong"})
    login = {"Cookie": f"csrftoken={TOKEN}", "Content-Type": "application/x-www-form-urlencoded"}

    def get(number):
        return call(site, "GET", ("/", "/api/conversations")[number % 2], "", users[number % 50])

    def send(number):
        return call(site, "POST", paths[number % 20], '{"text": "Hi"}', users[number % 20])

    def ask_health(number):
        return call(site, "GET", "/health", "", {})

    def log_in(number):
        return call(site, "POST", "/accounts/login/", form, login, f"127.0.1.{number % 250 + 1}")

    calls = [
        (others.gets, 0.05, get),
        (others.sends, 0.25, send),
        (others.health, 0.1, ask_health),
        (others.logins, 2, log_in),
    ]
    requests = site.asks(f"bench-20-{20 * (seconds + 3):.0f}", STREAMS + 1)[1:]
    readers = await ramp(site.port, requests, 1)
    since, end = time.monotonic_ns(), loop.time() + seconds

    async def repeat(times, pause, make):
        number = 0
        while loop.time() < end:
            status, _, took = await make(number)
            times.append(took)
            if status >= 400:
                others.failures.append(status)
            number += 1
            await asyncio.sleep(pause)

    async def weigh():
        while loop.time() < end:
            others.memory = max(others.memory, site.all_memory())
            await asyncio.sleep(0.2)

    await asyncio.gather(weigh(), *(repeat(*each) for each in calls))
    others.stream_p99 = Load(readers, 0, since, time.monotonic_ns()).p99
    await finish(readers, 0)
    return others


async def call(site, method, path, body, headers, address="127.0.0.1"):
    """Returns (status, JSON or None, ms). Without a thread, in which a call would also wait for the streams' client."""
    start = time.perf_counter()
    try:
        async with asyncio.timeout(CALL_TIMEOUT):
            answer = await exchange(site.port, message(method, path, body, headers), address)
        head, _, text = answer.partition(b"\r\n\r\n")
        status = int(head[9:12])
        content = json.loads(text) if b"content-length" in head and text[:1] == b"{" else None
    except (OSError, TimeoutError, ValueError):
        status, content = NO_ANSWER, None
    return status, content, 1000 * (time.perf_counter() - start)


def message(method, path, body, headers):
    fields = {"Host": "127.0.0.1", "Connection": "close", "Content-Type": "application/json", **headers}
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
    return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", body]).encode()


async def exchange(port, content, address):
    """Returns all that comes back, in a connection from this address."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(address, 0))
    try:
        writer.write(content)
        return await reader.read()
    finally:
        writer.close()


def p99(times):
    return quantiles(times, n=100)[98] if len(times) > 1 else max(times, default=float("inf"))


async def standing(bench, row):
    """Yields the rows of each attack, on an empty database of each kind. `row` makes one."""
    for database, resource in ("SQLite", no_server), ("PostgreSQL", postgresql):
        for name in ATTACKS:
            with resource() as (admin, url):
                if resource is postgresql and not admin:
                    yield row("while one client attacks a site on PostgreSQL", "skipped: no PostgreSQL here", "", None)
                    return
                calm, under, tracebacks = await attacked(bench, name, url)
            for each in rows(row, f"while one client attacks ({name}, {database})", calm, under, tracebacks):
                yield each


def no_server():
    return contextlib.nullcontext((None, None))


async def attacked(bench, name, url):
    """Returns what the others noticed before and during an attack, and how many tracebacks are in the log."""
    with ServedSite(bench.upstream, url) as site:
        for model in (SEND_MODEL, "bench-1-500", "arguments-100-9", "calls-100-9"):
            site.offer(model)
        await watch(site, 1)  # the first requests import and connect
        calm = await watch(site, bench.sizes.calm)
        key = site.cookies[0]["Cookie"].partition("=")[2].partition(";")[0]
        attacker = site.spawn("-m", "bench.attacks", name, str(site.port), key, core=system.LOAD_CORE)
        await asyncio.sleep(1)
        under = await watch(site, bench.sizes.attack)
        attacker.kill()
        return calm, under, site.tracebacks()


def rows(row, what, calm, under, tracebacks):
    mine, its = p99(under.gets), p99(calm.gets)
    yield row(f"{what}: others' GET p99, ms, beside without", f"{mine:.0f} and {its:.0f}", "≤ 100", mine <= 100)
    mine, its = under.stream_p99, calm.stream_p99
    yield row(f"{what}: streams' p99, ms, beside without", f"{mine:.1f} and {its:.1f}", "≤ + 10", mine <= its + 10)
    mine, its = p99(under.sends), p99(calm.sends)
    yield row(f"{what}: sends' p99, ms, beside without", f"{mine:.0f} and {its:.0f}", "≤ 200", mine <= 200)
    mine = max(under.health)
    yield row(f"{what}: /health, slowest, ms", f"{mine:.0f}", "≤ 100", mine <= 100)
    mine = under.memory / MB
    yield row(f"{what}: memory of the server and its children, MB", f"{mine:.0f}", "≤ 600", mine <= 600)
    mine = f"{len(under.logins)} in {max(under.logins):.0f} ms at most"
    failed = f"{len(under.failures)} {sorted(set(under.failures))}, {tracebacks}"
    yield row(f"{what}: logins of newcomers answered", mine, "", None)
    met = not under.failures and not tracebacks
    yield row(f"{what}: others' failed requests, tracebacks", failed, "none", met)
