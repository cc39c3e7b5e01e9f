"""One charger's WebSocket connection: Autobahn's server adapted to `IWire`.

It is one class in parts, each of which is the base of the next: `origin` (who is at the other end), `admission` (the opening handshake),
`backpressure`, `timeouts`, `control_frames`, `large_messages`, `receiving`, and this one (sending, closing, the end). Together they have all
knowledge of Autobahn's server; they know nothing of what a charger says.

Two tricks keep an idle connection small, and cost something for it. `succeedHandshake` replaces the instance's ``__dict__``: an attribute
that is set during the handshake and is in `footprint.HANDSHAKE_ONLY`, or equals a class default, is gone from the instance afterwards, so
``vars(protocol)`` in a debugger does not show the whole state. And `ChargerFactory` creates a subclass at run time that holds Autobahn's
options and the factory itself as class attributes: each factory has its own class of connections, a subclass of `ChargerProtocol` made
later is not used by it, and a change to the factory's options after that has no effect.
"""

# mypy: disallow-untyped-calls=False

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import txaio.tx
from autobahn.util import encode_truncate
from twisted.internet.interfaces import IPushProducer
from zope.interface import implementer

from ..interfaces import IWire
from . import compression
from .backpressure import TURN
from .fast_frames import text_frame
from .receiving import Receiver


@implementer(IWire, IPushProducer)
class ChargerProtocol(Receiver):
    """One connection."""

    log = txaio.tx.make_logger(level="error")  # Autobahn's; it has a warning for every peer that is at fault
    _perMessageCompress: Any
    utf8validator: Any
    send_queue: Any

    # IWire; `hold` is in `Backpressure`

    def send(self, text: bytes) -> None:
        if self._fast and len(text) <= compression.MAX_UNCOMPRESSED:
            self.transport.write(text_frame(text))
            return
        # not sendMessage(): it applies our limit for the charger's messages to ours too
        deflate = self._perMessageCompress
        if self.state != self.STATE_OPEN:
            return  # the charger has left: the message is lost, and the charger repeats what was not answered
        if deflate is None or len(text) <= compression.MAX_UNCOMPRESSED:
            self.transport.write(text_frame(text))
        else:
            deflate.start_compress_message()
            self.sendFrame(opcode=1, payload=deflate.compress_message_data(text) + deflate.end_compress_message(), rsv=4)

    def close(self, code: int, reason: str) -> None:
        # sendClose() admits 1000 and 3000-4999 only; a server needs 1001, 1002, 1008 and 1012 too
        if self.state == self.STATE_OPEN:
            self.sendCloseFrame(code, encode_truncate(reason, 123), isReply=False)
        elif self.state == self.STATE_CONNECTING:
            self.dropConnection(abort=True)

    def ping(self, answered: Callable[[], None]) -> None:
        self._fast = False
        self._on_sign_of_life = answered
        self.sendPing()

    # called by Twisted and Autobahn, in the order of a connection's life

    def connectionMade(self) -> None:
        super().connectionMade()
        self.factory.connected[self] = None
        self.transport.registerProducer(self, True)

    def onOpen(self) -> None:
        request, settings = self._request, self.factory.settings
        assert request is not None
        super().onOpen()
        if self._perMessageCompress is not None:
            self._perMessageCompress = compression.Deflate(self._perMessageCompress)
        if self.websocket_protocol_in_use is None and (request.offered or not settings.default_subprotocol):
            self.close(1002, "no common subprotocol")  # OCPP-J 1.6 §3.1.2: complete the handshake, then close at once
        elif self._sink is not None:
            self._call_safely(partial(self.factory.admissions.arrived, self._sink))

    def sendData(self, data: bytes, sync: bool = False, chopsize: int | None = None) -> None:
        self.transport.write(data)  # Autobahn's prepares a debug line each time

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:
        self._fast, self._gone = False, True
        self._on_sign_of_life = None
        self.factory.connected.pop(self, None)
        self._release_room()
        if self._paused_by & TURN:
            self.factory.turns.drop(self)
        if self._decision is not None:
            self._decision.cancel()
        sink, self._sink = self._sink, None  # each refers to the other: they would wait for the garbage collector
        if sink is None:
            return
        if self.closedByMe:  # then our own reason says more than whether the charger answered it
            code, reason = self.localCloseCode, (self.localCloseReason or b"").decode("utf-8", "replace")
        elif not wasClean:
            reason = self.wasNotCleanReason
        self._call_safely(partial(self.factory.admissions.departed, sink, code or 1005, reason or ""))
