"""The behaviour of one charger: booting, beating, authorizing, telling of its connectors, doing what it is told.

Needs a clock and, from time to time, a wire. Knows neither what carries the wire nor how a version spells a fact.
"""

from __future__ import annotations

from random import Random

from msgspec.structs import replace
from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger

from ..facts import Heartbeat, Other, Registration, StatusNotification
from ..ocpp.frames import Payload
from .certificates import Certificates
from .configuration import Configuration
from .connector import Connector
from .dialect import Boot, Dialect
from .pace import Pace, Timers
from .power import Car, Outlet
from .profiles import Limits
from .report import Tally
from .station import Station
from .tags import Tags
from .talk import Wire
from .trace import Trace, silent
from .voice import Voice

log = Logger()

RETRY = 30.0
"""Seconds until the next BootNotification when the answer named no interval, or there was none."""

REBOOT = 10.0
"""Simulated seconds that a reboot takes."""


class Charger:
    """One charger. Whoever carries its line calls `connected`, `received` and `lost`; whoever plays it, the rest.

    ``timeout`` is how many real seconds it waits for an answer; ``fresh_ids`` sends a message again under a new id.
    ``id_first`` and ``stream`` are for 2.x: a transaction begins with the tag, not with the plug; values are streamed (2.1).
    """

    def __init__(
        self,
        id: str,
        pace: Pace,
        dialect: Dialect,
        *,
        connectors: int = 1,
        outlet: Outlet | None = None,
        timeout: float = 30.0,
        fresh_ids: bool = False,
        tally: Tally | None = None,
        random: Random | None = None,
        trace: Trace = silent,
        id_first: bool = True,
        stream: bool = False,
    ) -> None:
        self.id = id
        self.pace = pace
        self.dialect = dialect
        self.outlet = outlet or Outlet()
        self.tally = tally if tally is not None else Tally()
        self.random = random or Random(id)  # noqa: S311 - a meter's noise, no secret
        self.trace = trace
        self.configuration = Configuration(dialect.keys)
        self.configuration.set("NumberOfConnectors", str(connectors))
        self.limits = Limits()
        self.certificates = Certificates()
        self.tags = Tags(self)
        self.station = Station()
        self.id_first = id_first
        self.stream = stream
        self.identity = Boot("ocpp_tw", "Simulated charger", f"SIM-{id}"[:25], "1.0.0")
        self.registration: Registration | None = None
        self.operative = True
        self.connectors = [dialect.place(self, number + 1) for number in range(connectors)]
        self.timers = Timers(pace)
        self.progress: dict[str, Payload] = {}  # how far a firmware or an upload is, by the message that tells of it
        self.rebooting = False
        self._reported: str | None = None
        self._hoping: list[Deferred[None]] = []
        self.voice = voice = Voice(self, timeout, fresh_ids)
        self.outbox = voice.outbox
        self.ask, self.tell, self.say, self.keep, self.afterwards = voice.ask, voice.tell, voice.say, voice.keep, voice.afterwards

    # the line

    def connected(self, wire: Wire) -> None:
        """The line is up."""
        self.voice.connected(wire)
        self.rebooting = False
        if self.accepted:
            self._resume()
        else:
            self.boot()

    def received(self, text: bytes) -> None:
        """A message came."""
        self.voice.received(text)

    def lost(self) -> None:
        """The line is gone."""
        self.timers.drop("beat")
        self.voice.lost()

    def switch_off(self) -> None:
        """Stop every timer: no charger any more."""
        self.lost()
        self.timers.clear()
        for connector in self.connectors:
            connector.halt()

    # being registered

    @property
    def online(self) -> bool:
        """Whether the line is up."""
        return self.voice.online

    @property
    def mute(self) -> bool:
        """Whether it must not say a word until the next BootNotification (OCPP 1.6 §4.2)."""
        return self.registration is not None and self.registration.status == "Rejected"

    @property
    def accepted(self) -> bool:
        """Whether the central system accepted the charger since it booted."""
        return self.registration is not None and self.registration.status == "Accepted"

    def when_accepted(self) -> Deferred[None]:
        """Fires as soon as the charger is connected and accepted."""
        if self.accepted and self.voice.online:
            return succeed(None)
        hope: Deferred[None] = Deferred()
        self._hoping.append(hope)
        return hope

    def boot(self) -> None:
        """Send the BootNotification."""
        self.timers.drop("boot")
        self.say(self.identity, self._booted, lambda _: self._boot_again(RETRY))

    def _booted(self, verdict: Registration) -> None:
        self.registration = verdict
        if verdict.status == "Accepted":
            if verdict.interval:  # OCPP 1.6 §4.2: 0 leaves the choice to us
                self.configuration.set("HeartbeatInterval", str(verdict.interval))
            self._reported = None
            for connector in self.connectors:
                connector.reported = None
            self._resume()
        else:
            self.outbox.hold()
            self._boot_again(verdict.interval or RETRY)

    def _boot_again(self, seconds: float) -> None:
        if self.voice.online:  # otherwise the next connection begins with it
            self.timers.set("boot", seconds, self.boot)

    def _resume(self) -> None:
        self.report(None)
        for connector in self.connectors:
            self.report(connector)
        self.tune()
        self.outbox.open()
        self.beat_later()
        self.dialect.resumed(self)
        hoping, self._hoping = self._hoping, []
        for hope in hoping:
            if not hope.called:
                hope.callback(None)

    def tune(self) -> None:
        """Have the configuration of now take effect on the transaction messages to come."""
        self.outbox.attempts = max(1, self.configuration.number("TransactionMessageAttempts", 3))
        self.outbox.interval = self.configuration.number("TransactionMessageRetryInterval", 60)

    def beat_later(self) -> None:
        """The next Heartbeat after the interval of now."""
        interval = self.configuration.number("HeartbeatInterval")
        self.timers.drop("beat")
        if interval and self.accepted and self.voice.online:
            self.timers.set("beat", interval, self._beat)

    def _beat(self) -> None:
        self.say(Heartbeat())
        self.beat_later()

    # statuses

    def report(self, connector: Connector | None) -> None:
        """Tell the status of a connector, or (None) of the whole charger, if it is not known already."""
        if not self.voice.online or not self.accepted:
            return  # told when we are back
        if connector is None:
            if self.dialect.whole and self._reported != self.fact().status:
                self._reported = self.fact().status
                self.say(self.fact())
        elif connector.reported != connector.shown:
            connector.reported = connector.shown
            self.say(connector.fact())

    def fact(self) -> StatusNotification:
        """The status of the charger as a whole."""
        return StatusNotification(0, "Available" if self.operative else "Unavailable", "NoError", timestamp=self.pace.stamp())

    def connector(self, number: object) -> Connector | None:
        """The connector of that number, if there is one."""
        return next((each for each in self.connectors if each.number == number and type(number) is int), None)

    def under_way(self, id: object) -> Connector | None:
        """Where the transaction of that name (2.x) is under way."""
        return next((each for each in self.connectors if isinstance(id, str) and getattr(each.transaction, "uid", None) == id), None)

    def remark(self, action: str, payload: Payload) -> None:
        """Say something that has no meaning to the behaviour."""
        self.say(Other(action, payload))

    # tags

    async def present(self, tag: str, connector: Connector | None = None, minutes: float | None = None, reason: str = "Local") -> bool:
        """Somebody presents a tag at a connector: authorize it and begin a transaction; whether one began."""
        connector = connector or self.connectors[0]
        if not await self.tags.authorize(tag) or not connector.open_to(tag):
            return False
        connector.start(tag, minutes, reason)
        return True

    # what it is told

    def remote_start(self, connector: Connector, tag: str) -> None:
        """Begin the transaction that was asked for: a car is there, or comes now."""
        if connector.car is None:
            connector.plug(Car(soc=self.random.uniform(0.3, 0.7)))
        if self.configuration.truth("AuthorizeRemoteTxRequests"):
            started = Deferred.fromCoroutine(self.present(tag, connector))
            started.addCallback(lambda began: None if began or connector.busy else connector.unplug())
            started.addErrback(lambda failure: log.failure("remote start", failure))
        elif connector.open_to(tag):
            connector.start(tag)

    def reset(self, hard: bool) -> None:
        """End every transaction, then begin anew: at once, or (soft) when the central system has been told."""
        for connector in self.connectors:
            connector.stop("HardReset" if hard else "SoftReset")
            connector.unplug()
        self.timers.set("reset", 0.0 if hard or not len(self.outbox) else REBOOT, self._reboot)

    def _reboot(self) -> None:
        self.registration = None
        self.identity = replace(self.identity, cause="RemoteReset")
        self.rebooting = True
        self.timers.drop("boot")
        self.outbox.hold()
        self.voice.hang_up(1000, "rebooting")

    def change_availability(self, connector: Connector | None, operative: bool) -> None:
        """Serve people or do not, at a connector or (None) everywhere; where a transaction is under way, after it."""
        if connector is None:
            self.operative = operative
            self.report(None)
        for each in self.connectors if connector is None else [connector]:
            each.operative = operative
            if not each.busy:
                each.settle()
