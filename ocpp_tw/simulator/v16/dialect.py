"""OCPP 1.6 as a charger speaks it: facts into CALLs, answers into verdicts.

Knows nothing of when anything is sent; the commands are in the modules beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...facts import (
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
    Updated,
    Verdict,
)
from ...ocpp.frames import Payload
from ..common_commands import COMMON
from ..dialect import Dialect
from ..power import Sample
from ..security import SecurityWords
from .charging import CHARGING
from .commands import COMMANDS
from .configuration import CONFIGURATION, KEYS
from .files import FILES
from .security import SECURITY


def write(fact: Fact) -> tuple[str, Payload]:
    """The action and payload of the CALL for a fact."""
    match fact:
        case MeterValues(conn=conn, transaction_id=transaction, readings=readings):
            return "MeterValues", _present(connectorId=conn, transactionId=transaction, meterValue=readings)
        case StatusNotification(conn=conn, status=status, error_code=code, info=info, vendor_error_code=vendor_code, timestamp=timestamp):
            return "StatusNotification", _present(
                connectorId=conn, errorCode=code or "NoError", info=info, status=status, timestamp=timestamp, vendorErrorCode=vendor_code
            )
        case Heartbeat():
            return "Heartbeat", {}
        case Authorize(tag=tag):
            return "Authorize", {"idTag": tag}
        case Started(conn=conn, tag=tag, meter_start=meter, timestamp=timestamp, reservation_id=reservation):
            return "StartTransaction", _present(
                connectorId=conn, idTag=tag, meterStart=meter, reservationId=reservation, timestamp=timestamp
            )
        case Stopped(transaction_id=id, meter_stop=meter, timestamp=timestamp, reason=reason, tag=tag, readings=readings):
            return "StopTransaction", _present(
                idTag=tag, meterStop=meter, timestamp=timestamp, transactionId=id, reason=reason, transactionData=readings or None
            )
        case BootNotification(vendor=vendor, model=model, serial=serial, firmware=firmware):
            return "BootNotification", _present(
                chargePointVendor=vendor, chargePointModel=model, chargePointSerialNumber=serial, firmwareVersion=firmware
            )
        case DataTransfer(vendor_id=vendor, message_id=message, data=data):
            return "DataTransfer", _present(vendorId=vendor, messageId=message, data=data)
        case Other(action=action, payload=payload):
            return action, payload
        case Updated():
            raise ValueError("OCPP 1.6 has no message for the update of a transaction")


def read(fact: Fact, payload: Payload) -> Verdict:
    """The verdict in the answer to a fact, with defaults for what the answer lacks."""
    match fact:
        case BootNotification():
            return Registration(payload.get("status", "Rejected"), max(0, _whole(payload.get("interval")) or 0))
        case Authorize():
            return _authorization(payload)
        case Started():
            return Start(_authorization(payload), _whole(payload.get("transactionId")))
        case Stopped():
            return _authorization(payload) if "idTagInfo" in payload else None
        case DataTransfer():
            return DataTransferResult(payload.get("status", "Rejected"), payload.get("data"))
    return None


def readings(timestamp: str, context: str, samples: Sequence[Sample]) -> Readings:
    """Samples as a ``meterValue`` array of one element."""
    values = [_present(value=each.value, context=context, measurand=each.measurand, phase=each.phase, unit=each.unit) for each in samples]
    return [{"timestamp": timestamp, "sampledValue": values}]


V16 = Dialect(
    "1.6",
    "ocpp1.6",
    write,
    read,
    readings,
    {**COMMON, **COMMANDS, **CHARGING, **CONFIGURATION, **FILES, **SECURITY},
    KEYS,
    SecurityWords("CentralSystemRootCertificate", "V2GRootCertificate", "InvalidChargePointCertificate", "InvalidCentralSystemCertificate"),
)


def _authorization(payload: Payload) -> Authorization:
    info = payload.get("idTagInfo") or {}
    return Authorization(info.get("status", "Invalid"), info.get("expiryDate"), info.get("parentIdTag"))


def _whole(value: object) -> int | None:
    return value if type(value) is int else None


def _present(**members: Any) -> Payload:
    """The members that are not None."""
    return {name: value for name, value in members.items() if value is not None}
