"""Validates and reads the messages of OCPP 2.0.1 and 2.1 that come most often, from their text in one pass, without creating dictionaries.

Its types are made from the official schemas and accept nothing that those would not. What is not ordinary it does not read:
`ocpp_tw.ocpp.v2` and `meter_values` do. A fact is the same either way, but that its readings are JSON, as they came.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Literal
from zlib import crc32

import msgspec

from ..facts import Fact, MeterValues, Other, Started, StatusNotification, Stopped, TransactionEventInfo, Updated, Value, Values
from . import compiled
from .bounds import MAX_SAMPLES
from .checks import ENERGY_UNITS
from .common import heartbeat
from .compiled import ReadCompiled
from .frames import NOT_ORDINARY, ROOM, QuickReader, too_deep
from .meter_values import ENERGY, LOOKED_AT, MAX_POWER, NEEDS_FORMULA, UNITS, canonical_unit, energy, values_in
from .numbers import shifted
from .schema_types import type_of
from .schemas import source
from .timestamps import parse_timestamp

MAX_EXACT = 16
"""Most characters of a number with a point that is told as it is written. A float has fifteen digits, which are the same after it was read."""

TINY = "0.000"
"""What is in a number that may be written with an exponent after it was read."""

Units = dict[str | None, dict[str | None, tuple[str, str | None, int]]]
"""See `_units`."""

_encode = msgspec.json.Encoder().encode


def quick_readers(folder: str, *, with_compiled: bool = True) -> Mapping[str, QuickReader]:
    """The readers of a version by action; ``folder`` has its schemas. ``with_compiled``: where the package was compiled, that is used."""
    definitions = source(folder, "MeterValuesRequest")["definitions"]  # a sample is the same in both messages that have some
    units = _units(definitions["MeasurandEnumType"]["enum"])
    read_compiled = _compiled_reader(definitions, units) if with_compiled else None
    return {
        "Heartbeat": heartbeat,
        "StatusNotification": _status_notification(folder),
        "MeterValues": _meter_values(folder, units, read_compiled),
        "TransactionEvent": _transaction_event(folder, units, read_compiled),
        "NotifyEvent": _other("NotifyEvent", folder),
        "NotifyReport": _other(
            "NotifyReport", folder, {f"reportData/variableCharacteristics/{limit}": int for limit in ("minLimit", "maxLimit")}
        ),
    }


def _status_notification(folder: str) -> QuickReader:
    schema = source(folder, "StatusNotificationRequest")
    decode = msgspec.json.Decoder(type_of(schema, root=schema, instead={})).decode

    def read(payload: bytes) -> StatusNotification | None:
        try:
            message = decode(payload)
        except NOT_ORDINARY:
            return None
        timestamp = message.timestamp
        if parse_timestamp(timestamp) is None:
            return None
        return StatusNotification(message.evseId, message.connectorStatus, None, None, None, timestamp, message.connectorId)

    return read


def _meter_values(folder: str, units: Units, read_compiled: ReadCompiled | None) -> QuickReader:
    schema = source(folder, "MeterValuesRequest")
    decode = _decoder(schema, {}, units, read_compiled)

    def read(payload: bytes) -> MeterValues | None:
        try:
            message, readings, values = decode(payload)
        except NOT_ORDINARY:
            return None
        if too_deep(payload):
            return None
        return MeterValues(message.evseId, None, readings, values)

    return read


def _transaction_event(folder: str, units: Units, read_compiled: ReadCompiled | None) -> QuickReader:
    schema = source(folder, "TransactionEventRequest")
    instead = {"costDetails": None, "transactionInfo/transactionLimit": None}  # both have decimals of other kinds
    decode = _decoder(schema, instead, units, read_compiled)

    def read(payload: bytes) -> Fact | None:
        try:
            message, raw, values = decode(payload)
        except NOT_ORDINARY:
            return None
        timestamp = message.timestamp
        if parse_timestamp(timestamp) is None:
            return None
        offline, message.offline = message.offline is True, None
        canonical = _encode(message)  # as `payload_json.digest` has it, since members and numbers are in its form
        if len(payload) - len(canonical) > ROOM and too_deep(payload):
            return None
        info, evse, token = message.transactionInfo, message.evse, message.idToken
        tag, tag_type = (None, "") if token is None else (token.idToken or ("" if token.type else None), token.type)
        conn, connector = (None, None) if evse is None else (evse.id, evse.connectorId)
        event_info = TransactionEventInfo(
            message.seqNo,
            message.triggerReason,
            offline,
            info.chargingState,
            conn,
            connector,
            tag_type,
            info.remoteStartId,
            crc32(canonical),
        )
        kind, id = message.eventType, info.transactionId
        if kind == "Updated":
            return Updated(id, timestamp, event_info, tag, raw, values)
        if kind == "Started":
            begin = _register(values, "Transaction.Begin")
            return Started(conn or 0, tag or "", begin, timestamp, message.reservationId, id, raw, event_info, values)
        return Stopped(id, _register(values, "Transaction.End"), timestamp, info.stoppedReason or "Local", tag, raw, event_info, values)

    return read


def _other(action: str, folder: str, instead: Mapping[str, Any] = MappingProxyType({})) -> QuickReader:
    """The reader of an action without a meaning of its own, whose payload is validated and stays JSON. It has no ``timestamp`` of its own."""
    schema = source(folder, f"{action}Request")
    assert "timestamp" not in schema["properties"]
    decode = msgspec.json.Decoder(type_of(schema, root=schema, instead=instead)).decode

    def read(payload: bytes) -> Other | None:
        try:
            decode(payload)
        except NOT_ORDINARY:
            return None
        return Other(action, msgspec.Raw(payload))

    return read


def _register(values: Values | None, context: str) -> int | None:
    """See `meter_values.register`."""
    return None if values is None else energy([value for value in values.looked_at if value.context == context])


def _decoder(
    schema: dict[str, Any], instead: Mapping[str, Any], units: Units, read_compiled: ReadCompiled | None
) -> Callable[[bytes], tuple[Any, Any, Values | None]]:
    """What reads a message with a meterValue array: the message, in which that is as `payload_json.digest` has it; the array's JSON, and its values. Without one
    these are an empty list and None.

    It raises one of `NOT_ORDINARY` for what is not. ``instead``: see `schema_types.type_of`.
    """

    def decoder(meter_value: Any) -> Callable[[bytes], Any]:
        return msgspec.json.Decoder(type_of(schema, root=schema, instead={**instead, "meterValue": meter_value})).decode

    decode, decode_rest = decoder(msgspec.Raw), decoder(Literal[0])
    decode_readings, normalise = _readings(schema, units)

    def read(payload: bytes) -> tuple[Any, Any, Values | None]:
        found = None if read_compiled is None else read_compiled(payload)
        if found is not None:
            rest, readings, values, looked_at, canonical = found
            message = decode_rest(rest)
            message.meterValue = msgspec.Raw(canonical)
            return message, msgspec.Raw(readings), Values(msgspec.Raw(values), looked_at)
        message = decode(payload)
        raw = message.meterValue
        if raw is None:
            return message, [], None
        message.meterValue = decode_readings(raw)
        return message, raw, normalise(message.meterValue)

    return read


def _compiled_reader(definitions: dict[str, Any], units: Units) -> ReadCompiled | None:
    kinds = {"context": "ReadingContextEnumType", "phase": "PhaseEnumType", "location": "LocationEnumType"}
    enums = {name: definitions[kind]["enum"] for name, kind in kinds.items()}
    return compiled.reader(numbers=True, units=units, enums=enums, longest=MAX_EXACT, kept=LOOKED_AT)


def _readings(schema: dict[str, Any], units: Units) -> tuple[Any, Callable[[list[Any]], Values]]:
    """What decodes a meterValue array, and what makes values of it; the latter leaves the numbers in it as `payload_json` writes them.

    Both raise one of `NOT_ORDINARY` for what is not.
    """
    listed = schema["properties"]["meterValue"]
    # a number is checked and told as it is written
    decode = msgspec.json.Decoder(type_of(listed, root=schema, instead={"sampledValue/value": msgspec.Raw})).decode

    def normalise(readings: list[Any]) -> Values:
        values: list[Value] = []
        add = values.append
        for reading in readings:
            timestamp, samples = reading.timestamp, reading.sampledValue
            texts = [str(sample.value, "ascii") for sample in samples]
            written = ",".join(texts)  # as JSON they are numbers, if there are only digits and points in them
            if not written.replace(",", "").replace(".", "").isdigit() or TINY in written:
                raise ValueError
            for sample, text in zip(samples, texts, strict=True):
                if text[-1] == "0" and "." in text:
                    text = text.rstrip("0").rstrip(".")
                    sample.value = msgspec.Raw(text.encode())
                if len(text) > MAX_EXACT:
                    raise ValueError
                measure = sample.unitOfMeasure
                if measure is None:
                    measurand, unit, power = units[sample.measurand][None]
                else:
                    measurand, unit, power = units[sample.measurand][measure.unit]
                    multiplier = measure.multiplier
                    if multiplier:
                        if not -MAX_POWER <= multiplier <= MAX_POWER:
                            raise ValueError
                        power += multiplier
                if power:
                    text = shifted(text, power)
                add(Value(measurand, text, unit, timestamp, sample.context, sample.phase, sample.location))
        if len(values) > MAX_SAMPLES:
            raise ValueError
        return values_in(values)

    return decode, normalise


def _units(measurands: list[str]) -> Units:
    """A measurand, or None -> a unit, or None -> what the measurand is, the canonical unit and the power of ten; without units that need a
    formula or are none of an energy."""
    units: Units = {}
    for measurand in (None, *measurands):
        meant = measurand or ENERGY
        units[measurand] = {}
        for unit in (None, "", *UNITS):
            canonical, power = canonical_unit(meant, unit or None)
            if power != NEEDS_FORMULA and (not unit or not meant.startswith("Energy") or canonical in ENERGY_UNITS):
                units[measurand][unit] = meant, canonical, power
    return units
