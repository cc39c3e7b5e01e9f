"""Words and members that chargers use in place of OCPP's own: data, so that the next one is a line.

Knows no schema: an entry counts only where the schema at hand has the word or the member it leads to.
"""

from __future__ import annotations

from collections.abc import Mapping


def folded(word: str) -> str:
    """What remains of a word without case, spaces, underscores, dots and the like: no two words of one OCPP list are the same then."""
    return "".join(each for each in word.casefold() if each.isalnum())


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
    "connectorStatus": {**_OCCUPIED, "fault": "Faulted", "error": "Faulted", "free": "Available"},  # 1.6's words on a 2.x socket
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
"""Member -> a charger's word, folded (or as it stands, where nothing of it remains) -> OCPP's word."""

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
"""OCPP's major version and the schema's name -> members known from its other versions, and where they belong."""
