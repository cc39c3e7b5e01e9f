"""What is kept of a connected charger beside what the gateway needs to serve it: its connectors and its running transactions.

Knows neither frames nor how often it is brought up to date. There may be tens of thousands of them: what they have in common is shared.
"""

from __future__ import annotations

from math import inf
from sys import intern

import msgspec

from .curve import MAX_SAMPLES, Curve

MAX_CONNECTORS = 256
"""Most connectors whose status is kept of a charger: a site may be connected as one. Those that it has told of first, but for one that is faulted or
charges, which takes the place of another that is not."""

MAX_RUNNING = 256
"""Most running transactions that are kept of a charger; those that began last. The ledger keeps as many."""

WHOLE_CURVES = 32
"""Running transactions of a charger whose curves may have all their samples; of more, all together have no more samples than those."""

MAX_TEXT = 50
"""Longest status, error code or remark that is kept, in characters (OCPP's own are shorter)."""

POWER_HOLDS = 1800.0
"""Seconds for which a reading of power counts as the power now."""

SUSPENDED = frozenset({"SuspendedEV", "SuspendedEVSE", "Finishing", "Faulted", "Unavailable"})
"""Statuses of a connector with which a transaction on it is suspended."""

IDLE = frozenset({"Available", "Preparing", "Reserved"})
"""And those with which it is if the connector has had them since the transaction began: before that they are of no transaction, and some
chargers never tell that one has begun but by its start."""


class Connector(msgspec.Struct, gc=False):
    """The status of a connector; ``evse`` is None in 1.6. ``since`` is when it had another one, in Unix time."""

    evse: int | None
    connector: int | None
    status: str
    error_code: str | None
    info: str | None
    since: int


def _place(each: Connector) -> tuple[int, int]:
    return each.evse or 0, each.connector or 0


def most_urgent(connectors: tuple[Connector, ...], most: int = MAX_CONNECTORS) -> tuple[Connector, ...]:
    """So many of them, in the order of their numbers; of those that matter alike the first."""
    kept = sorted(connectors, key=lambda each: urgency(each.status))[:most] if len(connectors) > most else connectors
    return tuple(sorted(kept, key=_place))


def urgency(status: str) -> int:
    """How much it matters that this status of a connector is known; 0 matters most."""
    return 0 if status == "Faulted" else 1 if status in ("Charging", "Occupied") else 2


class Running(msgspec.Struct, gc=False):
    """A running transaction on ``conn`` (in 2.x the EVSE). ``register_wh`` is the latest reading of its energy register, at ``read_at`` (Unix
    time); ``first_wh`` the first that is known of it, its start's if that is."""

    id: int | str
    conn: int
    curve: Curve
    charging_state: str | None = None
    power_w: float | None = None
    register_wh: int | None = None
    first_wh: int | None = None
    read_at: float = 0.0
    soc: float | None = None

    @property
    def energy_wh(self) -> int | None:
        """Delivered so far; None if not known."""
        if self.register_wh is None or self.first_wh is None:
            return None
        return max(0, self.register_wh - self.first_wh)

    def power_now(self, now: float) -> float | None:
        """Its power, in W, if that is known."""
        return self.power_w if now - self.read_at <= POWER_HOLDS else None


class ChargerState(msgspec.Struct, gc=False):
    """``faulted`` and ``charging`` are of what is in ``connectors`` and ``running``."""

    connectors: tuple[Connector, ...] = ()
    running: tuple[Running, ...] = ()
    faulted: bool = False
    charging: bool = False

    def connector_is(self, evse: int | None, connector: int | None, status: str, error: str | None, info: str | None, now: int) -> bool:
        """The charger has told the status of a connector; whether that is anything new."""
        status = intern(status[:MAX_TEXT])
        error = None if error is None else intern(error[:MAX_TEXT])
        info = info[:MAX_TEXT] if info else None
        for known in self.connectors:
            if known.evse == evse and known.connector == connector:
                if known.status == status and known.error_code == error and known.info == info:
                    return False
                if known.status != status:
                    known.since = now
                known.status, known.error_code, known.info = status, error, info
                return True
        others = self.connectors
        if len(others) >= MAX_CONNECTORS:
            least = max(reversed(others), key=lambda each: urgency(each.status))
            if urgency(least.status) <= urgency(status):
                return False
            others = tuple([each for each in others if each is not least])
        added = Connector(evse, connector, status, error, info, now)
        self.connectors = tuple(sorted((*others, added), key=_place))
        return True

    def find(self, id: int | str) -> Running | None:
        """The running transaction of that id."""
        return next((each for each in self.running if each.id == id), None)

    def on(self, conn: int) -> Running | None:
        """The running transaction on a connector, if there is only one."""
        found = [each for each in self.running if each.conn == conn]
        return found[0] if len(found) == 1 else None

    def begin(self, id: int | str, conn: int, now: float) -> Running:
        """A transaction runs; what ran on its connector before does not any more."""
        known = self.find(id)
        if known is not None:
            known.conn = conn or known.conn
            return known
        others = [each for each in self.running if not conn or each.conn != conn]
        added = Running(id, conn, Curve(now))
        self.running = (*others[1 - MAX_RUNNING :], added)
        self._share()
        return added

    def _share(self) -> None:
        """Bound the samples of all curves together."""
        if len(self.running) > WHOLE_CURVES:
            most = WHOLE_CURVES * MAX_SAMPLES // len(self.running)
            for each in self.running:
                each.curve.keep(most)

    def end(self, id: int | str) -> None:
        """A transaction has ended."""
        self.running = tuple([each for each in self.running if each.id != id])

    def joined(self, older: ChargerState) -> ChargerState:
        """With what an earlier connection of the charger has told and this one has not."""
        known = {(each.evse, each.connector) for each in self.connectors}
        conns, ids = {each.conn for each in self.running}, {each.id for each in self.running}
        connectors = (*self.connectors, *[each for each in older.connectors if (each.evse, each.connector) not in known])
        self.connectors = most_urgent(connectors)
        self.running = (*[each for each in older.running if each.id not in ids and each.conn not in conns], *self.running)[-MAX_RUNNING:]
        self._share()
        self.judge()
        return self

    def take_curves(self, other: ChargerState) -> None:
        """Go on with the courses that another state of the same charger has of transactions."""
        curves = {each.id: each.curve for each in other.running}
        for each in self.running:
            each.curve = curves.get(each.id, each.curve)

    def judge(self) -> None:
        """Bring ``faulted`` and ``charging`` up to date."""
        self.faulted = any(each.status == "Faulted" for each in self.connectors)
        self.charging = any(each.status == "Charging" for each in self.connectors) or (bool(self.running) and self._any_charges())

    def _any_charges(self) -> bool:
        """Whether a transaction does: by its charging state, else by what its connector has told, if that is one of 1.6."""
        suspended = {
            each.connector: inf if each.status in SUSPENDED else each.since
            for each in self.connectors
            if each.evse is None and (each.status in SUSPENDED or each.status in IDLE)
        }
        return any(
            each.charging_state == "Charging"
            if each.charging_state is not None
            else not (each.conn and suspended.get(each.conn, 0) > each.curve.begun)
            for each in self.running
        )

    def power(self, now: float) -> float:
        """Of all running transactions, in W, as far as it is known."""
        return sum([each.power_now(now) or 0.0 for each in self.running])

    def energy(self) -> int:
        """Delivered in running transactions, in Wh, as far as it is known."""
        return sum([each.energy_wh or 0 for each in self.running])
