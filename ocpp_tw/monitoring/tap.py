"""The tap: the last frames of this gateway's chargers, in both directions, and the last events, within a budget of memory.

Knows neither who reads them nor how they are shown. They are kept as they were, secrets among them, which are taken out when they are read.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from functools import partial
from typing import TypeAlias

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall

from .ring import Ring

Frame: TypeAlias = tuple[float, str, int, bytes]
"""Unix time, charger, direction (`ocpp_tw.interfaces.IN` or `OUT`) and text."""

Event: TypeAlias = tuple[str, int | None, bytes]
"""Charger, number if it is known, and JSON without the number."""

SWEEP_INTERVAL = 0.25
"""Seconds between looks at what has come: as much as comes meanwhile may be beyond the budget."""

FRAME_BYTES, BATCH_BYTES = 17, 300
"""What a frame takes beside its text, and a batch of events beside these."""

FRAMES_SHARE = 0.75
"""The part of the budget that frames have; events have the rest."""


class Tap:
    """``budget`` is in bytes; ``now`` tells Unix time, ``events_in`` what events there are in entries (see `IEvents`), ``tell`` is told the
    time at which entries became durable.

    ``frames`` has records as `Frame` says, ``events`` has batches of those that became durable together: the time, their numbers, and the
    entries as the driver has them.
    """

    def __init__(
        self,
        budget: int,
        clock: IReactorTime,
        now: Callable[[], float],
        events_in: Callable[[bytes], list[tuple[str, bytes]]],
        tell: Callable[[float], None] = lambda moment: None,
    ) -> None:
        self._now = now
        self._events_in = events_in
        self._tell = tell
        times = partial(array, "d")
        self.frames = Ring(int(budget * FRAMES_SHARE), (times, list, bytes), FRAME_BYTES)
        self.events = Ring(int(budget * (1 - FRAMES_SHARE)), (times, list), BATCH_BYTES)
        self._sweeps = LoopingCall(self.sweep)
        self._sweeps.clock = clock

    def published(self, entries: bytes, numbers: list[int]) -> None:
        """See `ocpp_tw.interfaces.Published`."""
        now = self._now()
        self._tell(now)
        self.events.record((now, array("Q", numbers), entries))
        self.events.sweep()
        self.frames.pack()

    def events_since(self, number: int) -> Iterator[Event]:
        """The events of all batches from that one on, the oldest first, without those that were left out."""
        for _, numbers, entries in self.events.since(number):
            events = self._events_in(entries)
            for (charger, event), seq in zip(events, numbers or [None] * len(events), strict=True):
                if seq != 0:
                    yield charger, seq, event

    def start(self) -> None:
        """Keep to the budget from now on."""
        self._sweeps.start(SWEEP_INTERVAL, now=False)

    def stop(self) -> None:
        """Do so no more."""
        if self._sweeps.running:
            self._sweeps.stop()

    def sweep(self) -> None:
        """Drop what is too old for the budget."""
        self.frames.sweep()
        self.events.sweep()
