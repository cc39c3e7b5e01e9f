"""The version-neutral commands: one shape of data for each, whatever OCPP the charger speaks.

What a shape becomes in 1.6 and in 2.x stands in `neutral16` and `neutral2`; nothing here knows an OCPP payload. With them stands
which actions are the charger's to send, as both sides of that line are needed to say what a backend may ask.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Mapping

from ..actions import snake_case
from ..frames import Payload
from ..schemas import Schemas
from .shapes import SHAPES, TAG, InvalidShape, Shape

Maker = Callable[[Payload], tuple[str, Payload]]
"""From a command's data to the action and its payload."""


def commands(schemas: Schemas, asked: Iterable[str], makers: Mapping[str, tuple[str, Maker]]) -> dict[str, Maker]:
    """A version's commands: every action asked in snake_case, and over them the neutral ones.

    ``makers`` has, for each of `SHAPES`, the action whose own payload is taken as it is, and what makes one of the shape's members.
    """
    as_it_is = {snake_case(action): _as_it_is(action) for action in asked}
    return as_it_is | {name: _neutral(SHAPES[name], schemas, *makers[name]) for name in SHAPES}


def _as_it_is(action: str) -> Maker:
    return lambda data: (action, data)


def _neutral(shape: Shape, schemas: Schemas, action: str, make: Maker) -> Maker:
    valid = schemas.valid_request[action]

    def made(data: Payload) -> tuple[str, Payload]:
        # an empty object is no sign of either shape; what is written as OCPP writes it is judged by the schema, later
        if data and _is_ocpps(data, shape, valid):
            return action, data
        return make(shape.read(data))

    return made


def _is_ocpps(data: Payload, shape: Shape, valid: Callable[[Payload], bool]) -> bool:
    if shape.lenient and (data.keys() & (shape.needs.keys() | shape.takes.keys())):
        # a member in camelCase may stand beside them, and is ignored; an empty list of keys is to be left out (R15)
        return valid(data) and [] not in data.values()
    return valid(data) or camel_case(data)


def camel_case(data: Payload) -> bool:
    """Whether any member is written as OCPP writes its own."""
    return any(name != name.lower() for name in data)


def renamed(said: Payload, **names: str) -> Payload:
    """The members that were given, under OCPP's names, in this order."""
    return {ocpp: said[name] for ocpp, name in names.items() if name in said}


def some_id() -> int:
    """An id for a request that the backend gave none: OCPP's are 32 bits, and none of ours is 0."""
    return secrets.randbelow(2**31 - 1) + 1


def text_of(value: str | float | bool) -> str:
    """A configuration value as OCPP's text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def just(action: str, **names: str) -> Maker:
    """A command that has nothing to be thought about: its members under OCPP's names."""
    return lambda said: (action, renamed(said, **names))


def availability(said: Payload) -> str:
    """``type`` in OCPP's words, or ``available``."""
    if ("type" in said) == ("available" in said):
        raise InvalidShape("either type (Operative or Inoperative) or available (true or false) must be given")
    type: str = said.get("type") or ("Operative" if said["available"] else "Inoperative")
    return type


def tags(said: Payload) -> list[Payload]:
    """The tags of a local list. Raises `Unfit`."""
    read = [TAG.read(each, f"list[{at}].") for at, each in enumerate(said["list"])]
    for tag in read:  # without a status it is taken off the list: then whatever else is said of it was not meant so
        if "status" not in tag and ("expiry_date" in tag or "parent_tag" in tag):
            raise InvalidShape(f"the status of the tag {tag['tag'][:40]} must be given; with its tag alone it is taken off the list")
    return read


def signed(said: Payload) -> bool:
    """Whether the firmware is signed, which takes two members."""
    if ("signature" in said) != ("signing_certificate" in said):
        raise InvalidShape("signature and signing_certificate must be given together")
    return "signature" in said


def delete_certificate(said: Payload) -> tuple[str, Payload]:
    """DeleteCertificate, which is alike in every version."""
    names = {"issuerNameHash": "issuer_name_hash", "issuerKeyHash": "issuer_key_hash", "serialNumber": "serial_number"}
    return "DeleteCertificate", {"certificateHashData": renamed(said, hashAlgorithm="hash_algorithm", **names)}
