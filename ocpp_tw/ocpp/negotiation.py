"""Which versions of OCPP are spoken, and which of them a charger's subprotocols choose.

Knows no connection.
"""

from __future__ import annotations

from collections.abc import Iterable

from ..settings import Settings
from .version import Version

ALIASES = {"ocpp1.6j": "ocpp1.6", "ocpp16": "ocpp1.6"}
"""Subprotocols as some chargers spell them, in lower case."""


def choose(offered: Iterable[str], known: Iterable[str]) -> tuple[str, str] | None:
    """The first of the charger's offers that is known: as it spelled it, and as we do (OCPP-J 1.6 §3.1.2)."""
    ours = {each.lower(): each for each in known}
    for offer in offered:
        name = ALIASES.get(offer.lower(), offer.lower())
        if name in ours:
            return offer, ours[name]
    return None


def known(settings: Settings) -> dict[str, Version]:
    """The versions that the settings want spoken, by their WebSocket subprotocol."""
    from .legacy import V12, V15
    from .v2 import V21, V201
    from .v16 import V16

    wanted = [version for version in (V16, V201, V21) if version.name in settings.versions]
    return {version.subprotocol: version for version in (*wanted, *((V15, V12) if settings.legacy else ()))}
