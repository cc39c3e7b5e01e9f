"""The behaviour of one charger: registering, authorizing tags, reporting statuses, executing commands.

Needs a clock and, from time to time, a connection. Knows neither what carries the messages nor how a version of OCPP writes them.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from ..facts import Fact, Other, Readings, StatusNotification, Verdict
from ..ocpp.frames import Payload
from .certificates import Certificates
from .charging_profiles import ChargingLimits
from .configuration import Configuration
from .connector import Connector
from .device_state import DeviceState
from .dialect import Dialect
from .errors import Refusal
from .host import Boot
from .messaging import Messaging
from .power import Outlet, Sample
from .registration import Registrar
from .report import Tally
from .restarts import Restarts
from .rpc import Transport
from .security import Provision, Security
from .security_events import SecurityEvents
from .simulated_clock import SimulatedClock, Timers
from .tags import Tags
from .trace import Trace, silent


class SimulatedCharger:
    """One charger. Who carries its messages calls `connected`, `received` and `lost`; who plays it calls the rest.

    ``timeout`` of a CALL in real seconds; ``fresh_ids`` sends an unanswered transaction message again under a new message id.
    ``id_first`` and ``stream`` are for 2.x: a transaction begins with the tag, not with the plug; values are streamed (2.1).
    ``provision`` is what the charger connects to, and its credentials.
    """

    def __init__(
        self,
        id: str,
        clock: SimulatedClock,
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
        provision: Provision | None = None,
    ) -> None:
        self.id = id
        self.clock = clock
        self.dialect = dialect
        self.outlet = outlet or Outlet()
        self.tally = tally if tally is not None else Tally()
        self.random = random or Random(id)  # noqa: S311 - a meter's noise, no secret
        self.configuration = Configuration(dialect.keys)
        self.configuration.set("NumberOfConnectors", str(connectors))
        self.limits = ChargingLimits()
        self.certificates = certificates = Certificates()
        self.security = Security(id, provision or Provision(), self.configuration, certificates, dialect.security_words)
        self.events = SecurityEvents(self)
        self.tags = Tags(self)
        self.device = DeviceState()
        self.id_first = id_first
        self.stream = stream
        self.operative = True
        self.connectors = [dialect.make_connector(self, number + 1) for number in range(connectors)]
        self.timers = Timers(clock)
        self.file_status: dict[str, Payload] = {}  # of running transfers, by the notification that reports it
        self._reported: str | None = None
        self.messaging = messaging = Messaging(self, dialect, timeout, fresh_ids, trace)
        self.queue = messaging.queue
        self.call, self.request, self.send_fact, self.afterwards = (
            messaging.call,
            messaging.request,
            messaging.send_fact,
            messaging.afterwards,
        )
        self.enqueue, self.send_unconfirmed = messaging.queue.put, messaging.send_unconfirmed
        self.drop = messaging.drop
        identity = Boot("ocpp_tw", "Simulated charger", f"SIM-{id}"[:25], "1.0.0")
        self._registrar = registrar = Registrar(identity, messaging, self.configuration, self.timers, self._accepted_anew, self.queue.hold)
        self.boot, self.when_ready = registrar.boot, registrar.when_ready
        self.restarts = Restarts(messaging, self.connectors, self.timers, self.security, registrar.forget)
        self.reset, self.reconnect = self.restarts.reset, self.restarts.reconnect

    # the connection

    def connected(self, transport: Transport) -> None:
        """The connection is up."""
        self.messaging.connected(transport)
        self.restarts.connected()
        if self.security.connected() and self.security.words.discarded is not None:
            self.events.report(self.security.words.discarded)
        if self.accepted:
            self._become_ready()
        else:
            self.boot()

    def connect_failed(self, distrust: str | None) -> None:
        """An attempt to connect has failed; ``distrust`` says what is wrong with the central system's certificate, if that was why."""
        self.security.failed()
        if distrust is not None:
            self.events.report(self.security.words.invalid_theirs, distrust, once=True)

    def received(self, text: bytes) -> None:
        """A message came."""
        self.messaging.received(text)

    def lost(self) -> None:
        """The connection is lost."""
        self._registrar.stop_heartbeat()
        self.messaging.lost()

    def shut_down(self) -> None:
        """Cancel every timer: the charger does nothing any more."""
        self.lost()
        self.timers.clear()
        for connector in self.connectors:
            connector.stop_timers()

    # the registration

    @property
    def identity(self) -> Boot:
        """The charger's BootNotification."""
        return self._registrar.identity

    @property
    def online(self) -> bool:
        """Whether the connection is up."""
        return self.messaging.online

    @property
    def mute(self) -> bool:
        """Whether the charger must send nothing until the next BootNotification."""
        return self._registrar.mute

    @property
    def accepted(self) -> bool:
        """Whether the central system has accepted the charger since it booted."""
        return self._registrar.accepted

    @property
    def ready(self) -> bool:
        """Whether the charger is connected and accepted."""
        return self.messaging.online and self._registrar.accepted

    def _accepted_anew(self) -> None:
        self._reported = None
        for connector in self.connectors:
            connector.reported = None
        self._become_ready()

    def _become_ready(self) -> None:
        self._report_status()
        for connector in self.connectors:
            connector.report_status()
        self.apply_retry_settings()
        self.queue.open()
        self._registrar.schedule_heartbeat()
        self.dialect.on_ready(self)
        self.events.deliver()
        self._registrar.notify_waiting()

    # facts and the version

    @property
    def ocpp(self) -> str:
        """The version of OCPP that the charger speaks."""
        return self.dialect.ocpp

    def read(self, fact: Fact, payload: Payload) -> Verdict:
        """The verdict in the answer to a fact."""
        return self.dialect.read(fact, payload)

    def readings(self, context: str, samples: Sequence[Sample]) -> Readings:
        """Samples taken now as a ``meterValue`` array."""
        return self.dialect.readings(self.clock.timestamp(), context, samples)

    def notify(self, action: str, payload: Payload) -> None:
        """Send a CALL that has no fact; its answer is only counted."""
        self.send_fact(Other(action, payload))

    # statuses

    def _report_status(self) -> None:
        """Send the status of the charger as a whole unless the central system has it."""
        fact = self.status_fact()
        if self.ready and self.dialect.station_status and self._reported != fact.status:
            self._reported = fact.status
            self.send_fact(fact)

    def status_fact(self) -> StatusNotification:
        """The status of the charger as a whole."""
        status = "Available" if self.operative else "Unavailable"
        return StatusNotification(0, status, "NoError", timestamp=self.clock.timestamp())

    def connector(self, number: object) -> Connector | None:
        """The connector with that number."""
        return next((each for each in self.connectors if each.number == number and type(number) is int), None)

    # the driver

    async def authorize_and_start(
        self, tag: str, connector: Connector | None = None, minutes: float | None = None, reason: str = "Local"
    ) -> bool:
        """A driver presents a tag at a connector: authorize it and begin a transaction; whether one began."""
        connector = connector or self.connectors[0]
        if not await self.tags.authorize(tag) or not connector.available_for(tag):
            return False
        connector.start(tag, minutes, reason)
        return True

    # commands

    def execute(self, action: str, payload: Payload) -> Payload:
        """Do what the central system's CALL says and return the answer's payload; raises `Refusal`."""
        command = self.dialect.commands.get(action)
        if command is None:
            raise Refusal("NotImplemented", f"{action} is unknown here")
        return command(self, payload)

    def change_availability(self, connector: Connector | None, operative: bool) -> None:
        """Take a connector, or (None) the whole charger, into or out of service; a running transaction ends first."""
        if connector is None:
            self.operative = operative
            self._report_status()
        for each in self.connectors if connector is None else [connector]:
            each.operative = operative
            if not each.busy:
                each.update_status()

    def apply_configuration(self, key: str) -> None:
        """Have the new value of a configuration key take effect."""
        name = key.casefold()
        if name == "heartbeatinterval":
            self._registrar.schedule_heartbeat()
        elif name.startswith("transactionmessage"):
            self.apply_retry_settings()
        elif name == "metervaluesampleinterval":
            for connector in self.connectors:
                connector.restart_sampling()

    def apply_retry_settings(self) -> None:
        """Retry transaction messages as configured now."""
        self.queue.attempts = max(1, self.configuration.number("TransactionMessageAttempts", 3))
        self.queue.interval = self.configuration.number("TransactionMessageRetryInterval", 60)
