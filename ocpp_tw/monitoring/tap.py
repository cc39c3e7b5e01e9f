"""The tap: the last frames of this gateway's chargers, in both directions, and the last events, within a budget of memory.

Knows neither who reads them nor how they are shown. They are kept as they were, secrets among them, which are taken out when they are read.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from itertools import accumulate
from typing import Any, TypeAlias

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall

from .ring import Columns, Record, Ring
from .texts import Texts

Frame: TypeAlias = tuple[float, str, int, bytes]
"""Unix time, charger, direction (`ocpp_tw.interfaces.IN` or `OUT`) and text."""

Event: TypeAlias = tuple[str, int | None, bytes]
"""Charger, number if it is known, and JSON without the number."""

SWEEP_INTERVAL = 0.25
"""Seconds between looks at what has come: as much as comes meanwhile may be beyond the budget."""

FRAME_BYTES, BATCH_BYTES, BLOCK_BYTES = 21, 300, 500
"""What a frame takes beside its text, a batch of events beside these, and some hundred of either together."""

FRAMES_SHARE = 0.75
"""The part of the budget that frames have; events have the rest."""


class Tap:
    """``budget`` is in bytes; ``now`` tells Unix time, ``events_in`` what events there are in entries (see `IEvents`).
    ``use`` is given the function that takes a `Frame` (see `Ring`), ``tell`` the time at which entries became durable.

    ``frames`` has records as `Frame` says, ``events`` has batches of those that became durable together: the time, the
    entries as the driver has them, their size, and their numbers.
    """

    def __init__(
        self,
        budget: int,
        clock: IReactorTime,
        now: Callable[[], float],
        events_in: Callable[[Any], list[tuple[str, bytes]]],
        use: Callable[[Record], None] = lambda record: None,
        tell: Callable[[float], None] = lambda moment: None,
    ) -> None:
        self._now = now
        self._events_in = events_in
        self._tell = tell
        self.frames = Ring(int(budget * FRAMES_SHARE), 4, _pack_frames, use)
        self.events = Ring(int(budget * (1 - FRAMES_SHARE)), 4, _pack_batches)
        self._sweeps = LoopingCall(self.sweep)
        self._sweeps.clock = clock

    def published(self, entries: Any, size: int, numbers: list[int]) -> None:
        """See `ocpp_tw.interfaces.Published`."""
        now = self._now()
        self._tell(now)
        self.events.record((now, entries, size, numbers))
        self.frames.pack()

    def events_since(self, number: int) -> Iterator[Event]:
        """The events of all batches from that one on, the oldest first, without those that were left out."""
        for _, entries, _, numbers in self.events.since(number):
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


def _pack_frames(columns: list[list[Any]]) -> tuple[Columns, int]:
    times, chargers, directions, texts = columns
    packed = Texts(b"".join(texts), array("Q", accumulate(map(len, texts))))
    return (array("d", times), chargers, bytes(directions), packed), len(packed.text) + FRAME_BYTES * len(texts) + BLOCK_BYTES


def _pack_batches(columns: list[list[Any]]) -> tuple[Columns, int]:
    """Each is one piece already."""
    sizes = columns[2]
    return columns, sum(sizes) + BATCH_BYTES * len(sizes) + BLOCK_BYTES
