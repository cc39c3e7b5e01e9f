"""The fleet's histories, for operators to look at: what is kept of an ended transaction, of a command, of a trouble, and of a charger that is away.

Knows neither where it is kept nor for how long. Each is a JSON object; names that events have as well mean the same (docs/contract.md).
"""

from __future__ import annotations

from typing import Annotated, Any, NotRequired, TypedDict

import msgspec
from msgspec import UNSET, UnsetType

from ..facts import Stopped
from ..ocpp.frames import MAX_DESCRIPTION
from ..words import MAX_KEPT
from .charger_events import MATCHES, StopTransaction
from .entries import AWAY, FLEET, Effect, Put, Recorded
from .event import one_of
from .gateway_events import CommandResult, DisconnectCharger
from .transaction import Transaction

TRANSACTIONS, COMMANDS, TROUBLES = HISTORIES = ("transactions", "commands", "troubles")

TROUBLING = frozenset(
    {
        "authentication_failed", "clock_skew", "duplicate_identity", "flapping", "flooding", "handshake_rejected", "message_refused",
        "security_event", "silent", "unresponsive",
    }
)  # fmt: skip
"""Events that are troubles. Beside them is the end of a connection with one of `ABNORMAL`."""

AS_WANTED = frozenset({"command", "decision", "password_changed", "profile_upgraded", "certificate_confirmed", "certificate_issued"})
"""Kinds of `security_event` that are none: what operators do, and what comes of it."""

ABNORMAL = frozenset({1002, 1003, 1007, 1008, 1009, 1010, 1011})
"""Close codes (RFC 6455 §7.4.1) with which somebody objects to what the other has sent. Cut connections (1006) are a mobile network's daily life."""

MAX_PAYLOAD = 4096
"""Longest answer of a charger, in bytes of JSON, that is kept with its command, and longest error; of a longer one that is without its details."""

encode = msgspec.json.Encoder().encode


class EndedTransaction(msgspec.Struct, kw_only=True, tag_field="state", tag="ended"):
    """A transaction that has ended."""

    time: str
    """when the gateway was told (UTC)"""
    charger: str
    """the charger's identity"""
    id: int | str
    """its id; in 2.x the charger's"""
    backend_id: int | None
    """the one that the backend has for it, where that is another one"""
    conn: int | None
    """the connector; in 2.x the EVSE; null where its start is not known"""
    tag: str | None
    """the tag that began it; where that is not known, the one that ended it"""
    started: str | None
    """when it began, by the charger's clock"""
    ended: str | None
    """when it ended, by the charger's clock"""
    duration_s: int | None
    """seconds from one to the other"""
    energy_wh: int | None
    """delivered"""
    meter_start: int | None
    """the energy register when it began, in Wh"""
    meter_stop: int | None
    """the energy register when it ended, in Wh"""
    reason: str
    """why it ended"""
    provisional: bool
    """whether its id is the gateway's own, since the backend could not be asked"""
    match: Annotated[str, one_of(MATCHES)]
    """how its end was matched with a start"""
    gateway: str
    """the gateway that was told"""
    ocpp: str
    """the OCPP version of the connection"""


class RecordedCommand(CommandResult, kw_only=True):
    """A command that has ended, as in `command_result`, but for an answer and details of an error that are long."""

    time: str
    """when it ended (UTC)"""
    gateway: str
    """the gateway that had it"""
    left_out: bool | UnsetType = UNSET
    """only when true: the answer is too long to be kept, more than 4 KiB, and `payload` is null; or the error is, and has no `details`. They
    are in the event"""


GATEWAY_GONE = "gateway_gone"
"""A trouble that is no event: no charger's backend is told of it."""


class Trouble(TypedDict):
    """An event that is a trouble, or `gateway_gone`, with the members of its data beside these."""

    time: str
    """when (UTC)"""
    event: str
    """what has happened"""
    gateway: str
    """the gateway that has told it"""
    charger: NotRequired[str]
    """the charger's identity"""


def away(charger: str, time: str, gateway: str, ocpp: str | None, known: tuple[str | None, ...], data: DisconnectCharger) -> Put:
    """The charger is connected nowhere since ``time``; ``known`` is its vendor, model, firmware and serial number."""
    vendor, model, firmware, serial = known
    row = {
        "time": time, "code": data.code, "reason": data.reason, "seconds": data.seconds, "gateway": gateway, "ocpp": ocpp,
        "vendor": vendor, "model": model, "firmware": firmware, "serial": serial,
    }  # fmt: skip
    return Put(FLEET, charger, encode(row), AWAY)


def back(charger: str) -> Put:
    """The charger is connected."""
    return Put(FLEET, charger, None, AWAY)


def ended(data: StopTransaction, transaction: Transaction | None, fact: Stopped, time: str, gateway: str, ocpp: str) -> Effect:
    """A transaction has ended; None where its start is not known."""
    known = transaction if transaction is not None and transaction.has_begun else None
    row = EndedTransaction(
        time=time,
        charger=data.charger,
        id=data.transaction_id if transaction is None else transaction.id,
        backend_id=data.backend_id,
        conn=transaction.conn if transaction else None,
        tag=known.tag if known else data.tag,
        started=(known.started or None) if known else None,
        ended=fact.timestamp,
        duration_s=data.duration_s,
        energy_wh=data.energy_wh,
        meter_start=known.meter_start if known else None,
        meter_stop=data.meter_stop,
        reason=data.reason,
        provisional=bool(known and known.provisional),
        match=data.match,
        gateway=gateway,
        ocpp=ocpp,
    )
    return Recorded(TRANSACTIONS, encode(row))


def commanded(result: CommandResult, time: str, gateway: str) -> Effect:
    """A command has its result."""
    row = RecordedCommand(time=time, gateway=gateway, **msgspec.structs.asdict(result))
    if _is_long(row.payload):
        row.payload, row.left_out = None, True
    if row.error and _is_long(row.error):
        code, description = row.error["code"][:MAX_KEPT], row.error["description"][:MAX_DESCRIPTION]
        row.error, row.left_out = {"code": code, "description": description}, True
    return Recorded(COMMANDS, encode(row))


def _is_long(told: Any) -> bool:
    return len(encode(told)) > MAX_PAYLOAD


def troubles(name: str, data: Any, time: str, gateway: str) -> tuple[Effect, ...]:
    """What an event adds to the troubles: nothing if it is none."""
    abnormal = name == "disconnect_charger" and data.code in ABNORMAL
    if not abnormal and (name not in TROUBLING or (name == "security_event" and data.kind in AS_WANTED)):
        return ()
    row = {"time": time, "event": name, "gateway": gateway, **msgspec.structs.asdict(data)}
    return (Recorded(TROUBLES, encode(row)),)


def gateway_gone(name: str, since: str, chargers: int, time: str, gateway: str, seconds: float | None = None) -> Effect:
    """A gateway of that ``name`` is gone without having been stopped: it was there last at ``since``, with so many chargers. ``seconds``: it is
    back, after so many; ``gateway`` is the one that tells."""
    over = seconds is not None
    words = f"gateway {name} is back, it was gone" if over else f"gateway {name} is gone: it was there last"
    description = f"{words} {'since' if over else 'at'} {since}, with {chargers} chargers"
    rounded = None if seconds is None else round(seconds, 1)
    told = {"name": name, "since": since, "chargers": chargers, "over": over, "seconds": rounded, "description": description}
    return Recorded(TROUBLES, encode({"time": time, "event": GATEWAY_GONE, "gateway": gateway, **told}))
