"""OCPP-J frames: text in, frozen values out, and back (OCPP-J 1.6 §4.1.3, 4.2).

Knows neither who speaks nor what an action means; a payload is just a JSON object.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import msgspec

Payload = dict[str, Any]

MAX_DESCRIPTION = 255
"""Longest errorDescription that OCPP-J allows, in characters (§4.2.3)."""

MAX_DEPTH = 100
"""How deep a payload may be nested: OCPP's own go ten deep, and parsers and validators give up at depths of their own."""

QuickReader = Callable[[msgspec.Raw], Any]
"""Reads the JSON of a payload as what it says; None when that takes more care."""

NOT_READ: Payload = {}

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode
# Nearly every frame is a CALL with a string id: this decoder reads its head and leaves the payload's
# bytes alone, so that the event can carry them exactly as they came.
_decode_call = msgspec.json.Decoder(tuple[int, str, str, msgspec.Raw]).decode
_decode_elements = msgspec.json.Decoder(list[msgspec.Raw]).decode


class Call(msgspec.Struct, frozen=True, gc=False):
    """A request: ``[2, id, action, payload]``.

    ``id`` is a string, or the number that a sloppy charger sent in its place.
    ``raw`` is the payload's JSON as it arrived, byte for byte (``b""`` for calls of our own). ``mended``: the text was no JSON, and
    had to be put right before it could be read. ``fact`` is what it says, where that was read at once (`QuickReader`): then it is
    valid, and ``payload`` was not read.
    """

    id: str | int
    action: str
    payload: Payload
    raw: bytes = b""
    mended: bool = False
    fact: Any = None


class Result(msgspec.Struct, frozen=True, gc=False):
    """An answer: ``[3, id, payload]``."""

    id: str | int
    payload: Payload


class Error(msgspec.Struct, frozen=True, gc=False):
    """A refusal: ``[4, id, code, description, details]``; what is sent has at most 255 characters of description."""

    id: str | int
    code: str
    description: str = ""
    details: Payload = {}


class ResultError(msgspec.Struct, frozen=True, gc=False):
    """OCPP 2.1: an answer could not be processed: ``[5, id, code, description, details]`` (part 4 §4.2.4)."""

    id: str | int
    code: str
    description: str = ""
    details: Payload = {}


class Send(msgspec.Struct, frozen=True, gc=False):
    """OCPP 2.1: a message that is never answered: ``[6, id, action, payload]`` (part 4 §4.2.5). ``raw`` as in `Call`."""

    id: str | int
    action: str
    payload: Payload
    raw: bytes = b""
    mended: bool = False
    fact: Any = None


Frame = Call | Result | Error | ResultError | Send


class Malformed(Exception):
    """The text is no OCPP-J frame.

    ``id`` is the CALL's message id where it could be read: then the sender is owed a CALLERROR.
    ``syntax`` says whether not even the JSON could be read. The exception's text never goes to the peer.
    """

    def __init__(self, why: str, id: str | int | None = None, *, syntax: bool = False) -> None:
        super().__init__(why)
        self.id = id
        self.syntax = syntax


class UnknownType(Malformed):
    """A well-formed array with a message type number that no version knows; ``id`` is what stands in the id's place."""


def parse(text: bytes, quick: Mapping[str, QuickReader] = MappingProxyType({})) -> Frame:
    """The frame that ``text`` (UTF-8 JSON) holds; ``quick`` are ways to read a CALL of an action at once.

    Raises:
        UnknownType: an unknown message type number.
        Malformed: anything else that is not a frame.
    """
    try:
        kind, id, action, raw = _decode_call(text)
        if (kind == 2 or kind == 6) and id:
            if action in quick and kind == 2:
                fact = quick[action](raw)
                if fact is not None:
                    return Call(id, action, NOT_READ, bytes(raw), False, fact)
            payload = _decode(raw)
            if type(payload) is dict and not too_deep(text, payload):
                return (Call if kind == 2 else Send)(id, action, payload, bytes(raw))
    except (ValueError, RecursionError):
        pass  # not that simple: the careful way finds out what it is
    return _parse_carefully(text)


def render(frame: Frame) -> bytes:
    """The compact JSON text of a frame, members in their order, in UTF-8."""
    match frame:
        case Result(id=id, payload=payload):
            return render_result(id, payload)
        case Call(id=id, action=action, payload=payload, raw=raw):
            return _encode((2, id, action, msgspec.Raw(raw) if raw else payload))
        case Error(id=id, code=code, description=description, details=details):
            return _encode((4, id, code, description[:MAX_DESCRIPTION], details))
        case ResultError(id=id, code=code, description=description, details=details):
            return _encode((5, id, code, description[:MAX_DESCRIPTION], details))
        case Send(id=id, action=action, payload=payload, raw=raw):
            return _encode((6, id, action, msgspec.Raw(raw) if raw else payload))


def render_result(id: str | int, payload: Payload) -> bytes:
    """The text of a `Result`, of which there is one for nearly every message of every charger."""
    return _encode((3, id, payload))


def too_deep(text: bytes, value: Any) -> bool:
    """Whether ``value``, of which ``text`` is the JSON, is nested deeper than `MAX_DEPTH`; nearly always the text tells at a glance."""
    if len(text) <= MAX_DEPTH or text.count(b"{") + text.count(b"[") <= MAX_DEPTH:
        return False
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [inner for each in level if isinstance(each, dict | list) for inner in (each.values() if isinstance(each, dict) else each)]
    return any(isinstance(each, dict | list) for each in level)


def _parse_carefully(text: bytes) -> Frame:
    """The slow way round: answers, numeric ids, and everything that is wrong with the rest."""
    try:
        elements = _decode_elements(text)
        kind = _decode(elements[0]) if elements else None
    except (ValueError, RecursionError):
        raise Malformed(f"not a JSON array: {text[:80]!r}", syntax=True) from None
    if type(kind) is not int:
        raise Malformed(f"no message type number: {text[:80]!r}")
    id = _read_id(elements)
    if kind not in (2, 3, 4, 5, 6):
        raise UnknownType(f"message type {kind}", id)
    try:
        rest = [_decode(element) for element in elements[2:]]
    except (ValueError, RecursionError):
        raise Malformed(f"unreadable JSON inside: {text[:80]!r}", id if kind == 2 else None, syntax=True) from None
    if any(too_deep(text, each) for each in rest):
        raise Malformed(f"nested deeper than {MAX_DEPTH}: {text[:80]!r}", id if kind == 2 else None)
    if id is not None:
        match kind, rest:
            case 2, [str(action), dict(payload)]:
                return Call(id, action, payload, bytes(elements[3]))
            case 2, [str(action), None]:  # some chargers say null for an empty payload (OCPP-J 1.6 §4.1.5)
                return Call(id, action, {}, b"{}")
            case 3, [dict(payload)]:
                return Result(id, payload)
            case 3, [None]:
                return Result(id, {})
            case 4 | 5, [str(code), *more]:  # chargers leave out or mistype what follows the code
                description = next((each for each in more if isinstance(each, str)), "")
                details = next((each for each in more if isinstance(each, dict)), {})
                return (Error if kind == 4 else ResultError)(id, code, description, details)
            case 6, [str(action), dict(payload)]:
                return Send(id, action, payload, bytes(elements[3]))
    raise Malformed(f"not the elements of message type {kind}: {text[:80]!r}", id if kind == 2 else None)


def _read_id(elements: list[msgspec.Raw]) -> str | int | None:
    try:
        id = _decode(elements[1])
    except (IndexError, ValueError, RecursionError):
        return None
    return id if (type(id) is str and id) or type(id) is int else None
