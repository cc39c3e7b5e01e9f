"""Validates and reads Heartbeat and StatusNotification of OCPP 1.6 from their text in one pass, without creating dictionaries.

What is not ordinary it does not read: `ocpp_tw.ocpp.v16` does. MeterValues are in `ocpp_tw.ocpp.v16_meter_values`.
"""

from __future__ import annotations

import msgspec

from ..facts import StatusNotification
from .schema_types import type_of
from .schemas import source
from .timestamps import parse_timestamp

_schema = source("v16", "StatusNotification")
_decode = msgspec.json.Decoder(type_of(_schema, root=_schema, instead={})).decode


def status_notification(payload: bytes) -> StatusNotification | None:
    """The fact in an ordinary payload; None for any other."""
    try:
        message = _decode(payload)
    except (ValueError, RecursionError):
        return None
    timestamp = message.timestamp
    if timestamp is not None and parse_timestamp(timestamp) is None:
        return None
    return StatusNotification(message.connectorId, message.status, message.errorCode, message.info, message.vendorErrorCode, timestamp)
