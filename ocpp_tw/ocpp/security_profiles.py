"""The requests that raise a charger's security profile: one in 1.6 (A05), a new network profile in 2.x (A05, B09, B10).

Knows neither chargers nor when their profile may be raised.
"""

from __future__ import annotations

from collections.abc import Sequence

from .frames import Payload
from .neutral.shapes import InvalidShape, Natural, NotInVersion, Shape

Request = tuple[str, Payload]

HIGHEST = 3
SHAPE = Shape({"security_profile": Natural}, {"url": str, "slot": Natural, "interface": str})

_MESSAGE_TIMEOUT = 30
_PRIORITY: Payload = {"component": {"name": "OCPPCommCtrlr"}, "variable": {"name": "NetworkConfigurationPriority"}}

GET_PRIORITY: Request = "GetVariables", {"getVariableData": [_PRIORITY]}


def read(ocpp: str, data: object) -> Payload:
    """The command's data. Raises `InvalidShape`."""
    given = SHAPE.read(data)
    if not 1 <= given["security_profile"] <= HIGHEST:
        raise InvalidShape("security_profile must be 1, 2 or 3")
    if ocpp == "1.6" and len(given) > 1:
        raise NotInVersion("OCPP 1.6 cannot say how else to connect: leave out url, slot and interface")
    url = given.get("url")
    if url is not None and not url.startswith("wss://" if given["security_profile"] >= 2 else "ws://"):
        raise InvalidShape("url must begin with ws:// for security profile 1, and with wss:// for 2 and 3")
    return given


def raising(ocpp: str, data: Payload, domain: str = "HOST", slot: int = 0) -> Request:
    """The first request: in 1.6 it is all, in 2.x it has the new network profile. ``domain`` is where the charger connects to now."""
    profile = int(data["security_profile"])
    if ocpp == "1.6":
        return "ChangeConfiguration", {"key": "SecurityProfile", "value": str(profile)}
    network = {
        "ocppInterface": data.get("interface") or ("Any" if ocpp == "2.1" else "Wired0"),
        "ocppTransport": "JSON",
        "ocppCsmsUrl": data.get("url") or f"{'wss' if profile >= 2 else 'ws'}://{domain}/",
        "messageTimeout": _MESSAGE_TIMEOUT,
        "securityProfile": profile,
    }
    if ocpp == "2.0.1":
        network = {"ocppVersion": "OCPP20", **network}  # it has to be there, and says nothing since the errata: the handshake does
    return "SetNetworkProfile", {"configurationSlot": data.get("slot", slot), "connectionData": network}


def slots_in(answer: Payload) -> list[int] | None:
    """The slots that a charger tries to connect with, in this order; None if it does not say."""
    results = answer.get("getVariableResult")
    value = results[0].get("attributeValue") if isinstance(results, list) and results and isinstance(results[0], dict) else None
    slots = [each.strip() for each in value.split(",")] if isinstance(value, str) else []
    return [int(each) for each in slots] if slots and all(each.isascii() and each.isdecimal() and len(each) < 9 for each in slots) else None


def free_slot(used: Sequence[int]) -> int:
    """One that is none of these: what works must not be overwritten."""
    return next(each for each in range(len(used) + 1) if each not in used)


def prefer(slot: int, used: Sequence[int]) -> Request:
    """Have the charger try this slot first, and those that worked after it."""
    slots = [slot, *(each for each in used if each != slot)]
    return "SetVariables", {"setVariableData": [{"attributeValue": ",".join(map(str, slots)), **_PRIORITY}]}
