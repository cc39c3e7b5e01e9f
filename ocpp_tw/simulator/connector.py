"""One connector: its cable, the car, the transaction and the meter between them.

Knows neither the connection nor the version of OCPP; it gives its charger facts to send.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred, succeed

from ..facts import Authorization, MeterValues, Readings, Start, Started, StatusNotification, Stopped
from ..ocpp.frames import Payload
from .host import Host
from .power import Car, Meter
from .simulated_clock import Timers
from .transaction import Reservation, Transaction
from .waiters import Waiters

UNPLUG_AFTER = 10.0
"""Simulated seconds from the end of a transaction until the car leaves."""

MAX_TICK = 3600.0
"""Longest simulated seconds between two looks at the meter when no meter values are due: the car may be full."""


class Connector:
    """Number 1 and up. ``status`` is OCPP 1.6's; ``reported`` is the status that the central system has."""

    def __init__(self, host: Host, number: int) -> None:
        self.host = host
        self.number = number
        self.status = "Available"
        self.reported: str | None = None
        self.operative = True
        self.car: Car | None = None
        self.transaction: Transaction | None = None
        self.reservation: Reservation | None = None
        self.meter = Meter(host.outlet, host.random, float(host.random.randrange(0, 2_000_000)))
        self._timers = Timers(host.clock)
        self._waiting_for_free = Waiters()

    @property
    def id_first(self) -> bool:
        """Whether drivers present their tag before they plug in."""
        return False

    @property
    def ocpp_status(self) -> str:
        """The status as the charger's version of OCPP names it."""
        return self.status

    @property
    def busy(self) -> bool:
        """Whether a transaction is running, or its car has not left."""
        return self.transaction is not None or self.status in ("Finishing", "Faulted")

    def available_for(self, tag: str) -> bool:
        """Whether a transaction of this tag could begin here."""
        return self.operative and not self.busy and (self.reservation is None or self.reservation.tag == tag)

    # the driver

    def plug(self, car: Car) -> None:
        """The cable is plugged into a car."""
        self.car = car
        self._timers.drop("unplug")
        if self.transaction is None:
            self.update_status()

    def unplug(self) -> None:
        """The cable is unplugged; a running transaction ends."""
        self._timers.drop("unplug")
        if self.transaction is not None:
            self.stop("EVDisconnected")
            self._timers.drop("unplug")
        self.car = None
        self.update_status()

    def start(self, tag: str, minutes: float | None = None, reason: str = "Local") -> None:
        """Begin a transaction. It ends by itself, with ``reason``, after ``minutes`` simulated minutes or with a full battery;
        None: it does not."""
        host, now = self.host, self.host.clock.now()
        reservation = self._use_reservation()
        if self.car is None:
            self.car = Car(soc=host.random.uniform(0.3, 0.7))
        until = None if minutes is None else now + minutes * 60
        self.transaction = transaction = Transaction(tag, now, self.meter.register, until, reason)
        fact = Started(self.number, tag, int(self.meter.register), host.clock.timestamp(), reservation)
        host.tally.started += 1
        host.enqueue(fact, transaction, lambda payload: self._started(transaction, fact, payload))
        self.set_status("Charging")
        transaction.data += self._readings("Transaction.Begin")
        self.restart_sampling()

    def stop(self, reason: str = "Local", tag: str | None = None) -> None:
        """End the transaction."""
        transaction = self.transaction
        if transaction is None:
            return
        self._count(transaction)
        self._timers.drop("sample")
        self.meter.power = 0.0
        self.transaction = None
        transaction.data += self._readings("Transaction.End")
        host = self.host
        host.limits.end(self.number)
        host.tally.stopped += 1
        host.tally.energy += self.meter.register - transaction.meter_start
        self._send_stop(transaction, reason, tag)
        if self.car is None:
            self.update_status()
            return
        self.set_status("Finishing")
        self._timers.set("unplug", UNPLUG_AFTER, self.unplug)
        if transaction.reason == "EVDisconnected" and reason == transaction.reason:
            self.unplug()

    # the meter

    def restart_sampling(self) -> None:
        """Sample at the configured interval from now on."""
        self._timers.drop("sample")
        transaction = self.transaction
        if transaction is None:
            return
        now = self.host.clock.now()
        interval = self.host.configuration.number("MeterValueSampleInterval")
        wait = interval - (now - transaction.began) % interval if interval else MAX_TICK
        if interval and wait < interval / 10:  # the timer rang a little early
            wait += interval
        rest = wait if transaction.until is None else transaction.until - now
        self._timers.set("sample", min(wait, rest), self._tick, interval > 0 and wait <= rest)

    def _tick(self, due: bool) -> None:
        transaction = self.transaction
        if transaction is None:
            return
        if due:
            self.sample("Sample.Periodic")
        else:
            self._count(transaction)
        full = self.car is None or self.car.soc >= 1
        if transaction.until is not None and (full or transaction.until - self.host.clock.now() < 0.001):
            self.stop(transaction.reason, transaction.tag if transaction.reason == "Local" else None)
            return
        self.set_status("SuspendedEV" if full else "SuspendedEVSE" if self.meter.power <= 0 else "Charging")
        self.restart_sampling()

    def sample(self, context: str) -> None:
        """Send the meter's current values."""
        transaction = self.transaction
        if transaction is None:
            if readings := self._readings(context):
                self.host.send_fact(MeterValues(self.number, None, readings))
            return
        self._count(transaction)
        readings = self._readings(context)
        if context == "Sample.Periodic" and self.host.configuration.words("StopTxnSampledData"):
            transaction.data += readings
        if readings:
            self._send_sample(transaction, readings, context)

    def _count(self, transaction: Transaction) -> None:
        """Bring the meter up to date."""
        now = self.host.clock.now()
        if self.car is not None and now > transaction.metered:
            limit = self.host.limits.watts(self.number, transaction.metered, transaction.began, self.host.outlet)
            self.meter.advance(self.car, transaction.metered - transaction.began, now - transaction.began, limit)
        transaction.metered = now

    def _readings(self, context: str) -> Readings:
        samples = self.meter.read(self.car, self.host.configuration.words(self._measurands_key(context)))
        return self.host.readings(context, samples) if samples else []

    def _measurands_key(self, context: str) -> str:
        return "MeterValuesSampledData"

    # the status

    def set_status(self, status: str) -> None:
        """Have this status, and report it."""
        self.status = status
        self.report_status()
        if not self.busy:
            self._waiting_for_free.fire()

    def update_status(self) -> None:
        """Have the status that follows from the cable, the reservation and the availability."""
        if self.transaction is not None:
            return
        if not (self.operative and self.host.operative):
            self.set_status("Unavailable")
        elif self.car is not None:
            self.set_status("Preparing")
        else:
            self.set_status("Reserved" if self.reservation is not None else "Available")

    def report_status(self) -> None:
        """Send the status unless the central system has it; without a connection it is sent after the next one is up."""
        if self.host.ready and self.reported != self.ocpp_status:
            self.reported = self.ocpp_status
            self.host.send_fact(self.status_fact())

    def status_fact(self) -> StatusNotification:
        """The status as a fact."""
        return StatusNotification(self.number, self.status, "NoError", timestamp=self.host.clock.timestamp())

    def reserve(self, reservation: Reservation | None, seconds: float = 0.0) -> None:
        """Reserve the connector for that many simulated seconds, or (None) end its reservation."""
        self.reservation = reservation
        self._timers.drop("reservation")
        if reservation is not None:
            self._timers.set("reservation", seconds, self._reservation_expired)
        self.update_status()

    def when_free(self) -> Deferred[None]:
        """Fires when no transaction is running and the car of the last one has left."""
        return self._waiting_for_free.add() if self.busy else succeed(None)

    def stop_timers(self) -> None:
        """Cancel every timer: the charger shuts down."""
        self._timers.clear()

    def _use_reservation(self) -> int | None:
        """End the reservation, because a transaction begins; its id."""
        reservation, self.reservation = self.reservation, None
        self._timers.drop("reservation")
        return reservation.id if reservation is not None else None

    def _reservation_expired(self) -> None:
        self.reserve(None)

    # the transaction's messages

    def _send_sample(self, transaction: Transaction, readings: Readings, context: str) -> None:
        self.host.enqueue(MeterValues(self.number, None, readings), transaction)

    def _send_stop(self, transaction: Transaction, reason: str, tag: str | None) -> None:
        data = transaction.data if self.host.configuration.words("StopTxnSampledData") else []
        fact = Stopped(-1, int(self.meter.register), self.host.clock.timestamp(), reason, tag, data)
        self.host.enqueue(fact, transaction, lambda payload: self._stopped(fact, payload))

    def _started(self, transaction: Transaction, fact: Started, payload: Payload) -> None:
        verdict = self.host.read(fact, payload)
        assert isinstance(verdict, Start)
        transaction.id = verdict.transaction_id
        self._obey(transaction, verdict.authorization)

    def _obey(self, transaction: Transaction, verdict: Authorization) -> None:
        """The central system's verdict on the tag after the transaction has begun: stop it when the tag is not accepted."""
        self.host.tally.tag_status(verdict.status)
        if verdict.status != "Accepted" and self.transaction is transaction and self.host.configuration.truth("StopTransactionOnInvalidId"):
            self.stop("DeAuthorized")

    def _stopped(self, fact: Stopped, payload: Payload) -> None:
        verdict = self.host.read(fact, payload)
        if isinstance(verdict, Authorization):
            self.host.tally.tag_status(verdict.status)
