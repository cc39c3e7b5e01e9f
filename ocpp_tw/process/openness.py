"""Tells the log which doors of the gateway stand open that nobody has asked for by name, and how to close them.

Knows the settings only, not who comes.
"""

from __future__ import annotations

from ..log import Logger
from ..settings import Settings

log = Logger()


def tell_open_doors(settings: Settings) -> None:
    """Log it, once for a gateway with all its workers."""
    if settings.open_doors:
        log.warn(
            "chargers are not authenticated: whoever reaches their port, {port}, can pretend to be any of them. Close it: give each a password"
            " (`ocpp-tw chargers import`), then set --security-profile 1, 2 or 3. If your network keeps everybody else out, set"
            " --security-profile 0 to say so (docs/security.md)",
            port=str(settings.port),
        )
    elif settings.security_profile == "0":
        log.info("chargers need no password, as --security-profile 0 says; those that have one are asked for it")
