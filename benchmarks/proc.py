"""Process statistics from /proc: CPU time, memory, children. Linux only."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path


def family(pid: int) -> list[int]:
    """The process and all its descendants."""
    pids = [pid]
    for each in pids:
        with suppress(OSError):
            pids += [int(child) for child in Path(f"/proc/{each}/task/{each}/children").read_text().split()]
    return pids


def cpu(pids: Iterable[int]) -> float:
    """CPU time that they have used, in seconds with nanosecond resolution."""
    return sum(int(task.read_text().split()[0]) for pid in pids for task in Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9


def memory(pids: Iterable[int]) -> int:
    """Their resident memory in KiB. The kernel's own memory for their sockets is not included."""
    lines = (line for pid in pids for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return sum(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))
