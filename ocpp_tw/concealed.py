"""Takes secrets out of what is told: passwords and keys of chargers, private keys, credentials in texts. What is told keeps its shape.

Knows OCPP's shapes for naming a value (a configuration key, a variable, a member), not its messages; what the charger or the backend is sent is never touched.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec

HIDDEN = "***"
"""What is told in place of a secret."""

UNSEEN = frozenset({
    "Authorize", "Heartbeat", "MeterValues", "NotifyPeriodicEventStream", "StartTransaction", "StopTransaction", "TransactionEvent",
})  # fmt: skip
"""The actions of chargers that are told unseen, since they are most of all messages and their schemas have no text that is free but for
tags, measured values and vendors' additions. Any other may have a secret in one of its texts."""

_OFTEN = "StatusNotification"
"""The action that comes often and has free texts all the same, if it has: 1.6's info, vendorErrorCode and vendorId; customData, which has
a vendorId. Only then is it looked at."""

_NAMES = (
    "authorizationkey", "password", "passwd", "passphrase", "privatekey", "secret", "simpin", "vpnkey", "accesstoken", "apitoken", "bearertoken",
)  # fmt: skip
"""A name with one of these in it is a secret's, without its separators and in any letter case: a vendor's own are often longer."""

_HINTS = ("authorization", "pass", "private", "secret", "pin", "vpn", "token", "@", "signature")
"""Texts without any of these have no secret in them, nor a signed message, in which one could not be seen. Names of secrets may have
separators between their words."""

_ESCAPE = "\\u"
"""In JSON any of them may be written with escapes."""

MAX_WHOLE_ID = 15
"""Longest message id that is told as it is, in characters: no password of a charger is that short."""

ID_BEGINNING = 4
"""Characters that are told of a longer one."""

MAX_PLAIN_ID = 36
"""Longest message id that is told without a search if it has neither a colon nor an equals sign, in characters: as long as a UUID, and as
OCPP's are. What is looked for in a text has one of the two, but for a private key, which is longer."""

_VALUES = frozenset({"value", "attributevalue", "actualvalue", "data", "additionalinfo", "techinfo"})
"""Members with the value of what an object names, in lower case."""

_SEPARATORS = str.maketrans("", "", "_-. ")
_PEM = re.compile(r"-----BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY-----.*?(?:-----END [A-Z0-9 ]{0,30}PRIVATE KEY-----|\Z)", re.DOTALL)
_PEM_LINE = re.compile(r"-----[A-Z0-9 ]{0,50}-----")
_NAMED = re.compile(
    r"""((?:authorization|pass[-_. ]?w(?:or)?d|pass[-_. ]?phrase|private[-_. ]?key|secret|sim[-_. ]?pin|vpn[-_. ]?key"""
    r"""|(?:access|api|bearer)[-_. ]?token)(?:[-_. ]?key)?["']{0,2}\s{0,4}[:=]\s{0,4})"""
    r"""(?:(?:basic|bearer)\s{1,4}[^\s"',;]++|"[^"]*+"|'[^']*+'|[^\s"',;&}]++)""",
    re.IGNORECASE,
)
_SCHEME = re.compile(r"\A(?:basic|bearer)\s{1,4}", re.IGNORECASE)
_IN_URL = re.compile(r"(?<=//)[^\s/@:]{0,200}:[^\s/@]{0,200}(?=@)")
_decode, _encode = msgspec.json.Decoder().decode, msgspec.json.Encoder().encode


def mentioned(text: bytes | str) -> bool:
    """Whether the text may have a secret in it: a look that is quick and sure, not exact."""
    if isinstance(text, bytes):
        text = text.decode("latin-1").lower()  # a search in bytes takes four times as long
        return _ESCAPE in text or any(each in text for each in _HINTS)
    text = text.lower()
    return any(each in text for each in _HINTS)


def carries(action: str, text: bytes) -> bool:
    """Whether a message of a charger's, its JSON, may have a secret in it that has to be looked for."""
    if action in UNSEEN:
        return False
    if action == _OFTEN:
        searched = text.decode("latin-1")
        if "nfo" not in searched and "endor" not in searched and _ESCAPE not in searched:
            return False
    return mentioned(text)


def id_concealed(id: str | int, own: str = "") -> str:
    """A message id that a charger has sent, to tell of in the log: as it is if it begins with ``own``, as those that the gateway gives do, or
    is short; else the beginning and the length, by which it is found in a trace. A charger may send anything as an id, its password too.
    """
    text = str(id)
    if (own and text.startswith(own) and text[len(own) :].isdecimal()) or len(text) <= MAX_WHOLE_ID:
        return text_concealed(text)
    return f"{text[:ID_BEGINNING]}… ({len(text)} characters)"


def id_told(id: str | int) -> str:
    """A message id that a charger has sent, for its event: as it is, but for a secret that it names. This is part of every message's cost."""
    text = str(id)
    return text_concealed(text) if len(text) > MAX_PLAIN_ID or ":" in text or "=" in text else text


