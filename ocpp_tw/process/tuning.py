"""Tunes Twisted's epoll reactor, Python's garbage collector and glibc's allocator for thousands of connections.

The loop makes one call for each event, where Twisted's own makes five, and a logging context that is not used here. Any other reactor keeps
its own loop. Knows nothing of chargers.
"""

# mypy: disallow-untyped-calls=False

from __future__ import annotations

import ctypes
import gc
from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.task import LoopingCall
from twisted.python import log

from ..reliances import EPOLL_REACTOR, RELIANCES

MAX_EVENTS_PER_TURN = 64
"""Most events taken in one turn of the loop; the kernel keeps the others in their order. When thousands of chargers arrive or leave at once,
timers, and answers that wait for Redis, need not wait for the last of them."""

GC_THRESHOLDS = 5_000, 4, 250
"""`gc.set_threshold`: new objects after which the youngest generation is collected, such collections after which the middle one is, and of
those after which the oldest is. With Python's defaults long-lived objects were scanned again and again, each time for as long as a hundred
handshakes take; with larger ones a collection of the youngest alone, when thousands of chargers arrive, would delay those already connected."""


LARGE_BLOCK = 8 << 20
"""Bytes from which a block of memory is the system's own, and goes back to it at once. By default glibc raises this to as much as was once
freed, up to 32 MiB. A group of large events is below it: its pages would come from the system, zeroed, for each group anew."""

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3

FREE, FREE_INTERVAL = 2 << 20, 1.0
"""Bytes that have become free between blocks in use before they are given back to the system, and seconds from one look at them to the next.
To look takes microseconds, to give back 0.2 ms for each MB."""


def shorten_loop(reactor: Any, required: Sequence[str] = RELIANCES[EPOLL_REACTOR]) -> bool:
    """Make the reactor use the short loop from its next turn on. False, and no change, unless it is Twisted's epoll reactor with all
    ``required`` private attributes."""
    kind = f"{type(reactor).__module__}.{type(reactor).__qualname__}"
    if kind != EPOLL_REACTOR or not all(hasattr(reactor, name) for name in required):
        return False
    reactor.doPoll = reactor.doIteration = _turn(reactor)
    return True


def _turn(reactor: Any) -> Callable[[float | None], None]:
    """One turn of the loop, in place of ``EPollReactor.doPoll``. Any event but plain readability is left to Twisted."""
    poll, selectables = reactor._poller.poll, reactor._selectables
    uncommon, disconnect = reactor._doReadOrWrite, reactor._disconnectSelectable
    readable = reactor._POLL_IN

    def turn(timeout: float | None) -> None:
        try:
            events = poll(-1 if timeout is None else timeout, MAX_EVENTS_PER_TURN)
        except InterruptedError:
            return
        for fd, event in events:
            selectable = selectables.get(fd)
            if selectable is None:
                continue  # closed by an earlier event of this turn
            if event != readable:
                log.callWithLogger(selectable, uncommon, selectable, fd, event)
                continue
            why: BaseException | None
            try:
                why = selectable.doRead()
            except BaseException as failed:  # as Twisted does: logged, and only this connection is lost
                why = failed
                log.err()
            if why:
                try:
                    disconnect(selectable, why, True)
                except BaseException:
                    log.err()

    return turn


def freeze_garbage() -> None:
    """Exempt all existing objects from garbage collection; to be called once everything is loaded."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)


def return_large_blocks() -> bool:
    """Have glibc give memory back; False where the allocator is another one."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    return bool(mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK) and mallopt(M_TRIM_THRESHOLD, LARGE_BLOCK))


class Allocated(ctypes.Structure):
    """glibc's ``struct mallinfo2``; ``fordblks`` is what is free between blocks in use."""

    _fields_ = tuple(
        (name, ctypes.c_size_t)
        for name in ("arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost")
    )


class FreeMemory:
    """Gives back what became free between blocks in use, which glibc itself never does: of a thousand TLS handshakes one that stays may
    keep all of it. Without glibc 2.33 or later nothing is done."""

    def __init__(self) -> None:
        self._given_back = 0
        """Of the bytes that are free now, those that the system has already."""
        self._info: Any = None
        try:
            libc = ctypes.CDLL(None)
            self._trim, self._info = libc.malloc_trim, libc.mallinfo2
            self._info.restype = Allocated
        except (OSError, AttributeError):
            pass

    def start(self, reactor: Any) -> None:
        """Begin to look once in a while."""
        if self._info is not None:
            timer = LoopingCall(self.look)
            timer.clock = reactor
            timer.start(FREE_INTERVAL, now=False)

    def look(self) -> None:
        free = self._info().fordblks
        if free - self._given_back > FREE:
            self._trim(0)
            self._given_back = free
        self._given_back = min(self._given_back, free)
