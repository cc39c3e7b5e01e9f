"""OCPP 2.0.1 and 2.1 as a charger speaks them: facts into CALLs, answers into verdicts, and the two dialects.

Knows nothing of when anything is sent; the device model and the commands are in the modules beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType
from typing import Any

from ...facts import (
    Answer,
    Authorization,
    Authorize,
    BootNotification,
    DataTransfer,
    DataTransferResult,
    Fact,
    Heartbeat,
    MeterValues,
    Other,
    Readings,
    Registration,
    Start,
    Started,
    StatusNotification,
    Stopped,
    TransactionEventInfo,
    Updated,
    Verdict,
)
from ...ocpp.frames import Payload
from ..common_commands import COMMON
from ..dialect import Dialect
from ..host import Boot
from ..power import Sample
from ..security import SecurityWords
from .charging import CHARGING
from .commands import COMMANDS
from .customer import CUSTOMER
from .device import DEVICE
from .evse import Evse
from .files import FILES
from .monitoring import MONITORING
from .networks import NETWORKS
from .security import SECURITY
from .streams import STREAMS, reopen_streams
from .transactions import TRANSACTIONS
from .trigger import TRIGGER
from .unsupported import UNSUPPORTED
from .variables import KEYS

TOKEN = "ISO14443"  # noqa: S105 - a type of card, no secret


def write(fact: Fact) -> tuple[str, Payload]:
    """The action and payload of the CALL for a fact."""
    match fact:
        case Updated(transaction_id=id, timestamp=timestamp, event_info=info, tag=tag, readings=readings):
            return _event("Updated", id, timestamp, info, tag, readings)
        case Started(tag=tag, timestamp=timestamp, reservation_id=reservation, transaction_id=id, readings=readings, event_info=info):
            token = tag if info is not None and info.tag_type else None
            return _event("Started", id, timestamp, info, token, readings, reservation=reservation)
        case Stopped(transaction_id=id, timestamp=timestamp, reason=reason, tag=tag, readings=readings, event_info=info):
            return _event("Ended", id, timestamp, info, tag, readings, reason)
        case MeterValues(conn=conn, readings=readings):
            return "MeterValues", {"evseId": conn, "meterValue": readings}
        case StatusNotification(conn=conn, status=status, timestamp=timestamp, connector=connector):
            return "StatusNotification", {"timestamp": timestamp, "connectorStatus": status, "evseId": conn, "connectorId": connector or 1}
        case Heartbeat():
            return "Heartbeat", {}
        case Authorize(tag=tag, tag_type=kind):
            return "Authorize", {"idToken": {"idToken": tag, "type": kind or TOKEN}}
        case BootNotification(vendor=vendor, model=model, serial=serial, firmware=firmware):
            station = _present(vendorName=vendor, model=model[:20], serialNumber=serial, firmwareVersion=firmware)
            return "BootNotification", {"chargingStation": station, "reason": fact.cause if isinstance(fact, Boot) else "PowerUp"}
        case DataTransfer(vendor_id=vendor, message_id=message, data=data):
            return "DataTransfer", _present(vendorId=vendor, messageId=message, data=data)
        case Other(action=action, payload=payload):
            return action, payload


def read(fact: Fact, payload: Payload) -> Verdict:
    """The verdict in the answer to a fact, with defaults for what the answer lacks."""
    match fact:
        case BootNotification():
            interval = payload.get("interval")
            return Registration(payload.get("status", "Rejected"), max(0, interval) if type(interval) is int else 0)
        case Authorize():
            return _authorization(payload) or Authorization("Invalid")
        case Started():
            return Start(_authorization(payload) or Authorization())
        case Updated() | Stopped():
            return _authorization(payload)
        case DataTransfer():
            return DataTransferResult(payload.get("status", "Rejected"), payload.get("data"))
        case Other():
            return Answer(payload)
    return None


def readings(timestamp: str, context: str, samples: Sequence[Sample]) -> Readings:
    """Samples as a ``meterValue`` array of one element."""
    values = [
        _present(value=float(each.value), context=context, measurand=each.measurand, phase=each.phase, unitOfMeasure={"unit": each.unit})
        for each in samples
    ]
    return [{"timestamp": timestamp, "sampledValue": values}]


CODES = MappingProxyType({"OccurenceConstraintViolation": "OccurrenceConstraintViolation", "FormationViolation": "ProtocolError"})

V201 = Dialect(
    "2.0.1",
    "ocpp2.0.1",
    write,
    read,
    readings,
    {**COMMON, **COMMANDS, **CHARGING, **CUSTOMER, **DEVICE, **FILES, **MONITORING, **NETWORKS, **SECURITY, **TRANSACTIONS, **TRIGGER},
    KEYS,
    SecurityWords("CSMSRootCertificate", "V2GRootCertificate", "InvalidChargingStationCertificate", "InvalidCsmsCertificate"),
    Evse,
    station_status=False,
    codes=CODES,
)

V21 = V201._replace(
    ocpp="2.1",
    subprotocol="ocpp2.1",
    commands={**V201.commands, **STREAMS, **UNSUPPORTED},
    security_words=V201.security_words._replace(discarded="DiscardedRenewedClientCertificate"),
    on_ready=reopen_streams,
)


def _event(
    kind: str,
    id: int | str | None,
    timestamp: str | None,
    event_info: TransactionEventInfo | None,
    tag: str | None,
    readings: Readings,
    stopped: str | None = None,
    reservation: int | None = None,
) -> tuple[str, Payload]:
    assert event_info is not None
    transaction = _present(
        transactionId=str(id), chargingState=event_info.charging_state, stoppedReason=stopped, remoteStartId=event_info.remote_start_id
    )
    return "TransactionEvent", _present(
        eventType=kind,
        timestamp=timestamp,
        triggerReason=event_info.trigger,
        seqNo=event_info.seq_no,
        offline=event_info.offline or None,
        reservationId=reservation,
        transactionInfo=transaction,
        evse=_present(id=event_info.conn, connectorId=event_info.connector),
        idToken=None if tag is None else {"idToken": tag, "type": event_info.tag_type or TOKEN},
        meterValue=readings or None,
    )


def _authorization(payload: Payload) -> Authorization | None:
    info = payload.get("idTokenInfo")
    if not isinstance(info, dict):
        return None
    return Authorization(info.get("status", "Invalid"), info.get("cacheExpiryDateTime"), (info.get("groupIdToken") or {}).get("idToken"))


def _present(**members: Any) -> Payload:
    """The members that are not None."""
    return {name: value for name, value in members.items() if value is not None}
