"""Validates and reads MeterValues of OCPP 1.6, half of all messages, from their text in one pass, without creating dictionaries.

Its types are generated from the official schema and accept nothing that the schema would not. It does not read what is invalid,
longer than allowed, signed, in units that need conversion or not a plain decimal number: `ocpp_tw.ocpp.meter_values` does.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from ..facts import MeterValues, Values
from . import compiled
from .bounds import MAX_SAMPLES
from .compiled import ReadCompiled
from .frames import NOT_ORDINARY, ROOM, QuickReader
from .meter_values import ENERGY, LOOKED_AT, NEEDS_FORMULA, canonical_unit, values_in
from .numbers import MAX_DIGITS
from .payload_json import MAX_INTEGER, MIN_INTEGER
from .schemas import source

KEYWORDS = frozenset(
    {"$schema", "$id", "id", "title", "type", "enum", "items", "minItems", "properties", "required", "additionalProperties"}
)
"""The keywords from which a type can be generated; also ``format``, which is not validated."""


Integer = Annotated[int, msgspec.Meta(ge=MIN_INTEGER, le=MAX_INTEGER)]


def _type(schema: dict[str, Any], **instead: Any) -> Any:
    """The type that accepts what the schema does; ``instead`` are types and defaults to use for members; None leaves a member out."""
    assert schema.keys() <= KEYWORDS | {"format"}, f"no type can be made of {schema}"
    match schema["type"]:
        case "object":
            assert schema["additionalProperties"] is False
            required = schema["required"]
            fields = {
                name: instead.get(name) or (_type(member) if name in required else (_type(member), msgspec.UNSET))
                for name, member in schema["properties"].items()
            } | instead
            defined = [(name, *(field if isinstance(field, tuple) else (field,))) for name, field in fields.items() if field]
            # gc=False: only its lists refer to other objects, and none of those refers back
            return msgspec.defstruct("Read", defined, kw_only=True, forbid_unknown_fields=True, gc=False, namespace={"signed": False})
        case "array":
            items = instead["items"]
            return Annotated[list[items], msgspec.Meta(min_length=schema.get("minItems", 0))]  # type: ignore[valid-type]
        case "string":
            return Literal[tuple(schema["enum"])] if "enum" in schema else str
        case "integer":
            return Integer
        case other:
            raise AssertionError(f"no type can be made of {other}")


Never = Annotated[int, msgspec.Meta(ge=1, le=0)]
"""The type of a member that no message can have."""

_schema = source("v16", "MeterValues")
_list = _schema["properties"]["meterValue"]
_samples = _list["items"]["properties"]["sampledValue"]
_enums = {name: member["enum"] for name, member in _samples["items"]["properties"].items() if "enum" in member}

# A sample, given its reading's timestamp and the canonical unit, is itself a value of the event (`facts.Value`).
# Signed samples, which have a format, are not read here.
Sample: Any = _type(
    _samples["items"],
    measurand=(Literal[tuple(_enums["measurand"])], ENERGY),
    unit=(Literal[tuple(_enums["unit"])], None),
    timestamp=(Never, None),
    format=False,
)
Reading: Any = _type(_list["items"], sampledValue=_type(_samples, items=Sample))
Message: Any = _type(_schema, meterValue=msgspec.Raw, transactionId=(Integer, None))

_message = msgspec.json.Decoder(Message).decode
_rest = msgspec.json.Decoder(_type(_schema, meterValue=Literal[0], transactionId=(Integer, None))).decode
_readings = msgspec.json.Decoder(_type(_list, items=Reading)).decode

PLAIN = {
    measurand: {unit: canonical_unit(measurand, unit)[0] for unit in (None, *_enums["unit"]) if canonical_unit(measurand, unit)[1] == 0}
    for measurand in _enums["measurand"]
}
"""A measurand -> its unit -> the canonical unit, for units that need no conversion."""


def meter_values(read_compiled: ReadCompiled | None) -> QuickReader:
    """The reader of MeterValues. It gives the fact in the payload of an ordinary one, or None if `ocpp_tw.ocpp.v16` and `meter_values` have to read it."""

    def read(payload: bytes) -> MeterValues | None:
        found = None if read_compiled is None else read_compiled(payload)
        try:
            if found is not None:
                rest, told, read_values, looked_at, _ = found
                message, readings, values = _rest(rest), msgspec.Raw(told), Values(msgspec.Raw(read_values), looked_at)
            else:
                message = _message(payload)
                readings, values = message.meterValue, _values(message.meterValue)
            if len(payload) - len(readings) > ROOM:
                return None
        except NOT_ORDINARY:
            return None
        return MeterValues(message.connectorId, message.transactionId, readings, values)

    return read


def _values(readings: msgspec.Raw) -> Values:
    """The values in a meterValue array. Raises one of `NOT_ORDINARY`."""
    values: list[Any] = []
    for reading in _readings(readings):
        timestamp, samples = reading.timestamp, reading.sampledValue
        for sample in samples:
            value = sample.value
            if not (value.isdigit() or value.replace(".", "", 1).isdigit()) or not value.isascii() or len(value) > MAX_DIGITS:
                raise ValueError
            sample.unit = PLAIN[sample.measurand][sample.unit]
            sample.timestamp = timestamp
        values += samples
    if len(values) > MAX_SAMPLES:
        raise ValueError
    return values_in(values)


def compiled_reader() -> ReadCompiled | None:
    """What `meter_values` reads with where the package was compiled."""
    units = {measurand: _units(measurand) for measurand in _enums["measurand"]} | {None: _units(ENERGY)}
    return compiled.reader(numbers=False, units=units, enums=_enums, longest=MAX_DIGITS, kept=LOOKED_AT)


def _units(measurand: str) -> compiled.Units:
    """What `compiled.readings` is to know of a measurand's units: those without a formula."""
    canonical = {unit: canonical_unit(measurand, unit) for unit in (None, *_enums["unit"])}
    return {unit: (measurand, *told) for unit, told in canonical.items() if told[1] != NEEDS_FORMULA}
