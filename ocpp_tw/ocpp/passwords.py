"""Where a message to a charger has a password for it, how one is set, and what the answer says of it.

1.6 security whitepaper A01 (AuthorizationKey); 2.x part 2 A01 (BasicAuthPassword), and B09 of 2.1, whose network profiles may have one.
Knows neither how passwords are stored nor which charger it is.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from typing import Any, NamedTuple

from .frames import Payload

KEY, COMPONENT, VARIABLE = "AuthorizationKey", "SecurityCtrlr", "BasicAuthPassword"

OF_NETWORK = "NetworkConfiguration"
"""The component whose instances are a 2.1 charger's network profiles, by their configuration slots."""

REFUSED = frozenset(["Rejected", "NotSupported", "Failed", "UnknownComponent", "UnknownVariable", "NotSupportedAttributeType"])
"""Statuses with which the charger says that it has not taken a value."""

_GENERATED = 20
"""Bytes of a generated password, whose text has twice as many digits: all versions take it."""

_SLOT = re.compile(r"[0-9]{1,9}")


class Sent(NamedTuple):
    """A password in a request. ``slot`` is the configuration slot of the network profile that it is for, "" if it is the charger's own."""

    password: str
    slot: str = ""


def generate() -> str:
    """A new random password: 40 hexadecimal digits."""
    return secrets.token_hex(_GENERATED)


def setting(ocpp: str, password: str) -> tuple[str, Payload]:
    """The request that sets a charger's password, in its version of OCPP."""
    if ocpp == "1.6":
        return "ChangeConfiguration", {"key": KEY, "value": password}
    named = {"component": {"name": COMPONENT}, "variable": {"name": VARIABLE}}
    return "SetVariables", {"setVariableData": [{"attributeValue": password, **named}]}


def sent_in(action: str, payload: Payload) -> list[Sent]:
    """The passwords for the charger in a request to it; an empty one is none."""
    found: list[tuple[object, str | None]] = []
    if action == "ChangeConfiguration" and _same(payload.get("key"), KEY):
        found = [(payload.get("value"), "")]
    elif action == "SetVariables":
        found = [(each.get("attributeValue"), _slot(each)) for each in _objects(payload.get("setVariableData"))]
    elif action == "SetNetworkProfile":
        slot = str(payload.get("configurationSlot"))
        found = [(each.get("basicAuthPassword"), slot) for each in _objects([payload.get("connectionData")])]
    return list(dict.fromkeys(Sent(each, slot) for each, slot in found if isinstance(each, str) and each and slot is not None))


def passwords_in(action: str, payload: Payload) -> list[str]:
    """The passwords for the charger in a request to it, whatever they are for."""
    return list(dict.fromkeys(each.password for each in sent_in(action, payload)))


def is_refused(action: str, answer: Payload, slot: str = "") -> bool:
    """Whether the answer says that the charger does not have the password; what it does not say, or in other words, it may have."""
    if action == "SetVariables":
        told = _statuses(answer, slot)
        return bool(told) and all(each in REFUSED for each in told)
    return answer.get("status") in REFUSED


def is_stored(action: str, answer: Payload, slot: str) -> bool:
    """Whether the answer says that the charger has stored the password of this network profile."""
    told = _statuses(answer, slot) if action == "SetVariables" else [answer.get("status")]
    return bool(told) and all(each in ("Accepted", "RebootRequired") for each in told)


def _statuses(answer: Payload, slot: str) -> list[Any]:
    return [each.get("attributeStatus") for each in _objects(answer.get("setVariableResult")) if _slot(each) == slot]


def _slot(named: Payload) -> str | None:
    """The slot of the network profile whose password the variable is, "" for the charger's own; None if it is none."""
    component, variable = named.get("component"), named.get("variable")
    if not isinstance(component, dict) or not isinstance(variable, dict) or not _same(variable.get("name"), VARIABLE):
        return None
    if _same(component.get("name"), COMPONENT):
        return ""
    instance = component.get("instance")
    return instance if _same(component.get("name"), OF_NETWORK) and isinstance(instance, str) and _SLOT.fullmatch(instance) else None


def _same(name: object, known: str) -> bool:
    """Names of keys, components and variables are the same in any case (1.6: CiString; 2.x: identifierString)."""
    return isinstance(name, str) and name.lower() == known.lower()


def _objects(value: object) -> Iterable[Payload]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
