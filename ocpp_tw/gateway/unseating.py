"""The rule by which a newcomer may take a connection's place: a name alone is no proof, for everybody can claim it.

Knows neither how it takes over nor whether the other connection is alive: one that is dead gives way to everybody.
"""

from __future__ import annotations

from collections.abc import Callable

from ..core.gateway_events import AUTHENTICATED, SAME_ADDRESS
from ..networks import network
from .charger import Charger


def may_unseat(newcomer: Charger, other: Charger) -> bool:
    """Whether the newcomer takes the other's place while that may be alive."""
    if newcomer.security_profile:
        return True
    return not other.security_profile and network(newcomer.address) == network(other.address)


def why(newcomer: Charger) -> str:
    """Why one does that may unseat the other."""
    return AUTHENTICATED if newcomer.security_profile else SAME_ADDRESS


class Newcomer:
    """A connection that waits. ``may``: whether it may unseat the current one; ``told`` is called with whether that is alive."""

    __slots__ = ("charger", "may", "told")

    def __init__(self, charger: Charger, may: bool, told: Callable[[Newcomer, bool], None]) -> None:
        self.charger, self.may = charger, may
        self.told = lambda alive: told(self, alive)

    def displaces(self, other: Newcomer) -> bool:
        """Whether it waits in the other's place: it may unseat the current one and the other may not; or both are alike, and it is newer."""
        return may_unseat(self.charger, other.charger) if self.may == other.may else self.may
