"""A charger as a row of a table: its columns, and its state.

Knows neither pages nor other gateways.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from time import gmtime, strftime
from typing import Any, cast

import msgspec
from twisted.internet.interfaces import IReactorTime

from ..gateway.charger import Charger
from ..gateway.gateway import Gateway
from .query import State
from .state import MAX_CONNECTORS, ChargerState, most_urgent
from .told import FLAGS, ChargerRow, ConnectorRow

UNKNOWN: dict[str, Any] = {
    "remote_address": None,
    "security_profile": None,
    "registration": None,
    "violations": 0,
    "power_w": None,
    "energy_wh": None,
    "transactions": 0,
    "last_message": None,
    "connectors": [],
    "flags": [],
}
"""The columns of which nothing is known of a charger that is away."""


def iso(unix: float) -> str:
    """A Unix time as ISO 8601, UTC, to the second."""
    return strftime("%Y-%m-%dT%H:%M:%SZ", gmtime(unix))


class Rows:
    """Those of the chargers that are connected to a gateway of that ``name``."""

    def __init__(self, name: str, gateway: Gateway, clock: IReactorTime, unix: Callable[[], float]) -> None:
        self._name = name
        self._chargers = gateway.chargers
        self._observed = gateway.liveness.observed
        self._flooding = gateway.budgets.flooding
        self._clock = clock
        self._unix = unix
        self._offset = unix() - clock.seconds()
        self.columns: Mapping[str, Callable[[Charger], Any]] = {
            "id": lambda charger: charger.id,
            "state": self.state,
            "since": lambda charger: self._time(charger.connected_at),
            "gateway": lambda charger: name,
            "ocpp": lambda charger: charger.ocpp,
            "vendor": lambda charger: charger.model[0],
            "model": lambda charger: charger.model[1],
            "firmware": lambda charger: charger.model[2],
            "serial": lambda charger: charger.serial or None,
            "remote_address": lambda charger: charger.address,
            "security_profile": lambda charger: charger.security_profile,
            "registration": lambda charger: charger.registration or None,
            "violations": lambda charger: charger.violations,
            "power_w": self._power,
            "energy_wh": self._energy,
            "transactions": lambda charger: len(charger.state.running) if charger.state else 0,
            "last_message": self._last_message,
        }

    def row(self, charger: Charger, connectors: int = MAX_CONNECTORS) -> ChargerRow:
        """The row as it is told, with so many of its ``connectors`` at most."""
        row: dict[str, Any] = {name: column(charger) for name, column in self.columns.items()}
        row["connectors"] = [] if charger.state is None else connectors_of(charger.state, connectors)
        row["flags"] = self.flags(charger)
        return cast(ChargerRow, row)

    def state(self, charger: Charger) -> State:
        """Of a connected charger."""
        if charger.unresponsive:
            return "unresponsive"
        observed = self._observed.get(charger.id)
        if observed is not None and observed.silent:
            return "silent"
        return state_of(charger.state)

    def flags(self, charger: Charger) -> list[str]:
        """What else is to be known of it."""
        observed = self._observed.get(charger.id)
        holds = self._flooding(charger.id), observed is not None and observed.flapping, charger.restricted, False
        return [name for name, it_does in zip(FLAGS, holds, strict=True) if it_does]

    def _time(self, seconds: float) -> str:
        """A time of the reactor's clock; the same every time, unless the time of day was set."""
        offset = self._unix() - self._clock.seconds()
        if abs(offset - self._offset) > 1.0:
            self._offset = offset
        return iso(self._offset + seconds)

    def _power(self, charger: Charger) -> float:
        return round(charger.state.power(self._unix()), 1) if charger.state else 0.0

    def _energy(self, charger: Charger) -> int:
        return charger.state.energy() if charger.state else 0

    def _last_message(self, charger: Charger) -> str | None:
        """To the minute where no frames are kept: then none is noted when it comes."""
        if charger.heard:
            return iso(charger.heard)
        observed = self._observed.get(charger.id)
        if observed is None or observed.heard is None or observed.heard < charger.connected_at:
            return self._time(charger.connected_at) if charger.received else None
        return self._time(observed.heard)


def state_of(state: ChargerState | None) -> State:
    """Of a charger that is connected, as far as it has told."""
    if state is None:
        return "online"
    return "faulted" if state.faulted else "charging" if state.charging else "online"


def connectors_of(state: ChargerState, most: int = MAX_CONNECTORS) -> list[ConnectorRow]:
    """As they are told, the ``most`` important of them."""
    return [cast(ConnectorRow, {**msgspec.structs.asdict(each), "since": iso(each.since)}) for each in most_urgent(state.connectors, most)]


def away_row(id: str, kept: Mapping[str, Any], state: ChargerState | None = None) -> ChargerRow:
    """Of a charger that is connected nowhere, from what is kept of its last connection, and its ``state`` if that is known."""
    known = {name: kept.get(name) for name in ("gateway", "ocpp", "vendor", "model", "firmware", "serial")}
    left = {name: kept.get(name) for name in ("code", "reason", "seconds")}
    row = {"id": id, "state": "away", "since": str(kept.get("time", ""))[:19] + "Z", **known, **UNKNOWN, "left": left}
    if state is not None:
        row |= {"connectors": connectors_of(state), "transactions": len(state.running)}
        row["energy_wh"] = state.energy() if state.running else None
    return cast(ChargerRow, row)


def unheard_row(id: str, since: str, known: Mapping[str, Any], state: ChargerState | None) -> ChargerRow:
    """Of a charger whose gateway does not answer: as its ``state`` was last, if that is known."""
    row = {"id": id, "state": state_of(state), "since": since, **known, **UNKNOWN, "flags": ["gateway_missing"]}
    if state is not None:
        row |= {"connectors": connectors_of(state), "transactions": len(state.running), "energy_wh": state.energy()}
    return cast(ChargerRow, row)
