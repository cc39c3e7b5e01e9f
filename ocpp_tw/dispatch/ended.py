"""How a command ended: its outcome, and what its result has to say beside it.

Knows neither chargers nor the store.
"""

from __future__ import annotations

from typing import NamedTuple

from ..core.commands import Failed, Outcome

EXPIRED = "its time is over (`expires`)"
UNAVAILABLE = "unavailable"
"""The code of a command by HTTP that needed the store while that did not answer."""

INTERNAL_FAILURE = Failed("internal", "the gateway failed; its log says why")


class Ended(NamedTuple):
    """How a command ended. ``claimed``: its id was taken for it. ``action`` is the OCPP action it came to, "" if it came to none here."""

    outcome: Outcome
    claimed: bool = False
    action: str = ""


def unavailable() -> Ended:
    return Ended(
        Outcome("error", error=Failed(UNAVAILABLE, "Redis does not answer, or takes no writes, at the moment: nothing was sent, try again"))
    )


def expired(why: str, *, claimed: bool = False) -> Ended:
    return Ended(Outcome("expired", error=Failed("expired", why)), claimed)


def not_connected(ttl: float) -> Ended:
    if ttl > 0:
        return expired(f"the charger did not connect within {ttl:g} s")
    return Ended(Outcome("offline", error=Failed("offline", "the charger is not connected")))


def duplicate() -> Ended:
    return Ended(Outcome("duplicate", error=Failed("duplicate", "a command with this id was taken within the last 24 hours")))


def invalid(why: str) -> Ended:
    return Ended(Outcome("invalid", error=Failed("invalid", why)))


def not_allowed(registration: str, action: str) -> Ended:
    why = f"the charger's registration is {registration}"
    return Ended(Outcome("not_allowed", error=Failed("not_allowed", why)), action=action)
