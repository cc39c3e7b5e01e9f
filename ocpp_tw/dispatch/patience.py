"""How long a command waits for its charger: its ``ttl`` from when it was first taken, whichever gateways it passes on its way.

Knows neither chargers nor the store.
"""

from __future__ import annotations

import msgspec

from ..core.commands import Command

LEFT_OVER_TTL = 60.0
"""Seconds for which a command left over by another run of a gateway is still sent, or waits for its charger; longer if its ttl is."""

HAND_ON_WITHIN = 30.0
"""Seconds, beside its ttl, in which a command by HTTP has to reach and leave the gateway that has its charger; then it expires there, for who
asked is not kept waiting much longer."""


def begun(command: Command, silent: float | None, now: float) -> Command:
    """The command with the moment, in Unix time, from which its ttl counts: what was said of it when it was handed on, else now; if it was
    left over by a gateway, when that ended. ``silent``: see `ocpp_tw.core.commands.Taken`.
    """
    taken = now - (silent or 0.0) if command.taken is None else min(command.taken, now)
    return msgspec.structs.replace(command, taken=taken)


def left(command: Command, silent: float | None, now: float) -> float:
    """Seconds for which the command (as `begun` returned it) may still wait; 0 or less when there are none."""
    assert command.taken is not None
    ttl = command.taken + command.ttl - now
    return ttl if silent is None else max(ttl, LEFT_OVER_TTL - silent)


def handed_on(command: Command) -> bytes:
    """The command's element for another gateway: as it is, and with the moment if it has none and it matters."""
    if not command.ttl or command.taken is None or "first_taken" in msgspec.json.decode(command.element, type=dict[str, msgspec.Raw]):
        return command.element
    return command.element.rstrip()[:-1] + b',"first_taken":%.3f}' % command.taken


def within_reach(command: Command, now: float) -> Command:
    """The command by HTTP for another gateway: it expires by when nobody waits for its result any more."""
    latest = now + command.ttl + HAND_ON_WITHIN
    return msgspec.structs.replace(command, expires=latest if command.expires is None else min(command.expires, latest))
