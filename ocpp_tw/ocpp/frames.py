"""OCPP-J frames: from text to frozen values, and back (OCPP-J 1.6 §4.1.3, 4.2).

Knows neither connections nor what an action means; a payload is any JSON object.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import msgspec

from ..words import MAX_KEPT
from .bounds import MAX_NUMBER, UNCHECKED, depth, too_long_number, too_many_values
from .compiled import split_call
from .malformed import Malformed, TooMuch, UnknownType, decode_head, message_type, read_action, read_beginning, read_id
from .payload_json import decode as _decode
from .payload_json import decode_object as _decode_object

Payload = dict[str, Any]

MAX_DESCRIPTION = 255
"""Longest errorDescription that OCPP-J allows, in characters (§4.2.3); a longer one is truncated."""

MAX_DEPTH = 100
"""Most levels of nesting in a payload; a deeper one is malformed. OCPP's own have ten; parsers and validators fail at depths of their own."""

ROOM = 2 * MAX_DEPTH
"""Bytes that brackets nested deeper than that have at least. Of a member that comes twice a quick reader looks at the latter only: a message that is
hardly longer than what was read has no room for them."""

MAX_HEARD = 1000
"""Longest errorDescription of a peer that is read, and longest errorDetails that are a string, in characters; the rest is left out. Some have
a whole stack trace."""

MAX_ELEMENTS = 16
"""Most elements of a frame; OCPP's have five, and one with further ones may be read all the same."""

PADDING = b"\0 \t\r\n\v\f\xef\xbb\xbf"
"""The bytes that may stand around a frame: some chargers send the terminator of their string, its whole buffer, or a byte order mark."""

QuickReader = Callable[[bytes], Any]
"""Reads a payload's JSON in one pass, validated, as a fact; None if the message is not an ordinary one."""

NOT_ORDINARY = (ValueError, KeyError, RecursionError)
"""What is raised inside a `QuickReader` where a message is none that it can read."""

NOT_READ: Payload = {}
"""The ``payload`` of a `Call` that was read in one pass; nobody may change it."""

_encode = msgspec.json.Encoder().encode
# Nearly every frame is a CALL with a string id: this decoder reads only its first three elements and leaves the payload's
# bytes unchanged, so that the event can carry them exactly as they arrived.
_decode_call = msgspec.json.Decoder(tuple[int, str, str, msgspec.Raw]).decode
_decode_elements = msgspec.json.Decoder(list[msgspec.Raw]).decode


class Call(msgspec.Struct, frozen=True, gc=False):
    """A request: ``[2, id, action, payload]``.

    ``id`` is a string, or the number that some chargers send instead.
    ``raw`` is the payload's JSON as it arrived, byte for byte (``b""`` for CALLs of our own). ``fault`` is what was wrong with the text
    itself, though it could be read: "json", it had to be repaired before it could be parsed, "structure", it had further elements, "type", its
    message type was not written as an integer, or "". ``fact`` is the message's fact if it was read in one pass (`QuickReader`): then it is
    valid, and ``payload`` is `NOT_READ`.
    """

    id: str | int
    action: str
    payload: Payload
    raw: bytes = b""
    fault: str = ""
    fact: Any = None

    @property
    def members(self) -> Payload:
        """The payload, which is decoded now if the message was read in one pass."""
        return self.payload if self.fact is None else _decode(self.raw)


class Result(msgspec.Struct, frozen=True, gc=False):
    """A CALLRESULT: ``[3, id, payload]``."""

    id: str | int
    payload: Payload


class Error(msgspec.Struct, frozen=True, gc=False):
    """A CALLERROR: ``[4, id, code, description, details]``; at most `MAX_DESCRIPTION` characters of the description are sent.

    The ``details`` of a peer may be any JSON value, where the specification has an object (OCPP-J 1.6 §4.2.3).
    """

    id: str | int
    code: str
    description: str = ""
    details: Any = {}


class ResultError(msgspec.Struct, frozen=True, gc=False):
    """A CALLRESULTERROR of OCPP 2.1, for an answer that could not be processed: ``[5, id, code, description, details]`` (part 4 §4.2.4)."""

    id: str | int
    code: str
    description: str = ""
    details: Any = {}


class Send(msgspec.Struct, frozen=True, gc=False):
    """A SEND of OCPP 2.1, which is never answered: ``[6, id, action, payload]`` (part 4 §4.2.5). ``raw`` as in `Call`."""

    id: str | int
    action: str
    payload: Payload
    raw: bytes = b""
    fault: str = ""
    fact: Any = None

    @property
    def members(self) -> Payload:
        """See `Call`."""
        return self.payload if self.fact is None else _decode(self.raw)


Frame = Call | Result | Error | ResultError | Send


def parse(text: bytes, quick: Mapping[str, QuickReader] = MappingProxyType({})) -> Frame:
    """The frame in ``text`` (UTF-8 JSON); ``quick`` has readers, by action, for CALLs that can be read in one pass.

    Raises:
        UnknownType: the message type number is unknown.
        TooMuch: there is more of something than any message has.
        Malformed: anything else that is not a frame.
    """
    if len(text) > UNCHECKED:
        _check_bounds(text)
    split = None if split_call is None else split_call(text)
    if split is not None and split[1] in quick:
        id, action, unread = split
        fact = quick[action](unread)
        if fact is not None:
            return Call(id, action, NOT_READ, unread, "", fact)
    try:
        kind, id, action, raw = _decode_call(text)
        if (kind == 2 or kind == 6) and 0 < len(id) <= MAX_KEPT:
            if kind == 2 and split is None and action in quick:
                fact = quick[action](bytes(raw))
                if fact is not None:
                    return Call(id, action, NOT_READ, bytes(raw), "", fact)
            payload = _decode_object(raw)  # what is something else would be decoded in vain: the slow path does it again
            if len(action) <= MAX_KEPT and not too_deep(text, MAX_DEPTH + 1):
                return (Call if kind == 2 else Send)(id, action, payload, bytes(raw))
    except (ValueError, RecursionError):
        pass  # not an ordinary CALL: the slow path finds out what it is
    trimmed = text.strip(PADDING)
    return _parse_carefully(text) if trimmed == text else parse(trimmed, quick)


