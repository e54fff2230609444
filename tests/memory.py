"""How much memory a server and the processes it has started take."""

from pathlib import Path


def processes(pid):
    """Returns the ids of a process and those it has started."""
    children = Path(f"/proc/{pid}/task").glob("*/children")
    return [pid, *(other for path in children for child in path.read_text().split() for other in processes(int(child)))]


def memory_bytes(pid):
    """Returns the memory of a process and its children, what they share counted in parts."""
    total = 0
    for one in processes(pid):
        try:
            rollup = Path(f"/proc/{one}/smaps_rollup").read_text()
        except (FileNotFoundError, ProcessLookupError):  # it has just ended
            continue
        total += sum(1024 * int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
    return total
