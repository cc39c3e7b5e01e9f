"""Which chargers are admitted.

Knows their handshake requests, not the connection.
"""

from __future__ import annotations

from zope.interface import implementer

from ..interfaces import HandshakeRequest, IGate


@implementer(IGate)
class OpenGate:
    """Admits everybody: OCPP's security profile 0, for networks that are closed themselves."""

    def admit(self, request: HandshakeRequest) -> int:
        """See `IGate`."""
        return 0
