"""All that this gateway knows of one of its chargers.

Knows no other gateway.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol, cast

import msgspec
from twisted.internet.defer import TimeoutError
from twisted.internet.interfaces import IReactorTime

from ..core.transaction import Transaction
from ..gateway.charger import Charger
from ..gateway.decisions import Awaited, RecordSummary, summary
from ..gateway.gateway import Gateway
from ..gateway.verdicts import Verdicts
from ..interfaces import ClientCertificate, StoreUnavailable
from ..ocpp.tolerance.evidence import Model, ModelReport
from ..waiting import in_time
from .last_curves import LastCurves
from .rows import Rows, iso
from .told import CertificateReport, ConnectedRecord, Connection
from .transactions import RunningTransactions

STORE_WITHIN = 0.7
"""Seconds that the store has for a charger's transactions, where they are not known here, and for its record; then what is known here is told."""


class Violations(Protocol):
    """The schema violations seen so far."""

    def report(self, of: Model) -> Sequence[ModelReport]:
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
        curves: LastCurves,
        clock: IReactorTime,
    ) -> None:
        self._gateway = gateway
        self._verdicts = verdicts
        self._rows = rows
        self._transactions = transactions
        self._violations = violations
        self._curves = curves
        self._clock = clock

    async def of(self, id: str) -> dict[str, Any]:
        """Of a charger: `known` is None if it is not connected here, `curves` are those that it left here then; `last_refusal` is the last time
        that it was not let in here."""
        charger = self._gateway.chargers.get(id)
        return {
            "known": None if charger is None else await self._connected(charger),
            "curves": self._curves.of(id),
            "last_refusal": self._gateway.refusals.of(id),
        }

    async def _connected(self, charger: Charger) -> dict[str, Any]:
        id = charger.id
        kept: RecordSummary | None = None
        try:
            running = (await in_time(self._verdicts.ledger(charger), STORE_WITHIN, self._clock)).running
            kept = await in_time(self._gateway.decisions.recorded(id), STORE_WITHIN, self._clock)
        except (TimeoutError, StoreUnavailable):
            running = charger.ledger.running if charger.ledger else []
        record = record_of(self._gateway, charger, running, kept)
        return {
            "row": self._rows.row(charger),
            "record": record,
            "liveness": record["liveness"],
            "transactions": self._transactions.of(charger),
            "breaks": self._violations.report(charger.model),
            "clock": {"skew_s": record["clock_skew"]},
            "certificate": certificate(charger.certificate),
        }


def record_of(gateway: Gateway, charger: Charger, running: Iterable[Transaction], stored: RecordSummary | None) -> ConnectedRecord:
    """What is known of a charger that is connected; ``stored`` has what its connection is not told, and may be missing."""
    observed = gateway.liveness.summary(charger)
    record = {
        "connected": True,
        **summary(charger.record),
        **{name: stored and stored.get(name) for name in Awaited.__annotations__},
        **connection(charger),
        **observed,
        "liveness": {**observed["liveness"], "flooding": gateway.budgets.flooding(charger.id)},
        "transactions": [msgspec.to_builtins(each) for each in running],
    }
    return cast(ConnectedRecord, record)


def connection(charger: Charger) -> Connection:
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


def certificate(shown: ClientCertificate | None) -> CertificateReport | None:
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
