"""The gateway's own judgement of chargers: which say nothing, which keep coming back, whose clock is wrong. Told when it begins and when it is over.

Knows neither pings (a charger that is here has answered them) nor commands. One wheel turns for all; a message costs nothing here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from ..core import events
from ..ocpp.timestamps import moment

if TYPE_CHECKING:
    from .charger import Charger
    from .incoming import Intake

log = Logger()

TURN = 60.0
"""Seconds between looks at all chargers."""

MISSED = 3
"""So many heartbeat intervals without a message are a silence."""

FLAPS = 5
"""So many connections within `WITHIN` seconds are a charger that flaps."""

WITHIN = 300.0

WRONG, WELL = 60.0, 30.0
"""Seconds by which a clock is wrong enough to tell, and changed enough to tell again; and by which it is well again."""

ALIKE = 30.0
"""Seconds by which two messages may differ and still show the same clock."""


class Pulse:
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

    def __init__(self, chargers: Mapping[str, Charger], intake: Intake) -> None:
        self._chargers = chargers
        self._intake = intake
        self._clock = intake.clock
        self._pulses: dict[str, Pulse] = {}
        self._wheel = LoopingCall(self._turn)
        self._wheel.clock = intake.clock

    def start(self) -> None:
        """Begin to look after them."""
        self._wheel.start(TURN, now=False)

    def stop(self) -> None:
        """End that."""
        if self._wheel.running:
            self._wheel.stop()

    def arrived(self, charger: Charger) -> None:
        """This connection is the charger from now on."""
        pulse, now = self._pulses.setdefault(charger.id, Pulse()), self._clock.seconds()
        pulse.domain, pulse.ocpp = charger.domain, charger.ocpp
        pulse.received = pulse.turns = pulse.away = 0
        pulse.silent = False
        pulse.connects = (*(each for each in pulse.connects if now - each < WITHIN), now)[-FLAPS:]
        if pulse.flapping:
            pulse.flaps += 1
        elif len(pulse.connects) == FLAPS:
            pulse.flapping, pulse.flaps = True, FLAPS
            self._intake.tell(charger, "flapping", events.Flapping(charger.id, FLAPS, round(now - pulse.connects[0])))

    def seen(self, charger: Charger) -> dict[str, Any]:
        """What an operator is shown of it."""
        pulse = self._pulses.get(charger.id) or Pulse()
        judged = {"unresponsive": charger.unresponsive, "silent": pulse.silent, "flapping": pulse.flapping}
        return {"liveness": judged, "clock_skew": None if pulse.skew is None else round(pulse.skew)}

    def _turn(self) -> None:
        for id, pulse in list(self._pulses.items()):
            try:
                self._look(id, pulse)
            except Exception:  # else the wheel would stand still, for all
                log.failure("while looking after {charger}", charger=id)

    def _look(self, id: str, pulse: Pulse) -> None:
        charger = self._chargers.get(id)
        if charger is None:
            pulse.away += 1
        else:
            self._listen(charger, pulse)
            if charger.said_time is not None:
                (text, at), charger.said_time = charger.said_time, None
                self._compare(charger, pulse, text, at)
        if pulse.connects and self._clock.seconds() - pulse.connects[-1] >= WITHIN:
            self._calm(id, pulse)
        if pulse.away * TURN >= WITHIN and not pulse.connects:
            del self._pulses[id]  # identities cost nothing to make up

    def _listen(self, charger: Charger, pulse: Pulse) -> None:
        """Whether anything has come since the last turn; turns are counted and not time, since this process may have been suspended."""
        if charger.received != pulse.received:
            if pulse.silent:
                pulse.silent = False
                self._intake.tell(charger, "silent", events.Silent(charger.id, round(pulse.turns * TURN), over=True))
            pulse.received, pulse.turns = charger.received, 0
            return
        pulse.turns += 1
        interval = charger.interval or self._intake.settings.heartbeat_interval
        if not pulse.silent and not charger.busy and pulse.turns * TURN >= MISSED * interval:
            pulse.silent = True
            self._intake.tell(charger, "silent", events.Silent(charger.id, round(pulse.turns * TURN)))

    def _compare(self, charger: Charger, pulse: Pulse, text: str, at: float) -> None:
        """The charger's clock and ours: it said what time it was at ``at``, by the reactor's clock."""
        said = moment(text)
        if said is None:
            return
        ahead = said.timestamp() - (self._intake.wall() - self._clock.seconds() + at)
        if not _taken(pulse, ahead, at):
            return
        skew = pulse.skew = ahead
        if pulse.told is None:
            news, over = abs(skew) > WRONG, False
        else:
            over = abs(skew) <= WELL
            news = over or abs(skew - pulse.told) > WRONG
        if news:
            pulse.told = None if over else skew
            self._intake.tell(charger, "clock_skew", events.ClockSkew(charger.id, round(skew), over=over))

    def _calm(self, id: str, pulse: Pulse) -> None:
        """It has not connected for a while."""
        pulse.connects = ()
        if pulse.flapping:
            pulse.flapping = False
            data = events.Flapping(id, pulse.flaps, round(WITHIN), over=True)
            self._intake.tell_of(id, pulse.domain, "flapping", data, pulse.ocpp)


def _taken(pulse: Pulse, ahead: float, at: float) -> bool:
    """Whether the charger's clock is known to be ``ahead`` now (of ours, in seconds; behind, when it is less than nothing).

    Whatever was said later than we think possible was said by a clock that is ahead. What was said earlier may be old, from the
    charger's queue: it counts when two messages, a minute apart by our clock, are as far apart by the charger's.
    """
    if ahead >= (-WRONG if pulse.skew is None else pulse.skew):
        pulse.behind = None
        return True
    before = pulse.behind
    if before is None or abs(ahead - before[1]) > ALIKE:
        pulse.behind = (at, ahead)
        return False
    if at - before[0] < TURN:
        return False
    pulse.behind = None
    return True