def render(frame: Frame) -> bytes:
    """The JSON text of a frame, compact, in UTF-8, with members in their order."""
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
    """The text of a `Result`; spares creating one, as nearly every message of every charger is answered by one."""
    return _encode((3, id, payload))


def too_deep(text: bytes, most: int = MAX_DEPTH) -> bool:
    """Whether a valid JSON text has more than so many levels of nesting; for nearly all, counting brackets suffices."""
    return len(text) > most and text.count(b"{") + text.count(b"[") > most and depth(text) > most


def embedded(text: bytes) -> Payload | None:
    """The JSON object in a text that a message carries; None if it is none, or has more of something than any message has."""
    try:
        payload = None if too_many_values(text) or too_long_number(text) else _decode(text)
    except (ValueError, RecursionError):
        return None
    return payload if isinstance(payload, dict) and not too_deep(text) else None


def _check_bounds(text: bytes) -> None:
    """Raises `TooMuch` for a long text that would cost too much to read."""
    if limit := too_many_values(text):
        raise TooMuch(limit, text, *read_beginning(text))
    if too_long_number(text):
        raise TooMuch(f"a number of more than {MAX_NUMBER} digits", text, *read_beginning(text))


def _parse_carefully(text: bytes) -> Frame:
    """The slow path: answers, numeric ids, and every kind of malformed frame."""
    try:
        elements = _decode_elements(text)
        written = decode_head(elements[0]) if elements else None
    except (ValueError, RecursionError):
        raise Malformed("not a JSON array", text, *read_beginning(text), syntax=True) from None
    kind = message_type(written)
    if kind is None:
        raise Malformed("no message type number", text)
    id, action = read_id(elements, kind), read_action(elements) if kind in (2, 6) else None
    if len(elements) > MAX_ELEMENTS:
        raise TooMuch(f"more than {MAX_ELEMENTS} elements", text, kind, id, action)
    if kind not in (2, 3, 4, 5, 6):
        raise UnknownType("unknown message type", text, kind, id)
    try:
        rest = [_decode(element) for element in elements[2:]]
    except (ValueError, RecursionError):
        raise Malformed("unreadable JSON inside", text, kind, id, action, syntax=True) from None
    if too_deep(text, MAX_DEPTH + 1):
        raise TooMuch(f"nested deeper than {MAX_DEPTH}", text, kind, id, action)
    if id is None and len(elements) > 1 and len(elements[1]) > MAX_KEPT:
        raise TooMuch(f"a message id longer than {MAX_KEPT} characters", text, kind, id, action)
    if kind in (2, 6) and action is None and rest and isinstance(rest[0], str):
        raise TooMuch(f"an action longer than {MAX_KEPT} characters", text, kind, id)
    frame = None if id is None else _frame(kind, id, rest, elements)
    if frame is None:
        raise Malformed(f"not the elements of message type {kind}", text, kind, id, action)
    if type(written) is not int and isinstance(frame, Call | Send) and not frame.fault:
        return msgspec.structs.replace(frame, fault="type")
    return frame


def _frame(kind: int, id: str | int, rest: list[Any], elements: list[msgspec.Raw]) -> Frame | None:
    """The frame of a message type, from what follows the id: parsed (``rest``) and as JSON (in ``elements``); None if it is not one."""
    match kind, rest:
        case 2 | 6, [str(action), dict() | None as payload, *more]:
            # some chargers send null for an empty payload (OCPP-J 1.6 §4.1.5)
            raw = b"{}" if payload is None else bytes(elements[3])
            return (Call if kind == 2 else Send)(id, action, payload or {}, raw, "structure" if more else "")
        case 3, [] | [None]:
            return Result(id, {})
        case 3, _:  # some have the action before the payload, or the elements of a CALLERROR after it
            payloads = [element for element in rest if isinstance(element, dict)]
            return Result(id, next(filter(None, payloads), payloads[0])) if payloads else None
        case 4 | 5, []:
            return (Error if kind == 4 else ResultError)(id, "")
        case 4 | 5, [str() | int() as code, *more]:  # chargers leave out or mistype what follows the code
            code = str(code)[:MAX_KEPT]
            description = next((element for element in more if isinstance(element, str)), "")[:MAX_HEARD]
            return (Error if kind == 4 else ResultError)(id, code, description, _details(more))
    return None


def _details(more: list[Any]) -> Any:
    """The errorDetails among what follows the code: the first object, else the first of what is not the description, {} if there is nothing."""
    described = next((place for place, element in enumerate(more) if isinstance(element, str)), None)
    others = [element for place, element in enumerate(more) if place != described and element not in (None, "", [])]
    details = next((element for element in others if isinstance(element, dict)), others[0] if others else {})
    return details[:MAX_HEARD] if isinstance(details, str) else details
