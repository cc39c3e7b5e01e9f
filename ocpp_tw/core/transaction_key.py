"""The key under which a charger's transaction is stored: a number of 1.6's and a text of 2.x never have the same one.

Knows no transactions. A charger that has changed its version may have both 5 and "5".
"""

from __future__ import annotations

from functools import lru_cache

TEXT = "text:"
"""What the keys of texts begin with that would be the key of a number, or begin so themselves."""

MAX_DIGITS = 20
"""Longest number, in characters: those of 1.6 have at most 64 bits and a sign (`ocpp_tw.ocpp.payload_json`)."""


KNOWN = 4096
"""Ids whose keys are remembered, the latest asked for: each message of a running transaction of 2.x needs its own again."""


@lru_cache(KNOWN)
def stored_key(id: int | str) -> str:
    """Its key; of most ids the id itself."""
    return f"{TEXT}{id}" if isinstance(id, str) and (namesake(id) is not None or id.startswith(TEXT)) else str(id)


@lru_cache(KNOWN)
def namesake(id: int | str) -> int | str | None:
    """The id of the other kind that is written alike, and so had the same key in earlier versions; None if there is none."""
    if isinstance(id, int):
        return str(id)
    number = int(id) if len(id) <= MAX_DIGITS and id.isascii() and id.removeprefix("-").isdecimal() else None
    return number if str(number) == id else None
