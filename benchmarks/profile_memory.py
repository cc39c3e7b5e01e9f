"""``profile_memory.py FILE ARGUMENTS``: twistd that records which line allocated what.

SIGUSR1 begins; SIGUSR2 writes to FILE what was allocated since and is still in use. It sees only Python's allocators, not the memory of
OpenSSL or the kernel for a connection.
"""

from __future__ import annotations

import gc
import json
import signal
import sys
import tracemalloc
from pathlib import Path
from types import FrameType

from twisted.scripts.twistd import run

FILE = sys.argv[1]
before: tracemalloc.Snapshot


def begin(number: int, frame: FrameType | None) -> None:
    global before
    gc.collect()
    before = tracemalloc.take_snapshot()


def end(number: int, frame: FrameType | None) -> None:
    gc.collect()
    grown = tracemalloc.take_snapshot().compare_to(before, "lineno")
    lines = [(each.traceback[0].filename, each.traceback[0].lineno, each.size_diff, each.count_diff) for each in grown]
    Path(FILE).write_text(json.dumps(lines) + "\n")


if __name__ == "__main__":
    tracemalloc.start()
    signal.signal(signal.SIGUSR1, begin)
    signal.signal(signal.SIGUSR2, end)
    sys.argv = sys.argv[1:]
    run()
