"""The gateway's own judgement of chargers: which say nothing, which keep coming back, whose clock is wrong. Told when it begins and when it is over.

Knows neither pings (a charger that is here has answered them) nor commands. One wheel turns for all; a message costs nothing here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from ..core import events
from ..ocpp.timestamps import parse_timestamp

if TYPE_CHECKING:
    from .charger import Charger
    from .incoming import IncomingCalls

log = Logger()

INTERVAL = 60.0
"""Seconds between looks at all chargers."""

SILENT_AFTER = 3
"""So many heartbeat intervals without a message are a silence."""

FLAPPING_AFTER = 5
"""So many connections within `WITHIN` seconds are a charger that flaps."""

FLAPPING_WINDOW = 300.0

SKEW_WRONG, SKEW_RIGHT = 60.0, 30.0
"""Seconds by which a clock is wrong enough to tell, and changed enough to tell again; and by which it is well again."""

SKEW_TOLERANCE = 30.0
"""Seconds by which two messages may differ and still show the same clock."""


class Observed:
    """What is known of one charger, over its connections, until it has been away for a while."""

    __slots__ = ("away", "behind", "connects", "domain", "flapping", "flaps", "ocpp", "received", "silent", "skew", "told", "turns")

    def __init__(self) -> None:
        self.connects: tuple[float, ...] = ()
        self.flaps = 0
        self.flapping = self.silent = False
        self.received = self.turns = self.away = 0
        self.skew: float | None = None
        self.behind: tuple[float, float] | None = None
        self.told: float | None = None
        self.domain = self.ocpp = ""


class Liveness:
    """One for the ``chargers`` that are connected to a gateway."""

    def __init__(self, chargers: Mapping[str, Charger], intake: IncomingCalls) -> None:
        self._chargers = chargers
        self._intake = intake
        self._clock = intake.clock
        self._observed: dict[str, Observed] = {}
        self._timer = LoopingCall(self._check_all)
        self._timer.clock = intake.clock

    def start(self) -> None:
        """Begin to look after them."""
        self._timer.start(INTERVAL, now=False)

    def stop(self) -> None:
        """End that."""
        if self._timer.running:
            self._timer.stop()

    def arrived(self, charger: Charger) -> None:
        """This connection is the charger from now on."""
        pulse, now = self._observed.setdefault(charger.id, Observed()), self._clock.seconds()
        pulse.domain, pulse.ocpp = charger.domain, charger.ocpp
        pulse.received = pulse.turns = pulse.away = 0
        pulse.silent = False
        pulse.connects = (*(each for each in pulse.connects if now - each < FLAPPING_WINDOW), now)[-FLAPPING_AFTER:]
        if pulse.flapping:
            pulse.flaps += 1
        elif len(pulse.connects) == FLAPPING_AFTER:
            pulse.flapping, pulse.flaps = True, FLAPPING_AFTER
            self._intake.publish_event(charger, "flapping", events.Flapping(charger.id, FLAPPING_AFTER, round(now - pulse.connects[0])))

    def summary(self, charger: Charger) -> dict[str, Any]:
        """What an operator is shown of it."""
        pulse = self._observed.get(charger.id) or Observed()
        judged = {"unresponsive": charger.unresponsive, "silent": pulse.silent, "flapping": pulse.flapping}
        return {"liveness": judged, "clock_skew": None if pulse.skew is None else round(pulse.skew)}

    def _check_all(self) -> None:
        for id, pulse in list(self._observed.items()):
            try:
                self._check(id, pulse)
            except Exception:  # else the wheel would stand still, for all
                log.failure("while looking after {charger}", charger=id)

    def _check(self, id: str, pulse: Observed) -> None:
        charger = self._chargers.get(id)
        if charger is None:
            pulse.away += 1
        else:
            self._check_silence(charger, pulse)
            if charger.reported_time is not None:
                (text, at), charger.reported_time = charger.reported_time, None
                self._check_clock(charger, pulse, text, at)
        if pulse.connects and self._clock.seconds() - pulse.connects[-1] >= FLAPPING_WINDOW:
            self._flapping_over(id, pulse)
        if pulse.away * INTERVAL >= FLAPPING_WINDOW and not pulse.connects:
            del self._observed[id]  # identities cost nothing to make up

    def _check_silence(self, charger: Charger, pulse: Observed) -> None:
        """Whether anything has come since the last turn; turns are counted and not time, since this process may have been suspended."""
        if charger.received != pulse.received:
            if pulse.silent:
                pulse.silent = False
                self._intake.publish_event(charger, "silent", events.Silent(charger.id, round(pulse.turns * INTERVAL), over=True))
            pulse.received, pulse.turns = charger.received, 0
            return
        pulse.turns += 1
        interval = charger.interval or self._intake.settings.heartbeat_interval
        if not pulse.silent and not charger.busy and pulse.turns * INTERVAL >= SILENT_AFTER * interval:
            pulse.silent = True
            self._intake.publish_event(charger, "silent", events.Silent(charger.id, round(pulse.turns * INTERVAL)))

    def _check_clock(self, charger: Charger, pulse: Observed, text: str, at: float) -> None:
        """The charger's clock and ours: it said what time it was at ``at``, by the reactor's clock."""
        said = parse_timestamp(text)
        if said is None:
            return
        ahead = said.timestamp() - (self._intake.unix() - self._clock.seconds() + at)
        if not _taken(pulse, ahead, at):
            return
        skew = pulse.skew = ahead
        if pulse.told is None:
            news, over = abs(skew) > SKEW_WRONG, False
        else:
            over = abs(skew) <= SKEW_RIGHT
            news = over or abs(skew - pulse.told) > SKEW_WRONG
        if news:
            pulse.told = None if over else skew
            self._intake.publish_event(charger, "clock_skew", events.ClockSkew(charger.id, round(skew), over=over))

    def _flapping_over(self, id: str, pulse: Observed) -> None:
        """It has not connected for a while."""
        pulse.connects = ()
        if pulse.flapping:
            pulse.flapping = False
            data = events.Flapping(id, pulse.flaps, round(FLAPPING_WINDOW), over=True)
            self._intake.publish_event_of(id, pulse.domain, "flapping", data, pulse.ocpp)


def _taken(pulse: Observed, ahead: float, at: float) -> bool:
    """Whether the charger's clock is known to be ``ahead`` now (of ours, in seconds; behind, when it is less than nothing).

    Whatever was said later than we think possible was said by a clock that is ahead. What was said earlier may be old, from the
    charger's queue: it counts when two messages, a minute apart by our clock, are as far apart by the charger's.
    """
    if ahead >= (-SKEW_WRONG if pulse.skew is None else pulse.skew):
        pulse.behind = None
        return True
    before = pulse.behind
    if before is None or abs(ahead - before[1]) > SKEW_TOLERANCE:
        pulse.behind = (at, ahead)
        return False
    if at - before[0] < INTERVAL:
        return False
    pulse.behind = None
    return True
