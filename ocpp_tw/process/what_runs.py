"""Tells the log what this gateway runs without.

Knows no settings.
"""

from __future__ import annotations

from ..log import Logger
from ..ocpp import compiled

log = Logger()


def tell_what_is_missing() -> None:
    """Log it; each worker does so for itself."""
    if not compiled.IS_USED:
        log.info(
            "without compiled modules ({why}): all works, and messages with many samples cost twice as much (docs/operations.md)",
            why=compiled.WHY_NOT,
        )
