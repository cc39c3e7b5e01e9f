"""What a request asks in its query, read as the class that describes it: OpenAPI's parameters are made of the same one.

Knows no route. Such a class is a msgspec struct whose fields have defaults: numbers with bounds, texts, times, true or false, one of several
words, and lists, whose values have commas between them: a comma that is part of a value has a backslash before it, and so has a backslash that is
before a comma or another one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Annotated, Any, NamedTuple, TypeVar, cast

import msgspec
from msgspec import inspect
from twisted.web.iweb import IRequest

from .serving import Refused

Q = TypeVar("Q", bound=msgspec.Struct)

MAX_TIME = 50
"""Longest time, in characters: Python would take any number of digits of a second's fraction."""

A_TIME = "a time with its zone, such as 2026-11-29T08:00:00Z (a + is sent as %2B)"


Time = Annotated[datetime, msgspec.Meta(tz=True)]
"""A time, with its zone."""


_ESCAPED = re.compile(r"\\([\\,])")

_PIECE = re.compile(r"(?:\\[\\,]|[^,])+")
"""A value of a list: commas that are part of it are escaped."""


class NoQuery(msgspec.Struct, frozen=True):
    """Nothing can be asked for."""


class Parameter(NamedTuple):
    """One of a class: ``take`` makes its value of a text, and raises `ValueError` for one of which there is none."""

    field: str
    expected: str
    """What it must be, for whoever has sent something else."""
    take: Callable[[str], Any]
    several: bool = False
    most: int = 0
    """Most values; 0: any number."""


def query_of(request: IRequest, kind: type[Q], *, others: bool = False) -> Q:
    """What the query asks for. Raises `Refused` for what is wrong in it, and for a parameter that there is not, unless ``others`` may be there."""
    known, given = _parameters(kind), cast(dict[bytes, list[bytes]], request.args)
    values: dict[str, Any] = {}
    for raw, texts in given.items():
        name = raw.decode(errors="replace")
        if name in known:
            try:
                decoded = [each.decode() for each in texts]
            except UnicodeDecodeError:
                raise Refused(400, f"{name} must be UTF-8") from None
            values[known[name].field] = _value(name, known[name], decoded)
        elif not others:
            raise Refused(400, f"There is no parameter {name!r} here: {_there_are(known)}")
    return kind(**values)


def object_of(members: Any, kind: type[Q], name: str) -> Q:
    """The same of an object in a body, which is called ``name`` there: a list may be one of JSON, whose elements are as they are. Raises
    `Refused`."""
    if not isinstance(members, dict):
        raise Refused(400, f"`{name}` must be an object")
    known = _parameters(kind)
    values: dict[str, Any] = {}
    for member, value in members.items():
        if member not in known:
            raise Refused(400, f"`{name}` has no member {member!r}: {_there_are(known)}")
        parameter = known[member]
        if parameter.take is _truth and isinstance(value, bool):
            value = str(value).lower()
        elif parameter.take is _truth:
            value = None
        whole = isinstance(value, list) and parameter.several
        texts = value if whole else [value]
        if not all(isinstance(each, str) for each in texts):
            raise Refused(400, f"`{name}`: {member} must be {parameter.expected}")
        values[parameter.field] = _value(member, parameter, texts, whole=whole)
    return kind(**values)


def _value(name: str, parameter: Parameter, texts: list[str], *, whole: bool = False) -> Any:
    """``whole``: commas separate nothing."""
    if parameter.several:
        if not whole:
            texts = [_ESCAPED.sub(r"\1", word) for text in texts for each in _PIECE.findall(text) if (word := each.strip())]
        if parameter.most and len(texts) > parameter.most:
            raise Refused(400, f"{name} must have no more than {parameter.most} values")
    elif len(texts) != 1:
        raise Refused(400, f"{name} must be given once")
    try:
        values = [parameter.take(each) for each in texts]
    except ValueError:
        raise Refused(400, f"{name} must be {parameter.expected}") from None
    return values if parameter.several else values[0]


def _there_are(known: Mapping[str, Parameter]) -> str:
    return f"there are {', '.join(sorted(known))}" if known else "there are none"


@cache
def _parameters(kind: type) -> dict[str, Parameter]:
    info = inspect.type_info(kind)
    assert isinstance(info, inspect.StructType)
    return {field.encode_name: _parameter(field.name, field.type) for field in info.fields}


def _parameter(field: str, of: Any) -> Parameter:
    if isinstance(of, inspect.Metadata):  # with the values that there are, if they are a closed set
        choices = (of.extra_json_schema or {}).get("enum")
        return _chosen(field, choices) if choices else _parameter(field, of.type)
    if isinstance(of, inspect.UnionType):  # with None, or of a list with the text that has commas
        of = next(each for each in of.types if not isinstance(each, inspect.NoneType | inspect.StrType))
        return _parameter(field, of)
    if isinstance(of, inspect.ListType):
        one = _parameter(field, of.item_type)
        expected = (
            f"{one.expected.replace('one of', 'some of')}, with commas between them" if "one of" in one.expected else "a list of texts"
        )
        return Parameter(field, expected, one.take, True, of.max_length or 0)
    if isinstance(of, inspect.IntType):
        low, high = of.ge, of.le
        assert low is not None and high is not None
        return Parameter(field, f"a whole number from {low} to {high}", lambda text: _number(text, low, high))
    if isinstance(of, inspect.BoolType):
        return Parameter(field, "true or false", _truth)
    if isinstance(of, inspect.DateTimeType):
        return Parameter(field, A_TIME, _time)
    if isinstance(of, inspect.LiteralType):
        return _chosen(field, [str(each) for each in of.values])
    assert isinstance(of, inspect.StrType)
    longest = of.max_length
    return Parameter(field, f"a text of at most {longest} characters" if longest else "a text", lambda text: _text(text, longest))


def _chosen(field: str, choices: list[str]) -> Parameter:
    return Parameter(field, f"one of {_listed(choices)}", lambda text: _one_of(text, choices))


def _listed(choices: list[str]) -> str:
    """Without the empty one; of columns to sort by those in one direction."""
    named = [each for each in choices if each]
    upwards = [each for each in named if f"-{each}" in named]
    return f"{', '.join(upwards)}, with a minus before it for the other direction" if upwards else ", ".join(named)


def _number(text: str, low: int, high: int) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 20 and low <= int(text) <= high):
        raise ValueError
    return int(text)


def _truth(text: str) -> bool:
    return {"true": True, "false": False}[text] if text in ("true", "false") else _wrong()


def _time(text: str) -> datetime:
    time = datetime.fromisoformat(text.strip().upper()) if len(text) < MAX_TIME else _wrong()
    try:
        late_enough = time.tzinfo is not None and time.astimezone(UTC).year >= 1970
    except OverflowError:  # beyond the year 9999
        late_enough = False
    return time if late_enough else cast(datetime, _wrong())


def _one_of(text: str, choices: list[str]) -> str:
    return text if text in choices else _wrong()


def _text(text: str, longest: int | None) -> str:
    return text if longest is None or len(text) <= longest else _wrong()


def _wrong() -> Any:
    raise ValueError
