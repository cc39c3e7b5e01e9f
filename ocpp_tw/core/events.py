"""What the backend is told: the vocabulary of events and their JSON (docs/contract.md).

Knows neither where events go nor which OCPP message they come from. Field names are part of the contract.
"""

from __future__ import annotations

from typing import Any

import msgspec

from ..facts import Readings, Value

encode = msgspec.json.Encoder().encode


class Event(msgspec.Struct, omit_defaults=True, gc=False):
    """One element of the events list. ``seq`` is added by the store that numbers it."""

    event: str
    """what happened"""
    domain: str
    """the Host header, as the charger sent it"""
    data: Data
    """the event's own fields, see below"""
    id: str
    """unique, and the same over every re-delivery"""
    time: str
    """when the gateway received it (UTC)"""
    gateway: str
    """the name of the gateway that did"""
    ocpp: str | None = None
    """the OCPP version of the connection"""
    action: str | None = None
    """the OCPP action it came from"""
    message_id: str | None = None
    """the id of the charger's CALL"""
    payload: msgspec.Raw | None = None
    """the charger's request exactly as it was sent (`--event-payload no` leaves it out)"""
    violations: list[dict[str, Any]] | None = None
    """only when the message broke its schema and was let in all the same: path, rule and value of each breach"""
    duplicate: bool = False
    """only when true: a second, differing stop of a transaction that had ended"""
    offline: bool = False
    """only when true: it happened while the charger was not connected, and was sent later"""
    provisional: bool = False
    """only when true: the transaction's id is the gateway's own, since the backend could not be asked"""


class Data(msgspec.Struct, gc=False):
    """Every event names its charger."""

    charger: str
    """its identity"""


class ConnectCharger(Data):
    """A charger was let in."""

    ocpp: str
    """the OCPP version spoken"""
    remote_address: str
    """where it connects from"""
    security_profile: int
    """OCPP's security profile of the connection: 0 is none"""
    previous: str | None
    """the connection it took over from, if that had not ended yet"""
    repairs: list[str]
    """what was wrong with its handshake and put right"""


class DisconnectCharger(Data):
    """The charger's current connection ended."""

    code: int | None
    """the WebSocket close code; 1006 when the connection was cut"""
    reason: str
    """the reason that came with it"""
    seconds: float
    """how long it was connected"""
    received: int
    """frames received"""
    sent: int
    """frames sent"""
    violations: int
    """messages that broke their schema"""


class BootNotification(Data):
    """The charger has (re)started."""

    vendor: str
    """chargePointVendor"""
    model: str
    """chargePointModel"""
    serial: str | None
    """its serial number"""
    firmware: str | None
    """its firmware version"""
    status: str
    """the registration status it was given: Accepted, Pending or Rejected"""


class Health(Data):
    """A Heartbeat."""


class Authorize(Data, omit_defaults=True):
    """A tag was presented."""

    tag: str
    """the tag"""
    status: str
    """the authorization status it was given"""
    tag_type: str | None = None
    """2.x: the type of the tag, e.g. ISO14443"""


class ChangeConnectorStatus(Data, omit_defaults=True):
    """A connector's status."""

    conn: int
    """the connector, in 2.x the EVSE; 0 is the charger as a whole"""
    status: str
    """the status"""
    error_code: str | None
    """the error code, NoError included"""
    info: str | None
    """the charger's own remark"""
    vendor_error_code: str | None
    """the vendor's error code"""
    timestamp: str | None
    """when, by the charger's clock"""
    evse: int | None = None
    """2.x: the EVSE"""
    connector: int | None = None
    """2.x: the connector of the EVSE"""


class OfTransaction(Data, kw_only=True, omit_defaults=True):
    """What a TransactionEvent of 2.x says beside what it is; of it there is only ``backend_id`` in 1.6."""

    connector: int | None = None
    """2.x: the connector of the EVSE"""
    seq_no: int | None = None
    """2.x: the number of the message within its transaction"""
    trigger: str | None = None
    """2.x: what made the charger send it"""
    charging_state: str | None = None
    """2.x: the charging state"""
    tag_type: str | None = None
    """2.x: the type of the tag, e.g. ISO14443"""
    remote_start_id: int | None = None
    """2.x: the id of the remote start that began it"""
    backend_id: int | None = None
    """the id that the backend has given the transaction, where that is not `transaction_id`"""


