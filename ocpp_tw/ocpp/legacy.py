"""OCPP 1.5 and 1.2 in JSON, as some old chargers speak them: read as 1.6, with their differences tolerated.

Knows only the differences; neither version has JSON Schemas of its own, so messages are validated against 1.6's.
"""

from __future__ import annotations

from dataclasses import replace

from ..facts import MeterValues, Readings
from .common import listed, number
from .frames import Payload
from .v16 import TRANSLATIONS, V16
from .version import Translation, UnreadablePayload


def _readings(payload: Payload) -> Readings:
    """In 1.6's form. 1.5 has ``values`` of ``values``, where 1.6 has ``meterValue`` of ``sampledValue``; 1.2 has a single number in each."""
    readings = []
    for reading in listed(payload, "meterValue") or listed(payload, "values"):
        samples = reading.get("sampledValue") or reading.get("values") or reading.get("value") or []
        samples = samples if isinstance(samples, list) else [samples]
        sampled = [sample if isinstance(sample, dict) else {"value": str(sample)} for sample in samples]
        readings.append({"timestamp": reading.get("timestamp"), "sampledValue": sampled})
    return readings


def _meter_values(payload: Payload) -> MeterValues:
    conn, readings = number(payload, "connectorId"), _readings(payload)
    if conn is None and not readings:
        raise UnreadablePayload("connectorId or values")
    return MeterValues(conn or 0, number(payload, "transactionId"), readings)


METER_VALUES = Translation(_meter_values, TRANSLATIONS["MeterValues"].answer)

V15 = replace(V16, name="1.5", subprotocol="ocpp1.5", quick_readers={}, translations={**TRANSLATIONS, "MeterValues": METER_VALUES})
V12 = replace(V15, name="1.2", subprotocol="ocpp1.2")
