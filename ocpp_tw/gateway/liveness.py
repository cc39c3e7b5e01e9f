"""The gateway's own findings about chargers: silent, flapping, or with a wrong clock. Published when they begin and when they are over.

Knows neither pings (a connected charger has answered them) nor commands. One timer checks all chargers once a minute; a message costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall

from ..core import gateway_events
from ..log import Logger
from ..ocpp.timestamps import parse_timestamp
from .charger import Charger
from .publisher import Publisher

log = Logger()

INTERVAL = 60.0
"""Seconds between checks of all chargers."""

SILENT_AFTER = 3
"""Heartbeat intervals without a message after which a charger is silent."""

FLAPPING_AFTER = 5
"""Connections within `FLAPPING_WINDOW` after which a charger is flapping."""

FLAPPING_WINDOW = 300.0
"""In seconds; after as long without a new connection the flapping is over."""

SKEW_WRONG, SKEW_RIGHT = 60.0, 30.0
"""Seconds of clock skew above which a clock is wrong, or has changed enough to publish it again; and below which it is right again."""

SKEW_TOLERANCE = 30.0
"""Seconds by which two messages may differ and still show the same clock."""


class Observed:
    """What is known of one charger across its connections, until it has been absent for a while.

    ``heard`` is when a message had come, to the minute, in seconds of the reactor's clock. ``silent_checks`` and ``absent_checks`` count checks in a row without a message, and without a connection. ``skew`` is by how many
    seconds the charger's clock is ahead, ``published_skew`` what was published of it, ``behind`` an unconfirmed sample: when it was
    taken, and its skew.
    """

    __slots__ = (
        "absent_checks",
        "behind",
        "connects",
        "domain",
        "flapping",
        "flaps",
        "heard",
        "ocpp",
        "published_skew",
        "received",
        "silent",
        "silent_checks",
        "skew",
    )

    def __init__(self) -> None:
        self.connects: tuple[float, ...] = ()
        self.flaps = 0
        self.flapping = self.silent = False
        self.received = self.silent_checks = self.absent_checks = 0
        self.skew: float | None = None
        self.behind: tuple[float, float] | None = None
        self.published_skew: float | None = None
        self.heard: float | None = None
        self.domain = self.ocpp = ""


class Liveness:
    """One for the ``chargers`` that are connected to a gateway; ``heartbeat_interval`` (seconds) is for those that were given none.

    ``observed`` has those that are connected or were lately, by identity.
    """

    def __init__(
        self,
        chargers: Mapping[str, Charger],
        clock: IReactorTime,
        unix: Callable[[], float],
        publisher: Publisher,
        heartbeat_interval: int,
    ) -> None:
        self._chargers = chargers
        self._clock = clock
        self._unix = unix
        self._publisher = publisher
        self._heartbeat_interval = heartbeat_interval
        self.observed: dict[str, Observed] = {}
        self._timer = LoopingCall(self._check_all)
        self._timer.clock = clock

    def start(self) -> None:
        """Begin to check them."""
        self._timer.start(INTERVAL, now=False)

    def stop(self) -> None:
        """Stop checking them."""
        if self._timer.running:
            self._timer.stop()

    def arrived(self, charger: Charger) -> None:
        """This connection is the charger from now on."""
        observed, now = self.observed.setdefault(charger.id, Observed()), self._clock.seconds()
        observed.domain, observed.ocpp = charger.domain, charger.ocpp
        observed.received = observed.silent_checks = observed.absent_checks = 0
        observed.silent = False
        observed.connects = (*(at for at in observed.connects if now - at < FLAPPING_WINDOW), now)[-FLAPPING_AFTER:]
        if observed.flapping:
            observed.flaps += 1
        elif len(observed.connects) == FLAPPING_AFTER:
            observed.flapping, observed.flaps = True, FLAPPING_AFTER
            data = gateway_events.Flapping(charger.id, FLAPPING_AFTER, round(now - observed.connects[0]))
            self._publisher.publish(charger, "flapping", data)

    def summary(self, charger: Charger) -> dict[str, Any]:
        """What an operator is shown of it."""
        observed = self.observed.get(charger.id) or Observed()
        liveness = {"unresponsive": charger.unresponsive, "silent": observed.silent, "flapping": observed.flapping}
        return {"liveness": liveness, "clock_skew": None if observed.skew is None else round(observed.skew)}

    def _check_all(self) -> None:
        for id, observed in list(self.observed.items()):
            try:
                self._check(id, observed)
            except Exception:  # else the timer would stop, for all
                log.failure("liveness check of {charger} failed", charger=id)

    def _check(self, id: str, observed: Observed) -> None:
        charger = self._chargers.get(id)
        if charger is None:
            observed.absent_checks += 1
        else:
            self._check_silence(charger, observed)
            if charger.reported_time is not None:
                (text, at), charger.reported_time = charger.reported_time, None
                self._check_clock(charger, observed, text, at)
        if observed.connects and self._clock.seconds() - observed.connects[-1] >= FLAPPING_WINDOW:
            self._flapping_over(id, observed)
        if observed.absent_checks * INTERVAL >= FLAPPING_WINDOW and not observed.connects:
            del self.observed[id]  # identities cost nothing to make up

    def _check_silence(self, charger: Charger, observed: Observed) -> None:
        """Whether a message came since the last check; checks are counted and not time, since this process may have been suspended."""
        if charger.received != observed.received:
            if observed.silent:
                observed.silent = False
                data = gateway_events.Silent(charger.id, round(observed.silent_checks * INTERVAL), over=True)
                self._publisher.publish(charger, "silent", data)
            observed.received, observed.silent_checks, observed.heard = charger.received, 0, self._clock.seconds()
            return
        observed.silent_checks += 1
        interval = charger.interval or self._heartbeat_interval
        if not observed.silent and not charger.busy and observed.silent_checks * INTERVAL >= SILENT_AFTER * interval:
            observed.silent = True
            self._publisher.publish(charger, "silent", gateway_events.Silent(charger.id, round(observed.silent_checks * INTERVAL)))

    def _check_clock(self, charger: Charger, observed: Observed, text: str, at: float) -> None:
        """Compare the charger's clock with ours: it reported ``text`` as the time at ``at``, in seconds of the reactor's clock."""
        reported = parse_timestamp(text)
        if reported is None:
            return
        skew = reported.timestamp() - (self._unix() - self._clock.seconds() + at)
        if not _confirmed(observed, skew, at):
            return
        observed.skew = skew
        if observed.published_skew is None:
            changed, over = abs(skew) > SKEW_WRONG, False
        else:
            over = abs(skew) <= SKEW_RIGHT
            changed = over or abs(skew - observed.published_skew) > SKEW_WRONG
        if changed:
            observed.published_skew = None if over else skew
            self._publisher.publish(charger, "clock_skew", gateway_events.ClockSkew(charger.id, round(skew), over=over))

    def _flapping_over(self, id: str, observed: Observed) -> None:
        """It has not connected anew for `FLAPPING_WINDOW`."""
        observed.connects = ()
        if observed.flapping:
            observed.flapping = False
            data = gateway_events.Flapping(id, observed.flaps, round(FLAPPING_WINDOW), over=True)
            self._publisher.publish_about(id, observed.domain, "flapping", data, observed.ocpp)


def _confirmed(observed: Observed, skew: float, at: float) -> bool:
    """Whether the charger's clock is known to be ahead of ours by ``skew`` seconds (behind, when it is negative).

    A time later than we think possible was told by a clock that is ahead. An earlier one may be old, from the charger's queue: it counts
    once two messages, at least a minute apart by our clock, are as far apart by the charger's.
    """
    if skew >= (-SKEW_WRONG if observed.skew is None else observed.skew):
        observed.behind = None
        return True
    before = observed.behind
    if before is None or abs(skew - before[1]) > SKEW_TOLERANCE:
        observed.behind = (at, skew)
        return False
    if at - before[0] < INTERVAL:
        return False
    observed.behind = None
    return True
