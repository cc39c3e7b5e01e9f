"""Translates a command into the charger's version of OCPP, and checks it as strictly as what we send must be.

Knows no charger.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ..core.commands import Command, Invalid
from ..core.passwords import USABLE, usable
from ..ocpp.frames import Payload
from ..ocpp.neutral.shapes import Shape
from ..ocpp.passwords import generate, passwords_in, setting
from ..ocpp.security_profiles import SHAPE, raising, read
from ..ocpp.version import Version


def _rotate_password(ocpp: str, data: Payload) -> tuple[str, Payload]:
    OWN_SHAPES["rotate_password"].read(data)
    return setting(ocpp, generate())


OWN: Mapping[str, Callable[[str, Payload], tuple[str, Payload]]] = {
    "rotate_password": _rotate_password,
    "set_security_profile": lambda ocpp, data: raising(ocpp, read(ocpp, data)),
}
"""Commands whose request is in part of the gateway's making, from the version and the data; the others are the versions' own."""

OWN_SHAPES: Mapping[str, Shape] = {"rotate_password": Shape(), "set_security_profile": SHAPE}
"""What the data of each of them has."""


def translate(command: Command, version: Version) -> tuple[str, Payload, bytes]:
    """The action, the payload, and the payload's JSON as the backend wrote it (b"" when it is ours). Raises `Invalid`."""
    action, payload, raw = command.action, command.payload, command.raw
    if command.neutral:
        if command.neutral not in OWN and command.neutral not in version.neutral:
            raise Invalid(f"OCPP {version.name} has no command {command.neutral}")
        try:
            action, payload = _request(command, version)
        except (KeyError, TypeError, ValueError) as why:
            raise Invalid(f"{command.neutral}: {why}") from None
        raw = raw if payload is command.payload else b""
    elif action not in version.csms_actions:
        reason = "is not for a backend to send" if action in version.schemas.actions else f"is no action of OCPP {version.name}"
        raise Invalid(f"{action} {reason}")
    violations = version.schemas.request(action, payload)
    if violations:
        raise Invalid("; ".join(f"{'/'.join(map(str, each.path)) or action}: {each.message}" for each in violations[:5]))
    if not all(map(usable, passwords_in(action, payload))):  # the charger might take it, and could be impersonated, or come in no more
        raise Invalid(f"{action}: a charger's password must be {USABLE}; OCPP allows no other")
    return action, payload, raw


def action_of(command: Command, version: Version) -> str:
    """The OCPP action of the command, "" when it has none in this version."""
    try:
        return command.action or _request(command, version)[0]
    except (KeyError, TypeError, ValueError):
        return ""


def _request(command: Command, version: Version) -> tuple[str, Payload]:
    if command.neutral in OWN:
        return OWN[command.neutral](version.name, command.payload)
    return version.neutral[command.neutral](command.payload)
