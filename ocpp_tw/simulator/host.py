"""What the parts of a simulated charger (connectors, tags, messaging) need of the charger they belong to.

An interface only: a part imports this module instead of the charger, so that no module imports back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Protocol

from twisted.internet.defer import Deferred

from ..facts import BootNotification, Fact, Readings, Verdict
from ..ocpp.frames import Payload
from .charging_profiles import ChargingLimits
from .configuration import Configuration
from .power import Outlet, Sample
from .report import Tally
from .simulated_clock import SimulatedClock
from .transaction_queue import OnResult, TransactionFact, TransactionRef


class Boot(BootNotification, frozen=True):
    """The charger's own BootNotification; ``cause`` is the BootReason of 2.x, which 1.6 does not send."""

    cause: str = "PowerUp"


class Host(Protocol):
    """The charger as its parts see it."""

    id: str
    clock: SimulatedClock
    random: Random
    configuration: Configuration
    tally: Tally
    limits: ChargingLimits
    outlet: Outlet
    operative: bool
    id_first: bool

    @property
    def ready(self) -> bool:
        """Whether the charger is connected and accepted, so that it may send anything."""

    @property
    def mute(self) -> bool:
        """Whether the charger must not send anything but a BootNotification."""

    def send_fact(self, fact: Fact, then: Callable[[Verdict], object] | None = None) -> None:
        """Send a fact as a CALL; it is lost without a connection."""

    def request(self, fact: Fact) -> Deferred[Verdict]:
        """Send a fact; fires with the verdict on it, fails with `Unanswered` or `Refusal`."""

    def enqueue(self, fact: TransactionFact, ref: TransactionRef, then: OnResult | None = None) -> None:
        """Queue a transaction message until it is answered."""

    def notify(self, action: str, payload: Payload) -> None:
        """Send a CALL that has no fact; its answer is only counted."""

    def read(self, fact: Fact, payload: Payload) -> Verdict:
        """The verdict in the answer to a fact, in the charger's version of OCPP."""

    def readings(self, context: str, samples: Sequence[Sample]) -> Readings:
        """Samples taken now as a ``meterValue`` array, in the charger's version of OCPP."""

    def execute(self, action: str, payload: Payload) -> Payload:
        """Do what the central system's CALL says and return the answer's payload; raises `Refusal`."""
