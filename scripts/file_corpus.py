"""Reads a folder of files as uploads are read, one process each, and says what became of them.

    python -m scripts.file_corpus FOLDER [EXTENSION]

For the PDF files in the source distributions of pypdf and pikepdf, download both by `pip download --no-binary`, unpack
them, and give their folder.
"""

import resource
import sys
import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from .environment import ROOT

CPU_SECONDS = 10
TIMEOUT = 120
MEMORY_BYTES = 400_000_000


def main() -> None:
    import os

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatsite.settings")
    import django

    django.setup()
    extension = sys.argv[2] if len(sys.argv) > 2 else "pdf"
    outcomes: Counter[str] = Counter()
    slowest = 0.0
    for path in sorted(Path(sys.argv[1]).rglob(f"*.{extension}")):
        outcome, seconds = read(path)
        outcomes[outcome.partition(" ")[0]] += 1
        slowest = max(slowest, seconds)
        print(f"{seconds:6.2f} s  {path.relative_to(sys.argv[1])}: {outcome}", flush=True)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1000
    print(f"{dict(outcomes)}; slowest {slowest:.1f} s of CPU, largest process {peak:.0f} MB ({ROOT.name})")


def read(path: Path) -> tuple[str, float]:
    """Returns what became of the file, and the seconds of CPU time that it took, with the start of a process."""
    from chat.workers import TaskFailed, Worker

    worker = Worker("chat.worker_process")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with TemporaryDirectory() as folder:
        arguments: dict[str, Any] = {
            "source": str(path.resolve()),
            "target": f"{folder}/text",
            "file_name": path.name,
            "max_characters": 2_000_000,
            "max_units": 10_000,
            "cpu_seconds": CPU_SECONDS,
        }
        try:
            result = worker.run("extract", TIMEOUT, arguments)
            outcome = f"read {result['count']} {' '.join(result['notes'])}"
        except TaskFailed as failure:
            outcome = f"refused: {failure.code}" if failure.code.startswith("file_") else failure.code
        finally:
            worker.end()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return outcome, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    start = time.monotonic()
    main()
    print(f"{time.monotonic() - start:.0f} s in all")
