"""Takes the tags of drivers out of what is told: who charged where and when is nobody's business who looks for a charger's fault.

Knows OCPP's names for a tag and those of our events and commands, also in a text that is JSON; what a vendor calls otherwise, or a free text says
of one, it cannot know.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from ..concealed import HIDDEN

NAMES = frozenset({"idtag", "idtoken", "parentidtag", "groupidtoken", "additionalidtoken", "tag", "grouptag", "parenttag"})
"""Members with a tag for their value, in lower case without underscores. In 2.x one named ``idToken`` is an object with another in it."""

INSIDE = frozenset({"idToken", "type", "additionalInfo", "additionalIdToken", "customData", "vendorId"})
"""The names that OCPP's object for a tag has in it. Any other may be the tag."""

TYPES = frozenset({
    "Central", "DirectPayment", "eMAID", "EVCCID", "ISO14443", "ISO15693", "KeyCode", "Local", "MacAddress", "NoAuthorization", "VIN",
})  # fmt: skip
"""Types of tags, which are told (2.0.1 IdTokenEnumType; 2.1 appendix 7)."""

_JSON = re.compile(r'[ \t\r\n\ufeff]*[{\["]')
"""How a text begins that may be JSON."""

_NAMED = re.compile(rf"(?<![a-z0-9])(?:{'|'.join(sorted(NAMES | {'tagtype'}))})(?![a-z0-9])")
"""A member's name in a text, in lower case without underscores, that has a tag for its value."""

_ESCAPE = "\\u"
"""In JSON a name may be written with escapes."""

_decode, _encode = msgspec.json.Decoder().decode, msgspec.json.Encoder().encode


def tags_blanked(value: Any) -> Any:
    """The JSON value with `HIDDEN` in place of each tag, also in texts that are JSON; one that is empty is none."""
    if isinstance(value, str):
        return _text(value) if _JSON.match(value) else value
    if isinstance(value, list):
        return [tags_blanked(each) for each in value]
    if isinstance(value, dict):
        return {name: _member(name, each) for name, each in value.items()}
    return value


def violations_blanked(violations: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The violations that an event tells of, without what is wrong in a tag's member, and without tags in the others."""
    return [_violation(each) for each in violations]


def _violation(violation: dict[str, Any]) -> dict[str, Any]:
    path, value = str(violation.get("path", "")).split("/"), violation.get("value")
    start = next((number for number, name in enumerate(path) if _is_tags(name)), None)
    if start is None:
        if isinstance(value, str) and value[:1] in ("{", "["):  # the beginning of an object
            return {**violation, "value": HIDDEN}
        return {**violation, "value": tags_blanked(value)}
    known = [each if each in INSIDE or each.isdecimal() else HIDDEN for each in path[start + 1 :]]
    names = [each if each in INSIDE else HIDDEN for each in violation.get("names") or ()]
    return {**violation, "path": "/".join([*path[: start + 1], *known]), "value": _blank(value), "names": names}


def _text(text: str) -> str:
    """A text that begins as JSON does, as the data of a DataTransfer of 1.6: as it was if it names no tag, and `HIDDEN` if it cannot be read and
    may have one in it. Texts in texts get shorter with each level, by what escapes them."""
    named = _NAMED.search(text.lower().replace("_", ""))
    if named is None and _ESCAPE not in text:
        return text
    try:
        inside = _decode(text)
        told = tags_blanked(inside)
        # what names a tag may do so twice, of which only the last has been read
        return text if named is None and told == inside else _encode(told).decode()
    except (ValueError, RecursionError):  # also msgspec's
        return HIDDEN


def _member(name: str, value: Any) -> Any:
    if name == "tag_type":  # of events and commands
        return _type(value)
    return _blank(value) if _is_tags(name) else tags_blanked(value)


def _is_tags(name: str) -> bool:
    return name.lower().replace("_", "") in NAMES


def _blank(value: Any) -> Any:
    """Whatever a tag's member has in it."""
    if isinstance(value, list):
        return [_blank(each) for each in value]
    if isinstance(value, dict):
        return {name if name in INSIDE else HIDDEN: (_type if name == "type" else _blank)(each) for name, each in value.items()}
    return value if value is None or value == "" else HIDDEN


def _type(value: Any) -> Any:
    return value if isinstance(value, str) and value in TYPES else _blank(value)
