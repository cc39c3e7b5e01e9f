"""``keep_core_awake.py CORE``: keep a core from sleeping, at the lowest priority, for as long as the parent process lives.

A core that is idle for a millisecond goes to sleep, and a virtual one to its host's other guests. It comes back slowly and with
empty caches, which adds a third to the CPU time of a message (see docs/performance.md): the benchmark would measure that, not the server.
"""

from __future__ import annotations

import os
import sys

if __name__ == "__main__":
    parent = os.getppid()
    os.sched_setaffinity(0, {int(sys.argv[1])})
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    while os.getppid() == parent:
        for _ in range(1_000_000):
            pass
