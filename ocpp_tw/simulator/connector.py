"""One connector: a cable, perhaps a car, perhaps a transaction, and the meter between them.

Knows neither the wire nor the version; it tells its charger facts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred, succeed

from ..facts import Authorization, MeterValues, Readings, Start, Started, StatusNotification, Stopped
from ..ocpp.frames import Payload
from .outbox import Ref
from .pace import Timers
from .power import Car, Meter

if TYPE_CHECKING:
    from .charger import Charger

UNPLUG = 10.0
"""Simulated seconds from the end of a transaction to the car's leaving."""


class Transaction(Ref):
    """A transaction from its start to its stop. ``began`` in simulated POSIX seconds, ``meter_start`` in Wh."""

    __slots__ = ("began", "data", "meter_start", "metered", "reason", "tag", "until")

    def __init__(self, tag: str, began: float, meter_start: float, until: float | None, reason: str) -> None:
        super().__init__()
        self.tag = tag
        self.began = began
        self.metered = began  # up to when the meter has counted
        self.meter_start = meter_start
        self.until = until
        self.reason = reason
        self.data: Readings = []


class Connector:
    """Number 1 and up. ``status`` is OCPP 1.6's; ``reported`` is what the central system was told last."""

    id_first = False
    """Whether people present their tag before they plug in."""

    def __init__(self, charger: Charger, number: int) -> None:
        self.charger = charger
        self.number = number
        self.status = "Available"
        self.reported: str | None = None
        self.operative = True
        self.car: Car | None = None
        self.transaction: Transaction | None = None
        self.reservation: tuple[int, str, str | None] | None = None  # its id, tag and parent tag
        self.meter = Meter(charger.outlet, charger.random, float(charger.random.randrange(0, 2_000_000)))
        self._timers = Timers(charger.pace)
        self._waiting: list[Deferred[None]] = []

    @property
    def shown(self) -> str:
        """The status in the version's own words."""
        return self.status

    @property
    def busy(self) -> bool:
        """Whether a transaction is under way or about to begin."""
        return self.transaction is not None or self.status in ("Finishing", "Faulted")

    def open_to(self, tag: str) -> bool:
        """Whether a transaction of this tag could begin here."""
        return self.operative and not self.busy and (self.reservation is None or self.reservation[1] == tag)

    # what people do

    def plug(self, car: Car) -> None:
        """The cable goes into a car."""
        self.car = car
        self._timers.drop("unplug")
        if self.transaction is None:
            self.settle()

    def unplug(self) -> None:
        """The cable comes out; a transaction ends by it."""
        self._timers.drop("unplug")
        if self.transaction is not None:
            self.stop("EVDisconnected")
            self._timers.drop("unplug")
        self.car = None
        self.settle()

    def start(self, tag: str, minutes: float | None = None, reason: str = "Local") -> None:
        """Begin a transaction; by itself it ends (with ``reason``) after so many simulated minutes or a full battery, if at all."""
        charger, now = self.charger, self.charger.pace.now()
        reservation, self.reservation = self.reservation, None
        self._timers.drop("reservation")
        if self.car is None:
            self.car = Car(soc=charger.random.uniform(0.3, 0.7))
        until = None if minutes is None else now + minutes * 60
        self.transaction = ref = Transaction(tag, now, self.meter.register, until, reason)
        fact = Started(
            self.number, tag, int(self.meter.register), charger.pace.stamp(), reservation[0] if reservation is not None else None
        )
        charger.tally.started += 1
        charger.keep(fact, ref, lambda payload: self._started(ref, fact, payload))
        self.become("Charging")
        ref.data += self._readings("Transaction.Begin")
        self.resample()

    def stop(self, reason: str = "Local", tag: str | None = None) -> None:
        """End the transaction."""
        ref = self.transaction
        if ref is None:
            return
        self._count(ref)
        self._timers.drop("sample")
        self.meter.power = 0.0
        self.transaction = None
        ref.data += self._readings("Transaction.End")
        charger = self.charger
        charger.limits.end(self.number)
        charger.tally.stopped += 1
        charger.tally.energy += self.meter.register - ref.meter_start
        self._tell_stop(ref, reason, tag)
        if self.car is None:
            self.settle()
            return
        self.become("Finishing")
        self._timers.set("unplug", UNPLUG, self.unplug)
        if ref.reason == "EVDisconnected" and reason == ref.reason:
            self.unplug()

    # the meter

    def resample(self) -> None:
        """Begin to sample at the interval of now."""
        self._timers.drop("sample")
        ref = self.transaction
        if ref is None:
            return
        now = self.charger.pace.now()
        interval = self.charger.configuration.number("MeterValueSampleInterval")
        wait = interval - (now - ref.began) % interval if interval else 3600.0
        if interval and wait < interval / 10:  # the timer rang a little early
            wait += interval
        rest = wait if ref.until is None else ref.until - now
        self._timers.set("sample", min(wait, rest), self._tick, interval > 0 and wait <= rest)

    def _tick(self, due: bool) -> None:
        ref = self.transaction
        if ref is None:
            return
        if due:
            self.sample("Sample.Periodic")
        else:
            self._count(ref)
        full = self.car is None or self.car.soc >= 1
        if ref.until is not None and (full or ref.until - self.charger.pace.now() < 0.001):
            self.stop(ref.reason, ref.tag if ref.reason == "Local" else None)
            return
        self.become("SuspendedEV" if full else "SuspendedEVSE" if self.meter.power <= 0 else "Charging")
        self.resample()

    def sample(self, context: str) -> None:
        """Send the meter's values of now."""
        ref = self.transaction
        if ref is None:
            if readings := self._readings(context):
                self.charger.say(MeterValues(self.number, None, readings))
            return
        self._count(ref)
        readings = self._readings(context)
        if context == "Sample.Periodic" and self.charger.configuration.words("StopTxnSampledData"):
            ref.data += readings
        if readings:
            self._tell_sample(ref, readings, context)

    def _count(self, ref: Transaction) -> None:
        now = self.charger.pace.now()
        if self.car is not None and now > ref.metered:
            limit = self.charger.limits.watts(self.number, ref.metered, ref.began, self.charger.outlet)
            self.meter.advance(self.car, ref.metered - ref.began, now - ref.began, limit)
        ref.metered = now

    def _readings(self, context: str) -> Readings:
        charger = self.charger
        samples = self.meter.read(self.car, charger.configuration.words(self._measurands(context)))
        return charger.dialect.readings(charger.pace.stamp(), context, samples) if samples else []

    def _measurands(self, context: str) -> str:
        return "MeterValuesSampledData"

    # statuses

    def become(self, status: str) -> None:
        """Have this status, and let the central system know."""
        self.status = status
        self.charger.report(self)
        if not self.busy:
            waiting, self._waiting = self._waiting, []
            for each in waiting:
                if not each.called:
                    each.callback(None)

    def settle(self) -> None:
        """Have the status that follows from the cable, the reservation and the availability."""
        if self.transaction is not None:
            return
        if not (self.operative and self.charger.operative):
            self.become("Unavailable")
        elif self.car is not None:
            self.become("Preparing")
        else:
            self.become("Reserved" if self.reservation is not None else "Available")

    def fact(self) -> StatusNotification:
        """The status as the central system is told it."""
        return StatusNotification(self.number, self.status, "NoError", timestamp=self.charger.pace.stamp())

    def reserve(self, reservation: tuple[int, str, str | None] | None, seconds: float = 0.0) -> None:
        """Keep it free for a tag for so many simulated seconds, or (None) no longer."""
        self.reservation = reservation
        self._timers.drop("reservation")
        if reservation is not None:
            self._timers.set("reservation", seconds, self._expired)
        self.settle()

    def free(self) -> Deferred[None]:
        """Fires when no transaction is under way and the car of the last one has left."""
        if not self.busy:
            return succeed(None)
        waiting: Deferred[None] = Deferred()
        self._waiting.append(waiting)
        return waiting

    def halt(self) -> None:
        """Stop all timers: the charger is being switched off."""
        self._timers.clear()

    def _expired(self) -> None:
        self.reserve(None)

    # how a transaction is told

    def _tell_sample(self, ref: Transaction, readings: Readings, context: str) -> None:
        self.charger.keep(MeterValues(self.number, None, readings), ref)

    def _tell_stop(self, ref: Transaction, reason: str, tag: str | None) -> None:
        data = ref.data if self.charger.configuration.words("StopTxnSampledData") else []
        fact = Stopped(-1, int(self.meter.register), self.charger.pace.stamp(), reason, tag, data)
        self.charger.keep(fact, ref, lambda payload: self._stopped(fact, payload))

    def _started(self, ref: Transaction, fact: Started, payload: Payload) -> None:
        verdict = self.charger.dialect.read(fact, payload)
        assert isinstance(verdict, Start)
        ref.id = verdict.transaction_id
        self._heed(ref, verdict.authorization)

    def _heed(self, ref: Transaction, verdict: Authorization) -> None:
        """What the central system thinks of the tag, after the fact."""
        self.charger.tags.count(verdict.status)
        if verdict.status != "Accepted" and self.transaction is ref and self.charger.configuration.truth("StopTransactionOnInvalidId"):
            self.stop("DeAuthorized")

    def _stopped(self, fact: Stopped, payload: Payload) -> None:
        verdict = self.charger.dialect.read(fact, payload)
        if isinstance(verdict, Authorization):
            self.charger.tags.count(verdict.status)
