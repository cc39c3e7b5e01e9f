"""Finds out whether a connection is alive: one ping at a time, for all who ask.

Knows neither who asks nor what follows.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from .charger import Charger

PROBE_TIMEOUT = 2.0
"""Seconds that a connection has to show that it is alive."""

ALIVE_FOR = 1.0
"""Seconds after a sign of life in which nobody's question leads to another ping: a charger that answers too many is closed for a flood."""


class Probe:
    """One that goes on: who is told of its end, and the commands that wait for that."""

    __slots__ = ("commands", "timer", "told")

    def __init__(self, timer: IDelayedCall) -> None:
        self.timer = timer
        self.told: list[Callable[[bool], None]] = []
        self.commands: list[Deferred[None]] = []


class Probes:
    """One for a gateway."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._probes: dict[Charger, Probe] = {}
        self._alive_at: dict[Charger, float] = {}

    def __contains__(self, charger: Charger) -> bool:
        """Whether somebody has asked, and it has neither shown that it is alive nor failed to."""
        probe = self._probes.get(charger)
        return probe is not None and bool(probe.told)

    def ask(self, charger: Charger, told: Callable[[bool], None]) -> None:
        """``told`` is called with whether the connection is alive: at once if it has just shown it, or within `PROBE_TIMEOUT`."""
        alive_at = self._alive_at.get(charger)
        if alive_at is not None and self._clock.seconds() - alive_at < ALIVE_FOR:
            told(True)
            return
        probe = self._probes.get(charger)
        if probe is not None:
            probe.told.append(told)
            return
        probe = self._probes[charger] = Probe(self._clock.callLater(PROBE_TIMEOUT, self._silent, charger))
        probe.told.append(told)
        charger.wire.ping(partial(self._alive, charger))

    def withdraw(self, charger: Charger, told: Callable[[bool], None]) -> None:
        """Whoever asked so is there no more. The ping is on its way all the same, and the next one who asks has no other."""
        probe = self._probes.get(charger)
        if probe is not None and told in probe.told:
            probe.told.remove(told)
            if not probe.told:
                self._go_on(probe)

    def wait(self, charger: Charger) -> Deferred[None]:
        """Fires at the end of the probe, for all who wait in their order; only while there is one."""
        probe = self._probes[charger]
        waiting: Deferred[None] = Deferred(lambda cancelled: probe.commands.remove(cancelled))
        probe.commands.append(waiting)
        return waiting

    def ended(self, charger: Charger) -> None:
        """The connection has ended, or is the charger's no more."""
        if self._alive_at:
            self._alive_at.pop(charger, None)
        if self._probes:
            self._end(charger, False)

    def _alive(self, charger: Charger) -> None:
        if charger in self._probes:
            self._alive_at[charger] = self._clock.seconds()
            self._end(charger, True)

    def _silent(self, charger: Charger) -> None:
        """This process may have been busy or suspended all the time: what has come meanwhile is read in the turn that follows."""
        self._probes[charger].timer = self._clock.callLater(0, self._end, charger, False)

    def _end(self, charger: Charger, alive: bool) -> None:
        probe = self._probes.pop(charger, None)
        if probe is None:
            return
        if probe.timer.active():
            probe.timer.cancel()
        for told in probe.told:
            told(alive)
        self._go_on(probe)

    def _go_on(self, probe: Probe) -> None:
        commands, probe.commands = probe.commands, []
        for waiting in commands:
            waiting.callback(None)
