"""One EVSE with its one connector, as OCPP 2.x sees it: transactions that the charger itself names, and reports in numbered events.

Knows neither the connection nor how a fact is written; driver, meter and cable are the connector's.
"""

from __future__ import annotations

from uuid import UUID

from ...facts import Authorization, Readings, Start, Started, StatusNotification, Stopped, TransactionEventInfo, Updated
from ...ocpp.frames import Payload
from ..command import CommandTarget
from ..connector import Connector
from ..power import Car
from ..transaction import Transaction

STATES = {"Preparing": "EVConnected", "Charging": "Charging", "SuspendedEV": "SuspendedEV", "SuspendedEVSE": "SuspendedEVSE"}
"""The chargingState for a status of 1.6."""

ENDS = {
    "DeAuthorized": ("Deauthorized", "DeAuthorized"),
    "EVDisconnected": ("EVDeparted", "EVDisconnected"),
    "HardReset": ("ResetCommand", "ImmediateReset"),
    "Remote": ("RemoteStop", "Remote"),
    "SoftReset": ("ResetCommand", "ImmediateReset"),
    "Timeout": ("EVConnectTimeout", "Timeout"),
}
"""Why a transaction ended: 1.6's reason to triggerReason and stoppedReason; any other reason is StopAuthorized and Local."""

MEASURANDS = {"Transaction.Begin": "TxStartedMeasurands", "Transaction.End": "TxEndedMeasurands"}


