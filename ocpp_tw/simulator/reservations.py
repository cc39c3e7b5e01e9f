"""Reservations of connectors, as far as they are the same in all versions of OCPP: a reservation id holds one connector.

Knows neither a version's payloads nor when a connector may be reserved.
"""

from __future__ import annotations

from ..ocpp.frames import Payload
from .command import CommandTarget, accepted, need
from .connector import Connector
from .transaction import Reservation


def holds(connector: Connector, id: int) -> bool:
    """Whether the connector is reserved under that id."""
    return connector.reservation is not None and connector.reservation.id == id


def reserve_afterwards(charger: CommandTarget, connector: Connector, reservation: Reservation, seconds: float) -> None:
    """Reserve the connector once the answer has been sent; a reservation id moves with its latest request."""

    def reserve() -> None:
        for other in charger.connectors:
            if other is not connector and holds(other, reservation.id):
                other.reserve(None)
        connector.reserve(reservation, seconds)

    charger.afterwards(reserve)


def cancel_reservation(charger: CommandTarget, payload: Payload) -> Payload:
    """CancelReservation, whose payload is the same in all versions."""
    id = need(payload, "reservationId", int)
    connector = next((each for each in charger.connectors if holds(each, id)), None)
    if connector is None:
        return accepted(False)
    charger.afterwards(lambda: connector.reserve(None))
    return accepted(True)
