"""One EVSE with its one connector, as OCPP 2.x sees it: transactions that the charger itself names, numbers and tells step by step.

Knows neither the wire nor how a fact is spelled; what people, meter and cable do is the connector's.
"""

from __future__ import annotations

from uuid import UUID

from ..facts import Authorization, Readings, Start, Started, StatusNotification, Stopped, TransactionEventInfo, Updated
from ..ocpp.frames import Payload
from .connector import Connector, Transaction
from .power import Car

STATES = {"Preparing": "EVConnected", "Charging": "Charging", "SuspendedEV": "SuspendedEV", "SuspendedEVSE": "SuspendedEVSE"}
"""The chargingState that goes with a status of 1.6's."""

ENDS = {
    "DeAuthorized": ("Deauthorized", "DeAuthorized"),
    "EVDisconnected": ("EVDeparted", "EVDisconnected"),
    "HardReset": ("ResetCommand", "ImmediateReset"),
    "Remote": ("RemoteStop", "Remote"),
    "SoftReset": ("ResetCommand", "ImmediateReset"),
    "Timeout": ("EVConnectTimeout", "Timeout"),
}
"""Why a transaction ended, as triggerReason and stoppedReason; everything else was its driver's wish."""

MEASURANDS = {"Transaction.Begin": "TxStartedMeasurands", "Transaction.End": "TxEndedMeasurands"}


class NamedTransaction(Transaction):
    """A transaction under its own name. ``kind`` is its token's type, "" before anybody presented one; ``seq`` the next seqNo."""

    __slots__ = ("kind", "live", "seq", "state", "uid")

    def __init__(self, uid: str, tag: str, kind: str, state: str, began: float, meter_start: float) -> None:
        super().__init__(tag, began, meter_start, None, "Local")
        self.uid = uid
        self.kind = kind
        self.state = state
        self.seq = 0
        self.live = False  # whether energy may flow