class StartTransaction(OfTransaction):
    """A transaction began."""

    conn: int
    """the connector, in 2.x the EVSE; 0 when it is not known yet"""
    tag: str
    """the tag; "" in 2.x when nobody has presented one yet"""
    meter_start: int | None
    """the meter's reading at the start, in Wh; null in 2.x when the charger sent none"""
    transaction_id: int | str
    """1.6: the id the transaction was given; 2.x: the charger's own"""
    timestamp: str
    """when it began, by the charger's clock"""
    reservation_id: int | None
    """the reservation it ends"""
    status: str
    """the authorization status it was given"""


class TransactionUpdate(OfTransaction):
    """2.x: something happened in a transaction."""

    conn: int
    """the EVSE; 0 when it is not known yet"""
    transaction_id: str
    """the charger's id of the transaction"""
    timestamp: str
    """when, by the charger's clock"""
    tag: str | None
    """the tag that was presented with it"""
    status: str | None
    """the authorization status the tag was given"""


class StopTransaction(OfTransaction):
    """A transaction ended."""

    transaction_id: int | str
    """the id as the charger sent it; -1 in 1.6 when its start was never delivered"""
    reason: str
    """why; Local when the charger gave none"""
    meter_stop: int | None
    """the meter's reading at the end, in Wh; null in 2.x when the charger sent none"""
    tag: str | None
    """the idTag that stopped it"""
    timestamp: str
    """when it ended, by the charger's clock"""
    energy_wh: int | None
    """energy delivered, in Wh; null when the start is not known, or the meter has run backwards"""
    duration_s: int | None
    """seconds from start to stop by the charger's clock; null when either is not known"""
    match: str
    """how it was matched with a start: exact, by_connector (the charger's only open transaction), none"""
    missing: list[int] | None = None
    """2.x: the numbers of its messages that have not come yet; left out when all have"""


class MeterValue(Data, omit_defaults=True):
    """Meter values."""

    conn: int
    """the connector, in 2.x the EVSE"""
    transaction_id: int | str
    """the transaction; 0 outside of one"""
    meter_value: Readings
    """OCPP's meterValue array, as it came"""
    values: list[Value]
    """the same, flat and in canonical units"""
    backend_id: int | None = None
    """the id that the backend has given the transaction, where that is not `transaction_id`"""


class TransactionReconciled(Data):
    """The backend has been heard on a transaction that began as `provisional` while it was of no use. The charger goes on with its own id."""

    transaction_id: int | str
    """the id that the charger knows, as in `start_transaction`"""
    backend_id: int | None
    """the id that the backend has given it now; null when the tag has no transaction"""
    status: str
    """the authorization status that the charger would have been given: Invalid when the tag has no transaction"""


class DataTransfer(Data):
    """A vendor's own message."""

    vendor_id: str
    """the vendor"""
    message_id: str | None
    """the vendor's name for the message"""
    data: Any
    """what it carries"""
    status: str
    """the answer it was given"""
    vendorId: str = ""
    """the same as vendor_id, under the name that older backends know"""
    messageId: str = ""
    """the same as message_id, likewise; never null"""


class CommandResult(Data):
    """What came of a command; exactly one for each."""

    id: str
    """the command's id"""
    action: str
    """the OCPP action, or the neutral command when it could not be translated"""
    outcome: str
    """one of the outcomes below"""
    status: str | None
    """the status of the charger's answer, where it has one"""
    payload: dict[str, Any] | None
    """the charger's answer"""
    error: Any
    """why there is none: code, description, details"""
    sent: bool
    """whether the charger was sent it"""
    latency_ms: int | None
    """milliseconds from sending to the answer"""


class CommandFollowup(Data):
    """What became of a remote start or stop whose `command_result` could not say (`timeout`, `connection_lost`); at most one for each."""

    id: str
    """the command's id"""
    action: str
    """the OCPP action, or the neutral command when it could not be translated"""
    outcome: str
    """the outcome that the result had"""
    verdict: str
    """confirmed: the transaction began, or ended; refuted: the charger refused, or was connected two minutes later and nothing had
    happened; unknown: it was not connected then"""
    transaction_id: int | str | None
    """the transaction; null when none began"""


