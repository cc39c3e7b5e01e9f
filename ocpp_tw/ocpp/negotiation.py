"""Which versions of OCPP are enabled, and which of them is chosen for a charger by its subprotocols.

Knows no connections.
"""

from __future__ import annotations

from collections.abc import Iterable

from ..settings import Settings
from .version import Version

ALIASES = {"ocpp1.6j": "ocpp1.6", "ocpp16": "ocpp1.6"}
"""Misspelled subprotocols of real chargers, in lower case, -> the registered name."""


def choose(offered: Iterable[str], known: Iterable[str]) -> tuple[str, str] | None:
    """The first subprotocol offered by the charger that is known: as the charger spells it, and as we do (OCPP-J 1.6 §3.1.2)."""
    ours = {subprotocol.lower(): subprotocol for subprotocol in known}
    for offer in offered:
        name = ALIASES.get(offer.lower(), offer.lower())
        if name in ours:
            return offer, ours[name]
    return None


def enabled_versions(settings: Settings) -> dict[str, Version]:
    """The versions that the settings enable, by their WebSocket subprotocol."""
    from .legacy import V12, V15
    from .v2 import V21, V201
    from .v16 import V16

    enabled = [version for version in (V16, V201, V21) if version.name in settings.versions]
    return {version.subprotocol: version for version in (*enabled, *((V15, V12) if settings.legacy else ()))}
