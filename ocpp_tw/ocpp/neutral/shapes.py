"""The shapes of the neutral commands: which members the data of each has, and of which types.

Knows nothing of OCPP's own payloads.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from ..frames import Payload

Types = type | tuple[type, ...]


class InvalidShape(ValueError):
    """Data that is invalid for its command; the text is the complete reason, for the backend's developer."""


class NotInVersion(InvalidShape):
    """A command that this version of OCPP cannot express; the text says why, and what to do instead."""


class Natural(int):
    """The type of a whole number that is not below 0: of a connector, a level, a duration."""


class Shape(NamedTuple):
    """The members of a command's data, ``required`` and ``optional``, with their types.

    A member that is null counts as missing. ``lenient``: unknown members are ignored, as the Go server did.
    """

    required: Mapping[str, Types] = {}
    optional: Mapping[str, Types] = {}
    lenient: bool = False

    def read(self, data: object, within: str = "") -> Payload:
        """The known members of ``data``, each of its type. Raises `InvalidShape`; ``within`` is the path of the data, for its text."""
        if not isinstance(data, dict):
            raise InvalidShape(f"{within.rstrip('.') or 'data'} must be an object")
        given = {name: value for name, value in data.items() if value is not None}
        missing = [name for name in self.required if name not in given]
        if missing:
            raise InvalidShape(f"{_listed(within, missing)} must be given")
        known = {**self.required, **self.optional}
        unknown = [name for name in given if name not in known]
        if unknown and not self.lenient:
            raise InvalidShape(f"{_listed(within, unknown)} is not known here; known are: {', '.join(known)}")
        for name in known:
            if name in given and not _is(given[name], known[name]):
                raise InvalidShape(f"{within}{name} must be {_words(known[name])}")
        return {name: value for name, value in given.items() if name in known}


_NAMES = {
    str: "a text",
    int: "a whole number",
    Natural: "a whole number from 0",
    float: "a number",
    bool: "true or false",
    list: "a list",
    dict: "an object",
}


def _is(value: object, types: Types) -> bool:
    expected = types if isinstance(types, tuple) else (types,)
    if Natural in expected and type(value) is int and value >= 0:
        return True
    return isinstance(value, types) and (not isinstance(value, bool) or bool in expected or object in expected)  # to Python, True is an int


def _words(types: Types) -> str:
    named = [each for each in (types if isinstance(types, tuple) else (types,)) if types != (int, float) or each is float]
    return " or ".join(_NAMES[each] for each in named)


def _listed(within: str, names: Iterable[str]) -> str:
    return ", ".join(f"{within}{name}"[:80] for name in list(names)[:10])


NUMBER = (int, float)
ID = (int, str)
"""A transaction's id: an integer in 1.6, a string in 2.x."""

_RETRIES = {"retries": Natural, "retry_interval": Natural, "request_id": int}
_LOG = {"kind": str, "oldest": str, "latest": str, **_RETRIES}

SHAPES: Mapping[str, Shape] = {
    "remote_start_transaction": Shape(
        {"tag": str},
        {"connector_id": Natural, "charging_profile": dict, "tag_type": str, "parent_tag": str, "remote_start_id": int},
        lenient=True,
    ),
    "remote_stop_transaction": Shape({"transaction_id": ID}, lenient=True),
    "get_configuration": Shape({}, {"key": (str, list), "request_id": int}, lenient=True),
    "change_configuration": Shape({"key": str, "value": (str, int, float, bool)}, lenient=True),
    "reset": Shape({"type": str}, {"evse_id": Natural}),
    "unlock_connector": Shape({"connector_id": Natural}, {"connector": Natural}),
    "change_availability": Shape({"connector_id": Natural}, {"type": str, "available": bool, "connector": Natural}),
    "trigger_message": Shape({"message": str}, {"connector_id": Natural, "connector": Natural, "custom_trigger": str}),
    "clear_cache": Shape(),
    "reserve_now": Shape(
        {"reservation_id": int, "connector_id": Natural, "tag": str, "expiry_date": str},
        {"parent_tag": str, "tag_type": str, "connector_type": str},
    ),
    "cancel_reservation": Shape({"reservation_id": int}),
    "send_local_list": Shape({"version": int, "update_type": str, "list": list}),
    "get_local_list_version": Shape(),
    "set_charging_profile": Shape({"connector_id": Natural, "profile": dict}),
    "clear_charging_profile": Shape({}, {"id": int, "connector_id": Natural, "purpose": str, "stack_level": Natural}),
    "get_composite_schedule": Shape({"connector_id": Natural, "duration": Natural}, {"unit": str}),
    "update_firmware": Shape(
        {"location": str, "retrieve_at": str}, {"install_at": str, "signing_certificate": str, "signature": str, **_RETRIES}
    ),
    "get_log": Shape({"location": str}, _LOG),
    "get_diagnostics": Shape({"location": str}, _LOG),
    "data_transfer": Shape({"vendor_id": str}, {"message_id": str, "data": object}),
    "install_certificate": Shape({"type": str, "certificate": str}),
    "delete_certificate": Shape({"hash_algorithm": str, "issuer_name_hash": str, "issuer_key_hash": str, "serial_number": str}),
    "get_installed_certificate_ids": Shape({}, {"type": (str, list)}),
    "certificate_signed": Shape({"certificate_chain": str}, {"type": str, "request_id": int}),
}
"""Every neutral command. Any other action of the CSMS is a command of its own version only, with OCPP's own payload."""

TAG = Shape({"tag": str}, {"status": str, "expiry_date": str, "parent_tag": str, "tag_type": str})
"""One element of ``list`` in send_local_list; without a status it removes the tag from the list."""
