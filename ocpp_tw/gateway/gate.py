"""Who may come in.

Knows what a charger showed at the door, not how it came there.
"""

from __future__ import annotations

from zope.interface import implementer

from ..interfaces import HandshakeRequest, IGate


@implementer(IGate)
class OpenGate:
    """Lets everybody in: OCPP's security profile 0, for networks that are closed themselves."""

    def admit(self, request: HandshakeRequest) -> None:
        """Whoever knocks may come in."""
