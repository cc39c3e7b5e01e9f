"""``profile_time.py FILE ARGUMENTS``: twistd with a sampling profiler. SIGUSR1 starts it, SIGUSR2 writes the samples to FILE.

A thousand times per second it records the line that is being executed; C code counts for the line that called it. This costs some 2 %, where a
tracing profiler would multiply the cost of cheap calls. (The kernel's CPU-time timers tick only a hundred times per second.)
"""

from __future__ import annotations

import json
import signal
import sys
import time
from collections import Counter
from pathlib import Path
from types import FrameType

from twisted.scripts.twistd import run

FILE = sys.argv[1]
INTERVAL = 0.001
"""Seconds between samples."""
busy: Counter[tuple[str, str, int]] = Counter()
idle: Counter[tuple[str, str, int]] = Counter()
last = 0.0


def sample(number: int, frame: FrameType | None) -> None:
    global last
    used, last = time.thread_time() - last, time.thread_time()
    assert frame is not None
    (busy if used > INTERVAL / 2 else idle)[frame.f_code.co_filename, frame.f_code.co_qualname, frame.f_lineno] += 1


def begin(number: int, frame: FrameType | None) -> None:
    # Otherwise every sample would wake the reactor, which listens for signals of ended children; there are none.
    signal.set_wakeup_fd(-1)
    busy.clear()
    idle.clear()
    signal.setitimer(signal.ITIMER_REAL, INTERVAL, INTERVAL)


def end(number: int, frame: FrameType | None) -> None:
    signal.setitimer(signal.ITIMER_REAL, 0)
    # The line sampled most often without using CPU time is where the process waits for work.
    for location, _ in idle.most_common(1):
        del idle[location]
    samples = busy + idle
    Path(FILE).write_text(json.dumps([[*location, count] for location, count in samples.items()]) + "\n")


if __name__ == "__main__":
    signal.signal(signal.SIGALRM, sample)
    signal.signal(signal.SIGUSR1, begin)
    signal.signal(signal.SIGUSR2, end)
    sys.argv = sys.argv[1:]
    run()