def names_secret(name: object) -> bool:
    """Whether a configuration key, a variable or a member of that name has a secret for its value."""
    if not isinstance(name, str):
        return False
    name = name[:255].lower().translate(_SEPARATORS)
    return name == "authorization" or any(each in name for each in _NAMES)


def concealed(value: Any) -> Any:
    """The JSON value without its secrets; the value itself if it has none."""
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, list):
        return _kept(value, [concealed(each) for each in value])
    if not isinstance(value, dict):
        return value
    if _is_secrets(value):
        return _kept(value, {name: _of_secret(name, each) for name, each in value.items()})
    return _kept(value, {name: _member(name, each) for name, each in value.items()})


def text_concealed(text: str) -> str:
    """The text without its secrets: ``password=…``, an Authorization header, credentials in a URL, private keys."""
    if not mentioned(text):
        return text
    text = _PEM.sub(HIDDEN, text)
    text = _NAMED.sub(lambda found: found[1] + HIDDEN, text)
    return _IN_URL.sub(HIDDEN, text)


def secrets_of_text(text: str) -> Iterator[str]:
    """What `text_concealed` hides in a text, without what comes with it: the user in a URL, the scheme of a header, quotation marks; a
    private key also without its first and last line."""
    for found in _PEM.finditer(text):
        yield found[0]
        yield _PEM_LINE.sub("", found[0]).strip()
    for found in _NAMED.finditer(text):
        value = found[0][len(found[1]) :]
        yield _SCHEME.sub("", value) if value[0] not in "\"'" else value[1:-1]
    for found in _IN_URL.finditer(text):
        yield found[0].partition(":")[2]


def piece_concealed(text: str) -> str:
    """A piece of something that has lost its structure: `HIDDEN` as a whole if it names a secret, whose value may be anywhere in it."""
    squashed = text.lower().translate(_SEPARATORS)
    return HIDDEN if any(each in squashed for each in _NAMES if each != "secret") else text_concealed(text)


def payload_concealed(payload: Any, raw: bytes) -> bytes:
    """The JSON to tell of a message: ``raw`` as it is, unless ``payload`` has a secret in it."""
    told = concealed(payload)
    return raw if told is payload else _encode(told)


def answer_concealed(payload: Any) -> Any:
    """The payload of an answer without its secrets. One without any, of up to a megabyte, is not gone through value by value."""
    return concealed(payload) if mentioned(_encode(payload)) else payload


def _text(text: str) -> str:
    """A text that is JSON, as a DataTransfer of 1.6 has it, is taken for what it says."""
    if len(text) < 8 or not mentioned(text):
        return text
    if text[:1] in ("{", "["):
        try:
            inside = _decode(text)
            told = concealed(inside)
            return text if told is inside else _encode(told).decode()
        except (ValueError, RecursionError):
            pass
    return text_concealed(text)


def _is_secrets(value: dict[str, Any]) -> bool:
    """Whether the object is about a secret: a configuration key of that name, or a variable."""
    for name, each in value.items():
        low = name.lower()
        if low == "key" and names_secret(each):
            return True
        if low == "variable" and names_secret(each.get("name") if isinstance(each, dict) else each):
            return True
    return False


def _of_secret(name: str, value: Any) -> Any:
    """A member of an object that is about a secret; the values may be deeper, as in ``variableAttribute``."""
    if name.lower() in _VALUES or names_secret(name):
        return _blank(value)
    if isinstance(value, dict):
        return _kept(
            value, {inner: _blank(each) if _is_vpns_key(name, inner) else _of_secret(inner, each) for inner, each in value.items()}
        )
    if isinstance(value, list):
        return _kept(value, [_of_secret(name, each) for each in value])
    return _member(name, value)


def _member(name: str, value: Any) -> Any:
    if names_secret(name):
        return _blank(value)
    if isinstance(value, dict) and name.lower() == "vpn":
        return concealed({inner: _blank(each) if _is_vpns_key(name, inner) else each for inner, each in value.items()})
    return concealed(value)


def _is_vpns_key(name: str, inner: str) -> bool:
    """Whether the member ``inner`` of the member ``name`` is the shared secret of a VPN, which OCPP calls key."""
    return name.lower() == "vpn" and inner.lower() == "key"


def _blank(value: Any) -> Any:
    """The value with everything in it hidden; what is empty is no secret, and says that nothing is set."""
    if isinstance(value, dict):
        return {name: _blank(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_blank(each) for each in value]
    return value if value is None or value == "" or isinstance(value, bool) else HIDDEN


def _kept(before: Any, after: Any) -> Any:
    """The value as it was if nothing in it has changed: whoever compares by identity need not compare by content."""
    pairs = zip(before.values(), after.values(), strict=True) if isinstance(before, dict) else zip(before, after, strict=True)
    return before if all(one is other for one, other in pairs) else after
