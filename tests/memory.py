"""Measures the memory of a server and the processes that it started."""

from pathlib import Path


def process_ids(pid):
    """Returns the ids of a process and all its descendants."""
    children = Path(f"/proc/{pid}/task").glob("*/children")
    child_ids = [int(child) for path in children for child in path.read_text().split()]
    return [pid, *(descendant for child in child_ids for descendant in process_ids(child))]


def memory_bytes(pid):
    """Returns the memory of a process and its descendants, where shared memory counts in proportion (PSS)."""
    total = 0
    for process_id in process_ids(pid):
        try:
            rollup = Path(f"/proc/{process_id}/smaps_rollup").read_text()
        except (FileNotFoundError, ProcessLookupError):  # it has just ended
            continue
        total += sum(1024 * int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
    return total
