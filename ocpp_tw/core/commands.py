"""Commands of the backend: both forms of them, and the outcomes they can have (docs/contract.md).

Knows neither where commands come from nor how they reach a charger.
"""

from __future__ import annotations

import base64
import hashlib
import re
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, NamedTuple

import msgspec

from ..ocpp.frames import MAX_DEPTH, Payload, too_deep
from ..ocpp.payload_json import decode

MAX_TIMEOUT = 3600.0
"""The longest ``timeout`` that a command may ask for, in seconds."""
MAX_TTL = 86_400.0
"""The longest ``ttl``, in seconds: a day, as long as ids are remembered."""
PEER_MESSAGES = (b'{"evict"', b'{"event"', b'{"decided"', b'{"probe"', b'{"probed"')
"""How an element begins that is no command but a message from another gateway."""


class Command(msgspec.Struct, frozen=True):
    """One CALL to be sent to one charger.

    Exactly one of ``action`` (an OCPP action; ``raw`` is its payload's compact JSON, as the backend wrote it) and
    ``neutral`` (a command in snake_case, translated to the charger's version) is set. ``timeout`` and ``ttl`` are seconds, ``expires``
    and ``taken`` (when the first gateway took it, if another has handed it on) are Unix time. ``element`` is the element of the list it came
    in, b"" when it came by HTTP; ``asker`` is the gateway of the fleet that received it by HTTP and waits for the result, ``by`` the name of
    the token that it was sent with (None from the list). ``traceparent`` is what it belongs to (W3C Trace Context), "" if nothing is said.
    """

    charger: str
    id: str
    action: str = ""
    neutral: str = ""
    payload: Payload = {}
    raw: bytes = b""
    timeout: float | None = None
    ttl: float = 0.0
    expires: float | None = None
    taken: float | None = None
    reply_to: str | None = None
    asker: str = ""
    by: str | None = None
    element: bytes = b""
    traceparent: str = ""

    def traced(self, traceparent: str) -> Command:
        """The same as a part of that trace."""
        return msgspec.structs.replace(self, traceparent=traceparent)

    @property
    def name(self) -> str:
        """The action or neutral command, as the backend named it."""
        return self.action or self.neutral


class CommandOptions(msgspec.Struct):
    """What both forms of a command may have beside it; what is null is as if it were left out."""

    timeout: Annotated[float, msgspec.Meta(ge=0, le=MAX_TIMEOUT)] | None = None
    """seconds that the charger has to answer, counted from sending; 0 or left out: as the gateway is set (`--call-timeout`)"""
    ttl: Annotated[float, msgspec.Meta(ge=0, le=MAX_TTL)] | None = None
    """seconds to wait for the charger to come online, at any gateway, counted from when the first gateway took the command"""
    expires: str | float | None = None
    """a time (ISO 8601, or Unix seconds) after which the command is no longer sent, whatever it was waiting for"""
    reply_to: Annotated[str, msgspec.Meta(min_length=1, max_length=512)] | None = None
    """a list that the result is appended to as well; the list expires an hour after its last element"""
    traceparent: str | None = None
    """the trace that it belongs to (W3C Trace Context); what is none is ignored"""


Id = Annotated[str, msgspec.Meta(min_length=1, max_length=36)] | int
"""A command's id, of 36 characters or digits at most: of equal ones for a charger one is carried out in 24 hours."""


class RawCommand(CommandOptions, kw_only=True):
    """A command as an OCPP CALL, which is sent as it is written once it was validated."""

    CpID: Annotated[str, msgspec.Meta(min_length=1)]
    """the charger's identity"""
    data: tuple[Literal[2], Id, str, Payload]
    """the CALL: 2, the command's id, the OCPP action, its payload"""


class NeutralCommand(CommandOptions, kw_only=True):
    """A command in the form that is the same for every version of OCPP."""

    cp_id: Annotated[str, msgspec.Meta(min_length=1)]
    """the charger's identity"""
    command: str
    """the command"""
    data: Payload = {}
    """the command's own members, or OCPP's own payload for it"""
    id: Id
    """the command's id; by HTTP it may be left out, and is made up then"""