class Evse(Connector):
    """Number 1 and up."""

    @property
    def id_first(self) -> bool:  # type: ignore[override]
        return self.charger.id_first

    @property
    def ongoing(self) -> NamedTransaction | None:
        """The transaction under way, authorized or not."""
        assert self.transaction is None or isinstance(self.transaction, NamedTransaction)
        return self.transaction

    @property
    def shown(self) -> str:
        return self.status if self.status in ("Available", "Reserved", "Unavailable", "Faulted") else "Occupied"

    @property
    def busy(self) -> bool:
        return (self.ongoing is not None and self.ongoing.kind != "") or self.status in ("Finishing", "Faulted")

    def fact(self) -> StatusNotification:
        return StatusNotification(self.number, self.shown, timestamp=self.charger.pace.stamp(), connector=1)

    # what people do

    def plug(self, car: Car) -> None:
        ref = self.ongoing
        if ref is None:
            super().plug(car)
            if not self.id_first and self.status == "Preparing":
                self._open("", "", "CablePluggedIn")
            return
        self._timers.drop("connect")
        self.car = car
        ref.state = "EVConnected"
        self._update(ref, "CablePluggedIn")
        self.become("Preparing")
        if self.ongoing is ref and ref.kind:
            self._energise(ref)

    def start(
        self,
        tag: str,
        minutes: float | None = None,
        reason: str = "Local",
        *,
        kind: str = "ISO14443",
        remote: int | None = None,
    ) -> None:
        """Also: the token's type, and the id of the request from afar that began it."""
        reservation, self.reservation = self.reservation, None
        self._timers.drop("reservation")
        trigger = "Authorized" if remote is None else "RemoteStart"
        ref = self.ongoing
        if ref is None:
            ref = self._open(tag, kind, trigger, remote, reservation[0] if reservation is not None else None)
        else:
            ref.tag, ref.kind = tag, kind
            self._update(ref, trigger, tag=tag, remote=remote)
        ref.until = None if minutes is None else self.charger.pace.now() + minutes * 60
        ref.reason = reason
        if self.car is not None:
            self._energise(ref)
        else:
            self._timers.set("connect", self.charger.configuration.number("EVConnectionTimeOut", 120), self.stop, "Timeout")

    # the meter

    def resample(self) -> None:
        if self.ongoing is not None and self.ongoing.live:
            super().resample()

    def read(self, context: str) -> Readings:
        """What the meter shows now."""
        if self.transaction is not None:
            self._count(self.transaction)
        return self._readings(context)

    def _energise(self, ref: NamedTransaction) -> None:
        ref.live = True
        ref.began = ref.metered = self.charger.pace.now()
        self.become("Charging")
        self.resample()

    def _count(self, ref: Transaction) -> None:
        if isinstance(ref, NamedTransaction) and ref.live:
            super()._count(ref)

    def _measurands(self, context: str) -> str:
        return MEASURANDS.get(context, "MeterValuesSampledData")

    # statuses

    def become(self, status: str) -> None:
        ref, state = self.ongoing, STATES.get(status)
        if ref is not None and state is not None and state != ref.state:
            ref.state = state
            self._update(ref, "ChargingStateChanged")
        super().become(status)

    def _expired(self) -> None:
        if self.reservation is not None:
            self.charger.remark("ReservationStatusUpdate", {"reservationId": self.reservation[0], "reservationUpdateStatus": "Expired"})
        super()._expired()

    # how a transaction is told

    def _open(self, tag: str, kind: str, trigger: str, remote: int | None = None, reservation: int | None = None) -> NamedTransaction:
        charger = self.charger
        uid = str(UUID(int=charger.random.getrandbits(128), version=4))
        state = "Idle" if self.car is None else "EVConnected"
        self.transaction = ref = NamedTransaction(uid, tag, kind, state, charger.pace.now(), self.meter.register)
        charger.tally.started += 1
        readings, step = self._readings("Transaction.Begin"), self._step(ref, trigger, remote)
        fact = Started(self.number, tag, int(self.meter.register), charger.pace.stamp(), reservation, uid, readings, step)
        charger.keep(fact, ref, lambda payload: self._answered(ref, fact, payload))
        return ref

    def _update(
        self, ref: NamedTransaction, trigger: str, readings: Readings | None = None, tag: str | None = None, remote: int | None = None
    ) -> None:
        fact = Updated(ref.uid, self.charger.pace.stamp(), self._step(ref, trigger, remote), tag, readings or [])
        self.charger.keep(fact, ref, lambda payload: self._answered(ref, fact, payload))

    def _tell_sample(self, ref: Transaction, readings: Readings, context: str) -> None:
        assert isinstance(ref, NamedTransaction)
        self._update(ref, "MeterValuePeriodic" if context == "Sample.Periodic" else context, readings)

    def _tell_stop(self, ref: Transaction, reason: str, tag: str | None) -> None:
        assert isinstance(ref, NamedTransaction)
        self._timers.drop("connect")
        if not ref.kind and reason == "Local":
            reason = "EVDisconnected"  # nobody was there to authorize a stop
        ref.state = "Idle" if self.car is None or reason == "EVDisconnected" else "EVConnected"
        trigger, why = ENDS.get(reason, ("StopAuthorized", "Local"))
        readings = [each for each in ref.data if each["sampledValue"][0]["context"] == "Transaction.End"]
        fact = Stopped(ref.uid, int(self.meter.register), self.charger.pace.stamp(), why, tag, readings, self._step(ref, trigger))
        self.charger.keep(fact, ref, lambda payload: self._answered(ref, fact, payload))

    def _step(self, ref: NamedTransaction, trigger: str, remote: int | None = None) -> TransactionEventInfo:
        seq, ref.seq = ref.seq, ref.seq + 1
        offline = not (self.charger.online and self.charger.accepted)
        return TransactionEventInfo(seq, trigger, offline, ref.state, self.number, 1, ref.kind, remote)

    def _answered(self, ref: NamedTransaction, fact: Started | Updated | Stopped, payload: Payload) -> None:
        verdict = self.charger.dialect.read(fact, payload)
        if isinstance(verdict, Start):
            verdict = verdict.authorization
        if isinstance(verdict, Authorization):
            self._heed(ref, verdict)
