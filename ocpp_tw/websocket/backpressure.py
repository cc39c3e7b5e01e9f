"""The part of a connection that stops reading from a charger and resumes.

Knows the reasons not to read; neither what was read, nor why the application holds a charger.
"""

# mypy: disallow-untyped-calls=False

from __future__ import annotations

from .admission import Admission

CHARGER, NETWORK, TURN, ROOM, ADDRESS = 1, 2, 4, 8, 16
"""Why a connection is not read from: the application holds the charger, it does not take what we send, it waits for its turn with what it has
sent (`turns`), there is no room for the large message that it has begun (`room`), or too many control frames come from its address."""


class Backpressure(Admission):
    """`IWire.hold`, and `IPushProducer` towards the transport."""

    # on the class until they are needed, since most of the time they are not
    _fast = False
    """Whether the connection is open with nothing unusual pending: the next bytes begin a frame, and messages may be sent at once."""
    _paused_by = 0

    def hold(self, held: bool) -> None:
        self._pause(CHARGER, held)

    # IPushProducer: the transport calls when the charger does not take what we send; then we do not take what it sends

    def pauseProducing(self) -> None:
        self._pause(NETWORK, True)

    def resumeProducing(self) -> None:
        self._pause(NETWORK, False)

    def stopProducing(self) -> None:
        pass

    def _pause(self, why: int, held: bool) -> None:
        self._fast = False
        before = self._paused_by
        self._paused_by = before | why if held else before & ~why
        if self._gone or bool(before) == bool(self._paused_by):
            return
        if self._paused_by:
            self.transport.pauseProducing()
        else:
            self.transport.resumeProducing()
            self.consumeData()