class CommandReport(Data):
    """2.x: what a command asked for has come in all its parts, each of which is an event of its own; or it has not."""

    id: str
    """the command's id"""
    action: str
    """the OCPP action that asked"""
    request_id: int
    """the requestId that the parts carry"""
    parts: int
    """how many have come"""
    complete: bool
    """whether the last one is among them and none is missing"""
    missing: list[int]
    """the numbers (seqNo) of those that have not come"""


class SeqGap(Data):
    """2.x: messages of a transaction are missing; the charger may still have them."""

    transaction_id: str
    """the transaction"""
    missing: list[int]
    """their numbers (seqNo)"""


class TransactionStatus(Data):
    """2.x: what the charger says of a transaction with missing messages; it was asked once."""

    transaction_id: str
    """the transaction"""
    missing: list[int]
    """the numbers that have not come by now"""
    ongoing: bool | None
    """whether it still runs; null when the charger does not say"""
    messages_in_queue: bool | None
    """whether the charger has messages of it to send; null when it does not answer"""


class HandshakeRejected(Data):
    """A charger was not let in."""

    reason: str
    """why"""
    status: int
    """the HTTP status it was answered"""
    offered: list[str]
    """the subprotocols it offered"""
    remote_address: str
    """where it tried from"""


class DuplicateIdentity(Data):
    """Two peers fight over one identity: a cloned charger, or a wrong setting."""

    addresses: list[str]
    """where they connect from"""
    takeovers: int
    """how often one took over from the other within the last minute"""


class Judgement(Data, kw_only=True, omit_defaults=True):
    """What the gateway thinks of a charger: told when it begins, and once more when it is over."""

    over: bool = False
    """only when true: it is over"""


class Unresponsive(Judgement):
    """A charger sends messages of its own but answers no command: a restart of its connection, or of itself, often helps.
    It is over with the next answer to a command, or with the connection (without a word).
    """

    timeouts: int
    """how many commands in a row it has not answered"""


class Silent(Judgement):
    """A charger's connection lives, but nothing has come for three times the heartbeat interval that it was given.
    It is over with its next message, or with the connection (without a word).
    """

    seconds: int
    """how long nothing has come, to the minute"""


class Flapping(Judgement):
    """A charger has connected five times within five minutes. It is over when it has not connected for as long."""

    connects: int
    """how often it has connected since that began"""
    seconds: int
    """within how many seconds; when it is over, for how long it has not"""


class ClockSkew(Judgement):
    """A charger's clock is more than a minute wrong; told again when that has changed by more than a minute. It is over at half a minute."""

    seconds: int
    """by how much it is ahead; less than 0 when it is behind"""


class LateResponse(Data):
    """A charger answered a command that had ended as `timeout` before."""

    id: str
    """the command's id"""
    action: str
    """the OCPP action"""
    payload: dict[str, Any] | None
    """the charger's answer"""
    error: Any
    """its refusal"""


class MessageRefused(Data):
    """A message that was not served: an unknown action, one before acceptance, or one that could not be read; 2.1: also an answer
    of ours that the charger could not process."""

    code: str
    """the error code it was answered (of an answer of ours: that the charger sent)"""
    description: str
    """what was wrong"""


NAMES: dict[str, type[Data]] = {
    "connect_charger": ConnectCharger,
    "disconnect_charger": DisconnectCharger,
    "boot_notification": BootNotification,
    "health": Health,
    "authorize": Authorize,
    "change_connector_status": ChangeConnectorStatus,
    "start_transaction": StartTransaction,
    "transaction_update": TransactionUpdate,
    "stop_transaction": StopTransaction,
    "transaction_reconciled": TransactionReconciled,
    "meter_value": MeterValue,
    "data_transfer": DataTransfer,
    "command_result": CommandResult,
    "command_followup": CommandFollowup,
    "command_report": CommandReport,
    "seq_gap": SeqGap,
    "transaction_status": TransactionStatus,
    "handshake_rejected": HandshakeRejected,
    "duplicate_identity": DuplicateIdentity,
    "unresponsive": Unresponsive,
    "silent": Silent,
    "flapping": Flapping,
    "clock_skew": ClockSkew,
    "late_response": LateResponse,
    "message_refused": MessageRefused,
}
"""Every event that has fields of its own. Any other action's is named after the action, in snake_case, with `Data` and the payload."""
