"""Where a message to a charger has a password for it, how one is set, and what the answer says of it.

1.6 security whitepaper A01 (AuthorizationKey); 2.x part 2 A01 (BasicAuthPassword), and B09 of 2.1, whose network profiles may have one.
Knows neither how passwords are stored nor which charger it is.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from typing import Any

from .frames import Payload

KEY, COMPONENT, VARIABLE = "AuthorizationKey", "SecurityCtrlr", "BasicAuthPassword"

REFUSED = frozenset(["Rejected", "NotSupported", "Failed", "UnknownComponent", "UnknownVariable", "NotSupportedAttributeType"])
"""Statuses with which the charger says that it has not taken a value."""

_GENERATED = 20
"""Bytes of a generated password, whose text has twice as many digits: all versions take it."""

HIDDEN = "***"


def generate() -> str:
    """A new random password: 40 hexadecimal digits."""
    return secrets.token_hex(_GENERATED)


def setting(ocpp: str, password: str) -> tuple[str, Payload]:
    """The request that sets a charger's password, in its version of OCPP."""
    if ocpp == "1.6":
        return "ChangeConfiguration", {"key": KEY, "value": password}
    named = {"component": {"name": COMPONENT}, "variable": {"name": VARIABLE}}
    return "SetVariables", {"setVariableData": [{"attributeValue": password, **named}]}


def passwords_in(action: str, payload: Payload) -> list[str]:
    """The passwords for the charger in a request to it; an empty one is none."""
    if action == "ChangeConfiguration":
        found = [payload.get("value")] if _same(payload.get("key"), KEY) else []
    elif action == "SetVariables":
        found = [each.get("attributeValue") for each in _objects(payload.get("setVariableData")) if _is_password(each)]
    elif action == "SetNetworkProfile":
        found = [each.get("basicAuthPassword") for each in _objects([payload.get("connectionData")])]
    else:
        return []
    return list(dict.fromkeys(each for each in found if isinstance(each, str) and each))


def is_refused(action: str, answer: Payload) -> bool:
    """Whether the answer says that the charger does not have the password; what it does not say, or in other words, it may have."""
    if action == "SetVariables":
        told = [each.get("attributeStatus") for each in _objects(answer.get("setVariableResult")) if _is_password(each)]
        return bool(told) and all(each in REFUSED for each in told)
    return answer.get("status") in REFUSED


def hidden(value: Any, passwords: Sequence[str]) -> Any:
    """The value without any of the passwords: a charger may repeat in its answer what it was sent."""
    if isinstance(value, str):
        for each in passwords:
            value = value.replace(each, HIDDEN)
        return value
    if isinstance(value, dict):
        return {hidden(name, passwords): hidden(each, passwords) for name, each in value.items()}
    return [hidden(each, passwords) for each in value] if isinstance(value, list) else value


def _is_password(named: Payload) -> bool:
    component, variable = named.get("component"), named.get("variable")
    return (
        isinstance(component, dict)
        and isinstance(variable, dict)
        and _same(component.get("name"), COMPONENT)
        and _same(variable.get("name"), VARIABLE)
    )


def _same(name: object, known: str) -> bool:
    """Names of keys, components and variables are the same in any case (1.6: CiString; 2.x: identifierString)."""
    return isinstance(name, str) and name.lower() == known.lower()


def _objects(value: object) -> Iterable[Payload]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
