"""Who may come in.

Knows what a charger showed at the door, not how it came there.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from zope.interface import implementer

from ..interfaces import IGate


@dataclass(frozen=True, slots=True)
class Knock:
    """What a charger showed at the door. ``headers`` have lower-case names; they are not to be logged (credentials)."""

    id: str
    domain: str
    address: str
    offered: tuple[str, ...]
    headers: dict[str, str] = field(default_factory=dict, repr=False)
    repairs: tuple[str, ...] = ()


class Refused(Exception):
    """The charger may not come in: the HTTP status and reason (our own text) it is answered, and further headers."""

    def __init__(self, status: int, reason: str, headers: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(reason)
        self.status, self.reason, self.headers = status, reason, headers


@implementer(IGate)
class OpenGate:
    """Lets everybody in: OCPP's security profile 0, for networks that are closed themselves."""

    def admit(self, knock: Knock) -> None:
        """Whoever knocks may come in."""
