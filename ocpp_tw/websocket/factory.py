"""The server's side of all connections: accepts them, and checks each once a second.

Knows Autobahn's options; what a connection does with a check is `ocpp_tw.websocket.timeouts`.
"""

# mypy: disallow-untyped-calls=False

from __future__ import annotations

import math
from functools import partial
from typing import Any

from autobahn.twisted.websocket import WebSocketServerFactory
from autobahn.websocket.protocol import TrafficStats
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall

from ..log import Logger
from ..settings import Settings
from . import compression
from .addresses import Addresses, Limits
from .boundary import Admissions
from .client_certificates import Authorities
from .connection import ChargerProtocol
from .footprint import CLASS_DEFAULTS
from .proxies import Proxies
from .room import Room
from .turns import ConnectionTurns


class ChargerFactory(WebSocketServerFactory):  # type: ignore[misc,unused-ignore]
    """Makes connections of `ChargerProtocol`. Without `start` none ever times out.

    ``descriptors`` is how many the process may have open; ``authorities`` are for certificates that proxies send.
    """

    noisy = False
    _log = Logger()  # Autobahn owns .log

    def __init__(
        self,
        admissions: Admissions[Any],
        settings: Settings,
        reactor: IReactorTime,
        descriptors: int = 1 << 20,
        authorities: Authorities | None = None,
    ) -> None:
        super().__init__(server="ocpp_tw", reactor=reactor)
        self.admissions = admissions
        self.settings = settings
        self.tick = 0
        self.connected: dict[ChargerProtocol, None] = {}
        self.turns = ConnectionTurns(reactor, admissions.has_room)
        self.room = Room.of(settings)
        self.proxies = Proxies(settings, authorities)
        self.addresses = Addresses(Limits.of(settings, descriptors), settings.handshake_timeout, reactor)
        # One timer for all connections: one for each would be set again with every frame, and Autobahn's are on the global
        # reactor. It counts calls, not time: no charger is dropped because this process was suspended.
        self._timer = LoopingCall(self._check_all)
        self._timer.clock = reactor
        self.setProtocolOptions(
            webStatus=False,
            failByDrop=False,
            allowNullOrigin=True,
            openHandshakeTimeout=0,
            closeHandshakeTimeout=0,
            utf8validateIncoming=False,  # whole messages are; a validator for each connection costs more than it finds
            maxFramePayloadSize=settings.max_message,
            maxMessagePayloadSize=settings.max_message,
            perMessageCompressionAccept=partial(compression.accept, max_size=settings.max_message),
        )
        # Autobahn copies its options to each connection; a class of this factory's own has them once, and the factory too
        options = {name: getattr(self, name) for name in ChargerProtocol.CONFIG_ATTRS}
        shared = {**CLASS_DEFAULTS, **options, "factory": self, "trafficStats": TrafficStats()}
        self.protocol = type("ChargerProtocol", (ChargerProtocol,), shared)  # type: ignore[assignment]

    def buildProtocol(self, addr: Any) -> Any:
        """None if there are too many connections: then the port closes it, which costs less than any answer."""
        return None if self.addresses.refuses(str(getattr(addr, "host", addr))) else super().buildProtocol(addr)

    def start(self) -> None:
        """Begin to check connections: their handshakes, their silence, their end."""
        self._timer.start(1, now=False)

    def stop(self) -> None:
        """Close all remaining connections, and stop checking."""
        for protocol in list(self.connected):
            protocol.wasNotCleanReason = "the door is closed"
            protocol.dropConnection(abort=False)
        self.turns.stop()
        if self._timer.running:
            self._timer.stop()
        self.addresses.stop()

    def _check_all(self) -> None:
        self.tick += 1
        timeout = math.ceil(self.settings.ping_timeout)
        for protocol in list(self.connected):
            try:
                protocol.check(self.tick, timeout)
            except Exception:  # else the timer would stop, for all
                self._log.failure("check of a connection failed")
