"""``sampled.py FILE ARGUMENTS``: twistd with a stopwatch in it. SIGUSR1 starts it, SIGUSR2 writes to FILE what it has seen.

A thousand times per second it notes which line is being run; C code counts for the line that called it. That costs some 2 %, where a
tracing profiler would cost the cheap calls several times their price. (The kernel's timers of CPU time tick a hundred times per second only.)
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
busy: Counter[tuple[str, str, int]] = Counter()
still: Counter[tuple[str, str, int]] = Counter()
last = 0.0


def sample(number: int, frame: FrameType | None) -> None:
    global last
    used, last = time.thread_time() - last, time.thread_time()
    assert frame is not None
    (busy if used > INTERVAL / 2 else still)[frame.f_code.co_filename, frame.f_code.co_qualname, frame.f_lineno] += 1


def begin(number: int, frame: FrameType | None) -> None:
    # Or every sample would wake the reactor as well, which wants to know of ended children; there are none.
    signal.set_wakeup_fd(-1)
    busy.clear()
    still.clear()
    signal.setitimer(signal.ITIMER_REAL, INTERVAL, INTERVAL)


def end(number: int, frame: FrameType | None) -> None:
    signal.setitimer(signal.ITIMER_REAL, 0)
    # The one line that is found most often without having used CPU is where it waits for something to do.
    for where, _ in still.most_common(1):
        del still[where]
    seen = busy + still
    Path(FILE).write_text(json.dumps([[*where, count] for where, count in seen.items()]) + "\n")


if __name__ == "__main__":
    signal.signal(signal.SIGALRM, sample)
    signal.signal(signal.SIGUSR1, begin)
    signal.signal(signal.SIGUSR2, end)
    sys.argv = sys.argv[1:]
    run()
