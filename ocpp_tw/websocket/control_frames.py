"""The part of a connection that bounds frames which carry no message: pings, pongs and empty ones cost their sender next to nothing.

Knows nothing of messages; `ocpp_tw.websocket.addresses` has the budget that all connections of one address share.
"""

# mypy: disallow-untyped-calls=False

from __future__ import annotations

from .backpressure import ADDRESS
from .timeouts import Timeouts

MAX_PONGS = 10
"""Most pings answered a second (a charger sends one in seconds); the others are ignored."""

MAX_CONTROL_FRAMES = 1000
"""Control frames, empty ones included, after which the connection is closed with 1008, less `FORGIVEN` for each second: what a charger sent
in minutes may come at once, after its line was dead for as long."""

FORGIVEN = 10
"""Control frames a second that may be sent for ever."""


MANY_CONTROL_FRAMES = 50
"""Those of a connection, counted like this, with which it is held back when there are too many from its address: another one there is not."""


class ControlFrames(Timeouts):
    """Counts them, and answers pings."""

    # on the class until they are needed, since most of the time they are not
    _control_frames = 0
    _pongs = 0
    """Pings answered since the last check."""

    def check(self, tick: int, timeout: int) -> None:
        if self._control_frames:
            self._control_frames, self._pongs = max(0, self._control_frames - FORGIVEN), 0
        if self._paused_by & ADDRESS:
            self._pause(ADDRESS, False)
        super().check(tick, timeout)

    def _count_control_frame(self) -> None:
        self._control_frames += 1
        if self._control_frames == MAX_CONTROL_FRAMES:
            self._fail_connection(1008, "too many control frames")
        elif not self.factory.addresses.control_frame(self.peer_host, self.factory.tick) and self._control_frames > MANY_CONTROL_FRAMES:
            self._pause(ADDRESS, True)  # until the next check

    # called by Autobahn

    def onPing(self, payload: bytes) -> None:
        self._count_control_frame()
        if self._pongs < MAX_PONGS:
            self._pongs += 1
            self.sendPong(payload)

    def onPong(self, payload: bytes) -> None:
        self._count_control_frame()
