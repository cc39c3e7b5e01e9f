"""The envelope of an event, as the backend gets it (docs/contract.md). Field names are part of the contract.

Knows neither where events go nor what is in them beside their charger.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import msgspec

from ..ocpp.violations import ToldViolation

encode = msgspec.json.Encoder().encode


def one_of(values: Iterable[str]) -> msgspec.Meta:
    """Of a field that is a closed set: its schema lists the values."""
    return msgspec.Meta(extra_json_schema={"enum": [*values]})


class Event(msgspec.Struct, omit_defaults=True, gc=False):
    """One element of the events list. ``seq`` is added by the store that numbers it.

    What has no default is always there, null if nothing is known; what has one is left out as long as it has that value.
    """

    event: str
    """what happened"""
    domain: str
    """the Host header, as the charger sent it"""
    data: Data
    """the event's own fields, see below"""
    id: str
    """unique, and the same over every re-delivery"""
    time: Annotated[str, msgspec.Meta(extra_json_schema={"format": "date-time"})]
    """when the gateway received it (UTC)"""
    gateway: str
    """the name of the gateway that did"""
    ocpp: str | None
    """the OCPP version of the connection; null when the charger is not connected"""
    action: str | None = None
    """only when a message of the charger's led to it: the OCPP action"""
    message_id: str | None = None
    """only when a message of the charger's led to it: the id of its CALL, as the charger chose it"""
    payload: Annotated[msgspec.Raw, msgspec.Meta(extra_json_schema={"type": "object"})] | None = None
    """only when a message of the charger's led to it: its request exactly as it was sent, but for secrets, which are `***` (`--event-payload no` leaves it out)"""
    violations: list[ToldViolation] | None = None
    """only when the message broke its schema and was let in all the same: path, rule and value of each breach, at most twenty"""
    duplicate: bool = False
    """only when true: a second, differing stop of a transaction that had ended"""
    offline: bool = False
    """only when true: it happened while the charger was not connected, and was sent later"""
    provisional: bool = False
    """only when true: the transaction's id is the gateway's own, since the backend could not be asked"""
    conflict: bool = False
    """only when true: 2.x, another message of the transaction had the same number (seqNo), or began it, and was different or is forgotten"""


class Data(msgspec.Struct, gc=False):
    """Every event names its charger."""

    charger: str
    """its identity"""
