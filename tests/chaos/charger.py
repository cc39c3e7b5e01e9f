"""Chargers that behave as real ones do: they boot, charge cars, are offline for hours, and tell of all of it in the end.

They share nothing with the gateway's code. Knows nothing of how messages get through. Times are those of a charger in a hurry: seconds
where a real one takes a minute.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any

from chaos.habits import Habits
from chaos.ledger import Ledger
from chaos.talk import Charge, Say, Talk
from chaos.words import Words

MOST_QUEUED = 200
"""A charger with so much to say begins nothing new."""


class Charger(Talk):
    """One charger; `begin` it, and `finish` what it is at."""

    def __init__(self, name: str, port: int, seed: str, ledger: Ledger, habits: Habits, pace: float = 1.0) -> None:
        super().__init__(name, port, random.Random(seed), ledger, habits)
        self.words = Words(name, habits.version, self.rng)
        self.pace = pace
        self.busy = True
        self.doubles = 0
        self._charge: Charge | None = None

    # its life

    def begin(self) -> None:
        """Boot, connect and charge cars for as long as it is `busy`."""
        self.queue.append(Say("BootNotification", self.words.boot, kept=True))
        self.connect()
        self.later("life", self.rng.uniform(0, self.pace), self._live)

    def finish(self) -> None:
        """Begin nothing new; end what has begun."""
        self.busy = self.offline = False
        if self._charge is not None:
            self._charge.left = 0
            self._live()
        self.connect()

    @property
    def idle(self) -> bool:
        """Whether it has come to an end."""
        return self.silent and self._charge is None

    def _live(self) -> None:
        """One step of its life; it goes on while the charger is offline."""
        if len(self.queue) < MOST_QUEUED:
            self._step()
        if self.busy or self._charge is not None:
            self.later("life", self.rng.uniform(0.3, 1.7) * self.pace, self._live)

    def _step(self) -> None:
        dice = self.rng.random()
        if self._charge is None:
            if not self.busy:
                return
            if dice < 0.5:
                self.start_charging()
            elif dice < 0.7:
                self._beat()
            elif dice < 0.8:
                self.queue.append(Say("SecurityEventNotification", self.words.security, kept=True))
            elif dice < 0.9:
                self._in_passing("DataTransfer", self.words.transfer)
            else:
                self._in_passing("Authorize", lambda: self.words.authorize(self.words.tag()))
        elif self._charge.left > 0:
            self._charge.left -= 1
            self._meter_values(self._charge)
            if dice < 0.3:
                self._beat()
        else:
            self._stop_charging(self._charge)
        self.pump()

    # what it says

    def start_charging(self, tag: str = "", at: float | None = None) -> None:
        """Begin a transaction, if there is none."""
        if self._charge is not None:
            return
        charge = self._charge = Charge(tag or self.words.tag(), left=self.rng.randrange(1, 6))
        if at is None:
            self._in_passing("StatusNotification", lambda: self.words.status("Preparing"))
        if self.habits.version == "1.6":
            started = {"connectorId": 1, "idTag": charge.tag, "meterStart": self.words.read(), "timestamp": self.words.time(at)}
            self.queue.append(Say("StartTransaction", lambda: started, True, charge))
        else:
            charge.id = f"{self.name}-{self.words.unique()}"[:36]
            self._event(charge, "Started", "Authorized", at, idToken={"idToken": charge.tag, "type": "ISO14443"})
        if at is None:
            self._in_passing("StatusNotification", lambda: self.words.status("Charging"))

    def _meter_values(self, charge: Charge, at: float | None = None) -> None:
        if self.habits.version == "1.6":
            reading = self.words.reading(at)
            self.queue.append(
                Say("MeterValues", lambda: {"connectorId": 1, "transactionId": charge.id, "meterValue": [reading]}, True, charge)
            )
        else:
            self._event(charge, "Updated", "MeterValuePeriodic", at, meterValue=[self.words.reading(at)])

    def _stop_charging(self, charge: Charge, at: float | None = None) -> None:
        self._charge = None
        if self.habits.version == "1.6":
            data = {"transactionData": [self.words.reading(at)]} if self.rng.random() < 0.3 else {}
            said = {"meterStop": self.words.read(), "timestamp": self.words.time(at), "idTag": charge.tag, "reason": "Local", **data}
            self.queue.append(Say("StopTransaction", lambda: {"transactionId": charge.id, **said}, True, charge))
        else:
            readings = {"meterValue": [self.words.reading(at)]} if self.rng.random() < 0.5 else {}
            self._event(charge, "Ended", "StopAuthorized", at, **readings)
        if at is None:
            self._in_passing("StatusNotification", lambda: self.words.status("Available"))

    def _event(self, charge: Charge, kind: str, why: str, at: float | None, **more: Any) -> None:
        charge.seq_no += 1
        info: dict[str, Any] = {
            "transactionId": charge.id,
            **({"stoppedReason": "Local"} if kind == "Ended" else {"chargingState": "Charging"}),
        }
        payload = {
            "eventType": kind, "timestamp": self.words.time(at), "triggerReason": why, "seqNo": charge.seq_no, "transactionInfo": info,
            "evse": {"id": 1, "connectorId": 1}, **({"offline": True} if at is not None else {}), **more,
        }  # fmt: skip
        self.queue.append(Say("TransactionEvent", lambda: payload, True, charge))

    def remember_hours(self, transactions: int) -> None:
        """It has been offline for hours, and has all that happened meanwhile to tell (F22)."""
        if self._charge is not None:
            self._stop_charging(self._charge)
        begin = time.time() - 3600 * self.rng.uniform(2, 48)
        for number in range(transactions):
            at = begin + 600 * number
            self.start_charging(at=at)
            charge = self._charge
            assert charge is not None
            for sample in range(4):
                self._meter_values(charge, at + 60 * (sample + 1))
            self._stop_charging(charge, at + 500)

    def _beat(self) -> None:
        # A Heartbeat says nothing that it could be known by but its id, which a charger that counts from 1 uses again.
        if not self.habits.counts:
            self._in_passing("Heartbeat", dict)

    def _in_passing(self, action: str, make: Callable[[], dict[str, Any]]) -> None:
        """Say something that is not worth keeping while offline."""
        if self.line is not None:
            self.queue.append(Say(action, make, kept=False))

    def asked_to_charge(self, tag: str) -> None:
        if self.busy:
            self.start_charging(tag=tag)
            self.pump()
