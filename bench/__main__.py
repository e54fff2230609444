"""Measure the site against a plain tutorial server and print the table. See `--help`; it takes about half an hour.

One run holds everything: a scripted model with the load client on one core, and the server under measure on the other.
Site and peer take turns, a few times each, and the table shows medians. Let nothing else run meanwhile: the last row
tells how much did.
"""

import argparse
import gc
import os
import platform
import signal
import sys
from datetime import date
from pathlib import Path

import uvloop

from bench import system
from bench.figures import FIGURES, QUICK, Bench, Row, Sizes
from bench.load import STARTS, drive
from bench.servers import Peer, Site, Upstream

RESULTS = Path(__file__).with_name("RESULTS.md")
HOW = f"""The server has one core, model and load
client have the other. Site and peer are measured side by side in this run, in three turns, and the table has the
medians. Starts come at {STARTS} a second and are included unless a row says otherwise. SQLite, where a row names no
other database. The page is measured in Chromium, with both cores. Absolute times are this machine's; ratios travel
better, though not unchanged."""


def arguments():
    parser = argparse.ArgumentParser(
        prog="python -m bench", description="Measure how fast the site streams, beside a plain server."
    )
    parser.add_argument(
        "--quick", action="store_true", help="a short run to see that everything works; its figures mean nothing"
    )
    parser.add_argument(
        "--only",
        default=",".join(FIGURES),
        metavar="NAMES",
        help="measure only these rows, separated by commas: " + ",".join(FIGURES),
    )
    parser.add_argument("--save", action="store_true", help=f"also write {RESULTS.name}")
    options = parser.parse_args()
    options.only = options.only.split(",")
    if unknown := set(options.only) - set(FIGURES):
        parser.error(f"no such figure: {', '.join(unknown)}")
    return options


def table(rows):
    lines = ["| figure | ours | peer | ratio | target | met |", "|---|---|---|---|---|---|"]
    for row in rows:
        met = {True: "yes", False: "**no**", None: ""}[row.met]
        lines.append(f"| {row.figure} | {row.ours} | {row.peer} | {row.ratio} | {row.target} | {met} |")
    return "\n".join(lines)


async def measure(options):
    rows, others = [], system.OtherProcesses()
    with Upstream() as upstream, Peer(upstream) as peer, Site(upstream) as site:
        bench = Bench(upstream, peer, site, QUICK if options.quick else Sizes())
        for server in site, peer:  # the first request of a process imports and connects
            await drive(server, 5, 20, 0.5)
        for name in options.only:
            print(f"measuring {name} …", file=sys.stderr, flush=True)
            async for row in FIGURES[name](bench):
                print(f"  {row.figure}: {row.ours}", row.peer and f"(peer {row.peer})", file=sys.stderr, flush=True)
                if options.quick:
                    row.met = None
                rows.append(row)
                if options.save:  # what was measured stays, also where the rest is not waited for
                    save(table(rows))
        rows.append(Row("what other processes took of the machine meanwhile, %", f"{others.percent():.1f}"))
    return table(rows)


def main():
    options = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    system.raise_file_limit()
    os.sched_setaffinity(0, {system.LOAD_CORE})
    gc.disable()  # a pause of the client would count as latency of the server
    result = uvloop.run(measure(options))
    print(result)
    if options.save:
        save(result)


def save(result):
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    RESULTS.write_text(f"# Figures\n\nMeasured on {date.today()} by `make bench`: {machine}. {HOW}\n\n{result}\n")


if __name__ == "__main__":
    main()
