"""All that this gateway knows of one of its chargers.

Knows no other gateway.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import msgspec
from twisted.internet.defer import TimeoutError
from twisted.internet.interfaces import IReactorTime

from ..gateway.charger import Charger
from ..gateway.decisions import summary
from ..gateway.gateway import Gateway
from ..gateway.verdicts import Verdicts
from ..interfaces import ClientCertificate, StoreUnavailable
from ..ocpp.tolerance.evidence import Model
from ..waiting import in_time
from .rows import Rows, iso
from .transactions import RunningTransactions

LEDGER_WITHIN = 1.0
"""Seconds that the store has for a charger's transactions, where they are not known here; then those of which messages have come are told."""


class Violations(Protocol):
    """The schema violations seen so far."""

    def report(self, of: Model) -> Sequence[dict[str, Any]]:
        """Those of a model."""


class Details:
    """One for a gateway."""

    def __init__(
        self,
        gateway: Gateway,
        verdicts: Verdicts,
        rows: Rows,
        transactions: RunningTransactions,
        violations: Violations,
        clock: IReactorTime,
    ) -> None:
        self._gateway = gateway
        self._verdicts = verdicts
        self._rows = rows
        self._transactions = transactions
        self._violations = violations
        self._clock = clock

    async def of(self, id: str) -> dict[str, Any] | None:
        """Of a charger; None if it is not connected here."""
        charger = self._gateway.chargers.get(id)
        if charger is None:
            return None
        try:
            ledger = await in_time(self._verdicts.ledger(charger), LEDGER_WITHIN, self._clock)
            running = ledger.running
        except (TimeoutError, StoreUnavailable):
            running = []
        observed = self._gateway.liveness.summary(charger)
        observed["liveness"]["flooding"] = self._gateway.budgets.flooding(id)
        record = {
            "connected": True,
            **summary(charger.record),
            **connection(charger),
            **observed,
            "transactions": [msgspec.to_builtins(each) for each in running],
        }
        return {
            "row": self._rows.row(charger),
            "record": record,
            "liveness": observed["liveness"],
            "transactions": self._transactions.of(charger),
            "breaks": self._violations.report(charger.model),
            "clock": {"skew_s": observed["clock_skew"]},
            "certificate": certificate(charger.certificate),
        }


def connection(charger: Charger) -> dict[str, Any]:
    """A charger's connection and what has come by it."""
    return {
        "id": charger.id,
        "ocpp": charger.ocpp,
        "domain": charger.domain,
        "remote_address": charger.address,
        "security_profile": charger.security_profile,
        "connection": charger.connection,
        "registration": charger.registration or None,
        "received": charger.received,
        "sent": charger.sent,
        "violations": charger.violations,
    }


def certificate(shown: ClientCertificate | None) -> dict[str, Any] | None:
    """The certificate with which a charger has come in."""
    if shown is None:
        return None
    return {
        "common_name": shown.common_name,
        "organization": shown.organization,
        "names": list(shown.names),
        "fingerprint": shown.fingerprint,
        "expires": iso(shown.expires),
        "trouble": shown.trouble,
    }
