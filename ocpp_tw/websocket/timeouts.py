"""The part of a connection that limits its time: pings and drops a silent charger, and ends handshakes and closings that take too long.

Has no timer: `ocpp_tw.websocket.factory` calls `check` once a second for every connection.
"""

# mypy: disallow-untyped-calls=False

from __future__ import annotations

import math
import random

from .backpressure import NETWORK, Backpressure

CLOSE_TIMEOUT = 2
"""Seconds that a charger has to answer our Close frame; then the connection is closed without its answer."""

MAX_HANDSHAKE_TIME = 30
"""Most seconds from accepting a connection to the end of its handshake, however much of them is ours."""

LINGER_TIMEOUT = 10
"""Seconds that the last bytes have to leave; then the connection is cut, or a peer that does not read would keep it for ever."""


class Timeouts(Backpressure):
    """All times are in the factory's ticks, one a second."""

    # on the class until they are needed, since most of the time they are not
    _pinged = False
    _last_heard = 0
    _ping_after = 0
    _deadline = 0
    """When the handshake, or the closing, must be over."""
    _latest = 0
    """When the handshake must be over, whoever is slow."""

    def connectionMade(self) -> None:
        super().connectionMade()
        tick, timeout = self.factory.tick, math.ceil(self.factory.settings.handshake_timeout)
        self._deadline, self._latest = tick + timeout + 1, tick + max(timeout, MAX_HANDSHAKE_TIME) + 1

    def onOpen(self) -> None:
        interval = self.factory.settings.ping_interval
        self._ping_after = max(1, round(interval * random.uniform(0.8, 1.2)))  # noqa: S311  # spreads the load, hides nothing

    def check(self, tick: int, timeout: int) -> None:
        """Ping a charger that is silent; drop it when it stays so (C13). Whatever it sends is a sign of life."""
        if self.state != self.STATE_OPEN:
            if self.state == self.STATE_CONNECTING and tick < self._latest and self._is_our_turn():
                self._deadline = min(self._deadline + 1, self._latest)  # what we and the network need is not the charger's time
            elif tick >= self._deadline:
                self._overdue()
            return
        if self._paused_by and not self._paused_by & NETWORK:
            self._last_heard = tick  # it is we who do not listen; one that does not read what we send is silent, whatever else it waits for
        silent = tick - self._last_heard
        if silent < self._ping_after:
            return
        if not self._pinged:
            self._fast, self._pinged = False, True
            self.sendPing()
        elif silent >= self._ping_after + timeout:
            self.wasNotCleanReason = f"no sign of life for {silent} s"
            self.dropConnection(abort=True)

    def _is_our_turn(self) -> bool:
        """Whether the handshake waits for our gate, for bytes to be read by us, or for ours to reach the charger."""
        in_transit = getattr(self.transport, "in_transit", None)
        return self._request is not None or (in_transit is not None and in_transit())

    def _overdue(self) -> None:
        if self.state == self.STATE_CLOSED:
            self.transport.abortConnection()
        elif self._request is not None:
            self.failHandshake("Service Unavailable", 503)  # it is our gate that is slow
        else:
            if self.state == self.STATE_CONNECTING:
                self.factory.addresses.overdue.note(self.peer_host)
            self.wasNotCleanReason = "too slow"
            self.dropConnection(abort=self.state == self.STATE_CONNECTING)

    def sendCloseFrame(self, code: int | None = None, reasonUtf8: bytes | None = None, isReply: bool = False) -> None:
        self._fast = False
        self._deadline = self.factory.tick + CLOSE_TIMEOUT + 1
        super().sendCloseFrame(code, reasonUtf8, isReply)

    def _closeConnection(self, abort: bool = False) -> None:
        self._fast = False
        self._deadline = self.factory.tick + LINGER_TIMEOUT
        # after a complete closing handshake there is no reason for a reset, which some chargers' libraries take for an error
        super()._closeConnection(abort and not self.wasClean)
