"""The compiled part of the one-pass readers, where the package was built with it (`setup.py`): `frames` and `readings`, in Cython.

Everything works without it, at a higher price (docs/performance.md). What it does not read is read as without it, and comes to the same.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

from ...facts import Value
from .sources import digest

WITHOUT = "OCPP_TW_WITHOUT_COMPILED"
"""The environment variable that, if it is set, makes a gateway do without; and a build leave it out."""

ReadCompiled = Callable[[bytes], tuple[bytes, bytes, bytes, list[Value], bytes] | None]
"""See `readings.ReadingsReader.read`."""

Units = Mapping[str | None, tuple[str, str | None, int]]
"""A unit, or None -> what the measurand is, the canonical unit, and the power of ten between the two."""

split_call: Callable[[bytes], tuple[str, str, bytes] | None] | None = None
"""See `frames`; None where it is not used."""

WHY_NOT = f"{WITHOUT} is set"
"""Why the compiled modules are not used; "" where they are."""

if not os.environ.get(WITHOUT):
    try:
        from .frames import SOURCES, split_call
        from .readings import SOURCES as OF_READINGS
        from .readings import ReadingsReader

        WHY_NOT = "" if SOURCES == OF_READINGS and digest() in ("", SOURCES) else "they were built of other sources"
    except Exception as why:  # whatever is wrong with them, all works without
        WHY_NOT = str(why) or type(why).__name__
    if WHY_NOT:
        split_call = None

IS_USED = not WHY_NOT
"""Whether the package was built with them, and they are not switched off."""


def reader(
    *, numbers: bool, units: Mapping[str | None, Units], enums: Mapping[str, list[str]], longest: int, kept: Mapping[str, int]
) -> ReadCompiled | None:
    """See `readings.ReadingsReader`; None where it is not used."""
    if not IS_USED:
        return None
    return ReadingsReader(
        numbers=numbers,
        units=units,
        contexts=enums["context"],
        phases=enums["phase"],
        locations=enums["location"],
        kept=kept,
        value=Value,
        longest=longest,
    ).read
