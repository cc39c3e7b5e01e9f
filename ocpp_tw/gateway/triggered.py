"""Messages that a charger was asked for by TriggerMessage, which are served before it is accepted (B02.FR.02, B02.FR.09, 1.6 §4.2).

Knows neither registration nor what the messages say, beyond which connector, EVSE or transaction they are about.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Set

from ..ocpp.frames import Call, Payload, Send

TRIGGERS_KEPT = 20
"""Triggers of a connection whose messages are awaited; beyond that the oldest is forgotten."""

PLACES = 100
"""Connectors, EVSEs or transactions that one trigger brings a message of each for, at most."""

TRIGGERS = frozenset({"TriggerMessage", "ExtendedTriggerMessage"})

_SIGN_CERTIFICATE = frozenset({"SignCertificate"})

LEADS_TO: dict[str, Set[str]] = {
    "SignChargePointCertificate": _SIGN_CERTIFICATE,
    "SignChargingStationCertificate": _SIGN_CERTIFICATE,
    "SignCombinedCertificate": _SIGN_CERTIFICATE,
    "SignV2GCertificate": _SIGN_CERTIFICATE,
    "SignV2G20Certificate": _SIGN_CERTIFICATE,
    "FirmwareStatusNotification": frozenset({"FirmwareStatusNotification", "SignedFirmwareStatusNotification"}),
    "DiagnosticsStatusNotification": frozenset({"DiagnosticsStatusNotification", "LogStatusNotification"}),
}
"""The names in ``requestedMessage`` that another message may come for than the one of that name."""

OF_EACH = frozenset({"StatusNotification", "MeterValues", "TransactionEvent"})
"""What comes once for each connector, EVSE or transaction when the trigger names none (1.6 §5.17, F06)."""


class Trigger:
    """One trigger: the actions that it may bring, and, where it names no place, the places that a message has come for (else None)."""

    __slots__ = ("actions", "id", "places")

    def __init__(self, id: str | int, payload: Payload) -> None:
        message = str(payload.get("requestedMessage"))
        if message == "CustomTrigger":
            message = str(payload.get("customTrigger"))
        self.id = id
        self.actions = LEADS_TO.get(message, frozenset({message}))
        evse = payload.get("evse")
        named = "connectorId" in payload or (isinstance(evse, dict) and ("connectorId" in evse or message != "StatusNotification"))
        self.places: set[str] | None = set() if message in OF_EACH and not named else None


class Triggers:
    """The triggers of one connection whose messages are awaited."""

    __slots__ = ("_open",)

    def __init__(self) -> None:
        self._open: deque[Trigger] = deque(maxlen=TRIGGERS_KEPT)

    def sent(self, call: Call) -> None:
        """A CALL is sent; if it is a trigger, its messages may come even before its answer."""
        if call.action in TRIGGERS:
            self._open.append(Trigger(call.id, call.payload))

    def refused(self, call: Call) -> None:
        """The charger does not do what this CALL asks for."""
        for trigger in [each for each in self._open if each.id == call.id]:
            self._open.remove(trigger)

    def admits(self, call: Call | Send) -> bool:
        """Whether this message was triggered and has not been received since; from now on it has."""
        for trigger in self._open:
            if call.action not in trigger.actions:
                continue
            if trigger.places is None:
                self._open.remove(trigger)
                return True
            place = _place(call)
            if place not in trigger.places and len(trigger.places) < PLACES:
                trigger.places.add(place)
                return True
        return False


def _place(call: Call | Send) -> str:
    """What a message is about: its connector, EVSE or transaction."""
    payload = call.members
    info = payload.get("transactionInfo")
    if isinstance(info, dict):
        return str(info.get("transactionId"))[:50]
    return f"{payload.get('evseId', '')} {payload.get('connectorId', '')}"[:50].strip()
