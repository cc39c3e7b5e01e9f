"""What the kernel says of processes: their CPU, their memory, their children. Linux only."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path


def family(pid: int) -> list[int]:
    """The process and all that it has started."""
    found = [pid]
    for each in found:
        with suppress(OSError):
            found += [int(child) for child in Path(f"/proc/{each}/task/{each}/children").read_text().split()]
    return found


def cpu(pids: Iterable[int]) -> float:
    """Seconds of CPU that they have used, to the nanosecond."""
    return sum(int(task.read_text().split()[0]) for pid in pids for task in Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9


def memory(pids: Iterable[int]) -> int:
    """KiB that they have resident. The kernel's own memory for their sockets is not counted anywhere."""
    lines = (line for pid in pids for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return sum(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))
