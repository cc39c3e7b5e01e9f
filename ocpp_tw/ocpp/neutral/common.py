"""What the neutral commands have in common in every version: the table of them, and helpers to convert their data.

Knows neither 1.6 nor 2.x: what a command becomes in each is in `neutral.v16` and `neutral.v2`.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Mapping

from ..actions import snake_case
from ..frames import Payload
from ..schemas import Schemas
from .shapes import SHAPES, TAG, InvalidShape, Shape

Request = tuple[str, Payload]
"""An action and its payload."""

Converter = Callable[[Payload], Request]
"""From a command's data to the request that it becomes."""


class Converters(dict[str, Converter]):
    """A version's converters by command; as a decorator, it adds a function under the function's own name."""

    def __call__(self, function: Converter) -> Converter:
        self[function.__name__] = function
        return function


def commands(
    schemas: Schemas, csms_actions: Iterable[str], converters: Mapping[str, Converter], renamed_actions: Mapping[str, str]
) -> dict[str, Converter]:
    """A version's commands: every action of the CSMS in snake_case, and the neutral commands, which take precedence.

    A neutral command also takes OCPP's own payload for the action of the same name; for those in ``renamed_actions`` (command ->
    action), for the action that has its place in this version.
    """
    actions = {snake_case(action): action for action in csms_actions}
    unconverted = {name: _unconverted(action) for name, action in actions.items()}
    actions |= renamed_actions
    return unconverted | {name: _neutral(SHAPES[name], schemas, actions[name], converters[name]) for name in SHAPES}


def _unconverted(action: str) -> Converter:
    return lambda data: (action, data)


def _neutral(shape: Shape, schemas: Schemas, action: str, convert: Converter) -> Converter:
    valid = schemas.valid_request[action]

    def request(data: Payload) -> Request:
        # an empty object is no sign of either form; a payload in OCPP's own form is validated against its schema later
        if data and _is_ocpp_payload(data, shape, valid):
            return action, data
        return convert(shape.read(data))

    return request


def _is_ocpp_payload(data: Payload, shape: Shape, valid: Callable[[Payload], bool]) -> bool:
    if shape.lenient and (data.keys() & (shape.required.keys() | shape.optional.keys())):
        # a member in camelCase may stand beside them, and is ignored; an empty list of keys is to be left out (R15)
        return valid(data) and [] not in data.values()
    return valid(data) or camel_case(data)


def camel_case(data: Payload) -> bool:
    """Whether the name of any member is in camelCase, as in OCPP's own payloads."""
    return any(name != name.lower() for name in data)


def renamed(data: Payload, /, **names: str) -> Payload:
    """The members that ``data`` has, under OCPP's names and in their order: ``renamed(data, idTag="tag")``."""
    return {ocpp: data[name] for ocpp, name in names.items() if name in data}


def random_id() -> int:
    """An id for a request to which the backend gave none: OCPP's have 32 bits, and ours are never 0."""
    return secrets.randbelow(2**31 - 1) + 1


def text_of(value: str | float | bool) -> str:
    """A configuration value as a string, which it is in OCPP."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def as_list(data: Payload, member: str) -> list[object]:
    """A member that may be a list or a single text, as a list; empty if there is none."""
    value = data.get(member, [])
    return [value] if isinstance(value, str) else value


def renaming(action: str, **names: str) -> Converter:
    """The converter of a command whose members only have other names in OCPP."""
    return lambda data: (action, renamed(data, **names))


def availability(data: Payload) -> str:
    """``type`` in OCPP's words, or ``available``."""
    if ("type" in data) == ("available" in data):
        raise InvalidShape("either type (Operative or Inoperative) or available (true or false) must be given")
    type: str = data.get("type") or ("Operative" if data["available"] else "Inoperative")
    return type


def tags(data: Payload) -> list[Payload]:
    """The tags of a local list. Raises `InvalidShape`."""
    read = [TAG.read(tag, f"list[{index}].") for index, tag in enumerate(data["list"])]
    for tag in read:  # without a status a tag is removed from the list: its other members then show that this is not meant
        if "status" not in tag and ("expiry_date" in tag or "parent_tag" in tag):
            raise InvalidShape(f"the status of the tag {tag['tag'][:40]} must be given; with its tag alone it is taken off the list")
    return read


def signed(data: Payload) -> bool:
    """Whether the firmware is signed, which takes two members."""
    if ("signature" in data) != ("signing_certificate" in data):
        raise InvalidShape("signature and signing_certificate must be given together")
    return "signature" in data


def firmware(data: Payload) -> Payload:
    """The firmware of 2.x and of 1.6's SignedUpdateFirmware."""
    described = renamed(data, location="location", retrieveDateTime="retrieve_at", installDateTime="install_at")
    return described | (renamed(data, signingCertificate="signing_certificate", signature="signature") if signed(data) else {})


def log_parameters(data: Payload) -> Payload:
    """Where to send a log, and its period."""
    return renamed(data, remoteLocation="location", oldestTimestamp="oldest", latestTimestamp="latest")


def retries(data: Payload) -> Payload:
    """How often to repeat a file transfer, and the seconds between."""
    return renamed(data, retries="retries", retryInterval="retry_interval")


def _delete_certificate(data: Payload) -> Request:
    names = {"issuerNameHash": "issuer_name_hash", "issuerKeyHash": "issuer_key_hash", "serialNumber": "serial_number"}
    return "DeleteCertificate", {"certificateHashData": renamed(data, hashAlgorithm="hash_algorithm", **names)}


SHARED: Mapping[str, Converter] = {
    "clear_cache": renaming("ClearCache"),
    "get_local_list_version": renaming("GetLocalListVersion"),
    "cancel_reservation": renaming("CancelReservation", reservationId="reservation_id"),
    "delete_certificate": _delete_certificate,
}
"""The converters of commands that become the same request in every version."""
