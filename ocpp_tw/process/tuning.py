"""The reactor's loop with one call for each event: Twisted's own makes five, and a logging context that nobody here reads.

Knows nothing of chargers. Where the reactor is not Twisted's epoll, its own loop stays.
"""

# mypy: disallow-untyped-calls=False

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

from twisted.python import log

REQUIRED = ("_poller", "_selectables", "_doReadOrWrite", "_disconnectSelectable")
"""What is used here of Twisted's reactor and is not public: without any of it, its own loop stays."""

EVENTS_PER_TURN = 64
"""How many events a turn takes; the kernel keeps the others in their order. When thousands of chargers come or go in one moment, timers,
and answers that wait for Redis, do not wait for the last of them."""

YOUNG, AGEING, OLD = 5_000, 4, 250
"""After so many new objects those are looked at, after so many such looks all since the last of this kind, and after so many of these
everything. With Python's own numbers what stays was looked at again and again, for as long as a hundred handshakes take each time; with
larger ones a look at the new ones alone, when thousands of chargers come, would hold up those who are in."""


def shorten_loop(reactor: Any) -> bool:
    """Have the reactor run the short loop from its next turn on; whether it can be had."""
    kind = f"{type(reactor).__module__}.{type(reactor).__qualname__}"
    if kind != "twisted.internet.epollreactor.EPollReactor" or not all(hasattr(reactor, each) for each in REQUIRED):
        return False
    reactor.doPoll = reactor.doIteration = _turn(reactor)
    return True


def _turn(reactor: Any) -> Callable[[float | None], None]:
    """One turn of the loop: what ``EPollReactor.doPoll`` does. Whatever is not simply there to be read is left to Twisted."""
    poll, selectables = reactor._poller.poll, reactor._selectables
    uncommon, disconnect = reactor._doReadOrWrite, reactor._disconnectSelectable
    readable = reactor._POLL_IN

    def turn(timeout: float | None) -> None:
        try:
            events = poll(-1 if timeout is None else timeout, EVENTS_PER_TURN)
        except InterruptedError:
            return
        for fd, event in events:
            selectable = selectables.get(fd)
            if selectable is None:
                continue  # an event before this one has ended it
            if event != readable:
                log.callWithLogger(selectable, uncommon, selectable, fd, event)
                continue
            why: BaseException | None
            try:
                why = selectable.doRead()
            except BaseException as failed:  # as Twisted does: it is logged, and costs this connection alone
                why = failed
                log.err()
            if why:
                log.callWithLogger(selectable, disconnect, selectable, why, True)

    return turn


def freeze_garbage() -> None:
    """To be called once all is loaded: what is here by now stays."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, AGEING, OLD)