class DeadLetter(msgspec.Struct, omit_defaults=True):
    """An element of the list of commands of which not even the charger and the id can be read."""

    element: str
    """the element"""
    reason: str
    """what is wrong with it"""
    time: Annotated[str, msgspec.Meta(extra_json_schema={"format": "date-time"})]
    """when it was taken (UTC)"""
    base64: str | None = None
    """only when the element is not UTF-8, and `element` has it in part: all of it, in Base64"""

    @classmethod
    def of(cls, element: bytes, reason: str, unix: float) -> DeadLetter:
        """That of an element which was taken at this Unix time."""
        text = element.decode(errors="replace")
        time = datetime.fromtimestamp(unix, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return cls(text, reason, time, None if text.encode() == element else base64.b64encode(element).decode())


class Taken(NamedTuple):
    """An element of the list. If another run of a gateway left it over, that run's lease ended ``silent`` seconds ago, and ``sent`` says
    whether it had claimed the command, and so may have sent it.
    """

    element: bytes
    silent: float | None = None
    sent: bool = False


class Claim(NamedTuple):
    """Whether a command may be sent now: ``new`` (it may), ``duplicate`` (its id was claimed before), ``elsewhere`` (``gateway`` has the
    charger, on a connection other than ours) or ``gone`` (another gateway has taken the element over from us).
    """

    kind: str
    gateway: str = ""


class Invalid(Exception):
    """The element is no command. ``charger`` and ``id`` are what could be read of them, "" when nothing."""

    def __init__(self, why: str, charger: str = "", id: str = "", name: str = "", reply_to: str | None = None) -> None:
        super().__init__(why)
        self.charger, self.id, self.name, self.reply_to = charger, id, name, reply_to


class Failed(msgspec.Struct, frozen=True):
    """Why a command has no result: the charger's CALLERROR, or the gateway's own code and description."""

    code: str
    description: str = ""
    details: Any = msgspec.field(default_factory=dict)


class Outcome(msgspec.Struct, frozen=True):
    """The outcome of a command; ``kind`` is one of `OUTCOMES`.

    ``sent``: whether it was sent to the charger; ``latency_ms`` is from sending to the answer.
    """

    kind: str
    payload: Payload | None = None
    error: Failed | None = None
    sent: bool = False
    latency_ms: int | None = None

    @property
    def status(self) -> str | None:
        """The status of the charger's answer, where it has one; that of the variable, if one was set (2.x)."""
        answer = self.payload or {}
        results = answer.get("setVariableResult")
        if isinstance(results, list) and len(results) == 1 and isinstance(results[0], dict):
            status = results[0].get("attributeStatus")
        else:
            status = answer.get("status")
        return status if isinstance(status, str) else None


OUTCOMES = {
    "result": "the charger answered",
    "error": "the charger answered with a CALLERROR; with `sent` false: the gateway failed before, or Redis did not answer (`unavailable`)",
    "timeout": "it was sent, and no answer came in time",
    "connection_lost": "it was sent, the connection or the gateway ended: whether it was done is unknown",
    "offline": "the charger is not connected",
    "expired": "the charger did not connect within `ttl`, or `expires` has passed; nothing was sent",
    "invalid": "it is no valid command for this charger; nothing was sent",
    "not_allowed": "the charger is not accepted yet and may not be asked this",
    "duplicate": "a command with this id was taken for this charger within the last 24 hours; nothing was sent",
}

_decode = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_any = msgspec.json.Decoder().decode
_decode_list = msgspec.json.Decoder(list[msgspec.Raw]).decode
_ACTION = re.compile(r"[A-Za-z0-9]{1,64}(-Signed)?")
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_NEUTRAL = re.compile(r"[a-z0-9_]{1,64}")


def parse(element: bytes, *, made_id: str = "") -> Command:
    """The command in an element: the raw form (``CpID`` and an OCPP CALL) or the neutral one (``cp_id``, ``command``, ``data``).

    ``made_id`` stands in for an id that the neutral form left out; without it the id is mandatory.

    Raises:
        Invalid: it is no command; the text says what is wrong, for the backend's developer.
    """
    try:
        raw = _decode(element)
        raw_data = raw.pop("data", msgspec.Raw(b"{}"))
        members = {name: _decode_any(value) for name, value in raw.items()}
    except (ValueError, RecursionError):
        raise Invalid("not a JSON object") from None
    charger = members.get("CpID", members.get("cp_id"))
    reply_to = members.get("reply_to")
    fields: dict[str, Any] = {
        "charger": charger if isinstance(charger, str) else "",
        "reply_to": reply_to if isinstance(reply_to, str) and 0 < len(reply_to) <= 512 else None,
    }
    if not fields["charger"]:
        raise Invalid("`CpID` (or `cp_id`) must name the charger, as a string", **fields)
    if reply_to is not None and fields["reply_to"] is None:
        raise Invalid("`reply_to` must name a list, in 1 to 512 characters", **fields)
    if "command" in members:
        fields |= _neutral(members, raw_data, fields, made_id)
    else:
        fields |= _call(raw_data, fields)
    asker = members.get("asker")
    asker = asker if isinstance(asker, str) else ""
    by = members.get("by") if asker else None  # a command from the list itself has come from no operator, whatever it says
    traceparent = members.get("traceparent")
    if not isinstance(traceparent, str) or not _TRACEPARENT.fullmatch(traceparent):
        traceparent = ""  # it says nothing then, and the command is sent all the same (W3C Trace Context §3.2)
    waits, by = _waits(members, fields), by if isinstance(by, str) else None
    return Command(**fields, **waits, asker=asker, by=by, element=element, traceparent=traceparent)


def render(command: Command, asker: str) -> bytes:
    """The command as an element again, for another gateway's list; ``asker`` is the one that is to hear of its result."""
    if command.action:
        rendered: dict[str, Any] = {"CpID": command.charger, "data": (2, command.id, command.action, msgspec.Raw(command.raw))}
    else:
        rendered = {"cp_id": command.charger, "command": command.neutral, "data": msgspec.Raw(command.raw), "id": command.id}
    rendered |= {"timeout": command.timeout, "ttl": command.ttl, "expires": command.expires, "first_taken": command.taken}
    rendered |= {"reply_to": command.reply_to, "asker": asker, "traceparent": command.traceparent}
    said = {name: value for name, value in rendered.items() if value}
    return msgspec.json.encode(said if command.by is None else said | {"by": command.by})


def digest(element: bytes) -> str:
    """A short name of an element."""
    return hashlib.sha1(element, usedforsecurity=False).hexdigest()


def _neutral(members: dict[str, Any], raw_data: msgspec.Raw, fields: dict[str, Any], made_id: str) -> dict[str, Any]:
    name, id = members["command"], members.get("id", made_id)
    fields = fields | {"id": _id(id), "name": name if isinstance(name, str) else ""}
    if not fields["id"]:
        raise Invalid("`id` must be given: a string of 1 to 36 characters, or a number", **fields)
    if not isinstance(name, str) or not _NEUTRAL.fullmatch(name):
        raise Invalid("`command` must be a name in snake_case, such as remote_start_transaction", **fields)
    return {"id": fields["id"], "neutral": name, **_payload(raw_data, "data", fields)}


def _call(raw_data: msgspec.Raw, fields: dict[str, Any]) -> dict[str, Any]:
    try:
        elements = _decode_list(raw_data)
        head: list[Any] = [*map(_decode_any, elements[:3]), None, None, None]
        kind, id, action = head[:3]
    except (ValueError, RecursionError):
        raise Invalid("`data` must be a CALL: [2, id, action, payload]", **fields) from None
    fields = fields | {"id": _id(id), "name": action if isinstance(action, str) else ""}
    if not fields["id"]:
        raise Invalid("the CALL's id must be a string of 1 to 36 characters, or a number", **fields)
    if kind != 2 or isinstance(kind, bool | float) or len(elements) != 4:
        raise Invalid("`data` must be a CALL: [2, id, action, payload]", **fields)
    if not isinstance(action, str) or not _ACTION.fullmatch(action):
        raise Invalid("the CALL's action must be the name of an OCPP action", **fields)
    return {"id": fields["id"], "action": action, **_payload(elements[3], "the CALL's payload", fields)}


def _payload(raw: msgspec.Raw, what: str, fields: dict[str, Any]) -> dict[str, Any]:
    try:
        payload = decode(raw)
        compact = msgspec.json.format(bytes(raw), indent=-1)
    except (ValueError, RecursionError):
        payload = None
    if not isinstance(payload, dict):
        raise Invalid(f"{what} must be a JSON object", **fields)
    if too_deep(compact):
        raise Invalid(f"{what} must not be nested deeper than {MAX_DEPTH}", **fields)
    return {"payload": payload, "raw": compact}


def _waits(members: dict[str, Any], fields: dict[str, Any]) -> dict[str, Any]:
    waits: dict[str, Any] = {}
    named = fields.get("action") or fields.get("neutral") or ""
    whose = (fields["charger"], fields["id"], named, fields["reply_to"])
    for name, most in (("timeout", MAX_TIMEOUT), ("ttl", MAX_TTL)):
        value = members.get(name)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
            raise Invalid(f"`{name}` must be a number of seconds from 0 to {most:.0f}", *whose)
        if value or name == "ttl":
            waits[name] = float(value)
    if members.get("expires") is not None:
        waits["expires"] = _moment(members["expires"])
        if waits["expires"] is None:
            raise Invalid("`expires` must be a time: ISO 8601 (2026-11-22T10:00:00Z) or Unix seconds", *whose)
    waits["taken"] = _moment(members.get("first_taken", ""))
    return waits


def _moment(value: object) -> float | None:
    """Unix time of a time in either spelling (UTC where it names no zone); None when it is none."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value) if 0 <= value < 1e11 else None
    try:
        time = datetime.fromisoformat(str(value).strip().upper())
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def _id(id: object) -> str:
    """The id as a string, "" when it cannot be one (OCPP-J 1.6 §4.1.4: at most 36 characters)."""
    if isinstance(id, bool) or not isinstance(id, str | int):
        return ""
    return str(id) if 0 < len(str(id)) <= 36 else ""
