"""Aliases of real chargers for OCPP's own words and members: data, so that the next one is one more line.

Knows no schemas: an alias applies only where the schema of the message has the word or the member that it stands for.
"""

from __future__ import annotations

from collections.abc import Mapping


def folded(word: str) -> str:
    """The word without case, spaces, underscores, dots and the like; no two words of one OCPP enumeration are equal when folded."""
    return "".join(character for character in word.casefold() if character.isalnum())


_OCCUPIED = dict.fromkeys(("preparing", "charging", "suspendedev", "suspendedevse", "finishing"), "Occupied")

WORDS: Mapping[str, Mapping[str, str]] = {
    "errorCode": {
        "error": "OtherError",  # Legrand (FIELD 20)
        "other": "OtherError",
        "none": "NoError",
        "ok": "NoError",
        "nofault": "NoError",
        "noerrors": "NoError",
        "mode3error": "EVCommunicationError",  # its name in OCPP 1.5
        "groundfault": "GroundFailure",
        "overcurrent": "OverCurrentFailure",
        "overtemperature": "HighTemperature",
    },
    "status": {"fault": "Faulted", "error": "Faulted", "finished": "Finishing", "free": "Available"},
    "connectorStatus": {**_OCCUPIED, "fault": "Faulted", "error": "Faulted", "free": "Available"},  # 1.6's words from a 2.x charger
    "eventType": {"start": "Started", "update": "Updated", "end": "Ended", "stop": "Ended", "stopped": "Ended"},
    "reason": {"remotestop": "Remote", "evdisconnect": "EVDisconnected", "emergency": "EmergencyStop", "unlock": "UnlockCommand"},
    "context": {
        "periodic": "Sample.Periodic",
        "clock": "Sample.Clock",
        "transactionstart": "Transaction.Begin",
        "transactionstop": "Transaction.End",
    },
    "format": {"signed": "SignedData"},
    "measurand": {"stateofcharge": "SoC", "temp": "Temperature"},
    "phase": {"1": "L1", "2": "L2", "3": "L3", "phase1": "L1", "phase2": "L2", "phase3": "L3", "neutral": "N"},
    "unit": {
        "%": "Percent",
        "c": "Celsius",  # OpenEVSE; "°C" and "C" are the same when folded
        "degc": "Celsius",
        "f": "Fahrenheit",
        "kelvin": "K",
        "hz": "Hertz",  # 1.6 has no "Hz"
        "amp": "A",
        "amps": "A",
        "ampere": "A",
        "volt": "V",
        "volts": "V",
        "watt": "W",
        "watts": "W",
    },
}
"""Member -> a charger's word, folded (or stripped of spaces, if folding leaves nothing, as of "%") -> OCPP's word."""

_STATION = (
    ("chargePointModel", "chargingStation/model"),
    ("chargePointVendor", "chargingStation/vendorName"),
    ("chargePointSerialNumber", "chargingStation/serialNumber"),
    ("chargeBoxSerialNumber", "chargingStation/serialNumber"),
    ("firmwareVersion", "chargingStation/firmwareVersion"),
    ("iccid", "chargingStation/modem/iccid"),
    ("imsi", "chargingStation/modem/imsi"),
)

MEMBERS: Mapping[tuple[str, str], tuple[tuple[str, str], ...]] = {
    ("2", "BootNotificationRequest"): _STATION,  # 1.6's shape (FIELD, on the wire 9)
    ("1", "BootNotification"): tuple((new, old) for old, new in _STATION if old != "chargeBoxSerialNumber"),
    ("2", "GetLocalListVersionResponse"): (("listVersion", "versionNumber"),),
    ("1", "GetLocalListVersionResponse"): (("versionNumber", "listVersion"),),
    ("2", "StatusNotificationRequest"): (("status", "connectorStatus"),),
    ("2", "AuthorizeRequest"): (("idTag", "idToken/idToken"),),
}
"""OCPP's major version and the schema's name -> paths of members as other versions have them, and the paths where they belong."""
