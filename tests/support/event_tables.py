"""Compares published events with the tables of docs/contract.md, member by member.

Knows the document only, no code: what it finds wrong is so for a consumer that follows the document.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, NamedTuple

DOCUMENT = Path(__file__).parents[2] / "docs" / "contract.md"

TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "array": (list,),
    "object": (dict,),
    "null": (type(None),),
    "any": (object,),
    "boolean": (bool,),
    "true": (bool,),
}
"""The tables' words for JSON's types; an integer is never a bool. What is "true" is left out when it is not."""


class Member(NamedTuple):
    """A row of a table."""

    types: list[str]
    meaning: str

    def wrong(self, value: Any) -> bool:
        """Whether a value is not of its type."""
        if isinstance(value, bool):
            return not {"boolean", "true", "any"} & set(self.types)
        return not isinstance(value, tuple(each for word in self.types for each in TYPES[word]))


Table = dict[str, Member]


def tables(text: str) -> dict[str, Table]:
    """The table under each heading of the third level, and that of the envelope."""
    found: dict[str, Table] = {}
    heading = ""
    for line in text.splitlines():
        if line.startswith(("### ", "<!-- ")):
            heading = re.sub(r"^### A `?|[#`<>!-]", "", line).strip()
        row = re.match(r"\| `(\w+)` \| ([\w ]+) \| (.*) \|$", line)
        if row is not None:
            found.setdefault(heading, {})[row[1]] = Member(row[2].split(" or "), row[3])
    return found


class EventTables:
    """What the document says of each event."""

    def __init__(self, text: str = "") -> None:
        self._tables = tables(text or DOCUMENT.read_text())
        self._envelope = self._tables["envelope"]
        self._value = next(table for name, table in self._tables.items() if name.endswith("value of values"))

    def faults(self, text: bytes) -> list[str]:
        """What is not as the document says; nothing for what is no event of a gateway's (a test of a driver's publishes anything)."""
        event = json.loads(text)
        if not isinstance(event, dict) or not {"event", "domain", "gateway"} <= set(event):
            return []
        name, ocpp = event["event"], event.get("ocpp") or ""
        data = event["data"]
        table = self._tables.get(name, {"charger": Member(["string"], "")})
        found = _compare(self._envelope, {each: value for each, value in event.items() if each != "seq"}, ocpp)
        found += _compare(table, data, ocpp)
        for value in data.get("values", ()):
            found += _compare(self._value, value, ocpp)
        return [f"{name} of OCPP {ocpp or 'unknown'}: {each}" for each in found]


def _compare(table: Table, members: dict[str, Any], ocpp: str) -> list[str]:
    found = [f"{name!r} stands in no table" for name in members if name not in table]
    for name, member in table.items():
        optional = member.meaning.startswith("only when")
        left_out = member.meaning.startswith("2.x only") and not ocpp.startswith("2")
        if name not in members:
            found += [] if optional or left_out else [f"{name!r} is not there"]
        elif left_out:
            found.append(f"{name!r} is there, though 2.x only")
        elif member.wrong(members[name]):
            found.append(f"{name!r} is {members[name]!r}, not {' or '.join(member.types)}")
        elif optional and "true" in member.types and members[name] is not True:
            found.append(f"{name!r} is there, though not true")
    return found
