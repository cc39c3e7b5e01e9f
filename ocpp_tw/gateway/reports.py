"""2.x: reports that a charger sends in parts, each a CALL of its own; their command is told once, when the last part has arrived.

Knows neither frames nor events: whoever opens a report is called back at its end.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from ..ocpp.frames import Payload

OVERDUE = 60.0
"""Seconds without a part after which a report ends incomplete."""

PARTS = 10_000
"""Most parts of a report that are counted; further ones are ignored."""


class Report:
    """A report that is awaited: the numbers of the parts received, and that of the last one."""

    __slots__ = ("done", "last", "seen", "timer")

    def __init__(self, done: Callable[[int, bool, list[int]], None], timer: IDelayedCall) -> None:
        self.done = done
        self.timer = timer
        self.seen: set[int] = set()
        self.last: int | None = None

    @property
    def missing(self) -> list[int]:
        """The numbers of the parts not received, up to the highest that was; parts are numbered from 0."""
        return sorted(set(range(max(self.seen, default=-1) + 1)) - self.seen)

    @property
    def whole(self) -> bool:
        """Whether all parts were received, the last (``tbc`` false) among them."""
        return self.last is not None and not self.missing


class Reports:
    """The open reports of one charger on one connection, by the action that brings their parts and their requestId."""

    __slots__ = ("_clock", "_open")

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._open: dict[tuple[str, int], Report] = {}

    def open(self, action: str, request: int, done: Callable[[int, bool, list[int]], None]) -> None:
        """Await a report; ``done`` is called once with the number of parts received, whether all were, and the numbers of the missing."""
        key = action, request
        self._end(key)  # the charger was asked twice under one number: the parts of the two cannot be told apart
        self._open[key] = Report(done, self._clock.callLater(OVERDUE, self._end, key))

    def expects(self, action: str) -> bool:
        """Whether parts of that action are awaited."""
        return any(awaited == action for awaited, _ in self._open)

    def part(self, action: str, payload: Payload) -> None:
        """A part was received; ``tbc`` left out means that it is the last (the schema's default)."""
        request, number = payload.get("requestId"), payload.get("seqNo", 0)
        report = self._open.get((action, request)) if isinstance(request, int) else None
        if report is None or not isinstance(number, int) or len(report.seen) >= PARTS or not 0 <= number < PARTS:
            return
        if action == "ReportChargingProfiles":
            number = len(report.seen)  # the one report whose parts have no numbers
        report.seen.add(number)
        if payload.get("tbc") is not True:
            report.last = number
        if report.whole:
            self._end((action, int(payload["requestId"])))
        else:
            report.timer.reset(OVERDUE)

    def close(self) -> None:
        """The connection has ended: all open reports end incomplete."""
        for key in list(self._open):
            self._end(key)

    def _end(self, key: tuple[str, int]) -> None:
        report = self._open.pop(key, None)
        if report is not None:
            if report.timer.active():
                report.timer.cancel()
            report.done(len(report.seen), report.whole, report.missing)