class NamedTransaction(Transaction):
    """A transaction that the charger named. ``kind`` is the type of its token, "" before one was presented; ``seq`` the next seqNo."""

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
    def id_first(self) -> bool:
        return self.host.id_first

    @property
    def ongoing(self) -> NamedTransaction | None:
        """The running transaction, authorized or not."""
        assert self.transaction is None or isinstance(self.transaction, NamedTransaction)
        return self.transaction

    @property
    def ocpp_status(self) -> str:
        return self.status if self.status in ("Available", "Reserved", "Unavailable", "Faulted") else "Occupied"

    @property
    def busy(self) -> bool:
        return (self.ongoing is not None and self.ongoing.kind != "") or self.status in ("Finishing", "Faulted")

    def status_fact(self) -> StatusNotification:
        return StatusNotification(self.number, self.ocpp_status, timestamp=self.host.clock.timestamp(), connector=1)

    # the driver

    def plug(self, car: Car) -> None:
        transaction = self.ongoing
        if transaction is None:
            super().plug(car)
            if not self.id_first and self.status == "Preparing":
                self._open("", "", "CablePluggedIn")
            return
        self._timers.drop("connect")
        self.car = car
        transaction.state = "EVConnected"
        self._update(transaction, "CablePluggedIn")
        self.set_status("Preparing")
        if self.ongoing is transaction and transaction.kind:
            self._energize(transaction)

    def start(
        self,
        tag: str,
        minutes: float | None = None,
        reason: str = "Local",
        *,
        kind: str = "ISO14443",
        remote: int | None = None,
    ) -> None:
        """Also: the type of the token, and the remoteStartId of the request that began it."""
        reservation = self._use_reservation()
        trigger = "Authorized" if remote is None else "RemoteStart"
        transaction = self.ongoing
        if transaction is None:
            transaction = self._open(tag, kind, trigger, remote, reservation)
        else:
            transaction.tag, transaction.kind = tag, kind
            self._update(transaction, trigger, tag=tag, remote=remote)
        transaction.until = None if minutes is None else self.host.clock.now() + minutes * 60
        transaction.reason = reason
        if self.car is not None:
            self._energize(transaction)
        else:
            self._timers.set("connect", self.host.configuration.number("EVConnectionTimeOut", 120), self.stop, "Timeout")

    # the meter

    def restart_sampling(self) -> None:
        if self.ongoing is not None and self.ongoing.live:
            super().restart_sampling()

    def read(self, context: str) -> Readings:
        """The meter's current values."""
        if self.transaction is not None:
            self._count(self.transaction)
        return self._readings(context)

    def _energize(self, transaction: NamedTransaction) -> None:
        transaction.live = True
        transaction.began = transaction.metered = self.host.clock.now()
        self.set_status("Charging")
        self.restart_sampling()

    def _count(self, transaction: Transaction) -> None:
        if isinstance(transaction, NamedTransaction) and transaction.live:
            super()._count(transaction)

    def _measurands_key(self, context: str) -> str:
        return MEASURANDS.get(context, "MeterValuesSampledData")

    # the status

    def set_status(self, status: str) -> None:
        transaction, state = self.ongoing, STATES.get(status)
        if transaction is not None and state is not None and state != transaction.state:
            transaction.state = state
            self._update(transaction, "ChargingStateChanged")
        super().set_status(status)

    def _reservation_expired(self) -> None:
        if self.reservation is not None:
            self.host.notify("ReservationStatusUpdate", {"reservationId": self.reservation.id, "reservationUpdateStatus": "Expired"})
        super()._reservation_expired()

    # the transaction's messages

    def _open(self, tag: str, kind: str, trigger: str, remote: int | None = None, reservation: int | None = None) -> NamedTransaction:
        host = self.host
        uid = str(UUID(int=host.random.getrandbits(128), version=4))
        state = "Idle" if self.car is None else "EVConnected"
        self.transaction = transaction = NamedTransaction(uid, tag, kind, state, host.clock.now(), self.meter.register)
        host.tally.started += 1
        readings, info = self._readings("Transaction.Begin"), self._event_info(transaction, trigger, remote)
        fact = Started(self.number, tag, int(self.meter.register), host.clock.timestamp(), reservation, uid, readings, info)
        host.enqueue(fact, transaction, lambda payload: self._answered(transaction, fact, payload))
        return transaction

    def _update(
        self,
        transaction: NamedTransaction,
        trigger: str,
        readings: Readings | None = None,
        tag: str | None = None,
        remote: int | None = None,
    ) -> None:
        fact = Updated(transaction.uid, self.host.clock.timestamp(), self._event_info(transaction, trigger, remote), tag, readings or [])
        self.host.enqueue(fact, transaction, lambda payload: self._answered(transaction, fact, payload))

    def _send_sample(self, transaction: Transaction, readings: Readings, context: str) -> None:
        assert isinstance(transaction, NamedTransaction)
        self._update(transaction, "MeterValuePeriodic" if context == "Sample.Periodic" else context, readings)

    def _send_stop(self, transaction: Transaction, reason: str, tag: str | None) -> None:
        assert isinstance(transaction, NamedTransaction)
        self._timers.drop("connect")
        if not transaction.kind and reason == "Local":
            reason = "EVDisconnected"  # no driver had authorized it: the cable ends it
        transaction.state = "Idle" if self.car is None or reason == "EVDisconnected" else "EVConnected"
        trigger, why = ENDS.get(reason, ("StopAuthorized", "Local"))
        readings = [each for each in transaction.data if each["sampledValue"][0]["context"] == "Transaction.End"]
        fact = Stopped(
            transaction.uid,
            int(self.meter.register),
            self.host.clock.timestamp(),
            why,
            tag,
            readings,
            self._event_info(transaction, trigger),
        )
        self.host.enqueue(fact, transaction, lambda payload: self._answered(transaction, fact, payload))

    def _event_info(self, transaction: NamedTransaction, trigger: str, remote: int | None = None) -> TransactionEventInfo:
        seq, transaction.seq = transaction.seq, transaction.seq + 1
        offline = not self.host.ready
        return TransactionEventInfo(seq, trigger, offline, transaction.state, self.number, 1, transaction.kind, remote)

    def _answered(self, transaction: NamedTransaction, fact: Started | Updated | Stopped, payload: Payload) -> None:
        verdict = self.host.read(fact, payload)
        if isinstance(verdict, Start):
            verdict = verdict.authorization
        if isinstance(verdict, Authorization):
            self._obey(transaction, verdict)


def evses_of(charger: CommandTarget, number: int | None) -> list[Evse]:
    """The EVSE with that number, or (None) all."""
    return [each for each in charger.connectors if number in (None, each.number) and isinstance(each, Evse)]


def evse_charging(charger: CommandTarget, id: object) -> Evse | None:
    """The EVSE whose running transaction has that id."""
    return next((each for each in evses_of(charger, None) if each.ongoing is not None and each.ongoing.uid == id), None)
