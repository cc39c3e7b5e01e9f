"""MeterValues of OCPP 1.6, which half of all messages are: checked and read from their text in one go, without a dictionary of anything.

Its types are made from the official schema and take no message that the schema would not. Whatever is not plain (invalid, signed,
in units that have to be converted, no plain decimal numbers) it leaves to those who read with care.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from ..facts import MeterValues
from .meter_values import ENERGY, canonical
from .schemas import source

KEYWORDS = frozenset(
    {"$schema", "$id", "id", "title", "type", "enum", "items", "minItems", "properties", "required", "additionalProperties"}
)
"""What a schema may say for a type to be made of it; and ``format``, which nobody checks."""


def _type(schema: dict[str, Any], **instead: Any) -> Any:
    """The type that takes what the schema does; ``instead`` are members' types and defaults of our own."""
    assert schema.keys() <= KEYWORDS | {"format"}, f"no type can be made of {schema}"
    match schema["type"]:
        case "object":
            assert schema["additionalProperties"] is False
            needed = schema["required"]
            fields = {
                name: instead.get(name) or (_type(each) if name in needed else (_type(each), msgspec.UNSET))
                for name, each in schema["properties"].items()
            } | instead
            made = [(name, *(each if isinstance(each, tuple) else (each,))) for name, each in fields.items() if each]
            # gc=False: of its members only lists lead anywhere, and none of those leads back
            return msgspec.defstruct("Read", made, kw_only=True, forbid_unknown_fields=True, gc=False, namespace={"signed": False})
        case "array":
            items = instead["items"]
            return Annotated[list[items], msgspec.Meta(min_length=schema.get("minItems", 0))]  # type: ignore[valid-type]
        case "string":
            return Literal[tuple(schema["enum"])] if "enum" in schema else str
        case "integer":
            return int
        case other:
            raise AssertionError(f"no type can be made of {other}")


Never = Annotated[int, msgspec.Meta(ge=1, le=0)]
"""A member that no message can have."""

_schema = source("v16", "MeterValues")
_list = _schema["properties"]["meterValue"]
_samples = _list["items"]["properties"]["sampledValue"]
_words = {name: each["enum"] for name, each in _samples["items"]["properties"].items() if "enum" in each}

# A sample becomes a value of the event's (`events.Value`) as it stands, once it has its reading's timestamp and the canonical unit.
# A signed one is not for here: it is of no such type.
Sample: Any = _type(
    _samples["items"],
    measurand=(Literal[tuple(_words["measurand"])], ENERGY),
    unit=(Literal[tuple(_words["unit"])], None),
    timestamp=(Never, None),
    format=False,
)
Reading: Any = _type(_list["items"], sampledValue=_type(_samples, items=Sample))
Message: Any = _type(_schema, meterValue=msgspec.Raw, transactionId=(int, None))

_message = msgspec.json.Decoder(Message).decode
_readings = msgspec.json.Decoder(_type(_list, items=Reading)).decode

PLAIN = {
    measurand: {unit: canonical(measurand, unit)[0] for unit in (None, *_words["unit"]) if canonical(measurand, unit)[1] == 0}
    for measurand in _words["measurand"]
}
"""A measurand -> its unit -> the canonical unit, where that needs no conversion."""


def read_in_one_pass(payload: msgspec.Raw) -> MeterValues | None:
    """The fact in the payload of a plain MeterValues; None: it has to be read with care."""
    try:
        message = _message(payload)
        values: list[Any] = []
        for reading in _readings(message.meterValue):
            timestamp, samples = reading.timestamp, reading.sampledValue
            for sample in samples:
                value = sample.value
                if not (value.isdigit() or value.replace(".", "", 1).isdigit()) or not value.isascii():
                    return None
                sample.unit = PLAIN[sample.measurand][sample.unit]
                sample.timestamp = timestamp
            values += samples
    except (ValueError, KeyError, RecursionError):
        return None
    return MeterValues(message.connectorId, message.transactionId, message.meterValue, values)
